//! Surrenders allowances for a compliance year.
//!
//! # Purpose
//! A key emitting entity surrenders allowances equal to its verified emissions (Interim
//! Regulations art. 14). The province confirmed the amount when it recorded the obligation; the
//! ledger refuses more than is still owed, and vintages that the plan of the year does not admit.
//! After the deadline the debt stays and can still be paid: the day of completion shows it.
//!
//! # Who signs
//! The entity, under its threshold for compliance.
//!
//! # Checks in order
//! 1. Shape: something, no overlap, not too many ranges; allowances only.
//! 2. The obligation of the year is recorded.
//! 3. The earliest and the latest vintage of the year are set, and the units lie between them.
//! 4. The units are held free.
//! 5. They are no more than is still owed.
//!
//! # Writes
//! Accounts, units, supplies, obligations.
//!
//! # Event
//! The ranges, what is still owed, and the day of completion.

use serde::{Deserialize, Serialize};

use crate::rules::{Abort, Authority, Reject, RejectCode, Rule, TxContext, common};
use crate::state::{Overlay, ParameterName, Table, UnitPlace, UnitStatus, keys};
use crate::types::{
    BusinessDate, Instrument, OperationClass, Role, Selection, SerialRange, Tonnes, Vintage,
};

/// Order: surrender allowances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surrender {
    /// The compliance year.
    pub year: Vintage,
    /// Which units.
    pub units: Selection,
}

/// Allowances were surrendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surrendered {
    /// The compliance year.
    pub year: Vintage,
    /// Which units.
    pub ranges: Vec<SerialRange>,
    /// What is still owed.
    pub outstanding: Tonnes,
    /// Day on which the obligation was met in full.
    pub completed_on: Option<BusinessDate>,
}

crate::reject_codes! { REJECTS:
    6007 VINTAGE_NOT_USABLE "Allocation plans, vintage clause" [instrument, year, earliest, latest]
        en "{instrument} cannot be surrendered for {year}; vintages {earliest} to {latest} can."
        zh "{instrument} 不能用于 {year} 年度清缴；可用年度为 {earliest} 至 {latest}。"
        hint "Choose allowances of a usable vintage; 1920 stands for 2019-2020."
        hint_zh "请选择可用年度的配额；1920 表示 2019-2020 年度。";
}

impl Rule for Surrender {
    type Event = Surrendered;
    const NAME: &'static str = "surrender";
    const AUTHORITY: Authority =
        Authority::quorum(&[Role::KeyEmittingEntity], OperationClass::Compliance, 1);
    const WRITES: &'static [Table] =
        &[Table::Accounts, Table::Units, Table::Supplies, Table::Obligations];
    const REJECTS: &'static [&'static RejectCode] = REJECTS;

    fn check(&self, _tx: &TxContext) -> Result<(), Reject> {
        common::check_selection(&self.units)?;
        common::check_kind(&self.units, false)
    }

    fn apply(&self, tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        let today = state.ledger()?.business_date;
        let mut obligation = common::obligation(state, tx.account, self.year)?;

        self.check_vintages(today, state)?;
        let ranges = state.select_free_units(tx.account, &self.units)?;
        let tonnes = common::tonnes_of(&ranges)?;
        common::check_owed(&obligation, tonnes)?;

        obligation.surrendered = obligation.surrendered.try_add(tonnes)?;
        obligation.complete(today)?;
        let outstanding = obligation.outstanding()?;
        let completed_on = obligation.completed_on;

        let from = UnitPlace { holder: tx.account, status: UnitStatus::Free };
        let to =
            UnitPlace { holder: tx.account, status: UnitStatus::Surrendered { year: self.year } };
        for range in &ranges {
            state.move_units(*range, from, to)?;
        }
        state.put(keys::obligation(tx.account, self.year), &obligation)?;

        Ok(Surrendered { year: self.year, ranges, outstanding, completed_on })
    }

    fn example() -> Self {
        Self {
            year: Vintage::CYCLE_2019_2020,
            units: Selection::Quantity {
                instrument: Instrument::Cea(Vintage::CYCLE_2019_2020),
                tonnes: Tonnes::new(10_000),
            },
        }
    }
}

