//! Closes an account.
//!
//! # Purpose
//! The registration institution closes an account whose holder is dissolved, no longer qualifies
//! or asks for it (Registration rules (Trial), account closure). Unmet obligations, freezes,
//! holdings, money and open tasks stand against it. The record stays for ever; the holder's
//! unified social credit code becomes free for a new account.
//!
//! # Who signs
//! The institution that opens accounts of this kind, two people at least.
//!
//! # Checks in order
//! 1. The account exists and is open (a frozen account stays).
//! 2. This institution opened it.
//! 3. It holds no units and no money.
//! 4. Every obligation is met.
//! 5. No task of it waits; those that have expired are deleted.
//!
//! # Writes
//! Accounts, holders, tasks.
//!
//! # Event
//! The account.

use serde::{Deserialize, Serialize};

use super::set_representatives::ACCOUNT_OF_OTHERS;
use crate::rules::accounts::open_account::{OPENING_ROLES, opened_by};
use crate::rules::{Abort, Authority, Reject, RejectCode, Rule, TxContext, common};
use crate::state::{Account, AccountStatus, HolderEntry, Obligation, Overlay, Table, Task, keys};
use crate::types::{AccountId, Digest, Market, OperationClass, Role};

/// Order: close an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseAccount {
    /// The account.
    pub account: AccountId,
    /// Digest of the document.
    pub document: Digest,
}

/// An account was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountClosed {
    /// The account.
    pub account: AccountId,
}

crate::reject_codes! { REJECTS:
    3201 ACCOUNT_NOT_EMPTY "Registration rules (Trial), account closure" [account]
        en "Account {account} still holds units or money."
        zh "账户 {account} 仍有持有量或资金。"
        hint "Let the holder move them first."
        hint_zh "请先由持有人转出。";
    3202 OBLIGATION_OPEN "Registration rules (Trial), account closure" [account, outstanding]
        en "Account {account} still owes {outstanding} t."
        zh "账户 {account} 尚欠 {outstanding} 吨未清缴。"
        hint "An account with an unmet obligation cannot be closed."
        hint_zh "未履约账户不得注销。";
    3203 TASKS_WAITING "Registration rules (Trial), account closure" [account]
        en "Tasks of account {account} still wait."
        zh "账户 {account} 仍有待办事项。"
        hint "Let the holder approve or reject them first."
        hint_zh "请先由持有人处理待办。";
}

impl Rule for CloseAccount {
    type Event = AccountClosed;
    const NAME: &'static str = "close_account";
    const AUTHORITY: Authority =
        Authority::quorum(OPENING_ROLES, OperationClass::Administration, 2);
    const WRITES: &'static [Table] = &[Table::Accounts, Table::Holders, Table::Tasks];
    const REJECTS: &'static [&'static RejectCode] = REJECTS;

    fn check(&self, _tx: &TxContext) -> Result<(), Reject> {
        Ok(())
    }

    fn apply(&self, tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        let id = self.account;
        let account = common::open_account(state, id)?;

        if !opened_by(tx.account.role(), id.role()) {
            return Err(ACCOUNT_OF_OTHERS.reject(vec![id.into()]).into());
        }
        if holds_anything(&account) {
            return Err(ACCOUNT_NOT_EMPTY.reject(vec![id.into()]).into());
        }
        for found in state.scan::<Obligation>(&keys::obligations_of(id)) {
            let outstanding = found?.1.outstanding()?;
            if !outstanding.is_zero() {
                return Err(OBLIGATION_OPEN.reject(vec![id.into(), outstanding.into()]).into());
            }
        }
        let mut expired = Vec::new();
        for found in state.scan::<Task>(&keys::tasks_of(id)) {
            let (key, task) = found?;
            if task.valid_until >= tx.block_time {
                return Err(TASKS_WAITING.reject(vec![id.into()]).into());
            }
            expired.push(key);
        }

        for key in expired {
            state.delete::<Task>(key)?;
        }
        if let Some(code) = &account.credit_code {
            let key = keys::holder(Market::of_role(id.role()), code.as_bytes());
            state.delete::<HolderEntry>(key)?;
        }
        let status = AccountStatus::Closed;
        state.put(keys::account(id), &Account { status, ..Account::clone(&account) })?;

        Ok(AccountClosed { account: id })
    }

    fn example() -> Self {
        Self {
            account: crate::rules::example_account(Role::KeyEmittingEntity, 1),
            document: Digest::new([8; 32]),
        }
    }
}

