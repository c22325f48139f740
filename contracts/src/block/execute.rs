//! The one executor: admission, proposal, validation, commit, sync, replay and audit run this.

use core::borrow::Borrow;

use super::{Block, EventRecord, Header, LOG_ENTRY_BYTES_MAX, LogEntry, Outcome, Receipt};
use crate::fault::Fault;
use crate::log::{LogFrontier, LogNode, leaf_hash};
use crate::rules::{self, Abort, Reject, TxContext};
use crate::state::{Overlay, State, StateUpdate, Tip};
use crate::tx::{EnvelopeError, TRANSACTION_LIFE_MILLIS_MAX, Transaction, VerifiedTransaction};
use crate::types::{BlockTime, ChainId, Height, StateRoot, TxId, ValidatorAddress};

/// Where and when transactions are executed.
#[derive(Clone, Copy, Debug)]
pub struct BlockContext {
    /// The ledger.
    pub chain_id: ChainId,
    /// Height of the block.
    pub height: Height,
    /// Block time.
    pub time: BlockTime,
}

/// The answer to one transaction, with what it left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxOutcome {
    /// The receipt.
    pub receipt: Receipt,
    /// Events; none when refused.
    pub events: Option<EventRecord>,
}

/// Why a block cannot be executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// A transaction may not stand in a block.
    #[error("transaction {position} may not stand in the block: {error}")]
    Envelope {
        /// Position in the block.
        position: u32,
        /// Why.
        error: EnvelopeError,
    },
    /// Block time does not come after the parent's.
    #[error("block time {} ms does not come after the parent's {} ms",
        time.as_millis(), parent.as_millis())]
    TimeNotLater {
        /// Time of the block.
        time: BlockTime,
        /// Time of the parent.
        parent: BlockTime,
    },
    /// The executed header differs from the proposed one.
    #[error("{what} of block {height} is {found}, execution gives {expected}")]
    HeaderDiffers {
        /// Height.
        height: Height,
        /// Name of the first field that differs.
        what: &'static str,
        /// What the header says.
        found: String,
        /// What execution gives.
        expected: String,
    },
    /// This node is broken or too old.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// An executed block: its header and everything a store persists for it.
#[derive(Clone)]
pub struct ExecutedBlock {
    /// The header.
    pub header: Header,
    /// One outcome per transaction.
    pub outcomes: Vec<TxOutcome>,
    /// Log entries of the transactions, then the header's.
    pub entries: Vec<Vec<u8>>,
    /// Log nodes completed by the entries.
    pub log_nodes: Vec<LogNode>,
    /// Log after the transactions, before the header's entry: the one that the header names.
    pub log_before_header: LogFrontier,
    /// Log after the block.
    pub log: LogFrontier,
    /// Changed records and the new tree.
    pub state: StateUpdate,
}

impl ExecutedBlock {
    /// The last block once this one is committed.
    pub fn tip(&self) -> Tip {
        Tip {
            chain_id: self.header.chain_id,
            height: self.header.height,
            time: self.header.time,
            block_id: self.header.id(),
        }
    }
}

/// Executes transactions one by one onto an overlay, then closes the block.
#[derive(Debug)]
pub struct BlockExecutor<'a> {
    context: BlockContext,
    proposer: ValidatorAddress,
    state: &'a State,
    overlay: Overlay<'a>,
    outcomes: Vec<TxOutcome>,
    transactions: Vec<Vec<u8>>,
}

impl<'a> BlockExecutor<'a> {
    /// Starts the block after the state's last one.
    pub fn new(
        state: &'a State,
        time: BlockTime,
        proposer: ValidatorAddress,
    ) -> Result<Self, BlockError> {
        let parent = state.tip.time;
        if time <= parent {
            return Err(BlockError::TimeNotLater { time, parent });
        }
        let context =
            BlockContext { chain_id: state.tip.chain_id, height: state.tip.height.next(), time };
        Ok(Self {
            context,
            proposer,
            state,
            overlay: Overlay::new(state),
            outcomes: Vec::new(),
            transactions: Vec::new(),
        })
    }

    /// Takes memory for so many transactions at once.
    fn reserve(&mut self, transactions: usize) {
        self.outcomes.reserve(transactions);
        self.transactions.reserve(transactions);
    }

