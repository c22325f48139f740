//! Hashes of entries and nodes.

use sha2::{Digest as _, Sha256};

use crate::types::LogRoot;

/// Hash of an entry or of a subtree.
pub type LogHash = [u8; 32];

/// First byte of what is hashed for a leaf and for a node: one is never taken for the other.
const LEAF_PREFIX: [u8; 1] = [0x00];
const NODE_PREFIX: [u8; 1] = [0x01];

/// Hash of a log entry: `SHA-256(0x00 ‖ entry)`.
pub fn leaf_hash(entry: &[u8]) -> LogHash {
    Sha256::new().chain_update(LEAF_PREFIX).chain_update(entry).finalize().into()
}

/// Hash of two subtrees: `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &LogHash, right: &LogHash) -> LogHash {
    Sha256::new().chain_update(NODE_PREFIX).chain_update(left).chain_update(right).finalize().into()
}

/// Root of a log without entries: `SHA-256("")`.
pub fn empty_root() -> LogRoot {
    LogRoot::new(Sha256::digest([]).into())
}

/// Root of consecutive perfect subtrees, largest first; `None` of none.
pub(super) fn join(peaks: impl DoubleEndedIterator<Item = LogHash>) -> Option<LogHash> {
    peaks.rev().reduce(|right, left| node_hash(&left, &right))
}
