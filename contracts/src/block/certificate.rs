//! Commit certificates: what proves that a quorum of validators decided a block.

use serde::{Deserialize, Serialize};

use super::ValidatorSet;
use crate::crypto::{self, SignedMessage};
use crate::domains;
use crate::types::{BlockId, ChainId, Height, Signature, ValidatorAddress};

/// Which vote of the two-step protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VoteStep {
    /// First step.
    Prevote,
    /// Second step; a quorum of these decides.
    Precommit,
}

/// Bytes a validator signs for a vote: domain, chain, height, round and the block or nil.
///
/// The same for every validator, so that a certificate needs one message for all its signatures.
/// Layout: domain ‖ chain id (16) ‖ height (u64 BE) ‖ round (u32 BE) ‖ 0x00 for nil, or 0x01 ‖
/// block id (32).
pub fn vote_sign_bytes(
    chain_id: ChainId,
    step: VoteStep,
    height: Height,
    round: u32,
    block_id: Option<BlockId>,
) -> Vec<u8> {
    let domain = match step {
        VoteStep::Prevote => domains::PREVOTE,
        VoteStep::Precommit => domains::PRECOMMIT,
    };
    let mut bytes = Vec::with_capacity(96);
    bytes.extend_from_slice(domain);
    bytes.extend_from_slice(chain_id.as_bytes());
    bytes.extend_from_slice(&height.get().to_be_bytes());
    bytes.extend_from_slice(&round.to_be_bytes());
    match block_id {
        None => bytes.push(0),
        Some(id) => {
            bytes.push(1);
            bytes.extend_from_slice(id.as_bytes());
        }
    }
    bytes
}

/// One validator's precommit in a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitSignature {
    /// Who signed.
    pub validator: ValidatorAddress,
    /// Ed25519 signature over the precommit's sign bytes.
    pub signature: Signature,
}

/// Proof that validators of more than two thirds of the power precommitted a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Height of the block.
    pub height: Height,
    /// Round in which it was decided.
    pub round: u32,
    /// The decided block.
    pub block_id: BlockId,
    /// Precommits, each of another validator.
    pub signatures: Vec<CommitSignature>,
}

/// Why a certificate proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It speaks of another block.
    #[error("the certificate of height {height} names block {found}, not {expected}")]
    OtherBlock {
        /// Height of the certificate.
        height: Height,
        /// Block it names.
        found: BlockId,
        /// Block it should name.
        expected: BlockId,
    },
    /// A signer is no validator of that height.
    #[error("{signer} is no validator at height {height}")]
    NotAValidator {
        /// Height of the certificate.
        height: Height,
        /// The signer.
        signer: ValidatorAddress,
    },
    /// One validator stands twice.
    #[error("validator {signer} stands twice in the certificate of height {height}")]
    DoubleSigner {
        /// Height of the certificate.
        height: Height,
        /// The signer.
        signer: ValidatorAddress,
    },
    /// A signature does not verify.
    #[error("the signature of validator {signer} at height {height} is forged or damaged")]
    BadSignature {
        /// Height of the certificate.
        height: Height,
        /// The signer.
        signer: ValidatorAddress,
    },
    /// Not more than two thirds of the power signed.
    #[error("the certificate of height {height} has power {power}, needs {needed}")]
    ShortOfQuorum {
        /// Height of the certificate.
        height: Height,
        /// Power that signed.
        power: u64,
        /// Least power that decides.
        needed: u64,
    },
}

impl Certificate {
    /// Verifies the certificate for a block against the validators of its height.
    pub fn verify(
        &self,
        chain_id: ChainId,
        block_id: BlockId,
        validators: &ValidatorSet,
    ) -> Result<(), CertificateError> {
        let height = self.height;
        if self.block_id != block_id {
            let (found, expected) = (self.block_id, block_id);
            return Err(CertificateError::OtherBlock { height, found, expected });
        }
        let message =
            vote_sign_bytes(chain_id, VoteStep::Precommit, height, self.round, Some(self.block_id));
        let mut power = 0u64;
        let mut seen = std::collections::BTreeSet::new();
        for CommitSignature { validator: signer, signature } in &self.signatures {
            let signer = *signer;
            let member = validators
                .by_address(&signer)
                .ok_or(CertificateError::NotAValidator { height, signer })?;
            if !seen.insert(signer) {
                return Err(CertificateError::DoubleSigner { height, signer });
            }
            let signed = SignedMessage { key: &member.consensus_key, signature, message: &message };
            if !crypto::verify(&signed) {
                return Err(CertificateError::BadSignature { height, signer });
            }
            power = power.saturating_add(member.power);
        }
        let needed = validators.power_quorum();
        if power < needed {
            return Err(CertificateError::ShortOfQuorum { height, power, needed });
        }
        Ok(())
    }
}
