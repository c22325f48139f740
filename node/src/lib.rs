#![doc = include_str!("../README.md")]

pub mod audit;
pub mod check;
pub mod checkpoints;
pub mod clock;
pub mod config;
pub mod gossip;
pub mod ledger;
pub mod mempool;
pub mod metrics;
pub mod read;
pub mod repair;
pub mod rpc;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod store;
pub mod web;

mod handle;
mod health;
mod node;

pub use handle::{NodeHandle, NodeParts, NodeStatus, WAIT_DEFAULT};
pub use health::{EngineView, Health};
pub use node::{Node, NodeError};
