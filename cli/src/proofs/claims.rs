//! What a proof showed, as tables and as JSON.

use cets_contracts::genesis::Genesis;
use cets_contracts::proof::{Claim, ProvedRecord, VerifiedHop, VerifiedProof, VerifiedReceipt};
use cets_contracts::state::{
    Account, Freeze, KeyParts, Obligation, ParameterName, ParameterVersion, Project, Supply, Task,
    UnitPlace,
};
use cets_contracts::types::{BlockTime, SerialRange};
use serde_json::{Value, json};

use crate::client::outcome_text;
use crate::clock::time_text;
use crate::commands::account::{account_json, with_account};
use crate::orders::{outcome_json, place_text};
use crate::output::{Cell, Report, left, right};
use crate::text;
use crate::text::{Lang, Text};

/// What a proof of ours showed.
pub fn claim_report(kind: &str, verified: &VerifiedProof, genesis: &Genesis, lang: Lang) -> Report {
    let VerifiedProof { height, time, block_id, claim } = verified;
    let facts = vec![
        (text!("proof", "证明"), kind_text(kind).into()),
        (text!("network", "网络"), Cell::same(&genesis.network)),
        (text!("chain", "链"), Cell::same(genesis.chain_id())),
        (text!("as of block", "截至区块"), Cell::number(height)),
        (text!("its time", "区块时间"), Cell::same(time_text(*time))),
        (text!("its number", "区块号"), Cell::same(block_id)),
    ];
    let json = json!({
        "verified": true,
        "kind": kind,
        "network": genesis.network,
        "chain": genesis.chain_id(),
        "height": height,
        "block_id": block_id,
        "block_time_millis": time,
        "claim": claim_json(claim, lang),
    });
    with_claim(Report::new(json).facts(facts), claim)
}

/// What a kind of proof shows, in words.
fn kind_text(kind: &str) -> Text {
    match kind {
        "receipt" => text!("a transaction and what became of it", "一笔交易及其结果"),
        "records" => text!("records of the state", "账本状态记录"),
        "units" => text!("whose a range of units is", "编码区间的归属"),
        "statement" => text!("all units of an account", "账户全部单位"),
        "provenance" => text!("the whole life of a unit", "一吨的全部流转"),
        "dossier" => text!("transactions and records", "交易与状态记录"),
        other => Text::same(other),
    }
}

fn claim_json(claim: &Claim, lang: Lang) -> Value {
    match claim {
        Claim::Receipt(found) => receipt_json(found, lang),
        Claim::Records(records) => records.iter().map(record_json).collect(),
        Claim::Units(units) => units
            .parts
            .iter()
            .map(|(range, place)| json!({ "range": range, "place": place }))
            .collect(),
        Claim::Statement(statement) => json!({
            "account": account_json(statement.id, &statement.account),
            "ranges": statement.ranges,
        }),
        Claim::Provenance(life) => json!({
            "range": life.range,
            "place": life.place,
            "hops": life.hops.iter().map(hop_json).collect::<Vec<_>>(),
        }),
        Claim::Dossier(dossier) => {
            let transactions = dossier.transactions.iter().map(|(found, time)| {
                json!({ "block_time_millis": time, "transaction": receipt_json(found, lang) })
            });
            json!({
                "transactions": transactions.collect::<Vec<_>>(),
                "records": dossier.records.iter().map(record_json).collect::<Vec<_>>(),
            })
        }
    }
}

fn receipt_json(found: &VerifiedReceipt, lang: Lang) -> Value {
    json!({
        "tx_id": found.transaction.id(),
        "log_index": found.index,
        "height": found.receipt.height,
        "outcome": outcome_json(&found.receipt.outcome, lang),
        "body": found.transaction.body(),
        "event": found.events.as_ref().map(|record| &record.event),
        "effects": found.events.as_ref().map(|record| &record.effects),
    })
}

