//! The sequential part of the audit: certificates, rules, roots, invariants.

use serde::Serialize;

use super::{HistoryRecord, PreparedBlock, ResumeError};
use crate::block::{
    BlockError, BlockFormatError, CertificateError, ExecutedBlock, Header, TxOutcome, ValidatorSet,
    commit_block, execute_block,
};
use crate::codec::CodecError;
use crate::fault::Fault;
use crate::genesis::{ClockRule, Genesis, GenesisError};
use crate::invariants::{self, Invariants, Violation};
use crate::log::{LogFrontier, LogNode};
use crate::proof::{Anchor, ValidatorChange};
use crate::state::State;
use crate::tx::EnvelopeError;
use crate::types::{BlockId, ChainId, Height, LogRoot, StateRoot};

/// What the audit found wrong; every variant names the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// The genesis document starts no ledger.
    #[error("genesis: {0}")]
    Genesis(#[from] GenesisError),
    /// A block does not decode or its body is not its header's.
    #[error("block {height}: {error}")]
    Block {
        /// Height.
        height: Height,
        /// Why.
        error: BlockFormatError,
    },
    /// Blocks do not follow each other.
    #[error("block {expected} is missing: block {found} stands in its place")]
    Gap {
        /// Height that should follow.
        expected: Height,
        /// Height that stands there.
        found: Height,
    },
    /// A certificate does not decode.
    #[error("block {height}: its certificate does not decode: {error}")]
    CertificateBytes {
        /// Height.
        height: Height,
        /// Why.
        error: CodecError,
    },
    /// A certificate proves nothing.
    #[error("block {height}: {error}")]
    Certificate {
        /// Height.
        height: Height,
        /// Why.
        error: CertificateError,
    },
    /// A transaction may not stand in its block.
    #[error("block {height}, transaction {index}: {error}")]
    Envelope {
        /// Height.
        height: Height,
        /// Position, from 0.
        index: usize,
        /// Why.
        error: EnvelopeError,
    },
    /// Execution disagrees with the block.
    #[error("block {height}: {error}")]
    Execution {
        /// Height.
        height: Height,
        /// Why.
        error: BlockError,
    },
    /// A stored receipt or event record is not what execution gives.
    #[error("block {height}, transaction {index}: the stored {what} is not what execution gives")]
    StoredOutcome {
        /// Height.
        height: Height,
        /// Position, from 0.
        index: usize,
        /// `receipt` or `event record`.
        what: &'static str,
    },
    /// Receipts or event records are missing or too many.
    #[error("block {height}: {found} {what}s are stored, {expected} transactions were ordered")]
    OutcomeCount {
        /// Height.
        height: Height,
        /// `receipt` or `event record`.
        what: &'static str,
        /// How many are stored.
        found: usize,
        /// How many transactions there are.
        expected: usize,
    },
    /// Invariants do not hold.
    #[error("after block {height}: {violation}")]
    Invariant {
        /// Height.
        height: Height,
        /// The first violation.
        violation: Violation,
    },
    /// A stored record is not what execution gives.
    #[error("record {key} of table {table}: {problem}")]
    Record {
        /// Key in hexadecimal.
        key: String,
        /// Name of the table.
        table: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// The history ends elsewhere.
    #[error("the history says that it ends at block {said}, its last block is {found}")]
    End {
        /// Height named at the end.
        said: Height,
        /// Height of the last block.
        found: Height,
    },
    /// The audit cannot go on from a saved state.
    #[error("the saved state: {0}")]
    Resume(#[from] ResumeError),
    /// The program or its memory is broken.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// The ledger.
    pub chain_id: ChainId,
    /// Name of the network.
    pub network: String,
    /// Whether business dates follow the clock or were set by order.
    pub clock: ClockRule,
    /// Last block that an earlier run of this audit checked; genesis when this run checked all.
    pub resumed_after: Height,
    /// Last block.
    pub height: Height,
    /// Its identifier.
    pub block_id: BlockId,
    /// State root after it.
    pub state_root: StateRoot,
    /// Entries of the log.
    pub log_size: u64,
    /// Root over all of them.
    pub log_root: LogRoot,
    /// Transactions executed again.
    pub transactions: u64,
    /// Of them accepted.
    pub accepted: u64,
    /// Signatures of transactions verified.
    pub signatures: u64,
    /// Certificates verified.
    pub certificates: u64,
    /// Records of the state.
    pub records: u64,
}

/// How often all invariants are checked over the whole state, besides the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvariantSchedule {
    /// Every so many blocks; 0 for only at the end.
    pub every_blocks: u64,
}

/// Replays a history block by block.
#[derive(Debug)]
pub struct Auditor {
    pub(super) state: State,
    /// Validators of the next block.
    validators: ValidatorSet,
    schedule: InvariantSchedule,
    pub(super) report: AuditReport,
    /// Header and certificate of the last block; none at genesis.
    pub(super) last: Option<Anchor>,
    /// Log that the last header names.
    pub(super) log_before_header: LogFrontier,
    pub(super) validator_changes: Vec<ValidatorChange>,
}

/// What execution gave for a block that was checked, for those who hold more rows against it.
#[derive(Clone, Debug)]
pub struct CheckedBlock {
    /// The header.
    pub header: Header,
    /// Its transactions.
    pub transactions: Vec<crate::tx::VerifiedTransaction>,
    /// One outcome per transaction.
    pub outcomes: Vec<TxOutcome>,
    /// Log entries of the transactions, then the header's.
    pub entries: Vec<Vec<u8>>,
    /// Log nodes completed by the entries.
    pub log_nodes: Vec<LogNode>,
    /// What was compared; kept so that whoever drops the block frees it, elsewhere if they like.
    _compared: Vec<Vec<u8>>,
}

impl Auditor {
    /// Starts from genesis.
    pub fn new(genesis: &Genesis, schedule: InvariantSchedule) -> Result<Self, AuditError> {
        let state = genesis.state()?;
        let report = AuditReport {
            chain_id: state.tip.chain_id,
            network: genesis.network.clone(),
            clock: genesis.clock,
            resumed_after: Height::GENESIS,
            height: state.tip.height,
            block_id: state.tip.block_id,
            state_root: state.root(),
            log_size: 0,
            log_root: state.log.root(),
            transactions: 0,
            accepted: 0,
            signatures: 0,
            certificates: 0,
            records: 0,
        };
        let validators = state.validators()?;
        Ok(Self {
            state,
            validators,
            schedule,
            report,
            last: None,
            log_before_header: LogFrontier::new(),
            validator_changes: Vec::new(),
        })
    }

    /// Goes on from a state that was verified; see [`super::AuditSnapshot`].
    pub(super) fn go_on(
        &mut self,
        state: State,
        last: Anchor,
        log_before_header: LogFrontier,
        changes: Vec<ValidatorChange>,
    ) -> Result<(), Fault> {
        self.validators = state.validators()?;
        self.report.resumed_after = state.tip.height;
        self.state = state;
        self.last = Some(last);
        self.log_before_header = log_before_header;
        self.validator_changes = changes;
        Ok(())
    }

    /// Validators of the next block, for [`PreparedBlock::check_certificate`].
    pub const fn validators(&self) -> &ValidatorSet {
        &self.validators
    }

    /// Every change of the validator set so far, with its anchor.
    pub fn validator_changes(&self) -> &[ValidatorChange] {
        &self.validator_changes
    }

    /// Checks the next block: place, certificate, rules, roots, stored outcomes, invariants.
    pub fn check_block(&mut self, prepared: PreparedBlock) -> Result<CheckedBlock, AuditError> {
        let header = &prepared.block.header;
        let height = self.state.tip.height.next();
        if header.height != height {
            return Err(AuditError::Gap { expected: height, found: header.height });
        }
        if prepared.certified_by.as_deref() != Some(&self.validators) {
            prepared
                .certificate
                .verify(self.state.tip.chain_id, header.id(), &self.validators)
                .map_err(|error| AuditError::Certificate { height, error })?;
        }
        if prepared.certificate.height != height {
            let (expected, found) = (height, prepared.certificate.height);
            return Err(AuditError::Gap { expected, found });
        }
        let mut executed = execute_block(&self.state, header, &prepared.transactions)
            .map_err(|error| AuditError::Execution { height, error })?;
        compare_outcomes(height, &prepared, &executed)?;
        self.count(&prepared, &executed);
        let checked = CheckedBlock {
            header: executed.header.clone(),
            transactions: prepared.transactions,
            outcomes: core::mem::take(&mut executed.outcomes),
            entries: core::mem::take(&mut executed.entries),
            log_nodes: core::mem::take(&mut executed.log_nodes),
            _compared: prepared.receipts,
        };
        self.log_before_header = core::mem::take(&mut executed.log_before_header);
        commit_block(&mut self.state, executed)?;
        let anchor = Anchor { header: prepared.block.header, certificate: prepared.certificate };
        self.note_validators(&anchor)?;
        self.last = Some(anchor);
        if self.schedule.every_blocks > 0 && height.get().is_multiple_of(self.schedule.every_blocks)
        {
            self.check_invariants()?;
        }
        Ok(checked)
    }

    /// Takes note of the validators of the next block when the last one changed them.
    fn note_validators(&mut self, anchor: &Anchor) -> Result<(), Fault> {
        let validators = self.state.validators()?;
        if validators != self.validators {
            let change = ValidatorChange { anchor: anchor.clone(), validators: validators.clone() };
            self.validator_changes.push(change);
            self.validators = validators;
        }
        Ok(())
    }

    fn count(&mut self, prepared: &PreparedBlock, executed: &ExecutedBlock) {
        let report = &mut self.report;
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let accepted =
            executed.outcomes.iter().filter(|outcome| outcome.receipt.outcome.is_accepted());
        report.transactions = report.transactions.saturating_add(count(executed.outcomes.len()));
        report.accepted = report.accepted.saturating_add(count(accepted.count()));
        report.signatures = report.signatures.saturating_add(prepared.signatures);
        report.certificates = report.certificates.saturating_add(1);
    }

    /// Checks all invariants over the whole state.
    pub fn check_invariants(&self) -> Result<(), AuditError> {
        invariants::PARTS.into_iter().try_for_each(|part| self.check_part(part))
    }

    /// Checks a part of the invariants over the whole state.
    pub fn check_part(&self, part: Invariants) -> Result<(), AuditError> {
        let height = self.state.tip.height;
        match part.check(&self.state).into_iter().next() {
            Some(violation) => Err(AuditError::Invariant { height, violation }),
            None => Ok(()),
        }
    }

    /// Holds stored records of committed tables, given in the order of their keys, against the
    /// state.
    pub fn compare_records(
        &self,
        stored: impl IntoIterator<Item = HistoryRecord>,
    ) -> Result<(), AuditError> {
        let mut expected = self.state.committed_records();
        for record in stored {
            let Some((key, own)) = expected.next() else {
                return Err(record_error(&record.key, "it does not belong to the state"));
            };
            if *key < *record.key {
                return Err(record_error(&key, "it is missing from the stored state"));
            }
            if *key > *record.key {
                return Err(record_error(&record.key, "it does not belong to the state"));
            }
            if *own.value != *record.value {
                return Err(record_error(&key, "the stored value is not what execution gives"));
            }
            if own.slot.map(crate::tree::Slot::get) != record.slot {
                return Err(record_error(&key, "it is stored with another slot"));
            }
        }
        match expected.next() {
            Some((key, _)) => Err(record_error(&key, "it is missing from the stored state")),
            None => Ok(()),
        }
    }

    /// Refuses a history that names another end.
    pub fn check_end(&self, said: Height) -> Result<(), AuditError> {
        let found = self.state.tip.height;
        if said == found { Ok(()) } else { Err(AuditError::End { said, found }) }
    }

    /// The state after the last block.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Checks all invariants once more and says what was checked.
    pub fn finish(self) -> Result<(AuditReport, State), AuditError> {
        self.check_invariants()?;
        Ok((self.report(), self.state))
    }

    /// What was checked so far.
    pub fn report(&self) -> AuditReport {
        let state = &self.state;
        AuditReport {
            height: state.tip.height,
            block_id: state.tip.block_id,
            state_root: state.root(),
            log_size: state.log.size(),
            log_root: state.log.root(),
            records: u64::try_from(state.records().count()).unwrap_or(u64::MAX),
            ..self.report.clone()
        }
    }
}

fn record_error(key: &[u8], problem: &'static str) -> AuditError {
    let table = crate::state::Table::of(key).map_or("unknown", crate::state::Table::name);
    AuditError::Record { key: hex::encode(key), table, problem }
}

fn compare_outcomes(
    height: Height,
    prepared: &PreparedBlock,
    executed: &ExecutedBlock,
) -> Result<(), AuditError> {
    let expected = executed.outcomes.len();
    let counts = [("receipt", prepared.receipts.len()), ("event record", prepared.events.len())];
    for (what, found) in counts {
        if found != expected {
            return Err(AuditError::OutcomeCount { height, what, found, expected });
        }
    }
    let stored = prepared.receipts.iter().zip(&prepared.events);
    let own = executed.outcomes.iter().zip(&executed.entries);
    for (index, ((outcome, entry), (receipt, events))) in own.zip(stored).enumerate() {
        let differs = |what| Err(AuditError::StoredOutcome { height, index, what });
        // The receipt ends the log entry, whose transaction is the block's, byte by byte.
        let transaction = prepared.transactions.get(index).map_or(0, |one| one.bytes().len());
        let front = entry.len().saturating_sub(receipt.len());
        if !entry.ends_with(receipt) || front != receipt_offset(transaction) {
            return differs("receipt");
        }
        // The digest in the receipt is that of the canonical bytes of the event record.
        let own = outcome.events.is_some().then_some(outcome.receipt.events);
        if *events != own {
            return differs("event record");
        }
    }
    Ok(())
}

/// Where the receipt begins in the log entry of a transaction of so many bytes: after the tag of
/// the entry, the length in groups of seven bits, and the transaction.
fn receipt_offset(transaction: usize) -> usize {
    let bits = usize::BITS.saturating_sub(transaction.leading_zeros()).max(1);
    let length = usize::try_from(bits.div_ceil(7)).unwrap_or(usize::MAX);
    length.saturating_add(transaction).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{LogEntry, Outcome, Receipt};
    use crate::codec;
    use crate::types::{Digest, TxId};

    #[test]
    fn the_receipt_begins_in_its_entry_where_it_is_looked_for() {
        let receipt = Receipt {
            tx_id: TxId::new([1; 32]),
            height: Height::new(2),
            position: 3,
            outcome: Outcome::Accepted,
            events: Digest::new([4; 32]),
        };
        for length in [0, 1, 127, 128, 16_383, 16_384, 61_440] {
            let transaction = vec![9; length];
            let entry = LogEntry::Transaction { transaction, receipt: receipt.clone() }.encode();
            assert_eq!(entry[receipt_offset(length)..], codec::encode(&receipt));
        }
    }
}
