//! The audit of a data folder, with the auditor that `cets audit` uses too.
//!
//! Beside what the auditor checks it holds every row that blocks leave against execution: entries,
//! outcomes, log nodes, indexes and the newest frontier. The folder is opened for reading only,
//! also beside a running node.
//!
//! An audit that was interrupted goes on from a file of its own. What the file says of the state
//! is verified before it is believed: changes of the validators, certificate, state root, log root
//! and invariants; the entries in the folder must still give that log root. Last movements of
//! units and the numbers of rows counted so far are covered by the digest of the file alone, so
//! the file belongs where only the auditor writes; the report names the block after which the
//! audit went on.

mod progress;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cets_contracts::audit::{
    AuditError, AuditReport, Auditor, CheckedBlock, HistoryRecord, InvariantSchedule,
    PreparedBlock, StoredBlock,
};
use cets_contracts::block::ValidatorSet;
use cets_contracts::codec;
use cets_contracts::genesis::Genesis;
use cets_contracts::types::Height;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use self::progress::{Saving, load};
use crate::store::{Column, KeptFor, KeptStates, RowChecker, Store, StoreError};

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
    /// The height has no block yet, or is genesis.
    #[error("the ledger has blocks 1 to {newest}, height {asked} is none of them")]
    NoSuchHeight {
        /// Height asked for.
        asked: Height,
        /// Newest block.
        newest: Height,
    },
    /// The folder holds another ledger than expected.
    #[error("the folder holds chain {found}, expected is chain {expected}")]
    OtherChain {
        /// Chain of the folder.
        found: String,
        /// Chain of the genesis document.
        expected: String,
    },
    /// The audit cannot go on from its file.
    #[error("the audit cannot go on from {file}: {reason}; move the file away to audit from \
             genesis", file = file.display())]
    Resume {
        /// The file.
        file: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The file of the audit cannot be read or written.
    #[error("{file}: {error}", file = file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The audit was asked to stop before the end.
    #[error("interrupted after block {height}: nothing is wrong so far{}", goes_on(file.as_ref()))]
    Interrupted {
        /// Last block checked.
        height: Height,
        /// Where the audit was saved.
        file: Option<PathBuf>,
    },
}

fn goes_on(file: Option<&PathBuf>) -> String {
    let saved = |file: &PathBuf| format!("; the same command goes on from {}", file.display());
    file.map(saved).unwrap_or_default()
}

/// How an audit of a folder runs.
#[derive(Clone, Copy, Debug)]
pub struct FolderAuditPlan<'a> {
    /// When all invariants are checked.
    pub schedule: InvariantSchedule,
    /// File to go on from when it exists, and to save the audit to.
    pub resume: Option<&'a Path>,
    /// Blocks between two saves.
    pub save_every: u64,
    /// Set when the audit should save itself and stop.
    pub stop: Option<&'a AtomicBool>,
}

impl FolderAuditPlan<'_> {
    /// An audit from genesis to the end that saves nothing.
    pub const fn whole(schedule: InvariantSchedule) -> Self {
        Self { schedule, resume: None, save_every: u64::MAX, stop: None }
    }
}

