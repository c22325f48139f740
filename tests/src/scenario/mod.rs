//! Scenarios: transactions in lines that a registry officer can read, with their results.
//!
//! ```text
//! # comment
//! open    Power KeyEmittingEntity          opens an account at its registry, three people
//! Registry issue vintage=2021 lines=[(account=Power tonnes=100)] => accepted
//! Power   transfer to=Steel units=30*CEA-2021                    => accepted
//! Power   transfer to=Steel units=CEA-2021:1-10+31-40            => RANGE_NOT_HELD
//! Power[1] surrender ...                   signed by the first person of the desk alone
//! balance Power CEA-2021 free=70 surrendered=0
//! supply  CEA-2021 issued=100 free=100
//! money   Power 12.34                      yuan
//! owes    Power 2021 40
//! wait    3600                             seconds until the next block
//! last    outcomes.1.failed.number=1009    a fact of the last event
//! ```
//!
//! Orders are written field by field; what is left out is as in the rule's example, so that a new
//! rule needs no word here. Each transaction is a block of its own.

mod runner;
mod value;

pub use runner::*;
pub use value::*;
