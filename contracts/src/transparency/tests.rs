//! The formats against the examples of their specifications, and against every lie.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::collections::BTreeMap;

use ed25519_zebra::SigningKey;

use super::*;
use crate::block::{Header, LogEntry, Validator, ValidatorSet};
use crate::crypto::{self, SignedMessage};
use crate::log::{LogFrontier, LogHash, LogProofError, NodeReader, inclusion_proof, leaf_hash};
use crate::types::*;

/// Example of `signed-note`, verbatim.
const NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo \
    Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
const NOTE_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

/// Example of `tlog-cosignature`, verbatim.
const COSIGNED: &str = "example.com/behind-the-sofa\n20852163\n\
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
    \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5\
    /Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
    \u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlr\
    DJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from([seed; 32])
}

fn public_key(seed: u8) -> PublicKey {
    let bytes: [u8; 32] = ed25519_zebra::VerificationKeyBytes::from(&signing_key(seed)).into();
    PublicKey::new(bytes)
}

fn validator_set(powers: &[u64]) -> ValidatorSet {
    let member = |(seed, power): (u8, &u64)| Validator {
        name: format!("institution-{seed}"),
        consensus_key: public_key(seed),
        cosigner_key: public_key(seed + 100),
        power: *power,
    };
    ValidatorSet::new((1..).zip(powers).map(member).collect()).unwrap()
}

#[derive(Default)]
struct Nodes(BTreeMap<(u8, u64), LogHash>);

impl NodeReader for Nodes {
    fn node(&self, level: u8, index: u64) -> Option<LogHash> {
        self.0.get(&(level, index)).copied()
    }
}

fn header(height: u64) -> LogEntry {
    let zero = Digest::new([0; 32]);
    LogEntry::Header(Header {
        chain_id: ChainId::new([1; 16]),
        height: Height::new(height),
        time: BlockTime::from_millis(1_700_000_000_999 + height),
        proposer: ValidatorAddress::new([2; 20]),
        parent: BlockId::new([3; 32]),
        transactions: zero,
        log_size: height - 1,
        log_root: LogRoot::new([4; 32]),
        state_root: StateRoot::new([5; 32]),
        next_validators: zero,
        parameters: zero,
    })
}

/// A log of headers with a checkpoint at its end.
struct Log {
    entries: Vec<Vec<u8>>,
    nodes: Nodes,
    checkpoint: Checkpoint,
}

fn log(size: u64) -> Log {
    let entries: Vec<Vec<u8>> = (1..=size).map(|height| header(height).encode()).collect();
    let mut frontier = LogFrontier::new();
    let completed = frontier.append_all(entries.iter().map(|entry| leaf_hash(entry)));
    let nodes = completed.into_iter().map(|node| ((node.level, node.index), node.hash));
    let origin = origin("demo", ChainId::new([1; 16]));
    let checkpoint = Checkpoint::of(origin, &frontier);
    Log { entries, nodes: Nodes(nodes.collect()), checkpoint }
}

/// Cosignatures of the first so many members, in canonical order.
fn cosignatures(checkpoint: &Checkpoint, set: &ValidatorSet, count: usize) -> Vec<Cosignature> {
    let cosign = |member: &Validator| {
        let seed = (1..100).find(|seed| public_key(seed + 100) == member.cosigner_key).unwrap();
        let sign =
            |message: &[u8]| Signature::new(signing_key(seed + 100).sign(message).to_bytes());
        Cosignature::sign(checkpoint, BlockTime::from_millis(1_700), member.cosigner_key, sign)
    };
    set.members().iter().take(count).map(cosign).collect()
}

fn cosigned(log: &Log, set: &ValidatorSet, count: usize) -> Note {
    let cosignatures = cosignatures(&log.checkpoint, set, count);
    log.checkpoint.cosigned(set, &cosignatures).unwrap()
}

#[test]
fn the_example_note_of_the_specification_verifies() {
    let note: Note = NOTE.parse().unwrap();
    assert_eq!(note.to_string(), NOTE);
    let key: VerifierKey = NOTE_KEY.parse().unwrap();
    assert_eq!(key.to_string(), NOTE_KEY);
    assert_eq!(key.kind(), SignatureKind::Note);
    let [line] = note.signatures() else { panic!("one line") };
    assert!(line.is_by(&key));
    let signature = Signature::new(line.bytes.clone().try_into().unwrap());
    let message = note.text().as_bytes();
    assert!(crypto::verify(&SignedMessage { key: key.key(), signature: &signature, message }));
}

