#![doc = include_str!("../README.md")]

mod app;
#[cfg(feature = "byzantine")]
mod byzantine;
mod codec;
mod config;
mod context;
mod engine;
mod evidence;
mod guard;
mod handlers;
mod keys;
mod ledger;
mod misbehavior;
mod signing;
mod spawn;
mod statements;
mod status;
mod streams;
mod wal;

pub use config::*;
pub use engine::{EngineError, EngineHandle, EngineMonitor, start};
pub use evidence::*;
pub use guard::*;
pub use keys::*;
pub use ledger::*;
pub use statements::statement_prefix;
pub use status::*;
