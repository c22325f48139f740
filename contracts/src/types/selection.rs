//! Which units an order means: a quantity, or named ranges.

use serde::{Deserialize, Serialize};

use super::{Instrument, SerialRange, Tonnes};

/// Most named ranges in one selection.
pub const SERIAL_RANGES_PER_SELECTION_MAX: usize = 256;
/// Most ranges of a holding that one selection or one batch of trades takes from.
pub const SERIAL_RANGES_MOVED_MAX: usize = 4_096;

/// Units an order means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Selection {
    /// So many units of an instrument, lowest serials first.
    Quantity {
        /// The instrument.
        instrument: Instrument,
        /// How many.
        tonnes: Tonnes,
    },
    /// Exactly these ranges, in any order, none overlapping another.
    Ranges(Vec<SerialRange>),
}

/// Why a selection means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectionError {
    /// No unit at all.
    Zero,
    /// More than [`SERIAL_RANGES_PER_SELECTION_MAX`] ranges.
    TooManyRanges,
    /// Two ranges share a unit.
    Overlap(SerialRange, SerialRange),
}

impl Selection {
    /// Checks the shape: something, not too many ranges, none overlapping.
    pub fn check(&self) -> Result<(), SelectionError> {
        match self {
            Self::Quantity { tonnes, .. } if tonnes.is_zero() => Err(SelectionError::Zero),
            Self::Quantity { .. } => Ok(()),
            Self::Ranges(ranges) if ranges.is_empty() => Err(SelectionError::Zero),
            Self::Ranges(ranges) if ranges.len() > SERIAL_RANGES_PER_SELECTION_MAX => {
                Err(SelectionError::TooManyRanges)
            }
            Self::Ranges(ranges) => {
                let mut sorted = ranges.clone();
                sorted.sort();
                for pair in sorted.windows(2) {
                    if let [left, right] = pair
                        && left.overlaps(right)
                    {
                        return Err(SelectionError::Overlap(*left, *right));
                    }
                }
                Ok(())
            }
        }
    }

    /// The instruments it names, each once, in order.
    pub fn instruments(&self) -> std::collections::BTreeSet<Instrument> {
        match self {
            Self::Quantity { instrument, .. } => core::iter::once(*instrument).collect(),
            Self::Ranges(ranges) => ranges.iter().map(SerialRange::instrument).collect(),
        }
    }

    /// The quantity it names; `None` when it does not fit.
    pub fn tonnes(&self) -> Option<Tonnes> {
        match self {
            Self::Quantity { tonnes, .. } => Some(*tonnes),
            Self::Ranges(ranges) => Tonnes::try_sum(ranges.iter().map(SerialRange::tonnes)).ok(),
        }
    }
}
