//! Issues certified voluntary reductions to project owners.
//!
//! # Purpose
//! Verified reductions of a registered project are registered and issued, one unit per tonne, by
//! project and calendar year (CCER Measures, registration of reductions).
//!
//! # Who signs
//! The registration institution for reductions, two people at least.
//!
//! # Checks in order
//! 1. One to [`ISSUE_CCER_LINES_MAX`] lines, none of zero tonnes.
//! 2. The project is registered.
//! 3. The vintage is a calendar year that has begun by the business date.
//! 4. The account of the project owner is open.
//!
//! # Writes
//! Accounts, units, supplies. All lines or none.
//!
//! # Event
//! The range of each line, in order.

use serde::{Deserialize, Serialize};

use crate::rules::{Abort, Authority, Reject, RejectCode, Rule, TxContext, common};
use crate::state::{Overlay, Project, Table, UnitPlace, UnitStatus, keys};
use crate::types::{
    Digest, Instrument, OperationClass, ProjectCode, Role, SerialRange, Tonnes, Vintage,
};

/// Most lines of one order.
pub const ISSUE_CCER_LINES_MAX: usize = 1_000;

/// Reductions of one project and year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueCcerLine {
    /// The project.
    pub project: ProjectCode,
    /// Calendar year of the reductions.
    pub vintage: Vintage,
    /// How much.
    pub tonnes: Tonnes,
}

/// Order: issue reductions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueCcer {
    /// The reductions.
    pub lines: Vec<IssueCcerLine>,
    /// Digest of the registration document.
    pub document: Digest,
}

/// Reductions were issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CcerIssued {
    /// The range of each line.
    pub ranges: Vec<SerialRange>,
}

crate::reject_codes! { REJECTS:
    7004 PROJECT_UNKNOWN "CCER Measures, registration of reductions" [line]
        en "Line {line}: the project is not registered."
        zh "第 {line} 行：项目未登记。"
        hint "Register the project first (register_project); check the code."
        hint_zh "请先登记项目（register_project）并核对编号。";
    7005 VINTAGE_NOT_REDUCED "CCER Measures, registration of reductions" [vintage, today]
        en "On {today} there are no reductions of {vintage}."
        zh "{today} 时不存在 {vintage} 年度的减排量。"
        hint "Name the calendar year in which the reductions were made."
        hint_zh "请填写减排量产生的自然年度。";
}

impl Rule for IssueCcer {
    type Event = CcerIssued;
    const NAME: &'static str = "issue_ccer";
    const AUTHORITY: Authority =
        Authority::quorum(&[Role::CcerRegistry], OperationClass::Compliance, 2);
    const WRITES: &'static [Table] = &[Table::Accounts, Table::Units, Table::Supplies];
    const REJECTS: &'static [&'static RejectCode] = REJECTS;

    fn check(&self, _tx: &TxContext) -> Result<(), Reject> {
        common::check_lines(self.lines.len(), ISSUE_CCER_LINES_MAX)?;
        self.lines.iter().try_for_each(|line| common::check_not_zero(line.tonnes))
    }

    fn apply(&self, _tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        let today = state.ledger()?.business_date;
        let mut owners = Vec::with_capacity(self.lines.len());
        for (number, line) in (1u64..).zip(&self.lines) {
            let Some(project) = state.get::<Project>(&keys::project(&line.project))? else {
                return Err(PROJECT_UNKNOWN.reject(vec![number.into()]).into());
            };
            let begun = u32::from(line.vintage.get()) <= today.ymd().0;
            if !begun || line.vintage == Vintage::CYCLE_2019_2020 {
                let facts = vec![line.vintage.into(), today.into()];
                return Err(VINTAGE_NOT_REDUCED.reject(facts).into());
            }
            common::open_account(state, project.owner)?;
            owners.push(project.owner);
        }

        let mut ranges = Vec::with_capacity(self.lines.len());
        for (line, holder) in self.lines.iter().zip(owners) {
            let instrument = Instrument::Ccer(line.project, line.vintage);
            let place = UnitPlace { holder, status: UnitStatus::Free };
            ranges.push(state.issue_units(instrument, line.tonnes, place)?);
        }

        Ok(CcerIssued { ranges })
    }

    fn example() -> Self {
        Self {
            lines: vec![IssueCcerLine {
                project: "A210008".parse().expect("a published project code"),
                vintage: Vintage::new(2021).expect("a year"),
                tonnes: Tonnes::new(403_143),
            }],
            document: Digest::new([6; 32]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{Market, ccer, digest, first, range, year};

    fn issue(lines: &[(u16, u64)]) -> IssueCcer {
        let line = |(vintage, tonnes): &(u16, u64)| IssueCcerLine {
            project: "A210008".parse().unwrap(),
            vintage: year(*vintage),
            tonnes: Tonnes::new(*tonnes),
        };
        IssueCcer { lines: lines.iter().map(line).collect(), document: digest(1) }
    }

    fn market() -> Market {
        let mut market = Market::new();
        market.reduce("2017-03-13", 2016, 10);
        market
    }

    fn registry() -> crate::types::AccountId {
        first(Role::CcerRegistry)
    }

    #[test]
    fn reductions_go_to_the_owner_by_project_and_year() {
        let mut market = market();
        let event = market.accept(registry(), issue(&[(2016, 5), (2020, 66_365), (2021, 7)]));
        let ranges =
            vec![range(ccer(2016), 11, 15), range(ccer(2020), 1, 66_365), range(ccer(2021), 1, 7)];
        assert_eq!(event, CcerIssued { ranges }.into());
        assert_eq!(market.free(first(Role::ProjectOwner), ccer(2016)), 15);
    }

    #[test]
    fn an_order_has_lines_of_at_least_a_tonne() {
        let mut market = market();
        assert_eq!(market.refusal(registry(), issue(&[])), "LINES_COUNT");
        assert_eq!(market.refusal(registry(), issue(&[(2016, 1); 1_001])), "LINES_COUNT");
        market.accept(registry(), issue(&[(2016, 1); 1_000]));
        assert_eq!(market.refusal(registry(), issue(&[(2016, 0)])), "QUANTITY_ZERO");
    }

    #[test]
    fn the_project_is_registered() {
        let mut market = Market::new();
        assert_eq!(market.refusal(registry(), issue(&[(2016, 1)])), "PROJECT_UNKNOWN");
    }

    #[test]
    fn reductions_belong_to_a_year_that_has_begun() {
        let mut market = market();
        for vintage in [1920, 2022] {
            let code = market.refusal(registry(), issue(&[(vintage, 1)]));
            assert_eq!(code, "VINTAGE_NOT_REDUCED");
        }
    }

    #[test]
    fn the_account_of_the_owner_is_open() {
        let mut market = market();
        let owner = first(Role::ProjectOwner);
        let freeze = crate::rules::enforcement::freeze::Freeze {
            account: owner,
            units: None,
            order: digest(1),
        };
        market.accept(registry(), freeze);
        assert_eq!(market.refusal(registry(), issue(&[(2016, 1)])), "ACCOUNT_NOT_OPEN");
    }

    #[test]
    fn serials_have_twelve_digits() {
        let mut market = market();
        let code = market.refusal(registry(), issue(&[(2016, 999_999_999_990)]));
        assert_eq!(code, "SERIALS_EXHAUSTED");
        market.accept(registry(), issue(&[(2016, 999_999_999_989)]));
    }
}
