//! Records verified emissions and what must be surrendered for them.
//!
//! # Purpose
//! The province verifies the annual report and fixes the obligation of each key emitting entity
//! (Interim Regulations arts. 12, 14): what is due is the verified emissions after the cap rules
//! of the year, never more. A later record replaces an earlier one (objection, correction) as
//! long as what was already surrendered and offset stays within it.
//!
//! # Who signs
//! The province that supervises the entities, two people at least.
//!
//! # Checks in order
//! 1. One to [`EMISSION_LINES_MAX`] lines, no account twice, due at most what was verified.
//! 2. The compliance year is over.
//! 3. Every account is a key emitting entity of this province; it is not closed.
//! 4. A correction does not fall below what was surrendered and offset.
//! 5. A correction downwards leaves the offset within the cap of the year.
//!
//! # Writes
//! Obligations. All lines or none.
//!
//! # Event
//! The year, the entities, the number of new records and of corrections, and the sums.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::rules::compliance::offset::offset_max;
use crate::rules::{Abort, Authority, Reject, RejectCode, Rule, TxContext, common};
use crate::state::{Obligation, Overlay, Table, keys};
use crate::types::{AccountId, BusinessDate, Digest, OperationClass, Role, Tonnes, Vintage};

/// Most lines of one order.
pub const EMISSION_LINES_MAX: usize = 2_000;

/// Verified emissions of one entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmissionLine {
    /// The entity.
    pub account: AccountId,
    /// Emissions as verified.
    pub verified: Tonnes,
    /// What must be surrendered, after the cap rules of the year.
    pub due: Tonnes,
}

/// Order: record verified emissions of a compliance year.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordVerifiedEmissions {
    /// The compliance year.
    pub year: Vintage,
    /// The entities.
    pub lines: Vec<EmissionLine>,
    /// Digest of the verification results.
    pub report: Digest,
}

/// Verified emissions were recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedEmissionsRecorded {
    /// The compliance year.
    pub year: Vintage,
    /// The entities, in the order of the lines.
    pub entities: Vec<AccountId>,
    /// Lines that recorded an entity for the first time.
    pub recorded: u32,
    /// Lines that corrected an earlier record.
    pub corrected: u32,
    /// Sum of the verified emissions.
    pub verified: Tonnes,
    /// Sum of what is due.
    pub due: Tonnes,
}

crate::reject_codes! { REJECTS:
    6001 DUE_ABOVE_VERIFIED "Allocation plans, cap rules of the year" [account, verified, due]
        en "Account {account}: {due} t due are more than the {verified} t verified."
        zh "账户 {account}：应清缴 {due} 吨超过核查排放量 {verified} 吨。"
        hint "What is due is the verified emissions or, after the cap rules, less."
        hint_zh "应清缴量等于核查排放量，或按当年上限规则低于核查排放量。";
    6002 ENTITY_TWICE "Limit of the ledger" [account]
        en "Account {account} stands twice."
        zh "账户 {account} 重复出现。"
        hint "Name every entity once per order."
        hint_zh "每个主体每次只能列出一行。";
    6003 YEAR_NOT_OVER "Interim Regulations art. 30" [year, today]
        en "Compliance year {year} is not over on {today}."
        zh "{today} 时履约年度 {year} 尚未结束。"
        hint "Record emissions of past years; 1920 stands for 2019-2020."
        hint_zh "只能记录已结束的年度；1920 表示 2019-2020 年度。";
    6004 NOT_AN_ENTITY "Interim Regulations art. 12" [account]
        en "Account {account} is no key emitting entity."
        zh "账户 {account} 不是重点排放单位。"
        hint "Only key emitting entities have obligations."
        hint_zh "仅重点排放单位负有清缴义务。";
    6005 CORRECTION_BELOW_MET "Interim Regulations art. 14" [account, met, due]
        en "Account {account} has already surrendered and offset {met} t, more than {due} t."
        zh "账户 {account} 已清缴和抵销 {met} 吨，超过更正后的 {due} 吨。"
        hint "Correct to no less than what was surrendered and offset."
        hint_zh "更正后的应清缴量不得低于已清缴和抵销数量。";
    6006 CORRECTION_BELOW_OFFSET "Measures (Trial) art. 29" [account, offset, cap]
        en "Account {account} has offset {offset} t; the correction would allow {cap} t."
        zh "账户 {account} 已抵销 {offset} 吨，更正后上限仅为 {cap} 吨。"
        hint "Correct to an obligation whose offset cap covers what was offset."
        hint_zh "更正后的抵销上限须不低于已抵销数量。";
}

/// Last calendar year of a compliance year.
const fn last_calendar_year(year: Vintage) -> u32 {
    match year {
        Vintage::CYCLE_2019_2020 => 2020,
        year => year.get() as u32,
    }
}

