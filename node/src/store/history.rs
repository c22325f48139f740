//! Committed blocks, transactions and events, read back from the log.

use cets_contracts::block::{Block, Certificate, Header, LogEntry, Receipt};
use cets_contracts::codec;
use cets_contracts::log::{ConsistencyProof, LogError, LogProof};
use cets_contracts::types::{Height, LogIndex, TxId};
use serde::{Deserialize, Serialize};

use super::links::{self, MovementLinks};
use super::nodes::LogNodes;
use super::{Column, Store, StoreError};

/// A committed header and where its block begins in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockPosition {
    /// The header.
    pub header: Header,
    /// Log index of the first entry; that of the header entry when the block is empty.
    pub first_log_index: LogIndex,
}

/// A committed block as it was decided, with its certificate and receipts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlock {
    /// Header and transactions.
    pub block: Block,
    /// Proof that a quorum decided it.
    pub certificate: Certificate,
    /// Receipts in order.
    pub receipts: Vec<Receipt>,
    /// Canonical bytes of the event records, in order; empty for a refused transaction.
    pub events: Vec<Vec<u8>>,
    /// Log index of the first entry.
    pub first_log_index: LogIndex,
}

/// What an ordered transaction left behind beside its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredOutcome {
    /// Canonical bytes of the event record; empty when refused.
    pub events: Vec<u8>,
    /// One per movement of units, in order.
    pub links: Vec<MovementLinks>,
}

impl Store {
    /// Header and position of a committed height.
    pub fn position(&self, height: Height) -> Result<Option<BlockPosition>, StoreError> {
        self.get_decoded(Column::Headers, &height.get().to_be_bytes())
    }

    /// Header of a committed height.
    pub fn header(&self, height: Height) -> Result<Option<Header>, StoreError> {
        Ok(self.position(height)?.map(|position| position.header))
    }

    /// Certificate of a committed height.
    pub fn certificate(&self, height: Height) -> Result<Option<Certificate>, StoreError> {
        self.get_decoded(Column::Certificates, &height.get().to_be_bytes())
    }

    /// Header and position of the block that an entry of the log belongs to.
    pub fn position_of(&self, index: LogIndex) -> Result<Option<BlockPosition>, StoreError> {
        let mut cursor = self.cursor(Column::BlockStarts);
        cursor.seek_for_prev(index.to_be_bytes());
        let Some((key, height)) = cursor.item() else {
            self.check_cursor(&cursor)?;
            return Ok(None);
        };
        let height = height.try_into().map(u64::from_be_bytes).map_err(|_| {
            StoreError::damaged(Column::BlockStarts, hex::encode(key), "it holds no height")
        })?;
        let position = self.position(Height::new(height))?;
        Ok(position.filter(|position| index <= position.header.log_size))
    }

    /// A committed block, put together from its header and its log entries.
    pub fn block(&self, height: Height) -> Result<Option<StoredBlock>, StoreError> {
        let Some(BlockPosition { header, first_log_index }) = self.position(height)? else {
            return Ok(None);
        };
        let certificate = self
            .certificate(height)?
            .ok_or_else(|| StoreError::damaged(Column::Certificates, height, "it is missing"))?;
        let (mut transactions, mut receipts) = (Vec::new(), Vec::new());
        self.for_each_in_runs(
            Column::Entries,
            first_log_index,
            header.log_size,
            |index, entry| match decode_entry(index, entry)? {
                LogEntry::Transaction { transaction, receipt } => {
                    transactions.push(transaction);
                    receipts.push(receipt);
                    Ok(())
                }
                LogEntry::Header(_) => {
                    Err(StoreError::damaged(Column::Entries, index, "a header amid transactions"))
                }
            },
        )?;
        let count = header.log_size.checked_sub(first_log_index);
        if count != u64::try_from(transactions.len()).ok() {
            let reason = format!("block {height} has lost transactions");
            return Err(StoreError::damaged(Column::Entries, first_log_index, reason));
        }
        let events = self.events(first_log_index, header.log_size)?;
        let block = Block { header, transactions };
        Ok(Some(StoredBlock { block, certificate, receipts, events, first_log_index }))
    }

    /// Canonical bytes of the event records of transactions from `begin` to before `end`.
    pub fn events(&self, begin: LogIndex, end: LogIndex) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut all = Vec::new();
        self.for_each_in_runs(Column::Outcomes, begin, end, |index, item| {
            let events = links::decode_events(item)
                .ok_or_else(|| StoreError::damaged(Column::Outcomes, index, "it ends early"))?;
            all.push(events.to_vec());
            Ok(())
        })?;
        Ok(all)
    }

    /// Canonical bytes of an entry of the log.
    pub fn entry(&self, index: LogIndex) -> Result<Option<Vec<u8>>, StoreError> {
        self.run_item(Column::Entries, index)
    }

    /// Visits the entries from `begin` up to but not including `end`, in order.
    pub fn for_each_entry(
        &self,
        begin: LogIndex,
        end: LogIndex,
        visit: impl FnMut(LogIndex, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.for_each_in_runs(Column::Entries, begin, end, visit)
    }

    /// Events and links of an ordered transaction; none for header entries.
    pub fn outcome(&self, index: LogIndex) -> Result<Option<StoredOutcome>, StoreError> {
        let Some(item) = self.run_item(Column::Outcomes, index)? else { return Ok(None) };
        links::decode_outcome(&item)
            .map(Some)
            .map_err(|reason| StoreError::damaged(Column::Outcomes, index, reason))
    }

    /// Log index of an ordered transaction.
    pub fn transaction_index(&self, id: &TxId) -> Result<Option<LogIndex>, StoreError> {
        let Some(bytes) = self.get(Column::Transactions, id.as_bytes())? else { return Ok(None) };
        let index = bytes.as_ref().try_into().map(u64::from_be_bytes);
        index
            .map(Some)
            .map_err(|_| StoreError::damaged(Column::Transactions, id, "it holds no log index"))
    }

    /// Inclusion proof of an entry in the log of the first `size` entries.
    pub fn log_proof(
        &self,
        index: LogIndex,
        size: u64,
    ) -> Result<Result<LogProof, LogError>, StoreError> {
        let nodes = LogNodes::new(self);
        let proof = LogProof::read(&nodes, index, size);
        nodes.into_error().map_or(Ok(proof), Err)
    }

    /// Proof that the log of `new` entries begins with that of `old`.
    pub fn consistency_proof(
        &self,
        old: u64,
        new: u64,
    ) -> Result<Result<ConsistencyProof, LogError>, StoreError> {
        let nodes = LogNodes::new(self);
        let proof = ConsistencyProof::read(&nodes, old, new);
        nodes.into_error().map_or(Ok(proof), Err)
    }
}

/// An entry of the log.
pub(crate) fn decode_entry(index: LogIndex, entry: &[u8]) -> Result<LogEntry, StoreError> {
    codec::decode(entry).map_err(|error| StoreError::damaged(Column::Entries, index, error))
}
