//! Proof files of every kind: read, verified offline, and shown.
//!
//! Two standards meet here. A `tlog-proof@v1` needs the policy of the log and nothing else; a proof
//! of ours needs the genesis document. A certificate rests on a proof of ours.

mod claims;
mod document;
mod newest;

pub use claims::claim_report;
pub use document::{Document, Evidence, damaged, parse_document, read_document, tlog_report};
pub use newest::{checkpoint_to_compare, require_newest, require_newest_log, require_one_log};
