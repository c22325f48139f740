//! What stands beside the ledger: the consensus log, kept states, configuration and keys.

use std::path::Path;

use cets_consensus::{LogError, check_log};
use cets_contracts::log::LogFrontier;
use cets_contracts::state::{State, Tip};
use cets_contracts::types::{Height, PublicKey};
use ed25519_dalek::SigningKey;

use super::folder::{CONSENSUS_LOG, LEDGER, note};
use super::{CheckReport, Trouble};
use crate::config::{NodeConfig, NodeKeys};
use crate::store::{KeptStates, Store, StoreError};

/// Checks the consensus log, and whether ledger, log and guard belong together.
pub(super) fn check_consensus_log(data: &Path, store: Option<&Store>, report: &mut CheckReport) {
    let tip = report.height;
    // The guard of a repaired ledger is older than the ledger, which follows without voting.
    let trusted = store.filter(|store| matches!(store.votes_after(), Ok(None)));
    let guard = trusted.and_then(|store| store.guard_marks().ok());
    let guard = guard.and_then(|marks| marks.iter().map(|mark| mark.height).max());
    if let Some((tip, guard)) = tip.zip(guard).filter(|(tip, guard)| *guard > tip.next()) {
        let what = format!("the newest block is {tip}, but this node signed at height {guard}");
        report.add(Trouble::LedgerShort, LEDGER, "table guard, marks", what);
    }
    let found = match check_log(&data.join(CONSENSUS_LOG)) {
        Ok(found) => found,
        Err(LogError::Damaged { offset, reason, .. }) => {
            let place = format!("byte {offset}");
            report.add(Trouble::ConsensusLog, CONSENSUS_LOG, place, reason);
            return;
        }
        Err(error @ LogError::Unreadable { .. }) => {
            report.add(Trouble::ConsensusLog, CONSENSUS_LOG, "the file", error.to_string());
            return;
        }
    };
    report.consensus_messages = found.entries;
    if found.torn_bytes > 0 {
        let what = format!("its last {} bytes are an entry without its end", found.torn_bytes);
        let place = format!("byte {}", found.sound_bytes);
        report.add(Trouble::TornWrite, CONSENSUS_LOG, place, what);
    }
    let Some((tip, logged)) = tip.zip(found.height) else { return };
    if logged > tip.next() {
        let what = format!(
            "it is of height {logged}, but the newest block is {tip}: the ledger has lost blocks, \
             or the height is damaged"
        );
        report.add(Trouble::LedgerShort, CONSENSUS_LOG, "byte 4", what);
    } else if logged < tip && logged > Height::GENESIS {
        let what = format!("it is of height {logged}, but block {tip} is committed");
        report.add(Trouble::ConsensusLogHeight, CONSENSUS_LOG, "byte 4", what);
    }
}

/// Holds every kept state against the header of its height.
pub(super) fn check_kept_states(store: &Store, report: &mut CheckReport) {
    let kept = KeptStates::beside(store.folder());
    let heights = match kept.heights() {
        Ok(heights) => heights,
        Err(error) => return note(report, error),
    };
    for height in heights {
        match check_kept_state(store, &kept, height) {
            Ok(()) => report.kept_states = report.kept_states.saturating_add(1),
            Err(error) => note(report, error),
        }
    }
}

fn check_kept_state(store: &Store, kept: &KeptStates, height: Height) -> Result<(), StoreError> {
    let Some(records) = kept.read(height)? else { return Ok(()) };
    let header = store.header(height)?;
    let header = header.ok_or_else(|| kept.damaged(height, "the ledger has no such block"))?;
    let (chain_id, time, block_id) = (header.chain_id, header.time, header.id());
    let tip = Tip { chain_id, height, time, block_id };
    let state = State::rebuild(records, LogFrontier::new(), tip)
        .map_err(|fault| kept.damaged(height, &fault.to_string()))?;
    if state.root() == header.state_root {
        return Ok(());
    }
    let (found, said) = (state.root(), header.state_root);
    let reason = format!("its records have root {found}, the header says {said}");
    Err(kept.damaged(height, &reason))
}

/// Checks genesis document and keys.
pub(super) fn check_config(config: &NodeConfig, store: Option<&Store>, report: &mut CheckReport) {
    let shown = |path: &Path| path.display().to_string();
    match config.read_genesis() {
        Err(error) => {
            report.add(Trouble::Genesis, shown(&config.genesis), "the file", error.to_string());
        }
        Ok(genesis) => {
            let found = store.and_then(|store| store.tip().ok().flatten());
            let expected = genesis.chain_id();
            if let Some(tip) = found.filter(|tip| tip.chain_id != expected) {
                let what = format!("it is of chain {expected}, the ledger of {}", tip.chain_id);
                report.add(Trouble::Genesis, shown(&config.genesis), "the file", what);
            }
        }
    }
    let keys = match NodeKeys::read(config) {
        Ok(keys) => keys,
        Err(error) => {
            report.add(Trouble::Keys, shown(&config.file), "keys", error.to_string());
            return;
        }
    };
    let next = report.height.map(Height::next);
    let validators =
        store.zip(next).and_then(|(store, next)| store.validators(next).ok().flatten());
    let Some(validators) = validators else { return };
    let public = |key: &SigningKey| PublicKey::new(key.verifying_key().to_bytes());
    let consensus = keys.consensus.as_ref().map(public);
    let member = validators.members().iter().find(|one| Some(one.consensus_key) == consensus);
    if let Some(file) = config.keys.consensus.as_ref().filter(|_| member.is_none()) {
        let what = "no validator of the next height has this key";
        report.add(Trouble::KeyNotNamed, shown(file), "the key", what);
    }
    let cosigner = keys.cosigner.as_ref().map(public);
    if let (Some(member), Some(file), Some(cosigner)) = (member, &config.keys.cosigner, cosigner)
        && member.cosigner_key != cosigner
    {
        let what = format!("validator {} has another cosigner key", member.name);
        report.add(Trouble::Keys, shown(file), "the key", what);
    }
}
