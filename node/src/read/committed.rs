//! The newest committed state in memory, shared by readers and the one writer.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cets_contracts::Fault;
use cets_contracts::block::{Certificate, Header};
use cets_contracts::state::State;

use super::TipSummary;

/// The newest committed state with the header and certificate that vouch for it.
#[derive(Debug)]
pub struct Committed {
    /// Everything the next block is executed on.
    pub state: State,
    /// Header and certificate of the last block; none before the first.
    pub newest: Option<(Header, Certificate)>,
}

impl Committed {
    /// The newest block in short.
    pub fn summary(&self) -> Result<TipSummary, Fault> {
        let state = &self.state;
        Ok(TipSummary {
            height: state.tip.height,
            time: state.tip.time,
            block_id: state.tip.block_id,
            log_size: state.log.size(),
            state_root: state.root(),
            business_date: state.view().ledger()?.business_date,
        })
    }
}

/// A handle to the newest committed state; cheap to clone.
///
/// Readers hold the lock for one answer, at most one page, so that the writer waits microseconds.
#[derive(Clone, Debug)]
pub struct SharedState(Arc<RwLock<Committed>>);

impl SharedState {
    /// Shares a state.
    pub fn new(committed: Committed) -> Self {
        Self(Arc::new(RwLock::new(committed)))
    }

    /// Reads; keep the guard for one answer only.
    pub fn read(&self) -> RwLockReadGuard<'_, Committed> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes; only the commit of a block does.
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Committed> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
