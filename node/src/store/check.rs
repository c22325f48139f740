//! Holding every row that blocks leave in the store against what execution gives again.
//!
//! Beside headers, certificates and records, which the auditor checks, a block leaves rows that
//! people ask for: entries, outcomes with the links of movements, log nodes, and indexes. Each is
//! worked out again in memory, in the order of the blocks, and compared byte by byte; at the end
//! no table may hold a row more.

use std::collections::BTreeMap;

use cets_contracts::audit::CheckedBlock;
use cets_contracts::block::{ValidatorSet, touched_accounts};
use cets_contracts::codec;
use cets_contracts::log::{LogFrontier, leaf_hash};
use cets_contracts::state::Tip;
use cets_contracts::types::{BlockTime, Height, LogIndex};
use serde::{Deserialize, Serialize};

use super::histories::BlockHistories;
use super::history::BlockPosition;
use super::links::{HopMap, MovementId, encode_links};
use super::nodes::node_run;
use super::remembered::remembered_row;
use super::{Column, Store, StoreError};

/// What checking the rows of blocks so far leaves behind, for going on later.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedRows {
    /// Last movements of units: rows of [`Column::Hops`].
    intervals: Vec<(Vec<u8>, Vec<u8>)>,
    /// Rows of [`Column::Transactions`] and of [`Column::Histories`].
    counted: [u64; 2],
    /// Rows of [`Column::Remembered`].
    remembered: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Checks the rows of blocks in their order.
