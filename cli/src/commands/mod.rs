//! One file per noun: its arguments (their doc comments are the help text) and what it does.

pub mod completions;
pub mod context;
pub mod explain;
pub mod key;
pub mod network;
