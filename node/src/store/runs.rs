//! Runs: many small consecutive items in one value, so that a block costs few writes.
//!
//! A run is keyed by the index of its first item and holds items one after the other, each
//! preceded by its length as u32 big-endian.

use super::database::Writes;
use super::{Column, Store, StoreError};

/// Size at which a run is closed and the next begins, in bytes.
const RUN_BYTES: usize = 32 * 1024;

/// Collects consecutive items into runs.
pub(super) struct RunWriter {
    column: Column,
    first: u64,
    next: u64,
    bytes: Vec<u8>,
}

impl RunWriter {
    pub(super) fn new(column: Column, first: u64) -> Self {
        Self { column, first, next: first, bytes: Vec::with_capacity(RUN_BYTES) }
    }

    /// Adds the next item, given in parts.
    pub(super) fn push(&mut self, store: &Store, writes: &mut Writes, parts: &[&[u8]]) {
        let length = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
        if !self.bytes.is_empty() && self.bytes.len().saturating_add(length) > RUN_BYTES {
            self.flush(store, writes);
        }
        let length = u32::try_from(length).expect("items are far below four gigabytes");
        self.bytes.extend_from_slice(&length.to_be_bytes());
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.next = self.next.saturating_add(1);
    }

    /// Writes what is left.
    pub(super) fn finish(mut self, store: &Store, writes: &mut Writes) {
        self.flush(store, writes);
    }

    fn flush(&mut self, store: &Store, writes: &mut Writes) {
        if !self.bytes.is_empty() {
            store.put(writes, self.column, &self.first.to_be_bytes(), &self.bytes);
        }
        self.first = self.next;
        self.bytes.clear();
    }
}

impl Store {
    /// The item of an index.
    pub(super) fn run_item(
        &self,
        column: Column,
        index: u64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let mut found = None;
        let end = index.saturating_add(1);
        self.for_each_in_runs(column, index, end, |_, item| {
            found = Some(item.to_vec());
            Ok(())
        })?;
        Ok(found)
    }

    /// Visits the items from `begin` up to but not including `end`, in order.
    pub(super) fn for_each_in_runs(
        &self,
        column: Column,
        begin: u64,
        end: u64,
        mut visit: impl FnMut(u64, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut cursor = self.cursor(column);
        cursor.seek_for_prev(begin.to_be_bytes());
        if !cursor.valid() {
            self.check_cursor(&cursor)?;
            cursor.seek_to_first();
        }
        while let Some((key, mut run)) = cursor.item() {
            let mut index = u64::from_be_bytes(key.try_into().map_err(|_| {
                StoreError::damaged(column, hex::encode(key), "the key is no log index")
            })?);
            if index >= end {
                return Ok(());
            }
            while let Some((item, rest)) = split_item(run) {
                if (begin..end).contains(&index) {
                    visit(index, item)?;
                }
                (index, run) = (index.saturating_add(1), rest);
            }
            if !run.is_empty() {
                return Err(StoreError::damaged(column, hex::encode(key), "a run ends early"));
            }
            cursor.next();
        }
        self.check_cursor(&cursor)
    }
}

fn split_item(run: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = run.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}
