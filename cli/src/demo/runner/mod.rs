//! Carries the plan out on a real network and reads back what the ledger then says.
//!
//! - [`institutions`]: the network that is made, and the desks that sign
//! - [`orders`], [`phases`]: steps as transactions, and which of them may travel together
//! - [`readback`]: totals from the ledger's own blocks

pub mod institutions;
pub mod orders;
pub mod phases;
pub mod readback;

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]
mod rule_tests;