fn hop_json(hop: &VerifiedHop) -> Value {
    json!({
        "tx_id": hop.receipt.transaction.id(),
        "log_index": hop.receipt.index,
        "height": hop.receipt.receipt.height,
        "block_time_millis": hop.time,
        "movements": hop.movements,
    })
}

/// A record of a table that people ask for; the others as their bytes.
fn record_json(record: &ProvedRecord) -> Value {
    let typed = match &record.parts {
        KeyParts::Account(id) => {
            record.read::<Account>().map(|account| account_json(*id, &account))
        }
        KeyParts::UnitRange(..) => {
            record.unit_range().map(|(range, place)| json!({ "range": range, "place": place }))
        }
        KeyParts::Supply(instrument) => record
            .read::<Supply>()
            .map(|supply| json!({ "instrument": instrument, "issued": supply.issued })),
        KeyParts::Project(code) => {
            record.read::<Project>().map(|project| json!({ "project": code, "record": project }))
        }
        KeyParts::Parameter(tag, year, valid_from) => {
            record.read::<ParameterVersion>().map(|version| {
                json!({
                    "parameter": parameter_name(*tag),
                    "year": year,
                    "valid_from": valid_from,
                    "version": version,
                })
            })
        }
        KeyParts::Task(account, id) => record
            .read::<Task>()
            .map(|task| json!({ "account": account, "task": id, "record": task })),
        KeyParts::Obligation(account, year) => record
            .read::<Obligation>()
            .map(|record| json!({ "account": account, "year": year, "obligation": record })),
        KeyParts::Freeze(_, order, _) => {
            record.read::<Freeze>().map(|freeze| json!({ "order": order, "freeze": freeze }))
        }
        _ => Ok(Value::Null),
    };
    match typed {
        Ok(Value::Null) | Err(_) => {
            json!({ "key": hex::encode(record.key()), "value": hex::encode(record.value()) })
        }
        Ok(value) => value,
    }
}

fn parameter_name(tag: u16) -> String {
    let known = ParameterName::ALL.iter().find(|name| name.tag() == tag);
    known.map_or_else(|| tag.to_string(), |name| name.name().to_owned())
}

fn with_claim(report: Report, claim: &Claim) -> Report {
    match claim {
        Claim::Receipt(found) => report.facts(receipt_facts(found)),
        Claim::Records(records) => records.iter().fold(report, with_record),
        Claim::Units(units) => with_places(report, &units.parts),
        Claim::Statement(statement) => {
            let report = with_account(report, statement.id, &statement.account);
            with_places(report, &statement.ranges)
        }
        Claim::Provenance(life) => with_life(report, &life.hops),
        Claim::Dossier(dossier) => {
            let report = dossier.transactions.iter().fold(report, |report, (found, time)| {
                let mut facts = receipt_facts(found);
                facts.push((text!("time", "时间"), Cell::same(time_text(*time))));
                report.facts(facts)
            });
            dossier.records.iter().fold(report, with_record)
        }
    }
}

fn receipt_facts(found: &VerifiedReceipt) -> Vec<(Text, Cell)> {
    vec![
        (text!("transaction", "交易"), Cell::same(found.transaction.id())),
        (text!("order", "业务"), Cell::same(found.transaction.body().payload.rule().name)),
        (text!("by", "经办账户"), Cell::same(found.transaction.body().account)),
        (text!("outcome", "结果"), outcome_text(&found.receipt.outcome).into()),
        (text!("block", "区块"), Cell::number(found.receipt.height)),
        (text!("log index", "日志序号"), Cell::number(found.index)),
    ]
}

