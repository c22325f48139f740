//! Registers a voluntary reduction project.
//!
//! # Purpose
//! A validated project is registered once, under its public code (CCER Measures, registration).
//! The day of registration decides in which compliance years its reductions may offset; a project
//! of the rules of 2012 keeps its old day until it is registered anew under another code.
//!
//! # Who signs
//! The registration institution for reductions, two people at least.
//!
//! # Checks in order
//! 1. The owner is a project owner.
//! 2. The day of registration is not after the business date.
//! 3. No project has the code.
//! 4. The owner's account exists and is open.
//!
//! # Writes
//! Projects.
//!
//! # Event
//! Code, owner and day of registration.

use serde::{Deserialize, Serialize};

use crate::rules::{Abort, Authority, Reject, RejectCode, Rule, TxContext, common};
use crate::state::{Overlay, Project, Table, keys};
use crate::types::{AccountId, BusinessDate, Digest, OperationClass, ProjectCode, Role};

/// Order: register a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterProject {
    /// Public code.
    pub project: ProjectCode,
    /// Account of the project owner.
    pub owner: AccountId,
    /// Day of registration.
    pub registered_on: BusinessDate,
    /// Digest of the registration document.
    pub document: Digest,
}

/// A project was registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectRegistered {
    /// Public code.
    pub project: ProjectCode,
    /// Account of the project owner.
    pub owner: AccountId,
    /// Day of registration.
    pub registered_on: BusinessDate,
}

crate::reject_codes! { REJECTS:
    7001 NOT_A_PROJECT_OWNER "CCER Measures, project registration" [account]
        en "Account {account} is no project owner's."
        zh "账户 {account} 不是项目业主账户。"
        hint "Open a project owner account at the registry of reductions first."
        hint_zh "请先在自愿减排注册登记机构开立项目业主账户。";
    7002 REGISTERED_IN_FUTURE "CCER Measures, project registration" [today, asked]
        en "The day of registration {asked} is after the business date {today}."
        zh "登记日期 {asked} 晚于当前业务日期 {today}。"
        hint "Register the project on that day."
        hint_zh "请在该日办理登记。";
    7003 PROJECT_REGISTERED "CCER Measures, project registration" [owner]
        en "A project of {owner} already has this code."
        zh "该项目编号已由 {owner} 登记。"
        hint "A code is given once and for ever; check the code."
        hint_zh "项目编号一经登记不得重复使用，请核对编号。";
}

impl Rule for RegisterProject {
    type Event = ProjectRegistered;
    const NAME: &'static str = "register_project";
    const AUTHORITY: Authority =
        Authority::quorum(&[Role::CcerRegistry], OperationClass::Administration, 2);
    const WRITES: &'static [Table] = &[Table::Projects];
    const REJECTS: &'static [&'static RejectCode] = REJECTS;

    fn check(&self, _tx: &TxContext) -> Result<(), Reject> {
        if self.owner.role() != Role::ProjectOwner {
            return Err(NOT_A_PROJECT_OWNER.reject(vec![self.owner.into()]));
        }
        Ok(())
    }

    fn apply(&self, _tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        let today = state.ledger()?.business_date;
        let key = keys::project(&self.project);

        if self.registered_on > today {
            let facts = vec![today.into(), self.registered_on.into()];
            return Err(REGISTERED_IN_FUTURE.reject(facts).into());
        }
        if let Some(project) = state.get::<Project>(&key)? {
            return Err(PROJECT_REGISTERED.reject(vec![project.owner.into()]).into());
        }
        common::open_account(state, self.owner)?;

        let Self { project, owner, registered_on, document } = *self;
        state.put(key, &Project { owner, registered_on, document })?;

        Ok(ProjectRegistered { project, owner, registered_on })
    }

    fn example() -> Self {
        Self {
            project: "A210008".parse().expect("a published project code"),
            owner: crate::rules::example_account(Role::ProjectOwner, 1),
            registered_on: BusinessDate::from_ymd(2025, 3, 6).expect("a day"),
            document: Digest::new([5; 32]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{Market, day, digest, entity, first};

    fn register(owner: AccountId, registered: &str) -> RegisterProject {
        RegisterProject {
            project: "N110001".parse().unwrap(),
            owner,
            registered_on: day(registered),
            document: digest(1),
        }
    }

    fn registry() -> AccountId {
        first(Role::CcerRegistry)
    }

    #[test]
    fn a_project_is_registered_once() {
        let mut market = Market::new();
        let owner = first(Role::ProjectOwner);
        let event = market.accept(registry(), register(owner, "2021-07-16"));
        let project = "N110001".parse().unwrap();
        let registered_on = day("2021-07-16");
        assert_eq!(event, ProjectRegistered { project, owner, registered_on }.into());
        let code = market.refusal(registry(), register(owner, "2021-07-15"));
        assert_eq!(code, "PROJECT_REGISTERED");
    }

    #[test]
    fn the_owner_is_a_project_owner() {
        let mut market = Market::new();
        let code = market.refusal(registry(), register(entity(1), "2021-07-16"));
        assert_eq!(code, "NOT_A_PROJECT_OWNER");
        let nobody = crate::rules::testing::account(Role::ProjectOwner, 9);
        let code = market.refusal(registry(), register(nobody, "2021-07-16"));
        assert_eq!(code, "ACCOUNT_UNKNOWN");
    }

    #[test]
    fn a_registration_does_not_lie_ahead() {
        let mut market = Market::new();
        let code = market.refusal(registry(), register(first(Role::ProjectOwner), "2021-07-17"));
        assert_eq!(code, "REGISTERED_IN_FUTURE");
    }

    #[test]
    fn the_registry_of_allowances_registers_no_project() {
        let mut market = Market::new();
        let order = register(first(Role::ProjectOwner), "2021-07-16");
        assert_eq!(market.refusal(first(Role::Registry), order), "ROLE_NOT_ALLOWED");
    }
}
