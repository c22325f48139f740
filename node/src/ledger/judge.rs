//! Judging blocks that others proposed.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use cets_consensus::{BlockSource, BlockVerdict, LedgerFault};
use cets_contracts::block::{Block, BlockError, Header, execute_block};
use cets_contracts::crypto::KnownKeys;
use cets_contracts::tx::{EnvelopeError, Transaction};
use cets_contracts::types::{BlockId, Height};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::NodeLedger;
use super::pending::{Judgement, Outcome, PendingBlock};
use crate::mempool::{PooledTransaction, verify_signatures};

const ACTION: &str = "judge a block";
/// Transactions whose signatures are verified in one batch.
const BATCH_TRANSACTIONS: usize = 256;

thread_local! {
    /// Keys whose signatures this thread verified before.
    static KNOWN: RefCell<KnownKeys> = RefCell::new(KnownKeys::new());
}

/// Why a block is not executed.
pub(super) enum Refusal {
    /// No correct validator decides it.
    Invalid(String),
    /// This node is broken.
    Fault(LedgerFault),
}

impl NodeLedger {
    /// Judges a block of the next height; durable before it is called valid or untimely.
    pub(super) fn judge(
        &self,
        height: Height,
        source: BlockSource,
        bytes: Bytes,
    ) -> Result<BlockVerdict, LedgerFault> {
        self.check_next(ACTION, height)?;
        let block = match Block::decode(&bytes) {
            Ok(block) => block,
            Err(error) => return Ok(BlockVerdict::Malformed { reason: error.to_string() }),
        };
        let id = block.header.id();
        if let BlockSource::Decided { id: decided } = source
            && decided != id
        {
            return Ok(BlockVerdict::Malformed { reason: format!("it is {id}, not {decided}") });
        }
        if let Some(reason) = self.known_invalid(id) {
            return Ok(BlockVerdict::Invalid { id, reason });
        }
        if let Err(reason) = self.check_proposer(height, &source, &block.header)? {
            return Ok(BlockVerdict::Invalid { id, reason });
        }
        if let Some(reason) = self.untimely(&source, &block.header) {
            if !self.is_kept(id) {
                self.keep(id, height, bytes, Judgement::Unexecuted)?;
            }
            return Ok(BlockVerdict::Untimely { id, reason });
        }
        if self.is_executed(id) {
            return Ok(BlockVerdict::Valid { id });
        }
        let started = std::time::Instant::now();
        let executed = self.execute(block);
        crate::metrics::record("cets_execute_seconds", started.elapsed());
        match executed {
            Ok(outcome) => {
                self.keep(id, height, bytes, Judgement::Valid(Box::new(outcome)))?;
                Ok(BlockVerdict::Valid { id })
            }
            Err(Refusal::Invalid(reason)) => {
                let judgement = Judgement::Invalid(reason.clone());
                let pending = PendingBlock { height, bytes: Bytes::new(), judgement };
                self.pending().blocks.insert(id, pending);
                Ok(BlockVerdict::Invalid { id, reason })
            }
            Err(Refusal::Fault(fault)) => Err(fault),
        }
    }

    fn known_invalid(&self, id: BlockId) -> Option<String> {
        match &self.pending().blocks.get(&id)?.judgement {
            Judgement::Invalid(reason) => Some(reason.clone()),
            Judgement::Valid(_) | Judgement::Unexecuted => None,
        }
    }

    fn is_kept(&self, id: BlockId) -> bool {
        self.pending().blocks.contains_key(&id)
    }

    fn is_executed(&self, id: BlockId) -> bool {
        let pending = self.pending();
        pending.blocks.get(&id).is_some_and(|kept| matches!(kept.judgement, Judgement::Valid(_)))
    }

