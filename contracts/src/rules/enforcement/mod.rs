//! Enforcement: freezes by order.

pub mod freeze;
pub mod unfreeze;
