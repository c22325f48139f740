//! Who may act for an account: roles, representatives, four eyes.

use std::sync::Arc;

use super::{Abort, Authority, Reject, Signing, TxContext, common};
use crate::fault::Fault;
use crate::state::{Account, AccountStatus, Overlay};
use crate::tx::Transaction;
use crate::types::{
    AccountId, BlockTime, ChainId, Height, PublicKey, Representative, Right, Role, TxId,
};

impl TxContext {
    /// A context for examples in documentation and tests: account KEE 1, one signer.
    pub fn for_documentation() -> Self {
        Self {
            chain_id: ChainId::new([0; 16]),
            height: Height::new(1),
            block_time: BlockTime::from_millis(1_626_393_600_000),
            tx_id: TxId::new([0; 32]),
            account: example_account(Role::KeyEmittingEntity, 1),
            signers: vec![PublicKey::new([7; 32])],
        }
    }
}

/// An account number for examples.
pub fn example_account(role: Role, number: u64) -> AccountId {
    AccountId::new(role, number.min(AccountId::NUMBER_MAX)).expect("the number is in range")
}

/// Refuses a transaction whose account or signers may not call a rule; returns the account.
///
/// Checks in order: account exists, role, account open, every signer represents the account with
/// a right that covers the step, one of them may initiate, enough people.
pub(crate) fn authorize(
    tx: &TxContext,
    authority: &Authority,
    state: &Overlay<'_>,
) -> Result<Arc<Account>, Abort> {
    let account = common::account(state, tx.account)?;
    check_role(tx, authority)?;
    if account.status != AccountStatus::Open {
        return Err(common::ACCOUNT_NOT_OPEN.reject(vec![tx.account.into()]).into());
    }
    match authority.signing {
        Signing::Quorum => check_people(&account, authority, &tx.signers)?,
        Signing::Initiator => check_enough(count_people(&account, &tx.signers)?, 1)?,
        Signing::Approver => check_each(&account, &tx.signers, Right::may_approve)?,
        Signing::Representative => check_each(&account, &tx.signers, may_act)?,
    }
    Ok(account)
}

/// Why a transaction comes from a stranger: its account does not exist or nobody who signed
/// represents it. None when somebody does.
///
/// A node need not give a stranger's transaction room in a block; every rule would refuse it.
pub fn stranger(transaction: &Transaction, state: &Overlay<'_>) -> Result<Option<Reject>, Fault> {
    let id = transaction.body().account;
    let Some(account) = state.account(id)? else {
        return Ok(Some(common::ACCOUNT_UNKNOWN.reject(vec![id.into()])));
    };
    let signers = &transaction.body().signers;
    if signers.iter().any(|key| account.right_of(key).is_some()) {
        return Ok(None);
    }
    let key = signers.first().map(|key| (*key).into());
    Ok(Some(common::SIGNER_NOT_REPRESENTATIVE.reject(key.into_iter().collect())))
}

/// Refuses an order that too few people signed.
fn check_people(
    account: &Account,
    authority: &Authority,
    signers: &[PublicKey],
) -> Result<(), Abort> {
    check_enough(count_people(account, signers)?, people_needed(account, authority))
}

fn check_enough(people: u64, needed: u64) -> Result<(), Abort> {
    if people >= needed {
        return Ok(());
    }
    Err(common::SIGNATURES_INSUFFICIENT.reject(vec![people.into(), needed.into()]).into())
}

/// Refuses a signer whose right does not cover what it signs.
fn check_each(
    account: &Account,
    signers: &[PublicKey],
    covers: fn(Right) -> bool,
) -> Result<(), Abort> {
    let foreign = signers.iter().find(|key| !account.right_of(key).is_some_and(covers));
    match foreign {
        Some(key) => Err(common::SIGNER_NOT_REPRESENTATIVE.reject(vec![(*key).into()]).into()),
        None => Ok(()),
    }
}