fn with_record(report: Report, record: &ProvedRecord) -> Report {
    let facts = match &record.parts {
        KeyParts::Account(id) => match record.read::<Account>() {
            Ok(account) => return with_account(report, *id, &account),
            Err(_) => None,
        },
        KeyParts::UnitRange(..) => match record.unit_range() {
            Ok(part) => return with_places(report, &[part]),
            Err(_) => None,
        },
        KeyParts::Parameter(tag, year, valid_from) => record
            .read::<ParameterVersion>()
            .ok()
            .map(|version| parameter_facts(*tag, year.as_ref(), valid_from, &version)),
        KeyParts::Task(account, id) => record.read::<Task>().ok().map(|task| {
            vec![
                (text!("task", "待办"), Cell::same(id)),
                (text!("account", "账户"), Cell::same(account)),
                (text!("order", "业务"), Cell::same(task.payload.rule().name)),
                (text!("valid until", "有效至"), Cell::same(time_text(task.valid_until))),
            ]
        }),
        KeyParts::Obligation(account, year) => record.read::<Obligation>().ok().map(|obligation| {
            let completed = obligation.completed_on.map_or_else(String::new, |on| on.to_string());
            vec![
                (text!("account", "账户"), Cell::same(account)),
                (text!("compliance year", "履约年度"), Cell::same(year)),
                (text!("verified emissions", "核查排放量"), Cell::number(obligation.verified)),
                (text!("obligation", "应清缴量"), Cell::number(obligation.due)),
                (text!("surrendered", "已清缴"), Cell::number(obligation.surrendered)),
                (text!("offset", "已抵销"), Cell::number(obligation.offset)),
                (text!("completed on", "完成日期"), Cell::same(completed)),
            ]
        }),
        _ => None,
    };
    report.facts(facts.unwrap_or_else(|| {
        vec![
            (text!("record", "记录"), Cell::same(hex::encode(record.key()))),
            (text!("value", "内容"), Cell::same(hex::encode(record.value()))),
        ]
    }))
}

fn parameter_facts(
    tag: u16,
    year: Option<&cets_contracts::types::Vintage>,
    valid_from: &cets_contracts::types::BusinessDate,
    version: &ParameterVersion,
) -> Vec<(Text, Cell)> {
    let year = year.map_or_else(|| text!("all", "全部"), Text::same);
    vec![
        (text!("parameter", "参数"), Cell::same(parameter_name(tag))),
        (text!("year", "年度"), year.into()),
        (text!("valid from", "生效日"), Cell::same(valid_from)),
        (text!("value", "取值"), Cell::number(version.value)),
        (text!("article", "依据"), Cell::same(&version.article)),
    ]
}

fn with_places(report: Report, parts: &[(SerialRange, UnitPlace)]) -> Report {
    let columns = vec![
        left(text!("units", "单位")),
        right(text!("tonnes", "吨")),
        left(text!("place", "所在")),
    ];
    let rows = parts.iter().map(|(range, place)| {
        vec![Cell::same(range), Cell::number(range.tonnes()), place_text(place).into()]
    });
    report.rows(columns, rows.collect())
}

fn with_life(report: Report, hops: &[VerifiedHop]) -> Report {
    let columns = vec![
        left(text!("block time", "区块时间")),
        right(text!("block", "区块")),
        right(text!("log index", "日志序号")),
        left(text!("from", "自")),
        left(text!("to", "至")),
        left(text!("transaction", "交易")),
    ];
    let row = |hop: &VerifiedHop, time: BlockTime| {
        let rows = hop.movements.iter().map(move |moved| {
            let from = moved.from.as_ref();
            vec![
                Cell::same(time_text(time)),
                Cell::number(hop.receipt.receipt.height),
                Cell::number(hop.receipt.index),
                from.map_or_else(|| text!("issued", "新发放"), place_text).into(),
                place_text(&moved.to).into(),
                Cell::same(hop.receipt.transaction.id()),
            ]
        });
        rows.collect::<Vec<_>>()
    };
    let rows = hops.iter().flat_map(|hop| row(hop, hop.time));
    report.rows(columns, rows.collect()).line(text!(
        "Each of these happened, without a gap, and the last is the newest. A trip away and back \
         to the very same place could be left out; the audit from genesis shows that none was.",
        "以上各次流转均已发生、首尾相接，且末次为最新。若单位离开后又回到完全相同的归属和状态，\
         该往返可能未列入；从创世开始的审计可证明没有遗漏。"
    ))
}
