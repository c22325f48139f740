//! Sets a parameter from a day on.
//!
//! # Purpose
//! What the law leaves to an authority (caps, ratios, deadlines, eligible vintages) is ledger
//! state, versioned by first day and compliance year, each version with its article.
//!
//! # Who signs
//! The authority that the parameter's definition names, two people at least.
//!
//! # Checks in order
//! 1. The article is a short printable text; the value is within the parameter's limits.
//! 2. The role may set this parameter.
//! 3. The first day of validity is not before the business date.
//! 4. No version of that very day is in force already: it may have been used. A version that is
//!    still to come may be replaced.
//!
//! # Writes
//! Parameters.
//!
//! # Event
//! The version that was set and the value it replaces.

use serde::{Deserialize, Serialize};

use crate::rules::{Abort, Authority, Reject, RejectCode, Rule, TxContext, common};
use crate::state::{Overlay, ParameterName, ParameterVersion, Table, parameter_key};
use crate::types::{BusinessDate, OperationClass, Role, Vintage};

/// Order: a parameter has a value from a day on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetParameter {
    /// Which.
    pub name: ParameterName,
    /// Compliance year; none for all years without a version of their own.
    pub year: Option<Vintage>,
    /// First day of validity.
    pub valid_from: BusinessDate,
    /// Value in the parameter's unit.
    pub value: i64,
    /// Article or notice it comes from.
    pub article: String,
}

/// A parameter was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterSet {
    /// Which.
    pub name: ParameterName,
    /// Compliance year; none for all.
    pub year: Option<Vintage>,
    /// First day of validity.
    pub valid_from: BusinessDate,
    /// The value.
    pub value: i64,
    /// Value in force on that day until now.
    pub before: Option<i64>,
}

crate::reject_codes! { REJECTS:
    2101 PARAMETER_OUT_OF_LIMITS "Definition of the parameter" [parameter, smallest, largest]
        en "{parameter} takes values from {smallest} to {largest}."
        zh "参数 {parameter} 的取值范围为 {smallest} 至 {largest}。"
        hint "Name a value within the limits; `cets parameter list` shows the units."
        hint_zh "请在范围内取值；单位见 `cets parameter list`。";
    2102 PARAMETER_OTHER_AUTHORITY "Definition of the parameter" [parameter, role]
        en "{parameter} is set by the role {role}."
        zh "参数 {parameter} 须由 {role} 设定。"
        hint "Let that authority sign."
        hint_zh "请由该主管部门签署。";
    2103 PARAMETER_IN_THE_PAST "Rules are not changed for days that passed" [date, today]
        en "The value would hold from {date}; the business date is {today}."
        zh "生效日 {date} 早于当前业务日期 {today}。"
        hint "Name the business date or a later day."
        hint_zh "生效日须为当前业务日期或以后。";
    2104 PARAMETER_IN_FORCE "Rules are not changed for days that passed" [parameter, date]
        en "A value of {parameter} is in force since {date}, today."
        zh "参数 {parameter} 自今日 {date} 起的取值已生效。"
        hint "Let the new value hold from tomorrow or a later day."
        hint_zh "请将新取值设为自次日或更晚日期起生效。";
}

