//! What values and cursors are read from: RocksDB, or a disk in memory in a simulation.

use rocksdb::{DBPinnableSlice, DBRawIterator};

#[cfg(feature = "simulation")]
use super::simulated::SimulatedCursor;

/// A value as it is stored.
pub(super) enum Value<'a> {
    Pinned(DBPinnableSlice<'a>),
    #[cfg(feature = "simulation")]
    Kept(std::sync::Arc<[u8]>),
}

impl std::ops::Deref for Value<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Pinned(slice) => slice,
            #[cfg(feature = "simulation")]
            Self::Kept(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Value<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// Stands at a row of a table, as the table was when the cursor was made.
pub(super) enum Cursor<'a> {
    Rocks(DBRawIterator<'a>),
    #[cfg(feature = "simulation")]
    Simulated(SimulatedCursor),
}

/// Calls the same method of either kind.
macro_rules! either {
    ($self:ident, $cursor:ident => $call:expr) => {
        match $self {
            Self::Rocks($cursor) => $call,
            #[cfg(feature = "simulation")]
            Self::Simulated($cursor) => $call,
        }
    };
}

impl Cursor<'_> {
    /// Goes to the first row.
    pub(super) fn seek_to_first(&mut self) {
        either!(self, cursor => cursor.seek_to_first());
    }

    /// Goes to the first row at or after a key.
    pub(super) fn seek(&mut self, key: impl AsRef<[u8]>) {
        either!(self, cursor => cursor.seek(key));
    }

    /// Goes to the last row at or before a key.
    pub(super) fn seek_for_prev(&mut self, key: impl AsRef<[u8]>) {
        either!(self, cursor => cursor.seek_for_prev(key));
    }

    /// Goes to the next row.
    pub(super) fn next(&mut self) {
        either!(self, cursor => cursor.next());
    }

    /// Goes to the row before.
    pub(super) fn prev(&mut self) {
        either!(self, cursor => cursor.prev());
    }

    /// Whether it stands at a row.
    pub(super) fn valid(&self) -> bool {
        either!(self, cursor => cursor.valid())
    }

    /// The key of the row.
    pub(super) fn key(&self) -> Option<&[u8]> {
        either!(self, cursor => cursor.key())
    }

    /// Key and value of the row.
    pub(super) fn item(&self) -> Option<(&[u8], &[u8])> {
        either!(self, cursor => cursor.item())
    }
}