pub struct RowChecker<'a> {
    store: &'a Store,
    hops: HopMap<'a>,
    /// Log index of the next block's first entry.
    next: LogIndex,
    blocks: u64,
    transactions: u64,
    histories: u64,
    /// Time of the last block.
    time: BlockTime,
    /// Rows of remembered transactions that are not forgotten yet.
    remembered: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl<'a> RowChecker<'a> {
    /// A checker before the first block.
    pub fn new(store: &'a Store) -> Self {
        let hops = HopMap::in_memory(store);
        let time = BlockTime::from_millis(0);
        let remembered = BTreeMap::new();
        Self { store, hops, next: 0, blocks: 0, transactions: 0, histories: 0, time, remembered }
    }

    /// A checker after a block, with what an earlier one left; the entries that the store holds
    /// now must still give the log after that block. None when what was left cannot be of it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when entries changed since they were checked.
    pub fn resume(
        store: &'a Store,
        saved: SavedRows,
        tip: &Tip,
        log: &LogFrontier,
    ) -> Result<Option<Self>, StoreError> {
        let SavedRows { intervals, counted: [transactions, histories], remembered } = saved;
        let remembered = remembered.into_iter().collect();
        let Some(hops) = HopMap::restored(store, intervals) else { return Ok(None) };
        check_log(store, log)?;
        let (next, blocks, time) = (log.size(), tip.height.get(), tip.time);
        Ok(Some(Self { store, hops, next, blocks, transactions, histories, time, remembered }))
    }

    /// What is needed to go on after the last block.
    pub fn saved(&self) -> SavedRows {
        SavedRows {
            intervals: self.hops.intervals().collect(),
            counted: [self.transactions, self.histories],
            remembered: self.remembered.clone().into_iter().collect(),
        }
    }

    /// Checks all rows of the next block.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] names the table and the row.
    pub fn check(&mut self, block: &CheckedBlock) -> Result<(), StoreError> {
        let first = self.next;
        self.check_position(block, first)?;
        let end = block.header.log_size.saturating_add(1);
        self.check_runs(Column::Entries, first, end, block.entries.iter().map(Vec::as_slice))?;
        let mut outcomes = Vec::with_capacity(block.outcomes.len());
        let mut histories = BlockHistories::default();
        for (log_index, position) in (first..).zip(0..block.outcomes.len()) {
            outcomes.push(self.outcome(block, log_index, position, &mut histories)?);
        }
        for (account, key, value) in histories.rows() {
            let row = format!("{account}, block {}", block.header.height);
            self.expect(Column::Histories, &key, row, &value)?;
            self.histories = self.histories.saturating_add(1);
        }
        self.remember(block);
        let last = first.saturating_add(count(block.outcomes.len()));
        self.check_runs(Column::Outcomes, first, last, outcomes.iter().map(Vec::as_slice))?;
        for node in &block.log_nodes {
            if self.store.log_node(node.level, node.index)? != Some(node.hash) {
                let row = format!("level {}, index {}", node.level, node.index);
                let reason = "the node is not what the entries give";
                return Err(StoreError::damaged(Column::LogNodes, row, reason));
            }
        }
        self.next = end;
        self.blocks = self.blocks.saturating_add(1);
        Ok(())
    }

    fn check_position(&self, block: &CheckedBlock, first: LogIndex) -> Result<(), StoreError> {
        let height = block.header.height;
        let position = BlockPosition { header: block.header.clone(), first_log_index: first };
        let key = height.get().to_be_bytes();
        self.expect(Column::Headers, &key, height, &codec::encode(&position))?;
        self.expect(Column::BlockStarts, &first.to_be_bytes(), first, &key)
    }

    /// Checks the indexes of a transaction and gives the item of its run of outcomes.
    fn outcome(
        &mut self,
        block: &CheckedBlock,
        log_index: LogIndex,
        position: usize,
        histories: &mut BlockHistories,
    ) -> Result<Vec<u8>, StoreError> {
        let (Some(outcome), Some(transaction)) =
            (block.outcomes.get(position), block.transactions.get(position))
        else {
            return Err(StoreError::damaged(Column::Outcomes, log_index, "it is missing"));
        };
        let id = transaction.id();
        self.expect(Column::Transactions, id.as_bytes(), id, &log_index.to_be_bytes())?;
        self.transactions = self.transactions.saturating_add(1);
        for account in touched_accounts(transaction.body(), outcome.events.as_ref()) {
            histories.touch(account, log_index);
        }
        let mut links = Vec::new();
        let movements = outcome.events.iter().flat_map(|events| &events.effects.units);
        for (position, movement) in (0u32..).zip(movements) {
            links.push(self.hops.record(movement, MovementId { log_index, position })?);
        }
        let events = outcome.events.as_ref().map(codec::encode).unwrap_or_default();
        let length = u32::try_from(events.len()).unwrap_or(u32::MAX).to_be_bytes();
        Ok([&length[..], &events, &encode_links(&links)].concat())
    }

    /// Adds the row of remembered transactions of a block and forgets what it forgets.
    fn remember(&mut self, block: &CheckedBlock) {
        let parent = self.time;
        let expired = |key: &[u8]| key.get(..8) < Some(&parent.as_millis().to_be_bytes()[..]);
        self.remembered.retain(|key, _| !expired(key));
        let ordered = block.transactions.iter().map(|one| (one.body().valid_until, one.id()));
        let row = remembered_row(block.header.height, ordered);
        self.remembered.extend(row.map(|(key, value)| (key.to_vec(), value)));
        self.time = block.header.time;
    }

    /// Refuses a row that is missing or holds something else.
    fn expect(
        &self,
        column: Column,
        key: &[u8],
        row: impl core::fmt::Display,
        value: &[u8],
    ) -> Result<(), StoreError> {
        match self.store.get(column, key)? {
            Some(found) if found.as_ref() == value => Ok(()),
            Some(_) => {
                Err(StoreError::damaged(column, row, "the stored row is not what execution gives"))
            }
            None => Err(StoreError::damaged(column, row, "the row is missing")),
        }
    }

    /// Compares the items from `begin` to before `end` with those expected.
    fn check_runs<'e>(
        &self,
        column: Column,
        begin: LogIndex,
        end: LogIndex,
        mut expected: impl Iterator<Item = &'e [u8]>,
    ) -> Result<(), StoreError> {
        let mut next = begin;
        self.store.for_each_in_runs(column, begin, end, |index, item| {
            if index != next {
                return Err(StoreError::damaged(column, next, "it is missing or stands twice"));
            }
            if expected.next() != Some(item) {
                let reason = "the stored item is not what execution gives";
                return Err(StoreError::damaged(column, index, reason));
            }
            next = next.saturating_add(1);
            Ok(())
        })?;
        if next == end {
            return Ok(());
        }
        Err(StoreError::damaged(column, next, "it is missing"))
    }

    /// After the last block: last movements of all units, validator sets, and no row too many.
    ///
    /// `validators` are the sets by the first height that each decides.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn finish(self, validators: &BTreeMap<Height, ValidatorSet>) -> Result<(), StoreError> {
        let store = self.store;
        check_table(store, Column::Hops, self.hops.intervals())?;
        check_table(store, Column::Remembered, self.remembered.into_iter())?;
        let sets = validators
            .iter()
            .map(|(height, set)| (height.get().to_be_bytes().to_vec(), codec::encode(set)));
        check_table(store, Column::ValidatorSets, sets)?;
        let counted = [
            (Column::Headers, self.blocks),
            (Column::BlockStarts, self.blocks),
            (Column::Certificates, self.blocks),
            (Column::Transactions, self.transactions),
            (Column::Histories, self.histories),
        ];
        for (column, expected) in counted {
            let found = store.count_rows(column)?;
            if found != expected {
                let reason = format!("it has {found} rows, the history gives {expected}");
                return Err(StoreError::damaged(column, "all", reason));
            }
        }
        check_log_nodes(store, self.next)?;
        for column in [Column::Entries, Column::Outcomes] {
            store.for_each_in_runs(column, self.next, u64::MAX, |index, _| {
                Err(StoreError::damaged(column, index, "it lies beyond the last block"))
            })?;
        }
        Ok(())
    }
}

