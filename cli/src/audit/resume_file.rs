//! The file from which an interrupted audit goes on.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use cets_contracts::audit::AuditSnapshot;

use crate::error::CliError;
use crate::text;

/// Reads a saved state.
pub fn read_snapshot(path: &Path) -> Result<AuditSnapshot, CliError> {
    let bytes = fs::read(path).map_err(|error| CliError::file(path, &error))?;
    AuditSnapshot::decode(&bytes).map_err(|error| {
        let path = path.display();
        CliError::user(text!("{path}: {error}", "{path}：{error}"))
            .hint(text!(
                "move the file away to audit from genesis",
                "移走该文件即可自创世起重新审计"
            ))
            .fact("audit", "not resumed")
    })
}

/// Replaces a saved state: written beside it, synced, then renamed, so that a crash leaves the old
/// one or the new one.
pub fn write_snapshot(path: &Path, snapshot: &AuditSnapshot) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::file(path, &error);
    let beside = path.with_extension("new");
    let mut file = File::create(&beside).map_err(failed)?;
    file.write_all(&snapshot.encode()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)
}
