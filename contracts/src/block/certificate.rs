//! Commit certificates: what proves that a quorum of validators decided a block.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Validator, ValidatorSet};
use crate::crypto::{self, KnownKeys, SignedMessage};
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
        // What is wrong with the signers themselves ends the walk; the precommits before it are
        // verified first, so that the first thing wrong is named.
        let (signers, wrong) = self.signers(validators);
        let precommits: Vec<SignedMessage<'_>> = signers
            .iter()
            .map(|(member, signed)| SignedMessage {
                key: &member.consensus_key,
                signature: &signed.signature,
                message: &message,
            })
            .collect();
        let verdicts = crypto::verify_each(&precommits, &mut KnownKeys::none());
        let bad = signers.iter().zip(verdicts).find(|(_, good)| !good);
        if let Some(((_, signed), _)) = bad {
            return Err(CertificateError::BadSignature { height, signer: signed.validator });
        }
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        let power = signers.iter().fold(0u64, |sum, (member, _)| sum.saturating_add(member.power));
        let needed = validators.power_quorum();
        if power < needed {
            return Err(CertificateError::ShortOfQuorum { height, power, needed });
        }
        Ok(())
    }

    /// The members who signed, with their signatures, until one is no validator or stands twice.
    fn signers<'c>(
        &'c self,
        validators: &'c ValidatorSet,
    ) -> (Vec<(&'c Validator, &'c CommitSignature)>, Option<CertificateError>) {
        let height = self.height;
        let members: BTreeMap<ValidatorAddress, &Validator> =
            validators.members().iter().map(|member| (member.address(), member)).collect();
        let mut seen = BTreeSet::new();
        let mut signers = Vec::with_capacity(members.len());
        for signed in &self.signatures {
            let signer = signed.validator;
            let Some(member) = members.get(&signer) else {
                return (signers, Some(CertificateError::NotAValidator { height, signer }));
            };
            if !seen.insert(signer) {
                return (signers, Some(CertificateError::DoubleSigner { height, signer }));
            }
            signers.push((*member, signed));
        }
        (signers, None)
    }
}

#[cfg(test)]
mod tests {
    use ed25519_zebra::{SigningKey, VerificationKeyBytes};

    use super::*;
    use crate::types::PublicKey;

    const CHAIN: ChainId = ChainId::new([3; 16]);
    const BLOCK: BlockId = BlockId::new([4; 32]);

    fn secret(number: u8) -> SigningKey {
        SigningKey::from([number; 32])
    }

    fn validator(number: u8) -> Validator {
        Validator {
            name: format!("validator-{number}"),
            consensus_key: PublicKey::new(VerificationKeyBytes::from(&secret(number)).into()),
            cosigner_key: PublicKey::new([number; 32]),
            power: 1,
        }
    }

    fn set() -> ValidatorSet {
        ValidatorSet::new((1..=4).map(validator).collect()).unwrap()
    }

    /// Precommits of these validators for [`BLOCK`].
    fn certificate(numbers: &[u8]) -> Certificate {
        let height = Height::new(7);
        let message = vote_sign_bytes(CHAIN, VoteStep::Precommit, height, 1, Some(BLOCK));
        let sign = |number: &u8| CommitSignature {
            validator: validator(*number).address(),
            signature: Signature::new(secret(*number).sign(&message).to_bytes()),
        };
        let signatures = numbers.iter().map(sign).collect();
        Certificate { height, round: 1, block_id: BLOCK, signatures }
    }

    fn verify(certificate: &Certificate) -> Result<(), CertificateError> {
        certificate.verify(CHAIN, BLOCK, &set())
    }

    #[test]
    fn three_of_four_equal_validators_decide_and_two_do_not() {
        assert_eq!(verify(&certificate(&[1, 2, 3])), Ok(()));
        assert_eq!(verify(&certificate(&[4, 2, 3, 1])), Ok(()));
        let height = Height::new(7);
        let short = CertificateError::ShortOfQuorum { height, power: 2, needed: 3 };
        assert_eq!(verify(&certificate(&[1, 2])), Err(short));
        let other = BlockId::new([5; 32]);
        let error = certificate(&[1, 2, 3]).verify(CHAIN, other, &set()).unwrap_err();
        assert!(matches!(error, CertificateError::OtherBlock { found: BLOCK, .. }));
    }

    #[test]
    fn the_first_thing_wrong_is_named() {
        let (height, signer) = (Height::new(7), |number| validator(number).address());
        let stranger = CertificateError::NotAValidator { height, signer: signer(9) };
        let twice = CertificateError::DoubleSigner { height, signer: signer(1) };
        let forged = |number| CertificateError::BadSignature { height, signer: signer(number) };
        assert_eq!(verify(&certificate(&[1, 9, 2])), Err(stranger.clone()));
        assert_eq!(verify(&certificate(&[1, 2, 1, 9])), Err(twice.clone()));

        let damaged = |numbers: &[u8], places: &[usize]| {
            let mut certificate = certificate(numbers);
            for place in places {
                certificate.signatures[*place].signature = Signature::new([7; 64]);
            }
            verify(&certificate)
        };
        assert_eq!(damaged(&[1, 2, 3, 4], &[2]), Err(forged(3)));
        assert_eq!(damaged(&[4, 3, 2, 1], &[3, 1]), Err(forged(3)));
        assert_eq!(damaged(&[2, 1, 9], &[1]), Err(forged(1)));
        assert_eq!(damaged(&[1, 9, 2], &[2]), Err(stranger));
        assert_eq!(damaged(&[1, 2, 1], &[2]), Err(twice));
    }
}
