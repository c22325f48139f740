//! Lifts a freeze.
//!
//! # Purpose
//! Ends a judicial freeze when its order is lifted (Registration rules (Trial) art. 22).
//!
//! # Who signs
//! The registration institution that executed the freeze, two people at least.
//!
//! # Checks in order
//! 1. There is a freeze of the account by this order, executed by this institution.
//! 2. It was not lifted before.
//!
//! # Writes
//! Accounts, units, supplies, freezes.
//!
//! # Event
//! The account, both documents and the freed ranges.

use serde::{Deserialize, Serialize};

use crate::rules::{Abort, Authority, Reject, RejectCode, Rule, TxContext, common};
use crate::state::{Account, AccountStatus, Freeze, Overlay, Table, UnitPlace, UnitStatus, keys};
use crate::types::{AccountId, Digest, Market, OperationClass, Role, SerialRange};

/// Order: lift a freeze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfreeze {
    /// Whose account or units are freed.
    pub account: AccountId,
    /// Digest of the order that froze.
    pub order: Digest,
    /// Digest of the document that lifts it.
    pub lifted_by: Digest,
}

/// A freeze was lifted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfrozen {
    /// Whose.
    pub account: AccountId,
    /// Which units; empty when the whole account was frozen.
    pub ranges: Vec<SerialRange>,
    /// Digest of the order that froze.
    pub order: Digest,
    /// Digest of the document that lifts it.
    pub lifted_by: Digest,
}

crate::reject_codes! { REJECTS:
    8011 FREEZE_UNKNOWN "Registration rules (Trial) art. 22" [order, account]
        en "This institution executed no freeze of account {account} by order {order}."
        zh "本机构未就账户 {account} 执行过文书 {order} 的冻结。"
        hint "Check account and digest; the institution that froze must lift."
        hint_zh "请核对账户及摘要；须由执行冻结的机构解除。";
    8012 FREEZE_LIFTED "Registration rules (Trial) art. 22" [order, date]
        en "The freeze of order {order} was lifted on {date}."
        zh "文书 {order} 的冻结已于 {date} 解除。"
        hint "Nothing is left to do."
        hint_zh "无须再次办理。";
}

impl Rule for Unfreeze {
    type Event = Unfrozen;
    const NAME: &'static str = "unfreeze";
    const AUTHORITY: Authority =
        Authority::quorum(&[Role::Registry, Role::CcerRegistry], OperationClass::Administration, 2);
    const WRITES: &'static [Table] =
        &[Table::Accounts, Table::Units, Table::Supplies, Table::Freezes];
    const REJECTS: &'static [&'static RejectCode] = REJECTS;

    fn check(&self, _tx: &TxContext) -> Result<(), Reject> {
        Ok(())
    }

    fn apply(&self, tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        let key = keys::freeze(self.account, &self.order, Market::of_role(tx.account.role()));
        let freeze = state.get::<Freeze>(&key)?.filter(|f| f.executed_by == tx.account);
        let Some(freeze) = freeze else {
            let facts = vec![self.order.into(), self.account.into()];
            return Err(FREEZE_UNKNOWN.reject(facts).into());
        };
        if let Some(date) = freeze.lifted_on {
            return Err(FREEZE_LIFTED.reject(vec![self.order.into(), date.into()]).into());
        }

        let today = state.ledger()?.business_date;
        let Freeze { account, ranges, .. } = freeze.clone();
        if ranges.is_empty() {
            let record = common::account(state, account)?;
            let open = Account { status: AccountStatus::Open, ..Account::clone(&record) };
            state.put(keys::account(account), &open)?;
        }
        let free = UnitPlace { holder: account, status: UnitStatus::Free };
        let frozen =
            UnitPlace { holder: account, status: UnitStatus::Frozen { order: self.order } };
        for range in &ranges {
            state.move_units(*range, frozen, free)?;
        }
        state.put(key, &Freeze { lifted_on: Some(today), ..freeze })?;

        Ok(Unfrozen { account, ranges, order: self.order, lifted_by: self.lifted_by })
    }

    fn example() -> Self {
        let account = crate::rules::example_account(Role::KeyEmittingEntity, 1);
        Self { account, order: Digest::new([4; 32]), lifted_by: Digest::new([5; 32]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::allowances::transfer::Transfer;
    use crate::rules::enforcement::freeze::Freeze as FreezeOrder;
    use crate::rules::testing::{Market, cea, digest, entity, first, quantity, range};

    fn unfreeze() -> Unfreeze {
        Unfreeze { account: entity(1), order: digest(1), lifted_by: digest(2) }
    }

    fn market(frozen: Option<u64>) -> Market {
        let mut market = Market::new();
        market.issue(entity(1), 1920, 100);
        let units = frozen.map(|tonnes| quantity(cea(1920), tonnes));
        let order = FreezeOrder { account: entity(1), units, order: digest(1) };
        market.accept(first(Role::Registry), order);
        market
    }

    #[test]
    fn freed_units_move_again() {
        let mut market = market(Some(60));
        let event = market.accept(first(Role::Registry), unfreeze());
        let expected = Unfrozen {
            account: entity(1),
            ranges: vec![range(cea(1920), 1, 60)],
            order: digest(1),
            lifted_by: digest(2),
        };
        assert_eq!(event, expected.into());
        assert_eq!(market.free(entity(1), cea(1920)), 100);
    }

    #[test]
    fn a_freed_account_acts_again() {
        let mut market = market(None);
        market.accept(first(Role::Registry), unfreeze());
        let order = Transfer { to: entity(2), units: quantity(cea(1920), 1) };
        market.accept(entity(1), order);
    }

    #[test]
    fn only_the_institution_that_froze_lifts() {
        let mut market = market(None);
        let code = market.refusal(first(Role::CcerRegistry), unfreeze());
        assert_eq!(code, "FREEZE_UNKNOWN");
        let other = Unfreeze { order: digest(9), ..unfreeze() };
        assert_eq!(market.refusal(first(Role::Registry), other), "FREEZE_UNKNOWN");
        let other = Unfreeze { account: entity(2), ..unfreeze() };
        assert_eq!(market.refusal(first(Role::Registry), other), "FREEZE_UNKNOWN");
    }

    #[test]
    fn a_freeze_is_lifted_once() {
        let mut market = market(Some(1));
        market.accept(first(Role::Registry), unfreeze());
        assert_eq!(market.refusal(first(Role::Registry), unfreeze()), "FREEZE_LIFTED");
    }
}
