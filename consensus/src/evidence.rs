//! Proof that a validator signed two conflicting statements.

use cets_contracts::crypto::{self, SignedMessage};
use cets_contracts::types::{ChainId, Height, PublicKey, Signature, ValidatorAddress};
use serde::{Deserialize, Serialize};

use crate::keys::validator_address;
use crate::statements::statement_prefix;

/// What a validator signs once per height and round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SignedStep {
    /// A proposal, by the proposer of the round.
    Proposal,
    /// A vote of the first step.
    Prevote,
    /// A vote of the second step; a quorum of these decides.
    Precommit,
}

impl SignedStep {
    /// Number in keys of the store.
    pub const fn tag(self) -> u8 {
        match self {
            Self::Proposal => 0,
            Self::Prevote => 1,
            Self::Precommit => 2,
        }
    }

    /// The step of a number.
    pub const fn from_tag(tag: u8) -> Option<Self> {
        match tag {
            0 => Some(Self::Proposal),
            1 => Some(Self::Prevote),
            2 => Some(Self::Precommit),
            _ => None,
        }
    }
}

impl core::fmt::Display for SignedStep {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Proposal => "proposal",
            Self::Prevote => "prevote",
            Self::Precommit => "precommit",
        })
    }
}

/// A message as its signer covered it, and the signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedStatement {
    /// The sign bytes: domain, chain id, height, round and what was said.
    pub message: Vec<u8>,
    /// Ed25519 signature over them.
    pub signature: Signature,
}

/// Two conflicting statements of one validator for one height, round and step.
///
/// Portable: whoever knows the validator's public key verifies it without a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Who signed both.
    pub validator: ValidatorAddress,
    /// Height of both statements.
    pub height: Height,
    /// Round of both statements.
    pub round: u32,
    /// Step of both statements.
    pub step: SignedStep,
    /// One statement.
    pub first: SignedStatement,
    /// The other.
    pub second: SignedStatement,
}

impl Evidence {
    /// Whether the validator with this key signed two different statements for this height,
    /// round and step of a chain.
    pub fn verify(&self, chain_id: ChainId, key: &PublicKey) -> bool {
        let prefix = statement_prefix(chain_id, self.step, self.height, self.round);
        let signed = |SignedStatement { message, signature }: &SignedStatement| {
            message.starts_with(&prefix)
                && crypto::verify(&SignedMessage { key, signature, message })
        };
        validator_address(key) == self.validator
            && self.first.message != self.second.message
            && signed(&self.first)
            && signed(&self.second)
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::keys::{EngineSigner as _, LocalSigner};
    use crate::statements::proposal_statement;

    const CHAIN: ChainId = ChainId::new([1; 16]);
    const HEIGHT: Height = Height::new(4);

    fn evidence(signer: &LocalSigner) -> Evidence {
        let statement = |id: u8| {
            let id = cets_contracts::types::BlockId::new([id; 32]);
            let message = proposal_statement(CHAIN, HEIGHT, 2, None, id);
            let signature = signer.sign(&message).expect("a local key signs");
            SignedStatement { message, signature }
        };
        Evidence {
            validator: validator_address(&signer.public_key()),
            height: HEIGHT,
            round: 2,
            step: SignedStep::Proposal,
            first: statement(1),
            second: statement(2),
        }
    }

    #[test]
    fn evidence_verifies_for_its_chain_validator_height_round_and_step_alone() {
        let signer = LocalSigner::new(SigningKey::from_bytes(&[1; 32]));
        let other = LocalSigner::new(SigningKey::from_bytes(&[2; 32]));
        let (key, good) = (signer.public_key(), evidence(&signer));
        assert!(good.verify(CHAIN, &key));
        assert!(!good.verify(ChainId::new([2; 16]), &key));
        assert!(!good.verify(CHAIN, &other.public_key()));
        assert!(!Evidence { height: HEIGHT.next(), ..good.clone() }.verify(CHAIN, &key));
        assert!(!Evidence { round: 3, ..good.clone() }.verify(CHAIN, &key));
        assert!(!Evidence { step: SignedStep::Prevote, ..good.clone() }.verify(CHAIN, &key));
        assert!(!Evidence { second: good.first.clone(), ..good.clone() }.verify(CHAIN, &key));
        let mut forged = good;
        forged.second.signature = forged.first.signature;
        assert!(!forged.verify(CHAIN, &key));
    }
}
