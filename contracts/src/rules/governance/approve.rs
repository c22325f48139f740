//! Approves a task; the last approval that is needed carries its order out.
//!
//! # Purpose
//! The second half of [`propose`](super::propose): other people of the same account look at the
//! order and sign. The order is carried out as the account's own, with all checks of that
//! moment; if its rule refuses, so is this approval, with the rule's own code, and the task waits
//! on.
//!
//! # Who signs
//! Representatives who may approve and have not signed the task yet.
//!
//! # Checks in order
//! 1. The account has the task, and the task has not expired.
//! 2. No signer has signed it before.
//! 3. All who signed it still represent the account with their right.
//! 4. When enough people signed: everything that the order itself demands.
//!
//! # Writes
//! Tasks; with the last approval, what the order writes.
//!
//! # Event
//! People who act and people needed; with the last approval, the order's event.

use serde::{Deserialize, Serialize};

use crate::rules::common;
use crate::rules::{self, Abort, Authority, Event, Reject, RejectCode, Rule, Signing, TxContext};
use crate::state::{Overlay, Table, Task, keys};
use crate::types::{AccountId, BlockTime, TaskId};

/// Order: approve a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approve {
    /// The task.
    pub task: TaskId,
}

/// A task was approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// The task.
    pub task: TaskId,
    /// People who act so far.
    pub people: u64,
    /// People that the order needs.
    pub needed: u64,
    /// What the order did, once enough people signed.
    pub completed: Option<Box<Event>>,
}

crate::reject_codes! { REJECTS:
    2007 TASK_UNKNOWN "Four-eyes rule of the ledger" [task]
        en "The account has no task {task}."
        zh "该账户没有待办 {task}。"
        hint "It may be completed, rejected or expired; list the tasks that wait."
        hint_zh "该待办可能已完成、驳回或过期，请查询待办列表。";
    2008 TASK_EXPIRED "Four-eyes rule of the ledger" [task]
        en "Task {task} has expired."
        zh "待办 {task} 已过期。"
        hint "Propose the order again."
        hint_zh "请重新提交待办。";
    2009 TASK_SIGNED_BEFORE "Four-eyes rule of the ledger" [key]
        en "Key {key} has signed this task before."
        zh "密钥 {key} 已签署过该待办。"
        hint "Another person must approve."
        hint_zh "须由其他人员复核。";
}

/// A task of an account that has not expired.
pub(super) fn waiting_task(
    state: &Overlay<'_>,
    account: AccountId,
    id: &TaskId,
    now: BlockTime,
) -> Result<Task, Abort> {
    let Some(task) = state.get::<Task>(&keys::task(account, id))? else {
        return Err(TASK_UNKNOWN.reject(vec![(*id).into()]).into());
    };
    if task.valid_until < now {
        return Err(TASK_EXPIRED.reject(vec![(*id).into()]).into());
    }
    Ok(task)
}

impl Rule for Approve {
    type Event = Approved;
    const NAME: &'static str = "approve";
    const AUTHORITY: Authority = Authority::collecting(Signing::Approver);
    const WRITES: &'static [Table] = &[Table::Tasks];
    const REJECTS: &'static [&'static RejectCode] = REJECTS;

    fn check(&self, _tx: &TxContext) -> Result<(), Reject> {
        Ok(())
    }

    fn apply(&self, tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        let account = common::open_account(state, tx.account)?;
        let mut task = waiting_task(state, tx.account, &self.task, tx.block_time)?;

        for key in &tx.signers {
            if task.initiators.contains(key) || task.approvers.contains(key) {
                return Err(TASK_SIGNED_BEFORE.reject(vec![(*key).into()]).into());
            }
        }
        task.approvers.extend_from_slice(&tx.signers);
        let signers = [task.initiators.as_slice(), task.approvers.as_slice()].concat();
        let people = rules::count_people(&account, &signers)?;
        let authority = task.payload.rule().authority;
        let needed = rules::people_needed(&account, &authority);

        let key = keys::task(tx.account, &self.task);
        if people < needed {
            state.put(key, &task)?;
            return Ok(Approved { task: self.task, people, needed, completed: None });
        }
        state.delete::<Task>(key)?;
        let tx = TxContext { signers, ..tx.clone() };
        rules::check_role(&tx, &authority)?;
        task.payload.check(&tx)?;
        let event = task.payload.apply(&tx, state)?;

        Ok(Approved { task: self.task, people, needed, completed: Some(Box::new(event)) })
    }

    fn example() -> Self {
        Self { task: TaskId::new([9; 32]) }
    }
}
