//! Transactions: body, signatures, identifier and the envelope every block must satisfy.

mod envelope;

pub use envelope::*;
