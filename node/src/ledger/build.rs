//! Building the block that this validator proposes.

use std::time::{Duration, Instant};

use cets_consensus::{BuildLimits, LedgerFault, ProposedBlock};
use cets_contracts::block::{Block, BlockExecutor, PushError};
use cets_contracts::types::{Height, TxId, ValidatorAddress};

use super::NodeLedger;
use super::pending::{Judgement, Outcome, PendingBlock};
use crate::mempool::{PooledTransaction, SubmitError};

const ACTION: &str = "build a block";
/// Transactions taken from the mempool at a time.
const CHUNK_TRANSACTIONS: usize = 512;

impl NodeLedger {
    /// The block of a round: the one proposed before, or a new one, durable before it returns.
    pub(super) fn build(
        &self,
        height: Height,
        round: u32,
        proposer: ValidatorAddress,
        limits: BuildLimits,
    ) -> Result<ProposedBlock, LedgerFault> {
        let fault = |error| LedgerFault::new(ACTION, error);
        self.check_next(ACTION, height)?;
        if let Some(id) = self.store.proposal(height, round).map_err(fault)? {
            let bytes = self.pending().blocks.get(&id).map(|block| block.bytes.clone());
            let bytes = bytes.ok_or_else(|| {
                LedgerFault::new(ACTION, format!("the block {id} proposed before is lost"))
            })?;
            return Ok(ProposedBlock { id, bytes });
        }
        if round == 0 {
            self.wait_for_transactions(limits.waiting);
        }
        let started = Instant::now();
        let (outcome, block) = self.fill(proposer, limits.transactions)?;
        let id = outcome.executed.header.id();
        let bytes = bytes::Bytes::from(block.encode());
        self.store.save_proposal(id, height, round, &bytes).map_err(fault)?;
        let judgement = Judgement::Valid(Box::new(outcome));
        let pending = PendingBlock { height, bytes: bytes.clone(), judgement };
        self.pending().blocks.insert(id, pending);
        crate::metrics::record("cets_build_seconds", started.elapsed());
        Ok(ProposedBlock { id, bytes })
    }

    /// Waits until a transaction arrives; without any until an empty block is due, never longer
    /// than it may.
    fn wait_for_transactions(&self, longest: Duration) {
        let now = Instant::now();
        let since_commit = now.saturating_duration_since(self.pending().committed_at);
        let idle = self.settings.idle_block_interval.saturating_sub(since_commit);
        if let Some(deadline) = now.checked_add(longest.min(idle)) {
            self.mempool.wait_until_filled(deadline);
        }
    }

    /// Executes waiting transactions until a limit is met. Those that may not stand in any block
    /// leave the mempool.
    fn fill(
        &self,
        proposer: ValidatorAddress,
        most: usize,
    ) -> Result<(Outcome, Block), LedgerFault> {
        let deadline = Instant::now().checked_add(self.settings.block_build_time_max);
        let most = self.settings.block_transactions_max.min(most);
        let committed = self.state.read();
        let state = &committed.state;
        let time = self.clock.now().max(state.tip.time.saturating_add_millis(1));
        let mut executor = BlockExecutor::new(state, time, proposer)
            .map_err(|error| LedgerFault::new(ACTION, error))?;
        let mut taken: Vec<PooledTransaction> = Vec::new();
        let mut dropped: Vec<(TxId, SubmitError)> = Vec::new();
        let (mut bytes_left, mut arrival) = (self.settings.block_bytes_max, 0u64);
        'fill: loop {
            let chunk = self.mempool.from(arrival, CHUNK_TRANSACTIONS);
            let Some((last, _)) = chunk.last() else { break };
            arrival = last.saturating_add(1);
            for (_, transaction) in chunk {
                let late = deadline.is_some_and(|deadline| Instant::now() > deadline);
                let Some(left) = bytes_left.checked_sub(transaction.bytes().len()) else {
                    break 'fill;
                };
                if late || taken.len() >= most {
                    break 'fill;
                }
                let stranger = executor
                    .stranger(&transaction)
                    .map_err(|fault| LedgerFault::new(ACTION, fault))?;
                if let Some(reject) = stranger {
                    dropped.push((transaction.id(), SubmitError::Stranger(reject)));
                    continue;
                }
                match executor.push(&transaction) {
                    Ok(_) => {
                        bytes_left = left;
                        taken.push(transaction);
                    }
                    Err(PushError::Envelope(error)) => {
                        dropped.push((transaction.id(), error.into()));
                    }
                    Err(PushError::Fault(fault)) => return Err(LedgerFault::new(ACTION, fault)),
                }
            }
        }
        let (executed, transactions) =
            executor.finish().map_err(|error| LedgerFault::new(ACTION, error))?;
        drop(committed);
        for (id, error) in dropped {
            self.mempool.drop_transaction(&id, &error);
        }
        let block = Block { header: executed.header.clone(), transactions };
        Ok((Outcome { executed, transactions: taken }, block))
    }
}
