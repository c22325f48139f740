//! What is answered to each message of the engine, one file per group.

pub mod decide;
pub mod extend;
pub mod propose;
pub mod receive;
pub mod start;
pub mod sync;
