//! Records under the state root of an anchor.

use serde::{Deserialize, Serialize};

use super::{Anchor, ProofError, ValidatorHistory};
use crate::block::Header;
use crate::codec;
use crate::state::{Key, KeyParts, Record, State, Table, UnitPlace, UnitRange, range_of_key};
use crate::tree::StateProof;
use crate::types::SerialRange;

/// Most records in one proof.
pub const RECORDS_PER_PROOF_MAX: usize = 4_096;

/// A record of the state and its path to the state root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordInclusion {
    /// Key of the record.
    pub key: Vec<u8>,
    /// Canonical bytes of the record.
    pub value: Vec<u8>,
    /// Path to the state root.
    pub state: StateProof,
}

impl RecordInclusion {
    /// The inclusion of a record in the newest state; none when there is no such committed record.
    pub fn of(state: &State, key: &Key) -> Option<Self> {
        let stored = state.stored(key)?;
        let proof = state.tree().prove(stored.slot?).ok()?;
        Some(Self { key: key.as_bytes().to_vec(), value: stored.value.to_vec(), state: proof })
    }

    /// Checks that the state of a header holds the record.
    ///
    /// The header is the caller's to check.
    ///
    /// # Errors
    /// [`ProofError::RecordKey`] or [`ProofError::Record`].
    pub fn verify(&self, header: &Header) -> Result<ProvedRecord, ProofError> {
        let key = || hex::encode(&self.key);
        let table = Table::of(&self.key).filter(|table| table.is_committed());
        let parts = KeyParts::of(&self.key);
        let (Some(table), Some(parts)) = (table, parts) else {
            return Err(ProofError::RecordKey { key: key() });
        };
        self.state.verify(&self.key, &self.value, &header.state_root).map_err(|error| {
            ProofError::Record { key: key(), table: table.name(), height: header.height, error }
        })?;
        Ok(ProvedRecord { parts, key: self.key.clone(), value: self.value.clone() })
    }
}

/// A record that a proof showed to be in the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedRecord {
    /// What the key names.
    pub parts: KeyParts,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl ProvedRecord {
    /// Key of the record.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Canonical bytes of the record.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// The record, of the table that its type lives in.
    ///
    /// # Errors
    /// [`ProofError::RecordBytes`].
    pub fn read<R: Record>(&self) -> Result<R, ProofError> {
        if Table::of(&self.key) != Some(R::TABLE) {
            return Err(self.wrong::<R>("the proof is of another table"));
        }
        codec::decode(&self.value).map_err(|error| self.wrong::<R>(error.to_string()))
    }

    /// The units of a record of ranges and where they are.
    ///
    /// # Errors
    /// [`ProofError::RecordBytes`].
    pub fn unit_range(&self) -> Result<(SerialRange, UnitPlace), ProofError> {
        let UnitRange { end, place } = self.read()?;
        let KeyParts::UnitRange(instrument, _) = &self.parts else {
            return Err(self.wrong::<UnitRange>("the key names no range"));
        };
        let range = range_of_key(*instrument, &self.key, end)
            .map_err(|fault| self.wrong::<UnitRange>(fault.to_string()))?;
        Ok((range, place))
    }

    fn wrong<R: Record>(&self, reason: impl Into<String>) -> ProofError {
        let (key, table) = (hex::encode(&self.key), R::TABLE.name());
        ProofError::RecordBytes { key, table, reason: reason.into() }
    }
}

/// Records of the state after a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordProof {
    /// The records, at least one.
    pub records: Vec<RecordInclusion>,
    /// Header and certificate of the block.
    pub anchor: Anchor,
}

impl RecordProof {
    /// Checks the anchor and every record.
    ///
    /// # Errors
    /// As [`Anchor::verify`] and [`RecordInclusion::verify`]; [`ProofError::Count`].
    pub fn verify(&self, validators: &ValidatorHistory) -> Result<Vec<ProvedRecord>, ProofError> {
        self.anchor.verify(validators)?;
        verify_records(&self.records, &self.anchor.header)
    }
}

/// Checks every record of a list that is neither empty nor too long.
pub(super) fn verify_records(
    records: &[RecordInclusion],
    header: &Header,
) -> Result<Vec<ProvedRecord>, ProofError> {
    let (found, max) = (records.len(), RECORDS_PER_PROOF_MAX);
    if found == 0 || found > max {
        return Err(ProofError::Count { found, max });
    }
    records.iter().map(|record| record.verify(header)).collect()
}
