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

impl PoolSize {
    /// With one more transaction.
    const fn with(self, bytes: usize) -> Self {
        Self {
            transactions: self.transactions.saturating_add(1),
            bytes: self.bytes.saturating_add(bytes),
        }
    }

    /// With one transaction less.
    const fn without(self, bytes: usize) -> Self {
        Self {
            transactions: self.transactions.saturating_sub(1),
            bytes: self.bytes.saturating_sub(bytes),
        }
    }

    const fn exceeds(self, transactions_max: usize, bytes_max: usize) -> bool {
        self.transactions > transactions_max || self.bytes > bytes_max
    }
}

pub(super) fn envelope_digest(bytes: &[u8]) -> EnvelopeDigest {
    *blake3::hash(bytes).as_bytes()
}

struct Waiting {
    transaction: PooledTransaction,
    is_stranger: bool,
    /// Whether a client of this node sent it.
    of_client: bool,
    digest: EnvelopeDigest,
}

/// Waiting transactions by arrival, with the indexes that limits and lookups need.
#[derive(Default)]
pub(super) struct Pool {
    queue: BTreeMap<u64, Waiting>,
    by_id: HashMap<TxId, u64>,
    by_digest: HashMap<EnvelopeDigest, u64>,
    by_expiry: BTreeSet<(BlockTime, u64)>,
    /// Of those that the account's people signed; strangers use up nobody's room but their own.
    per_account: HashMap<AccountId, PoolSize>,
    bytes: usize,
    strangers: PoolSize,
    strangers_by_arrival: BTreeSet<u64>,
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

    /// Whether the limits leave room for one more of an account, of so many bytes.
    pub(super) fn check_room(
        &self,
        limits: &MempoolLimits,
        account: AccountId,
        bytes: usize,
    ) -> Result<(), SubmitError> {
        let all = self.size().with(bytes);
        if all.exceeds(limits.transactions_max, limits.bytes_max) {
            return Err(SubmitError::PoolFull { waiting: self.queue.len() });
        }
        let own = self.per_account.get(&account).copied().unwrap_or_default();
        let (most, bytes_most) =
            (limits.transactions_per_account_max, limits.bytes_per_account_max);
        if own.with(bytes).exceeds(most, bytes_most) {
            return Err(SubmitError::AccountFull { account, waiting: own.transactions });
        }
        Ok(())
    }

    /// Whether the limits leave room for one more stranger, of so many bytes.
    pub(super) fn check_strangers(
        &self,
        limits: &MempoolLimits,
        bytes: usize,
    ) -> Result<(), SubmitError> {
        let with = self.strangers.with(bytes);
        if with.exceeds(limits.strangers_max, limits.strangers_bytes_max) {
            return Err(SubmitError::StrangersFull { waiting: self.strangers.transactions });
        }
        Ok(())
    }

    /// Adds a transaction at the end; nothing happens when its identifier waits already.
    pub(super) fn insert(
        &mut self,
        transaction: PooledTransaction,
        is_stranger: bool,
        of_client: bool,
    ) {
        let id = transaction.id();
        if self.by_id.contains_key(&id) {
            return;
        }
        let arrival = self.arrivals;
        self.arrivals = self.arrivals.saturating_add(1);
        let digest = envelope_digest(transaction.bytes());
        self.by_id.insert(id, arrival);
        self.by_digest.insert(digest, arrival);
        self.by_expiry.insert((transaction.body().valid_until, arrival));
        let (account, bytes) = (transaction.body().account, transaction.bytes().len());
        if is_stranger {
            self.strangers = self.strangers.with(bytes);
            self.strangers_by_arrival.insert(arrival);
        } else {
            let own = self.per_account.entry(account).or_default();
            *own = own.with(bytes);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.queue.insert(arrival, Waiting { transaction, is_stranger, of_client, digest });
    }

    /// Removes a transaction.
    pub(super) fn remove(&mut self, id: &TxId) -> Option<PooledTransaction> {
        let arrival = self.by_id.remove(id)?;
        let Waiting { transaction, is_stranger, digest, .. } = self.queue.remove(&arrival)?;
        self.by_digest.remove(&digest);
        let (body, bytes) = (transaction.body(), transaction.bytes().len());
        self.by_expiry.remove(&(body.valid_until, arrival));
        if is_stranger {
            self.strangers = self.strangers.without(bytes);
            self.strangers_by_arrival.remove(&arrival);
        } else if let Some(own) = self.per_account.get_mut(&body.account) {
            *own = own.without(bytes);
            if own.transactions == 0 {
                self.per_account.remove(&body.account);
            }
        }
        self.bytes = self.bytes.saturating_sub(bytes);
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

    /// The waiting transactions of strangers.
    pub(super) fn strangers(&self) -> Vec<PooledTransaction> {
        let waiting = self.strangers_by_arrival.iter().filter_map(|at| self.queue.get(at));
        waiting.map(|waiting| Arc::clone(&waiting.transaction)).collect()
    }

    /// Counts a transaction among those of its account: it is no stranger's any more.
    pub(super) fn welcome(&mut self, id: &TxId) {
        let Some(arrival) = self.by_id.get(id) else { return };
        let Some(waiting) = self.queue.get_mut(arrival) else { return };
        if !std::mem::take(&mut waiting.is_stranger) {
            return;
        }
        let bytes = waiting.transaction.bytes().len();
        self.strangers = self.strangers.without(bytes);
        self.strangers_by_arrival.remove(arrival);
        let own = self.per_account.entry(waiting.transaction.body().account).or_default();
        *own = own.with(bytes);
    }

    /// Transactions in the order of arrival from an arrival number on, with their numbers.
    pub(super) fn from(&self, arrival: u64, limit: usize) -> Vec<(u64, PooledTransaction)> {
        self.queue
            .range(arrival..)
            .take(limit)
            .map(|(arrival, waiting)| (*arrival, Arc::clone(&waiting.transaction)))
            .collect()
    }

    /// Transactions of clients from an arrival number on, at most `limit`, and the arrival number
    /// after the last that was looked at.
    pub(super) fn of_clients(&self, arrival: u64, limit: usize) -> (Vec<PooledTransaction>, u64) {
        let mut taken = Vec::new();
        for (at, waiting) in self.queue.range(arrival..) {
            if taken.len() >= limit {
                return (taken, *at);
            }
            if waiting.of_client {
                taken.push(Arc::clone(&waiting.transaction));
            }
        }
        (taken, self.arrivals)
    }
}
