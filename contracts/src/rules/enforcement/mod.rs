//! Enforcement: freezes by order of a court or an authority.

pub mod freeze;
pub mod unfreeze;
