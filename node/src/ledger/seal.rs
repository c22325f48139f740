//! Committing the block that a quorum decided.

use cets_consensus::LedgerFault;
use cets_contracts::block::{Block, Certificate, commit_block};
use cets_contracts::types::{Height, LogIndex, TxId};

use super::NodeLedger;
use super::judge::Refusal;
use super::keep::keep_newest;
use super::pending::{Judgement, Outcome};
use crate::metrics;
use crate::read::FinalTransaction;
use crate::store::{BlockBatch, KeptFor};

const ACTION: &str = "commit a block";

impl NodeLedger {
    /// Makes the decided block durable, then visible, then tells who waits for its transactions.
    ///
    /// A crash before the batch leaves the parent as tip and consensus decides again from its log;
    /// a crash after it finds the block committed. Nothing is told before it is durable.
    pub(super) fn seal(&self, certificate: &Certificate) -> Result<(), LedgerFault> {
        let tip = self.state.read().state.tip;
        if certificate.height == tip.height && certificate.block_id == tip.block_id {
            return Ok(());
        }
        self.check_next(ACTION, certificate.height)?;
        let started = std::time::Instant::now();
        let ended = self.pending().ended_by(certificate.height);
        let outcome = self.decided_outcome(certificate)?;
        let (first_log_index, last_of_day) = {
            let committed = self.state.read();
            let last_of_day = self.keep.before(&committed.state, &outcome.executed);
            (committed.state.log.size(), last_of_day)
        };
        // The genesis state has no header that names its root.
        if last_of_day && tip.height > Height::GENESIS {
            keep_newest(&self.store, tip.height, KeptFor::Good);
        }
        let events = self
            .store
            .commit(&BlockBatch {
                executed: &outcome.executed,
                certificate,
                first_log_index,
                transactions: &outcome.transactions,
                undecided: &ended,
            })
            .map_err(|error| LedgerFault::new(ACTION, error))?;
        if self.keep.after(certificate.height) {
            let kept_for = KeptFor::Newest(self.keep.keep_every_newest);
            keep_newest(&self.store, certificate.height, kept_for);
        }
        count(&outcome);
        self.publish(outcome, certificate, first_log_index, events)?;
        metrics::record("cets_commit_seconds", started.elapsed());
        Ok(())
    }

    /// The executed form of the decided block, executed now when it was not before.
    fn decided_outcome(&self, certificate: &Certificate) -> Result<Outcome, LedgerFault> {
        let id = certificate.block_id;
        let taken = self.pending().blocks.remove(&id);
        let kept = taken.ok_or_else(|| {
            LedgerFault::new(ACTION, format!("block {id} was decided and is not here"))
        })?;
        let reason = match kept.judgement {
            Judgement::Valid(outcome) => return Ok(*outcome),
            Judgement::Invalid(reason) => reason,
            Judgement::Unexecuted => {
                let block = Block::decode(&kept.bytes)
                    .map_err(|error| LedgerFault::new("read a decided block", error))?;
                match self.execute(block) {
                    Ok(outcome) => return Ok(outcome),
                    Err(Refusal::Fault(fault)) => return Err(fault),
                    Err(Refusal::Invalid(reason)) => reason,
                }
            }
        };
        let height = certificate.height;
        Err(LedgerFault::new(
            "follow the quorum",
            format!(
                "block {id} of height {height} was decided, but here it is invalid: {reason}; this \
                 cetsd is older than the others or this machine is damaged: compare versions, then \
                 let the node fetch the ledger again into an empty folder"
            ),
        ))
    }

    /// Shows the durable block to readers, the mempool and those who wait.
    fn publish(
        &self,
        outcome: Outcome,
        certificate: &Certificate,
        first_log_index: LogIndex,
        events: Vec<Vec<u8>>,
    ) -> Result<(), LedgerFault> {
        let mut executed = outcome.executed;
        let header = executed.header.clone();
        let entries = std::mem::take(&mut executed.entries);
        let summary = {
            let mut committed = self.state.write();
            commit_block(&mut committed.state, executed)
                .map_err(|fault| LedgerFault::new(ACTION, fault))?;
            committed.newest = Some((header.clone(), certificate.clone()));
            committed.summary().map_err(|fault| LedgerFault::new(ACTION, fault))?
        };
        {
            let mut pending = self.pending();
            pending.forget(header.height);
            pending.committed_at = std::time::Instant::now();
        }
        let ids: Vec<TxId> =
            outcome.transactions.iter().map(|transaction| transaction.id()).collect();
        self.mempool
            .committed(&ids, header.time)
            .map_err(|fault| LedgerFault::new(ACTION, fault))?;
        if self.mempool.has_waiters() {
            let answers = ids.iter().zip(entries).zip(events);
            for (log_index, ((id, entry), events)) in (first_log_index..).zip(answers) {
                let (height, block_time) = (header.height, header.time);
                self.mempool.tell_final(id, || FinalTransaction {
                    entry,
                    log_index,
                    events,
                    height,
                    block_time,
                });
            }
        }
        self.commits.send_replace(summary);
        Ok(())
    }
}

fn count(outcome: &Outcome) {
    let outcomes = &outcome.executed.outcomes;
    let accepted = outcomes.iter().filter(|one| one.receipt.outcome.is_accepted()).count();
    metrics::add("cets_blocks_committed_total", 1);
    metrics::add("cets_transactions_accepted_total", accepted);
    metrics::add("cets_transactions_rejected_total", outcomes.len().saturating_sub(accepted));
}