/// Refuses nodes that no block of a log of so many entries completes; the blocks were checked for
/// those that they complete.
fn check_log_nodes(store: &Store, log_size: u64) -> Result<(), StoreError> {
    let mut cursor = store.cursor(Column::LogNodes);
    // Per level, the index after the last run.
    let mut next: BTreeMap<u8, u64> = BTreeMap::new();
    cursor.seek_to_first();
    while let Some((key, hashes)) = cursor.item() {
        let damaged =
            |reason: &str| StoreError::damaged(Column::LogNodes, hex::encode(key), reason);
        let (level, first, count) =
            node_run(key, hashes).ok_or_else(|| damaged("it is no run of nodes"))?;
        let expected = next.entry(level).or_default();
        if first != *expected {
            return Err(damaged("the run does not follow the one before"));
        }
        *expected = first.saturating_add(count);
        if *expected > log_size.checked_shr(level.into()).unwrap_or(0) {
            return Err(damaged(&format!("it lies beyond the end of the log at {log_size}")));
        }
        cursor.next();
    }
    store.check_cursor(&cursor)
}

/// Refuses entries that do not give a log.
fn check_log(store: &Store, log: &LogFrontier) -> Result<(), StoreError> {
    let mut found = LogFrontier::new();
    store.for_each_entry(0, log.size(), |index, entry| {
        if index == found.size() {
            found.append(leaf_hash(entry));
        }
        Ok(())
    })?;
    if found.size() == log.size() && found.root() == log.root() {
        return Ok(());
    }
    let row = format!("0 to {}", log.size().saturating_sub(1));
    let reason = "they are not what an earlier run of this audit checked; audit from genesis to \
                  find the entry";
    Err(StoreError::damaged(Column::Entries, row, reason))
}

/// Refuses a table that holds other rows than these, given in the order of their keys.
fn check_table(
    store: &Store,
    column: Column,
    expected: impl Iterator<Item = (Vec<u8>, Vec<u8>)>,
) -> Result<(), StoreError> {
    let mut cursor = store.cursor(column);
    cursor.seek_to_first();
    for (key, value) in expected {
        let row = hex::encode(&key);
        match cursor.item() {
            Some((found, stored)) if found == key => {
                if stored != value {
                    let reason = "the stored row is not what execution gives";
                    return Err(StoreError::damaged(column, row, reason));
                }
            }
            Some((found, _)) if found < key.as_slice() => {
                let reason = "it does not belong to the history";
                return Err(StoreError::damaged(column, hex::encode(found), reason));
            }
            _ => {
                store.check_cursor(&cursor)?;
                return Err(StoreError::damaged(column, row, "the row is missing"));
            }
        }
        cursor.next();
    }
    store.check_cursor(&cursor)?;
    match cursor.key() {
        Some(key) => {
            let reason = "it does not belong to the history";
            Err(StoreError::damaged(column, hex::encode(key), reason))
        }
        None => Ok(()),
    }
}

impl Store {
    fn count_rows(&self, column: Column) -> Result<u64, StoreError> {
        let mut cursor = self.cursor(column);
        let mut rows = 0u64;
        cursor.seek_to_first();
        while cursor.valid() {
            rows = rows.saturating_add(1);
            cursor.next();
        }
        self.check_cursor(&cursor)?;
        Ok(rows)
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
