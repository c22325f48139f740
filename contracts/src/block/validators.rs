//! The validators of a height, as state holds them.

use serde::{Deserialize, Serialize};

use crate::codec;
use crate::domains;
use crate::types::{Digest, PublicKey, ValidatorAddress, domain_hash};

/// Most validators in a set.
pub const VALIDATORS_MAX: usize = 64;
/// Largest voting power of one validator.
pub const VALIDATOR_POWER_MAX: u64 = 1_000_000;
/// Longest name of a validator in bytes.
pub const VALIDATOR_NAME_BYTES_MAX: usize = 64;

/// One node that votes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validator {
    /// Short name of the institution that runs it, ASCII.
    pub name: String,
    /// Key that signs votes and proposals.
    pub consensus_key: PublicKey,
    /// Key that cosigns checkpoints of the log; a key of its own.
    pub cosigner_key: PublicKey,
    /// Voting power, at least 1.
    pub power: u64,
}

impl Validator {
    /// Address derived from the consensus key.
    pub fn address(&self) -> ValidatorAddress {
        let hash = domain_hash(domains::VALIDATOR_ADDRESS, &[self.consensus_key.as_bytes()]);
        let mut address = [0u8; ValidatorAddress::LEN];
        address.copy_from_slice(&hash[..ValidatorAddress::LEN]);
        ValidatorAddress::new(address)
    }
}

/// Why a list of validators is no validator set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValidatorSetError {
    /// Empty or more than [`VALIDATORS_MAX`].
    #[error("a validator set has 1 to {VALIDATORS_MAX} members")]
    Count,
    /// A power of zero or above [`VALIDATOR_POWER_MAX`].
    #[error("the power of a validator is 1 to {VALIDATOR_POWER_MAX}")]
    Power,
    /// A key or a name stands twice, or a name is empty, too long or not ASCII.
    #[error("names and keys of validators are unique; names have 1 to 64 printable ASCII bytes")]
    Identity,
}

/// Validators in canonical order: by consensus key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Validator>", into = "Vec<Validator>")]
pub struct ValidatorSet(Vec<Validator>);

impl ValidatorSet {
    /// Checks the members and puts them into canonical order.
    pub fn new(mut members: Vec<Validator>) -> Result<Self, ValidatorSetError> {
        if members.is_empty() || members.len() > VALIDATORS_MAX {
            return Err(ValidatorSetError::Count);
        }
        members.sort_by_key(|member| member.consensus_key);
        let mut names = std::collections::BTreeSet::new();
        let mut keys = std::collections::BTreeSet::new();
        for member in &members {
            if member.power == 0 || member.power > VALIDATOR_POWER_MAX {
                return Err(ValidatorSetError::Power);
            }
            let name = member.name.as_str();
            let printable = name.bytes().all(|byte| byte.is_ascii_graphic());
            if name.is_empty() || name.len() > VALIDATOR_NAME_BYTES_MAX || !printable {
                return Err(ValidatorSetError::Identity);
            }
            if !names.insert(name)
                || !keys.insert(member.consensus_key)
                || !keys.insert(member.cosigner_key)
            {
                return Err(ValidatorSetError::Identity);
            }
        }
        Ok(Self(members))
    }

    /// The members in canonical order.
    pub fn members(&self) -> &[Validator] {
        &self.0
    }

    /// Sum of all powers.
    pub fn power_total(&self) -> u64 {
        self.0.iter().fold(0u64, |sum, member| sum.saturating_add(member.power))
    }

    /// Least power that decides: more than two thirds.
    pub fn power_quorum(&self) -> u64 {
        self.power_total().saturating_mul(2).checked_div(3).unwrap_or(0).saturating_add(1)
    }

    /// The member with an address.
    pub fn by_address(&self, address: &ValidatorAddress) -> Option<&Validator> {
        self.0.iter().find(|member| member.address() == *address)
    }

    /// Digest that headers carry.
    pub fn digest(&self) -> Digest {
        Digest::new(domain_hash(domains::VALIDATOR_SET, &[&codec::encode(self)]))
    }
}

impl TryFrom<Vec<Validator>> for ValidatorSet {
    type Error = ValidatorSetError;

    fn try_from(members: Vec<Validator>) -> Result<Self, ValidatorSetError> {
        let sorted = members.is_sorted_by_key(|member| member.consensus_key);
        if sorted { Self::new(members) } else { Err(ValidatorSetError::Identity) }
    }
}

impl From<ValidatorSet> for Vec<Validator> {
    fn from(set: ValidatorSet) -> Self {
        set.0
    }
}
