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
//! and gathers later cosignatures until the next has one. A cosignature on another root than ours
//! is reported as what it is: a forked log.

mod cosigner;
mod gathering;
mod served;
mod vote;

pub use cosigner::{Cosigner, CosigningError};
pub use gathering::Checkpoints;
pub use served::ServedCheckpoint;
pub use vote::{
    CheckpointVote, VOTES_BYTES_MAX, VOTES_PER_MESSAGE_MAX, decode_votes, encode_votes,
};
