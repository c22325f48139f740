//! The home directory and its `config.toml`: contexts, names of accounts, defaults.

mod edit;
mod file;

pub use edit::*;
pub use file::*;