fn holds_anything(account: &Account) -> bool {
    let units = account.totals.keys().any(|(_, status)| status.is_held());
    units || !account.funds.free.is_zero() || !account.funds.locked.is_zero()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::accounts::open_account::{NewAccount, OpenAccount};
    use crate::rules::allowances::transfer::Transfer;
    use crate::rules::enforcement::freeze::Freeze;
    use crate::rules::governance::propose::Propose;
    use crate::rules::testing::{Market, account, cea, digest, entity, first, people, quantity};
    use crate::types::{ProvinceCode, Thresholds};

    fn close(account: AccountId) -> CloseAccount {
        CloseAccount { account, document: digest(1) }
    }

    #[test]
    fn a_closed_account_does_nothing_and_its_code_is_free_again() {
        let mut market = Market::new();
        let registry = first(Role::Registry);
        let new = |number| OpenAccount {
            accounts: vec![NewAccount {
                role: Role::Trader,
                name: "a company".to_owned(),
                credit_code: "91350100M000100Y43".to_owned().try_into().unwrap(),
                province: ProvinceCode::new(42).unwrap(),
                representatives: people(account(Role::Trader, number)),
                thresholds: Thresholds::uniform(1),
                material: digest(2),
            }],
        };
        market.accept(registry, new(2));
        let trader = account(Role::Trader, 2);
        assert_eq!(market.refusal(registry, new(3)), "HOLDER_HAS_ACCOUNT");
        assert_eq!(
            market.accept(registry, close(trader)),
            AccountClosed { account: trader }.into()
        );
        market.accept(registry, new(3));
        let transfer = Transfer { to: entity(2), units: quantity(cea(1920), 1) };
        assert_eq!(market.refusal(trader, transfer), "ACCOUNT_NOT_OPEN");
        assert_eq!(market.refusal(registry, close(trader)), "ACCOUNT_NOT_OPEN");
    }

    #[test]
    fn a_frozen_account_is_not_closed() {
        let mut market = Market::new();
        let freeze = Freeze { account: entity(1), units: None, order: digest(1) };
        market.accept(first(Role::Registry), freeze);
        let code = market.refusal(first(Role::Registry), close(entity(1)));
        assert_eq!(code, "ACCOUNT_NOT_OPEN");
    }

    #[test]
    fn only_the_registry_that_opens_an_account_closes_it() {
        let mut market = Market::new();
        for account in [first(Role::ProjectOwner), first(Role::Ministry), first(Role::Registry)] {
            let code = market.refusal(first(Role::Registry), close(account));
            assert_eq!(code, "ACCOUNT_OF_OTHERS");
        }
    }

    #[test]
    fn units_and_money_stand_against_closing() {
        let mut market = Market::new();
        market.issue(entity(1), 1920, 1);
        market.deposit(entity(2), 1);
        for account in [entity(1), entity(2)] {
            let code = market.refusal(first(Role::Registry), close(account));
            assert_eq!(code, "ACCOUNT_NOT_EMPTY");
        }
    }

    #[test]
    fn an_unmet_obligation_stands_against_closing() {
        let mut market = Market::new();
        market.oblige(entity(1), 1);
        let code = market.refusal(first(Role::Registry), close(entity(1)));
        assert_eq!(code, "OBLIGATION_OPEN");
        market.oblige(entity(1), 0);
        market.accept(first(Role::Registry), close(entity(1)));
    }

    #[test]
    fn waiting_tasks_stand_against_closing_and_expired_ones_are_deleted() {
        let mut genesis = crate::rules::testing::genesis();
        let of_entity = genesis.accounts.iter_mut().find(|a| a.role == Role::KeyEmittingEntity);
        of_entity.unwrap().thresholds = Thresholds::uniform(2);
        let mut market = Market::of(&genesis);
        let transfer = Transfer { to: entity(2), units: quantity(cea(1920), 1) };
        let propose =
            |valid_until| Propose { order: Box::new(transfer.clone().into()), valid_until };
        let long = propose(market.next_time().saturating_add_millis(60_000));
        market.send_by(entity(1), &[1], long).unwrap();
        let code = market.refusal(first(Role::Registry), close(entity(1)));
        assert_eq!(code, "TASKS_WAITING");

        let mut market = Market::of(&genesis);
        let short = propose(market.next_time().saturating_add_millis(1));
        market.send_by(entity(1), &[1], short).unwrap();
        assert_eq!(market.view().scan::<Task>(&keys::tasks_of(entity(1))).count(), 1);
        market.accept(first(Role::Registry), close(entity(1)));
        assert_eq!(market.view().scan::<Task>(&keys::tasks_of(entity(1))).count(), 0);
    }
}
