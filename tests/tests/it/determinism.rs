//! The same blocks give the same roots: on a state that lives on, on one that is rebuilt from its
//! records after every block, and whichever way signatures are verified.

use std::collections::BTreeMap;

use cets_contracts::block::{Block, execute_block};
use cets_contracts::crypto::{self, KnownKeys, SignedMessage};
use cets_contracts::log::LogFrontier;
use cets_contracts::state::{State, StoredRecord};
use cets_contracts::tx::{Transaction, VerifiedTransaction};
use cets_contracts::types::{PublicKey, Signature};
use cets_tests::fixture;
use cets_tests::workload::{Chooser, Run, number_from_environment};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use ed25519_zebra::VerificationKey;
use sha2::{Digest, Sha512};

/// Blocks that both states execute.
const BLOCKS: u64 = 60;

#[test]
fn a_state_rebuilt_after_every_block_keeps_the_same_roots() {
    let seed = number_from_environment("SEED", 55);
    let mut run = Run::new(seed);
    run.keep_blocks();
    let mut rebuilt = run.state.clone();
    for _ in 0..BLOCKS {
        run.block();
    }
    for block in run.kept_blocks() {
        let header = &block.header;
        let transactions = block.transactions.iter().map(|bytes| {
            VerifiedTransaction::assume_verified(Transaction::decode(bytes.clone()).unwrap())
        });
        let transactions: Vec<_> = transactions.collect();
        // Decoding the block as another node receives it changes nothing.
        assert_eq!(Block::decode(&block.encode()).unwrap(), *block);
        let executed = execute_block(&rebuilt, header, &transactions).unwrap();
        assert_eq!(executed.header, *header);
        cets_contracts::block::commit_block(&mut rebuilt, executed).unwrap();
        rebuilt = restart(&rebuilt);
        assert_eq!(rebuilt.root(), header.state_root);
        assert_eq!(rebuilt.tip.block_id, header.id());
    }
    assert_eq!(rebuilt.root(), run.state.root());
    assert_eq!(rebuilt.log.root(), run.state.log.root());
}

/// What a restart does: the records come back from disk, everything else follows from them.
fn restart(state: &State) -> State {
    let records: BTreeMap<Vec<u8>, StoredRecord> =
        state.records().map(|(key, record)| (key.to_vec(), record.clone())).collect();
    let log: LogFrontier = state.log.clone();
    State::rebuild(records, log, state.tip).unwrap()
}

#[test]
fn a_header_with_another_root_is_refused() {
    let mut run = Run::new(3);
    run.keep_blocks();
    let before = run.state.clone();
    run.block();
    let block = run.kept_blocks()[0].clone();
    let transactions: Vec<_> = block
        .transactions
        .iter()
        .map(|bytes| {
            VerifiedTransaction::assume_verified(Transaction::decode(bytes.clone()).unwrap())
        })
        .collect();
    let mut header = block.header.clone();
    assert!(execute_block(&before, &header, &transactions).is_ok());
    header.state_root = before.root();
    assert!(execute_block(&before, &header, &transactions).is_err());
    assert!(execute_block(&before, &block.header, &transactions[1..]).is_err());
}

/// The eight points of small order, in every encoding that ZIP-215 accepts.
fn small_order_encodings() -> Vec<[u8; 32]> {
    let mut encodings = Vec::new();
    for torsion in curve25519_dalek::constants::EIGHT_TORSION {
        let canonical = torsion.compress().to_bytes();
        encodings.push(canonical);
        let mut sign = canonical;
        sign[31] ^= 0x80;
        // y + p, where it still fits into 255 bits: y is 0 or 1 for these points.
        let mut large = canonical;
        if canonical[1..31].iter().all(|byte| *byte == 0) {
            large = [0xff; 32];
            large[0] = 0xed + canonical[0];
            large[31] = 0x7f;
        }
        let mut both = large;
        both[31] ^= 0x80;
        for other in [sign, large, both] {
            if CompressedEdwardsY(other).decompress().is_some_and(|it| it.is_small_order()) {
                encodings.push(other);
            }
        }
    }
    encodings.sort_unstable();
    encodings.dedup();
    encodings
}

