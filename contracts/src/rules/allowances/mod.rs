//! Units of both kinds: issue of allowances, transfers and voluntary cancellation.

pub mod cancel;
pub mod issue;
pub mod transfer;
