//! Callers that wait until their transaction is final.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cets_contracts::types::TxId;
use tokio::sync::oneshot;

use super::SubmitError;
use crate::read::FinalTransaction;

/// How waiting for a transaction ends.
#[derive(Clone, Debug)]
pub enum WaitEnd {
    /// It was ordered; the answer is final and durable here.
    Final(FinalTransaction),
    /// It is not ordered any more; why.
    Dropped(SubmitError),
}

/// A caller that waits. However it goes away, it leaves nothing behind.
#[derive(Debug)]
pub struct Wait {
    id: TxId,
    end: oneshot::Receiver<WaitEnd>,
    waiters: Arc<Waiters>,
}

impl Wait {
    /// The end; none when the node stops.
    pub async fn end(&mut self) -> Option<WaitEnd> {
        (&mut self.end).await.ok()
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.end.close();
        self.waiters.sweep(&self.id);
    }
}

/// Who waits for which transaction.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    waiting: Mutex<HashMap<TxId, Vec<oneshot::Sender<WaitEnd>>>>,
}

impl Waiters {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TxId, Vec<oneshot::Sender<WaitEnd>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(self: &Arc<Self>, id: TxId) -> Wait {
        let (sender, end) = oneshot::channel();
        self.lock().entry(id).or_default().push(sender);
        Wait { id, end, waiters: Arc::clone(self) }
    }

    /// Forgets callers that went away.
    fn sweep(&self, id: &TxId) {
        let mut waiting = self.lock();
        if let Some(senders) = waiting.get_mut(id) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                waiting.remove(id);
            }
        }
    }

    /// Takes the callers that wait for a transaction.
    pub(super) fn take(&self, id: &TxId) -> Vec<oneshot::Sender<WaitEnd>> {
        self.lock().remove(id).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_that_goes_away_leaves_nothing_behind() {
        let waiters = Arc::new(Waiters::default());
        let (first, second) = (TxId::new([1; 32]), TxId::new([2; 32]));
        let (gone, stays) = (waiters.add(first), waiters.add(second));
        drop(gone);
        assert_eq!(waiters.lock().len(), 1);
        assert!(waiters.take(&first).is_empty());
        assert_eq!(waiters.take(&second).len(), 1);
        drop(stays);
        assert!(waiters.is_empty());
    }
}