/// A signature whose key and nonce point carry torsion: A' = aB + T, R' = rB + U.
fn torsion_signature(
    chooser: &mut Chooser,
    message: &[u8],
    torsions: (usize, usize),
) -> (PublicKey, Signature) {
    let points = curve25519_dalek::constants::EIGHT_TORSION;
    let (a, r) = (Scalar::from_bytes_mod_order(chooser.bytes()), chooser.bytes());
    let r = Scalar::from_bytes_mod_order(r);
    let key = (EdwardsPoint::mul_base(&a) + points[torsions.0]).compress().to_bytes();
    let nonce = (EdwardsPoint::mul_base(&r) + points[torsions.1]).compress().to_bytes();
    let hash = Sha512::new().chain_update(nonce).chain_update(key).chain_update(message);
    let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&nonce);
    signature[32..].copy_from_slice((r + k * a).as_bytes());
    (PublicKey::new(key), Signature::new(signature))
}

/// Every verdict alone is the verdict within any batch.
fn agree(all: &[(PublicKey, Signature, Vec<u8>)]) -> Vec<bool> {
    let signed: Vec<SignedMessage<'_>> = all
        .iter()
        .map(|(key, signature, message)| SignedMessage { key, signature, message })
        .collect();
    let single: Vec<bool> = signed.iter().map(crypto::verify).collect();
    let mut known = KnownKeys::new();
    for _ in 0..2 {
        assert_eq!(crypto::verify_each(&signed, &mut known), single);
    }
    assert_eq!(crypto::verify_each(&signed, &mut KnownKeys::none()), single);
    assert_eq!(crypto::verify_all(&signed), single.iter().all(|good| *good));
    for (at, one) in signed.iter().enumerate() {
        assert_eq!(crypto::verify_each(std::slice::from_ref(one), &mut known), [single[at]]);
    }
    single
}

#[test]
fn single_and_batch_verification_agree_on_small_order_keys_and_nonces() {
    let encodings = small_order_encodings();
    assert!(encodings.len() >= 14, "{}", encodings.len());
    let mut all = Vec::new();
    for key in &encodings {
        for nonce in &encodings {
            let mut signature = [0; 64];
            signature[..32].copy_from_slice(nonce);
            all.push((PublicKey::new(*key), Signature::new(signature), b"zip215".to_vec()));
        }
    }
    // With s = 0 the cofactored equation holds for every pair of small-order points.
    assert!(agree(&all).iter().all(|good| *good));
}

#[test]
fn single_and_batch_verification_agree_on_mixed_order_keys_and_nonces() {
    let mut chooser = Chooser::new(number_from_environment("SEED", 215));
    let mut all = Vec::new();
    for key_torsion in 0..8 {
        for nonce_torsion in 0..8 {
            let message = chooser.bytes().to_vec();
            let torsions = (key_torsion, nonce_torsion);
            let (key, signature) = torsion_signature(&mut chooser, &message, torsions);
            all.push((key, signature, message));
        }
    }
    assert!(agree(&all).iter().all(|good| *good), "ZIP-215 accepts torsion components");
    // Among honest and spoiled ones the verdicts stay the same, in any order.
    for round in 0..20u64 {
        let mut mixed = all.clone();
        for entry in &mut mixed {
            if chooser.percent(20) {
                let mut bytes = *entry.1.as_bytes();
                bytes[chooser.below(64) as usize] ^= 1 << chooser.below(8);
                entry.1 = Signature::new(bytes);
            }
        }
        mixed.rotate_left(round as usize);
        let good = agree(&mixed).iter().filter(|good| **good).count();
        assert!(good >= 20 && good < mixed.len() || round > 0, "{good}");
    }
}

#[test]
fn malleable_and_malformed_signatures_are_refused_alike() {
    let mut chooser = Chooser::new(7);
    let message = b"message".to_vec();
    let (key, signature) = torsion_signature(&mut chooser, &message, (0, 0));
    // s + l is the same scalar in another encoding; it must not be a second signature.
    let order = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10u8,
    ];
    let mut large = *signature.as_bytes();
    let mut carry = 0u16;
    for (at, byte) in order.iter().enumerate() {
        let sum = u16::from(large[32 + at]) + u16::from(*byte) + carry;
        large[32 + at] = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    let no_point = (2u8..).map(|y| {
        let mut bytes = [0; 32];
        bytes[0] = y;
        bytes
    });
    let no_point =
        no_point.take(50).find(|bytes| CompressedEdwardsY(*bytes).decompress().is_none()).unwrap();
    let all = vec![
        (key, signature, message.clone()),
        (key, Signature::new(large), message.clone()),
        (PublicKey::new(no_point), signature, message.clone()),
        (key, signature, b"another".to_vec()),
    ];
    assert_eq!(agree(&all), [true, false, false, false]);
    assert!(VerificationKey::try_from(no_point).is_err());
    assert!(EdwardsPoint::identity().is_small_order());
    let honest = fixture::public_key("someone");
    assert!(VerificationKey::try_from(*honest.as_bytes()).is_ok());
}
