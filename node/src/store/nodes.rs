//! Nodes of the log, in runs of one level.

use cets_contracts::log::{LogHash, LogNode, NodeReader};

use super::database::Writes;
use super::{Column, Store, StoreError};

const HASH_BYTES: usize = 32;

fn run_key(level: u8, index: u64) -> [u8; 9] {
    let mut key = [0u8; 9];
    key[0] = level;
    key[1..].copy_from_slice(&index.to_be_bytes());
    key
}

/// Level, first index and number of nodes of a stored run; none when it is no run.
pub(super) fn node_run(key: &[u8], hashes: &[u8]) -> Option<(u8, u64, u64)> {
    let (level, first) = key.split_first()?;
    let (hashes, rest) = hashes.as_chunks::<HASH_BYTES>();
    let count = u64::try_from(hashes.len()).ok().filter(|count| *count > 0 && rest.is_empty())?;
    Some((*level, u64::from_be_bytes(first.try_into().ok()?), count))
}

impl Store {
    /// Adds the nodes that a block completes: one run per level.
    pub(super) fn put_log_nodes(&self, writes: &mut Writes, nodes: &[LogNode]) {
        let mut levels: std::collections::BTreeMap<u8, (u64, Vec<u8>)> = Default::default();
        for node in nodes {
            // Nodes of one level are completed in the order of their indexes, without gaps.
            let (_, hashes) = levels.entry(node.level).or_insert_with(|| (node.index, Vec::new()));
            hashes.extend_from_slice(&node.hash);
        }
        for (level, (first, hashes)) in levels {
            self.put(writes, Column::LogNodes, &run_key(level, first), &hashes);
        }
    }

    /// A completed node; none when the log is too short for it.
    pub fn log_node(&self, level: u8, index: u64) -> Result<Option<LogHash>, StoreError> {
        let mut cursor = self.cursor(Column::LogNodes);
        cursor.seek_for_prev(run_key(level, index));
        let Some((key, hashes)) = cursor.item() else {
            self.check_cursor(&cursor)?;
            return Ok(None);
        };
        let damaged =
            |reason: &str| StoreError::damaged(Column::LogNodes, hex::encode(key), reason);
        let Some((found_level, first)) = key.split_first() else {
            return Err(damaged("the key is empty"));
        };
        if *found_level != level {
            return Ok(None);
        }
        let first = first.try_into().map_err(|_| damaged("the key is no level and index"))?;
        let offset = index.saturating_sub(u64::from_be_bytes(first));
        let Ok(offset) = usize::try_from(offset) else { return Ok(None) };
        let begin = offset.saturating_mul(HASH_BYTES);
        let hash = hashes.get(begin..begin.saturating_add(HASH_BYTES));
        Ok(hash.and_then(|hash| hash.try_into().ok()))
    }
}

impl Store {
    /// Consecutive nodes of a level, one after the other, read in one pass; none when the log is
    /// too short for all of them.
    pub(super) fn log_row(
        &self,
        level: u8,
        first: u64,
        count: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let wanted = count.saturating_mul(HASH_BYTES);
        let mut row = Vec::with_capacity(wanted);
        let mut next = first;
        let mut cursor = self.cursor(Column::LogNodes);
        cursor.seek_for_prev(run_key(level, first));
        while let Some((key, hashes)) = cursor.item() {
            let Some(run_first) = key.strip_prefix(&[level]) else { break };
            let damaged = || {
                let key = hex::encode(key);
                StoreError::damaged(Column::LogNodes, key, "the run does not follow the one before")
            };
            let run_first = run_first.try_into().map(u64::from_be_bytes).map_err(|_| damaged())?;
            let skipped = next.checked_sub(run_first).ok_or_else(damaged)?;
            let skipped = usize::try_from(skipped).unwrap_or(usize::MAX).saturating_mul(HASH_BYTES);
            let hashes = hashes.get(skipped..).unwrap_or_default();
            let missing = wanted.saturating_sub(row.len());
            row.extend_from_slice(hashes.get(..missing).unwrap_or(hashes));
            if row.len() >= wanted {
                return Ok(Some(row));
            }
            let read = u64::try_from(row.len() / HASH_BYTES).unwrap_or(u64::MAX);
            next = first.saturating_add(read);
            cursor.next();
        }
        self.check_cursor(&cursor)?;
        Ok(None)
    }
}

/// Reads nodes for proofs and keeps the first error of the disk, which the trait cannot carry.
pub(super) struct LogNodes<'a> {
    store: &'a Store,
    error: std::cell::RefCell<Option<StoreError>>,
}

impl<'a> LogNodes<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self { store, error: std::cell::RefCell::new(None) }
    }

    /// The first error of the disk, if there was one.
    pub(super) fn into_error(self) -> Option<StoreError> {
        self.error.into_inner()
    }
}

impl NodeReader for LogNodes<'_> {
    fn node(&self, level: u8, index: u64) -> Option<LogHash> {
        match self.store.log_node(level, index) {
            Ok(node) => node,
            Err(error) => {
                self.error.borrow_mut().get_or_insert(error);
                None
            }
        }
    }
}
