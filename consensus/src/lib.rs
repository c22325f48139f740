#![doc = include_str!("../README.md")]

mod config;
mod evidence;
mod guard;
mod keys;
mod ledger;
mod status;

pub use config::*;
pub use evidence::*;
pub use guard::*;
pub use keys::*;
pub use ledger::*;
pub use status::*;
