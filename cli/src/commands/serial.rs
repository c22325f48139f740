//! `cets serial`: where one tonne is, and its whole life.

use cets_contracts::rules::UnitMovement;
use cets_contracts::types::{Instrument, Serial, SerialRange};
use clap::Args;
use serde_json::json;

use crate::clock::time_text;
use crate::error::CliError;
use crate::orders::place_text;
use crate::output::{Cell, Report, left, right};
use crate::session::Session;
use crate::text;

/// Arguments of `cets serial`.
#[derive(Debug, Args)]
pub struct SerialArgs {
    /// Serial code of a unit or of a range, whose first unit is meant; or an instrument
    unit: String,
    /// Number of the unit, when an instrument was given
    number: Option<u64>,
}

/// Runs `cets serial`.
pub fn run(args: &SerialArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let Serial { instrument, number } = unit_named(&args.unit, args.number)?;
    let (holding, hops, height) = session.node()?.serial(instrument, number)?;
    let place = &holding.place;
    let facts = vec![
        (text!("unit", "单位"), Cell::same(unit_code(instrument, number)?)),
        (text!("place", "所在"), place_text(place).into()),
        (text!("within", "所属区间"), Cell::same(holding.range)),
        (text!("as of block", "截至区块"), Cell::number(height)),
    ];
    let columns = vec![
        left(text!("block time", "区块时间")),
        right(text!("block", "区块")),
        right(text!("log index", "日志序号")),
        left(text!("from", "自")),
        left(text!("to", "至")),
        left(text!("moved with", "同批单位")),
    ];
    let rows = hops.iter().map(|hop| {
        let mut row = vec![
            Cell::same(time_text(hop.block_time)),
            Cell::number(hop.height),
            Cell::number(hop.log_index),
        ];
        match &hop.movement {
            None => row.push(text!("not shown to this reader", "对该读者不公开").into()),
            Some(UnitMovement { from, to, range }) => {
                let from = from.as_ref();
                row.push(from.map_or_else(|| text!("issued", "新发放"), place_text).into());
                row.push(place_text(to).into());
                row.push(Cell::same(range));
            }
        }
        row
    });
    let life: Vec<_> = hops
        .iter()
        .map(|hop| {
            json!({
                "tx_id": hop.tx_id,
                "height": hop.height,
                "log_index": hop.log_index,
                "block_time_millis": hop.block_time,
                "movement": hop.movement,
            })
        })
        .collect();
    Ok(Report::new(json!({
        "instrument": instrument,
        "number": number,
        "range": holding.range,
        "place": holding.place,
        "height": height,
        "life": life,
    }))
    .facts(facts)
    .rows(columns, rows.collect()))
}

/// The unit of a serial code, or of an instrument and a number.
pub fn unit_named(text: &str, number: Option<u64>) -> Result<Serial, CliError> {
    if let Some(number) = number {
        let instrument: Instrument = text
            .parse()
            .map_err(|error| CliError::usage(text!("`{text}`: {error}", "`{text}`：{error}")))?;
        return Ok(Serial { instrument, number });
    }
    let range: SerialRange = text.parse().map_err(|error| {
        CliError::usage(text!("`{text}`: {error}", "`{text}`：{error}")).hint(text!(
            "write the whole code with its check digits, or an instrument and a number: \
             cets serial CEA-2021 12345",
            "请写完整编码（含校验码），或品种加序号：cets serial CEA-2021 12345"
        ))
    })?;
    Ok(Serial { instrument: range.instrument(), number: range.start() })
}

/// The code of one unit.
fn unit_code(instrument: Instrument, number: u64) -> Result<SerialRange, CliError> {
    SerialRange::inclusive(instrument, number, number)
        .map_err(|error| CliError::usage(text!("{number}: {error}", "{number}：{error}")))
}
