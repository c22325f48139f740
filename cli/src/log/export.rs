//! Exporting the log of a node to a folder, verified as it is written.

use cets_contracts::codec;
use cets_contracts::genesis::Genesis;
use cets_contracts::log::Tile;
use cets_contracts::transparency::{
    Checkpoint, LogFiles, LogPath, Note, WalkError, Walked, root_of_files, walk_log,
};

use super::LogFolder;
use super::trust::{CHANGES_FILE, GENESIS_FILE, Judged, Trust, broken};
use super::verify::{text_of, walk_failed};
use crate::client::Node;
use crate::error::CliError;
use crate::files::json_pretty;
use crate::text;

/// Files that are asked for at a time.
const REQUESTS_PARALLEL: usize = 32;

/// What an export did.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The checkpoint and its quorum.
    pub judged: Judged,
    /// What the folder holds now.
    pub walked: Walked,
    /// Whether entries were exported.
    pub with_entries: bool,
    /// Files that came from the node.
    pub fetched: usize,
}

/// Brings a folder up to the newest checkpoint of a node.
///
/// Files that are there already are read and verified, not fetched again, so that an export that
/// was cut off goes on where it stopped. The checkpoint is written last: until then the folder
/// holds the log of the checkpoint before.
pub fn export(
    node: &Node,
    genesis: &Genesis,
    folder: &LogFolder,
    entries: bool,
    begin: &mut dyn FnMut(u64),
    progress: &mut dyn FnMut(u64),
) -> Result<Exported, CliError> {
    let served = node.checkpoint()?;
    let changes = node.validator_chain()?;
    let encoded = codec::encode(&changes);
    let trust = Trust::new(genesis, &encoded)?;
    let judged = trust.judge(&served.checkpoint, Some(served.height))?;
    let checkpoint = judged.cosigned.checkpoint.clone();
    begin(checkpoint.size);
    let before = checkpoint_before(folder)?;
    if let Some(before) = &before
        && (before.size > checkpoint.size || before.origin != checkpoint.origin)
    {
        return Err(broken(text!(
            "the folder holds {} entries of {}, this node's checkpoint {} of {}",
            "目录中为 {} 条（{}），而该节点的检查点为 {} 条（{}）",
            before.size,
            before.origin,
            checkpoint.size,
            checkpoint.origin
        ))
        .hint(text!("ask another node, or another folder", "请换一个节点，或换一个目录")));
    }
    let mut files =
        Mirror { node, folder: folder.clone(), size: checkpoint.size, fetched: Vec::new() };
    let walked = match walk_log(&checkpoint, &mut files, entries, progress) {
        Ok(walked) => walked,
        Err(WalkError::Read(error)) => return Err(error),
        Err(error) => {
            files.discard()?;
            return Err(walk_failed(error));
        }
    };
    if let Some(before) = before {
        continues(folder, &before)?;
    }
    if let Some(entry) = &walked.last_entry {
        let header = trust.last_header(&checkpoint, entry)?;
        trust.judge(&served.checkpoint, Some(header.height))?;
    }
    folder.write_named(GENESIS_FILE, json_pretty(genesis)?.as_bytes())?;
    folder.write_named(CHANGES_FILE, &encoded)?;
    let policy = trust.policy_at(served.height).unwrap_or_default();
    folder.write_named(&LogPath::Policy.to_string(), policy.as_bytes())?;
    folder.write_named(&LogPath::Checkpoint.to_string(), served.checkpoint.as_bytes())?;
    Ok(Exported { judged, walked, with_entries: entries, fetched: files.fetched.len() })
}

/// The checkpoint of the folder from an earlier export.
fn checkpoint_before(folder: &LogFolder) -> Result<Option<Checkpoint>, CliError> {
    let name = LogPath::Checkpoint.to_string();
    let Some(bytes) = folder.read_named(&name)? else { return Ok(None) };
    let note = text_of(bytes)?.parse::<Note>();
    let wrong = |error: String| broken(text!("checkpoint: {error}", "checkpoint：{error}"));
    let note = note.map_err(|error| wrong(error.to_string()))?;
    note.text().parse().map(Some).map_err(|error| wrong(format!("{error}")))
}

/// The log in the folder must begin with the log that it held before.
fn continues(folder: &LogFolder, before: &Checkpoint) -> Result<(), CliError> {
    let root = root_of_files(&mut folder.clone(), before.size)?;
    if root == Some(before.root) {
        return Ok(());
    }
    Err(broken(text!(
        "the log of the node is forked: its first {} entries are not those of the checkpoint in \
         the folder",
        "该节点的日志已分叉：其前 {} 条与目录中的检查点不符",
        before.size
    ))
    .hint(text!(
        "keep both checkpoints as evidence and compare the nodes (`cets audit compare`)",
        "请保留两个检查点作为证据，并比对各节点（`cets audit compare`）"
    )))
}

/// A folder that is filled from a node as it is read.
struct Mirror<'a> {
    node: &'a Node,
    folder: LogFolder,
    /// Entries of the log that is exported.
    size: u64,
    fetched: Vec<LogPath>,
}

impl Mirror<'_> {
    /// Fetches a file together with those of the same kind after it that the folder lacks.
    fn fetch(&mut self, path: &LogPath) -> Result<Vec<u8>, CliError> {
        let mut batch = vec![*path];
        if let Some(tile) = path.tile() {
            let after = (tile.index..).skip(1).take(REQUESTS_PARALLEL.saturating_sub(1));
            let after = after.map_while(|index| Tile::at(tile.level, index, self.size));
            let after = after.map(|tile| match path {
                LogPath::Entries(_) => LogPath::Entries(tile),
                _ => LogPath::Tile(tile),
            });
            batch.extend(after.filter(|path| !self.folder.has(path)));
        }
        let contents = self.node.log_files(&batch)?;
        let mut wanted = None;
        for (fetched, content) in batch.iter().zip(contents) {
            self.folder.write_named(&fetched.to_string(), &content)?;
            self.fetched.push(*fetched);
            if fetched == path {
                wanted = Some(content);
            }
        }
        wanted.ok_or_else(|| self.node.nonsense("file of the log"))
    }

    /// Takes back what this export wrote: the node sent something wrong.
    fn discard(&self) -> Result<(), CliError> {
        self.fetched.iter().try_for_each(|path| self.folder.remove(path))
    }
}

impl LogFiles for Mirror<'_> {
    type Error = CliError;

    fn read(&mut self, path: &LogPath) -> Result<Option<Vec<u8>>, CliError> {
        match self.folder.read(path)? {
            Some(bytes) => Ok(Some(bytes)),
            None => self.fetch(path).map(Some),
        }
    }
}
