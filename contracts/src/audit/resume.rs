//! The saved state of an audit that was interrupted.
//!
//! A snapshot holds the whole state after a block: all records, the frontier of the log, header
//! and certificate of the block, and the changes of the validator set. Loading it trusts nothing
//! that it can check: the validators follow from genesis and their changes, the certificate is
//! theirs, the records give the state root of the header, the frontier gives its log root, and all
//! invariants hold. What remains to trust is that somebody executed the blocks before it: a quorum
//! of validators, who certified that state, and the run that wrote the file. Remembered
//! transactions, a derived table outside of the state root, are covered by the digest of the file
//! alone; a history that carries records is held against them at its end.

use serde::{Deserialize, Serialize};

use std::collections::BTreeMap;

use super::{AuditError, Auditor, HistoryRecord, InvariantSchedule};
use crate::block::LogEntry;
use crate::codec::{self, CodecError};
use crate::fault::Fault;
use crate::genesis::Genesis;
use crate::log::{LogFrontier, leaf_hash};
use crate::proof::{Anchor, ProofError, ValidatorChain, ValidatorHistory};
use crate::state::{State, StoredRecord, Tip};
use crate::tree::{LeafHash, Slot, StateTree};
use crate::types::{Height, StateRoot};

/// First bytes of a saved audit.
pub const SNAPSHOT_MAGIC: &[u8; 20] = b"cets-audit-state-v1\n";
const DIGEST_BYTES: usize = 32;

/// Why an audit cannot go on from a saved state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResumeError {
    /// The bytes are no saved audit.
    #[error("it is no saved state of an audit, or it is cut off or damaged")]
    Damaged,
    /// The content does not decode.
    #[error("it does not decode: {0}")]
    Codec(#[from] CodecError),
    /// Certificate or validators do not verify.
    #[error("its block is not certified: {0}")]
    Certificate(Box<ProofError>),
    /// The records are not the state that the header names.
    #[error("its records have state root {found}, header {height} says {expected}")]
    StateRoot {
        /// Height.
        height: Height,
        /// Root in the header.
        expected: StateRoot,
        /// Root of the records.
        found: StateRoot,
    },
    /// The frontier is not the log that the header names.
    #[error("its log is not the one that header {height} names")]
    Log {
        /// Height.
        height: Height,
    },
}

/// The state of an audit after a block.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditSnapshot {
    /// Header and certificate of the block.
    anchor: Anchor,
    /// Changes of the validator set up to it.
    validators: ValidatorChain,
    /// Log before the header's entry.
    log: LogFrontier,
    /// Transactions executed, of them accepted, signatures and certificates verified so far.
    counted: [u64; 4],
    /// All records but those of indexes, in the order of their keys.
    records: Vec<HistoryRecord>,
}

impl AuditSnapshot {
    /// Height of its block.
    pub const fn height(&self) -> Height {
        self.anchor.header.height
    }

    /// The bytes of a file: magic, canonical bytes, and the BLAKE3 digest of both.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = SNAPSHOT_MAGIC.to_vec();
        bytes.extend_from_slice(&codec::encode(self));
        let digest = blake3::hash(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        bytes
    }

    /// Reads the bytes of a file. Nothing is verified but that the file is whole.
    ///
    /// # Errors
    /// [`ResumeError::Damaged`] or [`ResumeError::Codec`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ResumeError> {
        let end = bytes.len().checked_sub(DIGEST_BYTES).ok_or(ResumeError::Damaged)?;
        let (covered, digest) = bytes.split_at_checked(end).ok_or(ResumeError::Damaged)?;
        let content = covered.strip_prefix(SNAPSHOT_MAGIC).ok_or(ResumeError::Damaged)?;
        if blake3::hash(covered).as_bytes() != digest {
            return Err(ResumeError::Damaged);
        }
        Ok(codec::decode(content)?)
    }
}

impl Auditor {
    /// The state of the audit after the last block; none at genesis.
    pub fn snapshot(&self) -> Option<AuditSnapshot> {
        let anchor = self.last.clone()?;
        let report = &self.report;
        let records = self.state.records().map(|(key, record)| HistoryRecord {
            key: key.to_vec(),
            slot: record.slot.map(Slot::get),
            value: record.value.to_vec(),
        });
        Some(AuditSnapshot {
            anchor,
            validators: ValidatorChain { changes: self.validator_changes.clone() },
            log: self.log_before_header.clone(),
            counted: [report.transactions, report.accepted, report.signatures, report.certificates],
            records: records.collect(),
        })
    }

    /// Goes on after the block of a saved state, once everything about it was verified that can
    /// be without executing the blocks before it.
    ///
    /// # Errors
    /// [`AuditError::Resume`], [`AuditError::Invariant`] or [`AuditError::Genesis`].
    pub fn resume(
        genesis: &Genesis,
        schedule: InvariantSchedule,
        snapshot: AuditSnapshot,
    ) -> Result<Self, AuditError> {
        let mut auditor = Self::new(genesis, schedule)?;
        let AuditSnapshot { anchor, validators, log, counted, records } = snapshot;
        let certificate = |error| ResumeError::Certificate(Box::new(error));
        ValidatorHistory::verify(genesis, &validators)
            .and_then(|history| anchor.verify(&history))
            .map_err(certificate)?;
        let header = &anchor.header;
        let height = header.height;
        if log.size() != header.log_size || log.root() != header.log_root {
            return Err(ResumeError::Log { height }.into());
        }
        let mut log_after = log.clone();
        log_after.append(leaf_hash(&LogEntry::Header(header.clone()).encode()));
        let tip =
            Tip { chain_id: header.chain_id, height, time: header.time, block_id: header.id() };
        let records = stored(records)?;
        // A tree has room for every slot up to the highest: the records must be those of the
        // header before any is made.
        let (expected, found) = (header.state_root, root_of(&records)?);
        if expected != found {
            return Err(ResumeError::StateRoot { height, expected, found }.into());
        }
        let state = State::rebuild(records, log_after, tip)?;
        let report = &mut auditor.report;
        [report.transactions, report.accepted, report.signatures, report.certificates] = counted;
        auditor.go_on(state, anchor, log, validators.changes)?;
        auditor.check_invariants()?;
        Ok(auditor)
    }
}

fn root_of(records: &BTreeMap<Vec<u8>, StoredRecord>) -> Result<StateRoot, Fault> {
    let leaves = records
        .iter()
        .filter_map(|(key, record)| Some((record.slot?, LeafHash::of(key, &record.value))));
    StateTree::root_of(leaves).map_err(|error| Fault::Inconsistent { what: error.to_string() })
}

fn stored(records: Vec<HistoryRecord>) -> Result<BTreeMap<Vec<u8>, StoredRecord>, Fault> {
    let records = records.into_iter().map(|HistoryRecord { key, slot, value }| {
        let slot = slot.map(Slot::new).transpose().map_err(|_| Fault::CorruptRecord {
            key: hex::encode(&key),
            reason: "its slot is beyond the tree".to_owned(),
        })?;
        Ok((key, StoredRecord { slot, value: value.into() }))
    });
    records.collect()
}
