//! Talking to a node: connection, one method per question, failures in words.
//!
//! Ledger objects arrive as canonical bytes and are decoded here, so commands see typed values
//! only.

mod audits;
mod blocks;
mod connect;
mod failure;
mod ledger;
mod log;
pub mod proofs;
mod transactions;

pub use audits::unit_range;
pub use blocks::*;
pub use connect::*;
pub use failure::*;
pub use ledger::*;
pub use log::*;
pub use transactions::*;
