//! The ledger as consensus sees it: builds, judges and commits blocks over the store.
//!
//! Every block is executed once: what is proposed or found valid keeps its outcome in memory until
//! it is committed or can never be decided any more. A block read back after a restart, or one
//! that came too early, is executed when it is decided.

mod build;
mod judge;
mod keep;
mod node_ledger;
mod pending;
mod seal;
mod settings;

pub use keep::KeepRules;
pub use node_ledger::NodeLedger;
pub use settings::LedgerSettings;
