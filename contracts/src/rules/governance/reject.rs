//! Rejects a task: its order will not be carried out.
//!
//! # Purpose
//! Any representative who may act ends a task that waits: an approver who disagrees, or the
//! initiator who withdraws it. An expired task can be ended too, to tidy up.
//!
//! # Who signs
//! A representative who may initiate or approve.
//!
//! # Checks in order
//! 1. The reason is printable and short.
//! 2. The account has the task.
//!
//! # Writes
//! Tasks.
//!
//! # Event
//! The task, the verb of its order and the reason.

use serde::{Deserialize, Serialize};

use super::approve::TASK_UNKNOWN;
use crate::rules::{self, Abort, Authority, RejectCode, Rule, Signing, TxContext, common};
use crate::state::{Overlay, Table, Task, keys};
use crate::types::TaskId;

/// Longest reason in bytes.
pub const TASK_REASON_BYTES_MAX: usize = 200;

/// Order: end a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// The task.
    pub task: TaskId,
    /// Why, for the people who signed it; no personal data.
    pub reason: String,
}

/// A task was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The task.
    pub task: TaskId,
    /// Verb of its order.
    pub verb: String,
    /// Why.
    pub reason: String,
}

impl Rule for Reject {
    type Event = Rejected;
    const NAME: &'static str = "reject";
    const AUTHORITY: Authority = Authority::collecting(Signing::Representative);
    const WRITES: &'static [Table] = &[Table::Tasks];
    const REJECTS: &'static [&'static RejectCode] = &[];

    fn check(&self, _tx: &TxContext) -> Result<(), rules::Reject> {
        common::check_text(&self.reason, TASK_REASON_BYTES_MAX)
    }

    fn apply(&self, tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        let key = keys::task(tx.account, &self.task);
        let Some(task) = state.get::<Task>(&key)? else {
            return Err(TASK_UNKNOWN.reject(vec![self.task.into()]).into());
        };

        state.delete::<Task>(key)?;

        let verb = task.payload.rule().name.to_owned();
        Ok(Rejected { task: self.task, verb, reason: self.reason.clone() })
    }

    fn example() -> Self {
        Self { task: TaskId::new([9; 32]), reason: "wrong receiver".to_owned() }
    }
}
