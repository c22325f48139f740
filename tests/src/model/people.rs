//! Accounts of the model and who may act for them.

use cets_contracts::rules::Payload;
use cets_contracts::types::{
    AccountId, OperationClass, ProvinceCode, PublicKey, Representative, Role, Thresholds,
};

/// An account.
#[derive(Clone, Debug)]
pub struct ModelAccount {
    /// Open, frozen (with its order) or closed.
    pub state: Standing,
    /// Province.
    pub province: Option<ProvinceCode>,
    /// Credit code, while it counts.
    pub credit_code: Option<String>,
    /// Who acts.
    pub people: Vec<Representative>,
    /// How many people each class needs.
    pub thresholds: Thresholds,
    /// Free money in fen.
    pub fen: u64,
}

/// Whether an account may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Open,
    /// Nothing leaves it.
    Frozen,
    /// Never again.
    Closed,
}

/// Whose signatures a rule wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// As many people as the class of the account and the rule ask for.
    People(OperationClass, u8),
    /// Someone who may initiate.
    Initiator,
    /// People who may approve.
    Approvers,
    /// Anyone who may do either.
    Anyone,
}

/// Roles that hold units and money.
pub const HOLDERS: &[Role] =
    &[Role::KeyEmittingEntity, Role::ProjectOwner, Role::Trader, Role::Government];

/// Who may call a rule, from the "Who signs" of its specification.
pub fn who_signs(order: &Payload) -> (&'static [Role], Wants) {
    use OperationClass::{Administration, Compliance, Operation, Transfer};
    const REGISTRIES: &[Role] = &[Role::Registry, Role::CcerRegistry];
    match order {
        Payload::AdvanceBusinessDate(_) => (&[Role::Registry], Wants::People(Operation, 1)),
        Payload::OpenAccount(_) | Payload::CloseAccount(_) => (
            &[Role::Ministry, Role::Registry, Role::CcerRegistry],
            Wants::People(Administration, 2),
        ),
        Payload::Freeze(_) | Payload::Unfreeze(_) => (REGISTRIES, Wants::People(Administration, 2)),
        Payload::SetRepresentatives(_) => (Role::ALL, Wants::People(Administration, 2)),
        Payload::Issue(_) => (&[Role::Registry], Wants::People(Compliance, 2)),
        Payload::Transfer(_) => (HOLDERS, Wants::People(Transfer, 1)),
        Payload::Cancel(_) => (HOLDERS, Wants::People(Compliance, 1)),
        Payload::Surrender(_) | Payload::Offset(_) => {
            (&[Role::KeyEmittingEntity], Wants::People(Compliance, 1))
        }
        Payload::SetParameter(_) => {
            let roles = &[Role::Ministry, Role::Registry, Role::CcerRegistry];
            (roles, Wants::People(Administration, 2))
        }
        Payload::SetValidators(_) => (&[Role::Ministry], Wants::People(Administration, 2)),
        Payload::ConfirmFunds(_) => (&[Role::Settlement], Wants::People(Operation, 2)),
        Payload::SettleTrades(_) => {
            (&[Role::Exchange, Role::CcerExchange], Wants::People(Operation, 2))
        }
        Payload::RecordVerifiedEmissions(_) => (&[Role::Province], Wants::People(Compliance, 2)),
        Payload::RegisterProject(_) => (&[Role::CcerRegistry], Wants::People(Administration, 2)),
        Payload::IssueCcer(_) => (&[Role::CcerRegistry], Wants::People(Compliance, 2)),
        Payload::Propose(_) => (Role::ALL, Wants::Initiator),
        Payload::Approve(_) => (Role::ALL, Wants::Approvers),
        Payload::Reject(_) => (Role::ALL, Wants::Anyone),
    }
}

impl ModelAccount {
    fn person(&self, key: &PublicKey) -> Option<&Representative> {
        self.people.iter().find(|person| person.key == *key)
    }

    /// Whether a key belongs to someone who may do more than read.
    pub fn acts(&self, key: &PublicKey) -> bool {
        let right = self.person(key).map(|person| person.right);
        right.is_some_and(|right| right.may_initiate() || right.may_approve())
    }

