//! State records, and the state rebuilt from them.

use std::collections::BTreeMap;

use cets_contracts::audit::HistoryRecord;
use cets_contracts::codec;
use cets_contracts::genesis::Genesis;
use cets_contracts::log::{LogFrontier, root_at};
use cets_contracts::state::{State, StoredRecord, Table, Tip, keys};
use cets_contracts::tree::Slot;
use cets_contracts::types::{ChainId, Height};

use super::database::{Durability, Writes};
use super::nodes::LogNodes;
use super::{Column, Store, StoreError};

const GENESIS_KEY: &[u8] = b"genesis";
const TIP_KEY: &[u8] = b"tip";
const FRONTIER_KEY: &[u8] = b"frontier";

impl Store {
    /// The genesis document that the ledger was started with, as JSON.
    pub fn genesis(&self) -> Result<Option<String>, StoreError> {
        let Some(bytes) = self.get(Column::Meta, GENESIS_KEY)? else { return Ok(None) };
        String::from_utf8(bytes.to_vec())
            .map(Some)
            .map_err(|error| StoreError::damaged(Column::Meta, "genesis", error))
    }

    /// The last committed block; none before the genesis state was written.
    pub fn tip(&self) -> Result<Option<Tip>, StoreError> {
        self.get_decoded(Column::Meta, TIP_KEY)
    }

    /// Opens the state of a ledger: rebuilt from its records, or made from genesis when the store
    /// is empty.
    ///
    /// The rebuilt state must have the roots that the newest header names.
    pub fn load_state(&self, genesis: &Genesis) -> Result<State, StoreError> {
        let expected = genesis.chain_id();
        let Some(tip) = self.tip()? else { return self.write_genesis(genesis) };
        self.check_chain(tip.chain_id, expected)?;
        let frontier: LogFrontier = self
            .get_decoded(Column::Meta, FRONTIER_KEY)?
            .ok_or_else(|| StoreError::damaged(Column::Meta, "frontier", "it is missing"))?;
        let damaged = |reason: String| StoreError::damaged(Column::Records, "all", reason);
        let mut records = self.read_records()?;
        self.add_remembered(&mut records, tip.height)?;
        let state =
            State::rebuild(records, frontier, tip).map_err(|fault| damaged(fault.to_string()))?;
        let root = match self.header(tip.height)? {
            Some(header) => header.state_root,
            None if tip.height == Height::GENESIS => {
                genesis.state().map_err(|error| damaged(error.to_string()))?.root()
            }
            None => {
                return Err(StoreError::damaged(Column::Headers, tip.height, "it is missing"));
            }
        };
        if state.root() != root {
            let found = state.root();
            let reason = format!("their root is {found}, the header of {} says {root}", tip.height);
            return Err(damaged(reason));
        }
        self.check_log(&state)?;
        Ok(state)
    }

    /// Whether frontier, log nodes and the newest header agree.
    fn check_log(&self, state: &State) -> Result<(), StoreError> {
        let nodes = LogNodes::new(self);
        let frontier = LogFrontier::read(&nodes, state.log.size());
        let header = self.header(state.tip.height)?;
        let root = header.as_ref().map(|header| root_at(&nodes, header.log_size));
        if let Some(error) = nodes.into_error() {
            return Err(error);
        }
        let damaged = |reason: String| StoreError::damaged(Column::LogNodes, "newest", reason);
        let frontier = frontier.map_err(|error| damaged(error.to_string()))?;
        if frontier != state.log {
            return Err(damaged("they do not lead to the frontier of the log".to_owned()));
        }
        match (header, root) {
            (Some(header), Some(Ok(root))) if root != header.log_root => Err(damaged(format!(
                "their root is {root}, the header of {} says {}",
                header.height, header.log_root
            ))),
            (_, Some(Err(error))) => Err(damaged(error.to_string())),
            _ => Ok(()),
        }
    }

    fn check_chain(&self, found: ChainId, expected: ChainId) -> Result<(), StoreError> {
        if found == expected {
            return Ok(());
        }
        Err(StoreError::OtherChain { folder: self.folder().to_owned(), found, expected })
    }

    fn write_genesis(&self, genesis: &Genesis) -> Result<State, StoreError> {
        let damaged = |error: String| StoreError::damaged(Column::Meta, "genesis", error);
        let state = genesis.state().map_err(|error| damaged(error.to_string()))?;
        let json =
            serde_json::to_string_pretty(genesis).map_err(|error| damaged(error.to_string()))?;
        let mut writes = Writes::default();
        for (key, record) in state.committed_records() {
            self.put(&mut writes, Column::Records, &key, &encode_record(record));
        }
        self.put(&mut writes, Column::Meta, GENESIS_KEY, json.as_bytes());
        self.put_first_validators(&mut writes, &state)?;
        self.put_tip(&mut writes, &state.tip, &state.log);
        self.write(writes, Durability::Synced, "write the genesis state")?;
        Ok(state)
    }

    pub(super) fn put_tip(&self, writes: &mut Writes, tip: &Tip, log: &LogFrontier) {
        self.put(writes, Column::Meta, TIP_KEY, &codec::encode(tip));
        self.put(writes, Column::Meta, FRONTIER_KEY, &codec::encode(log));
    }

