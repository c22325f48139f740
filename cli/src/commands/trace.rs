//! `cets trace`: where units are, and every hop since their issue.

use cets_contracts::rules::UnitMovement;
use cets_contracts::state::UnitPlace;
use cets_contracts::types::{Instrument, Serial, SerialRange};
use clap::Args;
use serde_json::{Value, json};

use crate::client::{Hop, Node, RangeTrace};
use crate::clock::time_text;
use crate::error::CliError;
use crate::orders::{place_text, status_text};
use crate::output::{Cell, Column, Report, left, right};
use crate::session::Session;
use crate::text;
use crate::text::Text;

/// Units by their code, or by instrument and numbers.
#[derive(Clone, Debug, Args)]
pub struct UnitArgs {
    /// Serial code of a unit or of a range; or an instrument
    units: String,
    /// Number of the first unit, when an instrument was given
    first: Option<u64>,
    /// Number of the last unit [default: the first]
    last: Option<u64>,
}

/// Arguments of `cets trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// Which units.
    #[command(flatten)]
    units: UnitArgs,
}

/// Runs `cets trace`.
pub fn run(args: &TraceArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let range = range_named(&args.units)?;
    let node = session.node()?;
    match range.tonnes().get() {
        1 => one_unit(&node, range),
        _ => many_units(&node, range),
    }
}

fn one_unit(node: &Node, range: SerialRange) -> Result<Report, CliError> {
    let (holding, hops, height) = node.serial(range.instrument(), range.start())?;
    let place = &holding.place;
    let facts = vec![
        (text!("unit", "单位"), Cell::same(range)),
        (text!("place", "所在"), place_text(place).into()),
        (text!("within", "所属区间"), Cell::same(holding.range)),
        (text!("as of block", "截至区块"), Cell::number(height)),
    ];
    let json = json!({
        "instrument": range.instrument(),
        "number": range.start(),
        "range": holding.range,
        "place": holding.place,
        "height": height,
        "hops": hops.iter().map(hop_json).collect::<Vec<_>>(),
    });
    let report = Report::new(json).facts(facts);
    Ok(report.rows(hop_columns(), hops.iter().map(hop_row).collect()))
}

fn many_units(node: &Node, asked: SerialRange) -> Result<Report, CliError> {
    let trace = node.trace(asked)?;
    let RangeTrace { parts, hops, next, older_left_out, height } = &trace;
    let shown = parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.range.tonnes().get()));
    let facts = vec![
        (text!("units", "单位"), Cell::same(asked)),
        (text!("tonnes", "吨"), Cell::number(asked.tonnes())),
        (text!("shown", "可见"), Cell::number(shown)),
        (text!("as of block", "截至区块"), Cell::number(height)),
    ];
    let json = json!({
        "range": asked,
        "height": height,
        "parts": parts
            .iter()
            .map(|part| json!({ "range": part.range, "place": part.place }))
            .collect::<Vec<_>>(),
        "hops": hops.iter().map(hop_json).collect::<Vec<_>>(),
        "next_number": next,
        "older_left_out": older_left_out,
    });
    let columns = vec![
        left(text!("units", "单位")),
        right(text!("tonnes", "吨")),
        left(text!("holder", "持有者")),
        left(text!("status", "状态")),
    ];
    let rows = parts.iter().map(|part| {
        vec![
            Cell::same(part.range),
            Cell::number(part.range.tonnes()),
            Cell::same(part.place.holder),
            status_text(&part.place.status).into(),
        ]
    });
    let mut report = Report::new(json).facts(facts).rows(columns, rows.collect());
    report = report.rows(hop_columns(), hops.iter().map(hop_row).collect());
    if shown < asked.tonnes().get() && next.is_none() {
        report = report.line(text!(
            "The other units were never issued, or are not shown to this reader.",
            "其余单位未发放，或对该读者不公开。"
        ));
    }
    if let Some(next) = next {
        report = report.line(text!(
            "There are too many parts for one answer; go on with number {next}.",
            "部分过多，一次无法列完；请从序号 {next} 继续。"
        ));
    }
    if *older_left_out {
        report = report.line(text!(
            "Older movements are left out; trace a smaller range to see them.",
            "较早的流转未列出；请缩小区间查询。"
        ));
    }
    Ok(report)
}

fn hop_columns() -> Vec<Column> {
    vec![
        left(text!("block time", "区块时间")),
        right(text!("block", "区块")),
        right(text!("log index", "日志序号")),
        left(text!("what", "事项")),
        left(text!("from", "自")),
        left(text!("to", "至")),
        left(text!("moved with", "同批单位")),
        left(text!("transaction", "交易")),
    ]
}

fn hop_row(hop: &Hop) -> Vec<Cell> {
    let mut row = vec![
        Cell::same(time_text(hop.block_time)),
        Cell::number(hop.height),
        Cell::number(hop.log_index),
    ];
    match &hop.movement {
        None => {
            let hidden = text!("not shown to this reader", "对该读者不公开");
            row.extend([hidden.into(), Cell::same(""), Cell::same(""), Cell::same("")]);
        }
        Some(UnitMovement { from, to, range }) => {
            row.push(change_text(from.as_ref(), to).into());
            row.push(from.as_ref().map_or_else(|| Text::same(""), place_text).into());
            row.push(place_text(to).into());
            row.push(Cell::same(range));
        }
    }
    row.push(Cell::same(hop.tx_id));
    row
}

/// What a movement did: issue, change of hands, hold or its end, end of the unit.
fn change_text(from: Option<&UnitPlace>, to: &UnitPlace) -> Text {
    match from {
        None => text!("issued", "发放"),
        Some(from) if from.holder != to.holder => text!("transferred", "转移"),
        Some(_) if !to.status.kind().is_held() => text!("ended", "终止"),
        Some(from) if from.status == to.status => text!("moved", "变动"),
        Some(_) if to.status == cets_contracts::state::UnitStatus::Free => {
            text!("released", "解除限制")
        }
        Some(_) => text!("held", "限制"),
    }
}

fn hop_json(hop: &Hop) -> Value {
    json!({
        "tx_id": hop.tx_id,
        "height": hop.height,
        "log_index": hop.log_index,
        "block_time_millis": hop.block_time,
        "movement": hop.movement,
    })
}

/// The units that the arguments name.
pub fn range_named(args: &UnitArgs) -> Result<SerialRange, CliError> {
    let Some(first) = args.first else { return code(&args.units) };
    let Serial { instrument, number } = unit_named(&args.units, Some(first))?;
    let last = args.last.unwrap_or(number);
    SerialRange::inclusive(instrument, number, last).map_err(|error| {
        CliError::usage(text!("{number} to {last}: {error}", "{number} 至 {last}：{error}"))
    })
}

/// The unit of a serial code, or of an instrument and a number.
pub fn unit_named(text: &str, number: Option<u64>) -> Result<Serial, CliError> {
    if let Some(number) = number {
        let instrument: Instrument = text
            .parse()
            .map_err(|error| CliError::usage(text!("`{text}`: {error}", "`{text}`：{error}")))?;
        return Ok(Serial { instrument, number });
    }
    let range = code(text)?;
    Ok(Serial { instrument: range.instrument(), number: range.start() })
}

fn code(text: &str) -> Result<SerialRange, CliError> {
    text.parse().map_err(|error| {
        CliError::usage(text!("`{text}`: {error}", "`{text}`：{error}")).hint(text!(
            "write the whole code with its check digits, or an instrument and a number: \
             cets trace CEA-2021 12345",
            "请写完整编码（含校验码），或品种加序号：cets trace CEA-2021 12345"
        ))
    })
}
