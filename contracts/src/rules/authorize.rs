//! Who may act for an account: roles, representatives, four eyes.

use super::{Abort, Authority, Signing, TxContext, common};
use crate::state::{Account, AccountStatus, Overlay};
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
) -> Result<Account, Abort> {
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

/// Whether representatives can act for an account: each key once, enough people for every
/// threshold, one of them able to initiate.
pub(crate) fn representatives_suffice(
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
    let enough = most.iter().all(|needed| *needed >= 1 && usize::from(*needed) <= people);
    let count = representatives.len();
    keys.len() == count && count <= REPRESENTATIVES_PER_ACCOUNT_MAX && initiators >= 1 && enough
}
