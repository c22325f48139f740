//! The way into the pool: checks, batches of signatures, and the threads that verify them.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cets_contracts::Fault;
use cets_contracts::block::{BlockContext, check_envelope};
use cets_contracts::crypto::KnownKeys;
use cets_contracts::rules::stranger;
use cets_contracts::tx::{EnvelopeError, Transaction, VerifiedTransaction};
use cets_contracts::types::{BlockTime, TxId};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::fresh::Fresh;
use super::pool::{Pool, PoolSize, PooledTransaction, envelope_digest};
use super::waiters::Waiters;
use super::{MempoolLimits, SubmitError, WaitEnd};
use crate::clock::Clock;
use crate::read::{FinalTransaction, SharedState};

/// Transactions verified in one batch at most.
const BATCH_TRANSACTIONS_MAX: usize = 2_048;
/// Submissions that wait for verification at most; then submitting waits.
const SUBMISSIONS_QUEUED_MAX: usize = 1_024;

/// Who sent a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A client of this node; it is passed on to the other nodes.
    Client,
    /// Another node.
    Peer,
}

type Verdict = Result<TxId, SubmitError>;
type Verdicts = Vec<Verdict>;

struct Submission {
    transactions: Vec<Transaction>,
    origin: Origin,
    reply: oneshot::Sender<Verdicts>,
}

/// The mempool; cheap to clone.
#[derive(Clone)]
pub struct Mempool {
    inner: Arc<Inner>,
    submissions: mpsc::Sender<Submission>,
}

/// Forgets waiting callers that went away, when it is dropped.
#[must_use = "callers are forgotten when it is dropped"]
pub struct Forget {
    inner: Arc<Inner>,
    id: TxId,
}

impl std::fmt::Debug for Forget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Forget({})", self.id)
    }
}

impl Drop for Forget {
    fn drop(&mut self) {
        self.inner.waiters.sweep(&self.id);
    }
}

pub(super) struct Inner {
    limits: MempoolLimits,
    pool: Mutex<Pool>,
    arrived: Condvar,
    waiters: Waiters,
    state: SharedState,
    clock: Arc<dyn Clock>,
    /// Notified when transactions of clients arrived, for gossip.
    pub(super) fresh: Notify,
    /// Cancelled when a thread that verifies ends.
    verifying_ended: CancellationToken,
}

impl std::fmt::Debug for Mempool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mempool({:?})", self.size())
    }
}

impl Mempool {
    /// Starts a mempool with a number of verifying threads.
    ///
    /// Returns it with the client transactions that gossip passes on. The threads end
    /// when the last handle is dropped.
    pub fn start(
        limits: MempoolLimits,
        state: SharedState,
        clock: Arc<dyn Clock>,
        threads: usize,
    ) -> std::io::Result<(Self, Fresh)> {
        let (mempool, receiver) = Self::idle(limits, state, clock);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..threads.max(1) {
            let (inner, receiver) = (Arc::clone(&mempool.inner), Arc::clone(&receiver));
            let ended = mempool.inner.verifying_ended.clone();
            spawn_watched(format!("verify-{number}"), ended, move || {
                verify_loop(&inner, &receiver);
            })?;
        }
        let fresh = Fresh::new(Arc::clone(&mempool.inner));
        Ok((mempool, fresh))
    }

    /// A mempool whose submissions nobody verifies yet.
    fn idle(
        limits: MempoolLimits,
        state: SharedState,
        clock: Arc<dyn Clock>,
    ) -> (Self, mpsc::Receiver<Submission>) {
        let (submissions, receiver) = mpsc::channel(SUBMISSIONS_QUEUED_MAX);
        let inner = Arc::new(Inner {
            limits,
            pool: Mutex::new(Pool::default()),
            arrived: Condvar::new(),
            waiters: Waiters::default(),
            state,
            clock,
            fresh: Notify::new(),
            verifying_ended: CancellationToken::new(),
        });
        (Self { inner, submissions }, receiver)
    }

