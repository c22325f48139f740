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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Event;
    use crate::rules::allowances::transfer::Transfer;
    use crate::rules::governance::{approve::Approve, propose::Propose};
    use crate::rules::testing::{Market, cea, entity, quantity};
    use crate::types::{Role, Thresholds};

    fn market_with_task() -> (Market, TaskId) {
        let mut genesis = crate::rules::testing::genesis();
        let of_entity = genesis.accounts.iter_mut().find(|a| a.role == Role::KeyEmittingEntity);
        of_entity.unwrap().thresholds = Thresholds::uniform(2);
        let mut market = Market::of(&genesis);
        let valid_until = market.next_time().saturating_add_millis(1_000);
        let order = Transfer { to: entity(2), units: quantity(cea(1920), 10) };
        let order = Propose { order: Box::new(order.into()), valid_until };
        let event = market.send_by(entity(1), &[3], order).unwrap();
        let Event::Propose(proposed) = event else { panic!("{event:?}") };
        (market, proposed.task)
    }

    fn reject(task: TaskId) -> Reject {
        Reject { task, reason: "wrong receiver".to_owned() }
    }

    #[test]
    fn a_rejected_task_is_gone() {
        let (mut market, task) = market_with_task();
        let event = market.send_by(entity(1), &[4], reject(task)).unwrap();
        let reason = "wrong receiver".to_owned();
        assert_eq!(event, Rejected { task, verb: "transfer".to_owned(), reason }.into());
        assert_eq!(market.refusal_by(entity(1), &[4], Approve { task }), "TASK_UNKNOWN");
    }

    #[test]
    fn the_initiator_withdraws_and_an_expired_task_can_be_ended() {
        let (mut market, task) = market_with_task();
        for _ in 0..3 {
            market.block(vec![]);
        }
        market.send_by(entity(1), &[3], reject(task)).unwrap();
    }

    #[test]
    fn a_reason_is_short_and_printable() {
        let (mut market, task) = market_with_task();
        let order = Reject { task, reason: String::new() };
        assert_eq!(market.refusal_by(entity(1), &[4], order), "TEXT_INVALID");
    }

    #[test]
    fn a_task_of_another_account_is_unknown() {
        let (mut market, task) = market_with_task();
        assert_eq!(market.refusal_by(entity(2), &[1], reject(task)), "TASK_UNKNOWN");
    }

    #[test]
    fn who_only_reads_rejects_nothing() {
        let (mut market, task) = market_with_task();
        let code = market.refusal_by(entity(1), &[5], reject(task));
        assert_eq!(code, "SIGNER_NOT_REPRESENTATIVE");
    }
}
