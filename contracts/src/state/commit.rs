//! The committed state: all records, the tree over them, the log's frontier and the last block.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::by_table::ByTable;
use super::known_accounts::KnownAccounts;
use super::overlay::BlockWrites;
use super::remembered_ids::RememberedIds;
use super::write::Write;
use super::{Account, Key, KeyParts, Ledger, Overlay, Record, Table, keys};
use crate::block::ValidatorSet;
use crate::fault::Fault;
use crate::log::LogFrontier;
use crate::tree::{LeafHash, Slot, SlotAllocator, SlotChange, SlotPlan, StateTree, TreeUpdate};
use crate::types::{BlockId, BlockTime, ChainId, Digest, Height, StateRoot, TxId, domain_hash};

/// Canonical bytes of a record; those of a range of units and other small ones lie beside their
/// key instead of behind a pointer.
pub type RecordBytes = smallvec::SmallVec<[u8; 31]>;

/// A stored record: its slot in the tree (none for derived tables) and its canonical bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Position of its leaf.
    pub slot: Option<Slot>,
    /// Canonical bytes.
    pub value: RecordBytes,
}

/// The last committed block, as far as the next one needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tip {
    /// The ledger.
    pub chain_id: ChainId,
    /// Height; 0 for the genesis state.
    pub height: Height,
    /// Block time; genesis time at height 0.
    pub time: BlockTime,
    /// Identifier; zero at height 0.
    pub block_id: BlockId,
}

/// Changed records of one block, by key: what a store persists.
pub type RecordChanges = Vec<(Key, Option<StoredRecord>)>;

/// Record changes with the tree and slot plans that belong to them.
#[derive(Clone)]
pub struct StateUpdate {
    changes: RecordChanges,
    /// Accounts among them, decoded.
    accounts: Vec<(Key, Arc<Account>)>,
    /// Transactions that may not be ordered again.
    remembered: RememberedIds,
    plan: SlotPlan,
    tree: TreeUpdate,
}

impl StateUpdate {
    /// Changed records, by key.
    pub fn changes(&self) -> &RecordChanges {
        &self.changes
    }

    /// State root after the update.
    pub fn root(&self) -> StateRoot {
        self.tree.root()
    }
}

/// Everything a block is executed on. The store keeps its durable form and rebuilds it at start.
#[derive(Clone)]
pub struct State {
    records: ByTable<StoredRecord>,
    tree: StateTree,
    slots: SlotAllocator,
    pub(super) accounts: KnownAccounts,
    remembered: RememberedIds,
    /// Frontier of the log.
    pub log: LogFrontier,
    /// The last block.
    pub tip: Tip,
}

impl core::fmt::Debug for State {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("State")
            .field("tip", &self.tip)
            .field("records", &self.records.len())
            .field("remembered", &self.remembered.count())
            .field("root", &self.tree.root())
            .finish_non_exhaustive()
    }
}

impl State {
    /// A state without records.
    pub fn empty(tip: Tip) -> Self {
        Self {
            records: ByTable::default(),
            tree: StateTree::new(),
            slots: SlotAllocator::new(),
            accounts: KnownAccounts::default(),
            remembered: RememberedIds::default(),
            log: LogFrontier::new(),
            tip,
        }
    }

    /// Rebuilds the state from stored records, those of indexes left out; the tree, free slots and
    /// indexes follow from them.
    pub fn rebuild(
        records: BTreeMap<Vec<u8>, StoredRecord>,
        log: LogFrontier,
        tip: Tip,
    ) -> Result<Self, Fault> {
        let mut leaves = Vec::with_capacity(records.len());
        let mut index = Vec::new();
        let mut remembered = RememberedIds::default();
        for (key, record) in &records {
            let table = Table::of(key).filter(|table| !table.is_index());
            match (table.map(Table::is_committed), record.slot) {
                (Some(true), Some(slot)) => leaves.push((slot, LeafHash::of(key, &record.value))),
                (Some(false), None) => {}
                _ => {
                    return Err(Fault::CorruptRecord {
                        key: hex::encode(key),
                        reason: "its table and its slot do not fit".to_owned(),
                    });
                }
            }
            if table == Some(Table::Units) {
                let (key, value) = super::units::index_entry(key, &record.value)?;
                index.push(Ok((key, StoredRecord { slot: None, value: value.into() })));
            }
            if table == Some(Table::Replays) {
                let parts = Key::of(key).and_then(|key| keys::replay_of(&key));
                let (valid_until, id) = parts.ok_or_else(|| malformed(key))?;
                remembered.insert(valid_until, &id);
            }
        }
        let slots =
            SlotAllocator::rebuild(leaves.iter().map(|(slot, _)| *slot)).map_err(inconsistent)?;
        let tree = StateTree::rebuild(leaves).map_err(inconsistent)?;
        let own = |key: &[u8]| Table::of(key) != Some(Table::Replays);
        let records = records.into_iter().filter(|(key, _)| own(key)).map(|(bytes, record)| {
            // A table of numbers takes whole keys only.
            let is_whole = |key: &Key| {
                !Table::of(key).is_some_and(Table::is_numbered) || KeyParts::of(key).is_some()
            };
            let key = Key::of(&bytes).filter(is_whole).ok_or_else(|| malformed(&bytes))?;
            Ok((key, record))
        });
        let records = records.chain(index).collect::<Result<_, Fault>>()?;
        let accounts = KnownAccounts::default();
        Ok(Self { records, tree, slots, accounts, remembered, log, tip })
    }

