//! What validators say to each other: the codec of consensus, block streams and the log.

use bytes::Bytes;
use cets_consensus::simulation::{
    MessageKind, PartStreams, log_content, log_findings, read_log, response_length,
};
use cets_contracts::block::{BLOCK_BYTES_MAX, CommitSignature};
use cets_contracts::types::Height;

use super::sample::{self, ledger};
use super::target::{KIB, MIB, Target};

/// The targets of this file.
pub const TARGETS: &[Target] = &[
    Target::of_bytes("consensus", consensus)
        .reading(
            "votes, proposals, parts, certificates, status, requests, synced blocks: every \
             message of the engine",
        )
        .weighing(2_400)
        .from_seeds(consensus_seeds),
    Target::of_bytes("streams", streams)
        .reading("sequences of block parts from several peers")
        .holding("blocks have the announced size; what is held is what was counted, in its limit")
        .up_to(8 * KIB)
        .weighing(300)
        .from_seeds(stream_seeds),
    Target::of_bytes("consensus-log", consensus_log)
        .reading("consensus logs (WAL), torn or damaged")
        .holding(
            "what the check finds sound the engine reads to the last entry; what it cannot read it \
             cuts off, and reads the rest again",
        )
        .up_to(4 * KIB)
        .weighing(200)
        .from_seeds(log_seeds),
];

/// Reads a message: a byte for its kind, then its bytes.
pub fn consensus(bytes: &[u8]) -> bool {
    let Some((kind, rest)) = bytes.split_first() else { return false };
    let kind = MessageKind::ALL[usize::from(*kind) % MessageKind::ALL.len()];
    let message = Bytes::copy_from_slice(rest);
    let Some(again) = kind.reencode(&message) else { return false };
    assert!(again == message, "{kind:?}: accepted bytes that are not canonical");
    if kind == MessageKind::Response {
        assert_eq!(response_length(&message), Some(message.len()));
    }
    true
}

/// Most bytes of open streams and waiting blocks.
const HELD_MAX: usize = 16 * BLOCK_BYTES_MAX;

/// Feeds messages: a byte for the publisher, two for the length, the message. A publisher above
/// 127 stands for a committed block.
pub fn streams(mut bytes: &[u8]) -> bool {
    let mut streams = PartStreams::default();
    let (mut tip, mut complete) = (Height::GENESIS, false);
    while let [publisher, high, low, rest @ ..] = bytes {
        if *publisher > 127 {
            tip = tip.next();
            streams.commit(tip);
        }
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (message, after) = rest.split_at(length);
        let message = Bytes::copy_from_slice(message);
        if let Some((announced, found)) = streams.take(tip, publisher % 8, &message) {
            assert_eq!(announced, found as u64);
            complete = true;
        }
        let (held, counted) = streams.bytes_held();
        assert_eq!(held, counted);
        assert!(held <= HELD_MAX);
        bytes = after;
    }
    complete
}

/// Reads a consensus log.
pub fn consensus_log(bytes: &[u8]) -> bool {
    // The engine alone, as if nobody had looked before.
    if let Ok(read) = read_log(bytes) {
        let again = read_log(&read.content).expect("a log that was opened opens again");
        assert!(read.entries.starts_with(&again.entries), "{read:?} {again:?}");
        assert!(read.entries.len() - again.entries.len() <= 1, "{read:?} {again:?}");
    }
    let Some(found) = log_findings(bytes) else { return false };
    assert_eq!(found.height.is_none(), found.sound_bytes == 0);
    assert_eq!(found.sound_bytes + found.torn_bytes, bytes.len());
    if found.height.is_none() {
        return true;
    }
    let sound = &bytes[..found.sound_bytes];
    let read = read_log(sound).expect("a sound log opens");
    assert_eq!(read.entries.len() as u64, found.entries, "{found:?} {read:?}");
    assert_eq!(read.content, sound, "a sound log is left as it is");
    let again = log_findings(sound).expect("the sound part of a log is sound");
    assert_eq!(again.torn_bytes, 0);
    true
}

/// A message of a kind as an input.
fn of(kind: MessageKind, message: &[u8]) -> Vec<u8> {
    let number = MessageKind::ALL.iter().position(|known| *known == kind).unwrap();
    [&[number as u8, 1], message].concat()
}

const HEIGHT: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 2];
const ROUND: [u8; 4] = [0, 0, 0, 1];

