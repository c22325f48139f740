//! Records with their paths to a state root.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use cets_contracts::Fault;
use cets_contracts::block::ValidatorSet;
use cets_contracts::log::LogFrontier;
use cets_contracts::proof::{Anchor, ValidatorChange};
use cets_contracts::state::{KeyParts, State, StoredRecord, Table, Tip, keys};
use cets_contracts::tree::Slot;
use cets_contracts::types::Height;

use super::{CertifiedHeader, Committed, ProveError, ProvenRecords, RawRecord, ReadError, Reader};
use crate::store::{KeptStates, StoreError};

/// The kept state that was asked for last, and all that lie on the disk.
///
/// One stays in memory, so that the many proofs of one deadline rebuild its tree once; it takes
/// as much memory as the newest state does. One is loaded at a time; who wants another meanwhile is
/// refused, because loading takes a thread, the disk and as much memory again.
#[derive(Debug)]
pub(super) struct Kept {
    states: KeptStates,
    loaded: Mutex<Option<Arc<Committed>>>,
    loading: Mutex<()>,
}

impl Kept {
    pub(super) const fn new(states: KeptStates) -> Self {
        Self { states, loaded: Mutex::new(None), loading: Mutex::new(()) }
    }

    fn loaded(&self, height: Height) -> Option<Arc<Committed>> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.as_ref().filter(|one| one.state.tip.height == height).map(Arc::clone)
    }

    /// The state of a height: the one in memory, or what `load` gives.
    fn get_or_load(
        &self,
        height: Height,
        load: impl FnOnce() -> Result<Option<Committed>, ReadError>,
    ) -> Result<Option<Arc<Committed>>, ProveError> {
        if let Some(state) = self.loaded(height) {
            return Ok(Some(state));
        }
        let _loading = match self.loading.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(ProveError::Busy),
        };
        // Another call may have loaded it meanwhile.
        if let Some(state) = self.loaded(height) {
            return Ok(Some(state));
        }
        let Some(state) = load()?.map(Arc::new) else { return Ok(None) };
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        *loaded = Some(Arc::clone(&state));
        Ok(Some(state))
    }
}

impl Reader {
    /// Records with their paths to one state root, the header and its certificate: of the newest
    /// state, or of the state after a height that is kept.
    ///
    /// A key of a unit that begins no stored range gives the range that covers it.
    pub fn prove_records(
        &self,
        keys: &[Vec<u8>],
        height: Option<Height>,
    ) -> Result<ProvenRecords, ProveError> {
        let newest = {
            let committed = self.state().read();
            let newest = committed.state.tip.height;
            if height.is_none_or(|asked| asked == newest) {
                return prove(&committed, keys);
            }
            newest
        };
        let asked = height.unwrap_or(newest);
        match self.kept_state(asked)? {
            Some(committed) => prove(&committed, keys),
            None => {
                let kept = self.kept_heights()?;
                Err(ProveError::NotKept { asked, newest, kept })
            }
        }
    }

    /// Visits the records of a table of the state after a height that is kept, or of the newest
    /// state; ends when `visit` says false.
    ///
    /// # Errors
    /// [`ProveError::NotKept`], or what reading and `visit` say.
    pub fn table_at(
        &self,
        table: Table,
        height: Height,
        mut visit: impl FnMut(&[u8], Option<u64>, &[u8]) -> Result<bool, ReadError>,
    ) -> Result<(), ProveError> {
        if let Some(committed) = self.kept_state(height)? {
            for (key, stored) in committed.state.records_of(&keys::table_prefix(table), None) {
                if !visit(&key, stored.slot.map(Slot::get), &stored.value)? {
                    break;
                }
            }
            return Ok(());
        }
        let not_kept = |newest: Height| -> Result<(), ProveError> {
            Err(ProveError::NotKept { asked: height, newest, kept: self.kept_heights()? })
        };
        let newest = self.state().read().state.tip.height;
        if newest != height {
            return not_kept(newest);
        }
        // Blocks may be committed before the records are held fast.
        let newest = self.stored_table(table, |found, key, slot, value| {
            Ok(found == height && visit(key, slot, value)?)
        })?;
        if newest == height { Ok(()) } else { not_kept(newest) }
    }

