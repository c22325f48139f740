//! Carries the plan out on a real network and reads back what the ledger then says.
//!
//! - [`institutions`]: the network that is made, and the desks that sign
//! - [`orders`], [`phases`]: steps as transactions, and which of them may travel together
//! - [`processes`]: the nodes
//! - [`driver`]: sends transactions over streams and waits until they are final
//! - [`readback`]: totals from the blocks of a node
//! - [`chart`], [`report`]: what is shown at the end

pub mod institutions;
pub mod orders;
pub mod phases;

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]
mod rule_tests;
