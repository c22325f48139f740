//! The file from which an interrupted audit of a folder goes on.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use cets_contracts::audit::{AuditSnapshot, Auditor, InvariantSchedule};
use cets_contracts::codec;
use cets_contracts::genesis::Genesis;
use cets_contracts::types::Height;

use super::FolderAuditError;
use crate::store::{RowChecker, SavedRows, Store};

/// First bytes of the file.
const MAGIC: &[u8; 21] = b"cets-folder-audit-v1\n";
const DIGEST_BYTES: usize = 32;

/// Saves an audit after its last block; nothing at genesis.
///
/// Written beside the old file, synced, then renamed, so that a crash leaves the old one or the
/// new one.
pub(super) fn save(
    path: &Path,
    auditor: &Auditor,
    rows: &RowChecker<'_>,
) -> Result<(), FolderAuditError> {
    let Some(snapshot) = auditor.snapshot() else { return Ok(()) };
    let snapshot = snapshot.encode();
    let length = u64::try_from(snapshot.len()).unwrap_or(u64::MAX);
    let rows = codec::encode(&rows.saved());
    let mut bytes = [MAGIC, &length.to_be_bytes()[..], &snapshot, &rows].concat();
    let digest = blake3::hash(&bytes);
    bytes.extend_from_slice(digest.as_bytes());
    let failed = |error| FolderAuditError::File { file: path.to_owned(), error };
    let beside = path.with_extension("new");
    let mut file = File::create(&beside).map_err(failed)?;
    file.write_all(&bytes).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)
}

/// Goes on after the block of a saved audit, once all of it was verified that can be without
/// executing the blocks before it.
pub(super) fn load<'s>(
    path: &Path,
    store: &'s Store,
    genesis: &Genesis,
    schedule: InvariantSchedule,
) -> Result<(Auditor, RowChecker<'s>), FolderAuditError> {
    let bytes =
        fs::read(path).map_err(|error| FolderAuditError::File { file: path.to_owned(), error })?;
    let unusable = |reason: String| FolderAuditError::Resume { file: path.to_owned(), reason };
    let (snapshot, rows) = decode(&bytes).ok_or_else(|| {
        unusable("it is no file of an audit of a folder, or cut off or damaged".into())
    })?;
    let snapshot = AuditSnapshot::decode(snapshot).map_err(|error| unusable(error.to_string()))?;
    let auditor = Auditor::resume(genesis, schedule, snapshot)
        .map_err(|error| unusable(error.to_string()))?;
    let tip = &auditor.state().tip;
    let header = store.header(tip.height)?;
    if header.is_none_or(|header| header.id() != tip.block_id) {
        let height = tip.height;
        return Err(unusable(format!("the folder has another block {height}, or none")));
    }
    let rows = RowChecker::resume(store, rows, tip, &auditor.state().log)?;
    let rows = rows.ok_or_else(|| unusable("its rows are not those of its block".into()))?;
    Ok((auditor, rows))
}

fn decode(bytes: &[u8]) -> Option<(&[u8], SavedRows)> {
    let (covered, digest) = bytes.split_at_checked(bytes.len().checked_sub(DIGEST_BYTES)?)?;
    if blake3::hash(covered).as_bytes() != digest {
        return None;
    }
    let (length, rest) = covered.strip_prefix(MAGIC)?.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
    let (snapshot, rows) = rest.split_at_checked(length)?;
    Some((snapshot, codec::decode(rows).ok()?))
}

/// When an audit is saved.
#[derive(Debug)]
pub(super) struct Saving<'a> {
    pub(super) file: Option<&'a Path>,
    pub(super) every: u64,
    /// Height of the last save.
    pub(super) saved: Height,
}

impl Saving<'_> {
    /// Saves when it is time, or when it is asked for.
    pub(super) fn save(
        &mut self,
        now: bool,
        auditor: &Auditor,
        rows: &RowChecker<'_>,
    ) -> Result<(), FolderAuditError> {
        let Some(file) = self.file else { return Ok(()) };
        let height = auditor.state().tip.height;
        let due = height.get().saturating_sub(self.saved.get()) >= self.every;
        if (now || due) && height > self.saved {
            save(file, auditor, rows)?;
            self.saved = height;
        }
        Ok(())
    }
}
