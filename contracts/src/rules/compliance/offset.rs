//! Offsets part of an obligation with certified voluntary reductions.
//!
//! # Purpose
//! A key emitting entity may offset up to a share of its obligation, five per cent at present,
//! with reductions (Interim Regulations art. 14; Measures (Trial) art. 29). The units end in the
//! reductions' register and the obligation is credited in one step: a serial is used once.
//!
//! # Who signs
//! The entity, under its threshold for compliance.
//!
//! # Checks in order
//! 1. Shape: something, no overlap, not too many ranges; reductions only.
//! 2. The obligation of the year is recorded.
//! 3. The first and the last registration day of the year are set, and each project was
//!    registered between them.
//! 4. The units are held free.
//! 5. All offsets together are at most `floor(cap × due / 10,000)`; the cap is set.
//! 6. They are no more than is still owed.
//!
//! # Writes
//! Accounts, units, supplies, obligations.
//!
//! # Event
//! The ranges, what is still owed, and the day of completion.

use serde::{Deserialize, Serialize};

use crate::Fault;
use crate::rules::{Abort, Authority, Reject, RejectCode, Rule, TxContext, common};
use crate::state::{Overlay, ParameterName, Project, Table, UnitPlace, UnitStatus, keys};
use crate::types::{
    ArithmeticError, BusinessDate, Instrument, OperationClass, Role, Selection, SerialRange,
    Tonnes, Vintage,
};

/// Order: offset with reductions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offset {
    /// The compliance year.
    pub year: Vintage,
    /// Which units.
    pub units: Selection,
}

/// Part of an obligation was offset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetRecorded {
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
    6008 OFFSET_CAP_EXCEEDED "Measures (Trial) art. 29" [cap, asked]
        en "At most {cap} t of this obligation may be offset; with this it would be {asked} t."
        zh "该清缴义务最多可抵销 {cap} 吨，本次后将达 {asked} 吨。"
        hint "Offset less, and surrender allowances for the rest."
        hint_zh "请减少抵销数量，其余以配额清缴。";
    6009 REGISTRATION_NOT_ELIGIBLE "Allocation plans, CCER clause"
        [instrument, registered, first, last]
        en "{instrument} was registered on {registered}; eligible days are {first} to {last}."
        zh "{instrument} 登记于 {registered}；可用登记日期为 {first} 至 {last}。"
        hint "Choose reductions of a project that the notice for the year admits."
        hint_zh "请选择当年规定允许使用的项目减排量。";
}

/// Most tonnes of an obligation that may be offset: the cap of the year, rounded down.
pub(crate) fn offset_max(
    state: &Overlay<'_>,
    year: Vintage,
    due: Tonnes,
    today: BusinessDate,
) -> Result<Tonnes, Abort> {
    let cap = state.required_parameter(ParameterName::OffsetCap, Some(year), today)?;
    Ok(share_of(due, cap)?)
}

/// A share in basis points of a quantity, rounded down.
pub(crate) fn share_of(tonnes: Tonnes, basis_points: i64) -> Result<Tonnes, ArithmeticError> {
    let product = u128::try_from(basis_points)
        .ok()
        .and_then(|share| share.checked_mul(u128::from(tonnes.get())))
        .and_then(|product| product.checked_div(10_000))
        .and_then(|share| u64::try_from(share).ok());
    product.map(Tonnes::new).ok_or(ArithmeticError)
}

