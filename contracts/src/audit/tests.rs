//! Light audit, accusations and saved states, over small chains signed here.

use ed25519_zebra::SigningKey;

use super::*;
use crate::block::{
    Block, BlockExecutor, Certificate, CommitSignature, Header, Validator, ValidatorSet, VoteStep,
    commit_block, vote_sign_bytes,
};
use crate::codec;
use crate::crypto::KnownKeys;
use crate::domains;
use crate::genesis::{ClockRule, Genesis};
use crate::proof::{Anchor, ValidatorChain, ValidatorChange};
use crate::transparency::{Checkpoint, Cosignature, Note, origin};
use crate::types::{
    BlockId, BlockTime, Digest, Height, LogRoot, PublicKey, Signature, StateRoot, ValidatorAddress,
};

fn key(seed: u8) -> SigningKey {
    SigningKey::from([seed; 32])
}

fn public(seed: u8) -> PublicKey {
    PublicKey::new(ed25519_zebra::VerificationKeyBytes::from(&key(seed)).into())
}

fn sign(seed: u8, message: &[u8]) -> Signature {
    Signature::new(key(seed).sign(message).to_bytes())
}

/// Validators whose consensus keys have these seeds and whose cosigner keys those 100 above.
fn members(seeds: &[u8]) -> Vec<Validator> {
    let member = |seed: &u8| Validator {
        name: format!("v{seed}"),
        consensus_key: public(*seed),
        cosigner_key: public(seed + 100),
        power: 1,
    };
    seeds.iter().map(member).collect()
}

fn set(seeds: &[u8]) -> ValidatorSet {
    ValidatorSet::new(members(seeds)).unwrap()
}

fn genesis() -> Genesis {
    Genesis {
        network: "audit test".to_owned(),
        time: BlockTime::from_millis(1_000),
        business_date: "2021-07-16".parse().unwrap(),
        clock: ClockRule::ByOrder,
        block_interval_millis: 0,
        validators: members(&[1, 2, 3, 4]),
        accounts: vec![],
        parameters: vec![],
    }
}

fn address(seed: u8) -> ValidatorAddress {
    members(&[seed])[0].address()
}

fn certificate(height: Height, round: u32, block_id: BlockId, seeds: &[u8]) -> Certificate {
    let chain_id = genesis().chain_id();
    let message = vote_sign_bytes(chain_id, VoteStep::Precommit, height, round, Some(block_id));
    let signature =
        |seed: &u8| CommitSignature { validator: address(*seed), signature: sign(*seed, &message) };
    Certificate { height, round, block_id, signatures: seeds.iter().map(signature).collect() }
}

/// A chain of headers; each with the seeds that decide it and the seeds that come next.
fn headers(plan: &[(&[u8], &[u8])]) -> Vec<Anchor> {
    let mut anchors: Vec<Anchor> = Vec::new();
    for (index, (seeds, next)) in (1u64..).zip(plan) {
        let parent = anchors.last().map_or(BlockId::new([0; 32]), |anchor| anchor.header.id());
        let header = Header {
            chain_id: genesis().chain_id(),
            height: Height::new(index),
            time: BlockTime::from_millis(1_000 + index),
            proposer: address(seeds[0]),
            parent,
            transactions: Digest::new([0; 32]),
            log_size: index - 1,
            log_root: LogRoot::new([1; 32]),
            state_root: StateRoot::new([2; 32]),
            next_validators: set(next).digest(),
            parameters: Digest::new([3; 32]),
        };
        let certificate = certificate(header.height, 0, header.id(), seeds);
        anchors.push(Anchor { header, certificate });
    }
    anchors
}

fn follow(anchors: &[Anchor], known: &[&[u8]]) -> Result<LightAuditor, LightAuditError> {
    let mut auditor = LightAuditor::new(&genesis()).unwrap();
    for Anchor { header, certificate } in anchors {
        auditor.check(header.clone(), certificate.clone(), |digest| {
            known.iter().map(|seeds| set(seeds)).find(|set| set.digest() == *digest)
        })?;
    }
    Ok(auditor)
}

