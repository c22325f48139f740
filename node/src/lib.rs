#![doc = include_str!("../README.md")]

pub mod clock;
pub mod ledger;
pub mod mempool;
pub mod read;
pub mod rpc;
pub mod store;

mod handle;
mod health;

pub use handle::{NodeHandle, NodeParts, NodeStatus, WAIT_DEFAULT};
pub use health::{EngineView, Health};
