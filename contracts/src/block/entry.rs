//! Entries of the log.

use serde::{Deserialize, Serialize};

use super::{Header, Receipt};
use crate::codec;

/// Most bytes of an entry: the limit of `tlog-tiles` entry bundles.
pub const LOG_ENTRY_BYTES_MAX: usize = 65_535;

/// One leaf of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogEntry {
    /// An ordered transaction and its receipt.
    Transaction {
        /// The signed transaction as its signer sent it.
        #[serde(with = "codec::byte_string")]
        transaction: Vec<u8>,
        /// Its receipt.
        receipt: Receipt,
    },
    /// The header that closes a block.
    Header(Header),
}

impl LogEntry {
    /// Canonical bytes: what the leaf hash covers.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }
}
