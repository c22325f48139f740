//! The waiting transactions themselves.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use cets_contracts::tx::VerifiedTransaction;
use cets_contracts::types::{AccountId, BlockTime, TxId};

use super::{MempoolLimits, SubmitError};

/// A verified transaction, shared between the pool, gossip and the block being built.
pub type PooledTransaction = Arc<VerifiedTransaction>;

/// Digest of a whole envelope: two envelopes with one are the same bytes.
pub(super) type EnvelopeDigest = [u8; 32];

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolSize {
    /// Transactions.
    pub transactions: usize,
    /// Their bytes.
    pub bytes: usize,
}

pub(super) fn envelope_digest(bytes: &[u8]) -> EnvelopeDigest {
    *blake3::hash(bytes).as_bytes()
}

struct Waiting {
    transaction: PooledTransaction,
    is_stranger: bool,
    digest: EnvelopeDigest,
}

/// Waiting transactions by arrival, with the indexes that limits and lookups need.
#[derive(Default)]
pub(super) struct Pool {
    queue: BTreeMap<u64, Waiting>,
    by_id: HashMap<TxId, u64>,
    by_digest: HashMap<EnvelopeDigest, u64>,
    by_expiry: BTreeSet<(BlockTime, u64)>,
    per_account: HashMap<AccountId, usize>,
    bytes: usize,
    strangers: usize,
    arrivals: u64,
}

impl Pool {
    pub(super) fn size(&self) -> PoolSize {
        PoolSize { transactions: self.queue.len(), bytes: self.bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn contains(&self, id: &TxId) -> bool {
        self.by_id.contains_key(id)
    }

    /// The waiting transaction of exactly these bytes.
    pub(super) fn verified(&self, digest: &EnvelopeDigest) -> Option<PooledTransaction> {
        let waiting = self.queue.get(self.by_digest.get(digest)?)?;
        Some(Arc::clone(&waiting.transaction))
    }

    /// Whether the limits leave room for one more of an account.
    pub(super) fn check_room(
        &self,
        limits: &MempoolLimits,
        account: AccountId,
        bytes: usize,
    ) -> Result<(), SubmitError> {
        let waiting = self.queue.len();
        if waiting >= limits.transactions_max || self.bytes.saturating_add(bytes) > limits.bytes_max
        {
            return Err(SubmitError::PoolFull { waiting });
        }
        let limit = limits.transactions_per_account_max;
        if self.per_account.get(&account).is_some_and(|count| *count >= limit) {
            return Err(SubmitError::AccountFull { account, limit });
        }
        Ok(())
    }

    /// Whether the limits leave room for one more stranger.
    pub(super) fn check_strangers(&self, limits: &MempoolLimits) -> Result<(), SubmitError> {
        let limit = limits.strangers_max;
        if self.strangers >= limit { Err(SubmitError::StrangersFull { limit }) } else { Ok(()) }
    }

    /// Adds a transaction at the end; nothing happens when its identifier waits already.
    pub(super) fn insert(&mut self, transaction: PooledTransaction, is_stranger: bool) {
        let id = transaction.id();
        if self.by_id.contains_key(&id) {
            return;
        }
        self.strangers = self.strangers.saturating_add(usize::from(is_stranger));
        let arrival = self.arrivals;
        self.arrivals = self.arrivals.saturating_add(1);
        let digest = envelope_digest(transaction.bytes());
        self.by_id.insert(id, arrival);
        self.by_digest.insert(digest, arrival);
        self.by_expiry.insert((transaction.body().valid_until, arrival));
        let count = self.per_account.entry(transaction.body().account).or_insert(0);
        *count = count.saturating_add(1);
        self.bytes = self.bytes.saturating_add(transaction.bytes().len());
        self.queue.insert(arrival, Waiting { transaction, is_stranger, digest });
    }

    /// Removes a transaction.
    pub(super) fn remove(&mut self, id: &TxId) -> Option<PooledTransaction> {
        let arrival = self.by_id.remove(id)?;
        let Waiting { transaction, is_stranger, digest } = self.queue.remove(&arrival)?;
        self.strangers = self.strangers.saturating_sub(usize::from(is_stranger));
        self.by_digest.remove(&digest);
        let body = transaction.body();
        self.by_expiry.remove(&(body.valid_until, arrival));
        if let Some(count) = self.per_account.get_mut(&body.account) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.per_account.remove(&body.account);
            }
        }
        self.bytes = self.bytes.saturating_sub(transaction.bytes().len());
        Some(transaction)
    }

    /// Removes everything that may not stand in a block after this time.
    pub(super) fn remove_expired(&mut self, time: BlockTime) -> Vec<PooledTransaction> {
        let mut removed = Vec::new();
        while let Some((valid_until, arrival)) = self.by_expiry.first().copied() {
            if valid_until >= time {
                break;
            }
            self.by_expiry.remove(&(valid_until, arrival));
            let id = self.queue.get(&arrival).map(|waiting| waiting.transaction.id());
            removed.extend(id.and_then(|id| self.remove(&id)));
        }
        removed
    }

    /// Transactions in the order of arrival from an arrival number on, with their numbers.
    pub(super) fn from(&self, arrival: u64, limit: usize) -> Vec<(u64, PooledTransaction)> {
        self.queue
            .range(arrival..)
            .take(limit)
            .map(|(arrival, waiting)| (*arrival, Arc::clone(&waiting.transaction)))
            .collect()
    }
}