    /// People who count among the signers: all who may approve, and one who may only initiate;
    /// none when nobody may initiate. A signer without a right to act is refused.
    pub fn acting(&self, signers: &[PublicKey]) -> Result<u64, u16> {
        let mut approve = 0;
        let mut only_initiate = 0;
        let mut initiate = 0;
        for key in signers {
            let right = self.person(key).map(|person| person.right).ok_or(1004u16)?;
            if !right.may_initiate() && !right.may_approve() {
                return Err(1004);
            }
            initiate += u64::from(right.may_initiate());
            approve += u64::from(right.may_approve());
            only_initiate += u64::from(!right.may_approve());
        }
        Ok(if initiate == 0 { 0 } else { approve + only_initiate.min(1) })
    }

    /// People that an order needs.
    pub fn needed(&self, class: OperationClass, least: u8) -> u64 {
        let threshold = match class {
            OperationClass::Operation => self.thresholds.operation,
            OperationClass::Administration => self.thresholds.administration,
            OperationClass::Transfer => self.thresholds.transfer,
            OperationClass::Compliance => self.thresholds.compliance,
        };
        u64::from(threshold.max(least))
    }

    /// Refuses signers who are not who or as many as the rule wants.
    pub fn check_signers(&self, wants: Wants, signers: &[PublicKey]) -> Result<(), u16> {
        match wants {
            Wants::People(class, least) => {
                let enough = self.acting(signers)? >= self.needed(class, least);
                if enough { Ok(()) } else { Err(1005) }
            }
            Wants::Initiator => {
                if self.acting(signers)? >= 1 {
                    Ok(())
                } else {
                    Err(1005)
                }
            }
            Wants::Approvers | Wants::Anyone => {
                let all = signers.iter().all(|key| {
                    let right = self.person(key).map(|person| person.right);
                    right.is_some_and(|right| {
                        right.may_approve() || wants == Wants::Anyone && right.may_initiate()
                    })
                });
                if all { Ok(()) } else { Err(1004) }
            }
        }
    }
}

/// Whether people can act for an account of a role under its thresholds; for an authority or an
/// institution two of them together.
pub fn people_suffice(role: Role, people: &[Representative], thresholds: &Thresholds) -> bool {
    let twice = people
        .iter()
        .enumerate()
        .any(|(at, person)| people[..at].iter().any(|other| other.key == person.key));
    let initiate = people.iter().filter(|person| person.right.may_initiate()).count();
    let approve = people.iter().filter(|person| person.right.may_approve()).count();
    let only_initiate =
        people.iter().any(|person| person.right.may_initiate() && !person.right.may_approve());
    let able = approve + usize::from(only_initiate);
    let wanted = [
        thresholds.operation,
        thresholds.administration,
        thresholds.transfer,
        thresholds.compliance,
    ];
    let enough = wanted.iter().all(|people| *people >= 1 && usize::from(*people) <= able);
    let alone = HOLDERS.contains(&role) || role == Role::Auditor;
    !twice && people.len() <= 16 && initiate >= 1 && enough && (alone || able >= 2)
}

/// Whether a registration institution opens and keeps an account.
pub fn keeps(registry: AccountId, account: AccountId) -> bool {
    match registry.role() {
        Role::Ministry => matches!(account.role(), Role::Province | Role::Auditor),
        Role::Registry => {
            matches!(account.role(), Role::KeyEmittingEntity | Role::Trader | Role::Government)
        }
        Role::CcerRegistry => account.role() == Role::ProjectOwner,
        _ => false,
    }
}

/// Whether an institution answers for another account: for those it opens, the ministry for the
/// institutions too.
pub fn answers_for(institution: AccountId, account: AccountId) -> bool {
    let supervised = matches!(
        account.role(),
        Role::Registry
            | Role::Exchange
            | Role::CcerRegistry
            | Role::CcerExchange
            | Role::Settlement
    );
    keeps(institution, account) || institution.role() == Role::Ministry && supervised
}

/// Whether accounts of a role may hold an instrument of reductions, or of allowances.
pub fn may_hold(role: Role, reductions: bool) -> bool {
    match role {
        Role::KeyEmittingEntity | Role::Trader | Role::Government => true,
        Role::ProjectOwner => reductions,
        _ => false,
    }
}