impl Rule for Offset {
    type Event = OffsetRecorded;
    const NAME: &'static str = "offset";
    const AUTHORITY: Authority =
        Authority::quorum(&[Role::KeyEmittingEntity], OperationClass::Compliance, 1);
    const WRITES: &'static [Table] =
        &[Table::Accounts, Table::Units, Table::Supplies, Table::Obligations];
    const REJECTS: &'static [&'static RejectCode] = REJECTS;

    fn check(&self, _tx: &TxContext) -> Result<(), Reject> {
        common::check_selection(&self.units)?;
        common::check_kind(&self.units, true)
    }

    fn apply(&self, tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        let today = state.ledger()?.business_date;
        let mut obligation = common::obligation(state, tx.account, self.year)?;

        self.check_registration(today, state)?;
        let ranges = state.select_free_units(tx.account, &self.units)?;
        let tonnes = common::tonnes_of(&ranges)?;
        let cap = offset_max(state, self.year, obligation.due, today)?;
        let offset = obligation.offset.try_add(tonnes)?;
        if offset > cap {
            return Err(OFFSET_CAP_EXCEEDED.reject(vec![cap.into(), offset.into()]).into());
        }
        common::check_owed(&obligation, tonnes)?;

        obligation.offset = offset;
        obligation.complete(today)?;
        let outstanding = obligation.outstanding()?;
        let completed_on = obligation.completed_on;

        let from = UnitPlace { holder: tx.account, status: UnitStatus::Free };
        let to = UnitPlace { holder: tx.account, status: UnitStatus::Offset { year: self.year } };
        for range in &ranges {
            state.move_units(*range, from, to)?;
        }
        state.put(keys::obligation(tx.account, self.year), &obligation)?;

        Ok(OffsetRecorded { year: self.year, ranges, outstanding, completed_on })
    }

    fn example() -> Self {
        let project = "A210008".parse().expect("a published project code");
        Self {
            year: Vintage::new(2024).expect("a compliance year"),
            units: Selection::Quantity {
                instrument: Instrument::Ccer(project, Vintage::new(2021).expect("a year")),
                tonnes: Tonnes::new(500),
            },
        }
    }
}