#[test]
fn the_example_checkpoint_of_the_specification_reads_and_writes_back() {
    let note: Note = COSIGNED.parse().unwrap();
    assert_eq!(note.to_string(), COSIGNED);
    let checkpoint: Checkpoint = note.text().parse().unwrap();
    assert_eq!(checkpoint.origin, "example.com/behind-the-sofa");
    assert_eq!(checkpoint.size, 20_852_163);
    assert_eq!(checkpoint.to_string(), note.text());
    let cosignature = &note.signatures()[1];
    let (time, _) = cosignature.bytes.split_first_chunk::<8>().unwrap();
    assert_eq!(u64::from_be_bytes(*time), 1_679_315_147);
    let message = cosignature_message(note.text(), 1_679_315_147);
    assert!(message.starts_with(b"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n"));
}

#[test]
fn malformed_notes_are_refused() {
    let parse = |text: &str| text.parse::<Note>().unwrap_err();
    assert_eq!(parse(""), NoteError::Shape);
    assert_eq!(parse("text\n"), NoteError::Shape);
    assert_eq!(parse(NOTE.trim_end()), NoteError::Shape);
    assert_eq!(parse(&NOTE.replace("an example", "an\texample")), NoteError::ControlCharacter);
    assert_eq!(parse(&NOTE.replace('\n', "\r\n")), NoteError::Shape);
    let line = |text: String| assert_eq!(parse(&text), NoteError::SignatureLine { line: 1 });
    line(NOTE.replace('\u{2014}', "-"));
    line(NOTE.replace("example.com/foo ", "example.com/foo+x "));
    line(NOTE.replace("example.com/foo ", " "));
    line(NOTE.replace("aQM=", "aQM"));
    line(NOTE.replace("aQM=", "aQN="));
    line("text\n\n\u{2014} name AAAA\n".to_owned());
    let many = format!("text\n\n{}", "\u{2014} name AAAAAAA=\n".repeat(101));
    assert_eq!(parse(&many), NoteError::TooLarge);
}

#[test]
fn malformed_verifier_keys_are_refused() {
    let parse = |text: &str| text.parse::<VerifierKey>().unwrap_err();
    assert_eq!(parse("name"), NoteError::VerifierKey);
    assert_eq!(parse(&NOTE_KEY.replace("530d903a", "530d903b")), NoteError::VerifierKey);
    assert_eq!(parse(&NOTE_KEY.replace("530d903a", "530D903A")), NoteError::VerifierKey);
    assert_eq!(parse(&NOTE_KEY.replace("foo", "fop")), NoteError::VerifierKey);
    assert_eq!(parse(&NOTE_KEY.replace("3U2k", "")), NoteError::VerifierKey);
    assert_eq!(parse(&NOTE_KEY.replace("+Aeky", "+Auky")), NoteError::Kind { kind: 2 });
    assert_eq!(parse(&NOTE_KEY.replace("example.com/foo", "a b")), NoteError::Name);
}

#[test]
fn malformed_checkpoints_are_refused() {
    let text = log(5).checkpoint.to_string();
    let parse = |text: &str| text.parse::<Checkpoint>().unwrap_err();
    assert_eq!(parse(text.trim_end()), CheckpointError::Shape);
    assert_eq!(parse(&format!("{text}extension\n")), CheckpointError::Shape);
    assert_eq!(parse(&text.replacen("cets", "\n", 1)), CheckpointError::Shape);
    for size in ["05", "+5", "-5", "5 ", "", "18446744073709551616"] {
        let other = text.replace("\n5\n", &format!("\n{size}\n"));
        assert_eq!(parse(&other), CheckpointError::Size, "{size}");
    }
    assert_eq!(parse(&text.replace('=', "")), CheckpointError::Root);
    assert_eq!(parse("origin\n0\nAAAA\n"), CheckpointError::Root);
}

#[test]
fn an_origin_is_a_name_whatever_the_network_is_called() {
    let chain_id = ChainId::new([0xab; 16]);
    let hex = "ab".repeat(16);
    assert_eq!(origin("demo-2021", chain_id), format!("cets-ledger/demo-2021/{hex}"));
    let odd = origin("a b+c/%\u{56fd}", chain_id);
    assert_eq!(odd, format!("cets-ledger/a%20b%2Bc%2F%25%E5%9B%BD/{hex}"));
    for validator in ["a+b", "none", "\u{56fd}"] {
        let name = cosigner_name(&odd, validator);
        assert!(VerifierKey::new(name, SignatureKind::Cosignature, public_key(1)).is_ok());
    }
}

