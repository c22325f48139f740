//! `cets holdings`: the units of an account, range by range.

use std::collections::BTreeMap;

use cets_contracts::state::StatusKind;
use cets_contracts::types::{Instrument, Tonnes};
use clap::Args;
use serde_json::json;

use super::account::status_kind_text;
use crate::error::CliError;
use crate::orders::status_text;
use crate::output::{Cell, Report, left, right};
use crate::session::Session;
use crate::text;

/// Arguments of `cets holdings`.
#[derive(Debug, Args)]
pub struct HoldingsArgs {
    /// Number or name [default: the context's account]
    account: Option<String>,
    /// Only of this instrument, for example CEA-2021
    #[arg(long, value_name = "INSTRUMENT")]
    instrument: Option<Instrument>,
    /// Also units that ended here: surrendered, offset, cancelled
    #[arg(long)]
    ended: bool,
}

/// Runs `cets holdings`.
pub fn run(args: &HoldingsArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let account = session.acting_account(args.account.as_deref())?;
    let (holdings, height) = session.node()?.holdings(account, args.instrument, args.ended)?;
    let mut totals: BTreeMap<(Instrument, StatusKind), Tonnes> = BTreeMap::new();
    for holding in &holdings {
        let key = (holding.range.instrument(), holding.place.status.kind());
        let total = totals.entry(key).or_default();
        *total = total
            .try_add(holding.range.tonnes())
            .map_err(|error| CliError::bug(text!("totals: {error}", "合计：{error}")))?;
    }
    let rows = holdings.iter().map(|holding| {
        vec![
            Cell::same(holding.range),
            Cell::number(holding.range.tonnes()),
            status_text(&holding.place.status).into(),
        ]
    });
    let total_rows = totals.iter().map(|((instrument, kind), tonnes)| {
        vec![Cell::same(instrument), Cell::number(tonnes), status_kind_text(*kind).into()]
    });
    let lines: Vec<_> = holdings
        .iter()
        .map(|holding| {
            json!({
                "range": holding.range,
                "instrument": holding.range.instrument(),
                "first": holding.range.start(),
                "last": holding.range.last(),
                "tonnes": holding.range.tonnes(),
                "status": holding.place.status,
            })
        })
        .collect();
    let sums: Vec<_> = totals
        .iter()
        .map(|((instrument, kind), tonnes)| {
            json!({ "instrument": instrument, "status": kind, "tonnes": tonnes })
        })
        .collect();
    let tonnes = || right(text!("tonnes", "吨"));
    let status = || left(text!("status", "状态"));
    Ok(Report::new(json!({
        "account": account,
        "height": height,
        "holdings": lines,
        "totals": sums,
    }))
    .line(text!("{account}, as of block {height}", "{account}，截至区块 {height}"))
    .rows(vec![left(text!("units", "单位")), tonnes(), status()], rows.collect())
    .rows(vec![left(text!("instrument", "品种")), tonnes(), status()], total_rows.collect()))
}
