//! Nodes in one process, over loopback, with a toy ledger in memory.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

mod abstain;
mod faults;
#[cfg(feature = "byzantine")]
mod misbehave;
mod network;
mod toy;
mod validators;
