//! The repair of a damaged folder: what is damaged is moved aside, never deleted, and the ledger is
//! fetched from the other nodes.
//!
//! Order of the durable steps, and why a crash between any two is safe:
//!
//! 1. A new store is made beside the ledger. It takes over what the damaged one still knows of the
//!    double-sign guard, and withholds votes until a block is committed that is later than this
//!    moment. A crash leaves it there; the next repair makes it anew.
//! 2. The damaged ledger is moved aside. A crash leaves no ledger: a node that is started makes an
//!    empty one, finds its consensus log far ahead and follows without voting; the next repair puts
//!    the new store in place.
//! 3. The new store takes its place.
//! 4. The consensus log is moved aside. Before it the log is ahead of the ledger, after it votes
//!    are withheld: either keeps the node from contradicting itself.

use std::fs::File;
use std::path::{Path, PathBuf};

use cets_contracts::types::BlockTime;

use crate::check::{CheckReport, Trouble, is_in_use};
use crate::store::{Carried, Store, StoreError};

/// Folder in the data folder that damaged parts are moved to.
const ASIDE: &str = "damaged";
const LEDGER: &str = "ledger";
const NEW_LEDGER: &str = "ledger.new";
const CONSENSUS_LOG: &str = "consensus/wal";
/// What the clocks of this node and of a third of the validators may differ by, with the drift of
/// block times on top, in milliseconds.
const CLOCKS_DIFFER_MILLIS_MAX: u64 = 60_000;

/// Why a folder is not repaired.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// A node runs on the folder.
    #[error("a node runs on {folder}; stop it first", folder = folder.display())]
    InUse {
        /// The data folder.
        folder: PathBuf,
    },
    /// A file or folder cannot be moved or made.
    #[error("cannot move or make {path}: {error}; nothing is deleted, run the repair again",
            path = path.display())]
    Files {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The new store cannot be made.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a repair did with the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedAside {
    /// Where the damaged parts are now.
    pub folder: PathBuf,
    /// The parts that were moved.
    pub parts: Vec<&'static str>,
    /// Time of a block up to which votes are withheld; none when the ledger stays.
    pub votes_after: Option<BlockTime>,
    /// Marks of the double-sign guard that were taken over.
    pub marks: usize,
}

/// Moves aside what is damaged and prepares an empty ledger in its place; `now` is the time of this
/// machine. None when nothing is to be moved.
///
/// # Errors
/// [`RepairError`]; what was done so far is gone on with by the next call.
pub fn move_aside(
    data: &Path,
    report: Option<&CheckReport>,
    now: BlockTime,
) -> Result<Option<MovedAside>, RepairError> {
    if is_in_use(data) {
        return Err(RepairError::InUse { folder: data.to_owned() });
    }
    let has = |wanted: &[Trouble]| {
        let findings = report.map(|report| report.findings.as_slice()).unwrap_or_default();
        findings.iter().any(|finding| wanted.contains(&finding.trouble))
    };
    let ledger = [
        Trouble::DatabaseClosed,
        Trouble::DatabaseFile,
        Trouble::WriteAheadLog,
        Trouble::Rows,
        Trouble::LedgerShort,
    ];
    let moves_ledger = has(&ledger) || report.is_none();
    let moves_log = has(&[Trouble::ConsensusLog, Trouble::ConsensusLogHeight]);
    if !moves_ledger && !moves_log {
        return Ok(None);
    }
    let folder = free_folder(&data.join(ASIDE))?;
    let mut moved = MovedAside { folder, parts: Vec::new(), votes_after: None, marks: 0 };
    if moves_ledger {
        replace_ledger(data, now, &mut moved)?;
    }
    let log = data.join(CONSENSUS_LOG);
    if log.exists() {
        rename(&log, &moved.folder.join("consensus-wal"))?;
        moved.parts.push(CONSENSUS_LOG);
    }
    Ok(Some(moved))
}

fn replace_ledger(data: &Path, now: BlockTime, moved: &mut MovedAside) -> Result<(), RepairError> {
    let [ledger, new] = [LEDGER, NEW_LEDGER].map(|name| data.join(name));
    let carried = Store::open_damaged(&ledger).map(|store| Carried::from(&store));
    let carried = carried.unwrap_or_default();
    if new.exists() {
        std::fs::remove_dir_all(&new).map_err(|error| failed(&new, error))?;
    }
    let votes_after = now.saturating_add_millis(CLOCKS_DIFFER_MILLIS_MAX);
    let store = Store::open(&new)?;
    store.take_over(&carried, votes_after)?;
    (moved.votes_after, moved.marks) = (store.votes_after()?, carried.marks.len());
    drop(store);
    if ledger.exists() {
        rename(&ledger, &moved.folder.join(LEDGER))?;
        moved.parts.push(LEDGER);
    }
    rename(&new, &ledger)
}

/// Makes a folder with the first number that is free.
fn free_folder(aside: &Path) -> Result<PathBuf, RepairError> {
    std::fs::create_dir_all(aside).map_err(|error| failed(aside, error))?;
    let mut number = 1u32;
    loop {
        let folder = aside.join(format!("{number:03}"));
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                number = number.saturating_add(1);
            }
            Err(error) => return Err(failed(&folder, error)),
        }
    }
}

/// Moves a file or folder; durable when it returns.
fn rename(from: &Path, to: &Path) -> Result<(), RepairError> {
    std::fs::rename(from, to).map_err(|error| failed(from, error))?;
    for path in [from, to] {
        if let Some(folder) = path.parent() {
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(|error| failed(folder, error))?;
        }
    }
    Ok(())
}

fn failed(path: &Path, error: std::io::Error) -> RepairError {
    RepairError::Files { path: path.to_owned(), error }
}