const FIRST: &[u8] = &[1, 2, 3, 4];
const SECOND: &[u8] = &[2, 3, 4, 5];

#[test]
fn the_light_audit_follows_a_change_of_validators() {
    let anchors =
        headers(&[(FIRST, FIRST), (FIRST, SECOND), (SECOND, SECOND), (&[3, 4, 5], SECOND)]);
    let auditor = follow(&anchors, &[SECOND]).unwrap();
    let report = auditor.report();
    assert_eq!((report.height, report.signatures), (Height::new(4), 15));
    assert_eq!(report.set_changes, vec![Height::new(3)]);
    assert_eq!(auditor.check_end(Height::new(4)), Ok(()));
    assert!(auditor.check_end(Height::new(5)).is_err());
    let changes = auditor.into_chain().changes;
    let expected = ValidatorChange { anchor: anchors[1].clone(), validators: set(SECOND) };
    assert_eq!(changes, vec![expected]);
}

#[test]
fn the_light_audit_names_the_height_of_every_break() {
    let plan: [(&[u8], &[u8]); 4] =
        [(FIRST, FIRST), (FIRST, SECOND), (SECOND, SECOND), (SECOND, SECOND)];
    let good = headers(&plan);
    let broken = |change: &dyn Fn(&mut Vec<Anchor>)| {
        let mut anchors = good.clone();
        change(&mut anchors);
        follow(&anchors, &[SECOND]).unwrap_err()
    };
    let at = Height::new;
    let error = broken(&|anchors| drop(anchors.remove(1)));
    assert_eq!(error, LightAuditError::Gap { expected: at(2), found: at(3) });
    let error = broken(&|anchors| {
        let id = anchors[1].header.id();
        anchors[1].certificate = certificate(at(2), 0, id, &[1, 2]);
    });
    assert!(matches!(error, LightAuditError::Certificate { height, .. } if height == at(2)));
    // Validators of the set before decide no more.
    let error = broken(&|anchors| {
        let id = anchors[2].header.id();
        anchors[2].certificate = certificate(at(3), 0, id, FIRST);
    });
    assert!(matches!(error, LightAuditError::Certificate { height, .. } if height == at(3)));
    let error = broken(&|anchors| anchors[2].header.parent = BlockId::new([9; 32]));
    assert!(matches!(error, LightAuditError::Parent { height, .. } if height == at(3)));
    let error = broken(&|anchors| anchors[3].header.time = anchors[2].header.time);
    assert_eq!(error, LightAuditError::NotLater { height: at(4), what: "block time" });
    let error = broken(&|anchors| anchors[3].header.log_size = 2);
    assert_eq!(error, LightAuditError::NotLater { height: at(4), what: "log size" });
    let error = follow(&good, &[]).unwrap_err();
    assert!(matches!(error, LightAuditError::SetMissing { height, .. } if height == at(2)));
}

fn file(accusation: Accusation) -> AccusationFile {
    AccusationFile { validators: ValidatorChain::default(), accusation }
}

fn double_vote(seed: u8, first: Option<u8>, second: Option<u8>) -> Accusation {
    let chain_id = genesis().chain_id();
    let signed = |block: Option<u8>| {
        let block = block.map(|id| BlockId::new([id; 32]));
        let message = vote_sign_bytes(chain_id, VoteStep::Prevote, Height::new(7), 1, block);
        SignedBytes { signature: sign(seed, &message), message }
    };
    let (first, second) = (signed(first), signed(second));
    Accusation::Statements { validator: address(seed), first, second }
}

