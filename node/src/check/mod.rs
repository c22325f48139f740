//! The check of a stopped node's folder: every file, every table, every root, and what to do about
//! what is found.
//!
//! A check looks at
//! - every byte of the files of the database that stands for no row, every row of every table, and
//!   through them the checksum of every block of rows,
//! - the chain of headers, the certificates, the log from its entries, and the state from its
//!   records, each against the roots that a quorum signed,
//! - the consensus log, the double-sign guard, kept states, and with a configuration the genesis
//!   document and the keys.
//!
//! A deep check is the audit besides: every transaction is executed again and every row that blocks
//! leave is compared with what execution gives.

mod beside;
mod chain;
mod folder;
mod report;
mod trouble;

pub use folder::{CheckError, CheckPlan, check_folder, is_in_use};
pub use report::{CheckReport, Finding};
pub use trouble::Trouble;
