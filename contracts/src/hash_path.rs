//! Lists of hashes in proofs: bytes in the canonical codec, hexadecimal for people.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::types::Digest;

/// Writes the hashes of a path.
pub fn serialize<S: Serializer>(path: &[[u8; 32]], serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        serializer.collect_seq(path.iter().copied().map(Digest::new))
    } else {
        path.serialize(serializer)
    }
}

/// Reads the hashes of a path.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<[u8; 32]>, D::Error> {
    if deserializer.is_human_readable() {
        let path = Vec::<Digest>::deserialize(deserializer)?;
        Ok(path.iter().map(|hash| *hash.as_bytes()).collect())
    } else {
        Vec::deserialize(deserializer)
    }
}
