//! The audit of a data folder, with the auditor that `cets audit` uses too.
//!
//! Beside what the auditor checks it holds the stored log against the blocks: every entry, every
//! leaf, the newest frontier. The folder is opened for reading only, also beside a running node.

use std::collections::BTreeSet;
use std::path::Path;

use cets_contracts::audit::{
    AuditError, AuditReport, Auditor, HistoryRecord, InvariantSchedule, PreparedBlock, StoredBlock,
};
use cets_contracts::block::LogEntry;
use cets_contracts::codec;
use cets_contracts::genesis::Genesis;
use cets_contracts::log::leaf_hash;
use cets_contracts::types::Height;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::store::{Column, Store, StoreError};

/// Blocks prepared on all threads at a time.
const BLOCKS_PER_WINDOW: u64 = 64;

/// Why an audit of a folder fails.
#[derive(Debug, thiserror::Error)]
pub enum FolderAuditError {
    /// The history does not hold.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The store is damaged or cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The genesis document in the folder does not parse.
    #[error("the genesis document in the folder does not parse: {0}")]
    Genesis(String),
    /// The folder holds another ledger than expected.
    #[error("the folder holds chain {found}, expected is chain {expected}")]
    OtherChain {
        /// Chain of the folder.
        found: String,
        /// Chain of the genesis document.
        expected: String,
    },
}

/// Replays the ledger of a folder from genesis and compares everything stored.
///
/// `genesis` is the document to start from; that of the folder without. `progress` hears of every
/// checked height and the last one.
pub fn audit_folder(
    folder: &Path,
    genesis: Option<&Genesis>,
    schedule: InvariantSchedule,
    mut progress: impl FnMut(Height, Height),
) -> Result<AuditReport, FolderAuditError> {
    let store = Store::open_read_only(folder)?;
    let own = stored_genesis(&store)?;
    if let Some(expected) = genesis
        && expected.chain_id() != own.chain_id()
    {
        let (found, expected) = (own.chain_id().to_string(), expected.chain_id().to_string());
        return Err(FolderAuditError::OtherChain { found, expected });
    }
    let mut auditor = Auditor::new(&own, schedule)?;
    let missing = || StoreError::damaged(Column::Meta, "tip", "it is missing");
    let last = store.tip()?.ok_or_else(missing)?.height;
    let mut next = Height::GENESIS.next();
    while next <= last {
        let end = next.get().saturating_add(BLOCKS_PER_WINDOW).min(last.next().get());
        let window: Vec<_> = (next.get()..end)
            .into_par_iter()
            .map(|height| prepare(&store, Height::new(height)))
            .collect();
        for prepared in window {
            auditor.check_block(prepared?)?;
            progress(next, last);
            next = next.next();
        }
    }
    let records = store.read_records()?.into_iter().map(|(key, record)| HistoryRecord {
        key,
        slot: record.slot.map(|slot| slot.get()),
        value: record.value,
    });
    auditor.compare_records(records)?;
    // Rebuilding checks slots, the newest header and the frontier of the log.
    store.load_state(&own)?;
    Ok(auditor.finish()?.0)
}

fn stored_genesis(store: &Store) -> Result<Genesis, FolderAuditError> {
    let missing = || StoreError::NoLedger { folder: store.folder().to_owned() };
    let json = store.genesis()?.ok_or_else(missing)?;
    serde_json::from_str(&json).map_err(|error| FolderAuditError::Genesis(error.to_string()))
}

/// Reads a block, holds its entries against the log's leaves and verifies its signatures.
fn prepare(store: &Store, height: Height) -> Result<PreparedBlock, FolderAuditError> {
    let stored = store
        .block(height)?
        .ok_or_else(|| StoreError::damaged(Column::Headers, height, "the block is missing"))?;
    let log_size = stored.block.header.log_size;
    let header_entry = LogEntry::Header(stored.block.header.clone()).encode();
    let mut leaves = BTreeSet::new();
    let end = log_size.saturating_add(1);
    store.for_each_entry(stored.first_log_index, end, |index, entry| {
        let damaged = |reason| Err(StoreError::damaged(Column::Entries, index, reason));
        if index == log_size && entry != header_entry {
            return damaged("the header entry is not the block's header");
        }
        if store.log_node(0, index)? != Some(leaf_hash(entry)) {
            return damaged("the leaf of the log is not this entry's");
        }
        leaves.insert(index);
        Ok(())
    })?;
    if let Some(index) = (stored.first_log_index..end).find(|index| !leaves.contains(index)) {
        return Err(StoreError::damaged(Column::Entries, index, "the entry is missing").into());
    }
    let block = StoredBlock {
        block: stored.block.encode(),
        certificate: codec::encode(&stored.certificate),
        receipts: stored.receipts.iter().map(codec::encode).collect(),
        events: stored.events,
    };
    Ok(PreparedBlock::new(height, block)?)
}
