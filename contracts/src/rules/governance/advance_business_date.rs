//! Moves the ledger's business date forward.
//!
//! # Purpose
//! The law's deadlines, trading days and working-day counts are judged by the business date, a
//! civil day in UTC+8 that the registration institution advances.
//!
//! # Who signs
//! The registration institution for allowances.
//!
//! # Checks in order
//! 1. The date is after the current one.
//! 2. Where genesis ties the date to block time, it is the civil date of block time.
//!
//! # Writes
//! The ledger's own record.
//!
//! # Event
//! The date before and the date after.

use serde::{Deserialize, Serialize};

use crate::genesis::ClockRule;
use crate::rules::{Abort, Authority, Reject, RejectCode, Rule, TxContext};
use crate::state::{Overlay, Table};
use crate::types::{BusinessDate, OperationClass, Role};

/// Order: the business date becomes `date`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvanceBusinessDate {
    /// The new business date.
    pub date: BusinessDate,
}

/// The business date moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusinessDateAdvanced {
    /// The date before.
    pub from: BusinessDate,
    /// The date after.
    pub to: BusinessDate,
}

crate::reject_codes! { REJECTS:
    2001 DATE_NOT_LATER "Design of the ledger, two clocks" [current, asked]
        en "The business date is {current} and cannot become {asked}."
        zh "当前业务日期为 {current}，不能改为 {asked}。"
        hint "Name a later day; the date never goes back."
        hint_zh "请填写更晚的日期；业务日期不得回退。";
    2002 DATE_NOT_CIVIL "Design of the ledger, two clocks" [civil, asked]
        en "This network keeps the civil date {civil}; {asked} is another day."
        zh "本网络须与区块时间的自然日 {civil} 一致，{asked} 不符。"
        hint "Advance to the civil date of today."
        hint_zh "请推进到当天的自然日。";
}

impl Rule for AdvanceBusinessDate {
    type Event = BusinessDateAdvanced;
    const NAME: &'static str = "advance_business_date";
    const AUTHORITY: Authority = Authority::quorum(&[Role::Registry], OperationClass::Operation, 1);
    const WRITES: &'static [Table] = &[Table::Ledger];
    const REJECTS: &'static [&'static RejectCode] = REJECTS;

    fn check(&self, _tx: &TxContext) -> Result<(), Reject> {
        Ok(())
    }

    fn apply(&self, tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        let mut ledger = state.ledger()?;

        let from = ledger.business_date;
        if self.date <= from {
            return Err(DATE_NOT_LATER.reject(vec![from.into(), self.date.into()]).into());
        }
        let civil = tx.block_time.civil_date();
        if ledger.clock == ClockRule::CivilDate && self.date != civil {
            return Err(DATE_NOT_CIVIL.reject(vec![civil.into(), self.date.into()]).into());
        }

        ledger.business_date = self.date;
        state.put_ledger(&ledger)?;

        Ok(BusinessDateAdvanced { from, to: self.date })
    }

    fn example() -> Self {
        Self { date: BusinessDate::from_ymd(2021, 7, 16).expect("a day") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genesis::ClockRule;
    use crate::rules::testing::{Market, day, first, genesis};

    fn to(text: &str) -> AdvanceBusinessDate {
        AdvanceBusinessDate { date: day(text) }
    }

    #[test]
    fn the_business_date_moves_forward() {
        let mut market = Market::new();
        let event = market.accept(first(Role::Registry), to("2021-12-31"));
        let expected = BusinessDateAdvanced { from: day("2021-07-16"), to: day("2021-12-31") };
        assert_eq!(event, expected.into());
        assert_eq!(market.view().ledger().unwrap().business_date, day("2021-12-31"));
    }

    #[test]
    fn the_business_date_neither_stays_nor_goes_back() {
        let mut market = Market::new();
        for date in ["2021-07-16", "2021-07-15"] {
            assert_eq!(market.refusal(first(Role::Registry), to(date)), "DATE_NOT_LATER");
        }
    }

    #[test]
    fn a_network_that_keeps_the_civil_date_refuses_another_day() {
        let mut genesis = genesis();
        genesis.clock = ClockRule::CivilDate;
        genesis.business_date = day("2021-07-15");
        let mut market = Market::of(&genesis);
        assert_eq!(market.refusal(first(Role::Registry), to("2021-07-17")), "DATE_NOT_CIVIL");
        market.accept(first(Role::Registry), to("2021-07-16"));
    }
}
