//! Freezes an account or named units on the order of a court or an authority.
//!
//! # Purpose
//! Judicial freeze (Registration rules (Trial) art. 22): nothing leaves the account, or the units
//! do not move, until the order is lifted. The order itself stays off the ledger; its digest
//! names the freeze.
//!
//! # Who signs
//! The registration institution of the market, two people at least: that of allowances for its
//! accounts and for CEA, that of reductions for project owners and for CCER.
//!
//! # Checks in order
//! 1. Shape of the selection, where units are named.
//! 2. This institution did not execute the order for this account before. An order may name several
//!    accounts, and units that two institutions keep.
//! 3. The account exists, is open and is kept by this institution; so are the instruments.
//! 4. The units are held free by the account.
//!
//! # Writes
//! Accounts, units, supplies, freezes.
//!
//! # Event
//! The account, the order and the frozen ranges; no range when the whole account is frozen.

use serde::{Deserialize, Serialize};

use crate::rules::{Abort, Authority, Reject, RejectCode, Rule, TxContext, common};
use crate::state::{
    Account, AccountStatus, Freeze as FreezeRecord, Overlay, Table, UnitPlace, UnitStatus, keys,
};
use crate::types::{
    AccountId, Digest, Instrument, Market, OperationClass, Role, Selection, SerialRange, Tonnes,
    Vintage,
};

/// Order: freeze an account, or units of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// Whose.
    pub account: AccountId,
    /// Which units; none freezes the whole account.
    pub units: Option<Selection>,
    /// Digest of the order.
    pub order: Digest,
}

/// Something was frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// Whose.
    pub account: AccountId,
    /// Which units; empty when the whole account is frozen.
    pub ranges: Vec<SerialRange>,
    /// Digest of the order.
    pub order: Digest,
}

crate::reject_codes! { REJECTS:
    8001 ORDER_EXECUTED "Registration rules (Trial) art. 22" [order, account]
        en "This institution executed order {order} for account {account} before."
        zh "本机构已就账户 {account} 执行过文书 {order}。"
        hint "An order freezes once per account: name all its units together, or use the new order."
        hint_zh "每份文书对同一账户只执行一次：请一并列明全部单位，或使用新文书。";
    8002 OTHER_REGISTRY "Registration rules (Trial) art. 3" [account]
        en "Account {account} or these units are kept by the other registration institution."
        zh "账户 {account} 或所列单位由另一注册登记机构管理。"
        hint "Send the order to the institution that keeps the account and the units."
        hint_zh "请将文书送达管理该账户及单位的机构。";
}

/// Whether a registration institution keeps an account and an instrument.
pub(super) fn keeps(registry: AccountId, account: AccountId, units: Option<&Selection>) -> bool {
    let own = Market::of_role(registry.role());
    let kept = match units {
        None => Market::of_role(account.role()) == own,
        Some(units) => units.instruments().iter().all(|it| Market::of_instrument(it) == own),
    };
    kept && common::HOLDER_ROLES.contains(&account.role())
}

