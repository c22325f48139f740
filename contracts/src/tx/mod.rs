//! Transactions: body, signatures, identifier and the envelope every block must satisfy.

mod envelope;
mod explain;

pub use envelope::*;
pub use explain::*;