#[test]
fn two_votes_of_one_round_accuse_their_signer() {
    let charge = file(double_vote(3, Some(1), None)).verify(&genesis()).unwrap();
    assert_eq!((charge.name.as_str(), charge.validator), ("v3", address(3)));
    let act = Act::Statements {
        step: "prevote",
        height: Height::new(7),
        round: 1,
        first: Some(BlockId::new([1; 32])),
        second: None,
    };
    assert_eq!(charge.act, act);
    let refused = |accusation| file(accusation).verify(&genesis()).unwrap_err();
    let error = refused(double_vote(3, Some(1), Some(1)));
    assert_eq!(error, AccusationError::NoConflict { what: "they say the same" });
    let error = refused(double_vote(9, Some(1), Some(2)));
    assert!(matches!(error, AccusationError::NotAValidator { .. }));
    let Accusation::Statements { first, second, .. } = double_vote(3, Some(1), Some(2)) else {
        panic!("votes are statements");
    };
    let validator = address(4);
    let other = Accusation::Statements { validator, first: first.clone(), second: second.clone() };
    assert_eq!(refused(other), AccusationError::Signature { which: "first" });
    let validator = address(3);
    let mut forged = second.clone();
    forged.signature = first.signature;
    let forged = Accusation::Statements { validator, first: first.clone(), second: forged };
    assert_eq!(refused(forged), AccusationError::Signature { which: "second" });
    // Another round is no conflict, another chain no statement of this one.
    let changed = |at: usize| {
        let mut message = second.message.clone();
        message[at] ^= 1;
        let second = SignedBytes { signature: sign(3, &message), message };
        refused(Accusation::Statements { validator, first: first.clone(), second })
    };
    let prefix = domains::PREVOTE.len();
    assert!(matches!(changed(prefix), AccusationError::Form { which: "second", .. }));
    assert!(matches!(changed(prefix + 23), AccusationError::NoConflict { .. }));
    assert!(matches!(changed(prefix + 27), AccusationError::NoConflict { .. }));
}

#[test]
fn two_certificates_accuse_who_signed_both_in_one_round() {
    let (one, other) = (BlockId::new([1; 32]), BlockId::new([2; 32]));
    let at = Height::new(5);
    let first = certificate(at, 0, one, &[1, 2, 3]);
    let chain_id = genesis().chain_id();
    let found =
        Accusation::from_certificates(chain_id, &first, &certificate(at, 0, other, &[2, 3, 4]));
    let names = found.into_iter().map(|one| file(one).verify(&genesis()).unwrap().name);
    assert_eq!(names.collect::<Vec<_>>(), ["v2", "v3"]);
    for second in [
        certificate(at, 1, other, &[2, 3, 4]),
        certificate(at.next(), 0, other, &[2, 3, 4]),
        certificate(at, 0, one, &[2, 3, 4]),
    ] {
        assert_eq!(Accusation::from_certificates(chain_id, &first, &second), vec![]);
    }
}

fn cosigned(size: u64, root: u8, seeds: &[u8]) -> Note {
    let origin = origin(&genesis().network, genesis().chain_id());
    let checkpoint = Checkpoint { origin, size, root: LogRoot::new([root; 32]) };
    let time = BlockTime::from_millis(9_000);
    let cosignatures: Vec<Cosignature> = seeds
        .iter()
        .map(|seed| {
            let signer = seed + 100;
            Cosignature::sign(&checkpoint, time, public(signer), |message| sign(signer, message))
        })
        .collect();
    checkpoint.cosigned(&set(FIRST), &cosignatures).unwrap()
}

#[test]
fn two_checkpoints_of_one_size_accuse_their_cosigners() {
    let first = cosigned(12, 1, &[1, 2, 3]);
    let found = Accusation::from_notes([&set(FIRST)], &first, &cosigned(12, 2, &[2, 4]));
    assert_eq!(found.len(), 1);
    let charge = file(found[0].clone()).verify(&genesis()).unwrap();
    assert_eq!((charge.name.as_str(), charge.key), ("v2", public(102)));
    for second in [cosigned(13, 2, &[2, 4]), cosigned(12, 1, &[2, 4]), cosigned(12, 2, &[4])] {
        assert_eq!(Accusation::from_notes([&set(FIRST)], &first, &second), vec![]);
    }
    let mut other = genesis();
    other.network = "another".to_owned();
    assert!(file(found[0].clone()).verify(&other).is_err());
}

