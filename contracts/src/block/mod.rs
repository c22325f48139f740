//! Blocks: header, certificate, validators, receipts, log entries and the one executor.

mod certificate;
mod entry;
mod execute;
mod header;
mod parties;
mod receipt;
mod validators;

pub use certificate::*;
pub use entry::*;
pub use execute::*;
pub use header::*;
pub use parties::touched_accounts;
pub use receipt::*;
pub use validators::*;
