//! The canonical codec: BCS, decoded strictly.
//!
//! One value has one encoding. Decoding refuses trailing bytes, unknown tags, over-long lengths
//! and values that their type does not allow.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Deepest nesting of containers that is decoded.
pub const CODEC_DEPTH_MAX: usize = 16;

/// Why bytes are not the canonical encoding of a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct CodecError {
    /// What the decoder met; for people, never hashed.
    pub reason: String,
}

/// Canonical bytes of a value.
///
/// # Panics
/// Never for the types of this crate: BCS refuses only floats, maps of unknown length and
/// nesting deeper than [`CODEC_DEPTH_MAX`], and none of them has any.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    bcs::to_bytes_with_limit(value, CODEC_DEPTH_MAX).expect("types of this crate always encode")
}

/// The value of canonical bytes.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    bcs::from_bytes_with_limit(bytes, CODEC_DEPTH_MAX)
        .map_err(|error| CodecError { reason: error.to_string() })
}
