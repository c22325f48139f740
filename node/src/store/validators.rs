//! Validator sets by the first height that each decides.

use cets_contracts::block::{ExecutedBlock, ValidatorSet};
use cets_contracts::codec;
use cets_contracts::state::{State, Table, keys};
use cets_contracts::types::Height;

use super::database::Writes;
use super::{Column, Store, StoreError};

impl Store {
    /// Validators that decide a height up to the one after the tip.
    pub fn validators(&self, height: Height) -> Result<Option<ValidatorSet>, StoreError> {
        let mut cursor = self.cursor(Column::ValidatorSets);
        cursor.seek_for_prev(height.get().to_be_bytes());
        let Some((key, value)) = cursor.item() else {
            self.check_cursor(&cursor)?;
            return Ok(None);
        };
        codec::decode(value)
            .map(Some)
            .map_err(|error| StoreError::damaged(Column::ValidatorSets, hex::encode(key), error))
    }

    /// Validator sets after the first one, each with the first height that it decides, in order.
    pub fn validator_changes(&self) -> Result<Vec<(Height, ValidatorSet)>, StoreError> {
        let mut changes = Vec::new();
        let mut cursor = self.cursor(Column::ValidatorSets);
        cursor.seek(Height::GENESIS.next().next().get().to_be_bytes());
        while let Some((key, value)) = cursor.item() {
            let damaged =
                |error: String| StoreError::damaged(Column::ValidatorSets, hex::encode(key), error);
            let height = key.try_into().map_err(|_| damaged("the key is no height".to_owned()))?;
            let set = codec::decode(value).map_err(|error| damaged(error.to_string()))?;
            changes.push((Height::new(u64::from_be_bytes(height)), set));
            cursor.next();
        }
        self.check_cursor(&cursor)?;
        Ok(changes)
    }

    /// Canonical bytes of the validators that decide from a height on, when they change there.
    pub fn validators_from(&self, height: Height) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.get(Column::ValidatorSets, &height.get().to_be_bytes())?;
        Ok(found.map(|bytes| bytes.to_vec()))
    }

    /// Keeps the validators of the first block.
    pub(super) fn put_first_validators(
        &self,
        writes: &mut Writes,
        state: &State,
    ) -> Result<(), StoreError> {
        let set = state
            .validators()
            .map_err(|fault| StoreError::damaged(Column::Records, "validators", fault))?;
        let key = Height::GENESIS.next().get().to_be_bytes();
        self.put(writes, Column::ValidatorSets, &key, &codec::encode(&set));
        Ok(())
    }

    /// Keeps the validators of the next height when a block changes them.
    pub(super) fn put_validators(
        &self,
        writes: &mut Writes,
        executed: &ExecutedBlock,
    ) -> Result<(), StoreError> {
        let changed = keys::single(Table::Validators);
        let changes = executed.state.changes().iter();
        for (_, change) in changes.filter(|(key, _)| *key == changed) {
            let record = change.as_ref().ok_or_else(|| {
                StoreError::damaged(Column::Records, "validators", "the block deletes them")
            })?;
            let key = executed.header.height.next().get().to_be_bytes();
            self.put(writes, Column::ValidatorSets, &key, &record.value);
        }
        Ok(())
    }
}
