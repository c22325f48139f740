//! Who acts, who signs, until when: the envelope around a chosen order.

use cets_contracts::rules::Payload;
use cets_contracts::rules::governance::approve::Approve;
use cets_contracts::rules::governance::propose::Propose;
use cets_contracts::rules::governance::reject::Reject;
use cets_contracts::tx::{TxBody, signer_list};
use cets_contracts::types::{
    AccountId, BlockTime, ChainId, PublicKey, Representative, Role, TaskId,
};

use super::Chooser;
use crate::fixture::People;
use crate::model::{Model, Wants, who_signs};

/// A transaction before it is signed.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What is signed, and by whom.
    pub body: TxBody,
}

/// The generator: choices, the people it knows, and what it did before.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Choices.
    pub chooser: Chooser,
    /// People who can sign.
    pub people: People,
    /// Numbers already used for credit codes, orders and references.
    pub counter: u64,
    recent: Vec<Draft>,
}

/// Recent drafts kept for replays.
const RECENT_MAX: usize = 64;

impl Workload {
    /// A generator from a seed; the people of genesis are known already.
    pub fn new(seed: u64, people: People) -> Self {
        Self { chooser: Chooser::new(seed), people, counter: 0, recent: Vec::new() }
    }

    /// The next transaction.
    pub fn draft(&mut self, model: &Model, chain_id: ChainId) -> Draft {
        if self.chooser.percent(1)
            && let Some(draft) = self.chooser.one(&self.recent)
        {
            return draft.clone();
        }
        let (account, payload) = self.order(model);
        let signers = self.signers(model, account, &payload);
        let (payload, signers) = self.maybe_propose(model, account, payload, signers);
        self.counter += 1;
        let body = TxBody {
            chain_id: self.chain(chain_id),
            account,
            signers: signer_list(signers),
            valid_until: self.valid_until(model.now),
            salt: self.counter,
            payload,
        };
        let draft = Draft { body };
        if self.recent.len() < RECENT_MAX {
            self.recent.push(draft.clone());
        } else {
            let at = self.chooser.below(RECENT_MAX as u64) as usize;
            self.recent[at] = draft.clone();
        }
        draft
    }

    fn chain(&mut self, chain_id: ChainId) -> ChainId {
        if self.chooser.below(500) == 0 { ChainId::new([9; 16]) } else { chain_id }
    }

    fn valid_until(&mut self, now: BlockTime) -> BlockTime {
        let now = now.as_millis();
        let day = 24 * 3_600_000;
        BlockTime::from_millis(match self.chooser.below(500) {
            0 => now - 1,
            1 => now + day + 1,
            2 => now + day,
            3 => now,
            _ => now + self.chooser.below(20_000),
        })
    }

    /// Steps on waiting tasks, or an order of an institution or a holder.
    fn order(&mut self, model: &Model) -> (AccountId, Payload) {
        match self.chooser.below(100) {
            0..12 => self.step_on_a_task(model),
            12..40 => self.order_of_an_institution(model),
            _ => self.order_of_a_holder(model),
        }
    }

    fn step_on_a_task(&mut self, model: &Model) -> (AccountId, Payload) {
        let tasks: Vec<(AccountId, TaskId)> = model.tasks.keys().copied().collect();
        let known = self.chooser.one(&tasks).copied();
        let (account, task) = match known {
            Some(found) if self.chooser.percent(97) => found,
            _ => (self.anyone(model), TaskId::new(self.chooser.bytes())),
        };
        if self.chooser.percent(88) {
            return (account, Approve { task }.into());
        }
        let reason = if self.chooser.percent(95) { "not agreed" } else { "" };
        (account, Reject { task, reason: reason.to_owned() }.into())
    }

    /// An account of any role.
    pub(super) fn anyone(&mut self, model: &Model) -> AccountId {
        let accounts: Vec<AccountId> = model.accounts.keys().copied().collect();
        *self.chooser.one(&accounts).unwrap()
    }

