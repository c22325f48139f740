//! Which states a node keeps for later proofs, and keeping them while blocks go on.

use std::sync::mpsc::sync_channel;

use cets_contracts::block::ExecutedBlock;
use cets_contracts::codec;
use cets_contracts::state::{
    KeyParts, Ledger, ParameterName, ParameterVersion, State, Table, keys,
};
use cets_contracts::types::{BusinessDate, Height};
use serde::Deserialize;

use crate::metrics;
use crate::store::{KeptFor, KeptStates, Store};

/// Which states are kept, as the section `proofs` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeepRules {
    /// The last state of every day that is the surrender deadline of a compliance year.
    pub keep_deadlines: bool,
    /// The last state of these business dates.
    pub keep_dates: Vec<BusinessDate>,
    /// Every state whose height is a multiple of this; 0 for none.
    pub keep_every: u64,
    /// How many of the states kept for their height alone stay, the newest; 0 for all.
    pub keep_every_newest: usize,
}

impl Default for KeepRules {
    fn default() -> Self {
        Self { keep_deadlines: true, keep_dates: Vec::new(), keep_every: 0, keep_every_newest: 0 }
    }
}

impl KeepRules {
    /// Whether the state before a block is the last one of a day that is kept.
    ///
    /// The business date moves by order, so that only the block that moves it shows which state
    /// was the last of a day; a day that was jumped over ends with the same state.
    pub fn before(&self, state: &State, next: &ExecutedBlock) -> bool {
        let Ok(old) = state.view().ledger().map(|ledger| ledger.business_date) else {
            return false;
        };
        let Some(new) = date_after(next).filter(|new| *new > old) else { return false };
        let ended = |day: &BusinessDate| (old..new).contains(day);
        let kept = self.keep_dates.iter().any(ended);
        kept || (self.keep_deadlines && deadlines(state).iter().any(ended))
    }

    /// Whether the state after a block is kept for its height.
    pub const fn after(&self, height: Height) -> bool {
        self.keep_every > 0 && height.get().is_multiple_of(self.keep_every)
    }
}

/// The business date that a block sets.
fn date_after(block: &ExecutedBlock) -> Option<BusinessDate> {
    let key = keys::single(Table::Ledger);
    let (_, change) = block.state.changes().iter().find(|(changed, _)| *changed == key)?;
    let ledger: Ledger = codec::decode(&change.as_ref()?.value).ok()?;
    Some(ledger.business_date)
}

/// Every day that is or was set as a surrender deadline.
fn deadlines(state: &State) -> Vec<BusinessDate> {
    let prefix = keys::table_prefix(Table::Parameters);
    let versions = state.scan_table::<ParameterVersion>(prefix).flatten();
    let of_deadline = versions.filter(|(key, _)| {
        let name = ParameterName::SurrenderDeadline.tag();
        matches!(KeyParts::of(key), Some(KeyParts::Parameter(tag, ..)) if tag == name)
    });
    of_deadline
        .filter_map(|(_, version)| u32::try_from(version.value).ok())
        .filter_map(|days| BusinessDate::from_days(days).ok())
        .collect()
}

/// Keeps the newest durable state, of this height: returns once the state is held fast, and
/// writes the file while later blocks are committed.
///
/// A failure is logged and counted and stops nothing: `cetsd keep` makes up for it.
pub(super) fn keep_newest(store: &Store, height: Height, kept_for: KeptFor) {
    let store = store.clone();
    let (held, wait) = sync_channel(1);
    let write = move || {
        let states = KeptStates::beside(store.folder());
        let kept = store.with_newest_records(height, |records| {
            held.send(()).ok();
            states.write(height, kept_for, records)
        });
        match kept {
            Ok(path) => tracing::info!(%height, file = %path.display(), "kept the state"),
            Err(error) => {
                metrics::add("cets_states_not_kept_total", 1);
                tracing::error!(%height, %error, "the state was not kept; make it: cetsd keep");
            }
        }
    };
    match std::thread::Builder::new().name("keep-state".to_owned()).spawn(write) {
        // An error means that the thread has failed and said so.
        Ok(_) => wait.recv().unwrap_or_default(),
        Err(error) => {
            metrics::add("cets_states_not_kept_total", 1);
            tracing::error!(%height, %error, "the state was not kept; make it: cetsd keep");
        }
    }
}
