//! Replaces the representatives and thresholds of an account.
//!
//! # Purpose
//! People come and go, keys are rotated or lost. A holder changes its own representatives; where
//! its keys are lost, the registry that opened the account does it on checked material
//! (Registration rules (Trial), changes of account facts). For the institutions themselves that is
//! the ministry, which supervises them, and for the accounts that it opens; nobody does it for the
//! ministry, so that it always keeps two people who can act together, as every role does whose
//! rules need two. Tasks that wait are judged by the new representatives.
//!
//! # Who signs
//! The holder itself, or the institution that answers for the account; two people at least. A
//! holder with a single representative must turn to its registry.
//!
//! # Checks in order
//! 1. The representatives can act: different keys, one who may initiate, enough for the thresholds
//!    and for the rules of the account's role.
//! 2. The account exists and is not closed.
//! 3. It is the acting one, or the institution answers for it.
//!
//! # Writes
//! Accounts.
//!
//! # Event
//! The account.

use serde::{Deserialize, Serialize};

use crate::rules::accounts::open_account::opened_by;
use crate::rules::{
    Abort, Authority, Reject, RejectCode, Rule, TxContext, common, representatives_suffice,
};
use crate::state::{Account, Overlay, Table, keys};
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
        hint "Name different keys, one who may initiate, and enough people; an institution has two."
        hint_zh "须使用不同密钥，至少一人可发起，人数不少于各阈值；机构须有两人可共同办理。";
    3102 ACCOUNT_OF_OTHERS "Registration rules (Trial) art. 7" [account]
        en "Account {account} is neither the acting account nor kept by this institution."
        zh "账户 {account} 既非本账户，也非由本机构管理。"
        hint "The holder or its registration institution must act."
        hint_zh "须由持有人或其注册登记机构办理。";
}

/// Whether an institution answers for accounts of a role: for those that it opens, the ministry
/// for the institutions too.
pub const fn answers_for(institution: Role, role: Role) -> bool {
    let supervised = matches!(
        role,
        Role::Registry
            | Role::Exchange
            | Role::CcerRegistry
            | Role::CcerExchange
            | Role::Settlement
    );
    opened_by(institution, role) || matches!(institution, Role::Ministry) && supervised
}

