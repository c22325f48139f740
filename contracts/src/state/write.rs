//! What a block writes under a key, and how records are read from it.

use std::sync::Arc;

use super::{Account, Record, RecordBytes};
use crate::codec;
use crate::fault::Fault;

/// A write of a block.
///
/// Accounts stay decoded until the block is closed: those of a busy day are changed hundreds of
/// times in one block, and each is encoded once.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    /// The record is deleted.
    Delete,
    /// Canonical bytes.
    Bytes(RecordBytes),
    /// An account.
    Account(Arc<Account>),
}

impl Write {
    /// What is read back; none when the record is deleted.
    pub fn found(&self) -> Option<Found<'_>> {
        match self {
            Self::Delete => None,
            Self::Bytes(bytes) => Some(Found::Bytes(bytes)),
            Self::Account(account) => Some(Found::Account(account)),
        }
    }

    /// The account, if it is one.
    pub fn account(&self) -> Option<Arc<Account>> {
        match self {
            Self::Account(account) => Some(Arc::clone(account)),
            Self::Delete | Self::Bytes(_) => None,
        }
    }

    /// Canonical bytes; none when the record is deleted.
    pub fn into_bytes(self) -> Option<RecordBytes> {
        match self {
            Self::Delete => None,
            Self::Bytes(bytes) => Some(bytes),
            Self::Account(account) => Some(RecordBytes::from_vec(codec::encode(&*account))),
        }
    }
}

/// A record as it was found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found<'s> {
    /// Canonical bytes, of the state or of a write.
    Bytes(&'s [u8]),
    /// An account that the block wrote.
    Account(&'s Arc<Account>),
}

impl Found<'_> {
    /// The record of a key.
    pub fn read<R: Record>(self, key: &[u8]) -> Result<R, Fault> {
        match self {
            Self::Bytes(bytes) => decode(key, bytes),
            Self::Account(account) => R::of_account(account).ok_or_else(|| Fault::CorruptRecord {
                key: hex::encode(key),
                reason: format!("an account stands in table {}", R::TABLE.name()),
            }),
        }
    }
}

/// The record of canonical bytes.
pub(super) fn decode<R: Record>(key: &[u8], bytes: &[u8]) -> Result<R, Fault> {
    codec::decode(bytes)
        .map_err(|error| Fault::CorruptRecord { key: hex::encode(key), reason: error.to_string() })
}
