//! Approves a task; the last approval that is needed carries its order out.
//!
//! # Purpose
//! The second half of [`propose`](super::propose): other people of the same account look at the
//! order and sign. The order is carried out as the account's own, with all checks of that
//! moment; if its rule refuses, so is this approval, with the rule's own code, and the task waits
//! on. Who signed earlier and may no longer act for the account does not count.
//!
//! # Who signs
//! Representatives who may approve and have not signed the task yet.
//!
//! # Checks in order
//! 1. The account has the task, and the task has not expired.
//! 2. No signer has signed it before.
//! 3. When enough people signed: everything that the order itself demands.
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
        let signers = rules::who_may_act(&account, task.initiators.iter().chain(&task.approvers));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Payload;
    use crate::rules::accounts::set_representatives::SetRepresentatives;
    use crate::rules::allowances::issue::{Issue, IssueLine};
    use crate::rules::allowances::transfer::Transfer;
    use crate::rules::governance::propose::Propose;
    use crate::rules::testing::{Market, cea, digest, entity, first, people, quantity, year};
    use crate::types::{Role, Thresholds, Tonnes};

    /// A market where every class of operations of entity 1 needs so many people.
    fn market(needed: u8) -> Market {
        let mut genesis = crate::rules::testing::genesis();
        let of_entity = genesis.accounts.iter_mut().find(|a| a.role == Role::KeyEmittingEntity);
        of_entity.unwrap().thresholds = Thresholds::uniform(needed);
        let mut market = Market::of(&genesis);
        market.issue(entity(1), 1920, 100);
        market
    }

    fn propose(market: &mut Market, account: AccountId, order: impl Into<Payload>) -> Approve {
        let valid_until = market.next_time().saturating_add_millis(100_000);
        let order = Propose { order: Box::new(order.into()), valid_until };
        let event = market.send_by(account, &[3], order).unwrap();
        let Event::Propose(proposed) = event else { panic!("{event:?}") };
        Approve { task: proposed.task }
    }

    fn transfer(tonnes: u64) -> Transfer {
        Transfer { to: entity(2), units: quantity(cea(1920), tonnes) }
    }

    #[test]
    fn the_last_approval_carries_the_order_out() {
        let mut market = market(3);
        let approve = propose(&mut market, entity(1), transfer(10));
        let event = market.send_by(entity(1), &[1], approve).unwrap();
        let Event::Approve(first) = event else { panic!("{event:?}") };
        assert_eq!((first.people, first.needed, first.completed), (2, 3, None));
        assert_eq!(market.free(entity(2), cea(1920)), 0);
        let event = market.send_by(entity(1), &[4], approve).unwrap();
        let Event::Approve(last) = event else { panic!("{event:?}") };
        assert!(matches!(last.completed.as_deref(), Some(Event::Transfer(_))), "{last:?}");
        assert_eq!(market.free(entity(2), cea(1920)), 10);
        assert_eq!(market.refusal_by(entity(1), &[2], approve), "TASK_UNKNOWN");
    }

    #[test]
    fn two_approvers_may_sign_together() {
        let mut market = market(3);
        let approve = propose(&mut market, entity(1), transfer(10));
        market.send_by(entity(1), &[2, 4], approve).unwrap();
        assert_eq!(market.free(entity(2), cea(1920)), 10);
    }

    #[test]
    fn the_smallest_number_of_people_of_a_rule_counts_too() {
        let mut market = Market::new();
        let lines = vec![IssueLine { account: entity(1), tonnes: Tonnes::new(5) }];
        let order = Issue { vintage: year(1920), lines, document: digest(1) };
        let approve = propose(&mut market, first(Role::Registry), order);
        market.send_by(first(Role::Registry), &[4], approve).unwrap();
        assert_eq!(market.free(entity(1), cea(1920)), 5);
    }

    #[test]
    fn a_task_belongs_to_its_account() {
        let mut market = market(2);
        let approve = propose(&mut market, entity(1), transfer(10));
        assert_eq!(market.refusal_by(entity(2), &[1], approve), "TASK_UNKNOWN");
    }

    #[test]
    fn an_expired_task_is_not_completed() {
        let mut market = market(2);
        let approve = propose(&mut market, entity(1), transfer(10));
        for _ in 0..102 {
            market.block(vec![]);
        }
        assert_eq!(market.refusal_by(entity(1), &[1], approve), "TASK_EXPIRED");
    }

    #[test]
    fn nobody_signs_a_task_twice() {
        let mut market = market(3);
        let approve = propose(&mut market, entity(1), transfer(10));
        market.send_by(entity(1), &[1], approve).unwrap();
        assert_eq!(market.refusal_by(entity(1), &[1], approve), "TASK_SIGNED_BEFORE");
        assert_eq!(market.refusal_by(entity(1), &[2, 1], approve), "TASK_SIGNED_BEFORE");
    }

    #[test]
    fn an_initiator_approves_nothing_even_if_it_may_approve() {
        let mut market = market(2);
        let valid_until = market.next_time().saturating_add_millis(100_000);
        let order = Propose { order: Box::new(transfer(10).into()), valid_until };
        let event = market.send_by(entity(1), &[1], order).unwrap();
        let Event::Propose(proposed) = event else { panic!("{event:?}") };
        let approve = Approve { task: proposed.task };
        assert_eq!(market.refusal_by(entity(1), &[1], approve), "TASK_SIGNED_BEFORE");
        assert_eq!(market.refusal_by(entity(1), &[3], approve), "SIGNER_NOT_REPRESENTATIVE");
        market.send_by(entity(1), &[4], approve).unwrap();
    }

    #[test]
    fn a_signature_of_someone_who_lost_the_right_no_longer_counts() {
        let mut market = market(2);
        let approve = propose(&mut market, entity(1), transfer(10));
        let representatives = people(entity(1)).into_iter().take(2).collect();
        let order = SetRepresentatives {
            account: entity(1),
            representatives,
            thresholds: Thresholds::uniform(2),
            material: digest(1),
        };
        market.accept(entity(1), order);
        let event = market.send_by(entity(1), &[1], approve).unwrap();
        let Event::Approve(approved) = event else { panic!("{event:?}") };
        assert_eq!((approved.people, approved.needed, approved.completed), (1, 2, None));
        assert_eq!(market.free(entity(2), cea(1920)), 0);
        market.send_by(entity(1), &[2], approve).unwrap();
        assert_eq!(market.free(entity(2), cea(1920)), 10);
    }

    #[test]
    fn an_approver_who_leaves_does_not_stop_the_task() {
        let mut market = market(3);
        let approve = propose(&mut market, entity(1), transfer(10));
        market.send_by(entity(1), &[4], approve).unwrap();
        let mut representatives = people(entity(1));
        representatives.retain(|person| person.key != crate::rules::testing::key(entity(1), 4));
        let order = SetRepresentatives {
            account: entity(1),
            representatives,
            thresholds: Thresholds::uniform(3),
            material: digest(1),
        };
        market.send_by(entity(1), &[1, 2, 3], order).unwrap();
        market.send_by(entity(1), &[1], approve).unwrap();
        assert_eq!(market.free(entity(2), cea(1920)), 0);
        market.send_by(entity(1), &[2], approve).unwrap();
        assert_eq!(market.free(entity(2), cea(1920)), 10);
    }

    #[test]
    fn a_refusal_of_the_order_refuses_the_approval_and_the_task_waits_on() {
        let mut market = market(2);
        let approve = propose(&mut market, entity(1), transfer(101));
        assert_eq!(market.refusal_by(entity(1), &[1], approve), "HOLDING_INSUFFICIENT");
        market.issue(entity(1), 1920, 1);
        market.send_by(entity(1), &[1], approve).unwrap();
        assert_eq!(market.free(entity(2), cea(1920)), 101);
    }
}
