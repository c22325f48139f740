//! The growing edge of the log.

use serde::{Deserialize, Serialize};

use super::hash::{LogHash, empty_root, join, node_hash};
use super::nodes::{LogError, NodeReader, peaks};
use crate::types::LogRoot;

/// Most entries of a log; a frontier that claims more is refused.
pub const LOG_ENTRIES_MAX: u64 = 1 << 62;

/// A completed node of the log, for the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogNode {
    /// Level; leaf hashes are level 0.
    pub level: u8,
    /// Index in the level.
    pub index: u64,
    /// Root over the entries `index · 2^level` up to `(index + 1) · 2^level`.
    pub hash: LogHash,
}

/// The perfect subtrees of a log and its size: enough to append and to know the root.
///
/// At most 64 hashes, so that it is cloned to execute a block without committing it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "FrontierBytes", into = "FrontierBytes")]
pub struct LogFrontier {
    size: u64,
    /// One subtree per one-bit of the size, largest (leftmost) first.
    peaks: Vec<LogHash>,
}

/// The form of a frontier in the canonical codec.
#[derive(Serialize, Deserialize)]
#[serde(rename = "LogFrontier")]
struct FrontierBytes {
    size: u64,
    #[serde(with = "crate::hash_path")]
    peaks: Vec<LogHash>,
}

/// A size and a number of subtrees that do not belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a log of {size} entries does not have {peaks} perfect subtrees, or exceeds 2^62 entries")]
pub struct FrontierError {
    /// Number of entries.
    pub size: u64,
    /// Number of subtrees.
    pub peaks: usize,
}

impl TryFrom<FrontierBytes> for LogFrontier {
    type Error = FrontierError;

    fn try_from(FrontierBytes { size, peaks }: FrontierBytes) -> Result<Self, FrontierError> {
        if size > LOG_ENTRIES_MAX || u32::try_from(peaks.len()) != Ok(size.count_ones()) {
            return Err(FrontierError { size, peaks: peaks.len() });
        }
        Ok(Self { size, peaks })
    }
}

impl From<LogFrontier> for FrontierBytes {
    fn from(frontier: LogFrontier) -> Self {
        Self { size: frontier.size, peaks: frontier.peaks }
    }
}

impl LogFrontier {
    /// The frontier of a log without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// The frontier of the first `size` entries of a stored log.
    ///
    /// # Errors
    /// [`LogError::NodeMissing`].
    pub fn read(reader: &impl NodeReader, size: u64) -> Result<Self, LogError> {
        Ok(Self { size, peaks: peaks(reader, 0, size)? })
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root over all entries.
    pub fn root(&self) -> LogRoot {
        join(self.peaks.iter().copied()).map_or_else(empty_root, LogRoot::new)
    }

    /// Appends an entry by its [`leaf_hash`](super::leaf_hash).
    pub fn append(&mut self, leaf_hash: LogHash) {
        self.append_one(leaf_hash, &mut |_| {});
    }

    /// Appends entries by their leaf hashes and returns every node they complete.
    ///
    /// The nodes are in the order of completion: each leaf hash (level 0), then the nodes above it
    /// that it completes; about two per entry. A store that keeps all nodes writes them as they
    /// are, a store that keeps tile rows those with [`LogNode::is_in_tile`].
    pub fn append_all(&mut self, leaf_hashes: impl IntoIterator<Item = LogHash>) -> Vec<LogNode> {
        let mut completed = Vec::new();
        for leaf_hash in leaf_hashes {
            self.append_one(leaf_hash, &mut |node| completed.push(node));
        }
        completed
    }

    fn append_one(&mut self, leaf_hash: LogHash, completed: &mut impl FnMut(LogNode)) {
        let (mut hash, mut level, mut index) = (leaf_hash, 0u8, self.size);
        completed(LogNode { level, index, hash });
        while index & 1 == 1 {
            let left = self.peaks.pop().expect("one peak per one-bit of the size");
            hash = node_hash(&left, &hash);
            (level, index) = (level.saturating_add(1), index >> 1);
            completed(LogNode { level, index, hash });
        }
        self.peaks.push(hash);
        self.size = self.size.checked_add(1).expect("a log stays far below 2^64 entries");
    }
}