    /// Executes one transaction. An envelope error leaves the block as it was.
    pub fn push(&mut self, transaction: &VerifiedTransaction) -> Result<&TxOutcome, PushError> {
        let position = u32::try_from(self.outcomes.len()).unwrap_or(u32::MAX);
        let outcome = execute_transaction(&self.context, position, transaction, &mut self.overlay)?;
        self.transactions.push(transaction.bytes().to_vec());
        self.outcomes.push(outcome);
        self.outcomes.last().ok_or_else(|| {
            PushError::Fault(Fault::Inconsistent { what: "an outcome was lost".to_owned() })
        })
    }

    /// Why a transaction comes from a stranger, judged after the transactions so far; a proposer
    /// need not order it. None when somebody who signed represents the account.
    pub fn stranger(&self, transaction: &VerifiedTransaction) -> Result<Option<Reject>, Fault> {
        rules::stranger(transaction, &self.overlay)
    }

    /// Transactions so far.
    pub fn len(&self) -> usize {
        self.outcomes.len()
    }

    /// Whether there is no transaction yet.
    pub fn is_empty(&self) -> bool {
        self.outcomes.is_empty()
    }

    /// Closes the block: entries, log root, state root, header.
    pub fn finish(self) -> Result<(ExecutedBlock, Vec<Vec<u8>>), BlockError> {
        let next_validators = self.overlay.validators()?.digest();
        let parameters = self.overlay.parameters_digest()?;
        let state = self.state.prepare(self.overlay.into_writes())?;
        let mut entries = Vec::with_capacity(self.transactions.len().saturating_add(1));
        for (transaction, outcome) in self.transactions.iter().zip(&self.outcomes) {
            entries.push(LogEntry::encode_transaction(transaction, &outcome.receipt));
        }
        let mut log = self.state.log.clone();
        let mut log_nodes = log.append_all(entries.iter().map(|entry| leaf_hash(entry)));
        let header = Header {
            chain_id: self.context.chain_id,
            height: self.context.height,
            time: self.context.time,
            proposer: self.proposer,
            parent: self.state.tip.block_id,
            transactions: Block::transactions_digest(&self.transactions),
            log_size: log.size(),
            log_root: log.root(),
            state_root: state.root(),
            next_validators,
            parameters,
        };
        let log_before_header = log.clone();
        let entry = LogEntry::Header(header.clone()).encode();
        log_nodes.extend(log.append_all([leaf_hash(&entry)]));
        entries.push(entry);
        let outcomes = self.outcomes;
        let executed =
            ExecutedBlock { header, outcomes, entries, log_nodes, log_before_header, log, state };
        Ok((executed, self.transactions))
    }
}

/// Why a transaction was not added to a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// It may not stand in this block.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// This node is broken.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Executes a block as proposed and holds the result against its header.
pub fn execute_block<T: Borrow<VerifiedTransaction>>(
    state: &State,
    header: &Header,
    transactions: &[T],
) -> Result<ExecutedBlock, BlockError> {
    let mut executor = BlockExecutor::new(state, header.time, header.proposer)?;
    executor.reserve(transactions.len());
    for (position, transaction) in (0u32..).zip(transactions) {
        executor.push(transaction.borrow()).map_err(|error| match error {
            PushError::Envelope(error) => BlockError::Envelope { position, error },
            PushError::Fault(fault) => BlockError::Fault(fault),
        })?;
    }
    let (executed, _) = executor.finish()?;
    compare_headers(header, &executed.header)?;
    Ok(executed)
}

