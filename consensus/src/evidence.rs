//! Proof that a validator signed two conflicting statements.

use cets_contracts::crypto::{self, SignedMessage};
use cets_contracts::types::{Height, PublicKey, Signature, ValidatorAddress};
use serde::{Deserialize, Serialize};

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
    /// Whether both statements are of this height, round and step, differ, and carry valid
    /// signatures of the key.
    ///
    /// `statement_prefix` is [`crate::statement_prefix`] of the chain for these values.
    pub fn verify(&self, key: &PublicKey, statement_prefix: &[u8]) -> bool {
        let signed = |statement: &SignedStatement| {
            statement.message.starts_with(statement_prefix)
                && crypto::verify(&SignedMessage {
                    key,
                    signature: &statement.signature,
                    message: &statement.message,
                })
        };
        self.first.message != self.second.message && signed(&self.first) && signed(&self.second)
    }
}
