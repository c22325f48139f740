//! Verifying a folder with a log: no node, no network.

use cets_contracts::block::Header;
use cets_contracts::genesis::Genesis;
use cets_contracts::transparency::{LogPath, WalkError, Walked, walk_log};

use super::LogFolder;
use super::trust::{CHANGES_FILE, Judged, Trust, broken};
use crate::error::CliError;
use crate::text;

/// What a folder turned out to hold.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The checkpoint and its quorum.
    pub judged: Judged,
    /// What was read.
    pub walked: Walked,
    /// Header of the last block; none without entries.
    pub header: Option<Header>,
}

/// Verifies checkpoint, tiles and, when they are there, entries; names the first wrong file.
pub fn verify_folder(
    folder: &mut LogFolder,
    genesis: &Genesis,
    progress: &mut dyn FnMut(u64),
) -> Result<Verified, CliError> {
    let changes = required(folder, CHANGES_FILE)?;
    let trust = Trust::new(genesis, &changes)?;
    let note = text_of(required(folder, &LogPath::Checkpoint.to_string())?)?;
    let judged = trust.judge(&note, None)?;
    let checkpoint = judged.cosigned.checkpoint.clone();
    let with_entries = folder.root().join("tile").join("entries").is_dir();
    let walked = walk_log(&checkpoint, folder, with_entries, progress).map_err(walk_failed)?;
    let mut verified = Verified { judged, walked, header: None };
    if let Some(entry) = &verified.walked.last_entry {
        let header = trust.last_header(&checkpoint, entry)?;
        // Now that the height is known, its own validators must have cosigned.
        verified.judged = trust.judge(&note, Some(header.height))?;
        verified.header = Some(header);
    }
    check_policy(folder, &trust, &verified)?;
    Ok(verified)
}

/// The policy in the folder must be the one that follows from the genesis document.
fn check_policy(folder: &LogFolder, trust: &Trust, verified: &Verified) -> Result<(), CliError> {
    let name = LogPath::Policy.to_string();
    let found = text_of(required(folder, &name)?)?;
    let height = verified.header.as_ref().map_or(verified.judged.since, |header| header.height);
    if trust.policy_at(height).as_deref() == Some(found.as_str()) {
        return Ok(());
    }
    Err(broken(text!(
        "{name} is not the policy of the validators of the checkpoint",
        "{name} 不是该检查点验证者的策略"
    )))
}

/// A wrong file in words.
pub(super) fn walk_failed(error: WalkError<CliError>) -> CliError {
    match error {
        WalkError::Read(error) => error,
        error => broken(text!("{error}", "日志文件有误：{error}")),
    }
}

pub(super) fn required(folder: &LogFolder, name: &str) -> Result<Vec<u8>, CliError> {
    folder.read_named(name)?.ok_or_else(|| {
        let path = folder.root().join(name);
        let path = path.display();
        broken(text!("{path} is missing", "缺少 {path}")).hint(text!(
            "`cets log export --folder DIR` writes it",
            "`cets log export --folder 目录` 可生成"
        ))
    })
}

pub(super) fn text_of(bytes: Vec<u8>) -> Result<String, CliError> {
    String::from_utf8(bytes)
        .map_err(|_| broken(text!("checkpoint or policy is no text", "检查点或策略不是文本")))
}
