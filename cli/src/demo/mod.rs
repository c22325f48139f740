//! The main job, `cets demo`: replays the national market of 2021 to 2023 on a network of four.
//!
//! The planner is pure: from the market's quotes (or the published monthly figures) and a seed it
//! makes one ordered list of steps whose totals equal every published one. The runner carries the
//! steps out on a real network and compares what the ledger then says with what was published.
//!
//! - [`figures`]: the published figures, with their sources
//! - [`quotes`], [`monthly`], [`calendar`]: what was traded on which day, by instrument and method
//! - [`population`]: the generated entities, their allowances, emissions and shortfalls
//! - [`reductions`]: the CCER units used for offsets
//! - [`lots`], [`trades`], [`positions`]: who sells what to whom, so that everyone can comply
//! - [`schedule`], [`plan`]: all steps in the order of business dates
//! - [`runner`]: the network, the transactions, and what the ledger says in the end
//! - [`totals`], [`comparison`]: totals of a ledger beside the published figures

pub mod apportion;
pub mod calendar;
pub mod comparison;
pub mod draws;
pub mod error;
pub mod figures;
pub mod lots;
pub mod monthly;
pub mod plan;
pub mod population;
pub mod positions;
pub mod quotes;
pub mod reductions;
pub mod runner;
pub mod schedule;
pub mod totals;
pub mod trades;

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod plan_tests;