fn compare_headers(found: &Header, expected: &Header) -> Result<(), BlockError> {
    if found == expected {
        return Ok(());
    }
    let fields: [(&'static str, String, String); 10] = [
        ("the chain id", found.chain_id.to_string(), expected.chain_id.to_string()),
        ("the height", found.height.to_string(), expected.height.to_string()),
        ("the parent", found.parent.to_string(), expected.parent.to_string()),
        (
            "the transaction digest",
            found.transactions.to_string(),
            expected.transactions.to_string(),
        ),
        ("the log size", found.log_size.to_string(), expected.log_size.to_string()),
        ("the log root", found.log_root.to_string(), expected.log_root.to_string()),
        ("the state root", found.state_root.to_string(), expected.state_root.to_string()),
        (
            "the next validator set",
            found.next_validators.to_string(),
            expected.next_validators.to_string(),
        ),
        ("the parameter digest", found.parameters.to_string(), expected.parameters.to_string()),
        ("the proposer", found.proposer.to_string(), expected.proposer.to_string()),
    ];
    // The time is equal: the block was executed at the time that its header names.
    let height = expected.height;
    match fields.into_iter().find(|(_, found, expected)| found != expected) {
        Some((what, found, expected)) => {
            Err(BlockError::HeaderDiffers { height, what, found, expected })
        }
        None => Err(Fault::Inconsistent { what: format!("the time of block {height}") }.into()),
    }
}

/// Commits an executed block to the state in memory. The store has made it durable before.
pub fn commit_block(state: &mut State, executed: ExecutedBlock) -> Result<(), Fault> {
    if executed.header.parent != state.tip.block_id
        || executed.header.height != state.tip.height.next()
    {
        return Err(Fault::Inconsistent {
            what: format!("block {} does not follow the tip", executed.header.height),
        });
    }
    let expected: StateRoot = executed.header.state_root;
    let tip = executed.tip();
    state.apply(executed.state)?;
    state.log = executed.log;
    state.tip = tip;
    if state.root() != expected {
        return Err(Fault::Inconsistent {
            what: format!("the state root after block {} is not the header's", tip.height),
        });
    }
    Ok(())
}

/// Executes one transaction: envelope against state, then its rule on its own layer.
pub fn execute_transaction(
    context: &BlockContext,
    position: u32,
    transaction: &VerifiedTransaction,
    overlay: &mut Overlay<'_>,
) -> Result<TxOutcome, PushError> {
    check_envelope(context, transaction, |until, id| overlay.remembers(until, id))?;
    let body = transaction.body();
    overlay.remember(body.valid_until, &transaction.id());
    let tx = TxContext {
        chain_id: context.chain_id,
        height: context.height,
        block_time: context.time,
        tx_id: transaction.id(),
        account: body.account,
        signers: body.signers.clone(),
    };
    let applied = overlay.attempt(|state| {
        body.payload.check(&tx)?;
        rules::authorize(&tx, &body.payload.rule().authority, state)?;
        let event = body.payload.apply(&tx, state)?;
        Ok(EventRecord { event, effects: state.take_effects() })
    });
    let (outcome, events) = match applied {
        Ok(events) => (Outcome::Accepted, Some(events)),
        Err(Abort::Reject(reject)) => (Outcome::Rejected(reject), None),
        Err(Abort::Fault(fault)) => return Err(fault.into()),
    };
    let receipt = Receipt {
        tx_id: transaction.id(),
        height: context.height,
        position,
        outcome,
        events: EventRecord::digest(events.as_ref()),
    };
    Ok(TxOutcome { receipt, events })
}

/// Whether a transaction may stand in a block here and now: chain, expiry and replay. Shape was
/// checked when it was decoded, signatures when it was verified.
///
/// `is_remembered` says whether the transaction of an expiry and an identifier was ordered before.
///
/// # Errors
/// [`EnvelopeError`].
pub fn check_envelope(
    context: &BlockContext,
    transaction: &Transaction,
    is_remembered: impl FnOnce(BlockTime, &TxId) -> bool,
) -> Result<(), EnvelopeError> {
    let body = transaction.body();
    let (found, expected) = (body.chain_id, context.chain_id);
    if found != expected {
        return Err(EnvelopeError::WrongChain { found, expected });
    }
    let block_time = context.time;
    let valid_until = body.valid_until;
    if valid_until < block_time {
        return Err(EnvelopeError::Expired { valid_until, block_time });
    }
    if valid_until > block_time.saturating_add_millis(TRANSACTION_LIFE_MILLIS_MAX) {
        return Err(EnvelopeError::ValidTooLong { block_time });
    }
    let id = transaction.id();
    if is_remembered(valid_until, &id) {
        return Err(EnvelopeError::Replayed { id });
    }
    Ok(())
}

const _: () = assert!(LOG_ENTRY_BYTES_MAX > crate::tx::TRANSACTION_BYTES_MAX + 4_000);