impl Rule for RecordVerifiedEmissions {
    type Event = VerifiedEmissionsRecorded;
    const NAME: &'static str = "record_verified_emissions";
    const AUTHORITY: Authority =
        Authority::quorum(&[Role::Province], OperationClass::Compliance, 2);
    const WRITES: &'static [Table] = &[Table::Obligations];
    const REJECTS: &'static [&'static RejectCode] = REJECTS;

    fn check(&self, _tx: &TxContext) -> Result<(), Reject> {
        common::check_lines(self.lines.len(), EMISSION_LINES_MAX)?;
        let mut accounts = BTreeSet::new();
        for line in &self.lines {
            if !accounts.insert(line.account) {
                return Err(ENTITY_TWICE.reject(vec![line.account.into()]));
            }
            if line.due > line.verified {
                let facts = vec![line.account.into(), line.verified.into(), line.due.into()];
                return Err(DUE_ABOVE_VERIFIED.reject(facts));
            }
        }
        Ok(())
    }

    fn apply(&self, tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        let today = state.ledger()?.business_date;
        let province = common::account(state, tx.account)?.province;

        if today.ymd().0 <= last_calendar_year(self.year) {
            return Err(YEAR_NOT_OVER.reject(vec![self.year.into(), today.into()]).into());
        }
        for line in &self.lines {
            if line.account.role() != Role::KeyEmittingEntity {
                return Err(NOT_AN_ENTITY.reject(vec![line.account.into()]).into());
            }
            let entity = common::living_account(state, line.account)?;
            if province.is_none() || entity.province != province {
                let facts = vec![line.account.into()];
                return Err(common::PROVINCE_OUT_OF_SCOPE.reject(facts).into());
            }
        }

        let mut event = VerifiedEmissionsRecorded {
            year: self.year,
            entities: self.lines.iter().map(|line| line.account).collect(),
            recorded: 0,
            corrected: 0,
            verified: Tonnes::ZERO,
            due: Tonnes::ZERO,
        };
        let mut obligations = Vec::with_capacity(self.lines.len());
        for line in &self.lines {
            let key = keys::obligation(line.account, self.year);
            let before = state.get::<Obligation>(&key)?;
            match before {
                Some(_) => event.corrected = event.corrected.saturating_add(1),
                None => event.recorded = event.recorded.saturating_add(1),
            }
            event.verified = event.verified.try_add(line.verified)?;
            event.due = event.due.try_add(line.due)?;
            obligations.push((key, self.obligation(tx, line, before, today, state)?));
        }

        for (key, obligation) in obligations {
            state.put(key, &obligation)?;
        }

        Ok(event)
    }

    fn example() -> Self {
        Self {
            year: Vintage::CYCLE_2019_2020,
            lines: vec![EmissionLine {
                account: crate::rules::example_account(Role::KeyEmittingEntity, 1),
                verified: Tonnes::new(10_019),
                due: Tonnes::new(10_019),
            }],
            report: Digest::new([4; 32]),
        }
    }
}

