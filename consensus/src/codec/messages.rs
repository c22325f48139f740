//! Votes, proposals, block parts and the proof that a peer holds a validator's key.

use malachitebft_app_channel::app::consensus::{LivenessMsg, SignedConsensusMsg};
use malachitebft_app_channel::app::streaming::{StreamContent, StreamId, StreamMessage};
use malachitebft_app_channel::app::types::ProposedValue;
use malachitebft_app_channel::app::types::core::{
    SignedMessage, ValidatorProof, Validity, VoteType,
};

use super::fields::{put_round, put_string, read_round};
use super::{Input, Sink, Wire, WireError};
use crate::config::PART_BYTES_MAX;
use crate::context::{BlockPart, BlockProposal, BlockVote, EngineContext, StreamStart};

/// Longest identifier of a stream in bytes.
const STREAM_ID_BYTES_MAX: usize = 64;
/// Longest libp2p peer id in bytes.
pub(super) const PEER_ID_BYTES_MAX: usize = 64;
/// Length of a validator's public key in bytes.
const PUBLIC_KEY_BYTES: usize = 32;

impl Wire for VoteType {
    fn put(&self, sink: &mut impl Sink) {
        sink.put(&[match self {
            Self::Prevote => 1,
            Self::Precommit => 2,
        }]);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        match input.u8("the vote step")? {
            1 => Ok(Self::Prevote),
            2 => Ok(Self::Precommit),
            found => Err(WireError::Tag { what: "the vote step", found }),
        }
    }
}

impl Wire for BlockVote {
    fn put(&self, sink: &mut impl Sink) {
        self.step.put(sink);
        self.height.put(sink);
        put_round(self.round, sink);
        self.value.put(sink);
        self.voter.put(sink);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        Ok(Self {
            step: Wire::read(input)?,
            height: Wire::read(input)?,
            round: read_round(input)?,
            value: Wire::read(input)?,
            voter: Wire::read(input)?,
        })
    }
}

impl Wire for BlockProposal {
    fn put(&self, sink: &mut impl Sink) {
        self.height.put(sink);
        put_round(self.round, sink);
        self.value.put(sink);
        self.polka_round.put(sink);
        self.proposer.put(sink);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        Ok(Self {
            height: Wire::read(input)?,
            round: read_round(input)?,
            value: Wire::read(input)?,
            polka_round: Wire::read(input)?,
            proposer: Wire::read(input)?,
        })
    }
}

impl<T: Wire> Wire for SignedMessage<EngineContext, T> {
    fn put(&self, sink: &mut impl Sink) {
        self.message.put(sink);
        self.signature.put(sink);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        Ok(Self::new(T::read(input)?, Wire::read(input)?))
    }
}

impl Wire for SignedConsensusMsg<EngineContext> {
    fn put(&self, sink: &mut impl Sink) {
        match self {
            Self::Vote(vote) => {
                sink.put(&[1]);
                vote.put(sink);
            }
            Self::Proposal(proposal) => {
                sink.put(&[2]);
                proposal.put(sink);
            }
        }
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        match input.u8("a consensus message")? {
            1 => Wire::read(input).map(Self::Vote),
            2 => Wire::read(input).map(Self::Proposal),
            found => Err(WireError::Tag { what: "a consensus message", found }),
        }
    }
}

impl Wire for LivenessMsg<EngineContext> {
    fn put(&self, sink: &mut impl Sink) {
        match self {
            Self::Vote(vote) => {
                sink.put(&[1]);
                vote.put(sink);
            }
            Self::PolkaCertificate(certificate) => {
                sink.put(&[2]);
                certificate.put(sink);
            }
            Self::SkipRoundCertificate(certificate) => {
                sink.put(&[3]);
                certificate.put(sink);
            }
        }
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        match input.u8("a liveness message")? {
            1 => Wire::read(input).map(Self::Vote),
            2 => Wire::read(input).map(Self::PolkaCertificate),
            3 => Wire::read(input).map(Self::SkipRoundCertificate),
            found => Err(WireError::Tag { what: "a liveness message", found }),
        }
    }
}

impl Wire for StreamStart {
    fn put(&self, sink: &mut impl Sink) {
        self.height.put(sink);
        self.round.put(sink);
        self.polka_round.put(sink);
        self.proposer.put(sink);
        self.block_id.put(sink);
        self.block_bytes.put(sink);
        self.signature.put(sink);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        Ok(Self {
            height: Wire::read(input)?,
            round: Wire::read(input)?,
            polka_round: Wire::read(input)?,
            proposer: Wire::read(input)?,
            block_id: Wire::read(input)?,
            block_bytes: Wire::read(input)?,
            signature: Wire::read(input)?,
        })
    }
}

impl Wire for BlockPart {
    fn put(&self, sink: &mut impl Sink) {
        match self {
            Self::Start(start) => {
                sink.put(&[1]);
                start.put(sink);
            }
            Self::Piece(bytes) => {
                sink.put(&[2]);
                put_string(bytes, sink);
            }
        }
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        match input.u8("a block part")? {
            1 => Wire::read(input).map(Self::Start),
            2 => input.string(PART_BYTES_MAX, "a block part").map(Self::Piece),
            found => Err(WireError::Tag { what: "a block part", found }),
        }
    }
}

impl Wire for StreamMessage<BlockPart> {
    fn put(&self, sink: &mut impl Sink) {
        put_string(&self.stream_id.to_bytes(), sink);
        self.sequence.put(sink);
        match &self.content {
            StreamContent::Data(part) => {
                sink.put(&[1]);
                part.put(sink);
            }
            StreamContent::Fin => sink.put(&[2]),
        }
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        let stream_id = StreamId::new(input.string(STREAM_ID_BYTES_MAX, "the stream id")?);
        let sequence = Wire::read(input)?;
        let content = match input.u8("a stream message")? {
            1 => StreamContent::Data(Wire::read(input)?),
            2 => StreamContent::Fin,
            found => return Err(WireError::Tag { what: "a stream message", found }),
        };
        Ok(Self::new(stream_id, sequence, content))
    }
}

impl Wire for ValidatorProof<EngineContext> {
    fn put(&self, sink: &mut impl Sink) {
        put_string(&self.public_key, sink);
        put_string(&self.peer_id, sink);
        self.signature.put(sink);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        let public_key = input.string(PUBLIC_KEY_BYTES, "the public key")?.to_vec();
        let peer_id = input.string(PEER_ID_BYTES_MAX, "the peer id")?.to_vec();
        Ok(Self::new(public_key, peer_id, Wire::read(input)?))
    }
}

impl Wire for ProposedValue<EngineContext> {
    fn put(&self, sink: &mut impl Sink) {
        self.height.put(sink);
        put_round(self.round, sink);
        self.valid_round.put(sink);
        self.proposer.put(sink);
        self.value.put(sink);
        sink.put(&[u8::from(self.validity.is_valid())]);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        Ok(Self {
            height: Wire::read(input)?,
            round: read_round(input)?,
            valid_round: Wire::read(input)?,
            proposer: Wire::read(input)?,
            value: Wire::read(input)?,
            validity: match input.u8("the validity")? {
                0 => Validity::Invalid,
                1 => Validity::Valid,
                found => return Err(WireError::Tag { what: "the validity", found }),
            },
        })
    }
}
