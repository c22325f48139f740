//! One file per noun: its arguments (their doc comments are the help text) and what it does.

pub mod account;
pub mod account_open;
pub mod audit;
pub mod block;
pub mod certificate;
pub mod completions;
pub mod context;
pub mod date;
pub mod demo;
pub mod explain;
pub mod freeze;
pub mod holdings;
pub mod issue;
pub mod key;
pub mod log;
pub mod market;
pub mod network;
mod network_cards;
pub mod node;
pub mod parameter;
pub mod prove;
pub mod status;
pub mod task;
pub mod trace;
pub mod tx;
pub mod units;
pub mod verify;
