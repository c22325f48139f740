//! The form in which a history leaves a node: frames that any program can read one by one.
//!
//! A history is the magic bytes, then frames: a length (u32 BE) and that many canonical bytes of
//! a [`Frame`]. The first frame is the genesis document, then blocks in order, then the records
//! of the state after the last block, then the end.

use serde::{Deserialize, Serialize};

use crate::codec::{self, CodecError};
use crate::types::Height;

/// First bytes of a history.
pub const HISTORY_MAGIC: &[u8; 16] = b"cets-history-v1\n";
/// Most bytes of one frame.
pub const FRAME_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most records in one frame.
pub const RECORDS_PER_FRAME_MAX: usize = 4_096;

/// A block as a node stores it: what was decided, who signed it, and what execution left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredBlock {
    /// Canonical bytes of the block.
    #[serde(with = "codec::byte_string")]
    pub block: Vec<u8>,
    /// Canonical bytes of its certificate.
    #[serde(with = "codec::byte_string")]
    pub certificate: Vec<u8>,
    /// Canonical bytes of the receipts, in order.
    #[serde(with = "codec::byte_strings")]
    pub receipts: Vec<Vec<u8>>,
    /// Canonical bytes of the event records; empty for a refused transaction.
    #[serde(with = "codec::byte_strings")]
    pub events: Vec<Vec<u8>>,
}

/// A record of the state as a node stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRecord {
    /// Key.
    #[serde(with = "codec::byte_string")]
    pub key: Vec<u8>,
    /// Slot in the state tree; none for derived tables.
    pub slot: Option<u64>,
    /// Canonical bytes.
    #[serde(with = "codec::byte_string")]
    pub value: Vec<u8>,
}

/// One piece of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame {
    /// The genesis document as JSON.
    Genesis(String),
    /// A block.
    Block(StoredBlock),
    /// Records of the state after the last block, in the order of their keys.
    Records(Vec<HistoryRecord>),
    /// The end: height of the last block.
    End(Height),
}

impl Frame {
    /// The frame with its length in front.
    pub fn encode(&self) -> Vec<u8> {
        let body = codec::encode(self);
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        [&length.to_be_bytes()[..], &body].concat()
    }

    /// The frame of its bytes, without the length.
    pub fn decode(body: &[u8]) -> Result<Self, CodecError> {
        codec::decode(body)
    }
}