    /// Whether the header names the validator that may have built the block; this is no fact about
    /// the block alone, so nothing is remembered.
    fn check_proposer(
        &self,
        height: Height,
        source: &BlockSource,
        header: &Header,
    ) -> Result<Result<(), String>, LedgerFault> {
        let named = header.proposer;
        match source {
            BlockSource::Proposal { proposer } if named != *proposer => {
                Ok(Err(format!("the header names proposer {named}, the round's is {proposer}")))
            }
            BlockSource::Reproposal { proposers } if !proposers.contains(&named) => {
                Ok(Err(format!(
                    "the header names proposer {named}, who proposed in no round up to the polka's"
                )))
            }
            BlockSource::Proposal { .. } | BlockSource::Reproposal { .. } => Ok(Ok(())),
            BlockSource::Decided { .. } => {
                let set = cets_consensus::Ledger::validators(self, height)?;
                Ok(match set.by_address(&named) {
                    Some(_) => Ok(()),
                    None => Err(format!("the proposer {named} is no validator of {height}")),
                })
            }
        }
    }

    fn untimely(&self, source: &BlockSource, header: &Header) -> Option<String> {
        if matches!(source, BlockSource::Decided { .. }) {
            return None;
        }
        let drift = u64::try_from(self.settings.clock_drift_max.as_millis()).unwrap_or(u64::MAX);
        let latest = self.clock.now().saturating_add_millis(drift);
        (header.time > latest).then(|| {
            let (time, latest) = (header.time.as_millis(), latest.as_millis());
            format!("block time {time} ms is ahead of this node's clock, which allows {latest} ms")
        })
    }

    /// Makes a block durable and remembers what is known about it.
    fn keep(
        &self,
        id: BlockId,
        height: Height,
        bytes: Bytes,
        judgement: Judgement,
    ) -> Result<(), LedgerFault> {
        if !self.is_kept(id) {
            self.store
                .save_undecided(id, height, &bytes)
                .map_err(|error| LedgerFault::new("keep a block", error))?;
        }
        self.pending().blocks.insert(id, PendingBlock { height, bytes, judgement });
        Ok(())
    }

    /// Executes a block on the tip and holds it against its header.
    pub(super) fn execute(&self, block: Block) -> Result<Outcome, Refusal> {
        let Block { header, transactions } = block;
        let transactions = self.verify(transactions).map_err(|(position, error)| {
            Refusal::Invalid(format!("transaction {position} may not stand in a block: {error}"))
        })?;
        let committed = self.state.read();
        match execute_block(&committed.state, &header, &transactions) {
            Ok(executed) => Ok(Outcome { executed, transactions }),
            Err(BlockError::Fault(fault)) => {
                Err(Refusal::Fault(LedgerFault::new("execute a block", fault)))
            }
            Err(error) => Err(Refusal::Invalid(error.to_string())),
        }
    }

    /// Verifies transactions that the mempool does not hold in the very same bytes.
    fn verify(
        &self,
        envelopes: Vec<Vec<u8>>,
    ) -> Result<Vec<PooledTransaction>, (usize, EnvelopeError)> {
        let mut found = self.mempool.verified(&envelopes);
        let mut batches: Vec<(Vec<usize>, Vec<Transaction>)> = Vec::new();
        for (position, bytes) in envelopes.into_iter().enumerate() {
            if found.get(position).is_some_and(Option::is_some) {
                continue;
            }
            let transaction = Transaction::decode(bytes).map_err(|error| (position, error))?;
            match batches.last_mut() {
                Some((positions, batch)) if batch.len() < BATCH_TRANSACTIONS => {
                    positions.push(position);
                    batch.push(transaction);
                }
                _ => batches.push((vec![position], vec![transaction])),
            }
        }
        let verify = |(positions, batch)| {
            let verdicts = KNOWN.with(|known| verify_signatures(batch, &mut known.borrow_mut()));
            (positions, verdicts)
        };
        // Waking other threads costs more than one small batch.
        let verified: Vec<(Vec<usize>, Vec<_>)> = if batches.len() < 2 {
            batches.into_iter().map(verify).collect()
        } else {
            batches.into_par_iter().map(verify).collect()
        };
        for (positions, verdicts) in verified {
            for (position, verdict) in positions.into_iter().zip(verdicts) {
                let transaction = Arc::new(verdict.map_err(|error| (position, error))?);
                if let Some(place) = found.get_mut(position) {
                    *place = Some(transaction);
                }
            }
        }
        Ok(found.into_iter().flatten().collect())
    }
}
