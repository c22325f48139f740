//! The double-sign guard and evidence of other validators' double signatures.

use std::collections::BTreeMap;

use cets_consensus::{Evidence, GUARD_KEY_BYTES, GuardMark};
use cets_contracts::codec;
use cets_contracts::types::{Digest, Height, ValidatorAddress};

use super::database::{Durability, Writes};
use super::{Column, Store, StoreError};

/// The only key of [`Column::Guard`]: one value that is replaced leaves no deleted keys behind for
/// cursors to step over.
const MARKS_KEY: &[u8] = b"marks";
const MARK_BYTES: usize = GUARD_KEY_BYTES + Digest::LEN;

/// Evidence that is kept of one validator. A single piece proves that it lied; one that lies at
/// every height for years must not fill the disks of the others.
pub const EVIDENCE_PER_VALIDATOR_MAX: usize = 256;

impl Store {
    /// Marks of the greatest height that has any.
    pub fn guard_marks(&self) -> Result<Vec<GuardMark>, StoreError> {
        let Some(bytes) = self.get(Column::Guard, MARKS_KEY)? else { return Ok(Vec::new()) };
        let damaged = || StoreError::damaged(Column::Guard, "marks", "they are no marks");
        let (marks, rest) = bytes.as_chunks::<MARK_BYTES>();
        if !rest.is_empty() {
            return Err(damaged());
        }
        let decode = |mark: &[u8; MARK_BYTES]| {
            let (key, value) = mark.split_at(GUARD_KEY_BYTES);
            GuardMark::from_parts(key, value).ok_or_else(damaged)
        };
        marks.iter().map(decode).collect()
    }

    /// Adds marks and drops those of lower heights. Synced before it returns.
    pub fn save_guard_marks(&self, added: &[GuardMark]) -> Result<(), StoreError> {
        let mut marks = self.guard_marks()?;
        marks.extend_from_slice(added);
        let Some(height) = marks.iter().map(|mark| mark.height).max() else { return Ok(()) };
        let mut bytes = Vec::with_capacity(marks.len().saturating_mul(MARK_BYTES));
        for mark in marks.iter().filter(|mark| mark.height == height) {
            bytes.extend_from_slice(&mark.to_key());
            bytes.extend_from_slice(&mark.to_value());
        }
        let mut writes = Writes::default();
        self.put(&mut writes, Column::Guard, MARKS_KEY, &bytes);
        self.write(writes, Durability::Synced, "keep what was signed")
    }

    /// Keeps evidence; the same evidence twice is kept once, and of each validator no more than
    /// [`EVIDENCE_PER_VALIDATOR_MAX`].
    pub fn save_evidence(&self, height: Height, evidence: &[Evidence]) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        let mut kept = BTreeMap::<ValidatorAddress, usize>::new();
        for proof in self.evidence()? {
            let count = kept.entry(proof.validator).or_default();
            *count = count.saturating_add(1);
        }
        for proof in evidence {
            let count = kept.entry(proof.validator).or_default();
            *count = count.saturating_add(1);
            if *count > EVIDENCE_PER_VALIDATOR_MAX {
                continue;
            }
            let bytes = codec::encode(proof);
            let mut key = height.get().to_be_bytes().to_vec();
            key.extend_from_slice(blake3::hash(&bytes).as_bytes());
            self.put(&mut writes, Column::Evidence, &key, &bytes);
        }
        self.write(writes, Durability::Synced, "keep evidence")
    }

    /// All evidence, by height.
    pub fn evidence(&self) -> Result<Vec<Evidence>, StoreError> {
        let mut all = Vec::new();
        let mut cursor = self.cursor(Column::Evidence);
        cursor.seek_to_first();
        while let Some((key, value)) = cursor.item() {
            all.push(
                codec::decode(value).map_err(|error| {
                    StoreError::damaged(Column::Evidence, hex::encode(key), error)
                })?,
            );
            cursor.next();
        }
        self.check_cursor(&cursor)?;
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use cets_consensus::{SignedStatement, SignedStep};
    use cets_contracts::types::Signature;

    use super::*;

    fn lie(height: u64) -> Evidence {
        let statement = |says: u8| SignedStatement {
            message: vec![says; 90],
            signature: Signature::new([says; 64]),
        };
        Evidence {
            validator: ValidatorAddress::new([1; ValidatorAddress::LEN]),
            height: Height::new(height),
            round: 0,
            step: SignedStep::Prevote,
            first: statement(1),
            second: statement(2),
        }
    }

    #[test]
    fn a_validator_that_lies_at_every_height_fills_no_disk() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        for height in 1..=400 {
            store.save_evidence(Height::new(height), &[lie(height)]).unwrap();
        }
        let kept = store.evidence().unwrap();
        assert_eq!(kept.len(), EVIDENCE_PER_VALIDATOR_MAX);
        assert_eq!(kept[0], lie(1), "the first lies stay");
        let other = ValidatorAddress::new([2; ValidatorAddress::LEN]);
        let of_other = Evidence { validator: other, ..lie(500) };
        store.save_evidence(Height::new(500), &[of_other]).unwrap();
        assert_eq!(store.evidence().unwrap().len(), EVIDENCE_PER_VALIDATOR_MAX + 1);
    }
}
