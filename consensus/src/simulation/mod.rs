//! A node's engine without threads, sockets, files and clocks, for simulations.
//!
//! The sans-IO core of the engine runs here behind the same loop that answers it in a real node:
//! [`SimulatedEngine`] does with the core's effects what the engine's actors do with them, over a
//! log in memory. Messages leave and arrive as the bytes of the real codec, time is what the
//! caller says it is, and everything happens on the caller's thread, so that a seed decides
//! everything.
//!
//! What is not the real thing: connections, and which peer a node that is behind asks for blocks
//! (the blocks it gets go through the real handlers).

mod application;
mod catch_up;
mod decoders;
mod device;
mod effects;
mod engine;
mod forge;
mod log;
mod log_file;
mod memo;
mod packets;

pub use decoders::{
    MessageKind, PartStreams, ReadLog, log_content, log_findings, read_log, response_length,
};
pub use device::{Device, Moment};
pub use engine::{Ending, Output, Setup, SimulatedEngine};
pub use forge::Forger;
pub use log_file::LogFile;
pub use memo::remember_signatures;
pub(crate) use memo::remembered;
pub use packets::{Channel, Packet};
