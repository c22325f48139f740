//! The types the engine is generic over, as thin wrappers around those of the ledger.

use core::fmt;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cets_contracts::block::ValidatorSet;
use cets_contracts::types::{BlockId, Height, PublicKey, Signature, ValidatorAddress};
use malachitebft_app_channel::app::types::core::{
    self as engine, NilOrVal, Round, SignedExtension, SigningScheme, Timeout, TimeoutKind,
    VoteType, VotingPower,
};

use crate::config::RoundTimeouts;

/// Wraps a ledger type so that engine traits can be implemented for it.
macro_rules! wrapper {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

wrapper!(
    /// Height of a block.
    EngineHeight(Height)
);
wrapper!(
    /// Address of a validator.
    EngineAddress(ValidatorAddress)
);
wrapper!(
    /// What is decided: the id of a block; the block itself travels in parts.
    BlockValue(BlockId)
);

impl Default for EngineHeight {
    fn default() -> Self {
        Self(Height::GENESIS)
    }
}

impl engine::Height for EngineHeight {
    const ZERO: Self = Self(Height::GENESIS);
    const INITIAL: Self = Self(Height::new(1));

    fn increment_by(&self, n: u64) -> Self {
        Self(Height::new(self.0.get().saturating_add(n)))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.get().checked_sub(n).map(|height| Self(Height::new(height)))
    }

    fn as_u64(&self) -> u64 {
        self.0.get()
    }
}

impl engine::Address for EngineAddress {}

impl engine::Value for BlockValue {
    type Id = Self;

    fn id(&self) -> Self {
        *self
    }
}

/// Ed25519 with keys and signatures as carried; ZIP-215 decides what is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ed25519;

/// A key or signature of the wrong length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an Ed25519 {what} has {expected} bytes")]
pub struct KeyLengthError {
    what: &'static str,
    expected: usize,
}

impl SigningScheme for Ed25519 {
    type DecodingError = KeyLengthError;
    type Signature = Signature;
    type PublicKey = PublicKey;
    // The key stays behind `EngineSigner`.
    type PrivateKey = ();

    fn decode_signature(bytes: &[u8]) -> Result<Signature, KeyLengthError> {
        let error = KeyLengthError { what: "signature", expected: Signature::LEN };
        bytes.try_into().map(Signature::new).map_err(|_| error)
    }

    fn encode_signature(signature: &Signature) -> Vec<u8> {
        signature.as_bytes().to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<PublicKey, KeyLengthError> {
        let error = KeyLengthError { what: "public key", expected: PublicKey::LEN };
        bytes.try_into().map(PublicKey::new).map_err(|_| error)
    }

    fn encode_public_key(key: &PublicKey) -> Vec<u8> {
        key.as_bytes().to_vec()
    }
}

/// Start of a stream of parts: which block is coming, and who sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamStart {
    /// Height of the proposal.
    pub height: Height,
    /// Round of the proposal.
    pub round: u32,
    /// Round of the polka when the block is proposed again.
    pub polka_round: Option<u32>,
    /// Proposer of the round.
    pub proposer: ValidatorAddress,
    /// The block.
    pub block_id: BlockId,
    /// Its size in bytes.
    pub block_bytes: u64,
    /// The proposer's signature over all of this.
    pub signature: Signature,
}

/// One message of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockPart {
    /// The first.
    Start(StreamStart),
    /// A piece of the block.
    Piece(Bytes),
}

impl engine::ProposalPart<EngineContext> for BlockPart {
    fn is_first(&self) -> bool {
        matches!(self, Self::Start(_))
    }

    fn is_last(&self) -> bool {
        // The end of a stream is a message of its own.
        false
    }
}

/// A proposal: the id of a block for a height and round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockProposal {
    /// Its height.
    pub height: EngineHeight,
    /// Its round.
    pub round: Round,
    /// The block.
    pub value: BlockValue,
    /// Round of the polka when the block is proposed again.
    pub polka_round: Round,
    /// The proposer.
    pub proposer: EngineAddress,
}

