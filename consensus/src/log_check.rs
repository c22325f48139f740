//! Whether the bytes of a consensus log are as they were written.
//!
//! The engine opens a log, takes an entry that reaches beyond the end for a torn write, and cuts
//! it off with all that follows. A damaged length looks the same, and would make a validator
//! forget what it is locked on. An entry that was really torn has no good checksum at any length;
//! one whose length is damaged has, at its true length. So the log is looked at before the engine
//! opens it.
//!
//! Layout: version (u32 BE, 1), height (u64 BE), entries. An entry: whether it is compressed (u8,
//! 0), length (u64 BE), CRC-32 of its bytes (u32 BE), bytes.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use cets_contracts::types::Height;
use malachitebft_app_channel::app::consensus::SignedConsensusMsg;
use malachitebft_app_channel::app::types::codec::Codec as _;

use crate::codec::WireCodec;
use crate::context::EngineContext;

/// Version and height.
const HEADER_BYTES: usize = 12;
const VERSION: u32 = 1;
/// Compression, length and checksum.
const ENTRY_HEADER_BYTES: usize = 13;
/// Tag of an entry that holds a vote or a proposal, before its length as u64 and its bytes.
const MESSAGE_TAG: u8 = 1;
const MESSAGE_HEADER_BYTES: usize = 9;

/// What a consensus log holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFindings {
    /// Height whose messages it holds; none when there is no log, or only the start of one.
    pub height: Option<Height>,
    /// Entries that are sound.
    pub entries: u64,
    /// Bytes of header and sound entries.
    pub sound_bytes: usize,
    /// Bytes of a last entry that did not reach the disk whole; nothing signed is lost with it.
    pub torn_bytes: usize,
}

/// Why a consensus log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It cannot be read.
    #[error("the consensus log {path} cannot be read: {source}", path = path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// Its bytes are not as they were written.
    #[error(
        "the consensus log {path} is damaged at byte {offset}: {reason}; run `cetsd repair`, which \
         moves it aside: the node then follows without voting until what it may have signed is \
         decided", path = path.display()
    )]
    Damaged {
        /// Its path.
        path: PathBuf,
        /// Where the damage begins.
        offset: usize,
        /// What is wrong.
        reason: String,
    },
}

/// Looks at every byte of a log. A log that is not there, or whose header was not written to its
/// end, has no height.
///
/// # Errors
/// When it cannot be read or is damaged.
pub fn check_log(path: &Path) -> Result<LogFindings, LogError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(LogFindings::default()),
        Err(source) => return Err(LogError::Unreadable { path: path.to_owned(), source }),
    };
    check_bytes(&bytes).map_err(|(offset, reason)| {
        let (path, reason) = (path.to_owned(), reason.to_owned());
        LogError::Damaged { path, offset, reason }
    })
}

/// Looks at a log before the engine opens it, and cuts off a last entry that did not reach the
/// disk whole.
pub(crate) fn settle_log(path: &Path) -> Result<LogFindings, LogError> {
    let found = check_log(path)?;
    if found.torn_bytes > 0 && found.height.is_some() {
        tracing::warn!(
            log = %path.display(), bytes = found.torn_bytes, after = found.sound_bytes,
            "the last entry of the consensus log was not written to its end and is cut off"
        );
        let length = u64::try_from(found.sound_bytes).unwrap_or(u64::MAX);
        let cut = std::fs::File::options().write(true).open(path).and_then(|file| {
            file.set_len(length)?;
            file.sync_all()
        });
        cut.map_err(|source| LogError::Unreadable { path: path.to_owned(), source })?;
    }
    Ok(found)
}

/// Where and why bytes are no log.
pub(crate) type Wrong = (usize, &'static str);

/// Looks at the bytes of a log; when they are damaged, says where and how.
pub(crate) fn check_bytes(bytes: &[u8]) -> Result<LogFindings, Wrong> {
    let Some((header, _)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Ok(LogFindings { torn_bytes: bytes.len(), ..LogFindings::default() });
    };
    let [v0, v1, v2, v3, height @ ..] = *header;
    if u32::from_be_bytes([v0, v1, v2, v3]) != VERSION {
        return Err((0, "it names a version that is not known here"));
    }
    let height = Height::new(u64::from_be_bytes(height));
    let mut found = LogFindings { height: Some(height), ..LogFindings::default() };
    let mut at = HEADER_BYTES;
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(length) = check_entry(at, rest, height)? else {
            found.torn_bytes = rest.len();
            break;
        };
        found.entries = found.entries.saturating_add(1);
        at = at.saturating_add(length);
    }
    found.sound_bytes = at;
    Ok(found)
}

