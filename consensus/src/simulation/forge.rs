//! Messages of a validator that misbehaves, properly signed.

use std::sync::Arc;

use bytes::Bytes;
use cets_contracts::block::VoteStep;
use cets_contracts::types::{BlockId, ChainId, Height, ValidatorAddress};
use futures::FutureExt as _;
use malachitebft_app_channel::app::consensus::SignedConsensusMsg;
use malachitebft_app_channel::app::streaming::{StreamContent, StreamId, StreamMessage};
use malachitebft_app_channel::app::types::core::{NilOrVal, Round, VoteType};
use malachitebft_signing::Signer as _;

use super::{Channel, Packet};
use crate::context::{
    BlockPart, BlockProposal, BlockValue, BlockVote, EngineAddress, EngineContext, EngineHeight,
    StreamStart,
};
use crate::keys::{EngineSigner, validator_address};
use crate::signing::GuardedSigner;
use crate::statements::stream_statement;

/// Signs whatever it is told with a validator's key.
#[derive(Clone)]
pub struct Forger {
    chain_id: ChainId,
    signer: Arc<dyn EngineSigner>,
    address: ValidatorAddress,
}

impl Forger {
    /// A forger with a key.
    pub fn new(chain_id: ChainId, signer: Arc<dyn EngineSigner>) -> Self {
        let address = validator_address(&signer.public_key());
        Self { chain_id, signer, address }
    }

    fn sign_vote(&self, vote: BlockVote) -> Option<Packet> {
        let signer = GuardedSigner::unguarded(self.chain_id, Arc::clone(&self.signer));
        let signed = signer.sign_vote(vote).now_or_never()?.ok()?;
        let message: SignedConsensusMsg<EngineContext> = SignedConsensusMsg::Vote(signed);
        Some(Packet::of(Channel::Votes, &message))
    }

    fn sign_proposal(&self, proposal: BlockProposal) -> Option<Packet> {
        let signer = GuardedSigner::unguarded(self.chain_id, Arc::clone(&self.signer));
        let signed = signer.sign_proposal(proposal).now_or_never()?.ok()?;
        let message: SignedConsensusMsg<EngineContext> = SignedConsensusMsg::Proposal(signed);
        Some(Packet::of(Channel::Votes, &message))
    }

    /// A vote, for a block or nil.
    pub fn vote(
        &self,
        step: VoteStep,
        height: Height,
        round: u32,
        block: Option<BlockId>,
    ) -> Option<Packet> {
        self.vote_as(self.address, (step, height, round), block)
    }

    /// A vote in the name of a validator, whoever signs it.
    pub fn vote_as(
        &self,
        voter: ValidatorAddress,
        (step, height, round): (VoteStep, Height, u32),
        block: Option<BlockId>,
    ) -> Option<Packet> {
        self.sign_vote(BlockVote {
            step: match step {
                VoteStep::Prevote => VoteType::Prevote,
                VoteStep::Precommit => VoteType::Precommit,
            },
            height: EngineHeight(height),
            round: Round::new(round),
            value: block.map_or(NilOrVal::Nil, |id| NilOrVal::Val(BlockValue(id))),
            voter: EngineAddress(voter),
        })
    }

    /// Who it forges for.
    pub const fn address(&self) -> ValidatorAddress {
        self.address
    }

    /// A proposal of a block.
    pub fn proposal(&self, height: Height, round: u32, block: BlockId) -> Option<Packet> {
        self.sign_proposal(BlockProposal {
            height: EngineHeight(height),
            round: Round::new(round),
            value: BlockValue(block),
            polka_round: Round::Nil,
            proposer: EngineAddress(self.address),
        })
    }

    /// The statement of a packet with another block, or nil, in its place.
    pub fn contradict(&self, packet: &Packet, block: Option<BlockId>) -> Option<Packet> {
        if packet.channel != Channel::Votes {
            return None;
        }
        match packet.read::<SignedConsensusMsg<EngineContext>>()? {
            SignedConsensusMsg::Vote(vote) => {
                let value = block.map_or(NilOrVal::Nil, |id| NilOrVal::Val(BlockValue(id)));
                self.sign_vote(BlockVote { value, ..vote.message })
            }
            SignedConsensusMsg::Proposal(proposal) => {
                let value = BlockValue(block?);
                self.sign_proposal(BlockProposal { value, ..proposal.message })
            }
        }
    }

    /// Whether a packet is a proposal, and of which round.
    pub fn proposes(packet: &Packet) -> Option<(Height, u32, BlockId)> {
        if packet.channel != Channel::Votes {
            return None;
        }
        match packet.read::<SignedConsensusMsg<EngineContext>>()? {
            SignedConsensusMsg::Vote(_) => None,
            SignedConsensusMsg::Proposal(proposal) => {
                let BlockProposal { height, round, value, .. } = proposal.message;
                Some((height.0, round.as_u32()?, value.0))
            }
        }
    }

    /// The stream of a block, announced as so many bytes; `number` tells streams apart.
    pub fn stream(
        &self,
        (height, round): (Height, u32),
        block_id: BlockId,
        bytes: &Bytes,
        block_bytes: u64,
        number: u64,
    ) -> Vec<Packet> {
        let statement = stream_statement(self.chain_id, height, round, None, block_id, block_bytes);
        let Ok(signature) = self.signer.sign(&statement) else { return Vec::new() };
        let (proposer, polka_round) = (self.address, None);
        let start =
            StreamStart { height, round, polka_round, proposer, block_id, block_bytes, signature };
        let id = StreamId::new(Bytes::copy_from_slice(&number.to_be_bytes()));
        let contents = [
            StreamContent::Data(BlockPart::Start(start)),
            StreamContent::Data(BlockPart::Piece(bytes.clone())),
            StreamContent::Fin,
        ];
        (0u64..)
            .zip(contents)
            .map(|(sequence, content)| {
                Packet::of(Channel::Parts, &StreamMessage::new(id.clone(), sequence, content))
            })
            .collect()
    }
}
