//! Issues allowances to accounts: the initial allocation of a vintage.
//!
//! # Purpose
//! Registers allowances that a province allocated under the plan (Interim Regulations art. 9;
//! Registration rules (Trial), initial allocation). One transaction carries a table of lines; all
//! lines are issued or none.
//!
//! # Who signs
//! The registration institution, two people at least.
//!
//! # Checks in order
//! 1. One to [`ISSUE_LINES_MAX`] lines, none of zero tonnes.
//! 2. The cap of the vintage is set and not exceeded by what is issued with this.
//! 3. Every receiver exists and is open; it may hold allowances.
//!
//! # Writes
//! Accounts, units, supplies.
//!
//! # Event
//! The range of each line, in order.

use serde::{Deserialize, Serialize};

use crate::rules::{Abort, Authority, Reject, RejectCode, Rule, TxContext, common};
use crate::state::{Overlay, ParameterName, Supply, Table, UnitPlace, UnitStatus, keys};
use crate::types::{
    AccountId, Digest, Instrument, OperationClass, Role, SerialRange, Tonnes, Vintage,
};

/// Most lines of one order.
pub const ISSUE_LINES_MAX: usize = 1_000;

/// One line of an allocation table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueLine {
    /// Who receives.
    pub account: AccountId,
    /// How much.
    pub tonnes: Tonnes,
}

/// Order: issue allowances of a vintage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// The vintage.
    pub vintage: Vintage,
    /// The allocation table.
    pub lines: Vec<IssueLine>,
    /// Digest of the allocation document of the provinces.
    pub document: Digest,
}

/// Allowances were issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// The range of each line.
    pub ranges: Vec<SerialRange>,
}

crate::reject_codes! { REJECTS:
    5001 ISSUE_CAP_EXCEEDED "Interim Regulations art. 9" [vintage, cap, asked]
        en "With this, {asked} t of vintage {vintage} would be issued; the cap is {cap} t."
        zh "本次发放后 {vintage} 年度配额将达 {asked} 吨，超过总量 {cap} 吨。"
        hint "Check the table; only the ministry can change the cap (set_parameter issue_cap)."
        hint_zh "请核对分配表；总量只能由生态环境部调整（set_parameter issue_cap）。";
    5002 ROLE_HOLDS_NO_ALLOWANCES "Interim Regulations arts. 7, 20" [account]
        en "Account {account} may not hold allowances."
        zh "账户 {account} 不得持有配额。"
        hint "Issue to a key emitting entity or to the government account."
        hint_zh "请发放给重点排放单位或政府账户。";
}