impl Surrender {
    fn check_vintages(&self, today: BusinessDate, state: &Overlay<'_>) -> Result<(), Abort> {
        let year = Some(self.year);
        let earliest = state.required_parameter(ParameterName::SurrenderVintageMin, year, today)?;
        let latest = state.required_parameter(ParameterName::SurrenderVintageMax, year, today)?;
        for instrument in self.units.instruments() {
            let vintage = i64::from(instrument.vintage().get());
            if vintage < earliest || vintage > latest {
                let plain = |value| u64::try_from(value).unwrap_or(0);
                let facts = vec![
                    instrument.into(),
                    self.year.into(),
                    plain(earliest).into(),
                    plain(latest).into(),
                ];
                return Err(VINTAGE_NOT_USABLE.reject(facts).into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{
        MINISTRY, Market, ccer, cea, day, entity, first, quantity, range, year,
    };
    use crate::state::StatusKind;

    fn surrender(units: Selection) -> Surrender {
        Surrender { year: year(1920), units }
    }

    /// Entity 1 owes 1,000 t of 2019-2020 and holds 2,000 t.
    fn market() -> Market {
        let mut market = Market::new();
        market.oblige(entity(1), 1_000);
        market.issue(entity(1), 1920, 2_000);
        market
    }

    #[test]
    fn an_obligation_is_met_in_parts() {
        let mut market = market();
        let event = market.accept(entity(1), surrender(quantity(cea(1920), 999)));
        let expected = Surrendered {
            year: year(1920),
            ranges: vec![range(cea(1920), 1, 999)],
            outstanding: Tonnes::new(1),
            completed_on: None,
        };
        assert_eq!(event, expected.into());
        market.advance("2021-12-31");
        let units = Selection::Ranges(vec![range(cea(1920), 2_000, 2_000)]);
        market.accept(entity(1), surrender(units));
        let obligation = market.obligation(entity(1), 1920);
        assert_eq!(obligation.surrendered, Tonnes::new(1_000));
        assert_eq!(obligation.completed_on, Some(day("2021-12-31")));
        assert_eq!(market.total(entity(1), cea(1920), StatusKind::Surrendered), 1_000);
    }

    #[test]
    fn only_allowances_are_surrendered_and_something_of_them() {
        let mut market = market();
        let code = market.refusal(entity(1), surrender(quantity(cea(1920), 0)));
        assert_eq!(code, "QUANTITY_ZERO");
        let code = market.refusal(entity(1), surrender(quantity(ccer(2016), 1)));
        assert_eq!(code, "INSTRUMENT_NOT_ALLOWED");
    }

    #[test]
    fn without_verified_emissions_nothing_is_surrendered() {
        let mut market = market();
        market.issue(entity(2), 1920, 1);
        let code = market.refusal(entity(2), surrender(quantity(cea(1920), 1)));
        assert_eq!(code, "OBLIGATION_UNKNOWN");
        let other = Surrender { year: year(2021), units: quantity(cea(1920), 1) };
        assert_eq!(market.refusal(entity(1), other), "OBLIGATION_UNKNOWN");
    }

    #[test]
    fn vintages_outside_those_of_the_year_are_refused() {
        let mut market = market();
        market.issue(entity(1), 2021, 10);
        let code = market.refusal(entity(1), surrender(quantity(cea(2021), 1)));
        assert_eq!(code, "VINTAGE_NOT_USABLE");
        let mixed = vec![range(cea(1920), 1, 1), range(cea(2021), 1, 1)];
        let code = market.refusal(entity(1), surrender(Selection::Ranges(mixed)));
        assert_eq!(code, "VINTAGE_NOT_USABLE");
    }

    #[test]
    fn a_year_whose_vintages_are_not_set_waits() {
        let mut market = market();
        market.issue(entity(1), 2021, 10);
        market.advance("2022-06-30");
        let due = Tonnes::new(5);
        let account = entity(1);
        let order = crate::rules::compliance::record_verified_emissions::RecordVerifiedEmissions {
            year: year(2021),
            lines: vec![crate::rules::compliance::record_verified_emissions::EmissionLine {
                account,
                verified: due,
                due,
            }],
            report: crate::rules::testing::digest(1),
        };
        market.accept(first(Role::Province), order);
        let order = Surrender { year: year(2021), units: quantity(cea(2021), 5) };
        assert_eq!(market.refusal(entity(1), order.clone()), "PARAMETER_UNSET");
        for name in [ParameterName::SurrenderVintageMin, ParameterName::SurrenderVintageMax] {
            let set = crate::rules::governance::set_parameter::SetParameter {
                name,
                year: Some(year(2021)),
                valid_from: day("2022-06-30"),
                value: 2021,
                article: "a plan".to_owned(),
            };
            market.accept(first(MINISTRY), set);
        }
        let old = Surrender { year: year(2021), units: quantity(cea(1920), 1) };
        assert_eq!(market.refusal(entity(1), old), "VINTAGE_NOT_USABLE");
        market.accept(entity(1), order);
    }

    #[test]
    fn only_units_held_free_are_surrendered() {
        let mut market = market();
        market.oblige(entity(1), 5_000);
        let code = market.refusal(entity(1), surrender(quantity(cea(1920), 2_001)));
        assert_eq!(code, "HOLDING_INSUFFICIENT");
        let units = Selection::Ranges(vec![range(cea(1920), 2_000, 2_001)]);
        assert_eq!(market.refusal(entity(1), surrender(units)), "RANGE_NOT_HELD");
    }

    #[test]
    fn more_than_owed_is_refused() {
        let mut market = market();
        let code = market.refusal(entity(1), surrender(quantity(cea(1920), 1_001)));
        assert_eq!(code, "OBLIGATION_EXCEEDED");
        market.accept(entity(1), surrender(quantity(cea(1920), 1_000)));
        let code = market.refusal(entity(1), surrender(quantity(cea(1920), 1)));
        assert_eq!(code, "OBLIGATION_EXCEEDED");
    }

    #[test]
    fn nobody_surrenders_for_another() {
        let mut market = market();
        let order = surrender(quantity(cea(1920), 1));
        assert_eq!(market.refusal(first(Role::Registry), order), "ROLE_NOT_ALLOWED");
    }
}
