//! The audit: the whole history again from genesis, trusting nobody.
//!
//! Decoding and signatures of a block need nothing before it ([`PreparedBlock`]) and may run on
//! many threads; certificates, rules, roots and invariants follow block by block ([`Auditor`]).

mod auditor;
mod history;
mod prepare;

pub use auditor::*;
pub use history::*;
pub use prepare::*;
