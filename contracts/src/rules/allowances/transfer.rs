//! Moves units from the acting account to another.
//!
//! # Purpose
//! Transfer of title without trade: between accounts of one holder, succession, corrections by
//! agreement. The register's record is the title (Measures (Trial) art. 22).
//!
//! # Who signs
//! The holder.
//!
//! # Checks in order
//! 1. Shape: something, no overlap, not too many ranges; two different accounts.
//! 2. The receiver may hold units of their kind.
//! 3. The receiver exists and is open.
//! 4. The units are held free.
//!
//! # Writes
//! Accounts, units.
//!
//! # Event
//! Receiver, ranges and tonnes.

use serde::{Deserialize, Serialize};

use crate::rules::{Abort, Authority, Reject, RejectCode, Rule, TxContext, common};
use crate::state::{Overlay, Table, UnitPlace, UnitStatus};
use crate::types::{
    AccountId, Instrument, OperationClass, Role, Selection, SerialRange, Tonnes, Vintage,
};

/// Order: move units to `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Who receives.
    pub to: AccountId,
    /// Which units.
    pub units: Selection,
}

/// Units moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transferred {
    /// Who received.
    pub to: AccountId,
    /// Which units.
    pub ranges: Vec<SerialRange>,
}

impl Rule for Transfer {
    type Event = Transferred;
    const NAME: &'static str = "transfer";
    const AUTHORITY: Authority =
        Authority::quorum(common::HOLDER_ROLES, OperationClass::Transfer, 1);
    const WRITES: &'static [Table] = &[Table::Accounts, Table::Units];
    const REJECTS: &'static [&'static RejectCode] = &[];

    fn check(&self, tx: &TxContext) -> Result<(), Reject> {
        common::check_selection(&self.units)?;
        if self.to == tx.account {
            return Err(common::SAME_ACCOUNT.reject(vec![self.to.into()]));
        }
        let mut instruments = self.units.instruments().into_iter();
        instruments.try_for_each(|instrument| common::check_may_hold(self.to, instrument))
    }

    fn apply(&self, tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        common::open_account(state, self.to)?;
        let ranges = state.select_free_units(tx.account, &self.units)?;
        let from = UnitPlace { holder: tx.account, status: UnitStatus::Free };
        let to = UnitPlace { holder: self.to, status: UnitStatus::Free };
        for range in &ranges {
            state.move_units(*range, from, to)?;
        }

        Ok(Transferred { to: self.to, ranges })
    }

    fn example() -> Self {
        Self {
            to: crate::rules::example_account(Role::KeyEmittingEntity, 2),
            units: Selection::Quantity {
                instrument: Instrument::Cea(Vintage::CYCLE_2019_2020),
                tonnes: Tonnes::new(1_000),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{Market, ccer, cea, digest, entity, first, quantity, range};

    fn to(to: AccountId, units: Selection) -> Transfer {
        Transfer { to, units }
    }

    fn market() -> Market {
        let mut market = Market::new();
        market.issue(entity(1), 1920, 100);
        market
    }

    #[test]
    fn a_quantity_takes_the_lowest_serials() {
        let mut market = market();
        let event = market.accept(entity(1), to(entity(2), quantity(cea(1920), 30)));
        let ranges = vec![range(cea(1920), 1, 30)];
        assert_eq!(event, Transferred { to: entity(2), ranges }.into());
        assert_eq!(market.free(entity(1), cea(1920)), 70);
        assert_eq!(market.free(entity(2), cea(1920)), 30);
    }

    #[test]
    fn named_ranges_move_and_come_back_into_one_record() {
        let mut market = market();
        let (left, right) = (range(cea(1920), 11, 20), range(cea(1920), 41, 50));
        market.accept(entity(1), to(entity(2), Selection::Ranges(vec![right, left])));
        assert_eq!(market.free(entity(2), cea(1920)), 20);
        market.accept(entity(2), to(entity(1), quantity(cea(1920), 20)));
        let (stored, _) = market.view().range_at(&cea(1920), 15).unwrap().unwrap();
        assert_eq!(stored, range(cea(1920), 1, 100));
    }

    #[test]
    fn selections_without_meaning_are_refused() {
        let mut market = market();
        let refusal = |market: &mut Market, units| market.refusal(entity(1), to(entity(2), units));
        assert_eq!(refusal(&mut market, quantity(cea(1920), 0)), "QUANTITY_ZERO");
        assert_eq!(refusal(&mut market, Selection::Ranges(vec![])), "QUANTITY_ZERO");
        let overlap = vec![range(cea(1920), 1, 10), range(cea(1920), 10, 20)];
        assert_eq!(refusal(&mut market, Selection::Ranges(overlap)), "RANGES_OVERLAP");
        let many = (1..=257).map(|n| range(cea(1920), n, n)).collect();
        assert_eq!(refusal(&mut market, Selection::Ranges(many)), "RANGES_TOO_MANY");
        let own = to(entity(1), quantity(cea(1920), 1));
        assert_eq!(market.refusal(entity(1), own), "SAME_ACCOUNT");
    }

    #[test]
    fn receivers_may_hold_what_they_receive() {
        let mut market = market();
        market.reduce("2017-03-01", 2016, 10);
        let owner = first(Role::ProjectOwner);
        let one = |instrument| quantity(instrument, 1);
        assert_eq!(market.refusal(entity(1), to(owner, one(cea(1920)))), "INSTRUMENT_NOT_HELD");
        for role in [Role::Registry, Role::Exchange, Role::Province, Role::Auditor] {
            let code = market.refusal(entity(1), to(first(role), one(cea(1920))));
            assert_eq!(code, "INSTRUMENT_NOT_HELD");
            let code = market.refusal(owner, to(first(role), one(ccer(2016))));
            assert_eq!(code, "INSTRUMENT_NOT_HELD");
        }
        for role in [Role::KeyEmittingEntity, Role::Trader, Role::Government] {
            market.accept(owner, to(first(role), one(ccer(2016))));
        }
        market.accept(entity(1), to(first(Role::Trader), one(cea(1920))));
        market.accept(entity(1), to(owner, one(ccer(2016))));
    }

    #[test]
    fn the_receiver_exists_and_is_open() {
        use crate::rules::enforcement::freeze::Freeze;
        let mut market = market();
        let one = quantity(cea(1920), 1);
        assert_eq!(market.refusal(entity(1), to(entity(99), one.clone())), "ACCOUNT_UNKNOWN");
        let freeze = Freeze { account: entity(2), units: None, order: digest(1) };
        market.accept(first(Role::Registry), freeze);
        assert_eq!(market.refusal(entity(1), to(entity(2), one)), "ACCOUNT_NOT_OPEN");
    }

    #[test]
    fn only_units_held_free_move() {
        let mut market = market();
        market.issue(entity(2), 1920, 1);
        let order = to(entity(2), quantity(cea(1920), 101));
        assert_eq!(market.refusal(entity(1), order), "HOLDING_INSUFFICIENT");
        let order = to(entity(2), quantity(cea(2021), 1));
        assert_eq!(market.refusal(entity(1), order), "HOLDING_INSUFFICIENT");
        for (first, last) in [(100, 101), (101, 101), (500, 600)] {
            let units = Selection::Ranges(vec![range(cea(1920), first, last)]);
            assert_eq!(market.refusal(entity(1), to(entity(3), units)), "RANGE_NOT_HELD");
        }
    }
}
