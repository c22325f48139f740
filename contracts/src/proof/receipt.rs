//! Transactions with their receipts under the log root of an anchor.

use serde::{Deserialize, Serialize};

use super::{Anchor, ProofError, ValidatorHistory};
use crate::block::{EventRecord, Header, LogEntry, Receipt};
use crate::codec;
use crate::log::LogProof;
use crate::tx::{Transaction, VerifiedTransaction};
use crate::types::LogIndex;

/// A transaction entry, its path to the log root, and the event record that its receipt commits
/// to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptInclusion {
    /// Canonical bytes of the log entry.
    pub entry: Vec<u8>,
    /// Path to the log root.
    pub log: LogProof,
    /// Canonical bytes of the event record; none when left out or the transaction was refused.
    pub events: Option<Vec<u8>>,
}

/// A receipt that a proof showed to be in the log.
#[derive(Clone, Debug)]
pub struct VerifiedReceipt {
    /// Position in the log.
    pub index: LogIndex,
    /// The transaction; its signatures were verified.
    pub transaction: VerifiedTransaction,
    /// What became of it.
    pub receipt: Receipt,
    /// What happened and what moved, when the proof holds it.
    pub events: Option<EventRecord>,
}

impl ReceiptInclusion {
    /// Checks that the log of a header holds the entry, and the entry itself: the transaction's
    /// signatures, its receipt and the event record.
    ///
    /// The header is the caller's to check.
    ///
    /// # Errors
    /// [`ProofError`] of the entry, the envelope or the events.
    pub fn verify(&self, header: &Header) -> Result<VerifiedReceipt, ProofError> {
        let index = self.log.index;
        let entry = verify_entry(&self.entry, &self.log, header)?;
        let LogEntry::Transaction { transaction, receipt } = entry else {
            return Err(ProofError::EntryKind { index, expected: "transaction" });
        };
        let transaction = Transaction::decode(transaction)
            .and_then(VerifiedTransaction::verify)
            .map_err(|error| ProofError::Envelope { index, error })?;
        let belongs = receipt.tx_id == transaction.id()
            && transaction.body().chain_id == header.chain_id
            && receipt.height <= header.height;
        if !belongs {
            return Err(ProofError::ReceiptMismatch { index, tx_id: transaction.id() });
        }
        let events = match &self.events {
            None => None,
            Some(bytes) => Some(verify_events(index, &receipt, bytes)?),
        };
        Ok(VerifiedReceipt { index, transaction, receipt, events })
    }
}

/// What was ordered, what became of it and what it moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptProof {
    /// The entry.
    pub receipt: ReceiptInclusion,
    /// Header and certificate of its block or a later one.
    pub anchor: Anchor,
}

impl ReceiptProof {
    /// Checks the anchor and the entry.
    ///
    /// # Errors
    /// As [`Anchor::verify`] and [`ReceiptInclusion::verify`].
    pub fn verify(&self, validators: &ValidatorHistory) -> Result<VerifiedReceipt, ProofError> {
        self.anchor.verify(validators)?;
        self.receipt.verify(&self.anchor.header)
    }
}

/// Checks that an entry is in the log of a header and decodes it.
pub(super) fn verify_entry(
    entry: &[u8],
    log: &LogProof,
    header: &Header,
) -> Result<LogEntry, ProofError> {
    let (index, height) = (log.index, header.height);
    if log.size != header.log_size {
        let (found, expected) = (log.size, header.log_size);
        return Err(ProofError::EntryLogSize { index, height, found, expected });
    }
    log.verify(entry, &header.log_root).map_err(|error| ProofError::Entry {
        index,
        height,
        error,
    })?;
    codec::decode(entry).map_err(|error| ProofError::EntryBytes { index, error })
}

fn verify_events(
    index: LogIndex,
    receipt: &Receipt,
    bytes: &[u8],
) -> Result<EventRecord, ProofError> {
    if EventRecord::digest_of_bytes(bytes) != receipt.events {
        return Err(ProofError::OtherEvents { index });
    }
    codec::decode(bytes).map_err(|error| ProofError::EventBytes { index, error })
}