    /// An account of a role; sometimes one that does not exist.
    pub(super) fn someone(&mut self, model: &Model, role: Role) -> AccountId {
        let last = model.numbers.get(&role).copied().unwrap_or(0);
        let beyond = u64::from(self.chooser.below(200) == 0);
        AccountId::new(role, self.chooser.within(1, last.max(1) + beyond)).unwrap()
    }

    /// Mostly enough people with the right rights; sometimes too few, or strangers.
    fn signers(&mut self, model: &Model, account: AccountId, order: &Payload) -> Vec<PublicKey> {
        let people = model.accounts.get(&account).map_or(&[][..], |holder| &holder.people);
        let keys: Vec<PublicKey> = people.iter().map(|person| person.key).collect();
        let stranger = || crate::fixture::public_key("registry/1");
        match self.chooser.below(100) {
            _ if keys.is_empty() => vec![stranger()],
            0..4 => vec![*self.chooser.one(&keys).unwrap()],
            4 => vec![self.people.meet("stranger/1")],
            5 => vec![*self.chooser.one(&keys).unwrap(), self.people.meet("stranger/1")],
            6..10 => keys,
            _ => self.right_signers(model, account, order, people),
        }
    }

    fn right_signers(
        &mut self,
        model: &Model,
        account: AccountId,
        order: &Payload,
        people: &[Representative],
    ) -> Vec<PublicKey> {
        let holder = &model.accounts[&account];
        let keys = |suits: &dyn Fn(&Representative) -> bool| -> Vec<PublicKey> {
            people.iter().filter(|person| suits(person)).map(|person| person.key).collect()
        };
        let one = |keys: Vec<PublicKey>, chooser: &mut Chooser| -> Vec<PublicKey> {
            chooser.one(&keys).copied().into_iter().collect()
        };
        let picked = match who_signs(order).1 {
            Wants::People(class, least) => {
                let mut acting = keys(&|person| person.right.may_initiate());
                acting.truncate(1);
                let first = acting.first().copied();
                let approvers = keys(&|person| person.right.may_approve());
                acting.extend(approvers.into_iter().filter(|key| Some(*key) != first));
                acting.truncate(holder.needed(class, least) as usize);
                acting
            }
            Wants::Initiator => {
                let able = keys(&|person| person.right.may_initiate());
                one(able, &mut self.chooser)
            }
            Wants::Approvers => {
                let Payload::Approve(approve) = order else { return Vec::new() };
                let task = model.tasks.get(&(account, approve.task));
                let able = keys(&|person| {
                    let signed = task.is_some_and(|task| task.signed.contains(&person.key));
                    person.right.may_approve() && !signed
                });
                one(able, &mut self.chooser)
            }
            Wants::Anyone => one(keys(&|_| true), &mut self.chooser),
        };
        if picked.is_empty() { vec![people[0].key] } else { picked }
    }

    /// Some orders go the way of a proposal by one person.
    fn maybe_propose(
        &mut self,
        model: &Model,
        account: AccountId,
        payload: Payload,
        signers: Vec<PublicKey>,
    ) -> (Payload, Vec<PublicKey>) {
        let step = matches!(payload, Payload::Approve(_) | Payload::Reject(_));
        let odd_step = step && self.chooser.below(200) == 0;
        let chosen = if signers.len() > 1 { 25 } else { 2 };
        if !odd_step && (step || !self.chooser.percent(chosen)) {
            return (payload, signers);
        }
        let now = model.now.as_millis();
        let until = match self.chooser.below(60) {
            0 => now,
            1 => now + 31 * 24 * 3_600_000,
            2..20 => now + self.chooser.within(1, 4_000),
            _ => now + self.chooser.within(4_000, 600_000),
        };
        let valid_until = BlockTime::from_millis(until);
        let proposal = Propose { order: Box::new(payload), valid_until }.into();
        let signers = self.signers(model, account, &proposal);
        (proposal, signers)
    }
}
