//! Cosigned checkpoints of the log: which are signed, how they gather, which is served.
//!
//! **Which.** The first block of every second of block time ends a checkpoint that validators
//! cosign. The rule looks at headers alone, so that all validators sign the same checkpoints, at
//! most one a second, however fast blocks are; a slow ledger has one per block. A node signs only
//! the newest.
//!
//! **Never two roots for one size.** A validator signs what its durable ledger holds, with the
//! block time as the time, so that a second signature on a checkpoint has the same bytes as the
//! first. What is signed is written before the signature leaves ([`crate::store::CosignedMark`]);
//! a smaller size or another root is refused, whatever the ledger says.
//!
//! **Gathering.** Cosignatures travel on the gossip network ([`CheckpointVote`]). Every node checks
//! them against its own log and the validators that decided the checkpoint's block: they are the
//! ones that the policy names. Strangers' are refused. A checkpoint is served from its quorum on,
//! and gathers later cosignatures until the next has one. What a node counts for the first time it
//! passes on to its peers once, and to whoever connects it sends what it gathered: a node needs no
//! connection to every validator.
//!
//! **Forks.** A validator's cosignature on another root than ours, or on a size that no checkpoint
//! here has, is reported and remembered. Once the same validator's cosignature on another root of
//! that size is known, both are kept durably and passed on
//! ([`crate::store::Store::checkpoint_forks`]): two signatures that no honest validator makes,
//! which anybody verifies without a node. Checkpoints a little below the served one are still
//! compared; cosignatures on older ones are passed over.

mod cosigner;
mod forks;
mod gathering;
mod served;
mod vote;

pub use cosigner::{Cosigner, CosigningError};
pub use gathering::Checkpoints;
pub use served::ServedCheckpoint;
pub use vote::{
    CheckpointVote, VOTES_BYTES_MAX, VOTES_PER_MESSAGE_MAX, decode_votes, encode_votes,
};
