//! Which transactions touched an account.
//!
//! One row per account and block that touched it: keyed by account and the log index of the last
//! such transaction, it holds how far before that one the others are, u32 big-endian each, the
//! first one first.

use std::collections::BTreeMap;

use cets_contracts::types::{AccountId, LogIndex};

use super::database::Writes;
use super::{Column, Store, StoreError};

/// Bytes of a distance.
const DISTANCE_BYTES: usize = 4;

/// Collects what a block adds to the histories of accounts.
#[derive(Default)]
pub(super) struct BlockHistories(BTreeMap<AccountId, Vec<LogIndex>>);

impl BlockHistories {
    /// Notes that a transaction touched an account; in the order of the log.
    pub(super) fn touch(&mut self, account: AccountId, index: LogIndex) {
        self.0.entry(account).or_default().push(index);
    }

    /// The rows, in the order of their keys.
    pub(super) fn rows(&self) -> impl Iterator<Item = (AccountId, [u8; 16], Vec<u8>)> + '_ {
        self.0.iter().filter_map(|(account, indexes)| {
            let (last, before) = indexes.split_last()?;
            let mut value = Vec::with_capacity(before.len().saturating_mul(DISTANCE_BYTES));
            for index in before {
                let distance = last.saturating_sub(*index);
                let distance = u32::try_from(distance).expect("a block has fewer transactions");
                value.extend_from_slice(&distance.to_be_bytes());
            }
            Some((*account, history_key(*account, *last), value))
        })
    }

    /// Adds the rows to a batch.
    pub(super) fn put(&self, store: &Store, writes: &mut Writes) {
        for (_, key, value) in self.rows() {
            store.put(writes, Column::Histories, &key, &value);
        }
    }
}

impl Store {
    /// Log indexes of transactions that touch an account, from `begin` on, at most `limit`.
    pub fn account_history(
        &self,
        account: AccountId,
        begin: LogIndex,
        limit: usize,
    ) -> Result<Vec<LogIndex>, StoreError> {
        let prefix = account.to_key();
        let mut cursor = self.cursor(Column::Histories);
        // Rows are keyed by their last index: the first row that counts is the next one.
        cursor.seek(history_key(account, begin));
        let mut indexes = Vec::new();
        while let Some((key, value)) = cursor.item() {
            let Some(last) = key.strip_prefix(&prefix) else { break };
            let row = row_indexes(last, value).ok_or_else(|| {
                let reason = "it is no list of log indexes";
                StoreError::damaged(Column::Histories, hex::encode(key), reason)
            })?;
            let room = limit.saturating_sub(indexes.len());
            indexes.extend(row.into_iter().filter(|index| *index >= begin).take(room));
            if indexes.len() >= limit {
                break;
            }
            cursor.next();
        }
        self.check_cursor(&cursor)?;
        Ok(indexes)
    }
}

/// The log indexes of a row, ascending; none when it is damaged.
pub(super) fn row_indexes(last: &[u8], value: &[u8]) -> Option<Vec<LogIndex>> {
    let last = u64::from_be_bytes(last.try_into().ok()?);
    let (distances, rest) = value.as_chunks::<DISTANCE_BYTES>();
    if !rest.is_empty() {
        return None;
    }
    let before =
        distances.iter().map(|distance| last.checked_sub(u64::from(u32::from_be_bytes(*distance))));
    before.chain([Some(last)]).collect()
}

pub(super) fn history_key(account: AccountId, index: LogIndex) -> [u8; 16] {
    let mut key = [0u8; 16];
    key[..8].copy_from_slice(&account.to_key());
    key[8..].copy_from_slice(&index.to_be_bytes());
    key
}

#[cfg(test)]
mod tests {
    use cets_contracts::types::Role;

    use super::*;

    #[test]
    fn histories_page_from_any_index_across_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let account = |number| AccountId::new(Role::KeyEmittingEntity, number).unwrap();
        let mut all = Vec::new();
        for (block, touched) in (0..5u64).zip(0usize..) {
            let mut histories = BlockHistories::default();
            for index in (block * 100..).step_by(7).take(touched) {
                histories.touch(account(1), index);
                all.push(index);
            }
            histories.touch(account(2), block * 100 + 99);
            let mut writes = Writes::default();
            histories.put(&store, &mut writes);
            store.write(writes, super::super::database::Durability::Synced, "write").unwrap();
        }
        assert_eq!(all.len(), 10);
        for begin in 0..500 {
            for limit in [1, 2, 3, 50] {
                let expected: Vec<u64> =
                    all.iter().copied().filter(|index| *index >= begin).take(limit).collect();
                assert_eq!(store.account_history(account(1), begin, limit).unwrap(), expected);
            }
        }
        assert!(store.account_history(account(3), 0, 9).unwrap().is_empty());
    }

    #[test]
    fn a_damaged_row_is_none() {
        assert_eq!(row_indexes(&[0; 8], &[]), Some(vec![0]));
        assert_eq!(row_indexes(&[0; 7], &[]), None);
        assert_eq!(row_indexes(&[0; 8], &[0; 3]), None);
        assert_eq!(row_indexes(&[0; 8], &[0, 0, 0, 1]), None);
    }
}
