//! Receipts, and what an order would do, as people and programs read them.

use cets_contracts::block::{EventRecord, Outcome, Receipt};
use cets_contracts::rules::{Effects, Payload, reject_code};
use cets_contracts::state::{UnitPlace, UnitStatus};
use cets_contracts::tx::TxBody;
use cets_contracts::types::AccountId;
use serde_json::{Value, json};

use crate::client::{Finalised, Simulated, outcome_text, reject_sentence};
use crate::clock::time_text;
use crate::output::{Cell, Report, left, right};
use crate::text;
use crate::text::{Lang, Text};

/// Most values of an order or an event that a receipt shows; before signing, all are shown.
const FACTS_SHOWN_MAX: usize = 40;

/// Name of a unit's status.
pub fn status_text(status: &UnitStatus) -> Text {
    match status {
        UnitStatus::Free => text!("free", "可用"),
        UnitStatus::LockedForTrade => text!("locked for trade", "交易锁定"),
        UnitStatus::Pledged => text!("pledged", "质押"),
        UnitStatus::Frozen { .. } => text!("frozen", "冻结"),
        UnitStatus::Pending => text!("pending", "待处理"),
        UnitStatus::Surrendered { year } => text!("surrendered for {year}", "已清缴（{year}）"),
        UnitStatus::Offset { year } => text!("offset for {year}", "已抵销（{year}）"),
        UnitStatus::Cancelled => text!("cancelled", "已注销"),
        UnitStatus::CarriedOver => text!("carried over", "已结转"),
        UnitStatus::Deducted => text!("deducted", "已扣减"),
    }
}

/// Holder and status of a unit.
pub fn place_text(place: &UnitPlace) -> Text {
    let status = status_text(&place.status);
    let holder = place.holder;
    Text::new(
        format!("{holder}, {}", status.get(Lang::En)),
        format!("{holder}，{}", status.get(Lang::Zh)),
    )
}

/// The outcome for programs.
pub fn outcome_json(outcome: &Outcome, lang: Lang) -> Value {
    match outcome {
        Outcome::Accepted => json!({ "accepted": true }),
        Outcome::Rejected(reject) => {
            let (sentence, hint) = reject_sentence(reject);
            let code = reject_code(reject.number);
            json!({
                "accepted": false,
                "number": reject.number,
                "name": code.map(|code| code.name),
                "article": code.map(|code| code.article),
                "message": sentence.get(lang),
                "hint": hint.get(lang),
            })
        }
    }
}

/// The report of a final transaction.
pub fn finalised_report(found: &Finalised, lang: Lang) -> Report {
    let Receipt { tx_id, height, position, outcome, .. } = &found.receipt;
    let time = time_text(found.block_time);
    let mut facts = vec![
        (text!("transaction", "交易"), Cell::same(tx_id)),
        (text!("outcome", "结果"), outcome_text(outcome).into()),
    ];
    facts.extend(reject_facts(outcome));
    facts.extend([
        (text!("block", "区块"), Cell::number(height)),
        (text!("position", "位次"), Cell::number(position)),
        (text!("log index", "日志序号"), Cell::number(found.log_index)),
        (text!("block time", "区块时间"), Cell::same(time)),
    ]);
    let effects = found.events.as_ref().map(|record| &record.effects);
    let effects = effects.or(found.own_effects.as_ref());
    let json = json!({
        "tx_id": tx_id,
        "outcome": outcome_json(outcome, lang),
        "height": height,
        "position": position,
        "log_index": found.log_index,
        "block_time_millis": found.block_time,
        "event": found.events.as_ref().map(|record| &record.event),
        "effects": effects,
        "body": found.transaction.as_ref().map(|transaction| &transaction.body),
        "signatures": found.transaction.as_ref().map(|transaction| &transaction.signatures),
    });
    let report = Report::new(json).facts(facts);
    let report = match &found.transaction {
        Some(transaction) => cut(report, body_facts(&transaction.body)),
        None => report,
    };
    with_effects(with_event(report, found.events.as_ref()), effects)
}

/// The report of what would happen.
pub fn simulated_report(found: &Simulated, body: &TxBody, lang: Lang) -> Report {
    let outcome = &found.receipt.outcome;
    let would = match outcome {
        Outcome::Accepted => text!("would be accepted", "将被接受"),
        Outcome::Rejected(_) => {
            let text = outcome_text(outcome);
            Text::new(
                format!("would be {}", text.get(Lang::En)),
                format!("将{}", text.get(Lang::Zh)),
            )
        }
    };
    let mut facts = vec![(text!("outcome", "结果"), would.into())];
    facts.extend(reject_facts(outcome));
    facts.push((text!("state of block", "依据区块"), Cell::number(found.height)));
    let json = json!({
        "dry_run": true,
        "outcome": outcome_json(outcome, lang),
        "height": found.height,
        "event": found.events.as_ref().map(|record| &record.event),
        "effects": found.events.as_ref().map(|record| &record.effects),
        "body": body,
    });
    let report = Report::new(json).facts(facts).facts(body_facts(body));
    let effects = found.events.as_ref().map(|record| &record.effects);
    let report = with_effects(with_event(report, found.events.as_ref()), effects);
    match outcome {
        Outcome::Accepted => report,
        Outcome::Rejected(_) => report.failing(crate::error::ErrorKind::Rejected),
    }
}

