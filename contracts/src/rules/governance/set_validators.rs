//! Replaces the validators from the next height on.
//!
//! # Purpose
//! Institutions join, leave and rotate keys. The set of height h + 1 is what state holds after h.
//!
//! # Who signs
//! The ministry, two people at least.
//!
//! # Checks in order
//! 1. The members are a validator set: count, powers, names and keys.
//! 2. Validators that stay, with the keys they have, hold more than two thirds of the old and of
//!    the new power: a quorum of either set then meets the other in an honest node, and the
//!    change can be followed by anyone who trusts the old set.
//!
//! # Writes
//! Validators.
//!
//! # Event
//! The digests of both sets.

use serde::{Deserialize, Serialize};

use crate::block::{Validator, ValidatorSet};
use crate::rules::{Abort, Authority, Reject, RejectCode, Rule, TxContext};
use crate::state::{Overlay, Table, keys};
use crate::types::{Digest, OperationClass, PublicKey, Role};

/// Order: these are the validators of the next height.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetValidators {
    /// The members, in any order.
    pub validators: Vec<Validator>,
}

/// The validators changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorsSet {
    /// Digest of the set before.
    pub before: Digest,
    /// Digest of the set from the next height on.
    pub after: Digest,
}

crate::reject_codes! { REJECTS:
    2201 VALIDATORS_INVALID "Validator sets of the ledger" []
        en "The list is no validator set."
        zh "名单不构成有效的验证节点集合。"
        hint "1 to 64 members, powers of at least 1, unique names and keys, printable ASCII names."
        hint_zh "须有 1 至 64 个成员，权重至少为 1，名称和密钥唯一，名称为可打印 ASCII。";
    2202 VALIDATORS_CHANGE_TOO_LARGE "Validator sets of the ledger" [staying, needed]
        en "Validators with power {staying} stay; {needed} of either set are needed."
        zh "保留节点的权重为 {staying}，新旧集合均需至少 {needed}。"
        hint "Change less than a third of the power at a time, in several steps."
        hint_zh "每次变更的权重须少于三分之一，请分步进行。";
}

/// Power of the members of one set that stand in another with the same consensus key.
fn power_staying(set: &ValidatorSet, other: &ValidatorSet) -> u64 {
    set.members()
        .iter()
        .filter(|member| {
            other.members().iter().any(|peer| peer.consensus_key == member.consensus_key)
        })
        .fold(0u64, |sum, member| sum.saturating_add(member.power))
}

impl Rule for SetValidators {
    type Event = ValidatorsSet;
    const NAME: &'static str = "set_validators";
    const AUTHORITY: Authority =
        Authority::quorum(&[Role::Ministry], OperationClass::Administration, 2);
    const WRITES: &'static [Table] = &[Table::Validators];
    const REJECTS: &'static [&'static RejectCode] = REJECTS;

    fn check(&self, _tx: &TxContext) -> Result<(), Reject> {
        ValidatorSet::new(self.validators.clone())
            .map(|_| ())
            .map_err(|_| VALIDATORS_INVALID.reject(vec![]))
    }

    fn apply(&self, _tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        let old = state.validators()?;
        let new = ValidatorSet::new(self.validators.clone())
            .map_err(|_| VALIDATORS_INVALID.reject(vec![]))?;

        for (set, other) in [(&old, &new), (&new, &old)] {
            let (staying, needed) = (power_staying(set, other), set.power_quorum());
            if staying < needed {
                let facts = vec![staying.into(), needed.into()];
                return Err(VALIDATORS_CHANGE_TOO_LARGE.reject(facts).into());
            }
        }

        state.put(keys::single(Table::Validators), &new)?;

        Ok(ValidatorsSet { before: old.digest(), after: new.digest() })
    }

    fn example() -> Self {
        let member = |name: &str, byte: u8| Validator {
            name: name.to_owned(),
            consensus_key: PublicKey::new([byte; 32]),
            cosigner_key: PublicKey::new([byte.saturating_add(100); 32]),
            power: 1,
        };
        Self {
            validators: vec![
                member("registry", 1),
                member("exchange", 2),
                member("ccer-registry", 3),
                member("hubei", 4),
            ],
        }
    }
}
