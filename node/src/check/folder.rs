//! The check from the first file to the verdict.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use cets_contracts::audit::InvariantSchedule;
use cets_contracts::genesis::Genesis;
use cets_contracts::types::Height;

use super::{CheckReport, Trouble, beside, chain};
use crate::audit::{FolderAuditError, FolderAuditPlan, audit_folder};
use crate::config::NodeConfig;
use crate::store::files::{FileKind, check_file, database_files};
use crate::store::{Column, Store, StoreError};

/// Folder of the ledger in the data folder.
pub(super) const LEDGER: &str = "ledger";
/// The consensus log in the data folder.
pub(super) const CONSENSUS_LOG: &str = "consensus/wal";

/// What is checked.
#[derive(Clone, Copy, Debug)]
pub struct CheckPlan<'a> {
    /// The data folder.
    pub data: &'a Path,
    /// The configuration whose keys and genesis document are checked as well.
    pub config: Option<&'a NodeConfig>,
    /// The genesis document that the ledger must start from.
    pub genesis: Option<&'a Genesis>,
    /// Whether every transaction is executed again.
    pub deep: bool,
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A node runs on the folder.
    #[error("a node runs on {folder}; stop it first", folder = folder.display())]
    InUse {
        /// The data folder.
        folder: PathBuf,
    },
    /// The folder holds no ledger.
    #[error(transparent)]
    NoLedger(StoreError),
    /// A file or folder cannot be read at all.
    #[error("cannot read {path}: {error}", path = path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The database failed for another reason than damage.
    #[error(transparent)]
    Store(StoreError),
}

/// Whether a node runs on a data folder: it holds its consensus log locked.
pub fn is_in_use(data: &Path) -> bool {
    match File::open(data.join(CONSENSUS_LOG)) {
        Ok(log) => log.try_lock().is_err(),
        Err(_) => false,
    }
}

/// Checks a folder and says what is wrong; `progress` hears what is looked at.
///
/// # Errors
/// [`CheckError`] when nothing can be said; damage is no error.
pub fn check_folder(
    plan: &CheckPlan<'_>,
    mut progress: impl FnMut(&str) + Send,
) -> Result<CheckReport, CheckError> {
    let folder = plan.data.join(LEDGER);
    if is_in_use(plan.data) {
        return Err(CheckError::InUse { folder: plan.data.to_owned() });
    }
    if !folder.exists() {
        return Err(CheckError::NoLedger(StoreError::NoLedger { folder }));
    }
    let mut report =
        CheckReport { folder: plan.data.to_owned(), deep: plan.deep, ..CheckReport::default() };
    progress("files");
    check_files(&folder, &mut report)?;
    let store = match Store::open_read_only(&folder) {
        Ok(store) => Some(store),
        Err(error @ (StoreError::TooNew { .. } | StoreError::TooOld { .. })) => {
            return Err(CheckError::Store(error));
        }
        Err(error) => {
            note(&mut report, error);
            None
        }
    };
    if let Some(store) = &store {
        progress("tables");
        for column in Column::ALL {
            check_table(store, *column, &mut report);
        }
        chain::check(store, plan, &mut report, &mut progress);
    }
    progress("consensus log");
    beside::check_consensus_log(plan.data, store.as_ref(), &mut report);
    if let Some(store) = &store {
        beside::check_kept_states(store, &mut report);
    }
    if let Some(config) = plan.config {
        beside::check_config(config, store.as_ref(), &mut report);
    }
    drop(store);
    if plan.deep && report.is_sound() {
        progress("transactions");
        deepen(&folder, plan, &mut report, &mut progress);
    }
    Ok(report)
}

/// Notes what the store says.
pub(super) fn note(report: &mut CheckReport, error: StoreError) {
    match error {
        StoreError::Damaged { table, key, reason } => {
            report.add(Trouble::Rows, LEDGER, format!("table {table}, {key}"), reason);
        }
        StoreError::Corrupt { reason, .. } => {
            let (file, place) = place_of(&reason);
            report.add(Trouble::DatabaseFile, file, place, reason);
        }
        StoreError::Kept { file, reason } => {
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
            let file = format!("kept/{}", name.unwrap_or_default());
            report.add(Trouble::KeptState, file, "its records", reason);
        }
        StoreError::OtherChain { found, expected, .. } => {
            let what = format!("the ledger is of chain {found}, the genesis document {expected}");
            report.add(Trouble::Genesis, LEDGER, "table meta, genesis", what);
        }
        other => {
            let what = match other {
                StoreError::Open { reason, .. } | StoreError::Disk { reason, .. } => reason,
                other => other.to_string(),
            };
            let (file, place) = place_of(&what);
            report.add(Trouble::DatabaseClosed, file, place, what);
        }
    }
}

