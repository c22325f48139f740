//! Proofs that a record is in the state.

use serde::{Deserialize, Serialize};

use super::hash::{Node, Pair, node_hash, state_root};
use super::{DEPTH_MAX, LeafHash, Slot};
use crate::types::StateRoot;

/// Shows that a record is in the state of a root: the path from its slot to the top.
///
/// At a million objects it is 20 nodes, 640 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateProof {
    /// Slot of the record.
    pub slot: Slot,
    /// Depth of the tree.
    pub depth: u8,
    /// Siblings from the leaf up; as many as the depth.
    #[serde(with = "crate::hash_path")]
    pub path: Vec<[u8; 32]>,
}

/// Why a state proof shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateProofError {
    /// The depth is beyond the deepest tree, or the path has another length than the depth.
    #[error("the path of {path} nodes does not fit depth {depth}; a tree has at most {DEPTH_MAX}")]
    PathLength {
        /// Nodes in the path.
        path: usize,
        /// Depth the proof states.
        depth: u8,
    },
    /// The slot is outside a tree of this depth.
    #[error("slot {slot} is outside a tree of depth {depth}")]
    SlotOutside {
        /// Slot of the proof.
        slot: Slot,
        /// Depth the proof states.
        depth: u8,
    },
    /// Record and path lead to another root.
    #[error("the record and its path do not lead to this state root")]
    OtherRoot,
}

impl StateProof {
    /// Checks that the state of `root` holds `value` under `key`.
    pub fn verify(
        &self,
        key: &[u8],
        value: &[u8],
        root: &StateRoot,
    ) -> Result<(), StateProofError> {
        let Self { slot, depth, .. } = *self;
        if depth > DEPTH_MAX || self.path.len() != usize::from(depth) {
            return Err(StateProofError::PathLength { path: self.path.len(), depth });
        }
        let mut node: Node = *LeafHash::of(key, value).as_bytes();
        let mut position = slot.index();
        for sibling in &self.path {
            let pair = if position & 1 == 0 { [node, *sibling] } else { [*sibling, node] };
            node = node_hash(&Pair(pair));
            position >>= 1;
        }
        if position != 0 {
            return Err(StateProofError::SlotOutside { slot, depth });
        }
        if state_root(depth, &node) != *root {
            return Err(StateProofError::OtherRoot);
        }
        Ok(())
    }
}
