//! One file per noun: its arguments (their doc comments are the help text) and what it does.

pub mod account;
pub mod audit;
pub mod block;
pub mod completions;
pub mod context;
pub mod explain;
pub mod holdings;
pub mod key;
pub mod network;
pub mod serial;
pub mod status;
pub mod tx;