/// File and byte that a message of the database names: "… in /…/000012.sst offset 7 size 9".
fn place_of(reason: &str) -> (String, String) {
    let words: Vec<&str> = reason.split_whitespace().collect();
    let file = words.iter().rev().find_map(|word| {
        let name = word.trim_end_matches([',', ':', '.']).rsplit('/').next()?;
        let known = FileKind::of(Path::new(name)) != FileKind::Foreign;
        (known && (name.contains('.') || name.contains('-') || name == "CURRENT")).then_some(name)
    });
    let offset = words.iter().position(|word| *word == "offset");
    let offset = offset.and_then(|at| words.get(at.saturating_add(1)));
    let place = offset.map_or_else(|| "the file".to_owned(), |offset| format!("byte {offset}"));
    let file = file.map_or_else(|| LEDGER.to_owned(), |file| format!("{LEDGER}/{file}"));
    (file, place)
}

/// Looks at every byte of every file that stands for no row.
fn check_files(folder: &Path, report: &mut CheckReport) -> Result<(), CheckError> {
    let unreadable = |path: &Path, error| CheckError::Unreadable { path: path.to_owned(), error };
    let files = database_files(folder).map_err(|error| unreadable(folder, error))?;
    for path in files {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let file = format!("{LEDGER}/{}", name.unwrap_or_default());
        let kind = FileKind::of(&path);
        if kind == FileKind::Foreign {
            report.add(Trouble::ForeignFile, file, "the file", "it is no file of the database");
            continue;
        }
        let checked = match check_file(&path) {
            Ok(checked) => checked,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(unreadable(&path, error)),
        };
        report.files = report.files.saturating_add(1);
        report.bytes = report.bytes.saturating_add(checked.bytes);
        for damage in checked.damage {
            let trouble = match kind {
                _ if damage.harmless => Trouble::Padding,
                FileKind::WriteAhead => Trouble::WriteAheadLog,
                _ => Trouble::DatabaseFile,
            };
            let table = checked.table.as_ref().map(|table| format!(" (table {table})"));
            let place = format!("byte {}{}", damage.offset, table.unwrap_or_default());
            report.add(trouble, file.clone(), place, damage.what);
        }
        if checked.torn > 0 {
            let what = format!("its last {} bytes are a write without its end", checked.torn);
            let at = checked.bytes.saturating_sub(u64::try_from(checked.torn).unwrap_or(0));
            report.add(Trouble::TornWrite, file, format!("byte {at}"), what);
        }
    }
    Ok(())
}

/// Reads every row of a table.
fn check_table(store: &Store, column: Column, report: &mut CheckReport) {
    let scan = store.scan_table(column);
    report.rows = report.rows.saturating_add(scan.rows);
    for damage in scan.damage {
        let (file, byte) = place_of(&damage.reason);
        let place = format!("{byte} (table {}, after {})", column.name(), damage.after);
        report.add(Trouble::Rows, file, place, damage.reason);
    }
}

/// The audit.
fn deepen(
    folder: &Path,
    plan: &CheckPlan<'_>,
    report: &mut CheckReport,
    progress: &mut (impl FnMut(&str) + Send),
) {
    let audit = FolderAuditPlan::whole(InvariantSchedule { every_blocks: 1_000 });
    let shown = |height: Height, last: Height| {
        if height.get().is_multiple_of(1_000) || height == last {
            progress(&format!("transactions up to block {height} of {last}"));
        }
    };
    match audit_folder(folder, plan.genesis, &audit, shown) {
        Ok(audited) => report.executed = audited.transactions,
        Err(FolderAuditError::Store(error)) => note(report, error),
        Err(error) => report.add(Trouble::Rows, LEDGER, "the history", error.to_string()),
    }
}
