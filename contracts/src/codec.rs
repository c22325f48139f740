//! The canonical codec: BCS, decoded strictly.
//!
//! One value has one encoding. Decoding refuses trailing bytes, unknown tags, over-long lengths
//! and values that their type does not allow.

use std::collections::BTreeSet;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};

/// Deepest nesting of containers that is decoded.
pub const CODEC_DEPTH_MAX: usize = 16;

/// Room made before a value is encoded; most receipts, events and votes are smaller.
const ENCODED_BYTES_TYPICAL: usize = 256;

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
    let mut bytes = Vec::with_capacity(ENCODED_BYTES_TYPICAL);
    encode_into(&mut bytes, value);
    bytes
}

/// Canonical bytes of a value, in place of what a buffer held.
///
/// # Panics
/// As [`encode`].
pub(crate) fn encode_into<T: Serialize + ?Sized>(buffer: &mut Vec<u8>, value: &T) {
    buffer.clear();
    bcs::serialize_into_with_limit(buffer, value, CODEC_DEPTH_MAX)
        .expect("types of this crate always encode");
}

/// The value of canonical bytes.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    bcs::from_bytes_with_limit(bytes, CODEC_DEPTH_MAX)
        .map_err(|error| CodecError { reason: error.to_string() })
}

/// A set, which is written in ascending order: `#[serde(deserialize_with = "codec::ascending")]`.
///
/// serde's own way takes any order and repetitions, and so many encodings for one set.
pub(crate) fn ascending<'de, T, D>(deserializer: D) -> Result<BTreeSet<T>, D::Error>
where
    T: Deserialize<'de> + Ord,
    D: Deserializer<'de>,
{
    let list = Vec::<T>::deserialize(deserializer)?;
    if !list.is_sorted_by(|one, next| one < next) {
        return Err(D::Error::custom("a set is written in ascending order, each member once"));
    }
    Ok(list.into_iter().collect())
}

/// Byte strings written and read in one piece: `#[serde(with = "codec::byte_string")]`.
///
/// The encoding is that of a list of bytes, length first; serde's own way is one call per byte.
pub(crate) mod byte_string {
    use core::fmt;

    use serde::de::{Error, SeqAccess, Visitor};
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_byte_buf(Bytes)
    }

    struct Bytes;

    impl<'de> Visitor<'de> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }

        fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
            Ok(bytes)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<u8>, A::Error> {
            let mut bytes = Vec::new();
            while let Some(byte) = list.next_element()? {
                bytes.push(byte);
            }
            Ok(bytes)
        }
    }
}

/// Lists of byte strings, each written and read in one piece.
pub(crate) mod byte_strings {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Owned(#[serde(with = "super::byte_string")] Vec<u8>);

    #[derive(Serialize)]
    #[serde(transparent)]
    struct Borrowed<'a>(#[serde(serialize_with = "super::byte_string::serialize")] &'a [u8]);

    pub fn serialize<S: Serializer>(list: &[Vec<u8>], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(|bytes| Borrowed(bytes)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Vec<u8>>, D::Error> {
        let list = Vec::<Owned>::deserialize(deserializer)?;
        Ok(list.into_iter().map(|Owned(bytes)| bytes).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Plain {
        one: Vec<u8>,
        many: Vec<Vec<u8>>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct InOnePiece {
        #[serde(with = "byte_string")]
        one: Vec<u8>,
        #[serde(with = "byte_strings")]
        many: Vec<Vec<u8>>,
    }

    #[test]
    fn a_set_has_one_encoding() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Set(#[serde(deserialize_with = "ascending")] BTreeSet<u16>);
        let set = Set([1, 2, 700].into());
        assert_eq!(decode::<Set>(&encode(&set)), Ok(set));
        for list in [vec![2u16, 1], vec![1, 1]] {
            assert!(decode::<Set>(&encode(&list)).is_err(), "{list:?}");
        }
    }

    #[test]
    fn byte_strings_are_encoded_as_lists_of_bytes() {
        for length in [0, 1, 127, 128, 300] {
            let (one, many) = (vec![7; length], vec![vec![], vec![1; length], vec![2, 3]]);
            let plain = Plain { one: one.clone(), many: many.clone() };
            let piece = InOnePiece { one, many };
            assert_eq!(encode(&piece), encode(&plain));
            assert_eq!(decode::<InOnePiece>(&encode(&plain)).unwrap(), piece);
            let json = serde_json::to_string(&piece).unwrap();
            assert_eq!(json, serde_json::to_string(&plain).unwrap());
            assert_eq!(serde_json::from_str::<InOnePiece>(&json).unwrap(), piece);
        }
        let mut long = encode(&Plain { one: vec![1], many: vec![] });
        long[0] = 200;
        assert!(decode::<InOnePiece>(&long).is_err());
    }
}
