//! Sending transactions and asking what became of them.

use cets_api::transactions_client::TransactionsClient;
use cets_api::{
    FinalTransaction, GetTransactionRequest, ListTransactionsRequest, SimulateRequest,
    SubmitAndWaitRequest, SubmitRequest,
};
use cets_contracts::block::{EventRecord, LogEntry, Receipt};
use cets_contracts::codec;
use cets_contracts::rules::Effects;
use cets_contracts::tx::{SignedTransaction, TxBody};
use cets_contracts::types::{AccountId, BlockTime, Height, LogIndex, TxId};

use super::{CallerChannel, Node};
use crate::error::CliError;

/// Transactions asked for per page.
const PAGE_TRANSACTIONS: u32 = 100;

/// A transaction with its final answer.
#[derive(Clone, Debug)]
pub struct Finalised {
    /// The transaction as its signers sent it; none when the reader may not see all of it.
    pub transaction: Option<SignedTransaction>,
    /// The ledger's answer.
    pub receipt: Receipt,
    /// What happened and what moved; none when refused, or when the reader may not see all of it.
    pub events: Option<EventRecord>,
    /// What moved of the reader's own, when it may not see all.
    pub own_effects: Option<Effects>,
    /// Index of the entry in the log.
    pub log_index: LogIndex,
    /// Time of the block.
    pub block_time: BlockTime,
}

/// What would happen.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// The answer that the ledger would give.
    pub receipt: Receipt,
    /// What would happen and move; none when refused.
    pub events: Option<EventRecord>,
    /// Height of the state it ran on.
    pub height: Height,
}

impl Node {
    fn transactions(&self) -> TransactionsClient<CallerChannel> {
        TransactionsClient::new(self.channel())
    }

    /// Puts a transaction into the node's mempool.
    pub fn submit(&self, transaction: &SignedTransaction) -> Result<(), CliError> {
        let request = SubmitRequest { transaction: transaction.encode() };
        self.wait(self.transactions().submit(request)).map(|_| ())
    }

    /// Sends a transaction and waits until it is final; a wait of 0 is the node's default.
    pub fn submit_and_wait(
        &self,
        transaction: &SignedTransaction,
        timeout_millis: u32,
    ) -> Result<Finalised, CliError> {
        let request = SubmitAndWaitRequest { transaction: transaction.encode(), timeout_millis };
        let answer = self.wait(self.transactions().submit_and_wait(request))?;
        self.finalised(&answer)
    }

    /// What would become of an order, once its signers have signed it, on the newest state.
    pub fn simulate(&self, body: &TxBody) -> Result<Simulated, CliError> {
        let request = SimulateRequest { transaction: Vec::new(), body: codec::encode(body) };
        let answer = self.wait(self.transactions().simulate(request))?;
        Ok(Simulated {
            receipt: self.decode("receipt", &answer.receipt)?,
            events: self.events(&answer.events)?,
            height: Height::new(answer.height),
        })
    }

    /// The final answer to a transaction.
    pub fn transaction(&self, id: TxId) -> Result<Finalised, CliError> {
        self.finalised(&self.raw_transaction(id)?)
    }

    /// Transactions that touch an account, in the order of the log.
    pub fn transactions_of(&self, account: AccountId) -> Result<Vec<Finalised>, CliError> {
        let mut all = Vec::new();
        let mut page = Vec::new();
        loop {
            let request = ListTransactionsRequest {
                account: account.to_string(),
                page_size: PAGE_TRANSACTIONS,
                page,
            };
            let answer = self.wait(self.transactions().list_transactions(request))?;
            for found in &answer.transactions {
                all.push(self.finalised(found)?);
            }
            page = answer.next_page;
            if page.is_empty() {
                return Ok(all);
            }
        }
    }

    /// The final answer as the node sends it.
    pub(super) fn raw_transaction(&self, id: TxId) -> Result<FinalTransaction, CliError> {
        let request = GetTransactionRequest { tx_id: id.as_bytes().to_vec() };
        self.wait(self.transactions().get_transaction(request))
    }

    fn finalised(&self, answer: &FinalTransaction) -> Result<Finalised, CliError> {
        let (transaction, receipt) = match answer.entry.is_empty() {
            true => (None, self.decode("receipt", &answer.receipt)?),
            false => match self.decode("log entry", &answer.entry)? {
                LogEntry::Transaction { transaction, receipt } => {
                    (Some(self.decode("transaction", &transaction)?), receipt)
                }
                LogEntry::Header(_) => return Err(self.nonsense("log entry")),
            },
        };
        let own_effects = match answer.own_effects.is_empty() {
            true => None,
            false => Some(self.decode("effects", &answer.own_effects)?),
        };
        Ok(Finalised {
            transaction,
            receipt,
            events: self.events(&answer.events)?,
            own_effects,
            log_index: answer.log_index,
            block_time: BlockTime::from_millis(answer.block_time_millis),
        })
    }

    pub(super) fn events(&self, bytes: &[u8]) -> Result<Option<EventRecord>, CliError> {
        if bytes.is_empty() { Ok(None) } else { self.decode("event record", bytes).map(Some) }
    }
}
