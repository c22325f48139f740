//! Every message round-trips, and nothing but its own encoding is accepted.

use std::fmt::Debug;

use bytes::Bytes;
use cets_contracts::block::{Certificate, CommitSignature, VALIDATORS_MAX};
use cets_contracts::types::{BlockId, Height, Signature, ValidatorAddress};
use malachitebft_app_channel::app::consensus::{LivenessMsg, SignedConsensusMsg};
use malachitebft_app_channel::app::streaming::{StreamContent, StreamId, StreamMessage};
use malachitebft_app_channel::app::types::codec::{Codec, HasEncodedLen};
use malachitebft_app_channel::app::types::core::{
    ExtendedCommitCertificate, ExtendedCommitSignature, NilOrVal, PolkaCertificate, PolkaSignature,
    Round, RoundCertificate, RoundCertificateType, RoundSignature, SignedMessage, ValidatorProof,
    Validity, VoteType,
};
use malachitebft_app_channel::app::types::sync::{RawDecidedValue, Request, Response, Status};
use malachitebft_app_channel::app::types::{PeerId, ProposedValue};
use malachitebft_sync::{ValueRequest, ValueResponse};
use proptest::prelude::*;

use super::fields::ROUND_MAX;
use super::{SyncedBlock, WIRE_VERSION, Wire, WireCodec, WireError};
use crate::context::{
    BlockPart, BlockProposal, BlockValue, BlockVote, EngineAddress, EngineContext, EngineHeight,
    StreamStart,
};

type Ctx = EngineContext;

fn decode<T: Wire>(bytes: &[u8]) -> Result<T, WireError> {
    WireCodec.decode(Bytes::copy_from_slice(bytes))
}

fn encode<T: Wire>(message: &T) -> Vec<u8> {
    WireCodec.encode(message).unwrap().to_vec()
}

