//! Receipts: one final answer for every ordered transaction.

use serde::{Deserialize, Serialize};

use crate::codec;
use crate::domains;
use crate::rules::{Effects, Event, Reject};
use crate::types::{Digest, Height, TxId, domain_hash};

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its rule applied.
    Accepted,
    /// Its rule refused it; nothing changed.
    Rejected(Reject),
}

impl Outcome {
    /// Whether the rule applied.
    pub const fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted)
    }
}

/// The answer of the ledger to one transaction; part of its log entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The transaction.
    pub tx_id: TxId,
    /// Block that ordered it.
    pub height: Height,
    /// Position in the block.
    pub position: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// Digest of its [`EventRecord`]; that of nothing when refused.
    pub events: Digest,
}

/// What moved and what happened; stored beside the log, committed to by the receipt.
///
/// What moved comes first: a reader in another language follows units and money without knowing
/// the event of every rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// What moved.
    pub effects: Effects,
    /// What happened.
    pub event: Event,
}

impl EventRecord {
    /// Digest that receipts carry.
    pub fn digest(record: Option<&Self>) -> Digest {
        Self::digest_of_bytes(&record.map(codec::encode).unwrap_or_default())
    }

    /// Digest of the canonical bytes of a record; of no bytes for a refused transaction.
    pub fn digest_of_bytes(bytes: &[u8]) -> Digest {
        Digest::new(domain_hash(domains::EVENTS, &[bytes]))
    }
}
