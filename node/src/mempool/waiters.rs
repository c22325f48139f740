//! Callers that wait until their transaction is final.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

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

/// Who waits for which transaction.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    waiting: Mutex<HashMap<TxId, Vec<oneshot::Sender<WaitEnd>>>>,
}

impl Waiters {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TxId, Vec<oneshot::Sender<WaitEnd>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, id: TxId) -> oneshot::Receiver<WaitEnd> {
        let (sender, receiver) = oneshot::channel();
        self.lock().entry(id).or_default().push(sender);
        receiver
    }

    /// Forgets callers that went away.
    pub(super) fn sweep(&self, id: &TxId) {
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
