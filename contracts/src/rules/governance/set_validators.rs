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
//! 2. Power that stays with the same keys is more than two thirds of the old and of the new power:
//!    any quorum of either set then meets any quorum of the other in a validator that both count,
//!    and the change can be followed by anyone who trusts the old set. Of a validator whose power
//!    changes, the smaller power stays. The old set is the one that decides this block, so that
//!    several changes within a block count together.
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

/// Power that the same consensus keys have in both sets.
fn power_staying(old: &ValidatorSet, new: &ValidatorSet) -> u64 {
    old.members().iter().fold(0u64, |sum, member| {
        let same = |peer: &&Validator| peer.consensus_key == member.consensus_key;
        let power = new.members().iter().find(same).map_or(0, |peer| peer.power);
        sum.saturating_add(power.min(member.power))
    })
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
        let old = state.base().validators()?;
        let new = ValidatorSet::new(self.validators.clone())
            .map_err(|_| VALIDATORS_INVALID.reject(vec![]))?;

        let staying = power_staying(&old, &new);
        for set in [&old, &new] {
            let needed = set.power_quorum();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{MINISTRY, Market, first, validator};

    fn of(members: &[(u8, u64)]) -> SetValidators {
        let validators = members.iter().map(|(number, power)| validator(*number, *power)).collect();
        SetValidators { validators }
    }

    #[test]
    fn one_of_four_validators_is_replaced() {
        let mut market = Market::new();
        let before = market.state.validators().unwrap().digest();
        let event = market.accept(first(MINISTRY), of(&[(5, 1), (1, 1), (3, 1), (2, 1)]));
        let after = market.state.validators().unwrap();
        assert_eq!(event, ValidatorsSet { before, after: after.digest() }.into());
        let names: Vec<_> = after.members().iter().map(|member| member.name.as_str()).collect();
        assert_eq!(names, ["validator-1", "validator-2", "validator-3", "validator-5"]);
    }

    #[test]
    fn a_list_that_is_no_set_is_refused() {
        let mut market = Market::new();
        for members in [&[][..], &[(1, 0)], &[(1, 1), (1, 1)]] {
            assert_eq!(market.refusal(first(MINISTRY), of(members)), "VALIDATORS_INVALID");
        }
    }

    #[test]
    fn a_change_that_leaves_no_common_quorum_is_refused() {
        let mut market = Market::new();
        for members in [
            &[(1, 1), (2, 1)][..],
            &[(1, 1), (2, 1), (5, 1), (6, 1)],
            &[(1, 1), (2, 1), (3, 1), (4, 1), (5, 2)],
            &[(1, 1_000), (2, 1), (3, 1), (4, 1)],
        ] {
            let code = market.refusal(first(MINISTRY), of(members));
            assert_eq!(code, "VALIDATORS_CHANGE_TOO_LARGE", "{members:?}");
        }
        market.accept(first(MINISTRY), of(&[(1, 1), (2, 1), (3, 1)]));
    }

    #[test]
    fn several_changes_within_a_block_count_together() {
        let mut market = Market::new();
        let step = |members| (first(MINISTRY), vec![1, 2], of(members).into());
        let answers = market.block(vec![
            step(&[(1, 1), (2, 1), (3, 1), (5, 1)]),
            step(&[(1, 1), (2, 1), (6, 1), (5, 1)]),
        ]);
        assert!(answers[0].is_ok());
        let code = answers[1].as_ref().unwrap_err().code().unwrap();
        assert_eq!(code.name, "VALIDATORS_CHANGE_TOO_LARGE");
        market.accept(first(MINISTRY), of(&[(1, 1), (2, 1), (6, 1), (5, 1)]));
    }

    #[test]
    fn quorums_before_and_after_an_accepted_change_share_a_validator() {
        // All sets of up to five validators with powers 0 to 3, from one fixed set.
        let old = ValidatorSet::new(of(&[(1, 1), (2, 2), (3, 3), (4, 1)]).validators).unwrap();
        let mut accepted = 0;
        for powers in 0u32..4u32.pow(5) {
            let members: Vec<(u8, u64)> = (0u8..5)
                .map(|place| (place + 1, u64::from(powers >> (2 * place) & 3)))
                .filter(|(_, power)| *power > 0)
                .collect();
            let Ok(new) = ValidatorSet::new(of(&members).validators) else { continue };
            let staying = power_staying(&old, &new);
            if staying < old.power_quorum() || staying < new.power_quorum() {
                continue;
            }
            accepted += 1;
            let quorum = |set: &ValidatorSet, chosen: u8| {
                let power: u64 = set
                    .members()
                    .iter()
                    .filter(|member| chosen & (1 << (member.consensus_key.as_bytes()[0] - 1)) != 0)
                    .map(|member| member.power)
                    .sum();
                power >= set.power_quorum()
            };
            for a in (0u8..32).filter(|chosen| quorum(&old, *chosen)) {
                for b in (0u8..32).filter(|chosen| quorum(&new, *chosen)) {
                    assert!(a & b != 0, "{members:?}: quorums {a:05b} and {b:05b}");
                }
            }
        }
        assert!(accepted > 10, "{accepted}");
    }
}
