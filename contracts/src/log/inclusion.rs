//! Proofs that an entry is in the log (RFC 9162 section 2.1.3).

use serde::{Deserialize, Serialize};

use super::hash::{LogHash, leaf_hash, node_hash};
use super::nodes::{LogError, LogProofError, NodeReader, range_root, split_of};
use crate::types::LogRoot;

/// Shows that an entry is in the log of a root: the audit path from its leaf to the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogProof {
    /// Position of the entry.
    pub index: u64,
    /// Number of entries under the root.
    pub size: u64,
    /// Siblings from the leaf up.
    #[serde(with = "crate::hash_path")]
    pub path: Vec<LogHash>,
}

impl LogProof {
    /// The proof of entry `index` in the log of the first `size` entries.
    ///
    /// # Errors
    /// As [`inclusion_proof`].
    pub fn read(reader: &impl NodeReader, index: u64, size: u64) -> Result<Self, LogError> {
        Ok(Self { index, size, path: inclusion_proof(reader, index, size)? })
    }

    /// Checks that `entry` is at [`Self::index`] in the log of [`Self::size`] entries and `root`.
    ///
    /// # Errors
    /// As [`verify_inclusion`].
    pub fn verify(&self, entry: &[u8], root: &LogRoot) -> Result<(), LogProofError> {
        verify_inclusion(&leaf_hash(entry), self.index, self.size, &self.path, root)
    }
}

/// The audit path of entry `index` in the log of the first `size` entries, leaf first.
///
/// # Errors
/// [`LogError::IndexBeyondSize`] or [`LogError::NodeMissing`].
pub fn inclusion_proof(
    reader: &impl NodeReader,
    index: u64,
    size: u64,
) -> Result<Vec<LogHash>, LogError> {
    if index >= size {
        return Err(LogError::IndexBeyondSize { index, size });
    }
    let (mut begin, mut end) = (0u64, size);
    let mut path = Vec::new();
    while end.saturating_sub(begin) > 1 {
        let middle = begin.saturating_add(split_of(end.saturating_sub(begin)));
        if index < middle {
            path.push(range_root(reader, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(reader, begin, middle)?);
            begin = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// Checks an audit path (RFC 9162 section 2.1.3.2).
///
/// # Errors
/// [`LogProofError::IndexBeyondSize`], [`LogProofError::PathLength`] or
/// [`LogProofError::OtherRoot`].
pub fn verify_inclusion(
    leaf_hash: &LogHash,
    index: u64,
    size: u64,
    path: &[LogHash],
    root: &LogRoot,
) -> Result<(), LogProofError> {
    if index >= size {
        return Err(LogProofError::IndexBeyondSize { index, size });
    }
    let (mut position, mut last) = (index, size.saturating_sub(1));
    let mut node = *leaf_hash;
    let wrong_length = LogProofError::PathLength { path: path.len() };
    for sibling in path {
        if last == 0 {
            return Err(wrong_length);
        }
        if position & 1 == 1 || position == last {
            node = node_hash(sibling, &node);
            while position & 1 == 0 && position != 0 {
                (position, last) = (position >> 1, last >> 1);
            }
        } else {
            node = node_hash(&node, sibling);
        }
        (position, last) = (position >> 1, last >> 1);
    }
    if last != 0 {
        return Err(wrong_length);
    }
    if &node != root.as_bytes() {
        return Err(LogProofError::OtherRoot);
    }
    Ok(())
}