const fn may_act(right: Right) -> bool {
    right.may_initiate() || right.may_approve()
}

/// Those of some keys that may act for an account now.
pub(crate) fn who_may_act<'k>(
    account: &Account,
    keys: impl Iterator<Item = &'k PublicKey>,
) -> Vec<PublicKey> {
    keys.filter(|key| account.right_of(key).is_some_and(may_act)).copied().collect()
}

/// Refuses a role that may not call a rule.
pub(crate) fn check_role(tx: &TxContext, authority: &Authority) -> Result<(), Abort> {
    let role = tx.account.role();
    if authority.roles.contains(&role) {
        Ok(())
    } else {
        Err(common::ROLE_NOT_ALLOWED.reject(vec![role.into()]).into())
    }
}

/// People needed: the larger of the rule's minimum and the account's threshold.
pub(crate) fn people_needed(account: &Account, authority: &Authority) -> u64 {
    u64::from(authority.people_min.max(account.thresholds.of(authority.class)))
}

/// Counts people who act together: one who may initiate, the others may approve.
pub(crate) fn count_people(account: &Account, signers: &[PublicKey]) -> Result<u64, Abort> {
    let mut initiates = false;
    let mut only_initiate = 0u64;
    let mut people = 0u64;
    for key in signers {
        let right = account.right_of(key);
        let Some(right) = right.filter(|right| may_act(*right)) else {
            return Err(common::SIGNER_NOT_REPRESENTATIVE.reject(vec![(*key).into()]).into());
        };
        initiates |= right.may_initiate();
        only_initiate = only_initiate.saturating_add(u64::from(!right.may_approve()));
        people = people.saturating_add(1);
    }
    if !initiates {
        // People who may only approve cannot start anything.
        return Ok(0);
    }
    // Of those who may only initiate, one counts: the others approve nothing.
    Ok(people.saturating_sub(only_initiate.saturating_sub(1)))
}

/// Most representatives of an account.
pub const REPRESENTATIVES_PER_ACCOUNT_MAX: usize = 16;

/// Fewest people who can act together for an account of a role: the largest number that a rule
/// asks of the roles that it names.
///
/// Rules that every role may call do not count: where nobody can sign them for a holder, its
/// registry does (see [`set_representatives`](super::accounts::set_representatives)).
pub fn people_min_of(role: Role) -> u8 {
    let named = super::RULES.iter().map(|rule| rule.authority).filter(|authority| {
        authority.roles.contains(&role) && authority.roles.len() < Role::ALL.len()
    });
    named.map(|authority| authority.people_min).max().unwrap_or(1)
}

/// Whether representatives can act for an account of a role: each key once, enough people for
/// every threshold and for every rule that names the role, one of them able to initiate.
pub(crate) fn representatives_suffice(
    role: Role,
    representatives: &[Representative],
    thresholds: &crate::types::Thresholds,
) -> bool {
    let keys: std::collections::BTreeSet<_> =
        representatives.iter().map(|person| person.key).collect();
    let initiators = representatives.iter().filter(|p| p.right.may_initiate()).count();
    let only_initiate =
        representatives.iter().filter(|p| p.right.may_initiate() && !p.right.may_approve()).count();
    let approvers = representatives.iter().filter(|p| p.right.may_approve()).count();
    let people = approvers.saturating_add(only_initiate.min(1));
    let most = [
        thresholds.operation,
        thresholds.administration,
        thresholds.transfer,
        thresholds.compliance,
    ];
    let enough = most.iter().all(|needed| *needed >= 1 && usize::from(*needed) <= people)
        && usize::from(people_min_of(role)) <= people;
    let count = representatives.len();
    keys.len() == count && count <= REPRESENTATIVES_PER_ACCOUNT_MAX && initiators >= 1 && enough
}

#[cfg(test)]
mod tests {
    use super::super::allowances::transfer::Transfer;
    use super::super::enforcement::freeze::Freeze;
    use super::super::testing::{
        Market, account, cea, digest, entity, first, genesis, key, quantity,
    };
    use super::*;
    use crate::types::{Right, Thresholds};