#[test]
fn cosignatures_bind_checkpoint_time_and_key() {
    let log = log(5);
    let set = validator_set(&[1]);
    let [good] = cosignatures(&log.checkpoint, &set, 1)[..] else { panic!("one") };
    assert_eq!(good.seconds, 1, "1,700 ms are one whole second");
    assert!(good.verify(&log.checkpoint));
    assert!(!Cosignature { seconds: 2, ..good }.verify(&log.checkpoint));
    assert!(!Cosignature { cosigner: public_key(7), ..good }.verify(&log.checkpoint));
    assert!(!Cosignature { log_signature: good.signature, ..good }.verify(&log.checkpoint));
    assert!(!Cosignature { signature: good.log_signature, ..good }.verify(&log.checkpoint));
    assert!(!good.verify(&Checkpoint { size: 6, ..log.checkpoint.clone() }));
    assert!(!good.verify(&Checkpoint { origin: "other".to_owned(), ..log.checkpoint }));
}

#[test]
fn a_policy_accepts_2f_plus_1_cosignatures_and_refuses_2f() {
    let log = log(9);
    for (validators, quorum) in [(1, 1), (2, 2), (3, 3), (4, 3), (7, 5), (10, 7), (64, 43)] {
        let set = validator_set(&vec![1; validators]);
        let policy = Policy::of_validators(&log.checkpoint.origin, &set).unwrap();
        for count in [quorum, validators] {
            let accepted = policy.verify(&cosigned(&log, &set, count)).unwrap();
            assert_eq!(accepted.checkpoint, log.checkpoint);
            assert_eq!(accepted.witnesses.len(), count);
            assert!(accepted.witnesses.iter().all(|(_, seconds)| *seconds == 1));
        }
        let short = policy.verify(&cosigned(&log, &set, quorum - 1));
        if quorum == 1 {
            assert!(short.is_err());
        } else {
            let cosigned = quorum - 1;
            let quorum = format!("{quorum} of the {validators} validators");
            assert_eq!(short, Err(PolicyError::NoQuorum { cosigned, size: 9, quorum }));
        }
    }
}

#[test]
fn a_policy_of_unequal_powers_never_accepts_less_than_the_quorum_of_power() {
    for powers in [vec![1, 1, 1, 1], vec![5, 1, 1, 1], vec![3, 3, 2, 2, 2], vec![10, 9, 1]] {
        let set = validator_set(&powers);
        let count = quorum_count(&set);
        let mut sorted = powers.clone();
        sorted.sort_unstable();
        assert!(sorted.iter().take(count).sum::<u64>() >= set.power_quorum(), "{powers:?}");
        assert!(sorted.iter().take(count - 1).sum::<u64>() < set.power_quorum(), "{powers:?}");
    }
}

#[test]
fn a_policy_refuses_other_logs_unsigned_notes_and_damaged_lines() {
    let log = log(9);
    let set = validator_set(&[1; 4]);
    let note = cosigned(&log, &set, 4);
    let origin = &log.checkpoint.origin;
    let policy = Policy::of_validators(origin, &set).unwrap();

    let foreign = Policy::of_validators("other", &set).unwrap();
    let found = origin.clone();
    assert_eq!(foreign.verify(&note), Err(PolicyError::OtherOrigin { found }));

    let lines = note.signatures().to_vec();
    let (witnesses, logs) = lines.split_at(4);
    let unsigned = Note::new(note.text().to_owned(), witnesses.to_vec()).unwrap();
    let error = PolicyError::NoLogSignature { origin: origin.clone() };
    assert_eq!(policy.verify(&unsigned), Err(error));
    let alone = Note::new(note.text().to_owned(), logs.to_vec()).unwrap();
    assert!(matches!(policy.verify(&alone), Err(PolicyError::NoQuorum { cosigned: 0, .. })));

    for position in 0..lines.len() {
        for byte in 0..lines[position].bytes.len() {
            let mut damaged = lines.clone();
            damaged[position].bytes[byte] ^= 1;
            let name = damaged[position].name.clone();
            let note = Note::new(note.text().to_owned(), damaged).unwrap();
            assert_eq!(policy.verify(&note), Err(PolicyError::BadSignature { name, size: 9 }));
        }
    }
    let mut unknown = lines;
    unknown.push(NoteSignature { name: "stranger".to_owned(), id: 7, bytes: vec![1] });
    let note = Note::new(note.text().to_owned(), unknown).unwrap();
    assert!(policy.verify(&note).is_ok(), "lines of unknown keys are ignored");
}