/// Round trip, every truncation, one byte more, every other version.
fn strict<T: Wire + Debug>(message: &T) {
    let bytes = encode(message);
    assert_eq!(bytes[0], WIRE_VERSION);
    let again: T = decode(&bytes).unwrap();
    // Not every engine type can be compared; equal bytes of a strict codec are equal values.
    assert_eq!(encode(&again), bytes);
    for length in 0..bytes.len() {
        let cut = decode::<T>(&bytes[..length]);
        assert!(matches!(cut, Err(WireError::Short { .. })), "{length}: {cut:?}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(decode::<T>(&longer).unwrap_err(), WireError::Trailing { count: 1 });
    for found in (0..=u8::MAX).filter(|version| *version != WIRE_VERSION) {
        let mut other = bytes.clone();
        other[0] = found;
        assert_eq!(decode::<T>(&other).unwrap_err(), WireError::Version { found });
    }
}

/// Whatever the bytes, decoding ends, and what it accepts encodes to the same bytes.
fn canonical<T: Wire>(bytes: &[u8]) {
    if let Ok(message) = decode::<T>(bytes) {
        assert_eq!(encode(&message), bytes);
    }
}

fn height() -> impl Strategy<Value = EngineHeight> {
    any::<u64>().prop_map(|height| EngineHeight(Height::new(height)))
}

fn round() -> impl Strategy<Value = u32> {
    0..=ROUND_MAX
}

fn signature() -> impl Strategy<Value = Signature> {
    prop::array::uniform32(any::<u8>()).prop_map(|half| {
        let mut bytes = [0u8; 64];
        bytes[..32].copy_from_slice(&half);
        bytes[32..].copy_from_slice(&half);
        Signature::new(bytes)
    })
}

fn address() -> impl Strategy<Value = EngineAddress> {
    prop::array::uniform20(any::<u8>())
        .prop_map(|bytes| EngineAddress(ValidatorAddress::new(bytes)))
}

fn value() -> impl Strategy<Value = BlockValue> {
    prop::array::uniform32(any::<u8>()).prop_map(|bytes| BlockValue(BlockId::new(bytes)))
}

fn choice() -> impl Strategy<Value = NilOrVal<BlockValue>> {
    prop_oneof![Just(NilOrVal::Nil), value().prop_map(NilOrVal::Val)]
}

fn step() -> impl Strategy<Value = VoteType> {
    prop_oneof![Just(VoteType::Prevote), Just(VoteType::Precommit)]
}

fn vote() -> impl Strategy<Value = SignedMessage<Ctx, BlockVote>> {
    (step(), height(), round(), choice(), address(), signature()).prop_map(
        |(step, height, round, value, voter, signature)| {
            let round = Round::new(round);
            SignedMessage::new(BlockVote { step, height, round, value, voter }, signature)
        },
    )
}

fn proposal() -> impl Strategy<Value = SignedMessage<Ctx, BlockProposal>> {
    (height(), round(), value(), prop::option::of(round()), address(), signature()).prop_map(
        |(height, round, value, polka_round, proposer, signature)| {
            let (round, polka_round) = (Round::new(round), Round::from(polka_round));
            let proposal = BlockProposal { height, round, value, polka_round, proposer };
            SignedMessage::new(proposal, signature)
        },
    )
}

fn polka() -> impl Strategy<Value = PolkaCertificate<Ctx>> {
    let signed = (address(), signature()).prop_map(|(a, s)| PolkaSignature::new(a, s));
    (height(), round(), value(), prop::collection::vec(signed, 0..4)).prop_map(
        |(height, round, value_id, polka_signatures)| PolkaCertificate {
            height,
            round: Round::new(round),
            value_id,
            polka_signatures,
        },
    )
}

fn round_certificate() -> impl Strategy<Value = RoundCertificate<Ctx>> {
    let signed = (step(), choice(), address(), signature())
        .prop_map(|(step, value, a, s)| RoundSignature::new(step, value, a, s));
    let kind = prop_oneof![Just(RoundCertificateType::Skip), Just(RoundCertificateType::Precommit)];
    (height(), round(), kind, prop::collection::vec(signed, 0..4)).prop_map(
        |(height, round, cert_type, round_signatures)| RoundCertificate {
            height,
            round: Round::new(round),
            cert_type,
            round_signatures,
        },
    )
}

fn part() -> impl Strategy<Value = BlockPart> {
    let start = (
        (any::<u64>(), round(), prop::option::of(round())),
        (address(), value(), any::<u64>(), signature()),
    )
        .prop_map(
            |((height, round, polka_round), (proposer, value, block_bytes, signature))| {
                BlockPart::Start(StreamStart {
                    height: Height::new(height),
                    round,
                    polka_round,
                    proposer: proposer.0,
                    block_id: value.0,
                    block_bytes,
                    signature,
                })
            },
        );
    let piece =
        prop::collection::vec(any::<u8>(), 0..64).prop_map(|bytes| BlockPart::Piece(bytes.into()));
    prop_oneof![start, piece]
}

fn stream_message() -> impl Strategy<Value = StreamMessage<BlockPart>> {
    let content = prop_oneof![part().prop_map(StreamContent::Data), Just(StreamContent::Fin)];
    (prop::collection::vec(any::<u8>(), 0..=64), any::<u64>(), content).prop_map(
        |(id, sequence, content)| StreamMessage::new(StreamId::new(id.into()), sequence, content),
    )
}

fn proposed_value() -> impl Strategy<Value = ProposedValue<Ctx>> {
    (height(), round(), prop::option::of(round()), address(), value(), any::<bool>()).prop_map(
        |(height, round, valid_round, proposer, value, valid)| ProposedValue {
            height,
            round: Round::new(round),
            valid_round: Round::from(valid_round),
            proposer,
            value,
            validity: Validity::from_bool(valid),
        },
    )
}

fn decided() -> impl Strategy<Value = RawDecidedValue<Ctx>> {
    let signed = (address(), signature())
        .prop_map(|(address, signature)| ExtendedCommitSignature::new(address, signature, None));
    let signatures = prop::collection::vec(signed, 0..4);
    (height(), round(), value(), signatures, prop::collection::vec(any::<u8>(), 0..64)).prop_map(
        |(height, round, value_id, commit_signatures, block)| {
            let round = Round::new(round);
            let proof = ExtendedCommitCertificate { height, round, value_id, commit_signatures };
            RawDecidedValue::new(block.into(), proof)
        },
    )
}

fn response() -> impl Strategy<Value = Response<Ctx>> {
    (height(), prop::collection::vec(decided(), 0..3))
        .prop_map(|(start, values)| Response::ValueResponse(ValueResponse::new(start, values)))
}

fn certificate() -> impl Strategy<Value = Certificate> {
    let signed = (address(), signature())
        .prop_map(|(address, signature)| CommitSignature { validator: address.0, signature });
    (any::<u64>(), round(), value(), prop::collection::vec(signed, 0..4)).prop_map(
        |(height, round, value, signatures)| Certificate {
            height: Height::new(height),
            round,
            block_id: value.0,
            signatures,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn consensus_messages_are_strict(vote in vote(), proposal in proposal()) {
        strict(&SignedConsensusMsg::<Ctx>::Vote(vote));
        strict(&SignedConsensusMsg::<Ctx>::Proposal(proposal));
    }

    #[test]
    fn liveness_messages_are_strict(
        vote in vote(), polka in polka(), skip in round_certificate(),
    ) {
        strict(&LivenessMsg::<Ctx>::Vote(vote));
        strict(&LivenessMsg::<Ctx>::PolkaCertificate(polka.clone()));
        strict(&LivenessMsg::<Ctx>::SkipRoundCertificate(skip));
        strict(&polka);
    }

    #[test]
    fn block_parts_are_strict(part in part(), message in stream_message()) {
        strict(&part);
        strict(&message);
    }

    #[test]
    fn log_entries_are_strict(value in proposed_value()) {
        strict(&value);
    }

    #[test]
    fn answers_are_strict_and_their_length_is_known(response in response()) {
        strict(&response);
        prop_assert_eq!(WireCodec.encoded_len(&response).unwrap(), encode(&response).len());
    }

    #[test]
    fn synced_blocks_round_trip(certificate in certificate(), block in any::<[u8; 32]>()) {
        let synced = SyncedBlock { certificate, block: Bytes::copy_from_slice(&block) };
        prop_assert_eq!(SyncedBlock::decode(synced.encode()), Ok(synced.clone()));
        let head = synced.encode().len() - block.len();
        for length in 0..head {
            prop_assert!(SyncedBlock::decode(synced.encode().slice(..length)).is_err());
        }
    }

    #[test]
    fn arbitrary_bytes_decode_to_nothing_or_to_what_encodes_to_them(
        mut bytes in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        bytes[0] = WIRE_VERSION;
        canonical::<SignedConsensusMsg<Ctx>>(&bytes);
        canonical::<LivenessMsg<Ctx>>(&bytes);
        canonical::<StreamMessage<BlockPart>>(&bytes);
        canonical::<ProposedValue<Ctx>>(&bytes);
        canonical::<ValidatorProof<Ctx>>(&bytes);
        canonical::<Request<Ctx>>(&bytes);
        canonical::<Response<Ctx>>(&bytes);
    }
}

#[test]
fn status_request_and_proof_are_strict() {
    let key = cets_contracts::types::PublicKey::new(
        ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes(),
    );
    let peer_id: PeerId = crate::peer_id(&key).unwrap().parse().unwrap();
    let at = |height| EngineHeight(Height::new(height));
    let status = Status::<Ctx> { peer_id, tip_height: at(9), history_min_height: at(1) };
    strict(&status);
    strict(&Request::<Ctx>::ValueRequest(ValueRequest::new(at(3)..=at(9))));
    let proof = ValidatorProof::<Ctx>::new(
        key.as_bytes().to_vec(),
        peer_id.to_bytes(),
        Signature::new([3; 64]),
    );
    strict(&proof);
}

#[test]
fn unknown_tags_are_refused() {
    let refused = |bytes: &[u8]| {
        matches!(decode::<SignedConsensusMsg<Ctx>>(bytes), Err(WireError::Tag { .. }))
            && matches!(decode::<LivenessMsg<Ctx>>(bytes), Err(WireError::Tag { .. }))
            && matches!(decode::<BlockPart>(bytes), Err(WireError::Tag { .. }))
    };
    for tag in [0, 4, 5, 255] {
        assert!(refused(&[WIRE_VERSION, tag]));
    }
}

#[test]
fn lengths_and_ranges_are_limited() {
    let list = |count: u32| {
        let mut bytes = vec![WIRE_VERSION];
        bytes.extend_from_slice(&[0; 8 + 4 + 32]);
        bytes.extend_from_slice(&count.to_be_bytes());
        bytes
    };
    let max = u32::try_from(VALIDATORS_MAX).unwrap();
    let refused = decode::<PolkaCertificate<Ctx>>(&list(max + 1)).unwrap_err();
    assert!(matches!(refused, WireError::TooLong { max: VALIDATORS_MAX, .. }));
    let short = decode::<PolkaCertificate<Ctx>>(&list(max)).unwrap_err();
    assert!(matches!(short, WireError::Short { .. }));
    // A piece that claims 4 GiB allocates nothing.
    let piece = [WIRE_VERSION, 2, 0xFF, 0xFF, 0xFF, 0xFF];
    assert!(matches!(decode::<BlockPart>(&piece), Err(WireError::TooLong { .. })));
    let backwards = [&[WIRE_VERSION][..], &2u64.to_be_bytes(), &1u64.to_be_bytes()].concat();
    assert!(matches!(decode::<Request<Ctx>>(&backwards), Err(WireError::Range { .. })));
    let mut round = vec![WIRE_VERSION];
    round.extend_from_slice(&[0; 8]);
    round.extend_from_slice(&(ROUND_MAX + 1).to_be_bytes());
    assert!(matches!(decode::<PolkaCertificate<Ctx>>(&round), Err(WireError::Range { .. })));
}
