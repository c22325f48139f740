//! Tests of the node, in one binary.

#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod audit;
mod check;
mod checkpoints;
mod cluster;
mod config;
mod crash;
mod errors;
mod keep;
mod ledger;
mod log_files;
mod mempool;
mod rpc;
mod rpc_access;
mod rpc_limits;
mod rpc_market;
mod rpc_network;
mod rpc_refusals;
mod serials;
mod upgrade;
mod vandal;
mod world;
