//! Entry bundles: up to 256 log entries in one file (C2SP `tlog-tiles`).

use crate::log::{ENTRIES_PER_BUNDLE, Tile};

/// Why bytes are no entry bundle, or entries make none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// An entry is longer than its length field can say.
    #[error("entry {position} of the bundle has more than 65,535 bytes")]
    EntryTooLong {
        /// Position in the bundle, from 0.
        position: usize,
    },
    /// No entry, or more than 256.
    #[error("a bundle has 1 to {ENTRIES_PER_BUNDLE} entries")]
    Count,
    /// The bytes end within an entry.
    #[error("the bundle ends within entry {position}")]
    Truncated {
        /// Position in the bundle, from 0.
        position: usize,
    },
}

/// Path of the bundle `index` in a log of `size` entries; none when it is empty then.
pub fn bundle_path(index: u64, size: u64) -> Option<String> {
    let tile = Tile::at(0, index, size)?.to_string();
    tile.strip_prefix("tile/0/").map(|rest| format!("tile/entries/{rest}"))
}

/// The bytes of a bundle: each entry after its length as two bytes, big-endian.
///
/// # Errors
/// [`BundleError::Count`] or [`BundleError::EntryTooLong`].
pub fn encode_bundle<T: AsRef<[u8]>>(entries: &[T]) -> Result<Vec<u8>, BundleError> {
    check_count(entries.len())?;
    let mut bytes = Vec::new();
    for (position, entry) in entries.iter().enumerate() {
        let entry = entry.as_ref();
        let length =
            u16::try_from(entry.len()).map_err(|_| BundleError::EntryTooLong { position })?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// The entries of a bundle.
///
/// # Errors
/// [`BundleError::Truncated`] or [`BundleError::Count`].
pub fn decode_bundle(mut bytes: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let truncated = BundleError::Truncated { position: entries.len() };
        let (length, rest) = bytes.split_first_chunk::<2>().ok_or(truncated)?;
        let (entry, rest) =
            rest.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(truncated)?;
        entries.push(entry);
        bytes = rest;
    }
    check_count(entries.len())?;
    Ok(entries)
}

fn check_count(count: usize) -> Result<(), BundleError> {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    if (1..=ENTRIES_PER_BUNDLE).contains(&count) { Ok(()) } else { Err(BundleError::Count) }
}