impl engine::Proposal<EngineContext> for BlockProposal {
    fn height(&self) -> EngineHeight {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &BlockValue {
        &self.value
    }

    fn take_value(self) -> BlockValue {
        self.value
    }

    fn pol_round(&self) -> Round {
        self.polka_round
    }

    fn validator_address(&self) -> &EngineAddress {
        &self.proposer
    }
}

/// Vote extensions are not used; there is no value of this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoExtension {}

impl engine::Extension for NoExtension {
    fn size_bytes(&self) -> usize {
        match *self {}
    }
}

/// A prevote or precommit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockVote {
    /// Its step.
    pub step: VoteType,
    /// Its height.
    pub height: EngineHeight,
    /// Its round.
    pub round: Round,
    /// The block, or nil.
    pub value: NilOrVal<BlockValue>,
    /// Who votes.
    pub voter: EngineAddress,
}

impl engine::Vote<EngineContext> for BlockVote {
    fn height(&self) -> EngineHeight {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &NilOrVal<BlockValue> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<BlockValue> {
        self.value
    }

    fn vote_type(&self) -> VoteType {
        self.step
    }

    fn validator_address(&self) -> &EngineAddress {
        &self.voter
    }

    fn extension(&self) -> Option<&SignedExtension<EngineContext>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<EngineContext>> {
        None
    }

    fn extend(self, extension: SignedExtension<EngineContext>) -> Self {
        match extension.message {}
    }
}

/// A validator with its address computed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    address: EngineAddress,
    key: PublicKey,
    power: VotingPower,
}

impl engine::Validator<EngineContext> for Member {
    fn address(&self) -> &EngineAddress {
        &self.address
    }

    fn public_key(&self) -> &PublicKey {
        &self.key
    }

    fn voting_power(&self) -> VotingPower {
        self.power
    }
}

/// The validators of a height, in the canonical order of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members(Arc<[Member]>);

impl Members {
    /// Address of the proposer of a round: the validators take turns, one per height and round.
    pub fn proposer(&self, height: Height, round: u32) -> &Member {
        let count = u64::try_from(self.0.len()).unwrap_or(u64::MAX).max(1);
        let turn = height.get().wrapping_add(u64::from(round)).checked_rem(count).unwrap_or(0);
        let index = usize::try_from(turn).unwrap_or(0);
        self.0.get(index).expect("a validator set is never empty and a remainder is below it")
    }

    /// Address of the proposer of a round.
    pub fn proposer_address(&self, height: Height, round: u32) -> ValidatorAddress {
        self.proposer(height, round).address.0
    }

    /// Addresses of the proposers of all rounds up to one.
    pub fn proposers_until(&self, height: Height, round: u32) -> BTreeSet<ValidatorAddress> {
        let turns = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        (0..=round.min(turns)).map(|round| self.proposer_address(height, round)).collect()
    }

    /// Public key of a validator.
    pub fn key(&self, address: ValidatorAddress) -> Option<PublicKey> {
        self.0.iter().find(|member| member.address.0 == address).map(|member| member.key)
    }

    /// Fewest others with whom a validator has more than two thirds of the power; none when it is
    /// no validator.
    pub fn others_for_quorum(&self, own: ValidatorAddress) -> Option<usize> {
        let own = self.0.iter().find(|member| member.address.0 == own)?;
        let others = self.0.iter().filter(|member| member.address != own.address);
        let mut powers: Vec<VotingPower> = others.map(|member| member.power).collect();
        powers.sort_unstable_by(|one, other| other.cmp(one));
        let total = u128::from(engine::ValidatorSet::total_voting_power(self));
        let is_quorum = |power: u64| u128::from(power).saturating_mul(3) > total.saturating_mul(2);
        let mut power = own.power;
        let mut count = 0usize;
        for next in powers {
            if is_quorum(power) {
                break;
            }
            power = power.saturating_add(next);
            count = count.saturating_add(1);
        }
        Some(count)
    }
}