    fn transfer() -> Transfer {
        Transfer { to: entity(2), units: quantity(cea(1920), 1) }
    }

    /// A market where entity 1 holds units and needs so many people to transfer.
    fn market(transfer: u8) -> Market {
        let mut genesis = genesis();
        let of_entity = genesis.accounts.iter_mut().find(|a| a.role == Role::KeyEmittingEntity);
        of_entity.unwrap().thresholds = Thresholds { transfer, ..Thresholds::uniform(1) };
        let mut market = Market::of(&genesis);
        market.issue(entity(1), 1920, 10);
        market
    }

    #[test]
    fn an_account_must_exist() {
        let mut market = market(1);
        assert_eq!(market.refusal(entity(99), transfer()), "ACCOUNT_UNKNOWN");
    }

    #[test]
    fn the_role_must_be_one_that_the_rule_names() {
        let mut market = market(1);
        for role in [Role::Auditor, Role::Ministry, Role::Registry, Role::Exchange] {
            assert_eq!(market.refusal(first(role), transfer()), "ROLE_NOT_ALLOWED");
        }
    }

    #[test]
    fn a_frozen_account_signs_nothing() {
        let mut market = market(1);
        let order = Freeze { account: entity(1), units: None, order: digest(1) };
        market.accept(first(Role::Registry), order);
        assert_eq!(market.refusal(entity(1), transfer()), "ACCOUNT_NOT_OPEN");
    }

    #[test]
    fn every_signer_must_represent_the_account_with_a_right_to_act() {
        let mut market = market(1);
        for people in [&[5][..], &[1, 5], &[9], &[1, 9]] {
            let code = market.refusal_by(entity(1), people, transfer());
            assert_eq!(code, "SIGNER_NOT_REPRESENTATIVE", "{people:?}");
        }
    }

    #[test]
    fn enough_people_must_sign_and_one_of_them_may_initiate() {
        for (needed, people, enough) in [
            (1, &[1][..], true),
            (1, &[3], true),
            (1, &[4], false),
            (2, &[1], false),
            (2, &[1, 2], true),
            (2, &[3, 4], true),
            (2, &[1, 3], true),
            (3, &[1, 3, 4], true),
            (3, &[1, 4], false),
        ] {
            let mut market = market(needed);
            let answer = market.send_by(entity(1), people, transfer());
            let code = answer.as_ref().err().and_then(|reject| reject.code());
            assert_eq!(answer.is_ok(), enough, "{needed} {people:?}");
            assert!(enough || code.unwrap().name == "SIGNATURES_INSUFFICIENT");
        }
    }

    #[test]
    fn people_who_may_only_initiate_count_as_one() {
        let id = account(Role::Trader, 1);
        let mut market = Market::new();
        let people: Vec<Representative> = [Right::Initiate, Right::Initiate, Right::Approve]
            .into_iter()
            .zip(1u8..)
            .map(|(right, person)| Representative { key: key(id, person), right })
            .collect();
        assert!(!representatives_suffice(id.role(), &people, &Thresholds::uniform(3)));
        assert!(representatives_suffice(id.role(), &people, &Thresholds::uniform(2)));
        let order = super::super::accounts::set_representatives::SetRepresentatives {
            account: id,
            representatives: people,
            thresholds: Thresholds::uniform(2),
            material: digest(1),
        };
        market.accept(id, order);
        let code = market.refusal_by(id, &[1, 2], transfer());
        assert_eq!(code, "SIGNATURES_INSUFFICIENT");
    }

    #[test]
    fn two_people_act_together_for_every_role_but_holders_and_auditors() {
        for role in Role::ALL {
            let one = common::HOLDER_ROLES.contains(role) || *role == Role::Auditor;
            assert_eq!(people_min_of(*role), if one { 1 } else { 2 }, "{role:?}");
        }
    }
}