    /// Root of the state tree.
    pub fn root(&self) -> StateRoot {
        self.tree.root()
    }

    /// The tree, for proofs.
    pub const fn tree(&self) -> &StateTree {
        &self.tree
    }

    /// All records but those of indexes, in the order of their keys: what a state is rebuilt from.
    pub fn records(&self) -> impl Iterator<Item = (Key, &StoredRecord)> {
        let carried = |key: &Key| !Table::of(key).is_some_and(Table::is_index);
        let records = self.records.iter().filter(move |(key, _)| carried(key));
        // Their table is the last one.
        records.chain(self.remembered.records())
    }

    /// The records that the tree commits to, in the order of their keys.
    pub fn committed_records(&self) -> impl Iterator<Item = (Key, &StoredRecord)> {
        self.records.iter().filter(|(_, record)| record.slot.is_some())
    }

    /// The stored record of a key.
    pub fn stored(&self, key: &Key) -> Option<&StoredRecord> {
        match Table::of(key) {
            Some(Table::Replays) => self.remembered.record(key),
            _ => self.records.get(key),
        }
    }

    /// Whether a transaction was ordered and may not be ordered again.
    pub fn remembers(&self, valid_until: BlockTime, id: &TxId) -> bool {
        self.remembered.contains(valid_until, id)
    }

    /// The stored record of a key that came from outside.
    pub fn stored_raw(&self, key: &[u8]) -> Option<&StoredRecord> {
        self.stored(&Key::of(key)?)
    }

    /// Records whose key starts with `prefix`, in order; those after a key when one is given.
    pub fn records_of<'s>(
        &'s self,
        prefix: &'s Key,
        after: Option<&'s [u8]>,
    ) -> impl Iterator<Item = (Key, &'s StoredRecord)> {
        // What is longer than any key comes after no record that could be meant.
        let after = after.filter(|after| *after >= prefix.as_bytes()).map(Key::of);
        let lower = match after {
            None => Some(Bound::Included(*prefix)),
            Some(after) => after.map(Bound::Excluded),
        };
        lower
            .into_iter()
            .flat_map(|lower| self.records.range_from(lower))
            .take_while(|(key, _)| key.starts_with(prefix.as_bytes()))
    }

    /// The account of a key, if it was changed lately.
    pub(super) fn known_account(&self, key: &Key) -> Option<&Arc<Account>> {
        self.accounts.get(key)
    }

    pub(super) fn raw(&self, key: &Key) -> Option<&[u8]> {
        self.records.get(key).map(|record| record.value.as_slice())
    }

    /// Records of a key's table after the key, or from it on, ascending.
    pub(super) fn range_from(&self, lower: Bound<Key>) -> impl Iterator<Item = (Key, &[u8])> {
        self.records.range_from(lower).map(|(key, record)| (key, record.value.as_slice()))
    }

    /// The last record of a key's table before the key, or up to it.
    pub(super) fn last_to(&self, upper: Bound<&Key>) -> Option<(Key, &[u8])> {
        self.records.last_to(upper).map(|(key, record)| (key, record.value.as_slice()))
    }

    /// All records of a table, or of a part of it, in the order of their keys.
    pub fn scan_table<R: Record>(
        &self,
        prefix: Key,
    ) -> impl Iterator<Item = Result<(Key, R), Fault>> + '_ {
        self.records
            .range_from(Bound::Included(prefix))
            .take_while(move |(key, _)| key.starts_with(prefix.as_bytes()))
            .map(|(key, record)| Ok((key, super::write::decode(&key, &record.value)?)))
    }

    /// A read-only view with the typed accessors of the overlay.
    pub fn view(&self) -> Overlay<'_> {
        Overlay::new(self)
    }

    /// Works out new slots and the new root for an overlay's writes, without changing anything.
    ///
    /// Slots of deleted records are freed first, then new records take the lowest free slots in
    /// the order of their keys: the same writes give the same root everywhere.
    pub(crate) fn prepare(&self, writes: BlockWrites) -> Result<StateUpdate, Fault> {
        let BlockWrites { records: writes, remembered } = writes;
        let mut freed = Vec::new();
        let mut wanted = 0usize;
        let mut before = Vec::with_capacity(writes.len());
        for (key, write) in writes.iter() {
            let old = self.records.get(&key);
            let committed = Table::of(&key).is_some_and(Table::is_committed);
            match (old.and_then(|record| record.slot), write) {
                (Some(slot), Write::Delete) => freed.push(slot),
                (None, Write::Bytes(_) | Write::Account(_)) if committed => {
                    wanted = wanted.saturating_add(1);
                }
                _ => {}
            }
            before.push(old);
        }
        freed.sort_unstable();
        let plan = self.slots.plan(&freed, wanted).map_err(inconsistent)?;
        let mut new_slots = plan.allocated().iter().copied();
        let mut slot_changes: Vec<SlotChange> =
            freed.into_iter().map(|slot| SlotChange { slot, leaf: None }).collect();
        let mut changes = RecordChanges::with_capacity(before.len());
        let mut accounts = Vec::new();
        for ((key, write), old) in writes.into_entries().zip(before) {
            let account = write.account();
            match write.into_bytes() {
                None if old.is_none() => {}
                None => changes.push((key, None)),
                Some(value) if old.is_some_and(|record| record.value == value) => {}
                Some(value) => {
                    let committed = Table::of(&key).is_some_and(Table::is_committed);
                    let slot = match old {
                        Some(record) => record.slot,
                        None if committed => new_slots.next(),
                        None => None,
                    };
                    if let Some(slot) = slot {
                        let leaf = Some(LeafHash::of(&key, &value));
                        slot_changes.push(SlotChange { slot, leaf });
                    }
                    accounts.extend(account.map(|account| (key, account)));
                    changes.push((key, Some(StoredRecord { slot, value })));
                }
            }
        }
        let slot_changes = by_slot(slot_changes);
        let tree = self.tree.prepare(&slot_changes).map_err(inconsistent)?;
        Ok(StateUpdate { changes, accounts, remembered, plan, tree })
    }

    /// Makes an update part of the state.
    pub(crate) fn apply(&mut self, update: StateUpdate) -> Result<(), Fault> {
        self.tree.apply(update.tree).map_err(inconsistent)?;
        self.slots.apply(update.plan).map_err(inconsistent)?;
        for (key, change) in update.changes {
            self.accounts.forget(&key);
            match change {
                Some(record) => self.records.insert(key, record),
                None => self.records.remove(&key),
            };
        }
        for (key, account) in update.accounts {
            self.accounts.know(key, account);
        }
        // The block is the first one after the tip's time.
        self.remembered.forget_before(self.tip.time);
        self.remembered.extend(update.remembered);
        Ok(())
    }

    /// Validators of the next height.
    pub fn validators(&self) -> Result<ValidatorSet, Fault> {
        self.view().validators()
    }
}