    /// Heights, beside the newest, whose state this node can prove.
    pub fn kept_heights(&self) -> Result<Vec<Height>, ReadError> {
        Ok(self.kept().states.heights()?)
    }

    /// The state after a height, when it is kept; its root is that of the header.
    fn kept_state(&self, height: Height) -> Result<Option<Arc<Committed>>, ProveError> {
        self.kept().get_or_load(height, || self.load_kept(height))
    }

    fn load_kept(&self, height: Height) -> Result<Option<Committed>, ReadError> {
        let states = &self.kept().states;
        let Some(records) = states.read(height)? else { return Ok(None) };
        let Some(found) = self.header(height)? else { return Ok(None) };
        let CertifiedHeader { header, certificate, .. } = found;
        let (time, block_id) = (header.time, header.id());
        let tip = Tip { chain_id: header.chain_id, height, time, block_id };
        // No log: proofs of records need none.
        let state = State::rebuild(records, LogFrontier::new(), tip)
            .map_err(|fault| states.damaged(height, &fault.to_string()))?;
        if state.root() != header.state_root {
            let (found, said) = (state.root(), header.state_root);
            let reason = format!("its records have root {found}, the header says {said}");
            return Err(states.damaged(height, &reason).into());
        }
        Ok(Some(Committed { state, newest: Some((header, certificate)) }))
    }

    /// Every change of the validator set since genesis, each with the header that announces it.
    pub fn validator_changes(&self) -> Result<Vec<ValidatorChange>, ReadError> {
        let mut in_force = self.store().validators(Height::GENESIS.next())?;
        let mut changes = Vec::new();
        for (first, validators) in self.store().validator_changes()? {
            // An order may name the set that is in force already.
            if in_force.as_ref().map(ValidatorSet::digest) == Some(validators.digest()) {
                continue;
            }
            let height = Height::new(first.get().saturating_sub(1));
            let found = self.header(height)?.ok_or_else(|| StoreError::Damaged {
                table: "validator_sets",
                key: first.to_string(),
                reason: "no header announces the set".to_owned(),
            })?;
            let CertifiedHeader { header, certificate, .. } = found;
            in_force = Some(validators.clone());
            changes.push(ValidatorChange { anchor: Anchor { header, certificate }, validators });
        }
        Ok(changes)
    }
}

fn prove(committed: &Committed, keys: &[Vec<u8>]) -> Result<ProvenRecords, ProveError> {
    let (header, certificate) = committed.newest.clone().ok_or(ProveError::NoBlock)?;
    let mut records = Vec::with_capacity(keys.len());
    for key in keys {
        let (key, stored) = found(&committed.state, key).ok_or(ProveError::NoRecord)?;
        let table = Table::of(&key).ok_or(ProveError::NoRecord)?;
        let slot = stored.slot.ok_or(ProveError::NotCommitted { table: table.name() })?;
        let proof = committed.state.tree().prove(slot).map_err(|error| {
            let fault = Fault::Inconsistent { what: error.to_string() };
            ProveError::Read(fault.into())
        })?;
        records.push((RawRecord { key, value: stored.value.to_vec() }, proof));
    }
    Ok(ProvenRecords { records, header, certificate })
}

/// The record of a key; of a unit within a range the record of the range.
fn found<'s>(state: &'s State, key: &[u8]) -> Option<(Vec<u8>, &'s StoredRecord)> {
    if let Some(stored) = state.stored_raw(key) {
        return Some((key.to_vec(), stored));
    }
    let Some(KeyParts::UnitRange(instrument, number)) = KeyParts::of(key) else { return None };
    let (range, _) = state.view().range_at(&instrument, number).ok()??;
    let key = keys::unit_range(&instrument, range.start());
    Some((key.as_bytes().to_vec(), state.stored(&key)?))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn while_a_past_state_is_loaded_another_is_refused_and_not_queued() {
        let kept = Kept::new(KeptStates::beside(Path::new("ledger")));
        let first = kept.get_or_load(Height::new(1), || {
            let second = kept.get_or_load(Height::new(2), || Ok(None));
            assert!(matches!(second, Err(ProveError::Busy)), "{second:?}");
            Ok(None)
        });
        assert!(matches!(first, Ok(None)), "{first:?}");
        assert!(matches!(kept.get_or_load(Height::new(2), || Ok(None)), Ok(None)));
    }
}
