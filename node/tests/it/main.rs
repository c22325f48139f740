//! Tests of the node, in one binary.

#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod audit;
mod cluster;
mod config;
mod crash;
mod ledger;
mod mempool;
mod serials;
mod world;
