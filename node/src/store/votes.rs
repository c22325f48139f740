//! The double-sign guard and evidence of other validators' double signatures.

use cets_consensus::{Evidence, GuardMark};
use cets_contracts::codec;
use cets_contracts::types::Height;

use super::database::{Durability, Writes};
use super::{Column, Store, StoreError};

impl Store {
    /// Marks of the greatest height that has any.
    pub fn guard_marks(&self) -> Result<Vec<GuardMark>, StoreError> {
        let mut marks: Vec<GuardMark> = Vec::new();
        let mut cursor = self.cursor(Column::Guard);
        cursor.seek_to_last();
        while let Some((key, value)) = cursor.item() {
            let mark = GuardMark::from_parts(key, value).ok_or_else(|| {
                StoreError::damaged(Column::Guard, hex::encode(key), "it is no mark")
            })?;
            if marks.first().is_some_and(|first| first.height != mark.height) {
                break;
            }
            marks.push(mark);
            cursor.prev();
        }
        self.check_cursor(&cursor)?;
        Ok(marks)
    }

    /// Adds marks and drops those of lower heights. Synced before it returns.
    pub fn save_guard_marks(&self, marks: &[GuardMark]) -> Result<(), StoreError> {
        let Some(height) = marks.iter().map(|mark| mark.height).max() else { return Ok(()) };
        let mut writes = Writes::default();
        let mut cursor = self.cursor(Column::Guard);
        cursor.seek_to_first();
        while let Some(key) = cursor.key() {
            if key >= height.get().to_be_bytes().as_slice() {
                break;
            }
            self.delete(&mut writes, Column::Guard, key);
            cursor.next();
        }
        self.check_cursor(&cursor)?;
        for mark in marks {
            self.put(&mut writes, Column::Guard, &mark.to_key(), &mark.to_value());
        }
        self.write(writes, Durability::Synced, "keep what was signed")
    }

    /// Keeps evidence; the same evidence twice is kept once.
    pub fn save_evidence(&self, height: Height, evidence: &[Evidence]) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        for proof in evidence {
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