impl Rule for Issue {
    type Event = Issued;
    const NAME: &'static str = "issue";
    const AUTHORITY: Authority =
        Authority::quorum(&[Role::Registry], OperationClass::Compliance, 2);
    const WRITES: &'static [Table] = &[Table::Accounts, Table::Units, Table::Supplies];
    const REJECTS: &'static [&'static RejectCode] = REJECTS;

    fn check(&self, _tx: &TxContext) -> Result<(), Reject> {
        common::check_lines(self.lines.len(), ISSUE_LINES_MAX)?;
        self.lines.iter().try_for_each(|line| common::check_not_zero(line.tonnes))
    }

    fn apply(&self, _tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        let instrument = Instrument::Cea(self.vintage);
        let today = state.ledger()?.business_date;
        let year = Some(self.vintage);
        let cap = state.required_parameter(ParameterName::IssueCap, year, today)?;
        let supply: Supply = state.get(&keys::supply(&instrument))?.unwrap_or_default();

        let tonnes = Tonnes::try_sum(self.lines.iter().map(|line| line.tonnes))?;
        let issued = supply.issued.try_add(tonnes)?;
        let cap = Tonnes::new(u64::try_from(cap).unwrap_or(0));
        if issued > cap {
            let facts = vec![self.vintage.into(), cap.into(), issued.into()];
            return Err(ISSUE_CAP_EXCEEDED.reject(facts).into());
        }
        for line in &self.lines {
            common::open_account(state, line.account)?;
            if !matches!(line.account.role(), Role::KeyEmittingEntity | Role::Government) {
                return Err(ROLE_HOLDS_NO_ALLOWANCES.reject(vec![line.account.into()]).into());
            }
        }

        let mut ranges = Vec::with_capacity(self.lines.len());
        for line in &self.lines {
            let place = UnitPlace { holder: line.account, status: UnitStatus::Free };
            ranges.push(state.issue_units(instrument, line.tonnes, place)?);
        }

        Ok(Issued { ranges })
    }

    fn example() -> Self {
        Self {
            vintage: Vintage::CYCLE_2019_2020,
            lines: vec![IssueLine {
                account: crate::rules::example_account(Role::KeyEmittingEntity, 1),
                tonnes: Tonnes::new(1_000_000),
            }],
            document: Digest::new([1; 32]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{Market, cea, digest, entity, first, range, year};

    fn issue(vintage: u16, lines: &[(AccountId, u64)]) -> Issue {
        let line = |(account, tonnes): &(AccountId, u64)| IssueLine {
            account: *account,
            tonnes: Tonnes::new(*tonnes),
        };
        let lines = lines.iter().map(line).collect();
        Issue { vintage: year(vintage), lines, document: digest(1) }
    }

    #[test]
    fn issued_serials_follow_each_other() {
        let mut market = Market::new();
        let registry = first(Role::Registry);
        market.accept(registry, issue(1920, &[(entity(1), 100)]));
        let order = issue(1920, &[(entity(2), 50), (first(Role::Government), 1)]);
        let event = market.accept(registry, order);
        let ranges = vec![range(cea(1920), 101, 150), range(cea(1920), 151, 151)];
        assert_eq!(event, Issued { ranges }.into());
        assert_eq!(market.free(entity(2), cea(1920)), 50);
    }

    #[test]
    fn an_order_has_lines_of_at_least_a_tonne() {
        let mut market = Market::new();
        let registry = first(Role::Registry);
        assert_eq!(market.refusal(registry, issue(1920, &[])), "LINES_COUNT");
        let many = vec![(entity(1), 1); ISSUE_LINES_MAX + 1];
        assert_eq!(market.refusal(registry, issue(1920, &many)), "LINES_COUNT");
        assert_eq!(market.refusal(registry, issue(1920, &[(entity(1), 0)])), "QUANTITY_ZERO");
    }

    #[test]
    fn a_vintage_without_cap_is_not_issued() {
        let mut market = Market::new();
        let code = market.refusal(first(Role::Registry), issue(2022, &[(entity(1), 1)]));
        assert_eq!(code, "PARAMETER_UNSET");
    }

    #[test]
    fn the_cap_of_the_vintage_is_not_exceeded() {
        let mut market = Market::new();
        let registry = first(Role::Registry);
        market.accept(registry, issue(1920, &[(entity(1), 999_999)]));
        let order = issue(1920, &[(entity(1), 1), (entity(2), 1)]);
        assert_eq!(market.refusal(registry, order), "ISSUE_CAP_EXCEEDED");
        market.accept(registry, issue(1920, &[(entity(1), 1)]));
        let huge = issue(2021, &[(entity(1), u64::MAX), (entity(2), u64::MAX)]);
        assert_eq!(market.refusal(registry, huge), "AMOUNT_TOO_LARGE");
    }

    #[test]
    fn receivers_exist_and_may_be_allocated_to() {
        let mut market = Market::new();
        let registry = first(Role::Registry);
        let order = issue(1920, &[(entity(1), 1), (entity(99), 1)]);
        assert_eq!(market.refusal(registry, order), "ACCOUNT_UNKNOWN");
        let order = issue(1920, &[(first(Role::Trader), 1)]);
        assert_eq!(market.refusal(registry, order), "ROLE_HOLDS_NO_ALLOWANCES");
    }

    #[test]
    fn nobody_but_the_registry_issues_and_never_one_person_alone() {
        let mut market = Market::new();
        let order = issue(1920, &[(entity(1), 1)]);
        assert_eq!(market.refusal(first(Role::Ministry), order.clone()), "ROLE_NOT_ALLOWED");
        let code = market.refusal_by(first(Role::Registry), &[1], order);
        assert_eq!(code, "SIGNATURES_INSUFFICIENT");
    }

    #[test]
    fn the_largest_order_fits_into_a_transaction() {
        let mut market = Market::new();
        let lines = vec![(entity(1), 1); ISSUE_LINES_MAX];
        market.accept(first(Role::Registry), issue(1920, &lines));
        assert_eq!(market.free(entity(1), cea(1920)), 1_000);
    }
}