    /// A mempool without threads, for simulations: submit with [`Self::submit_in_place`].
    #[cfg(feature = "simulation")]
    pub fn without_threads(
        limits: MempoolLimits,
        state: SharedState,
        clock: Arc<dyn Clock>,
    ) -> (Self, Fresh) {
        let (mempool, _) = Self::idle(limits, state, clock);
        let fresh = Fresh::new(Arc::clone(&mempool.inner));
        (mempool, fresh)
    }

    /// Submits on the calling thread; one answer each, in order.
    #[cfg(feature = "simulation")]
    pub fn submit_in_place(&self, batch: Vec<Vec<u8>>, origin: Origin) -> Verdicts {
        let (verdicts, unverified) = self.screen(batch);
        merge(
            verdicts,
            self.inner.admit(verify_signatures(unverified, &mut KnownKeys::none()), origin),
        )
    }

    /// Ends when a thread that verifies has ended: only by a panic while there is a handle.
    pub async fn verifying_ended(&self) {
        self.inner.verifying_ended.cancelled().await;
    }

    /// How much waits.
    pub fn size(&self) -> PoolSize {
        self.inner.lock().size()
    }

    /// Submits one transaction and returns its identifier once it waits in the pool.
    pub async fn submit(&self, bytes: Vec<u8>, origin: Origin) -> Result<TxId, SubmitError> {
        let verdicts = self.submit_batch(vec![bytes], origin).await;
        verdicts.into_iter().next().unwrap_or(Err(SubmitError::Stopping))
    }

    /// Submits many transactions; one answer each, in order. Much cheaper than one by one.
    pub async fn submit_batch(&self, batch: Vec<Vec<u8>>, origin: Origin) -> Verdicts {
        let (verdicts, unverified) = self.screen(batch);
        let verdicts = merge(verdicts, self.verify(unverified, origin).await);
        count(&verdicts, origin);
        verdicts
    }

    /// Answers what needs no curve arithmetic; the rest is left to be verified, in order.
    fn screen(&self, batch: Vec<Vec<u8>>) -> (Vec<Option<Verdict>>, Vec<Transaction>) {
        let mut verdicts = Vec::with_capacity(batch.len());
        let mut unverified = Vec::new();
        for bytes in batch {
            let decoded = Transaction::decode(bytes).map_err(SubmitError::from);
            match decoded.and_then(|transaction| self.inner.screen(transaction)) {
                Ok(Screened::Waits(id)) => verdicts.push(Some(Ok(id))),
                Ok(Screened::New(transaction)) => {
                    unverified.push(*transaction);
                    verdicts.push(None);
                }
                Err(error) => verdicts.push(Some(Err(error))),
            }
        }
        (verdicts, unverified)
    }

    async fn verify(&self, transactions: Vec<Transaction>, origin: Origin) -> Verdicts {
        if transactions.is_empty() {
            return Vec::new();
        }
        let (reply, answer) = oneshot::channel();
        let submission = Submission { transactions, origin, reply };
        if self.submissions.send(submission).await.is_err() {
            return Vec::new();
        }
        answer.await.unwrap_or_default()
    }

    /// Waits for the end of a transaction; call it before submitting.
    pub fn wait_for(&self, id: TxId) -> oneshot::Receiver<WaitEnd> {
        self.inner.waiters.add(id)
    }

    /// Forgets waiting callers that went away.
    pub fn stop_waiting(&self, id: &TxId) {
        self.inner.waiters.sweep(id);
    }

    /// A guard that, when it is dropped, forgets who waited for a transaction and went away.
    /// Make it before the wait begins: what is made last is dropped first.
    pub fn forget_at_drop(&self, id: TxId) -> Forget {
        Forget { inner: Arc::clone(&self.inner), id }
    }

