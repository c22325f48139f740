//! The audit: histories from a node or a file, checked again from genesis on all cores.
//!
//! What is checked is decided in `cets_contracts::audit`; here are the sources, the threads and
//! the progress. Reading, signatures and execution overlap: one thread reads, all cores verify
//! signatures of blocks ahead, one thread executes in order.

mod export;
mod node_history;
mod source;
mod stored_history;
mod verify;

pub use export::*;
pub use node_history::*;
pub use source::*;
pub use stored_history::*;
pub use verify::*;
