//! The files of the log (C2SP `tlog-tiles`), for gRPC and HTTP alike.

use cets_contracts::transparency::{LogPath, encode_bundle};

use super::RpcError;
use super::access::{Caller, Sight, Subject};
use super::desk::{Desk, read_failed};

/// A file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogFile {
    /// Which.
    pub(crate) path: LogPath,
    /// Its bytes: at most 8 KiB of hashes, or 256 entries of at most 65,537 bytes.
    pub(crate) content: Vec<u8>,
}

/// A file of the log as far as the served checkpoint covers it.
///
/// Checkpoint, policy and hashes are for everyone; entries for callers who see all blocks.
pub(crate) fn log_file(desk: &Desk, caller: &Caller, path: &str) -> Result<LogFile, RpcError> {
    let path: LogPath =
        path.parse().map_err(|error: cets_contracts::transparency::LogPathError| {
            RpcError::Argument { field: "path", reason: error.to_string() }
        })?;
    if matches!(path, LogPath::Entries(_)) && caller.sight(Subject::Blocks) != Sight::All {
        return Err(caller.refusal(Subject::Blocks));
    }
    let served = desk.node().checkpoints().served();
    let what = || "checkpoint with a quorum of cosignatures yet".to_owned();
    let served = served.ok_or_else(|| RpcError::NotFound { what: what() })?;
    if !path.is_within(served.size) {
        let what = format!("{path} in the {} entries that the checkpoint covers", served.size);
        return Err(RpcError::NotFound { what });
    }
    let content = match &path {
        LogPath::Checkpoint => served.note.clone().into_bytes(),
        LogPath::Policy => served.policy.clone().into_bytes(),
        LogPath::Tile(tile) => {
            let hashes = desk.reader().log_tile(tile).map_err(read_failed)?;
            hashes.ok_or_else(|| RpcError::failed(format!("the log has lost hashes of {path}")))?
        }
        LogPath::Entries(tile) => {
            let entries = desk.reader().log_entries(tile).map_err(read_failed)?;
            if entries.len() != usize::from(tile.width) {
                return Err(RpcError::failed(format!("the log has lost entries of {path}")));
            }
            encode_bundle(&entries).map_err(RpcError::failed)?
        }
    };
    Ok(LogFile { path, content })
}