impl RecordVerifiedEmissions {
    /// The record of a line, new or corrected.
    fn obligation(
        &self,
        tx: &TxContext,
        line: &EmissionLine,
        before: Option<Obligation>,
        today: BusinessDate,
        state: &Overlay<'_>,
    ) -> Result<Obligation, Abort> {
        let mut obligation = Obligation {
            verified: line.verified,
            due: line.due,
            surrendered: Tonnes::ZERO,
            offset: Tonnes::ZERO,
            recorded_by: tx.account,
            report: self.report,
            completed_on: None,
        };
        if let Some(before) = before {
            let met = before.met()?;
            if met > line.due {
                let facts = vec![line.account.into(), met.into(), line.due.into()];
                return Err(CORRECTION_BELOW_MET.reject(facts).into());
            }
            if line.due < before.due && !before.offset.is_zero() {
                let cap = offset_max(state, self.year, line.due, today)?;
                if before.offset > cap {
                    let facts = vec![line.account.into(), before.offset.into(), cap.into()];
                    return Err(CORRECTION_BELOW_OFFSET.reject(facts).into());
                }
            }
            obligation.surrendered = before.surrendered;
            obligation.offset = before.offset;
            obligation.completed_on = before.completed_on;
        }
        obligation.complete(today)?;
        Ok(obligation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::compliance::{offset::Offset, surrender::Surrender};
    use crate::rules::testing::{Market, ccer, cea, day, digest, entity, first, quantity, year};

    fn record(of: u16, lines: &[(AccountId, u64, u64)]) -> RecordVerifiedEmissions {
        let line = |(account, verified, due): &(AccountId, u64, u64)| EmissionLine {
            account: *account,
            verified: Tonnes::new(*verified),
            due: Tonnes::new(*due),
        };
        let lines = lines.iter().map(line).collect();
        RecordVerifiedEmissions { year: year(of), lines, report: digest(1) }
    }

    fn hubei() -> AccountId {
        first(Role::Province)
    }

    #[test]
    fn obligations_are_recorded_and_corrected() {
        let mut market = Market::new();
        let order = record(1920, &[(entity(1), 100, 90), (entity(2), 10, 10)]);
        market.accept(hubei(), order);
        let obligation = market.obligation(entity(1), 1920);
        assert_eq!((obligation.verified, obligation.due), (Tonnes::new(100), Tonnes::new(90)));
        assert_eq!(obligation.completed_on, None);
        let event = market.accept(hubei(), record(1920, &[(entity(1), 95, 95)]));
        let sum = Tonnes::new(95);
        let expected = VerifiedEmissionsRecorded {
            year: year(1920),
            entities: vec![entity(1)],
            recorded: 0,
            corrected: 1,
            verified: sum,
            due: sum,
        };
        assert_eq!(event, expected.into());
    }

    #[test]
    fn an_order_has_lines_each_entity_once_due_within_verified() {
        let mut market = Market::new();
        assert_eq!(market.refusal(hubei(), record(1920, &[])), "LINES_COUNT");
        let many: Vec<_> = (1..=2_001).map(|number| (entity(number), 1, 1)).collect();
        assert_eq!(market.refusal(hubei(), record(1920, &many)), "LINES_COUNT");
        let twice = record(1920, &[(entity(1), 1, 1), (entity(1), 1, 1)]);
        assert_eq!(market.refusal(hubei(), twice), "ENTITY_TWICE");
        let above = record(1920, &[(entity(1), 1, 2)]);
        assert_eq!(market.refusal(hubei(), above), "DUE_ABOVE_VERIFIED");
    }

    #[test]
    fn the_largest_order_fits_into_a_transaction() {
        let mut market = Market::new();
        let most: Vec<_> = (4..=2_003).map(|number| (entity(number), 1, 1)).collect();
        assert_eq!(market.refusal(hubei(), record(1920, &most)), "ACCOUNT_UNKNOWN");
    }

    #[test]
    fn a_year_must_be_over() {
        let mut market = Market::new();
        let order = record(2021, &[(entity(1), 1, 1)]);
        assert_eq!(market.refusal(hubei(), order.clone()), "YEAR_NOT_OVER");
        market.advance("2021-12-31");
        assert_eq!(market.refusal(hubei(), order.clone()), "YEAR_NOT_OVER");
        market.advance("2022-01-01");
        market.accept(hubei(), order);
    }

    #[test]
    fn only_entities_of_the_province_are_recorded() {
        let mut market = Market::new();
        let trader = record(1920, &[(first(Role::Trader), 1, 1)]);
        assert_eq!(market.refusal(hubei(), trader), "NOT_AN_ENTITY");
        let unknown = record(1920, &[(entity(99), 1, 1)]);
        assert_eq!(market.refusal(hubei(), unknown), "ACCOUNT_UNKNOWN");
        let guangdong = record(1920, &[(entity(1), 1, 1), (entity(3), 1, 1)]);
        assert_eq!(market.refusal(hubei(), guangdong), "PROVINCE_OUT_OF_SCOPE");
        let other = crate::rules::testing::account(Role::Province, 2);
        market.accept(other, record(1920, &[(entity(3), 1, 1)]));
    }

    #[test]
    fn a_correction_stays_above_what_was_surrendered_and_offset() {
        let mut market = Market::new();
        market.oblige(entity(1), 1_000);
        market.issue(entity(1), 1920, 1_000);
        market.accept(entity(1), Surrender { year: year(1920), units: quantity(cea(1920), 600) });
        let below = record(1920, &[(entity(1), 1_000, 599)]);
        assert_eq!(market.refusal(hubei(), below), "CORRECTION_BELOW_MET");
        market.accept(hubei(), record(1920, &[(entity(1), 1_000, 600)]));
        assert_eq!(market.obligation(entity(1), 1920).completed_on, Some(day("2021-07-16")));
        market.accept(hubei(), record(1920, &[(entity(1), 1_000, 601)]));
        assert_eq!(market.obligation(entity(1), 1920).completed_on, None);
    }

    #[test]
    fn a_correction_downwards_keeps_the_offset_within_the_cap() {
        let mut market = Market::new();
        market.oblige(entity(1), 1_000);
        market.reduce("2017-03-01", 2016, 50);
        let units = quantity(ccer(2016), 50);
        let owner = first(Role::ProjectOwner);
        market.accept(
            owner,
            crate::rules::allowances::transfer::Transfer { to: entity(1), units: units.clone() },
        );
        market.accept(entity(1), Offset { year: year(1920), units });
        let lower = record(1920, &[(entity(1), 999, 999)]);
        assert_eq!(market.refusal(hubei(), lower), "CORRECTION_BELOW_OFFSET");
        market.accept(hubei(), record(1920, &[(entity(1), 1_001, 1_001)]));
        market.accept(hubei(), record(1920, &[(entity(1), 1_001, 1_000)]));
    }

    #[test]
    fn nobody_else_records_and_never_one_person_alone() {
        let mut market = Market::new();
        let order = record(1920, &[(entity(1), 1, 1)]);
        assert_eq!(market.refusal(entity(1), order.clone()), "ROLE_NOT_ALLOWED");
        assert_eq!(market.refusal_by(hubei(), &[1], order), "SIGNATURES_INSUFFICIENT");
    }
}