impl Rule for Freeze {
    type Event = Frozen;
    const NAME: &'static str = "freeze";
    const AUTHORITY: Authority =
        Authority::quorum(&[Role::Registry, Role::CcerRegistry], OperationClass::Administration, 2);
    const WRITES: &'static [Table] =
        &[Table::Accounts, Table::Units, Table::Supplies, Table::Freezes];
    const REJECTS: &'static [&'static RejectCode] = REJECTS;

    fn check(&self, _tx: &TxContext) -> Result<(), Reject> {
        self.units.as_ref().map_or(Ok(()), common::check_selection)
    }

    fn apply(&self, tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        let key = keys::freeze(self.account, &self.order, Market::of_role(tx.account.role()));
        if state.contains(&key) {
            let facts = vec![self.order.into(), self.account.into()];
            return Err(ORDER_EXECUTED.reject(facts).into());
        }
        let account = common::open_account(state, self.account)?;
        if !keeps(tx.account, self.account, self.units.as_ref()) {
            return Err(OTHER_REGISTRY.reject(vec![self.account.into()]).into());
        }
        let ranges = match &self.units {
            Some(units) => state.select_free_units(self.account, units)?,
            None => Vec::new(),
        };

        let since = state.ledger()?.business_date;
        if self.units.is_none() {
            let status = AccountStatus::Frozen { order: self.order };
            state.put(
                keys::account(self.account),
                &Account { status, ..Account::clone(&account) },
            )?;
        }
        let from = UnitPlace { holder: self.account, status: UnitStatus::Free };
        let status = UnitStatus::Frozen { order: self.order };
        for range in &ranges {
            state.move_units(*range, from, UnitPlace { status, ..from })?;
        }
        let record = FreezeRecord {
            account: self.account,
            ranges: ranges.clone(),
            executed_by: tx.account,
            since,
            lifted_on: None,
        };
        state.put(key, &record)?;

        Ok(Frozen { account: self.account, ranges, order: self.order })
    }

    fn example() -> Self {
        Self {
            account: crate::rules::example_account(Role::KeyEmittingEntity, 1),
            units: Some(Selection::Quantity {
                instrument: Instrument::Cea(Vintage::CYCLE_2019_2020),
                tonnes: Tonnes::new(1_000),
            }),
            order: Digest::new([4; 32]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::allowances::transfer::Transfer;
    use crate::rules::testing::{Market, ccer, cea, digest, entity, first, quantity, range};
    use crate::state::StatusKind;

    fn freeze(account: AccountId, units: Option<Selection>) -> Freeze {
        Freeze { account, units, order: digest(1) }
    }

    fn market() -> Market {
        let mut market = Market::new();
        market.issue(entity(1), 1920, 100);
        market
    }

    fn registry() -> AccountId {
        first(Role::Registry)
    }

    #[test]
    fn frozen_units_stay_and_the_rest_moves() {
        let mut market = market();
        let units = Some(Selection::Ranges(vec![range(cea(1920), 41, 60)]));
        let event = market.accept(registry(), freeze(entity(1), units));
        let ranges = vec![range(cea(1920), 41, 60)];
        assert_eq!(event, Frozen { account: entity(1), ranges, order: digest(1) }.into());
        assert_eq!(market.total(entity(1), cea(1920), StatusKind::Frozen), 20);
        let all = Transfer { to: entity(2), units: quantity(cea(1920), 81) };
        assert_eq!(market.refusal(entity(1), all), "HOLDING_INSUFFICIENT");
        let event =
            market.accept(entity(1), Transfer { to: entity(2), units: quantity(cea(1920), 80) });
        let crate::rules::Event::Transfer(moved) = event else { panic!("{event:?}") };
        assert_eq!(moved.ranges, [range(cea(1920), 1, 40), range(cea(1920), 61, 100)]);
    }

    #[test]
    fn nothing_leaves_a_frozen_account() {
        let mut market = market();
        market.accept(registry(), freeze(entity(1), None));
        let order = Transfer { to: entity(2), units: quantity(cea(1920), 1) };
        assert_eq!(market.refusal(entity(1), order), "ACCOUNT_NOT_OPEN");
    }

    #[test]
    fn a_selection_names_something() {
        let mut market = market();
        let order = freeze(entity(1), Some(quantity(cea(1920), 0)));
        assert_eq!(market.refusal(registry(), order), "QUANTITY_ZERO");
    }

    #[test]
    fn an_order_is_executed_once_per_account_and_institution() {
        let mut market = market();
        market.reduce("2017-03-01", 2016, 10);
        let order = Transfer { to: entity(1), units: quantity(ccer(2016), 10) };
        market.accept(first(Role::ProjectOwner), order);
        market.accept(registry(), freeze(entity(1), Some(quantity(cea(1920), 1))));
        let code = market.refusal(registry(), freeze(entity(1), None));
        assert_eq!(code, "ORDER_EXECUTED");
        let reductions = freeze(entity(1), Some(quantity(ccer(2016), 4)));
        market.accept(first(Role::CcerRegistry), reductions.clone());
        let code = market.refusal(first(Role::CcerRegistry), reductions);
        assert_eq!(code, "ORDER_EXECUTED");
        market.accept(registry(), freeze(entity(2), None));
    }

    #[test]
    fn the_account_exists_and_is_open() {
        let mut market = market();
        assert_eq!(market.refusal(registry(), freeze(entity(99), None)), "ACCOUNT_UNKNOWN");
        market.accept(registry(), freeze(entity(1), None));
        let order = Freeze { order: digest(2), ..freeze(entity(1), None) };
        assert_eq!(market.refusal(registry(), order), "ACCOUNT_NOT_OPEN");
    }

    #[test]
    fn each_registry_freezes_what_it_keeps_and_never_an_institution() {
        let mut market = market();
        market.reduce("2017-03-01", 2016, 10);
        let owner = first(Role::ProjectOwner);
        let (reductions, allowances) = (quantity(ccer(2016), 1), quantity(cea(1920), 1));
        for (institution, account, units) in [
            (Role::Registry, owner, None),
            (Role::CcerRegistry, entity(1), None),
            (Role::CcerRegistry, entity(1), Some(allowances)),
            (Role::Registry, owner, Some(reductions.clone())),
            (Role::Registry, first(Role::Ministry), None),
            (Role::Registry, first(Role::Exchange), None),
        ] {
            let code = market.refusal(first(institution), freeze(account, units));
            assert_eq!(code, "OTHER_REGISTRY");
        }
        market.accept(first(Role::CcerRegistry), freeze(owner, Some(reductions)));
    }

    #[test]
    fn only_free_units_are_frozen() {
        let mut market = market();
        let order = freeze(entity(1), Some(quantity(cea(1920), 101)));
        assert_eq!(market.refusal(registry(), order), "HOLDING_INSUFFICIENT");
    }

    #[test]
    fn nobody_else_freezes_and_never_one_person_alone() {
        let mut market = market();
        let order = freeze(entity(1), None);
        assert_eq!(market.refusal(first(Role::Ministry), order.clone()), "ROLE_NOT_ALLOWED");
        assert_eq!(market.refusal_by(registry(), &[1], order), "SIGNATURES_INSUFFICIENT");
    }
}