impl From<&ValidatorSet> for Members {
    fn from(set: &ValidatorSet) -> Self {
        let members = set.members().iter().map(|member| Member {
            address: EngineAddress(member.address()),
            key: member.consensus_key,
            power: member.power,
        });
        Self(members.collect())
    }
}

impl engine::ValidatorSet<EngineContext> for Members {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn total_voting_power(&self) -> VotingPower {
        self.0.iter().fold(0u64, |sum, member| sum.saturating_add(member.power))
    }

    fn get_by_address(&self, address: &EngineAddress) -> Option<&Member> {
        self.0.iter().find(|member| member.address == *address)
    }

    fn get_by_index(&self, index: usize) -> Option<&Member> {
        self.0.get(index)
    }
}

impl engine::Timeouts<EngineContext> for RoundTimeouts {
    fn duration_for(&self, timeout: Timeout) -> Duration {
        let round = timeout.round.as_u32().unwrap_or(0);
        match timeout.kind {
            TimeoutKind::Propose => Self::grown(self.propose, round),
            TimeoutKind::Prevote => Self::grown(self.prevote, round),
            TimeoutKind::Precommit => Self::grown(self.precommit, round),
            TimeoutKind::Rebroadcast => self.rebroadcast,
            TimeoutKind::FinalizeHeight(duration) => duration,
        }
    }
}

/// Ties the types together.
#[derive(Clone, Copy, Debug, Default)]
pub struct EngineContext;

impl engine::Context for EngineContext {
    type Address = EngineAddress;
    type Height = EngineHeight;
    type ProposalPart = BlockPart;
    type Proposal = BlockProposal;
    type Validator = Member;
    type ValidatorSet = Members;
    type Timeouts = RoundTimeouts;
    type Value = BlockValue;
    type Vote = BlockVote;
    type Extension = NoExtension;
    type SigningScheme = Ed25519;

    fn select_proposer<'a>(
        &self,
        members: &'a Members,
        height: EngineHeight,
        round: Round,
    ) -> &'a Member {
        members.proposer(height.0, round.as_u32().unwrap_or(0))
    }

    fn new_proposal(
        &self,
        height: EngineHeight,
        round: Round,
        value: BlockValue,
        polka_round: Round,
        proposer: EngineAddress,
    ) -> BlockProposal {
        BlockProposal { height, round, value, polka_round, proposer }
    }

    fn new_prevote(
        &self,
        height: EngineHeight,
        round: Round,
        value: NilOrVal<BlockValue>,
        voter: EngineAddress,
    ) -> BlockVote {
        BlockVote { step: VoteType::Prevote, height, round, value, voter }
    }

    fn new_precommit(
        &self,
        height: EngineHeight,
        round: Round,
        value: NilOrVal<BlockValue>,
        voter: EngineAddress,
    ) -> BlockVote {
        BlockVote { step: VoteType::Precommit, height, round, value, voter }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(powers: &[VotingPower]) -> Members {
        let member = |(index, power): (u8, &VotingPower)| Member {
            address: EngineAddress(ValidatorAddress::new([index; 20])),
            key: PublicKey::new([index; 32]),
            power: *power,
        };
        Members((0u8..).zip(powers).map(member).collect())
    }

    #[test]
    fn a_quorum_is_of_power_and_not_of_people() {
        let others = |powers: &[VotingPower], own: u8| {
            members(powers).others_for_quorum(ValidatorAddress::new([own; 20]))
        };
        assert_eq!(others(&[1], 0), Some(0));
        assert_eq!(others(&[1, 1, 1, 1], 2), Some(2));
        assert_eq!(others(&[1; 7], 0), Some(4));
        // Two thirds are not enough.
        assert_eq!(others(&[1, 1, 1], 0), Some(2));
        assert_eq!(others(&[10, 1, 1, 1], 0), Some(0));
        assert_eq!(others(&[10, 1, 1, 1], 1), Some(1));
        assert_eq!(others(&[1, 1, 1, 1], 9), None);
    }
}