/// What happened while blocks are replayed.
enum Step<'a> {
    /// A block was checked.
    Block(&'a CheckedBlock),
    /// All blocks of a window were checked.
    Window(&'a Auditor),
}

/// Replays the ledger of a folder, from genesis or from where an earlier run stopped, and compares
/// everything stored.
///
/// `genesis` is the document to start from; that of the folder without. `progress` hears of every
/// checked height and the last one.
///
/// # Errors
/// [`FolderAuditError`]; [`FolderAuditError::Interrupted`] when the plan says to stop.
pub fn audit_folder(
    folder: &Path,
    genesis: Option<&Genesis>,
    plan: &FolderAuditPlan<'_>,
    mut progress: impl FnMut(Height, Height) + Send,
) -> Result<AuditReport, FolderAuditError> {
    let (store, own) = open(folder, genesis)?;
    let auditor = Auditor::new(&own, plan.schedule)?;
    let last = tip_of(&store)?;
    let mut validators = BTreeMap::from([(Height::GENESIS.next(), auditor.validators().clone())]);
    let (mut auditor, mut rows) = match plan.resume.filter(|file| file.exists()) {
        Some(file) => load(file, &store, &own, plan.schedule)?,
        None => (auditor, RowChecker::new(&store)),
    };
    let saved = auditor.state().tip.height;
    let mut saving = Saving { file: plan.resume, every: plan.save_every, saved };
    replay(&store, &mut auditor, last, |step| match step {
        Step::Block(checked) => {
            rows.check(checked)?;
            progress(checked.header.height, last);
            Ok(())
        }
        Step::Window(auditor) => {
            let height = auditor.state().tip.height;
            let stopped = plan.stop.is_some_and(|stop| stop.load(Ordering::Relaxed));
            saving.save(stopped, auditor, &rows)?;
            if stopped && height < last {
                let file = plan.resume.map(Path::to_owned);
                return Err(FolderAuditError::Interrupted { height, file });
            }
            Ok(())
        }
    })?;
    for change in auditor.validator_changes() {
        validators.insert(change.anchor.height().next(), change.validators.clone());
    }
    saving.save(true, &auditor, &rows)?;
    rows.finish(&validators)?;
    let records = store.read_records()?.into_iter().map(|(key, record)| HistoryRecord {
        key,
        slot: record.slot.map(|slot| slot.get()),
        value: record.value.into_vec(),
    });
    auditor.compare_records(records)?;
    // Rebuilding checks slots, the newest header and the frontier of the log.
    store.load_state(&own)?;
    Ok(auditor.finish()?.0)
}

/// Replays the ledger of a folder up to a height and keeps the state there, so that the node of
/// the folder proves it from then on, also one that runs meanwhile. Gives the file.
///
/// # Errors
/// [`FolderAuditError`]; [`FolderAuditError::NoSuchHeight`] beyond the newest block.
pub fn keep_state(
    folder: &Path,
    genesis: Option<&Genesis>,
    height: Height,
    mut progress: impl FnMut(Height, Height) + Send,
) -> Result<PathBuf, FolderAuditError> {
    let (store, own) = open(folder, genesis)?;
    let newest = tip_of(&store)?;
    if height == Height::GENESIS || height > newest {
        return Err(FolderAuditError::NoSuchHeight { asked: height, newest });
    }
    let mut auditor = Auditor::new(&own, InvariantSchedule { every_blocks: 0 })?;
    replay(&store, &mut auditor, height, |step| {
        if let Step::Block(checked) = step {
            progress(checked.header.height, height);
        }
        Ok(())
    })?;
    let records = auditor.state().committed_records().map(|(key, record)| {
        let slot = record.slot.map(|slot| slot.get());
        Ok(HistoryRecord { key: key.to_vec(), slot, value: record.value.to_vec() })
    });
    Ok(KeptStates::beside(store.folder()).write(height, KeptFor::Good, records)?)
}

fn open(folder: &Path, genesis: Option<&Genesis>) -> Result<(Store, Genesis), FolderAuditError> {
    let store = Store::open_read_only(folder)?;
    let own = stored_genesis(&store)?;
    if let Some(expected) = genesis
        && expected.chain_id() != own.chain_id()
    {
        let (found, expected) = (own.chain_id().to_string(), expected.chain_id().to_string());
        return Err(FolderAuditError::OtherChain { found, expected });
    }
    Ok((store, own))
}

fn tip_of(store: &Store) -> Result<Height, StoreError> {
    let missing = || StoreError::damaged(Column::Meta, "tip", "it is missing");
    Ok(store.tip()?.ok_or_else(missing)?.height)
}

/// Checks block after block up to a height while those after it are prepared.
fn replay(
    store: &Store,
    auditor: &mut Auditor,
    last: Height,
    mut each: impl FnMut(Step<'_>) -> Result<(), FolderAuditError> + Send,
) -> Result<(), FolderAuditError> {
    let mut next = auditor.state().tip.height.next();
    let mut ready = prepare(store, next, last, auditor.validators());
    while !ready.is_empty() {
        next = Height::new(next.get().saturating_add(BLOCKS_PER_WINDOW));
        let hint = auditor.validators().clone();
        // One thread executes in order while the others prepare what comes next.
        let (checked, prepared) = rayon::join(
            || {
                let mut blocks = ready.into_iter();
                blocks.try_for_each(|block| each(Step::Block(&auditor.check_block(block?)?)))
            },
            || prepare(store, next, last, &hint),
        );
        checked?;
        each(Step::Window(auditor))?;
        ready = prepared;
    }
    Ok(())
}

fn stored_genesis(store: &Store) -> Result<Genesis, FolderAuditError> {
    let missing = || StoreError::NoLedger { folder: store.folder().to_owned() };
    let json = store.genesis()?.ok_or_else(missing)?;
    serde_json::from_str(&json).map_err(|error| FolderAuditError::Genesis(error.to_string()))
}

/// Reads and prepares the blocks of a window on all threads; none beyond the last.
///
/// `validators` probably decide them: their certificates are verified here already.
fn prepare(
    store: &Store,
    first: Height,
    last: Height,
    validators: &ValidatorSet,
) -> Vec<Result<PreparedBlock, FolderAuditError>> {
    let validators = Arc::new(validators.clone());
    let end = first.get().saturating_add(BLOCKS_PER_WINDOW).min(last.next().get());
    (first.get()..end)
        .into_par_iter()
        .map(|height| {
            let mut prepared = prepare_one(store, Height::new(height))?;
            prepared.check_certificate(&validators);
            Ok(prepared)
        })
        .collect()
}

/// Reads a block and verifies its signatures.
fn prepare_one(store: &Store, height: Height) -> Result<PreparedBlock, FolderAuditError> {
    let stored = store
        .block(height)?
        .ok_or_else(|| StoreError::damaged(Column::Headers, height, "the block is missing"))?;
    let block = StoredBlock {
        block: stored.block.encode(),
        certificate: codec::encode(&stored.certificate),
        receipts: stored.receipts.iter().map(codec::encode).collect(),
        events: stored.events,
    };
    Ok(PreparedBlock::new(height, block)?)
}
