//! Why a transaction does not get into the mempool.

use cets_contracts::rules::{Language, Reject};
use cets_contracts::tx::EnvelopeError;
use cets_contracts::types::{AccountId, TxId};

use crate::read::ReadError;

/// Why a transaction was not taken, or has no final answer yet.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SubmitError {
    /// It may not stand in a block.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Nobody who signed acts for the account, so no block has room for it.
    #[error("{}", .0.explain(Language::English).sentence)]
    Stranger(Reject),
    /// The mempool is full; try again in a moment.
    #[error("{waiting} transactions wait already; try again in a moment, or at another node")]
    PoolFull {
        /// Transactions that wait.
        waiting: usize,
    },
    /// Too many transactions of strangers wait, or too many bytes of them.
    #[error(
        "{waiting} transactions wait whose account is not known here or whose signers do not act \
         for it; check account and key, and that this node has caught up"
    )]
    StrangersFull {
        /// Transactions of strangers that wait.
        waiting: usize,
    },
    /// Too many transactions of one account wait, or too many bytes of them.
    #[error(
        "{waiting} transactions of account {account} wait already; let some become final first"
    )]
    AccountFull {
        /// The account.
        account: AccountId,
        /// Transactions of the account that wait.
        waiting: usize,
    },
    /// It is not final yet; it waits and may still become final.
    #[error(
        "transaction {id} is not final yet; it may still become final, ask for it by its identifier"
    )]
    TimedOut {
        /// The transaction.
        id: TxId,
    },
    /// The node is stopping.
    #[error("the node is stopping; submit to another node")]
    Stopping,
    /// This node is broken.
    #[error(transparent)]
    Read(#[from] ReadError),
}