#[test]
fn an_accusation_file_round_trips_and_no_character_of_it_may_change() {
    let file = file(double_vote(3, Some(1), Some(2)));
    let text = file.to_text();
    assert!(AccusationFile::is_text(&text));
    assert_eq!(AccusationFile::from_text(&text).unwrap(), file);
    assert_eq!(AccusationFile::from_text(&text.replace('\n', "\r\n")).unwrap(), file);
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        let verdict = AccusationFile::from_text(&changed).and_then(|file| file.verify(&genesis()));
        assert!(verdict.is_err(), "character {at}");
    }
}

/// Blocks without transactions, decided by three of four.
fn empty_blocks(count: u64) -> Vec<StoredBlock> {
    let mut state = genesis().state().unwrap();
    let mut blocks = Vec::new();
    for _ in 0..count {
        let time = state.tip.time.saturating_add_millis(1);
        let executor = BlockExecutor::new(&state, time, address(1)).unwrap();
        let (executed, transactions) = executor.finish().unwrap();
        let header = executed.header.clone();
        let certificate = certificate(header.height, 0, header.id(), &[1, 2, 3]);
        commit_block(&mut state, executed).unwrap();
        blocks.push(StoredBlock {
            block: Block { header, transactions }.encode(),
            certificate: codec::encode(&certificate),
            receipts: vec![],
            events: vec![],
        });
    }
    blocks
}

const AT_END: InvariantSchedule = InvariantSchedule { every_blocks: 0 };

fn check_all(auditor: &mut Auditor, blocks: &[StoredBlock]) {
    let first = auditor.state().tip.height.next();
    for block in PreparedBlock::many(first, blocks.to_vec(), &mut KnownKeys::new()) {
        auditor.check_block(block.unwrap()).unwrap();
    }
}

#[test]
fn a_saved_audit_goes_on_to_the_same_report() {
    let blocks = empty_blocks(6);
    let mut whole = Auditor::new(&genesis(), AT_END).unwrap();
    assert!(whole.snapshot().is_none());
    check_all(&mut whole, &blocks);
    let mut first = Auditor::new(&genesis(), AT_END).unwrap();
    check_all(&mut first, &blocks[..4]);
    let bytes = first.snapshot().unwrap().encode();
    let snapshot = AuditSnapshot::decode(&bytes).unwrap();
    assert_eq!(snapshot.height(), Height::new(4));
    let mut second = Auditor::resume(&genesis(), AT_END, snapshot).unwrap();
    check_all(&mut second, &blocks[4..]);
    let resumed = second.report();
    assert_eq!(resumed.resumed_after, Height::new(4));
    assert_eq!(AuditReport { resumed_after: Height::GENESIS, ..resumed }, whole.report());
}

#[test]
fn a_saved_audit_that_was_changed_is_refused_even_with_a_new_digest() {
    let blocks = empty_blocks(2);
    let mut auditor = Auditor::new(&genesis(), AT_END).unwrap();
    check_all(&mut auditor, &blocks);
    let bytes = auditor.snapshot().unwrap().encode();
    assert_eq!(AuditSnapshot::decode(&bytes[..bytes.len() - 1]).unwrap_err(), ResumeError::Damaged);
    let content = bytes.len() - 32;
    let mut accepted = 0;
    for at in 20..content {
        let mut changed = bytes[..content].to_vec();
        changed[at] ^= 1;
        let digest = blake3::hash(&changed);
        changed.extend_from_slice(digest.as_bytes());
        let resumed = AuditSnapshot::decode(&changed)
            .map_err(AuditError::from)
            .and_then(|snapshot| Auditor::resume(&genesis(), AT_END, snapshot));
        // Only the counters, which prove nothing, may say something else.
        accepted += usize::from(resumed.is_ok());
    }
    assert_eq!(accepted, 4 * 8, "four counters of eight bytes");
    let mut other = genesis();
    other.network = "another".to_owned();
    let snapshot = AuditSnapshot::decode(&bytes).unwrap();
    let error = Auditor::resume(&other, AT_END, snapshot).unwrap_err();
    assert!(matches!(error, AuditError::Resume(ResumeError::Certificate(_))), "{error}");
}
