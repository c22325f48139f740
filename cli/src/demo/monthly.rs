//! Spreads the published monthly figures over trading days, when no daily quotes are given.
//!
//! Every month keeps its published tonnes by method and its turnover to the fen. What the monthly
//! figures do not say is filled in the same way every time:
//!
//! - Listing tonnes are spread evenly over all trading days, block tonnes over as many days as
//!   leave every block agreement its 100,000 t.
//! - Until August 2023 everything is the vintage 2019-20, the only one traded before 2023-08-28.
//!   From September 2023 the monthly figures hold three vintages without saying how much of each;
//!   they are split 1 : 2 : 6 (2019-20 : 2021 : 2022), close to what those months saw.
//! - All trades of a month have its average price, one fen more where the turnover asks for it;
//!   what block agreements cannot take up whole goes on the price of the listing agreements.

use cets_contracts::types::{BusinessDate, Fen, Instrument, Tonnes, Vintage};

use super::apportion::{apportion, even_parts};
use super::calendar::trading_days;
use super::error::PlanError;
use super::figures::{MONTHS, Month};
use super::lots::BLOCK_TONNES_MIN;
use super::quotes::{Market, Method, Source, Volume};

/// First month whose volumes are split by vintage.
const SPLIT_FROM: (u32, u32) = (2023, 9);
/// Vintages and weights before the split.
const ONE_VINTAGE: &[(u16, u64)] = &[(1920, 1)];
/// Vintages and weights of the split.
const THREE_VINTAGES: &[(u16, u64)] = &[(1920, 1), (2021, 2), (2022, 6)];

/// Tonnes of a day, instrument and method, before prices are known.
struct Cell {
    date: BusinessDate,
    instrument: Instrument,
    tonnes: u64,
}

/// The market of all published months.
pub fn market() -> Result<Market, PlanError> {
    let mut volumes = Vec::new();
    for month in MONTHS {
        let (listing, block) = spread(month)?;
        price(month, &listing, &block, &mut volumes)?;
    }
    volumes.sort_by_key(|volume| (volume.date, volume.instrument, volume.method));
    Ok(Market {
        source: Source::Monthly,
        volumes,
        closes: Default::default(),
        composites: Default::default(),
    })
}

/// Listing and block tonnes of a month by day and instrument.
fn spread(month: &Month) -> Result<(Vec<Cell>, Vec<Cell>), PlanError> {
    let days = trading_days(month.year, month.month);
    let vintages =
        if (month.year, month.month) < SPLIT_FROM { ONE_VINTAGE } else { THREE_VINTAGES };
    let weight_sum: u64 = vintages.iter().map(|(_, weight)| *weight).sum();
    let day_min = BLOCK_TONNES_MIN.saturating_mul(weight_sum);
    let block_days = match month.block.checked_div(day_min) {
        Some(fitting) if month.block > 0 => fitting.clamp(1, month.days),
        _ => 0,
    };
    let mut listing = Vec::new();
    for (date, tonnes) in days.iter().zip(even_parts(month.listing, month.days)) {
        split(*date, tonnes, vintages, &mut listing)?;
    }
    let mut block = Vec::new();
    for (index, tonnes) in (0u64..).zip(even_parts(month.block, block_days)) {
        let position = index.saturating_mul(month.days).checked_div(block_days).unwrap_or(0);
        let date = usize::try_from(position).ok().and_then(|position| days.get(position));
        split(*date.ok_or(PlanError::Arithmetic)?, tonnes, vintages, &mut block)?;
    }
    Ok((listing, block))
}

fn split(
    date: BusinessDate,
    tonnes: u64,
    vintages: &[(u16, u64)],
    cells: &mut Vec<Cell>,
) -> Result<(), PlanError> {
    let weights: Vec<u64> = vintages.iter().map(|(_, weight)| *weight).collect();
    for ((year, _), tonnes) in vintages.iter().zip(apportion(tonnes, &weights)?) {
        let vintage = Vintage::new(*year).map_err(|_| PlanError::Arithmetic)?;
        if tonnes > 0 {
            cells.push(Cell { date, instrument: Instrument::Cea(vintage), tonnes });
        }
    }
    Ok(())
}

/// Gives every cell its turnover, so that the month's turnover is met to the fen.
fn price(
    month: &Month,
    listing: &[Cell],
    block: &[Cell],
    volumes: &mut Vec<Volume>,
) -> Result<(), PlanError> {
    let base = month.fen.checked_div(month.total).ok_or(PlanError::Arithmetic)?;
    let mut rest = month.fen.checked_rem(month.total).ok_or(PlanError::Arithmetic)?;
    for cell in block {
        // A block takes one more fen per tonne as a whole or not at all.
        let more = u64::from(cell.tonnes <= rest);
        rest = rest.saturating_sub(more.saturating_mul(cell.tonnes));
        push(cell, Method::Block, base.saturating_add(more), 0, volumes)?;
    }
    let more = rest.checked_div(month.listing).ok_or(PlanError::Arithmetic)?;
    let mut rest = rest.checked_rem(month.listing).ok_or(PlanError::Arithmetic)?;
    for cell in listing {
        let odd = rest.min(cell.tonnes);
        rest = rest.saturating_sub(odd);
        push(cell, Method::Listing, base.saturating_add(more), odd, volumes)?;
    }
    Ok(())
}

fn push(
    cell: &Cell,
    method: Method,
    price: u64,
    odd: u64,
    volumes: &mut Vec<Volume>,
) -> Result<(), PlanError> {
    let tonnes = Tonnes::new(cell.tonnes);
    let fen = Fen::new(price).try_mul(tonnes)?.try_add(Fen::new(odd))?;
    volumes.push(Volume { date: cell.date, instrument: cell.instrument, method, tonnes, fen });
    Ok(())
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    #[test]
    fn every_month_keeps_its_tonnes_and_turnover() {
        let market = market().unwrap();
        for month in MONTHS {
            let own = |volume: &&Volume| {
                volume.date.ymd().0 == month.year && volume.date.ymd().1 == month.month
            };
            let tonnes = |method: Method| -> u64 {
                let volumes = market.volumes.iter().filter(own);
                volumes.filter(|v| v.method == method).map(|v| v.tonnes.get()).sum()
            };
            assert_eq!(tonnes(Method::Listing), month.listing);
            assert_eq!(tonnes(Method::Block), month.block);
            let fen: u64 = market.volumes.iter().filter(own).map(|v| v.fen.get()).sum();
            assert_eq!(fen, month.fen);
        }
    }

    #[test]
    fn blocks_are_large_enough_and_prices_stay_near_the_average() {
        for volume in market().unwrap().volumes {
            let price = volume.fen.get() / volume.tonnes.get();
            let (year, month, _) = volume.date.ymd();
            let row = MONTHS.iter().find(|row| (row.year, row.month) == (year, month)).unwrap();
            assert!(price.abs_diff(row.average) * 10 <= row.average, "{volume:?}");
            if volume.method == Method::Block {
                assert!(volume.tonnes.get() >= BLOCK_TONNES_MIN, "{volume:?}");
                assert_eq!(volume.fen.get() % volume.tonnes.get(), 0, "{volume:?}");
            }
        }
    }

    #[test]
    fn every_trading_day_has_trades() {
        let market = market().unwrap();
        let days: std::collections::BTreeSet<_> =
            market.volumes.iter().map(|volume| volume.date).collect();
        assert_eq!(days.len() as u64, MONTHS.iter().map(|month| month.days).sum::<u64>());
    }
}
