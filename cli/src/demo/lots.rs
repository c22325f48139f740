//! Cuts the volume of a day into trades at whole prices in fen, exact in tonnes and in fen.
//!
//! Tonnes `t` for `m` fen are written as two price levels whose quantities add up to `t` and whose
//! amounts add up to `m`. Listing agreements take the levels `m / t` and one fen more. Block
//! agreements need at least 100,000 t on each level, so their levels may lie a few fen apart: with
//! `a` fen above and `b` fen below `m / t`, the upper level has `(m mod t + b t) / (a + b)` tonnes.
//! A block volume whose money no pair of such levels meets is written like a listing volume: its
//! last trades are then smaller than 100,000 t. No published volume needs that exception.

use super::apportion::even_parts;
use super::draws::Draws;
use super::error::PlanError;
use super::quotes::{Method, Volume};

/// Smallest block agreement, rule book 2.6.
pub const BLOCK_TONNES_MIN: u64 = 100_000;
/// Largest listing agreement, rule book 2.6.
pub const LISTING_TONNES_MAX: u64 = 99_999;
/// Usual size of a block agreement.
const BLOCK_TONNES_USUAL: u64 = 110_000;
/// Usual size of a listing agreement.
const LISTING_TONNES_USUAL: u64 = 2_000;
/// Most listing agreements of a day and instrument, unless their size would exceed its limit.
const LISTING_LOTS_USUAL_MAX: u64 = 1_000;
/// Most fen between the two price levels of block agreements.
const LEVELS_APART_MAX: u64 = 500;

/// One trade without its parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot {
    /// Tonnes.
    pub tonnes: u64,
    /// Fen per tonne.
    pub price: u64,
}

/// The trades of a volume.
pub fn lots(volume: &Volume, draws: &mut Draws) -> Result<Vec<Lot>, PlanError> {
    let (tonnes, fen) = (volume.tonnes.get(), volume.fen.get());
    let wrong =
        || PlanError::Price { date: volume.date, instrument: volume.instrument, tonnes, fen };
    let price = fen.checked_div(tonnes).filter(|price| *price > 0).ok_or_else(wrong)?;
    let odd = fen.checked_rem(tonnes).ok_or_else(wrong)?;
    let mut lots = Vec::new();
    if volume.method == Method::Block
        && let Some(levels) = block_levels(tonnes, price, odd)
    {
        for level in levels.into_iter().filter(|level| level.tonnes > 0) {
            cut_block(level, &mut lots);
        }
        return Ok(lots);
    }
    let usual = LISTING_TONNES_USUAL
        .max(tonnes.checked_div(LISTING_LOTS_USUAL_MAX).unwrap_or(0))
        .min(LISTING_TONNES_MAX / 2);
    cut_listing(Lot { tonnes: tonnes.saturating_sub(odd), price }, usual, draws, &mut lots);
    cut_listing(Lot { tonnes: odd, price: price.saturating_add(1) }, usual, draws, &mut lots);
    Ok(lots)
}

/// Two price levels of at least [`BLOCK_TONNES_MIN`] each, or one when the price is whole.
fn block_levels(tonnes: u64, price: u64, odd: u64) -> Option<[Lot; 2]> {
    if odd == 0 {
        return Some([Lot { tonnes, price }, Lot { tonnes: 0, price }]);
    }
    let upper_max = tonnes.checked_sub(BLOCK_TONNES_MIN)?;
    for apart in 1..=LEVELS_APART_MAX {
        for below in 0..apart.min(price) {
            let above = apart.saturating_sub(below);
            let weight = below.checked_mul(tonnes)?.checked_add(odd)?;
            if weight.checked_rem(apart)? != 0 {
                continue;
            }
            let upper = weight.checked_div(apart)?;
            if (BLOCK_TONNES_MIN..=upper_max).contains(&upper) {
                return Some([
                    Lot { tonnes: upper, price: price.checked_add(above)? },
                    Lot { tonnes: tonnes.checked_sub(upper)?, price: price.checked_sub(below)? },
                ]);
            }
        }
    }
    None
}

fn cut_block(level: Lot, lots: &mut Vec<Lot>) {
    let count = (level.tonnes / BLOCK_TONNES_USUAL).max(1);
    let parts = even_parts(level.tonnes, count);
    lots.extend(parts.into_iter().map(|tonnes| Lot { tonnes, price: level.price }));
}

/// Cuts a level into lots of a tenth to twice the usual size, round hundreds where possible.
fn cut_listing(level: Lot, usual: u64, draws: &mut Draws, lots: &mut Vec<Lot>) {
    let mut rest = level.tonnes;
    while rest > 0 {
        let drawn = draws.between(usual / 10, usual.saturating_mul(2));
        let round = drawn.saturating_sub(drawn % 100).max(1);
        let tonnes = round.min(rest).min(LISTING_TONNES_MAX);
        rest = rest.saturating_sub(tonnes);
        lots.push(Lot { tonnes, price: level.price });
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use cets_contracts::types::{BusinessDate, Fen, Instrument, Tonnes, Vintage};

    use super::*;

    fn volume(method: Method, tonnes: u64, fen: u64) -> Volume {
        Volume {
            date: BusinessDate::from_ymd(2021, 7, 16).unwrap(),
            instrument: Instrument::Cea(Vintage::CYCLE_2019_2020),
            method,
            tonnes: Tonnes::new(tonnes),
            fen: Fen::new(fen),
        }
    }

    fn cut(method: Method, tonnes: u64, fen: u64) -> Vec<Lot> {
        let lots = lots(&volume(method, tonnes, fen), &mut Draws::new(1, 1)).unwrap();
        assert_eq!(lots.iter().map(|lot| lot.tonnes).sum::<u64>(), tonnes);
        assert_eq!(lots.iter().map(|lot| lot.tonnes * lot.price).sum::<u64>(), fen);
        lots
    }

    #[test]
    fn listing_lots_are_exact_and_below_100_000_tonnes() {
        for (tonnes, fen) in
            [(4_103_953, 21_023_005_325), (5, 27_013), (1, 5_280), (290, 1_678_001)]
        {
            let lots = cut(Method::Listing, tonnes, fen);
            assert!(lots.iter().all(|lot| (1..=LISTING_TONNES_MAX).contains(&lot.tonnes)));
        }
        assert!(cut(Method::Listing, 4_103_953, 21_023_005_325).len() < 1_100);
    }

    #[test]
    fn block_lots_are_exact_and_at_least_100_000_tonnes() {
        let examples = [(100_000, 529_200_000), (872_747, 3_660_306_349), (200_000, 1_000_100_000)];
        for (tonnes, fen) in examples {
            let lots = cut(Method::Block, tonnes, fen);
            assert!(lots.iter().all(|lot| lot.tonnes >= BLOCK_TONNES_MIN), "{lots:?}");
        }
    }

    #[test]
    fn a_block_volume_without_fitting_levels_is_exact_in_smaller_trades() {
        let lots = cut(Method::Block, 150_000, 150_000 * 5_000 + 1);
        assert!(lots.iter().all(|lot| lot.tonnes < BLOCK_TONNES_MIN));
    }

    #[test]
    fn less_than_a_fen_per_tonne_is_refused() {
        let refused = lots(&volume(Method::Listing, 10, 9), &mut Draws::new(1, 1));
        assert!(matches!(refused, Err(PlanError::Price { tonnes: 10, fen: 9, .. })));
    }
}