impl Rule for SetParameter {
    type Event = ParameterSet;
    const NAME: &'static str = "set_parameter";
    const AUTHORITY: Authority = Authority::quorum(
        &[Role::Ministry, Role::Registry, Role::CcerRegistry],
        OperationClass::Administration,
        2,
    );
    const WRITES: &'static [Table] = &[Table::Parameters];
    const REJECTS: &'static [&'static RejectCode] = REJECTS;

    fn check(&self, _tx: &TxContext) -> Result<(), Reject> {
        common::check_text(&self.article, common::ARTICLE_BYTES_MAX)?;
        let (min, max) = self.name.limits();
        if (min..=max).contains(&self.value) {
            return Ok(());
        }
        let limits = [min, max].map(|limit| u64::try_from(limit).unwrap_or(0).into());
        let [smallest, largest] = limits;
        Err(PARAMETER_OUT_OF_LIMITS.reject(vec![self.name.into(), smallest, largest]))
    }

    fn apply(&self, tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        let role = self.name.authority();
        if tx.account.role() != role {
            let facts = vec![self.name.into(), role.into()];
            return Err(PARAMETER_OTHER_AUTHORITY.reject(facts).into());
        }
        let today = state.ledger()?.business_date;
        if self.valid_from < today {
            let facts = vec![self.valid_from.into(), today.into()];
            return Err(PARAMETER_IN_THE_PAST.reject(facts).into());
        }
        let key = parameter_key(self.name, self.year, self.valid_from);
        if self.valid_from == today && state.contains(&key) {
            let facts = vec![self.name.into(), today.into()];
            return Err(PARAMETER_IN_FORCE.reject(facts).into());
        }
        let before = state.parameter(self.name, self.year, self.valid_from)?;

        let version = ParameterVersion {
            value: self.value,
            article: self.article.clone(),
            set_by: Some(tx.account),
        };
        state.put(key, &version)?;

        Ok(ParameterSet {
            name: self.name,
            year: self.year,
            valid_from: self.valid_from,
            value: self.value,
            before: before.map(|version| version.value),
        })
    }

    fn example() -> Self {
        Self {
            name: ParameterName::IssueCap,
            year: Some(Vintage::CYCLE_2019_2020),
            valid_from: BusinessDate::from_ymd(2021, 7, 16).expect("a day"),
            value: 9_000_000_000,
            article: "Allocation plan 2019-2020".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Event;
    use crate::rules::testing::{MINISTRY, Market, day, first, year};

    fn cap(value: i64, from: &str) -> SetParameter {
        SetParameter {
            name: ParameterName::OffsetCap,
            year: Some(year(2024)),
            valid_from: day(from),
            value,
            article: "a plan".to_owned(),
        }
    }

    #[test]
    fn a_parameter_holds_from_its_first_day() {
        let mut market = Market::new();
        let event = market.accept(first(MINISTRY), cap(400, "2021-07-17"));
        let Event::SetParameter(set) = event else { panic!("{event:?}") };
        assert_eq!((set.before, set.value), (Some(500), 400));
        market.accept(first(MINISTRY), cap(300, "2021-07-17"));
        let value = |market: &Market, on| {
            let (name, of) = (ParameterName::OffsetCap, Some(year(2024)));
            market.view().parameter(name, of, day(on)).unwrap().unwrap().value
        };
        assert_eq!(value(&market, "2021-07-16"), 500);
        assert_eq!(value(&market, "2021-07-17"), 300);
    }

    #[test]
    fn the_article_is_a_short_printable_text() {
        let mut market = Market::new();
        for article in [String::new(), "x".repeat(common::ARTICLE_BYTES_MAX + 1), "a\nb".to_owned()]
        {
            let order = SetParameter { article, ..cap(1, "2021-07-17") };
            assert_eq!(market.refusal(first(MINISTRY), order), "TEXT_INVALID");
        }
    }

    #[test]
    fn a_value_outside_the_limits_is_refused() {
        let mut market = Market::new();
        for value in [-1, 10_001, i64::MAX] {
            let order = cap(value, "2021-07-17");
            assert_eq!(market.refusal(first(MINISTRY), order), "PARAMETER_OUT_OF_LIMITS");
        }
        market.accept(first(MINISTRY), cap(10_000, "2021-07-17"));
    }

    #[test]
    fn only_the_authority_of_the_parameter_sets_it() {
        let mut market = Market::new();
        let registry = first(Role::Registry);
        let code = market.refusal(registry, cap(1, "2021-07-17"));
        assert_eq!(code, "PARAMETER_OTHER_AUTHORITY");
        let code = market.refusal(first(Role::Exchange), cap(1, "2021-07-17"));
        assert_eq!(code, "ROLE_NOT_ALLOWED");
    }

    #[test]
    fn the_past_is_not_changed() {
        let mut market = Market::new();
        let code = market.refusal(first(MINISTRY), cap(1, "2021-07-15"));
        assert_eq!(code, "PARAMETER_IN_THE_PAST");
    }

    #[test]
    fn a_version_in_force_is_not_replaced() {
        let mut market = Market::new();
        market.accept(first(MINISTRY), cap(1, "2021-07-16"));
        let code = market.refusal(first(MINISTRY), cap(2, "2021-07-16"));
        assert_eq!(code, "PARAMETER_IN_FORCE");
    }

    #[test]
    fn one_person_cannot_set_a_parameter() {
        let mut market = Market::new();
        let code = market.refusal_by(first(MINISTRY), &[1], cap(1, "2021-07-17"));
        assert_eq!(code, "SIGNATURES_INSUFFICIENT");
    }
}
