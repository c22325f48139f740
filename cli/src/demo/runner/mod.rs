//! Carries the plan out on a real network and reads back what the ledger then says.
//!
//! - [`institutions`]: the network that is made, and the desks that sign
//! - [`orders`], [`phases`]: steps as transactions, and which of them may travel together
//! - [`processes`], [`driver`]: the nodes; sending transactions and waiting for their answers
//! - [`history`], [`readback`]: the nodes' blocks, compared with each other and added up
//! - [`trace`], [`holder`], [`chart`], [`report`]: what is shown and left at the end
//! - [`run`]: the whole job

pub mod chart;
pub mod driver;
pub mod history;
pub mod holder;
pub mod institutions;
pub mod orders;
pub mod phases;
pub mod processes;
pub mod readback;
pub mod report;
pub mod run;
pub mod trace;

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]
mod rule_tests;
