//! What gossip has to pass on: transactions of clients of this node, in the order of their arrival.
//!
//! They are read from the pool itself, from a position on, so that nothing is held twice and none
//! is dropped however far gossip lags. What a block ordered meanwhile needs no passing on.

use std::sync::Arc;

use super::pool::PooledTransaction;
use super::queue::Inner;

/// Transactions of clients that gossip has not passed on yet.
pub struct Fresh {
    inner: Arc<Inner>,
    /// Arrival number from which on nothing was taken.
    next: u64,
}

impl std::fmt::Debug for Fresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fresh({})", self.next)
    }
}

impl Fresh {
    pub(super) const fn new(inner: Arc<Inner>) -> Self {
        Self { inner, next: 0 }
    }

    /// Takes those that wait, at most `limit`.
    pub fn take(&mut self, limit: usize) -> Vec<PooledTransaction> {
        let (taken, next) = self.inner.lock().of_clients(self.next, limit);
        self.next = next;
        taken
    }

    /// Waits until some wait, and takes them, at most `limit`; loses none when it is dropped.
    pub async fn next(&mut self, limit: usize) -> Vec<PooledTransaction> {
        loop {
            // What arrives after this look leaves a notice, which ends the wait at once.
            let taken = self.take(limit);
            if !taken.is_empty() {
                return taken;
            }
            self.inner.fresh.notified().await;
        }
    }
}
