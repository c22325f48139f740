//! The audit: histories from a node or a file, checked again from genesis on all cores.
//!
//! What is checked is decided in `cets_contracts::audit`; here are the sources, the threads and
//! the progress; and what auditors do besides: the light audit, comparing holdings, accusations.

mod compare;
mod export;
mod fork;
mod light;
mod node_history;
mod resume_file;
mod source;
mod stored_history;
mod verify;

pub use compare::*;
pub use export::*;
pub use fork::*;
pub use light::*;
pub use node_history::*;
pub use resume_file::*;
pub use source::*;
pub use stored_history::*;
pub use verify::*;
