//! Proofs that an entry is in the log (C2SP `tlog-proof@v1`).
//!
//! The line `extra` holds the entry itself, so that the file needs no companion: the leaf hash is
//! SHA-256 of a zero byte and what the line decodes to. Nothing trusts the line on its own; an
//! entry that is not the one in the log has another leaf hash.

use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::checkpoint::decimal;
use super::{Cosigned, Note, NoteError, Policy, PolicyError};
use crate::block::{LOG_ENTRY_BYTES_MAX, LogEntry};
use crate::codec::{self, CodecError};
use crate::log::{LogHash, LogProofError, leaf_hash, verify_inclusion};
use crate::types::LogIndex;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// Longest path: a log has at most 2^62 entries.
const PATH_NODES_MAX: usize = 63;

/// Why a text is no proof, or proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// The first line is another.
    #[error("the first line is not \"{FIRST_LINE}\"")]
    FirstLine,
    /// A line is malformed; lines count from 1.
    #[error("line {line} of the proof is not {expected}")]
    Line {
        /// The line.
        line: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// The checkpoint is malformed.
    #[error("the checkpoint of the proof: {0}")]
    Note(#[from] NoteError),
    /// The checkpoint does not satisfy the policy.
    #[error("the checkpoint of the proof: {0}")]
    Policy(#[from] PolicyError),
    /// The line `extra` is missing, so that there is no entry to check.
    #[error("the proof holds no entry (line \"extra\")")]
    NoEntry,
    /// The entry is not in the log.
    #[error("log entry {index} is not in the log of the checkpoint: {error}")]
    Inclusion {
        /// Position in the log.
        index: LogIndex,
        /// Why.
        error: LogProofError,
    },
    /// The entry does not decode.
    #[error("log entry {index} does not decode: {error}")]
    Entry {
        /// Position in the log.
        index: LogIndex,
        /// Why.
        error: CodecError,
    },
}

/// An entry, its path, and the checkpoint at whose root the path ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Canonical bytes of the log entry; none when they travel elsewhere.
    pub entry: Option<Vec<u8>>,
    /// Position in the log.
    pub index: LogIndex,
    /// Siblings from the leaf up.
    pub path: Vec<LogHash>,
    /// The checkpoint with its signatures.
    pub checkpoint: Note,
}

/// An entry that a proof showed to be in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedEntry {
    /// Position in the log.
    pub index: LogIndex,
    /// The entry.
    pub entry: LogEntry,
    /// The checkpoint and who cosigned it.
    pub cosigned: Cosigned,
}

impl TlogProof {
    /// Checks the checkpoint against a policy and the path against the checkpoint.
    ///
    /// # Errors
    /// [`TlogProofError::Policy`] or [`TlogProofError::Inclusion`].
    pub fn verify_leaf(&self, policy: &Policy, leaf: &LogHash) -> Result<Cosigned, TlogProofError> {
        let cosigned = policy.verify(&self.checkpoint)?;
        let (index, checkpoint) = (self.index, &cosigned.checkpoint);
        verify_inclusion(leaf, index, checkpoint.size, &self.path, &checkpoint.root)
            .map_err(|error| TlogProofError::Inclusion { index, error })?;
        Ok(cosigned)
    }

    /// As [`Self::verify_leaf`], for the entry that the proof holds.
    ///
    /// # Errors
    /// [`TlogProofError`].
    pub fn verify(&self, policy: &Policy) -> Result<VerifiedEntry, TlogProofError> {
        let bytes = self.entry.as_deref().ok_or(TlogProofError::NoEntry)?;
        let cosigned = self.verify_leaf(policy, &leaf_hash(bytes))?;
        let index = self.index;
        let entry = codec::decode(bytes).map_err(|error| TlogProofError::Entry { index, error })?;
        Ok(VerifiedEntry { index, entry, cosigned })
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if let Some(entry) = &self.entry {
            writeln!(f, "extra {}", STANDARD.encode(entry))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", STANDARD.encode(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for TlogProof {
    type Err = TlogProofError;

    fn from_str(text: &str) -> Result<Self, TlogProofError> {
        let bad = |line, expected| TlogProofError::Line { line, expected };
        let (head, checkpoint) =
            text.split_once("\n\n").ok_or(bad(1, "followed by an empty line and a checkpoint"))?;
        let mut lines = head.split('\n').zip(1..).peekable();
        if lines.next().is_none_or(|(line, _)| line != FIRST_LINE) {
            return Err(TlogProofError::FirstLine);
        }
        let mut entry = None;
        if let Some((line, number)) = lines.next_if(|(line, _)| line.starts_with("extra ")) {
            let encoded = line.strip_prefix("extra ").unwrap_or_default();
            let bytes = STANDARD.decode(encoded).map_err(|_| bad(number, "\"extra BASE64\""))?;
            if bytes.len() > LOG_ENTRY_BYTES_MAX {
                return Err(bad(number, "an entry of at most 65,535 bytes"));
            }
            entry = Some(bytes);
        }
        let (line, number) = lines.next().ok_or(bad(2, "\"index NUMBER\""))?;
        let index =
            line.strip_prefix("index ").and_then(decimal).ok_or(bad(number, "\"index NUMBER\""))?;
        let mut path = Vec::new();
        for (line, number) in lines {
            let hash = STANDARD.decode(line).ok().and_then(|bytes| bytes.try_into().ok());
            path.push(hash.ok_or(bad(number, "base64 of 32 bytes"))?);
            if path.len() > PATH_NODES_MAX {
                return Err(bad(number, "part of a path of at most 63 nodes"));
            }
        }
        Ok(Self { entry, index, path, checkpoint: checkpoint.parse()? })
    }
}