    pub(super) fn put_records(
        &self,
        writes: &mut Writes,
        changes: &cets_contracts::state::RecordChanges,
    ) {
        let committed = |key: &[u8]| Table::of(key).is_some_and(Table::is_committed);
        for (key, change) in changes.iter().filter(|(key, _)| committed(key)) {
            match change {
                Some(record) => self.put(writes, Column::Records, key, &encode_record(record)),
                None => self.delete(writes, Column::Records, key),
            }
        }
    }

    /// Visits the stored records of a table at one height, in the order of their keys, until
    /// `visit` says false; gives the height. Blocks may be committed meanwhile and are not seen.
    pub fn visit_table<E: From<StoreError>>(
        &self,
        table: Table,
        mut visit: impl FnMut(Height, &[u8], Option<u64>, &[u8]) -> Result<bool, E>,
    ) -> Result<Height, E> {
        let prefix = keys::table_prefix(table);
        let (height, mut cursor) = loop {
            // A cursor sees the moment it was made; no block was committed around it when the
            // tip before and after is the same.
            let before = self.tip()?;
            let cursor = self.cursor(Column::Records);
            if self.tip()? == before {
                break (before.map_or(Height::GENESIS, |tip| tip.height), cursor);
            }
        };
        cursor.seek(prefix.as_bytes());
        while let Some((key, value)) = cursor.item() {
            if !key.starts_with(prefix.as_bytes()) {
                break;
            }
            let record = decode_record(value).ok_or_else(|| {
                StoreError::damaged(Column::Records, hex::encode(key), "it has no slot and value")
            })?;
            if !visit(height, key, record.slot.map(Slot::get), &record.value)? {
                break;
            }
            cursor.next();
        }
        self.check_cursor(&cursor)?;
        Ok(height)
    }

    /// Gives all state records to `work`, in the order of their keys, as they are at the newest
    /// height, which must be `height`. Blocks may be committed meanwhile and are not seen.
    ///
    /// # Errors
    /// Those of `work` and of reading; [`StoreError::Disk`] when the store is at another height.
    pub fn with_newest_records<T>(
        &self,
        height: Height,
        work: impl FnOnce(
            &mut dyn Iterator<Item = Result<HistoryRecord, StoreError>>,
        ) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // A cursor sees the moment it was made; the tip after it shows that it was not too late.
        let mut cursor = self.cursor(Column::Records);
        let found = self.tip()?.map(|tip| tip.height);
        if found != Some(height) {
            let reason = format!("the ledger has moved on from height {height}");
            let folder = self.folder().to_owned();
            return Err(StoreError::Disk { action: "hold a state fast", folder, reason });
        }
        cursor.seek_to_first();
        let mut records = std::iter::from_fn(|| {
            let Some((key, value)) = cursor.item() else {
                return self.check_cursor(&cursor).err().map(Err);
            };
            let record = decode_record(value).ok_or_else(|| {
                StoreError::damaged(Column::Records, hex::encode(key), "it has no slot and value")
            });
            let key = key.to_vec();
            cursor.next();
            let record = record.map(|StoredRecord { slot, value }| HistoryRecord {
                key,
                slot: slot.map(Slot::get),
                value: value.into_vec(),
            });
            Some(record)
        });
        work(&mut records)
    }

    /// All state records that the tree commits to.
    pub fn read_records(&self) -> Result<BTreeMap<Vec<u8>, StoredRecord>, StoreError> {
        let mut records = Vec::new();
        let mut cursor = self.cursor(Column::Records);
        cursor.seek_to_first();
        while let Some((key, value)) = cursor.item() {
            let record = decode_record(value).ok_or_else(|| {
                StoreError::damaged(Column::Records, hex::encode(key), "it has no slot and value")
            })?;
            records.push((key.to_vec(), record));
            cursor.next();
        }
        self.check_cursor(&cursor)?;
        // The cursor gives keys in order, which the map takes without searching.
        Ok(records.into_iter().collect())
    }
}

/// 0, or 1 and the slot as u64 big-endian; then the value.
fn encode_record(record: &StoredRecord) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(record.value.len().saturating_add(9));
    match record.slot {
        None => bytes.push(0),
        Some(slot) => {
            bytes.push(1);
            bytes.extend_from_slice(&slot.get().to_be_bytes());
        }
    }
    bytes.extend_from_slice(&record.value);
    bytes
}

fn decode_record(bytes: &[u8]) -> Option<StoredRecord> {
    let (tag, rest) = bytes.split_first()?;
    match tag {
        0 => Some(StoredRecord { slot: None, value: rest.into() }),
        1 => {
            let (slot, value) = rest.split_first_chunk::<8>()?;
            let slot = Slot::new(u64::from_be_bytes(*slot)).ok()?;
            Some(StoredRecord { slot: Some(slot), value: value.into() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_read_back_as_they_were_written() {
        for slot in [None, Some(Slot::new(0).unwrap()), Some(Slot::new(7_000_000).unwrap())] {
            let record = StoredRecord { slot, value: vec![1, 2, 3].into() };
            assert_eq!(decode_record(&encode_record(&record)), Some(record));
        }
        assert_eq!(decode_record(&[]), None);
        assert_eq!(decode_record(&[1, 0, 0]), None);
        assert_eq!(decode_record(&[2]), None);
    }
}
