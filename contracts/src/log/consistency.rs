//! Proofs that a log only grew (RFC 9162 section 2.1.4).

use serde::{Deserialize, Serialize};

use super::hash::{LogHash, empty_root, node_hash};
use super::nodes::{LogError, LogProofError, NodeReader, range_root, split_of};
use crate::types::LogRoot;

/// Shows that the log of a newer root begins with the whole log of an older one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyProof {
    /// Number of entries under the older root.
    pub old: u64,
    /// Number of entries under the newer root.
    pub new: u64,
    /// Nodes of both logs, deepest first.
    #[serde(with = "crate::hash_path")]
    pub path: Vec<LogHash>,
}

impl ConsistencyProof {
    /// The proof between two sizes of a stored log.
    ///
    /// # Errors
    /// As [`consistency_proof`].
    pub fn read(reader: &impl NodeReader, old: u64, new: u64) -> Result<Self, LogError> {
        Ok(Self { old, new, path: consistency_proof(reader, old, new)? })
    }

    /// Checks that the log of `new_root` begins with the log of `old_root`.
    ///
    /// # Errors
    /// As [`verify_consistency`].
    pub fn verify(&self, old_root: &LogRoot, new_root: &LogRoot) -> Result<(), LogProofError> {
        verify_consistency(self.old, self.new, &self.path, old_root, new_root)
    }
}

/// The nodes that show that the first `old` of `new` entries did not change.
///
/// Empty when `old` is 0 or equals `new`: nothing, or the same root, needs no nodes.
///
/// # Errors
/// [`LogError::SizesReversed`] or [`LogError::NodeMissing`].
pub fn consistency_proof(
    reader: &impl NodeReader,
    old: u64,
    new: u64,
) -> Result<Vec<LogHash>, LogError> {
    if old > new {
        return Err(LogError::SizesReversed { old, new });
    }
    let mut path = Vec::new();
    if old == 0 || old == new {
        return Ok(path);
    }
    let (mut begin, mut end) = (0u64, new);
    while end != old {
        let middle = begin.saturating_add(split_of(end.saturating_sub(begin)));
        if old <= middle {
            path.push(range_root(reader, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(reader, begin, middle)?);
            begin = middle;
        }
    }
    if begin != 0 {
        // The verifier does not know this part of the older log; from 0 on it is the older root.
        path.push(range_root(reader, begin, end)?);
    }
    path.reverse();
    Ok(path)
}

/// Checks a consistency proof (RFC 9162 section 2.1.4.2).
///
/// For `old` 0 the path is empty and the older root that of no entries; for `old` equal to `new`
/// the path is empty and the roots are equal.
///
/// # Errors
/// [`LogProofError::SizesReversed`], [`LogProofError::PathLength`],
/// [`LogProofError::OtherOldRoot`] or [`LogProofError::OtherRoot`].
pub fn verify_consistency(
    old: u64,
    new: u64,
    path: &[LogHash],
    old_root: &LogRoot,
    new_root: &LogRoot,
) -> Result<(), LogProofError> {
    let wrong_length = LogProofError::PathLength { path: path.len() };
    if old > new {
        return Err(LogProofError::SizesReversed { old, new });
    }
    if old == 0 || old == new {
        return verify_without_path(old, new, path, old_root, new_root);
    }
    // The first node is a perfect subtree that ends at the older log's last entry; when that is
    // the whole older log, its root stands for it and the path does not repeat it.
    let (first, rest) = if old.is_power_of_two() {
        (old_root.as_bytes(), path)
    } else {
        path.split_first().ok_or(wrong_length)?
    };
    let shared = old.trailing_zeros();
    let mut position = old.saturating_sub(1).checked_shr(shared).unwrap_or(0);
    let mut last = new.saturating_sub(1).checked_shr(shared).unwrap_or(0);
    let (mut old_node, mut new_node) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return Err(wrong_length);
        }
        if position & 1 == 1 || position == last {
            old_node = node_hash(sibling, &old_node);
            new_node = node_hash(sibling, &new_node);
            while position & 1 == 0 && position != 0 {
                (position, last) = (position >> 1, last >> 1);
            }
        } else {
            new_node = node_hash(&new_node, sibling);
        }
        (position, last) = (position >> 1, last >> 1);
    }
    if last != 0 {
        return Err(wrong_length);
    }
    if &old_node != old_root.as_bytes() {
        return Err(LogProofError::OtherOldRoot);
    }
    if &new_node != new_root.as_bytes() {
        return Err(LogProofError::OtherRoot);
    }
    Ok(())
}

/// The cases whose path is empty: nothing came before, or nothing was added.
fn verify_without_path(
    old: u64,
    new: u64,
    path: &[LogHash],
    old_root: &LogRoot,
    new_root: &LogRoot,
) -> Result<(), LogProofError> {
    if !path.is_empty() {
        return Err(LogProofError::PathLength { path: path.len() });
    }
    if old == 0 && *old_root != empty_root() {
        return Err(LogProofError::OtherOldRoot);
    }
    if old == new && old_root != new_root {
        return Err(LogProofError::OtherRoot);
    }
    Ok(())
}