#[test]
fn policies_write_and_read_back() {
    let set = validator_set(&[1; 4]);
    let policy = Policy::of_validators("cets-ledger/demo/00", &set).unwrap();
    let text = policy.to_string();
    assert_eq!(text.parse::<Policy>(), Ok(policy));
    assert_eq!(text.lines().count(), 10);
    let (_, end) = text.split_once("group").unwrap();
    assert!(end.starts_with(" validators 3 validator/institution-"), "{text}");
    assert!(end.ends_with("\nquorum validators\n"), "{text}");
}

#[test]
fn nested_groups_of_a_policy_are_evaluated_as_in_the_specification() {
    let log = log(9);
    let set = validator_set(&[1; 4]);
    let origin = &log.checkpoint.origin;
    let key = |index: usize| witness_key(origin, &set.members()[index]).unwrap();
    let text = format!(
        "# two organizations\n\n  witness X1 {}\nwitness\tX2 {} https://x2.example\nwitness Y1 {}\n\
         witness Y2 {}\ngroup X all X1 X2\ngroup Y any Y1 Y2\ngroup both 2 X Y\nquorum both\n",
        key(0),
        key(1),
        key(2),
        key(3),
    );
    let policy: Policy = text.parse().unwrap();
    let note = cosigned(&log, &set, 4);
    let with = |members: &[usize]| {
        let lines = members.iter().map(|member| note.signatures()[*member].clone());
        Note::new(note.text().to_owned(), lines.collect()).unwrap()
    };
    for (members, accepted) in [
        (&[0, 1, 2][..], true),
        (&[0, 1, 3], true),
        (&[0, 1], false),
        (&[0, 2, 3], false),
        (&[1, 2, 3], false),
        (&[2, 3], false),
    ] {
        assert_eq!(policy.verify(&with(members)).is_ok(), accepted, "{members:?}");
    }
    let none: Policy = "quorum none".parse().unwrap();
    assert!(none.verify(&with(&[0])).is_ok());
}

#[test]
fn malformed_policies_are_refused_with_the_line() {
    let set = validator_set(&[1; 2]);
    let witness = |index: usize| witness_key("o", &set.members()[index]).unwrap();
    let (a, b) = (witness(0), witness(1));
    let log = log_key("o", &set.members()[0]).unwrap();
    let parse = |text: String| text.parse::<Policy>().unwrap_err();
    use PolicyTextError as E;
    assert_eq!(parse(String::new()), E::QuorumLine);
    assert_eq!(parse("quorum none\nquorum none".to_owned()), E::QuorumLine);
    assert_eq!(parse("\nwitless\n".to_owned()), E::Line { line: 2 });
    assert_eq!(parse("quorum none\r\n".to_owned()), E::ControlCharacter { line: 1 });
    assert_eq!(
        parse(format!("witness a {log}")),
        E::Key { line: 1, error: NoteError::Kind { kind: 1 } }
    );
    assert_eq!(parse(format!("log {log}\nlog {log}")), E::Twice { line: 2 });
    assert_eq!(parse(format!("witness a {a}\nwitness a {b}")), E::Twice { line: 2 });
    assert_eq!(parse(format!("witness a {a}\nwitness b {a}")), E::Twice { line: 2 });
    assert_eq!(parse(format!("witness none {a}")), E::Twice { line: 1 });
    assert_eq!(parse("quorum a".to_owned()), E::Undefined { line: 1 });
    assert_eq!(parse(format!("witness a {a}\ngroup g 1 a a")), E::Undefined { line: 2 });
    for threshold in ["0", "2", "01", "-1", "most"] {
        let text = format!("witness a {a}\ngroup g {threshold} a");
        assert_eq!(parse(text), E::Threshold { line: 2 });
    }
    assert_eq!(parse("group g any".to_owned()), E::Line { line: 1 });
}

fn proof(log: &Log, set: &ValidatorSet, index: u64) -> TlogProof {
    TlogProof {
        entry: Some(log.entries[usize::try_from(index).unwrap()].clone()),
        index,
        path: inclusion_proof(&log.nodes, index, log.checkpoint.size).unwrap(),
        checkpoint: cosigned(log, set, 3),
    }
}

