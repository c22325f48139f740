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

    /// Canonical bytes of the entry of a transaction and its receipt.
    pub(crate) fn encode_transaction(transaction: &[u8], receipt: &Receipt) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(transaction.len().saturating_add(RECEIPT_BYTES_TYPICAL));
        codec::encode_into(&mut bytes, &Borrowed::Transaction { transaction, receipt });
        bytes
    }
}

/// Room made for a receipt and the head of an entry; most are smaller.
const RECEIPT_BYTES_TYPICAL: usize = 192;

/// A [`LogEntry`] of a transaction that stays where it is; encoded alike.
#[derive(Serialize)]
enum Borrowed<'a> {
    Transaction {
        #[serde(serialize_with = "codec::byte_string::serialize")]
        transaction: &'a [u8],
        receipt: &'a Receipt,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Outcome;
    use crate::types::{Digest, Height, TxId};

    #[test]
    fn a_borrowed_entry_is_encoded_as_the_entry() {
        for length in [0, 1, 127, 128, 20_000] {
            let receipt = Receipt {
                tx_id: TxId::new([1; 32]),
                height: Height::new(2),
                position: 3,
                outcome: Outcome::Accepted,
                events: Digest::new([4; 32]),
            };
            let transaction = vec![9; length];
            let borrowed = LogEntry::encode_transaction(&transaction, &receipt);
            assert_eq!(LogEntry::Transaction { transaction, receipt }.encode(), borrowed);
        }
    }
}
