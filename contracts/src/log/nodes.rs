//! Completed nodes, and roots made of them.

use super::hash::{LogHash, empty_root, join};
use crate::types::LogRoot;

/// Reads completed nodes: roots over the entries `index · 2^level` up to `(index + 1) · 2^level`.
///
/// Level 0 holds the leaf hashes.
pub trait NodeReader {
    /// The node; none when the log is too short for it or it was lost.
    fn node(&self, level: u8, index: u64) -> Option<LogHash>;
}

/// Why a proof cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The entry is not in a log of this size.
    #[error("entry {index} is not in a log of {size} entries")]
    IndexBeyondSize {
        /// Entry asked for.
        index: u64,
        /// Size asked for.
        size: u64,
    },
    /// The older size is larger than the newer.
    #[error("a log of {old} entries is not older than one of {new}")]
    SizesReversed {
        /// Size called older.
        old: u64,
        /// Size called newer.
        new: u64,
    },
    /// The reader has no such node: the log is shorter than asked for, or damaged.
    #[error("the log node of level {level} and index {index} is missing")]
    NodeMissing {
        /// Level of the node.
        level: u8,
        /// Index in the level.
        index: u64,
    },
}

/// Why a proof shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogProofError {
    /// The entry is outside a log of this size.
    #[error("entry {index} is not in a log of {size} entries")]
    IndexBeyondSize {
        /// Entry of the proof.
        index: u64,
        /// Size of the proof.
        size: u64,
    },
    /// The older size is larger than the newer.
    #[error("a log of {old} entries is not older than one of {new}")]
    SizesReversed {
        /// Size called older.
        old: u64,
        /// Size called newer.
        new: u64,
    },
    /// The path has another length than index and sizes demand.
    #[error("a path of {path} nodes does not fit the index and size it is for")]
    PathLength {
        /// Nodes in the path.
        path: usize,
    },
    /// The path leads to another older root.
    #[error("the path does not lead to the older root")]
    OtherOldRoot,
    /// The path leads to another root.
    #[error("the path does not lead to this root")]
    OtherRoot,
}

/// Root of the first `size` entries.
///
/// # Errors
/// [`LogError::NodeMissing`].
pub fn root_at(reader: &impl NodeReader, size: u64) -> Result<LogRoot, LogError> {
    if size == 0 {
        return Ok(empty_root());
    }
    range_root(reader, 0, size).map(LogRoot::new)
}

/// The perfect subtrees of the entries `begin..end`, largest (leftmost) first.
pub(super) fn peaks(
    reader: &impl NodeReader,
    begin: u64,
    end: u64,
) -> Result<Vec<LogHash>, LogError> {
    let mut found = Vec::new();
    let mut at = begin;
    while at < end {
        let level = end.saturating_sub(at).ilog2();
        let index = at.checked_shr(level).unwrap_or(0);
        let level = u8::try_from(level).expect("a u64 has 64 bits");
        found.push(reader.node(level, index).ok_or(LogError::NodeMissing { level, index })?);
        at = at.saturating_add(power_of_two(level));
    }
    Ok(found)
}

/// Root over the entries `begin..end`, which are one subtree of a log: `begin` is a multiple of a
/// power of two that is not below the number of entries.
pub(super) fn range_root(
    reader: &impl NodeReader,
    begin: u64,
    end: u64,
) -> Result<LogHash, LogError> {
    let root = join(peaks(reader, begin, end)?.into_iter());
    Ok(root.expect("a subtree has at least one entry"))
}

/// The largest power of two below `length`, where the subtree of `length > 1` entries is split.
pub(super) fn split_of(length: u64) -> u64 {
    let bits = length.saturating_sub(1).checked_ilog2().unwrap_or(0);
    power_of_two(u8::try_from(bits).expect("a u64 has 64 bits"))
}

/// `2^level`, for levels of a log.
pub(super) fn power_of_two(level: u8) -> u64 {
    1u64.checked_shl(level.into()).expect("a log has at most 64 levels")
}
