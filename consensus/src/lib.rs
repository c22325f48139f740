#![doc = include_str!("../README.md")]
// The engine is generic and compiled into this crate, which takes most of its build time. Unit
// tests cover what needs no engine; what does is left out of them and tested in `tests/it`.
#![cfg_attr(test, allow(dead_code, unused_imports))]

mod abstain;
#[cfg(not(test))]
mod app;
mod blocking;
#[cfg(all(feature = "byzantine", not(test)))]
mod byzantine;
mod codec;
mod config;
mod context;
#[cfg(not(test))]
mod engine;
mod evidence;
mod guard;
#[cfg(not(test))]
mod handlers;
mod keys;
mod ledger;
mod log_check;
#[cfg(not(test))]
mod misbehavior;
mod signing;
#[cfg(all(feature = "simulation", not(test)))]
pub mod simulation;
#[cfg(not(test))]
mod spawn;
mod statements;
mod status;
mod streams;
#[cfg(not(test))]
mod wal;

pub use config::*;
#[cfg(not(test))]
pub use engine::{EngineError, EngineHandle, EngineMonitor, start};
pub use evidence::*;
pub use guard::*;
pub use keys::*;
pub use ledger::*;
pub use log_check::{LogError, LogFindings, check_log};
#[cfg(not(test))]
pub use spawn::check_settings;
pub use statements::statement_prefix;
pub use status::*;
