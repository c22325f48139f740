//! Allowances and transfers of units.

pub mod issue;
pub mod transfer;