/// What happened, line by line; a batch of many lines is cut, JSON has all of it.
fn with_event(report: Report, events: Option<&EventRecord>) -> Report {
    let Some(record) = events else { return report };
    let value = serde_json::to_value(&record.event).unwrap_or_default();
    let event = value.as_object().and_then(|event| event.values().next()).unwrap_or(&value);
    let mut facts = Vec::new();
    flatten("", event, &mut facts);
    cut(report, facts)
}

/// Adds facts, at most [`FACTS_SHOWN_MAX`] of them.
fn cut(report: Report, mut facts: Vec<(Text, Cell)>) -> Report {
    let more = facts.len().saturating_sub(FACTS_SHOWN_MAX);
    facts.truncate(FACTS_SHOWN_MAX);
    let report = if facts.is_empty() { report } else { report.facts(facts) };
    match more {
        0 => report,
        more => report.line(text!(
            "… and {more} more values; --output json shows all",
            "……另有 {more} 项；--output json 显示全部"
        )),
    }
}

fn reject_facts(outcome: &Outcome) -> Vec<(Text, Cell)> {
    let Outcome::Rejected(reject) = outcome else { return Vec::new() };
    let (_, hint) = reject_sentence(reject);
    let mut facts = vec![(text!("what to do", "处理建议"), hint.into())];
    if let Some(code) = reject_code(reject.number) {
        facts.insert(0, (text!("code", "代码"), Cell::same(code.name)));
        facts.insert(1, (text!("article", "依据"), Cell::same(code.article)));
    }
    facts
}

/// Everything that a body says, one line per value, so that nothing is signed unseen.
pub fn body_facts(body: &TxBody) -> Vec<(Text, Cell)> {
    let mut facts = vec![
        (text!("order", "业务"), Cell::same(body.payload.rule().name)),
        (text!("account", "账户"), Cell::same(body.account)),
        (text!("chain", "链"), Cell::same(body.chain_id)),
        (text!("valid until", "有效至"), Cell::same(time_text(body.valid_until))),
    ];
    facts.extend(payload_facts(&body.payload).into_iter().skip(1));
    facts
}

/// Everything that an order says: its name, then one line per value.
pub fn payload_facts(payload: &Payload) -> Vec<(Text, Cell)> {
    let name = payload.rule().name;
    let mut facts = vec![(text!("order", "业务"), Cell::same(name))];
    let value = serde_json::to_value(payload).unwrap_or_default();
    flatten("", value.get(name).unwrap_or(&value), &mut facts);
    facts
}

fn flatten(path: &str, value: &Value, facts: &mut Vec<(Text, Cell)>) {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| flatten(&below(name), value, facts));
        }
        Value::Array(items) => {
            let numbered = (1usize..).zip(items);
            numbered.for_each(|(line, item)| flatten(&below(&line.to_string()), item, facts));
        }
        Value::String(text) => facts.push((Text::same(path), Cell::same(text))),
        other => facts.push((Text::same(path), Cell::same(other))),
    }
}

fn with_effects(report: Report, effects: Option<&Effects>) -> Report {
    let Some(Effects { units, funds }) = effects else { return report };
    let side =
        |account: &Option<AccountId>| account.map_or_else(|| text!("bank", "银行"), Text::same);
    let mut report = report;
    if !units.is_empty() {
        let columns = vec![
            left(text!("units", "单位")),
            right(text!("tonnes", "吨")),
            left(text!("from", "自")),
            left(text!("to", "至")),
        ];
        let rows = units.iter().map(|moved| {
            let from = moved.from.as_ref().map_or_else(|| text!("issued", "新发放"), place_text);
            vec![
                Cell::same(moved.range),
                Cell::number(moved.range.tonnes()),
                from.into(),
                place_text(&moved.to).into(),
            ]
        });
        report = report.rows(columns, rows.collect());
    }
    if !funds.is_empty() {
        let columns =
            vec![right(text!("CNY", "元")), left(text!("from", "自")), left(text!("to", "至"))];
        let rows = funds.iter().map(|moved| {
            vec![Cell::number(moved.amount), side(&moved.from).into(), side(&moved.to).into()]
        });
        report = report.rows(columns, rows.collect());
    }
    report
}
