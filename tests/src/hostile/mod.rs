//! Strangers and known clients who mean ill, against a real node that honest clients use.
//!
//! - [`attacks`]: what is done to the node
//! - [`wire`]: bytes that no honest client sends
//! - [`honest`]: the clients whose answers are timed
//! - [`gauges`]: memory, processor and disk of the attacked process
//! - [`story`]: one attack from an unattacked node to the verdict

pub mod attacks;
pub mod gauges;
pub mod honest;
pub mod story;
pub mod wire;
