//! Documents that stay off the ledger: named by a file, known to the ledger by its digest.

use std::io::Read;
use std::str::FromStr;

use cets_contracts::types::Digest;

/// Bytes read at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// A digest, given as 64 hexadecimal digits or as a file whose BLAKE3 digest is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentDigest(pub Digest);

impl FromStr for DocumentDigest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(digest) = text.parse::<Digest>() {
            return Ok(Self(digest));
        }
        let failed = |error: std::io::Error| {
            format!("neither 64 hexadecimal digits nor a file that can be read: {error}")
        };
        let mut file = std::fs::File::open(text).map_err(failed)?;
        let mut hasher = blake3::Hasher::new();
        let mut chunk = vec![0u8; CHUNK_BYTES];
        loop {
            let read = file.read(&mut chunk).map_err(failed)?;
            match chunk.get(..read) {
                Some([]) | None => break,
                Some(bytes) => hasher.update(bytes),
            };
        }
        Ok(Self(Digest::new(*hasher.finalize().as_bytes())))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_named_by_its_digest_or_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("order.pdf");
        std::fs::write(&path, vec![7u8; 200_000]).unwrap();
        let expected = Digest::new(*blake3::hash(&[7u8; 200_000]).as_bytes());
        let by_file: DocumentDigest = path.to_str().unwrap().parse().unwrap();
        assert_eq!(by_file.0, expected);
        assert_eq!(expected.to_string().parse::<DocumentDigest>().unwrap().0, expected);
        assert!("no/such/file".parse::<DocumentDigest>().is_err());
    }
}
