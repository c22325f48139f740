//! The ledger of a node and its implementation of the trait of consensus.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cets_consensus::{
    BlockSource, BlockVerdict, BuildLimits, DecidedBlock, Evidence, GuardMark, Ledger, LedgerFault,
    ProposedBlock,
};
use cets_contracts::block::{Certificate, ValidatorSet};
use cets_contracts::genesis::Genesis;
use cets_contracts::types::{BlockId, ChainId, Height, ValidatorAddress};
use tokio::sync::watch;

use super::pending::{Judgement, Pending, PendingBlock};
use super::{KeepRules, LedgerSettings};
use crate::clock::Clock;
use crate::mempool::Mempool;
use crate::read::{Committed, ReadError, SharedState, TipSummary};
use crate::store::{Store, StoreError};

/// A node's ledger: the store, the newest state and the blocks that may come next.
pub struct NodeLedger {
    pub(super) settings: LedgerSettings,
    pub(super) chain_id: ChainId,
    pub(super) store: Store,
    pub(super) state: SharedState,
    pub(super) mempool: Mempool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) commits: watch::Sender<TipSummary>,
    pub(super) keep: KeepRules,
    target_block_time: Option<Duration>,
    pending: Mutex<Pending>,
}

impl std::fmt::Debug for NodeLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NodeLedger({}, {:?})", self.chain_id, self.store)
    }
}

impl NodeLedger {
    /// Reads the newest state of a store, which it begins with genesis when it is empty.
    pub fn load(store: &Store, genesis: &Genesis) -> Result<SharedState, StoreError> {
        let state = store.load_state(genesis)?;
        let height = state.tip.height;
        let newest = match (store.header(height)?, store.certificate(height)?) {
            (Some(header), Some(certificate)) => Some((header, certificate)),
            _ => None,
        };
        Ok(SharedState::new(Committed { state, newest }))
    }

    /// A ledger over a store and the state loaded from it.
    pub fn new(
        settings: LedgerSettings,
        genesis: &Genesis,
        store: Store,
        state: SharedState,
        mempool: Mempool,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ReadError> {
        let summary = state.read().summary()?;
        let mut blocks = BTreeMap::new();
        let mut ended = Vec::new();
        for block in store.undecided()? {
            if block.height > summary.height {
                let judgement = Judgement::Unexecuted;
                let (height, bytes) = (block.height, block.bytes);
                blocks.insert(block.id, PendingBlock { height, bytes, judgement });
            } else {
                ended.push(block.id);
            }
        }
        store.forget_undecided(&ended, summary.height)?;
        let interval = genesis.block_interval_millis;
        let (commits, _) = watch::channel(summary);
        Ok(Self {
            settings: settings.within_limits(),
            chain_id: genesis.chain_id(),
            store,
            state,
            mempool,
            clock,
            commits,
            keep: KeepRules::default(),
            target_block_time: (interval > 0).then(|| Duration::from_millis(interval.into())),
            pending: Mutex::new(Pending { blocks, committed_at: Instant::now() }),
        })
    }

    /// The ledger with other rules of which states are kept for later proofs.
    #[must_use]
    pub fn keeping(mut self, keep: KeepRules) -> Self {
        self.keep = keep;
        self
    }

    /// The newest block, renewed by each commit.
    pub fn commits(&self) -> watch::Receiver<TipSummary> {
        self.commits.subscribe()
    }

    pub(super) fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a height is the one after the tip; consensus asks for no other.
    pub(super) fn check_next(
        &self,
        action: &'static str,
        height: Height,
    ) -> Result<(), LedgerFault> {
        let tip = self.state.read().state.tip.height;
        if height == tip.next() {
            return Ok(());
        }
        Err(LedgerFault::new(action, format!("height {height} was asked for at tip {tip}")))
    }
}

impl Ledger for NodeLedger {
    fn chain_id(&self) -> ChainId {
        self.chain_id
    }

    fn tip(&self) -> Result<Height, LedgerFault> {
        Ok(self.state.read().state.tip.height)
    }

    fn withholds_votes(&self) -> Result<bool, LedgerFault> {
        let newest = self.state.read().state.tip.time;
        let withholds = self.store.withholds_votes(newest);
        withholds.map_err(|error| LedgerFault::new("read whether votes are withheld", error))
    }

    fn history_min_height(&self) -> Result<Height, LedgerFault> {
        Ok(Height::GENESIS.next())
    }

    fn validators(&self, height: Height) -> Result<ValidatorSet, LedgerFault> {
        let action = "read the validators";
        {
            let committed = self.state.read();
            if height == committed.state.tip.height.next() {
                let set = committed.state.validators();
                return set.map_err(|fault| LedgerFault::new(action, fault));
            }
        }
        self.store
            .validators(height)
            .map_err(|error| LedgerFault::new(action, error))?
            .ok_or_else(|| LedgerFault::new(action, format!("none are known for {height}")))
    }

    fn target_block_time(&self) -> Option<Duration> {
        self.target_block_time
    }

    fn propose(
        &self,
        height: Height,
        round: u32,
        proposer: ValidatorAddress,
        limits: BuildLimits,
    ) -> Result<ProposedBlock, LedgerFault> {
        self.build(height, round, proposer, limits)
    }

    fn validate(
        &self,
        height: Height,
        _round: u32,
        source: BlockSource,
        bytes: Bytes,
    ) -> Result<BlockVerdict, LedgerFault> {
        self.judge(height, source, bytes)
    }

    fn undecided_block(&self, id: BlockId) -> Result<Option<Bytes>, LedgerFault> {
        let pending = self.pending();
        let block = pending.blocks.get(&id);
        Ok(block
            .filter(|block| !matches!(block.judgement, Judgement::Invalid(_)))
            .map(|block| block.bytes.clone()))
    }

    fn commit(&self, certificate: &Certificate) -> Result<(), LedgerFault> {
        self.seal(certificate)
    }

    fn extend_certificate(&self, certificate: &Certificate) -> Result<(), LedgerFault> {
        let fault = |error: StoreError| LedgerFault::new("extend a certificate", error);
        let Some(stored) = self.store.certificate(certificate.height).map_err(fault)? else {
            return Ok(());
        };
        let same = stored.block_id == certificate.block_id && stored.round == certificate.round;
        if !same || stored.signatures.len() >= certificate.signatures.len() {
            return Ok(());
        }
        self.store.replace_certificate(certificate).map_err(fault)?;
        if let Some((header, newest)) = &mut self.state.write().newest
            && header.height == certificate.height
        {
            newest.clone_from(certificate);
        }
        Ok(())
    }

    fn decided_block(&self, height: Height) -> Result<Option<DecidedBlock>, LedgerFault> {
        let stored = self
            .store
            .block(height)
            .map_err(|error| LedgerFault::new("read a committed block", error))?;
        Ok(stored.map(|stored| DecidedBlock {
            bytes: stored.block.encode().into(),
            certificate: stored.certificate,
        }))
    }

    fn record_evidence(&self, height: Height, evidence: Vec<Evidence>) -> Result<(), LedgerFault> {
        self.store
            .save_evidence(height, &evidence)
            .map_err(|error| LedgerFault::new("keep evidence", error))
    }

    fn load_guard(&self) -> Result<Vec<GuardMark>, LedgerFault> {
        self.store
            .guard_marks()
            .map_err(|error| LedgerFault::new("read the double-sign guard", error))
    }

    fn save_guard(&self, marks: &[GuardMark]) -> Result<(), LedgerFault> {
        self.store
            .save_guard_marks(marks)
            .map_err(|error| LedgerFault::new("write the double-sign guard", error))
    }
}
