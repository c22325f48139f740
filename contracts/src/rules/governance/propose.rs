//! Proposes an order that other people of the account approve.
//!
//! # Purpose
//! Four eyes as a rule of the ledger: an order that needs several people can be signed by all of
//! them at once, or be proposed by one and approved by others, each from an own desk. The order
//! waits as a task; nothing is reserved for it, and every check runs again when it is completed.
//!
//! # Who signs
//! A representative who may initiate. The role is checked for the order that is proposed.
//!
//! # Checks in order
//! 1. The order is no step in collecting signatures itself.
//! 2. The task ends after block time, at most [`TASK_LIFE_MILLIS_MAX`] later.
//! 3. The order's own shape and limits.
//! 4. The account's role may call the order.
//! 5. The order needs more people than signed the proposal.
//! 6. The account has fewer than [`TASKS_PER_ACCOUNT_MAX`] tasks; expired ones do not count.
//!
//! # Writes
//! Tasks; expired tasks of the account are deleted.
//!
//! # Event
//! The task's identifier, the verb, how many people act and how many are needed.

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use crate::domains;
use crate::rules::{
    self, Abort, Authority, Payload, Reject, RejectCode, Rule, Signing, TxContext, common,
};
use crate::state::{Overlay, Table, Task, keys};
use crate::types::{BlockTime, TaskId, TxId, domain_hash};

/// Longest life of a task after block time, in milliseconds: 30 days.
pub const TASK_LIFE_MILLIS_MAX: u64 = 30 * 24 * 3_600_000;
/// Most tasks of an account that wait at once.
pub const TASKS_PER_ACCOUNT_MAX: usize = 64;

/// Order: let others approve `order`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Propose {
    /// The order that is proposed.
    #[serde(deserialize_with = "shallow")]
    pub order: Box<Payload>,
    /// Last block time at which it can be completed.
    pub valid_until: BlockTime,
}

/// Deepest nesting of proposals within a proposal that is read from text. The rule refuses any;
/// the canonical codec has a limit of its own, and what is read must not exceed it when written.
const PROPOSALS_NESTED_MAX: usize = 1;

fn shallow<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<Payload>, D::Error> {
    let is_text = deserializer.is_human_readable();
    let order = Box::<Payload>::deserialize(deserializer)?;
    let (mut inner, mut nested) = (order.as_ref(), 0usize);
    while let Payload::Propose(proposal) = inner {
        (inner, nested) = (proposal.order.as_ref(), nested.saturating_add(1));
    }
    if is_text && nested > PROPOSALS_NESTED_MAX {
        return Err(D::Error::custom("a proposal of a proposal of a proposal is no order"));
    }
    Ok(order)
}

/// An order was proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposed {
    /// The task that waits.
    pub task: TaskId,
    /// Verb of the proposed order.
    pub verb: String,
    /// People who act so far.
    pub people: u64,
    /// People that the order needs.
    pub needed: u64,
}

crate::reject_codes! { REJECTS:
    2003 TASK_NESTED "Four-eyes rule of the ledger" []
        en "A step in collecting signatures cannot be proposed."
        zh "发起、复核或驳回操作本身不能作为待办提交。"
        hint "Propose the order itself."
        hint_zh "请直接提交业务本身。";
    2004 TASK_LIFE "Four-eyes rule of the ledger" [limit]
        en "The task must end after block time and at most {limit} ms later."
        zh "待办截止时间须晚于区块时间且不超过其后 {limit} 毫秒。"
        hint "Choose an end within 30 days."
        hint_zh "请选择 30 日内的截止时间。";
    2005 TASK_NOT_NEEDED "Four-eyes rule of the ledger" [people, needed]
        en "{people} people signed and {needed} are needed: there is nothing to approve."
        zh "已有 {people} 人签名，仅需 {needed} 人，无需复核。"
        hint "Send the order itself with these signatures."
        hint_zh "请直接提交该业务及签名。";
    2006 TASKS_TOO_MANY "Limit of the ledger" [limit]
        en "{limit} tasks of the account already wait."
        zh "该账户已有 {limit} 项待办。"
        hint "Approve or reject some of them first."
        hint_zh "请先处理部分待办。";
}

/// Identifier of the task that a transaction proposes.
pub fn task_id(tx_id: &TxId) -> TaskId {
    TaskId::new(domain_hash(domains::TASK_ID, &[tx_id.as_bytes()]))
}

