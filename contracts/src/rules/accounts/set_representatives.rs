//! Replaces the representatives and thresholds of an account.
//!
//! # Purpose
//! People come and go, keys are rotated or lost. A holder changes its own representatives; where
//! its keys are lost, the registry that keeps the account does it on checked material
//! (Registration rules (Trial), changes of account facts).
//!
//! # Who signs
//! The holder itself, or the registration institution that keeps the account; two people at
//! least. A holder with a single representative must turn to its registry.
//!
//! # Checks in order
//! 1. The representatives can act: different keys, one who may initiate, enough for the thresholds.
//! 2. The account exists and is not closed; it is the acting one, or kept by the institution.
//!
//! # Writes
//! Accounts.
//!
//! # Event
//! The account.

use serde::{Deserialize, Serialize};

use crate::genesis::registry_of;
use crate::rules::{
    Abort, Authority, Reject, RejectCode, Rule, TxContext, common, representatives_suffice,
};
use crate::state::{Account, AccountStatus, Overlay, Table, keys};
use crate::types::{
    AccountId, Digest, OperationClass, PublicKey, Representative, Right, Role, Thresholds,
};

/// Order: these people act for the account from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetRepresentatives {
    /// The account.
    pub account: AccountId,
    /// Who acts for it.
    pub representatives: Vec<Representative>,
    /// People needed per class of operation.
    pub thresholds: Thresholds,
    /// Digest of the material that was checked.
    pub material: Digest,
}

/// Representatives were replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepresentativesSet {
    /// The account.
    pub account: AccountId,
    /// Number of representatives before.
    pub before: u64,
    /// Number of representatives now.
    pub after: u64,
}

crate::reject_codes! { REJECTS:
    3101 REPRESENTATIVES_CANNOT_ACT "Four-eyes rule of the ledger" []
        en "The representatives cannot act for the account."
        zh "所列代表无法为该账户履职。"
        hint "Name different keys, one who may initiate, and as many people as the thresholds ask."
        hint_zh "须使用不同密钥，至少一人可发起，且人数不少于各阈值。";
    3102 ACCOUNT_OF_OTHERS "Registration rules (Trial) art. 7" [account]
        en "Account {account} is neither the acting account nor kept by this institution."
        zh "账户 {account} 既非本账户，也非由本机构管理。"
        hint "The holder or its registration institution must act."
        hint_zh "须由持有人或其注册登记机构办理。";
}

impl Rule for SetRepresentatives {
    type Event = RepresentativesSet;
    const NAME: &'static str = "set_representatives";
    const AUTHORITY: Authority = Authority::quorum(Role::ALL, OperationClass::Administration, 2);
    const WRITES: &'static [Table] = &[Table::Accounts];
    const REJECTS: &'static [&'static RejectCode] = REJECTS;

    fn check(&self, _tx: &TxContext) -> Result<(), Reject> {
        if representatives_suffice(&self.representatives, &self.thresholds) {
            Ok(())
        } else {
            Err(REPRESENTATIVES_CANNOT_ACT.reject(vec![]))
        }
    }

    fn apply(&self, tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        let account = common::account(state, self.account)?;
        if account.status == AccountStatus::Closed {
            return Err(common::ACCOUNT_NOT_OPEN.reject(vec![self.account.into()]).into());
        }
        let role = tx.account.role();
        let keeper = matches!(role, Role::Registry | Role::CcerRegistry)
            && registry_of(role) == registry_of(self.account.role());
        if tx.account != self.account && !keeper {
            return Err(ACCOUNT_OF_OTHERS.reject(vec![self.account.into()]).into());
        }

        let before = common::count(account.representatives.len());
        let after = common::count(self.representatives.len());
        let changed = Account {
            representatives: self.representatives.clone(),
            thresholds: self.thresholds,
            ..account
        };
        state.put(keys::account(self.account), &changed)?;

        Ok(RepresentativesSet { account: self.account, before, after })
    }

    fn example() -> Self {
        let person = |byte, right| Representative { key: PublicKey::new([byte; 32]), right };
        Self {
            account: crate::rules::example_account(Role::KeyEmittingEntity, 1),
            representatives: vec![person(9, Right::Initiate), person(10, Right::Approve)],
            thresholds: Thresholds::uniform(2),
            material: Digest::new([6; 32]),
        }
    }
}
