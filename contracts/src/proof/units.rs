//! A range of units and whose it is.

use serde::{Deserialize, Serialize};

use super::record::verify_records;
use super::{Anchor, ProofError, RecordInclusion, ValidatorHistory};
use crate::state::UnitPlace;
use crate::types::{AccountId, SerialRange};

/// Shows that a range of units belongs to an account.
///
/// The records are those that hold the range, in the order of their serials; one when the whole
/// range has one status. At a million records and three signatures it is about 1.3 KiB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitProof {
    /// The units.
    pub range: SerialRange,
    /// Holder, or last holder when they have ended.
    pub holder: AccountId,
    /// Records that hold them.
    pub records: Vec<RecordInclusion>,
    /// Header and certificate of the block that the proof speaks of.
    pub anchor: Anchor,
}

/// Units whose place a proof showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedUnits {
    /// Parts of the range and where each is, in the order of their serials.
    pub parts: Vec<(SerialRange, UnitPlace)>,
}

impl UnitProof {
    /// Checks the anchor, the records, and that they cover the range for the holder.
    ///
    /// # Errors
    /// As [`super::RecordProof::verify`]; [`ProofError::OtherHolder`],
    /// [`ProofError::RangeNotCovered`].
    pub fn verify(&self, validators: &ValidatorHistory) -> Result<VerifiedUnits, ProofError> {
        self.anchor.verify(validators)?;
        let range = self.range;
        let mut parts = Vec::with_capacity(self.records.len());
        let mut next = range.start();
        for record in verify_records(&self.records, &self.anchor.header)? {
            let (stored, place) = record.unit_range()?;
            let part = stored.intersection(&range).filter(|part| part.start() == next);
            let part = part.ok_or(ProofError::RangeNotCovered { range })?;
            if place.holder != self.holder {
                let (found, claimed) = (place.holder, self.holder);
                return Err(ProofError::OtherHolder { range: stored, found, claimed });
            }
            next = part.end();
            parts.push((part, place));
        }
        if next != range.end() {
            return Err(ProofError::RangeNotCovered { range });
        }
        Ok(VerifiedUnits { parts })
    }
}
