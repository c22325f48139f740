//! Positions of leaves.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Deepest tree; slots are below `2^DEPTH_MAX`.
pub const DEPTH_MAX: u8 = 32;

/// Position of a leaf in the state tree, below `2^DEPTH_MAX`.
///
/// Eight bytes in the canonical codec, so that a deeper tree keeps the form of records and proofs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Slot(u32);

/// A number that is no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("slot {slot} is not below 2^{DEPTH_MAX}")]
pub struct SlotTooHigh {
    /// The number.
    pub slot: u64,
}

impl Slot {
    /// A slot; refused from `2^DEPTH_MAX` on.
    pub fn new(slot: u64) -> Result<Self, SlotTooHigh> {
        u32::try_from(slot).map(Self).map_err(|_| SlotTooHigh { slot })
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0 as u64
    }

    /// The number as the tree uses it inside.
    pub(super) const fn index(self) -> u32 {
        self.0
    }

    /// The slot of a number used inside the tree.
    pub(super) const fn from_index(index: u32) -> Self {
        Self(index)
    }
}

impl TryFrom<u64> for Slot {
    type Error = SlotTooHigh;

    fn try_from(slot: u64) -> Result<Self, SlotTooHigh> {
        Self::new(slot)
    }
}

impl From<Slot> for u64 {
    fn from(slot: Slot) -> u64 {
        slot.get()
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot({})", self.0)
    }
}
