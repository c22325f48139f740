//! The one write of a committed block.

use cets_contracts::block::{Certificate, ExecutedBlock, touched_accounts};
use cets_contracts::codec;
use cets_contracts::types::{BlockId, Height, LogIndex};

use super::database::{Durability, Writes};
use super::histories::BlockHistories;
use super::history::BlockPosition;
use super::links::{HopMap, MovementId, encode_links};
use super::runs::RunWriter;
use super::{Column, Store, StoreError};
use crate::mempool::PooledTransaction;

/// Everything that becomes durable with a block.
pub struct BlockBatch<'a> {
    /// The executed block.
    pub executed: &'a ExecutedBlock,
    /// Proof that a quorum decided it.
    pub certificate: &'a Certificate,
    /// Log index of its first entry.
    pub first_log_index: LogIndex,
    /// Its transactions.
    pub transactions: &'a [PooledTransaction],
    /// Undecided blocks of its height and below, which can never be decided any more.
    pub undecided: &'a [BlockId],
}

impl Store {
    /// Makes a block durable: one synced write, all or nothing. Returns the encoded events of
    /// each transaction.
    pub fn commit(&self, block: &BlockBatch<'_>) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut writes = Writes::default();
        let BlockBatch { executed, certificate, first_log_index, .. } = *block;
        let height = executed.header.height;
        self.put_block(&mut writes, executed, certificate, first_log_index);
        let events = self.put_outcomes(&mut writes, block)?;
        self.put_log_nodes(&mut writes, &executed.log_nodes);
        self.put_records(&mut writes, executed.state.changes());
        let ordered = block.transactions.iter().map(|one| (one.body().valid_until, one.id()));
        self.put_remembered(&mut writes, height, ordered)?;
        self.put_validators(&mut writes, executed)?;
        self.delete_undecided(&mut writes, block.undecided, height)?;
        self.put_tip(&mut writes, &executed.tip(), &executed.log);
        self.write(writes, Durability::Synced, "write the block")?;
        Ok(events)
    }

    fn put_block(
        &self,
        writes: &mut Writes,
        executed: &ExecutedBlock,
        certificate: &Certificate,
        first_log_index: LogIndex,
    ) {
        let height_key = executed.header.height.get().to_be_bytes();
        let position = BlockPosition { header: executed.header.clone(), first_log_index };
        self.put(writes, Column::Headers, &height_key, &codec::encode(&position));
        self.put(writes, Column::BlockStarts, &first_log_index.to_be_bytes(), &height_key);
        self.put(writes, Column::Certificates, &height_key, &codec::encode(certificate));
        let mut entries = RunWriter::new(Column::Entries, first_log_index);
        for entry in &executed.entries {
            entries.push(self, writes, &[entry]);
        }
        entries.finish(self, writes);
    }

    fn put_outcomes(
        &self,
        writes: &mut Writes,
        block: &BlockBatch<'_>,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut runs = RunWriter::new(Column::Outcomes, block.first_log_index);
        let mut indexes = Vec::with_capacity(block.executed.outcomes.len());
        let mut hops = HopMap::new(self);
        let mut histories = BlockHistories::default();
        let mut all_events = Vec::with_capacity(block.executed.outcomes.len());
        let outcomes = block.executed.outcomes.iter().zip(block.transactions);
        for (log_index, (outcome, transaction)) in (block.first_log_index..).zip(outcomes) {
            let id = outcome.receipt.tx_id;
            indexes.push((id, log_index));
            for account in touched_accounts(transaction.body(), outcome.events.as_ref()) {
                histories.touch(account, log_index);
            }
            let mut links = Vec::new();
            let movements = outcome.events.iter().flat_map(|events| &events.effects.units);
            for (position, movement) in (0u32..).zip(movements) {
                links.push(hops.record(movement, MovementId { log_index, position })?);
            }
            let events = outcome.events.as_ref().map(codec::encode).unwrap_or_default();
            let length = u32::try_from(events.len()).expect("events are far below four gigabytes");
            runs.push(self, writes, &[&length.to_be_bytes(), &events, &encode_links(&links)]);
            all_events.push(events);
        }
        runs.finish(self, writes);
        // Rows in the order of their keys are written at half the cost of rows in any order.
        indexes.sort_unstable();
        for (id, log_index) in indexes {
            self.put(writes, Column::Transactions, id.as_bytes(), &log_index.to_be_bytes());
        }
        histories.put(self, writes);
        hops.finish(writes);
        Ok(all_events)
    }

    /// Replaces the certificate of a committed height by one with more signatures. Not synced.
    pub fn replace_certificate(&self, certificate: &Certificate) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        let key = certificate.height.get().to_be_bytes();
        self.put(&mut writes, Column::Certificates, &key, &codec::encode(certificate));
        self.write(writes, Durability::Buffered, "write a certificate")
    }

    /// Deletes blocks that can never be decided; for leftovers found at start.
    pub fn forget_undecided(&self, ids: &[BlockId], height: Height) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        self.delete_undecided(&mut writes, ids, height)?;
        self.write(writes, Durability::Buffered, "forget undecided blocks")
    }
}
