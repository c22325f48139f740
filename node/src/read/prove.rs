//! Records with their paths to a state root.

use cets_contracts::Fault;
use cets_contracts::block::ValidatorSet;
use cets_contracts::proof::{Anchor, ValidatorChange};
use cets_contracts::state::Table;
use cets_contracts::types::Height;

use super::{CertifiedHeader, Committed, ProveError, ProvenRecords, RawRecord, ReadError, Reader};
use crate::store::StoreError;

impl Reader {
    /// Records with their paths to one state root, the header and its certificate: of the newest
    /// state, or of the state after a height.
    pub fn prove_records(
        &self,
        keys: &[Vec<u8>],
        height: Option<Height>,
    ) -> Result<ProvenRecords, ProveError> {
        let committed = self.state().read();
        let newest = committed.state.tip.height;
        match height {
            Some(asked) if asked != newest => Err(ProveError::NotKept { asked, newest }),
            _ => prove(&committed, keys),
        }
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
        let stored = committed.state.stored_raw(key).ok_or(ProveError::NoRecord)?;
        let table = Table::of(key).ok_or(ProveError::NoRecord)?;
        let slot = stored.slot.ok_or(ProveError::NotCommitted { table: table.name() })?;
        let proof = committed.state.tree().prove(slot).map_err(|error| {
            let fault = Fault::Inconsistent { what: error.to_string() };
            ProveError::Read(fault.into())
        })?;
        records.push((RawRecord { key: key.clone(), value: stored.value.clone() }, proof));
    }
    Ok(ProvenRecords { records, header, certificate })
}