/// Bytes of an entry; none when it was not written to its end.
fn check_entry(at: usize, rest: &[u8], height: Height) -> Result<Option<usize>, Wrong> {
    let Some((header, after)) = rest.split_first_chunk::<ENTRY_HEADER_BYTES>() else {
        return Ok(None);
    };
    let [compressed, l0, l1, l2, l3, l4, l5, l6, l7, crc @ ..] = *header;
    let crc = u32::from_be_bytes(crc);
    let length = u64::from_be_bytes([l0, l1, l2, l3, l4, l5, l6, l7]);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let Some(content) = after.get(..length) else {
        return match has_length(crc, after) {
            true => Err((at, "the length of an entry is damaged")),
            false => Ok(None),
        };
    };
    if crc32fast::hash(content) != crc {
        if content.len() == after.len() && !has_length(crc, after) {
            // The last entry: its place was made, not all of its bytes were written.
            return Ok(None);
        }
        return Err((at, "an entry has not its checksum"));
    }
    if compressed != 0 {
        return Err((at, "an entry says that it is compressed, none is"));
    }
    if height_of(content).is_some_and(|of| of != height) {
        return Err((4, "the height of the log is not that of its entries"));
    }
    Ok(Some(ENTRY_HEADER_BYTES.saturating_add(length)))
}

/// Whether bytes have a checksum at any length.
fn has_length(crc: u32, bytes: &[u8]) -> bool {
    let mut hasher = crc32fast::Hasher::new();
    bytes.iter().any(|byte| {
        hasher.update(&[*byte]);
        hasher.clone().finalize() == crc
    })
}

/// Height of a vote or a proposal; none for other entries.
fn height_of(entry: &[u8]) -> Option<Height> {
    let (header, message) = entry.split_first_chunk::<MESSAGE_HEADER_BYTES>()?;
    if header.first() != Some(&MESSAGE_TAG) {
        return None;
    }
    let decoded = WireCodec.decode(Bytes::copy_from_slice(message)).ok()?;
    match decoded {
        SignedConsensusMsg::<EngineContext>::Vote(vote) => Some(vote.message.height.0),
        SignedConsensusMsg::Proposal(proposal) => Some(proposal.message.height.0),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    fn entry(content: &[u8]) -> Vec<u8> {
        let length = (content.len() as u64).to_be_bytes();
        let crc = crc32fast::hash(content).to_be_bytes();
        [&[0][..], &length, &crc, content].concat()
    }

    fn log() -> Vec<u8> {
        let header = [&VERSION.to_be_bytes()[..], &7u64.to_be_bytes()].concat();
        // Tag 2 is a timeout: step and round.
        [header, entry(&[2; 10]), entry(&[8; 300]), entry(&[2; 10])].concat()
    }

    #[test]
    fn a_sound_log_has_its_height_and_entries() {
        let found = check_bytes(&log()).unwrap();
        let sound_bytes = log().len();
        let height = Some(Height::new(7));
        assert_eq!(found, LogFindings { height, entries: 3, sound_bytes, torn_bytes: 0 });
    }

    #[test]
    fn an_entry_that_was_not_written_to_its_end_is_torn() {
        let whole = log();
        let before_last = whole.len() - entry(&[2; 10]).len();
        for length in before_last..whole.len() {
            let found = check_bytes(&whole[..length]).unwrap();
            assert_eq!((found.entries, found.sound_bytes), (2, before_last));
            assert_eq!(found.torn_bytes, length - before_last);
        }
        let mut zeros = whole.clone();
        zeros[whole.len() - 6..].fill(0);
        assert_eq!(check_bytes(&zeros).unwrap().torn_bytes, entry(&[2; 10]).len());
        assert_eq!(check_bytes(&whole[..5]).unwrap().height, None);
    }

    #[test]
    fn every_flipped_bit_before_the_last_entry_is_found() {
        let whole = log();
        let last = whole.len() - entry(&[2; 10]).len();
        for at in (0..4).chain(HEADER_BYTES..last) {
            for bit in 0..8 {
                let mut bad = whole.clone();
                bad[at] ^= 1 << bit;
                assert!(check_bytes(&bad).is_err(), "byte {at}, bit {bit}");
            }
        }
        // Of the last entry, a flipped length is told from a torn write.
        for bit in 0..8 {
            let mut bad = whole.clone();
            bad[last + 8] ^= 1 << bit;
            assert!(check_bytes(&bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_torn_entry_is_cut_off_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wal");
        assert_eq!(settle_log(&path).unwrap(), LogFindings::default());
        let whole = log();
        std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        assert_eq!(settle_log(&path).unwrap().entries, 2);
        let left = whole.len() - entry(&[2; 10]).len();
        assert_eq!(std::fs::read(&path).unwrap(), &whole[..left]);
        let mut bad = whole;
        bad[40] ^= 1;
        std::fs::write(&path, &bad).unwrap();
        let error = settle_log(&path).unwrap_err().to_string();
        assert!(error.contains("cetsd repair"), "{error}");
    }
}