    /// Blocks until a transaction waits, at most until a deadline.
    pub(crate) fn wait_until_filled(&self, deadline: Instant) {
        let mut pool = self.inner.lock();
        while pool.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return;
            }
            pool = self
                .inner
                .arrived
                .wait_timeout(pool, left)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(pool, _)| pool);
        }
    }

    /// Waiting transactions from an arrival number on, in order.
    pub(crate) fn from(&self, arrival: u64, limit: usize) -> Vec<(u64, PooledTransaction)> {
        self.inner.lock().from(arrival, limit)
    }

    /// For each envelope, the waiting transaction of the very same bytes: it was verified.
    pub(crate) fn verified<T: AsRef<[u8]>>(
        &self,
        envelopes: &[T],
    ) -> Vec<Option<PooledTransaction>> {
        let digests: Vec<_> =
            envelopes.iter().map(|bytes| envelope_digest(bytes.as_ref())).collect();
        let pool = self.inner.lock();
        digests.iter().map(|digest| pool.verified(digest)).collect()
    }

    /// Drops a transaction that can never stand in a block and tells who waits for it.
    pub(crate) fn drop_transaction(&self, id: &TxId, error: &SubmitError) {
        self.inner.lock().remove(id);
        self.inner.tell_dropped(id, error);
    }

    /// Removes what a block ordered, what has expired by its time and who is still a stranger
    /// after it. The state in memory is that after the block.
    pub(crate) fn committed(&self, ordered: &[TxId], time: BlockTime) -> Result<(), Fault> {
        let expired = {
            let mut pool = self.inner.lock();
            for id in ordered {
                pool.remove(id);
            }
            pool.remove_expired(time)
        };
        for transaction in expired {
            let valid_until = transaction.body().valid_until;
            let error = EnvelopeError::Expired { valid_until, block_time: time };
            self.inner.tell_dropped(&transaction.id(), &error.into());
        }
        self.judge_strangers()
    }

    fn judge_strangers(&self) -> Result<(), Fault> {
        let strangers = self.inner.lock().strangers();
        let committed = self.inner.state.read();
        let view = committed.state.view();
        for transaction in strangers {
            match stranger(&transaction, &view)? {
                Some(reject) => {
                    self.drop_transaction(&transaction.id(), &SubmitError::Stranger(reject));
                }
                None => self.inner.lock().welcome(&transaction.id()),
            }
        }
        Ok(())
    }

    /// Whether anybody waits for a final answer.
    pub fn has_waiters(&self) -> bool {
        !self.inner.waiters.is_empty()
    }

    /// Tells who waits for a transaction its final answer, which is made only when needed.
    pub(crate) fn tell_final(&self, id: &TxId, answer: impl FnOnce() -> FinalTransaction) {
        let waiting = self.inner.waiters.take(id);
        if waiting.is_empty() {
            return;
        }
        let end = WaitEnd::Final(answer());
        for sender in waiting {
            // A caller that stopped waiting needs no answer.
            drop(sender.send(end.clone()));
        }
    }
}

/// Puts late verdicts into the places that wait for them.
fn merge(verdicts: Vec<Option<Verdict>>, late: Verdicts) -> Verdicts {
    let mut late = late.into_iter();
    let mut next = || late.next().unwrap_or(Err(SubmitError::Stopping));
    verdicts.into_iter().map(|verdict| verdict.unwrap_or_else(&mut next)).collect()
}

/// Counts submissions by origin and result.
fn count(verdicts: &Verdicts, origin: Origin) {
    let taken = verdicts.iter().filter(|verdict| verdict.is_ok()).count();
    let origin = match origin {
        Origin::Client => "client",
        Origin::Peer => "peer",
    };
    for (result, count) in [("taken", taken), ("refused", verdicts.len().saturating_sub(taken))] {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        metrics::counter!("cets_submissions_total", "origin" => origin, "result" => result)
            .increment(count);
    }
}

/// Verifies the signatures of many transactions together.
pub(crate) fn verify_signatures(
    batch: Vec<Transaction>,
    known: &mut KnownKeys,
) -> Vec<Result<VerifiedTransaction, EnvelopeError>> {
    #[cfg(feature = "simulation")]
    return crate::simulation::verify_remembered(batch, known);
    #[cfg(not(feature = "simulation"))]
    cets_contracts::tx::verify_batch(batch, known)
}

enum Screened {
    /// It waits in the pool already.
    Waits(TxId),
    /// Its signatures must be verified.
    New(Box<Transaction>),
}