/// Changes in the order of their slots; a slot that is freed and taken again holds the new leaf.
fn by_slot(mut changes: Vec<SlotChange>) -> Vec<SlotChange> {
    // Stable: of one slot the freeing comes before the taking, and the later one counts.
    changes.sort_by_key(|change| change.slot);
    let mut distinct: Vec<SlotChange> = Vec::with_capacity(changes.len());
    for change in changes {
        match distinct.last_mut() {
            Some(last) if last.slot == change.slot => *last = change,
            _ => distinct.push(change),
        }
    }
    distinct
}

fn malformed(key: &[u8]) -> Fault {
    let reason = "it has not the form of the keys of its table".to_owned();
    Fault::CorruptRecord { key: hex::encode(key), reason }
}

fn inconsistent(error: impl core::fmt::Display) -> Fault {
    Fault::Inconsistent { what: error.to_string() }
}

impl Overlay<'_> {
    /// The ledger's own variables.
    pub fn ledger(&self) -> Result<Ledger, Fault> {
        self.require(&keys::single(Table::Ledger))
    }

    /// Writes the ledger's own variables.
    pub fn put_ledger(&mut self, ledger: &Ledger) -> Result<(), Fault> {
        self.put(keys::single(Table::Ledger), ledger)
    }

    /// Validators of the next height.
    pub fn validators(&self) -> Result<ValidatorSet, Fault> {
        self.require(&keys::single(Table::Validators))
    }

    /// A record that must exist.
    fn require<R: Record>(&self, key: &Key) -> Result<R, Fault> {
        self.get(key)?.ok_or_else(|| Fault::Inconsistent {
            what: format!("table {} has lost its record", R::TABLE.name()),
        })
    }

    /// Digest of all parameter versions, in the order of their keys.
    pub fn parameters_digest(&self) -> Result<Digest, Fault> {
        let mut bytes = Vec::new();
        let prefix = keys::table_prefix(Table::Parameters);
        for found in self.scan::<super::ParameterVersion>(&prefix) {
            let (key, version) = found?;
            bytes.extend_from_slice(&crate::codec::encode(&(key.as_bytes(), version)));
        }
        Ok(Digest::new(domain_hash(crate::domains::PARAMETERS, &[&bytes])))
    }
}