impl Rule for SetRepresentatives {
    type Event = RepresentativesSet;
    const NAME: &'static str = "set_representatives";
    const AUTHORITY: Authority = Authority::quorum(Role::ALL, OperationClass::Administration, 2);
    const WRITES: &'static [Table] = &[Table::Accounts];
    const REJECTS: &'static [&'static RejectCode] = REJECTS;

    fn check(&self, _tx: &TxContext) -> Result<(), Reject> {
        let role = self.account.role();
        if representatives_suffice(role, &self.representatives, &self.thresholds) {
            Ok(())
        } else {
            Err(REPRESENTATIVES_CANNOT_ACT.reject(vec![]))
        }
    }

    fn apply(&self, tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        let account = common::living_account(state, self.account)?;
        let own = tx.account == self.account;
        if !own && !answers_for(tx.account.role(), self.account.role()) {
            return Err(ACCOUNT_OF_OTHERS.reject(vec![self.account.into()]).into());
        }

        let before = common::count(account.representatives.len());
        let after = common::count(self.representatives.len());
        let changed = Account {
            representatives: self.representatives.clone(),
            thresholds: self.thresholds,
            ..Account::clone(&account)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::allowances::transfer::Transfer;
    use crate::rules::testing::{
        MINISTRY, Market, cea, digest, entity, first, key, people, quantity,
    };

    fn order(account: AccountId) -> SetRepresentatives {
        let representatives = people(account).into_iter().skip(1).collect();
        let thresholds = Thresholds::uniform(2);
        SetRepresentatives { account, representatives, thresholds, material: digest(1) }
    }

    #[test]
    fn a_holder_replaces_its_representatives() {
        let mut market = Market::new();
        let event = market.accept(entity(1), order(entity(1)));
        let (before, after) = (5, 4);
        assert_eq!(event, RepresentativesSet { account: entity(1), before, after }.into());
        market.issue(entity(1), 1920, 1);
        let transfer = Transfer { to: entity(2), units: quantity(cea(1920), 1) };
        let code = market.refusal_by(entity(1), &[1, 2], transfer.clone());
        assert_eq!(code, "SIGNER_NOT_REPRESENTATIVE");
        assert_eq!(market.refusal_by(entity(1), &[2], transfer.clone()), "SIGNATURES_INSUFFICIENT");
        market.send_by(entity(1), &[2, 4], transfer).unwrap();
    }

    #[test]
    fn the_registry_replaces_them_where_keys_are_lost() {
        let mut market = Market::new();
        market.accept(first(Role::Registry), order(entity(1)));
        assert_eq!(market.account(entity(1)).right_of(&key(entity(1), 1)), None);
        market.accept(first(Role::CcerRegistry), order(first(Role::ProjectOwner)));
    }

    #[test]
    fn the_ministry_answers_for_institutions_and_authorities_and_nobody_for_the_ministry() {
        let mut market = Market::new();
        for role in [Role::Exchange, Role::Province, Role::Auditor] {
            market.accept(first(MINISTRY), order(first(role)));
        }
        let code = market.refusal(first(Role::Registry), order(first(MINISTRY)));
        assert_eq!(code, "ACCOUNT_OF_OTHERS");
        market.accept(first(MINISTRY), order(first(MINISTRY)));
    }

    #[test]
    fn representatives_must_be_able_to_act() {
        let mut market = Market::new();
        let few = SetRepresentatives { thresholds: Thresholds::uniform(5), ..order(entity(1)) };
        assert_eq!(market.refusal(entity(1), few), "REPRESENTATIVES_CANNOT_ACT");
        let mut twice = order(entity(1));
        twice.representatives.push(twice.representatives[0]);
        assert_eq!(market.refusal(entity(1), twice), "REPRESENTATIVES_CANNOT_ACT");
    }

    #[test]
    fn the_ministry_never_locks_itself_out() {
        let mut market = Market::new();
        let ministry = first(MINISTRY);
        let person = |number, right| Representative { key: key(ministry, number), right };
        let (both, initiate) = (Right::InitiateAndApprove, Right::Initiate);
        for few in [
            vec![person(1, both)],
            vec![person(1, both), person(2, Right::Read)],
            vec![person(1, initiate), person(2, initiate)],
        ] {
            let order = SetRepresentatives {
                representatives: few,
                thresholds: Thresholds::uniform(1),
                ..order(ministry)
            };
            assert_eq!(market.refusal(ministry, order), "REPRESENTATIVES_CANNOT_ACT");
        }
        let representatives = vec![person(1, initiate), person(4, Right::Approve)];
        let thresholds = Thresholds::uniform(1);
        market.accept(
            ministry,
            SetRepresentatives { representatives, thresholds, ..order(ministry) },
        );
        market.send_by(ministry, &[1, 4], order(ministry)).unwrap();
    }

    #[test]
    fn a_holder_may_have_a_single_representative() {
        let mut market = Market::new();
        let mut alone = order(entity(1));
        alone.representatives.truncate(1);
        alone.thresholds = Thresholds::uniform(1);
        market.accept(entity(1), alone);
    }

    #[test]
    fn the_account_must_exist_and_not_be_closed() {
        use crate::rules::accounts::close_account::CloseAccount;
        let mut market = Market::new();
        let code = market.refusal(first(Role::Registry), order(entity(99)));
        assert_eq!(code, "ACCOUNT_UNKNOWN");
        let close = CloseAccount { account: entity(3), document: digest(1) };
        market.accept(first(Role::Registry), close);
        let code = market.refusal(first(Role::Registry), order(entity(3)));
        assert_eq!(code, "ACCOUNT_NOT_OPEN");
    }

    #[test]
    fn the_account_of_another_is_not_changed() {
        let mut market = Market::new();
        for (signer, account) in [
            (entity(2), entity(1)),
            (first(Role::CcerRegistry), entity(1)),
            (first(Role::Registry), first(Role::Exchange)),
            (first(MINISTRY), entity(1)),
        ] {
            assert_eq!(market.refusal(signer, order(account)), "ACCOUNT_OF_OTHERS");
        }
    }

    #[test]
    fn one_person_does_not_replace_representatives() {
        let mut market = Market::new();
        let code = market.refusal_by(entity(1), &[1], order(entity(1)));
        assert_eq!(code, "SIGNATURES_INSUFFICIENT");
    }
}