impl Inner {
    pub(super) fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that can be checked without curve arithmetic.
    fn screen(&self, transaction: Transaction) -> Result<Screened, SubmitError> {
        let body = transaction.body();
        let id = transaction.id();
        {
            let committed = self.state.read();
            let tip = &committed.state.tip;
            let now = BlockContext {
                chain_id: tip.chain_id,
                height: tip.height.next(),
                time: self.clock.now().max(tip.time),
            };
            check_envelope(&now, &transaction, |until, id| committed.state.remembers(until, id))?;
        }
        let pool = self.lock();
        if pool.contains(&id) {
            return Ok(Screened::Waits(id));
        }
        pool.check_room(&self.limits, body.account, transaction.bytes().len())?;
        drop(pool);
        Ok(Screened::New(Box::new(transaction)))
    }

    fn tell_dropped(&self, id: &TxId, error: &SubmitError) {
        for sender in self.waiters.take(id) {
            // A caller that stopped waiting needs no answer.
            drop(sender.send(WaitEnd::Dropped(error.clone())));
        }
    }

    /// Puts verified transactions into the pool.
    fn admit(
        &self,
        verified: Vec<Result<VerifiedTransaction, EnvelopeError>>,
        origin: Origin,
    ) -> Verdicts {
        let mut verdicts = Vec::with_capacity(verified.len());
        let (mut any_admitted, of_client) = (false, origin == Origin::Client);
        let committed = self.state.read();
        let view = committed.state.view();
        let mut pool = self.lock();
        for transaction in verified {
            verdicts.push(transaction.map_err(SubmitError::from).and_then(|transaction| {
                let (id, body) = (transaction.id(), transaction.body());
                // A block may have ordered it while it was verified.
                if committed.state.remembers(body.valid_until, &id) {
                    return Err(EnvelopeError::Replayed { id }.into());
                }
                if !pool.contains(&id) {
                    pool.check_room(&self.limits, body.account, transaction.bytes().len())?;
                    let is_stranger = stranger(&transaction, &view)
                        .map_err(|fault| SubmitError::Read(fault.into()))?
                        .is_some();
                    if is_stranger {
                        pool.check_strangers(&self.limits, transaction.bytes().len())?;
                    }
                    pool.insert(Arc::new(transaction), is_stranger, of_client);
                    any_admitted = true;
                }
                Ok(id)
            }));
        }
        drop(pool);
        drop(view);
        drop(committed);
        if any_admitted {
            self.arrived.notify_all();
            if of_client {
                self.fresh.notify_one();
            }
        }
        verdicts
    }
}

/// Starts a thread; the token is cancelled when its work ends, also by a panic.
fn spawn_watched(
    name: String,
    ended: CancellationToken,
    work: impl FnOnce() + Send + 'static,
) -> std::io::Result<()> {
    let watched = move || {
        let _ended = ended.drop_guard();
        work();
    };
    std::thread::Builder::new().name(name).spawn(watched).map(drop)
}

/// Verifies submissions until the mempool is dropped: each batch is what came in meanwhile.
fn verify_loop(inner: &Inner, receiver: &Mutex<mpsc::Receiver<Submission>>) {
    let mut known = KnownKeys::new();
    loop {
        let submissions = {
            let mut receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(first) = receiver.blocking_recv() else { return };
            let mut count = first.transactions.len();
            let mut submissions = vec![first];
            while count < BATCH_TRANSACTIONS_MAX {
                let Ok(next) = receiver.try_recv() else { break };
                count = count.saturating_add(next.transactions.len());
                submissions.push(next);
            }
            submissions
        };
        let mut all = Vec::new();
        let mut shares = Vec::with_capacity(submissions.len());
        for Submission { transactions, origin, reply } in submissions {
            shares.push((transactions.len(), origin, reply));
            all.extend(transactions);
        }
        let mut verified = verify_signatures(all, &mut known).into_iter();
        for (count, origin, reply) in shares {
            let share = verified.by_ref().take(count).collect();
            // A caller that went away needs no answer.
            drop(reply.send(inner.admit(share, origin)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_a_thread_is_seen_also_when_it_panics() {
        let works: [fn(); 2] = [|| panic!("planted"), || {}];
        for work in works {
            let ended = CancellationToken::new();
            spawn_watched("planted".to_owned(), ended.clone(), work).unwrap();
            ended.cancelled().await;
        }
    }
}
