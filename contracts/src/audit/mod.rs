//! The audit: the whole history again from genesis, trusting nobody.
//!
//! Decoding and signatures of a block need nothing before it ([`PreparedBlock`]) and may run on
//! many threads; certificates, rules, roots and invariants follow block by block ([`Auditor`]).

mod accusation;
mod auditor;
mod compare;
mod history;
mod light;
mod prepare;
mod resume;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
mod tests;

pub use accusation::*;
pub use auditor::*;
pub use compare::*;
pub use history::*;
pub use light::*;
pub use prepare::*;
pub use resume::*;
