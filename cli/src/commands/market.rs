//! What the market as a whole looks like: `cets supply`, `cets obligation`, `cets settlement`.

use cets_contracts::types::Tonnes;
use clap::Args;
use serde_json::json;

use super::account::status_kind_text;
use crate::error::CliError;
use crate::output::{Cell, Report, left, right};
use crate::session::Session;
use crate::text;

/// Arguments of `cets supply`.
#[derive(Debug, Args)]
pub struct SupplyArgs {}

/// Runs `cets supply`: issued, held and ended units of each instrument.
pub fn supply(_args: &SupplyArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let supplies = session.node()?.supplies()?;
    let columns = vec![
        left(text!("instrument", "品种")),
        left(text!("status", "状态")),
        right(text!("tonnes", "吨")),
    ];
    let mut rows = Vec::new();
    let mut json = Vec::new();
    for (instrument, supply) in &supplies {
        let issued = text!("issued", "已发放").into();
        rows.push(vec![Cell::same(instrument), issued, Cell::number(supply.issued)]);
        for (kind, tonnes) in &supply.totals {
            let row =
                vec![Cell::same(instrument), status_kind_text(*kind).into(), Cell::number(tonnes)];
            rows.push(row);
        }
        json.push(json!({
            "instrument": instrument,
            "issued": supply.issued,
            "totals": supply.totals,
        }));
    }
    Ok(Report::new(json!({ "supplies": json })).rows(columns, rows))
}

/// Arguments of `cets obligation`.
#[derive(Debug, Args)]
pub struct ObligationArgs {
    /// Number or name; without, all that the reader may see
    account: Option<String>,
}

/// Runs `cets obligation`: verified emissions and what was done about them.
pub fn obligation(args: &ObligationArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let account = args.account.as_deref().map(|name| session.account_named(name)).transpose()?;
    let obligations = session.node()?.obligations(account)?;
    let columns = vec![
        left(text!("account", "账户")),
        left(text!("year", "年度")),
        right(text!("verified", "核查排放")),
        right(text!("due", "应清缴")),
        right(text!("surrendered", "已清缴")),
        right(text!("offset", "已抵销")),
        right(text!("owed", "尚欠")),
        left(text!("met on", "履约日")),
    ];
    let owed = |line: &cets_contracts::state::Obligation| -> Tonnes {
        line.due.saturating_sub(line.surrendered).saturating_sub(line.offset)
    };
    let rows = obligations.iter().map(|(id, year, line)| {
        let met = line.completed_on.map(|date| date.to_string()).unwrap_or_default();
        vec![
            Cell::same(id),
            Cell::same(year),
            Cell::number(line.verified),
            Cell::number(line.due),
            Cell::number(line.surrendered),
            Cell::number(line.offset),
            Cell::number(owed(line)),
            Cell::same(met),
        ]
    });
    let json: Vec<_> = obligations
        .iter()
        .map(|(id, year, line)| {
            json!({ "account": id, "year": year, "owed": owed(line), "obligation": line })
        })
        .collect();
    Ok(Report::new(json!({ "obligations": json })).rows(columns, rows.collect()))
}

/// Arguments of `cets settlement`.
#[derive(Debug, Args)]
pub struct SettlementArgs {
    /// Exchange: number or name [default: the context's account]
    exchange: Option<String>,
}

/// Runs `cets settlement`: settled batches of an exchange.
pub fn settlement(args: &SettlementArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let exchange = session.acting_account(args.exchange.as_deref())?;
    let batches = session.node()?.settlements(exchange)?;
    let columns = vec![
        left(text!("trading day", "交易日")),
        right(text!("batch", "批次")),
        right(text!("settled", "成功笔数")),
        right(text!("failed", "失败笔数")),
        right(text!("tonnes", "吨")),
        right(text!("CNY", "元")),
    ];
    let rows = batches.iter().map(|(day, batch, settled)| {
        vec![
            Cell::same(day),
            Cell::number(batch),
            Cell::number(settled.lines_settled),
            Cell::number(settled.lines_failed),
            Cell::number(settled.tonnes),
            Cell::number(settled.amount),
        ]
    });
    let json: Vec<_> = batches
        .iter()
        .map(|(day, batch, settled)| {
            json!({ "trading_day": day, "batch": batch, "settlement": settled })
        })
        .collect();
    Ok(Report::new(json!({ "settlements": json })).rows(columns, rows.collect()))
}
