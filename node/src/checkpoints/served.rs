//! A checkpoint while it gathers cosignatures, and as it is served.

use std::collections::BTreeMap;

use cets_contracts::block::ValidatorSet;
use cets_contracts::transparency::{Checkpoint, Cosignature, NoteError, Policy, quorum_count};
use cets_contracts::types::{BlockTime, Height, PublicKey};

use super::vote::CheckpointVote;
use crate::store::StoredCheckpoint;

/// A checkpoint with a quorum of cosignatures, as texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedCheckpoint {
    /// Height of its block.
    pub height: Height,
    /// Entries that it covers.
    pub size: u64,
    /// Validators that cosigned it.
    pub cosigned: usize,
    /// The signed note.
    pub note: String,
    /// The policy of the validators of its height.
    pub policy: String,
}

/// A checkpoint of this node's log with the cosignatures known so far, each verified.
#[derive(Clone, Debug)]
pub(super) struct Gathered {
    pub(super) height: Height,
    pub(super) checkpoint: Checkpoint,
    pub(super) time: BlockTime,
    pub(super) validators: ValidatorSet,
    pub(super) cosignatures: BTreeMap<PublicKey, Cosignature>,
}

impl Gathered {
    /// Whether a key is the cosigner key of one of its validators.
    pub(super) fn is_by_validator(&self, key: &PublicKey) -> bool {
        self.validators.members().iter().any(|member| member.cosigner_key == *key)
    }

    /// All cosignatures as they travel.
    pub(super) fn votes(&self) -> impl Iterator<Item = CheckpointVote> {
        let Checkpoint { size, root, .. } = self.checkpoint;
        self.cosignatures.values().map(move |one| CheckpointVote { size, root, cosignature: *one })
    }

    /// The cosignature of a key as it travels.
    pub(super) fn vote_of(&self, key: &PublicKey) -> Option<CheckpointVote> {
        let cosignature = *self.cosignatures.get(key)?;
        let Checkpoint { size, root, .. } = self.checkpoint;
        Some(CheckpointVote { size, root, cosignature })
    }

    pub(super) fn has_quorum(&self) -> bool {
        self.cosignatures.len() >= quorum_count(&self.validators)
    }

    pub(super) fn serve(&self) -> Result<ServedCheckpoint, NoteError> {
        let cosignatures: Vec<Cosignature> = self.cosignatures.values().copied().collect();
        let note = self.checkpoint.cosigned(&self.validators, &cosignatures)?;
        let policy = Policy::of_validators(&self.checkpoint.origin, &self.validators)?;
        Ok(ServedCheckpoint {
            height: self.height,
            size: self.checkpoint.size,
            cosigned: self.cosignatures.len(),
            note: note.to_string(),
            policy: policy.to_string(),
        })
    }

    pub(super) fn stored(&self) -> StoredCheckpoint {
        StoredCheckpoint {
            height: self.height,
            size: self.checkpoint.size,
            root: self.checkpoint.root,
            cosignatures: self.cosignatures.values().copied().collect(),
        }
    }
}
