//! `cets block`: a block, who decided it and what it ordered.

use cets_contracts::block::Outcome;
use cets_contracts::rules::Language;
use cets_contracts::tx::Transaction;
use cets_contracts::types::Height;
use clap::Args;
use serde_json::json;

use crate::client::outcome_text;
use crate::clock::time_text;
use crate::error::CliError;
use crate::output::{Cell, Report, left, right};
use crate::session::Session;
use crate::text;

/// Arguments of `cets block`.
#[derive(Debug, Args)]
pub struct BlockArgs {
    /// Height [default: the newest block]
    height: Option<u64>,
}

/// Runs `cets block`.
pub fn run(args: &BlockArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let node = session.node()?;
    let found = node.block(args.height.map(Height::new))?;
    let header = &found.header;
    let hidden = Vec::new();
    let ordered = found.transactions.as_ref().unwrap_or(&hidden);
    let count = match &found.transactions {
        Some(transactions) => Cell::number(transactions.len()),
        None => text!("not shown to this reader", "对该读者不公开").into(),
    };
    let facts = vec![
        (text!("height", "高度"), Cell::number(header.height)),
        (text!("block", "区块号"), Cell::same(header.id())),
        (text!("time", "时间"), Cell::same(time_text(header.time))),
        (text!("proposer", "提议者"), Cell::same(header.proposer)),
        (text!("parent", "父区块"), Cell::same(header.parent)),
        (text!("state root", "状态根"), Cell::same(header.state_root)),
        (text!("log root", "日志根"), Cell::same(header.log_root)),
        (text!("log size", "日志条数"), Cell::number(header.log_size)),
        (text!("decided in round", "决定轮次"), Cell::number(found.certificate.round)),
        (text!("precommits", "预提交签名"), Cell::number(found.certificate.signatures.len())),
        (text!("transactions", "交易数"), count),
    ];
    let mut rows = Vec::with_capacity(found.receipts.len());
    let mut transactions = Vec::with_capacity(found.receipts.len());
    for (bytes, receipt) in ordered.iter().zip(&found.receipts) {
        let transaction =
            Transaction::decode(bytes.clone()).map_err(|_| node.nonsense("transaction"))?;
        let rule = transaction.body().payload.rule().name;
        let account = transaction.body().account;
        rows.push(vec![
            Cell::number(receipt.position),
            Cell::same(receipt.tx_id),
            Cell::same(rule),
            Cell::same(account),
            outcome_text(&receipt.outcome).into(),
        ]);
        let reject = match &receipt.outcome {
            Outcome::Accepted => None,
            Outcome::Rejected(reject) => Some(reject.explain(Language::English)),
        };
        transactions.push(json!({
            "position": receipt.position,
            "tx_id": receipt.tx_id,
            "rule": rule,
            "account": account,
            "accepted": receipt.outcome.is_accepted(),
            "reject": reject,
        }));
    }
    let columns = vec![
        right(text!("position", "位次")),
        left(text!("transaction", "交易")),
        left(text!("rule", "规则")),
        left(text!("account", "账户")),
        left(text!("outcome", "结果")),
    ];
    let report = Report::new(json!({
        "block_id": header.id(),
        "header": header,
        "certificate": found.certificate,
        "first_log_index": found.first_log_index,
        "transactions": transactions,
    }))
    .facts(facts);
    Ok(if rows.is_empty() { report } else { report.rows(columns, rows) })
}