impl Offset {
    /// Refuses units of projects that were registered outside the window of the year.
    fn check_registration(&self, today: BusinessDate, state: &Overlay<'_>) -> Result<(), Abort> {
        let day = |name| -> Result<BusinessDate, Abort> {
            let days = state.required_parameter(name, Some(self.year), today)?;
            let day = u32::try_from(days).ok().and_then(|days| BusinessDate::from_days(days).ok());
            Ok(day.ok_or_else(|| Fault::Inconsistent { what: format!("{days} is no day") })?)
        };
        let first = day(ParameterName::OffsetRegisteredFrom)?;
        let last = day(ParameterName::OffsetRegisteredUntil)?;
        for instrument in self.units.instruments() {
            let Instrument::Ccer(code, _) = instrument else { continue };
            // A project that does not exist has no units: the selection refuses them.
            let Some(project) = state.get::<Project>(&keys::project(&code))? else { continue };
            let registered = project.registered_on;
            if registered < first || registered > last {
                let facts = vec![instrument.into(), registered.into(), first.into(), last.into()];
                return Err(REGISTRATION_NOT_ELIGIBLE.reject(facts).into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::allowances::transfer::Transfer;
    use crate::rules::compliance::surrender::Surrender;
    use crate::rules::testing::{Market, ccer, cea, day, entity, first, quantity, range, year};
    use crate::state::StatusKind;

    fn offset(tonnes: u64) -> Offset {
        Offset { year: year(1920), units: quantity(ccer(2016), tonnes) }
    }

    /// Entity 1 owes so much of 2019-2020 and holds 1,000 reductions of a project of that day.
    fn market(due: u64, registered: &str) -> Market {
        let mut market = Market::new();
        market.oblige(entity(1), due);
        market.reduce(registered, 2016, 1_000);
        let order = Transfer { to: entity(1), units: quantity(ccer(2016), 1_000) };
        market.accept(first(Role::ProjectOwner), order);
        market
    }

    #[test]
    fn reductions_meet_part_of_an_obligation() {
        let mut market = market(10_019, "2017-03-13");
        let event = market.accept(entity(1), offset(500));
        let expected = OffsetRecorded {
            year: year(1920),
            ranges: vec![range(ccer(2016), 1, 500)],
            outstanding: Tonnes::new(9_519),
            completed_on: None,
        };
        assert_eq!(event, expected.into());
        assert_eq!(market.total(entity(1), ccer(2016), StatusKind::Offset), 500);
        market.issue(entity(1), 1920, 9_519);
        let units = quantity(cea(1920), 9_519);
        market.accept(entity(1), Surrender { year: year(1920), units });
        assert_eq!(market.obligation(entity(1), 1920).completed_on, Some(day("2021-07-16")));
    }

    #[test]
    fn only_reductions_offset_and_something_of_them() {
        let mut market = market(10_000, "2017-03-13");
        assert_eq!(market.refusal(entity(1), offset(0)), "QUANTITY_ZERO");
        let order = Offset { units: quantity(cea(1920), 1), ..offset(1) };
        assert_eq!(market.refusal(entity(1), order), "INSTRUMENT_NOT_ALLOWED");
    }

    #[test]
    fn without_verified_emissions_nothing_is_offset() {
        let mut market = market(10_000, "2017-03-13");
        let order = Offset { year: year(2021), ..offset(1) };
        assert_eq!(market.refusal(entity(1), order), "OBLIGATION_UNKNOWN");
    }

    #[test]
    fn projects_registered_outside_the_window_of_the_year_are_refused() {
        let mut market = market(10_000, "2017-03-14");
        assert_eq!(market.refusal(entity(1), offset(1)), "REGISTRATION_NOT_ELIGIBLE");
    }

    #[test]
    fn a_year_whose_window_or_cap_is_not_set_waits() {
        for name in [ParameterName::OffsetRegisteredFrom, ParameterName::OffsetCap] {
            let mut genesis = crate::rules::testing::genesis();
            genesis.parameters.retain(|parameter| parameter.name != name);
            let mut market = Market::of(&genesis);
            market.oblige(entity(1), 10_000);
            market.reduce("2017-03-13", 2016, 10);
            let order = Transfer { to: entity(1), units: quantity(ccer(2016), 10) };
            market.accept(first(Role::ProjectOwner), order);
            assert_eq!(market.refusal(entity(1), offset(1)), "PARAMETER_UNSET");
        }
    }

    #[test]
    fn only_units_held_free_offset() {
        let mut market = market(10_000_000, "2017-03-13");
        assert_eq!(market.refusal(entity(1), offset(1_001)), "HOLDING_INSUFFICIENT");
        let order = Offset { units: quantity(ccer(2015), 1), ..offset(1) };
        assert_eq!(market.refusal(entity(1), order), "HOLDING_INSUFFICIENT");
    }

    #[test]
    fn the_cap_is_five_per_cent_rounded_down() {
        for (due, cap) in [(10_000, 500), (10_019, 500), (99, 4)] {
            let mut market = market(due, "2017-03-13");
            assert_eq!(market.refusal(entity(1), offset(cap + 1)), "OFFSET_CAP_EXCEEDED");
            market.accept(entity(1), offset(cap - 1));
            assert_eq!(market.refusal(entity(1), offset(2)), "OFFSET_CAP_EXCEEDED");
            market.accept(entity(1), offset(1));
        }
        assert_eq!(share_of(Tonnes::new(u64::MAX), 10_000), Ok(Tonnes::new(u64::MAX)));
        assert_eq!(share_of(Tonnes::new(u64::MAX), 10_001), Err(ArithmeticError));
        assert_eq!(share_of(Tonnes::new(1), -1), Err(ArithmeticError));
    }

    #[test]
    fn more_than_owed_is_not_offset() {
        let mut market = market(100, "2017-03-13");
        market.issue(entity(1), 1920, 97);
        let units = quantity(cea(1920), 97);
        market.accept(entity(1), Surrender { year: year(1920), units });
        assert_eq!(market.refusal(entity(1), offset(4)), "OBLIGATION_EXCEEDED");
        market.accept(entity(1), offset(3));
    }
}