#[test]
fn tlog_proofs_of_every_entry_write_read_and_verify() {
    let set = validator_set(&[1; 4]);
    for size in [1, 2, 7, 21] {
        let log = log(size);
        let policy = Policy::of_validators(&log.checkpoint.origin, &set).unwrap();
        for index in 0..size {
            let text = proof(&log, &set, index).to_string();
            let read: TlogProof = text.parse().unwrap();
            assert_eq!(read.to_string(), text);
            let verified = read.verify(&policy).unwrap();
            assert_eq!(verified.entry, header(index + 1));
            assert_eq!(verified.cosigned.checkpoint, log.checkpoint);
        }
    }
}

#[test]
fn tlog_proofs_refuse_other_entries_positions_and_policies() {
    let set = validator_set(&[1; 4]);
    let log = log(21);
    let policy = Policy::of_validators(&log.checkpoint.origin, &set).unwrap();
    let good = proof(&log, &set, 3);
    let other_root = |index| TlogProofError::Inclusion { index, error: LogProofError::OtherRoot };
    let changed = |entry| TlogProof { entry, ..good.clone() }.verify(&policy);
    assert_eq!(changed(Some(log.entries[4].clone())), Err(other_root(3)));
    assert_eq!(changed(None), Err(TlogProofError::NoEntry));
    let moved = TlogProof { index: 2, ..good.clone() };
    assert_eq!(moved.verify(&policy), Err(other_root(2)));
    let strangers = validator_set(&[1; 7]);
    let others = Policy::of_validators(&log.checkpoint.origin, &strangers).unwrap();
    assert!(matches!(good.verify(&others), Err(TlogProofError::Policy(_))));
}

#[test]
fn malformed_tlog_proofs_are_refused_with_the_line() {
    let set = validator_set(&[1; 4]);
    let text = proof(&log(21), &set, 3).to_string();
    let parse = |text: String| text.parse::<TlogProof>().unwrap_err();
    assert_eq!(parse(text.replace("@v1", "@v2")), TlogProofError::FirstLine);
    let line = |text: String| match parse(text) {
        TlogProofError::Line { line, .. } => line,
        other => panic!("{other}"),
    };
    assert_eq!(line(text.replace("extra ", "extra  ")), 2);
    assert_eq!(line(text.replace("index 3", "index 03")), 3);
    assert_eq!(line(text.replace("index 3", "index")), 3);
    assert_eq!(line(text.replace("index 3", "index 3\nAAAA")), 4);
    assert_eq!(line(text.replace("\n\n", "\n")), 1);
    assert!(matches!(parse(text.trim_end().to_owned()), TlogProofError::Note(_)));
}

#[test]
fn bundles_round_trip_and_refuse_what_does_not_fit() {
    let entries: Vec<Vec<u8>> = (0..256usize).map(|length| vec![7; length * 257]).collect();
    for count in [1, 2, 255, 256] {
        let bytes = encode_bundle(&entries[..count]).unwrap();
        assert_eq!(decode_bundle(&bytes).unwrap(), &entries[..count]);
    }
    assert_eq!(entries[255].len(), 65_535);
    let long = [vec![], vec![0; 65_536]];
    assert_eq!(encode_bundle(&long), Err(BundleError::EntryTooLong { position: 1 }));
    assert_eq!(encode_bundle::<&[u8]>(&[]), Err(BundleError::Count));
    assert_eq!(encode_bundle(&vec![[0u8; 1]; 257]), Err(BundleError::Count));
    assert_eq!(decode_bundle(&[]), Err(BundleError::Count));
    assert_eq!(decode_bundle(&[0, 1, 9, 0]), Err(BundleError::Truncated { position: 1 }));
    assert_eq!(decode_bundle(&[0, 2, 9]), Err(BundleError::Truncated { position: 0 }));
    assert_eq!(decode_bundle(&[0; 2 * 257]), Err(BundleError::Count));
}

#[test]
fn bundle_paths_are_those_of_the_specification() {
    assert_eq!(bundle_path(1_234_067, u64::MAX), Some("tile/entries/x001/x234/067".to_owned()));
    assert_eq!(bundle_path(273, 70_000), Some("tile/entries/273.p/112".to_owned()));
    assert_eq!(bundle_path(0, 256), Some("tile/entries/000".to_owned()));
    assert_eq!(bundle_path(1, 256), None);
}