/// One or two of each message, written out field by field.
pub fn consensus_seeds() -> Vec<Vec<u8>> {
    let anchor = &ledger().at(2).anchor;
    let block = anchor.header.id();
    let signers = anchor.certificate.signatures.iter();
    let signers = signers.map(|CommitSignature { validator, signature }| {
        [validator.as_bytes().as_slice(), signature.as_bytes()].concat()
    });
    let signers: Vec<Vec<u8>> = signers.collect();
    let (address, signature) = signers[0].split_at(20);
    let list = [&(signers.len() as u32).to_be_bytes()[..], &signers.concat()].concat();
    let vote =
        |step: u8, value: &[u8]| [&[step], &HEIGHT[..], &ROUND, value, address, signature].concat();
    let some_value = [&[1], block.as_bytes().as_slice()].concat();
    let (prevote, nil) = (vote(1, &some_value), vote(2, &[0]));
    let proposal = [&HEIGHT[..], &ROUND, block.as_bytes(), &[1], &ROUND, address, signature];
    let proposal = proposal.concat();
    let certificate = [&HEIGHT[..], &ROUND, block.as_bytes(), &list].concat();
    let one = |kind: u8, message: &[u8]| [&[kind], message].concat();
    let round_signature = [&[1], some_value.as_slice(), address, signature].concat();
    let round = [&HEIGHT[..], &ROUND, &[1], &[0, 0, 0, 1], &round_signature].concat();
    let carried = ledger().at(2).block.encode();
    let length = (carried.len() as u32).to_be_bytes();
    let synced = [certificate.as_slice(), &length, &carried].concat();
    let peer = [&[0, 0, 0, 34, 0x12, 0x20], [7u8; 32].as_slice()].concat();
    let key = [&[0, 0, 0, 32], sample::public_key(1).as_bytes().as_slice()].concat();
    let mut seeds = vec![
        of(MessageKind::Consensus, &one(1, &prevote)),
        of(MessageKind::Consensus, &one(2, &proposal)),
        of(MessageKind::Liveness, &one(1, &nil)),
        of(MessageKind::Liveness, &one(2, &certificate)),
        of(MessageKind::Liveness, &one(3, &round)),
        of(MessageKind::Status, &[&peer[..], &HEIGHT, &HEIGHT].concat()),
        of(MessageKind::Request, &[HEIGHT, HEIGHT].concat()),
        of(MessageKind::Response, &[&HEIGHT[..], &[0, 0, 0, 1], &synced].concat()),
        of(MessageKind::Response, &[&HEIGHT[..], &[0, 0, 0, 0]].concat()),
        of(
            MessageKind::ProposedValue,
            &[&HEIGHT[..], &ROUND, &[0], address, block.as_bytes(), &[1]].concat(),
        ),
        of(MessageKind::ValidatorProof, &[&key[..], &peer, signature].concat()),
        of(MessageKind::PolkaCertificate, &certificate),
        of(MessageKind::RoundCertificate, &round),
        of(MessageKind::CommitCertificate, &certificate),
    ];
    seeds.extend(parts(1, &carried).into_iter().map(|part| of(MessageKind::Part, &part[1..])));
    let synced = [certificate.as_slice(), &carried].concat();
    let number = MessageKind::ALL.iter().position(|it| *it == MessageKind::SyncedBlock).unwrap();
    seeds.push([&[number as u8], synced.as_slice()].concat());
    seeds
}

/// The messages of a stream that carries a block in two pieces.
fn parts(stream: u8, block: &[u8]) -> Vec<Vec<u8>> {
    let header = |sequence: u64, rest: &[u8]| {
        [&[1, 0, 0, 0, 1, stream][..], &sequence.to_be_bytes(), rest].concat()
    };
    let anchor = &ledger().at(2).anchor;
    let block_id = anchor.header.id();
    let start = [
        &[1, 1][..],
        &HEIGHT,
        &ROUND,
        &[0],
        anchor.header.proposer.as_bytes(),
        block_id.as_bytes(),
        &(block.len() as u64).to_be_bytes(),
        anchor.certificate.signatures[0].signature.as_bytes(),
    ];
    let (first, second) = block.split_at(block.len() / 2);
    let piece = |bytes: &[u8]| [&[1, 2][..], &(bytes.len() as u32).to_be_bytes(), bytes].concat();
    vec![
        header(0, &start.concat()),
        header(1, &piece(first)),
        header(2, &piece(second)),
        header(3, &[2]),
    ]
}

fn stream_seeds() -> Vec<Vec<u8>> {
    let framed = |publisher: u8, message: &[u8]| {
        let length = u16::try_from(message.len()).unwrap().to_be_bytes();
        [&[publisher], &length[..], message].concat()
    };
    let block = [5u8; 90];
    let straight: Vec<u8> = parts(1, &block).iter().flat_map(|it| framed(1, it)).collect();
    let turned: Vec<u8> = parts(2, &block).iter().rev().flat_map(|it| framed(2, it)).collect();
    let two = parts(1, &block).into_iter().zip(parts(2, &block));
    let mixed: Vec<u8> = two.flat_map(|(a, b)| [framed(1, &a), framed(3, &b)].concat()).collect();
    let commits = [straight.as_slice(), &framed(200, &[]), &turned].concat();
    vec![straight, turned, mixed, commits]
}

fn log_seeds() -> Vec<Vec<u8>> {
    let entries: Vec<Bytes> = consensus_seeds()
        .iter()
        .filter(|seed| seed[0] == 0)
        .map(|seed| {
            let message = &seed[1..];
            let length = (message.len() as u64).to_be_bytes();
            Bytes::from([&[1], &length[..], message].concat())
        })
        .collect();
    let timeout = Bytes::from_static(&[2, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    let all = [entries.as_slice(), &[timeout]].concat();
    let height = Height::new(2);
    vec![
        log_content(height, &[]).unwrap(),
        log_content(height, &entries).unwrap(),
        log_content(height, &all).unwrap(),
    ]
}

const _: () = assert!(HELD_MAX < 256 * MIB);
