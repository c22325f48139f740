//! What the second layout changes: rows per block instead of rows per transaction.
//!
//! The first layout stored indexes of the state as records, remembered transactions one by one,
//! and a row in the history of an account for every transaction. Every step may be interrupted
//! and begun again.

use std::collections::{BTreeMap, BTreeSet};

use cets_contracts::state::{KeyParts, Table};
use cets_contracts::tx::Transaction;
use cets_contracts::types::{BlockTime, Height, TxId};

use super::database::{Durability, Writes};
use super::remembered::remembered_row;
use super::{Column, Store, StoreError};

/// Rows changed by one write.
const ROWS_PER_WRITE: usize = 100_000;

/// Rows of [`Column::Histories`] to join: key of the last, others.
type Joined = BTreeMap<Vec<u8>, Vec<Vec<u8>>>;

impl Store {
    /// Brings the rows of the first layout to the second.
    pub(super) fn upgrade_to_rows_per_block(&self) -> Result<(), StoreError> {
        self.join_remembered()?;
        self.delete_derived_records()?;
        self.join_histories()
    }

    /// Writes the rows of all blocks that hold a transaction which the state still remembers.
    fn join_remembered(&self) -> Result<(), StoreError> {
        let mut heights = BTreeSet::new();
        self.for_each_derived_record(|key| {
            if let Some(KeyParts::Replay(_, id)) = KeyParts::of(key)
                && let Some(index) = self.transaction_index(&id)?
                && let Some(position) = self.position_of(index)?
            {
                heights.insert(position.header.height);
            }
            Ok(())
        })?;
        let mut writes = Writes::default();
        for height in heights {
            let ordered = self.ordered_at(height)?;
            if let Some((key, value)) = remembered_row(height, ordered.into_iter()) {
                self.put(&mut writes, Column::Remembered, &key, &value);
            }
        }
        self.write(writes, Durability::Synced, "migrate remembered transactions")
    }

    /// Expiry and identifier of every transaction of a block.
    fn ordered_at(&self, height: Height) -> Result<Vec<(BlockTime, TxId)>, StoreError> {
        let transactions = self.block(height)?.map(|stored| stored.block.transactions);
        let ordered = transactions.unwrap_or_default().into_iter().map(|bytes| {
            let transaction = Transaction::decode(bytes)
                .map_err(|error| StoreError::damaged(Column::Entries, height, error))?;
            Ok((transaction.body().valid_until, transaction.id()))
        });
        ordered.collect()
    }

    /// Deletes records of tables that the tree does not commit to.
    fn delete_derived_records(&self) -> Result<(), StoreError> {
        let (mut writes, mut rows) = (Writes::default(), 0usize);
        self.for_each_derived_record(|key| {
            self.delete(&mut writes, Column::Records, key);
            rows = rows.saturating_add(1);
            if rows.is_multiple_of(ROWS_PER_WRITE) {
                let full = std::mem::take(&mut writes);
                self.write(full, Durability::Buffered, "migrate records")?;
            }
            Ok(())
        })?;
        self.write(writes, Durability::Synced, "migrate records")
    }

    fn for_each_derived_record(
        &self,
        mut visit: impl FnMut(&[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let derived = Table::ALL.iter().filter(|table| !table.is_committed());
        for prefix in derived.map(|table| table.prefix()) {
            let mut cursor = self.cursor(Column::Records);
            cursor.seek([prefix]);
            while let Some(key) = cursor.key().filter(|key| key.first() == Some(&prefix)) {
                visit(key)?;
                cursor.next();
            }
            self.check_cursor(&cursor)?;
        }
        Ok(())
    }

    /// Joins the rows of an account that belong to one block.
    fn join_histories(&self) -> Result<(), StoreError> {
        let mut cursor = self.cursor(Column::Histories);
        let mut joined = Joined::new();
        // Rows of one account and block so far, and the end of that block.
        let (mut rows, mut end): (Vec<Vec<u8>>, u64) = (Vec::new(), 0);
        let mut changed = 0usize;
        cursor.seek_to_first();
        while let Some(key) = cursor.key() {
            let index = history_index(key)?;
            let same_account = rows.last().is_some_and(|last| last.get(..8) == key.get(..8));
            if !same_account || index >= end {
                close(&mut joined, std::mem::take(&mut rows));
                let position = self.position_of(index)?;
                end = position.map_or(0, |position| position.header.log_size);
            }
            rows.push(key.to_vec());
            changed = changed.saturating_add(1);
            if changed.is_multiple_of(ROWS_PER_WRITE) {
                self.write_joined(std::mem::take(&mut joined))?;
            }
            cursor.next();
        }
        self.check_cursor(&cursor)?;
        close(&mut joined, rows);
        self.write_joined(joined)
    }

    fn write_joined(&self, joined: Joined) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        for (last, others) in joined {
            let mut value = Vec::new();
            let end = history_index(&last)?;
            for key in others {
                let distance = end.saturating_sub(history_index(&key)?);
                value.extend_from_slice(&u32::try_from(distance).unwrap_or(u32::MAX).to_be_bytes());
                self.delete(&mut writes, Column::Histories, &key);
            }
            self.put(&mut writes, Column::Histories, &last, &value);
        }
        self.write(writes, Durability::Synced, "migrate histories of accounts")
    }
}

/// Notes rows of one account and block; a single one stays as it is, whatever it holds.
fn close(joined: &mut Joined, mut rows: Vec<Vec<u8>>) {
    if let Some(last) = rows.pop().filter(|_| !rows.is_empty()) {
        joined.insert(last, rows);
    }
}

fn history_index(key: &[u8]) -> Result<u64, StoreError> {
    let index = key.last_chunk::<8>().filter(|_| key.len() == 16);
    index.map(|index| u64::from_be_bytes(*index)).ok_or_else(|| {
        StoreError::damaged(Column::Histories, hex::encode(key), "the key is no log index")
    })
}