impl Rule for Propose {
    type Event = Proposed;
    const NAME: &'static str = "propose";
    const AUTHORITY: Authority = Authority::collecting(Signing::Initiator);
    const WRITES: &'static [Table] = &[Table::Tasks];
    const REJECTS: &'static [&'static RejectCode] = REJECTS;

    fn check(&self, tx: &TxContext) -> Result<(), Reject> {
        if self.order.rule().authority.signing != Signing::Quorum {
            return Err(TASK_NESTED.reject(vec![]));
        }
        let latest = tx.block_time.saturating_add_millis(TASK_LIFE_MILLIS_MAX);
        if self.valid_until <= tx.block_time || self.valid_until > latest {
            return Err(TASK_LIFE.reject(vec![TASK_LIFE_MILLIS_MAX.into()]));
        }
        self.order.check(tx)
    }

    fn apply(&self, tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        let account = common::open_account(state, tx.account)?;
        let entry = self.order.rule();

        rules::check_role(tx, &entry.authority)?;
        let people = rules::count_people(&account, &tx.signers)?;
        let needed = rules::people_needed(&account, &entry.authority);
        if people >= needed {
            return Err(TASK_NOT_NEEDED.reject(vec![people.into(), needed.into()]).into());
        }
        let prefix = keys::tasks_of(tx.account);
        let mut expired = Vec::new();
        let mut waiting = 0usize;
        for found in state.scan::<Task>(&prefix) {
            let (key, task) = found?;
            if task.valid_until < tx.block_time {
                expired.push(key);
            } else {
                waiting = waiting.saturating_add(1);
            }
        }
        if waiting >= TASKS_PER_ACCOUNT_MAX {
            return Err(TASKS_TOO_MANY.reject(vec![common::number(TASKS_PER_ACCOUNT_MAX)]).into());
        }

        for key in expired {
            state.delete::<Task>(key)?;
        }
        let id = task_id(&tx.tx_id);
        let task = Task {
            account: tx.account,
            payload: (*self.order).clone(),
            initiators: tx.signers.clone(),
            approvers: Vec::new(),
            valid_until: self.valid_until,
        };
        state.put(keys::task(tx.account, &id), &task)?;

        Ok(Proposed { task: id, verb: entry.name.to_owned(), people, needed })
    }

    fn example() -> Self {
        Self {
            order: Box::new(rules::allowances::transfer::Transfer::example().into()),
            valid_until: TxContext::for_documentation()
                .block_time
                .saturating_add_millis(7 * 24 * 3_600_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::allowances::transfer::Transfer;
    use crate::rules::governance::{approve::Approve, reject::Reject as RejectTask};
    use crate::rules::testing::{Market, cea, entity, first, quantity};
    use crate::types::{OperationClass, Role, Thresholds};

    fn transfer() -> Transfer {
        Transfer { to: entity(2), units: quantity(cea(1920), 10) }
    }

    fn propose(market: &Market, order: impl Into<Payload>) -> Propose {
        let valid_until = market.next_time().saturating_add_millis(1_000_000);
        Propose { order: Box::new(order.into()), valid_until }
    }

    /// A market whose entity 1 needs two people to transfer and three to surrender.
    fn market() -> Market {
        let mut genesis = crate::rules::testing::genesis();
        let of_entity = genesis.accounts.iter_mut().find(|a| a.role == Role::KeyEmittingEntity);
        let uniform = Thresholds::uniform(1);
        of_entity.unwrap().thresholds = Thresholds { transfer: 2, compliance: 3, ..uniform };
        Market::of(&genesis)
    }

    #[test]
    fn what_is_read_from_text_is_never_nested_too_deeply_to_be_written() {
        let mut json = serde_json::to_string(&Payload::from(transfer())).unwrap();
        for nested in 0..40 {
            match serde_json::from_str::<Payload>(&json) {
                Ok(order) => drop(crate::codec::encode(&order)),
                Err(error) => assert!(nested > 2, "{error}"),
            }
            json = format!(r#"{{"propose":{{"order":{json},"valid_until":1}}}}"#);
        }
        assert!(serde_json::from_str::<Payload>(&json).is_err());
    }

    #[test]
    fn an_initiator_proposes_what_needs_two_people() {
        let mut market = market();
        let order = propose(&market, transfer());
        let event = market.send_by(entity(1), &[3], order).unwrap();
        let rules::Event::Propose(proposed) = event else { panic!("{event:?}") };
        assert_eq!((proposed.verb.as_str(), proposed.people, proposed.needed), ("transfer", 1, 2));
        let key = keys::task(entity(1), &proposed.task);
        let task: Task = market.view().get(&key).unwrap().unwrap();
        assert_eq!(task.initiators, [crate::rules::testing::key(entity(1), 3)]);
    }

    #[test]
    fn every_order_that_can_be_proposed_survives_the_codec_inside_a_task() {
        let mut proposed = 0;
        for rule in rules::RULES {
            if rule.authority.signing != Signing::Quorum {
                continue;
            }
            let account = entity(1);
            let order = Propose { order: Box::new((rule.example)()), ..Propose::example() };
            let payload = Payload::from(order.clone());
            let bytes = crate::codec::encode(&payload);
            assert_eq!(crate::codec::decode::<Payload>(&bytes), Ok(payload));
            let task = Task {
                account,
                payload: *order.order,
                initiators: vec![],
                approvers: vec![],
                valid_until: order.valid_until,
            };
            let bytes = crate::codec::encode(&task);
            assert_eq!(crate::codec::decode::<Task>(&bytes), Ok(task), "{}", rule.name);
            proposed += 1;
        }
        assert_eq!(proposed, rules::RULES.len() - 3);
    }

    #[test]
    fn steps_in_collecting_signatures_are_not_proposed() {
        let mut market = market();
        let inner = propose(&market, transfer());
        let task = crate::types::TaskId::new([1; 32]);
        let reason = "no".to_owned();
        for order in [inner.into(), Approve { task }.into(), RejectTask { task, reason }.into()] {
            let order: Payload = order;
            let order = propose(&market, order);
            assert_eq!(market.refusal_by(entity(1), &[1], order), "TASK_NESTED");
        }
    }

    #[test]
    fn the_end_of_a_task_lies_ahead_and_within_thirty_days() {
        let mut market = market();
        for millis in [0, TASK_LIFE_MILLIS_MAX + 1] {
            let valid_until = market.next_time().saturating_add_millis(millis);
            let order = Propose { valid_until, ..propose(&market, transfer()) };
            assert_eq!(market.refusal_by(entity(1), &[1], order), "TASK_LIFE");
        }
    }

    #[test]
    fn the_shape_of_the_order_is_checked_when_it_is_proposed() {
        let mut market = market();
        let order = Transfer { to: entity(1), ..transfer() };
        let order = propose(&market, order);
        assert_eq!(market.refusal_by(entity(1), &[1], order), "SAME_ACCOUNT");
    }

    #[test]
    fn the_role_is_checked_when_the_order_is_proposed() {
        let mut market = market();
        let order = propose(&market, transfer());
        assert_eq!(market.refusal_by(first(Role::Registry), &[1], order), "ROLE_NOT_ALLOWED");
    }

    #[test]
    fn what_enough_people_signed_is_not_proposed() {
        let mut market = market();
        let order = propose(&market, transfer());
        assert_eq!(market.refusal_by(entity(1), &[1, 2], order.clone()), "TASK_NOT_NEEDED");
        assert_eq!(market.refusal_by(entity(3), &[1], order), "TASK_NOT_NEEDED");
    }

    #[test]
    fn only_who_may_initiate_proposes() {
        let mut market = market();
        let order = propose(&market, transfer());
        assert_eq!(market.refusal_by(entity(1), &[4], order.clone()), "SIGNATURES_INSUFFICIENT");
        let code = market.refusal_by(entity(1), &[5], order);
        assert_eq!(code, "SIGNER_NOT_REPRESENTATIVE");
    }

    #[test]
    fn an_account_has_a_limited_number_of_tasks_and_expired_ones_make_room() {
        let mut market = market();
        let soon = market.next_time().saturating_add_millis(100_000);
        for _ in 0..TASKS_PER_ACCOUNT_MAX {
            let order = Propose { valid_until: soon, ..propose(&market, transfer()) };
            market.send_by(entity(1), &[1], order).unwrap();
        }
        let order = propose(&market, transfer());
        assert_eq!(market.refusal_by(entity(1), &[1], order.clone()), "TASKS_TOO_MANY");
        while market.next_time() <= soon {
            market.block(vec![]);
        }
        market.send_by(entity(1), &[1], order).unwrap();
        let tasks = market.view().scan::<Task>(&keys::tasks_of(entity(1))).count();
        assert_eq!(tasks, 1);
        assert_eq!(market.account(entity(1)).thresholds.of(OperationClass::Transfer), 2);
    }
}
