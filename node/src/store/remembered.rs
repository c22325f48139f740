//! Transactions that may not be ordered again, until they expire.
//!
//! The state remembers each on its own; the store keeps one row per block. Its key begins with the
//! latest expiry among its transactions, so that the rows to forget are the first ones.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use cets_contracts::codec;
use cets_contracts::state::{RecordBytes, Remembered, StoredRecord, keys};
use cets_contracts::types::{BlockTime, Height, TxId};

use super::database::Writes;
use super::{Column, Store, StoreError};

/// Bytes of a transaction: expiry in milliseconds, identifier.
const ITEM_BYTES: usize = 40;

/// The row of a block: its key and its value. None when the block orders nothing.
pub(super) fn remembered_row(
    height: Height,
    transactions: impl Iterator<Item = (BlockTime, TxId)>,
) -> Option<([u8; 16], Vec<u8>)> {
    let (mut latest, mut value) = (None, Vec::new());
    for (valid_until, id) in transactions {
        latest = latest.max(Some(valid_until));
        value.extend_from_slice(&valid_until.as_millis().to_be_bytes());
        value.extend_from_slice(id.as_bytes());
    }
    let latest = latest?;
    let mut key = [0u8; 16];
    key[..8].copy_from_slice(&latest.as_millis().to_be_bytes());
    key[8..].copy_from_slice(&height.get().to_be_bytes());
    Some((key, value))
}

impl Store {
    /// Adds the row of a block and deletes those of which every transaction expired before the
    /// parent's time, as the state does.
    pub(super) fn put_remembered(
        &self,
        writes: &mut Writes,
        height: Height,
        transactions: impl Iterator<Item = (BlockTime, TxId)>,
    ) -> Result<(), StoreError> {
        if let Some((key, value)) = remembered_row(height, transactions) {
            self.put(writes, Column::Remembered, &key, &value);
        }
        let Some(parent) = self.tip()? else { return Ok(()) };
        let limit = parent.time.as_millis().to_be_bytes();
        let mut cursor = self.cursor(Column::Remembered);
        // What was deleted already lies before this, and a cursor would walk over its traces.
        cursor.seek(self.forgotten().load(Ordering::Relaxed).to_be_bytes());
        while let Some(key) = cursor.key().filter(|key| key.get(..8) < Some(&limit[..])) {
            self.delete(writes, Column::Remembered, key);
            cursor.next();
        }
        self.check_cursor(&cursor)?;
        self.forgotten().store(parent.time.as_millis(), Ordering::Relaxed);
        Ok(())
    }

    /// Adds to state records what the state after the tip remembers.
    pub(super) fn add_remembered(
        &self,
        records: &mut BTreeMap<Vec<u8>, StoredRecord>,
        tip: Height,
    ) -> Result<(), StoreError> {
        // A state forgets what expired before the time of the block before its last one.
        let parent = tip.get().checked_sub(1).map(Height::new);
        let header = parent.map(|height| self.header(height)).transpose()?.flatten();
        let limit = header.map_or(BlockTime::from_millis(0), |header| header.time);
        let value: RecordBytes = codec::encode(&Remembered).into();
        let mut cursor = self.cursor(Column::Remembered);
        cursor.seek_to_first();
        while let Some((key, row)) = cursor.item() {
            for (valid_until, id) in split_row(key, row)? {
                if valid_until >= limit {
                    let key = keys::replay(valid_until, &id).into_bytes();
                    records.insert(key, StoredRecord { slot: None, value: value.clone() });
                }
            }
            cursor.next();
        }
        self.check_cursor(&cursor)
    }
}

/// The transactions of a row.
fn split_row(
    key: &[u8],
    row: &[u8],
) -> Result<impl Iterator<Item = (BlockTime, TxId)>, StoreError> {
    let (items, rest) = row.as_chunks::<ITEM_BYTES>();
    if !rest.is_empty() {
        let reason = "it ends within a transaction";
        return Err(StoreError::damaged(Column::Remembered, hex::encode(key), reason));
    }
    Ok(items.iter().filter_map(|item| {
        let (valid_until, id) = item.split_first_chunk::<8>()?;
        let id = TxId::new(id.try_into().ok()?);
        Some((BlockTime::from_millis(u64::from_be_bytes(*valid_until)), id))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_reads_back_and_is_keyed_by_the_latest_expiry() {
        let transactions = [(7u64, 1u8), (90, 2), (8, 3)];
        let transactions =
            transactions.map(|(millis, id)| (BlockTime::from_millis(millis), TxId::new([id; 32])));
        let (key, value) = remembered_row(Height::new(5), transactions.into_iter()).unwrap();
        assert_eq!(key, [0, 0, 0, 0, 0, 0, 0, 90, 0, 0, 0, 0, 0, 0, 0, 5]);
        assert_eq!(split_row(&key, &value).unwrap().collect::<Vec<_>>(), transactions);
        assert!(split_row(&key, &value[1..]).is_err());
        assert!(remembered_row(Height::new(5), std::iter::empty()).is_none());
    }
}
