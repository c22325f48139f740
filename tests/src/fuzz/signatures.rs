//! Batches of signatures, good and bad ones mixed: the batch equation, with keys that are known and
//! without, gives for each of them the verdict that it has alone.
//!
//! An input is a list of orders of four bytes: what is wrong with the signature, who signs, where,
//! and with which value.

use std::cell::RefCell;
use std::sync::LazyLock;

use cets_contracts::crypto::{KnownKeys, SignedMessage, verify, verify_all, verify_each};
use cets_contracts::types::{PublicKey, Signature};
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest as _, Sha512};

use super::sample::{public_key, sign, signing_key};
use super::target::{MIB, Target};

/// The targets of this file.
pub const TARGETS: &[Target] = &[Target::of_bytes("signature", signature)
    .reading(
        "keys and signatures, in batches: changed bits, responses that are not reduced, points of \
         small order and mixed order, encodings that are not canonical, errors that cancel",
    )
    .holding("in a batch, with keys that are known and without, each has the verdict it has alone")
    .up_to(512)
    .within(32 * MIB)
    .weighing(10)
    .from_seeds(signature_seeds)];

/// Signatures of a batch at most.
const BATCH_MAX: usize = 24;
/// Signers with keys of their own.
const SIGNERS: u8 = 6;
/// Bytes of a key and a signature.
const RAW_BYTES: usize = 96;
/// Order of the group of the base point, least byte first.
const GROUP_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// What is wrong with a signature, by the first byte of an order.
const GOOD: u8 = 0;
const COMMITMENT_BIT: u8 = 1;
const RESPONSE_BIT: u8 = 2;
const KEY_BIT: u8 = 3;
const RESPONSE_UNREDUCED: u8 = 4;
const RESPONSE_EXTREME: u8 = 5;
const OTHER_MESSAGE: u8 = 6;
const OTHER_KEY: u8 = 7;
const SMALL_ORDER: u8 = 8;
const SMALL_COMMITMENT: u8 = 9;
const SMALL_KEY: u8 = 10;
const MIXED_ORDER: u8 = 11;
const CANCELLING: u8 = 12;
const TWICE: u8 = 13;
const BEYOND_THE_FIELD: u8 = 14;
const RAW: u8 = 15;
const KINDS: u8 = 16;

/// A signature of a batch, and its verdict where the way it was made says so.
#[derive(Clone, Debug)]
struct Case {
    key: [u8; 32],
    signature: [u8; 64],
    message: Vec<u8>,
    must_be: Option<bool>,
}

/// Verifies a batch.
pub fn signature(bytes: &[u8]) -> bool {
    let cases = cases(bytes);
    let carried: Vec<(PublicKey, Signature)> = cases
        .iter()
        .map(|case| (PublicKey::new(case.key), Signature::new(case.signature)))
        .collect();
    let mut batch: Vec<SignedMessage<'_>> = cases
        .iter()
        .zip(&carried)
        .map(|(case, (key, signature))| SignedMessage { key, signature, message: &case.message })
        .collect();
    let mut alone: Vec<bool> = batch.iter().map(verify).collect();
    for (case, verdict) in cases.iter().zip(&alone) {
        assert!(case.must_be.is_none_or(|wanted| wanted == *verdict), "{verdict}: {case:?}");
    }
    let all = alone.iter().all(|good| *good);
    assert_eq!(verify_all(&batch), all, "without known keys: {cases:?}");
    KNOWN.with_borrow_mut(|known| {
        assert_eq!(verify_each(&batch, known), alone, "with known keys: {cases:?}");
        batch.reverse();
        alone.reverse();
        assert_eq!(verify_each(&batch, known), alone, "reversed, with known keys: {cases:?}");
    });
    !cases.is_empty() && all
}

thread_local! {
    /// Keys that inputs left behind, as a node keeps them as long as it runs.
    static KNOWN: RefCell<KnownKeys> = RefCell::new(KnownKeys::new());
}

fn cases(mut bytes: &[u8]) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    while let Some(([kind, signer, place, value], rest)) = bytes.split_first_chunk::<4>()
        && cases.len() < BATCH_MAX
    {
        let (kind, signer, place, value) = (*kind, *signer, *place, *value);
        bytes = rest;
        match kind % KINDS {
            TWICE => cases.extend(cases.last().cloned()),
            CANCELLING => cases.extend(cancelling(signer, place, value)),
            RAW => {
                let Some((raw, rest)) = bytes.split_first_chunk::<RAW_BYTES>() else { continue };
                bytes = rest;
                cases.push(of_raw(raw, value));
            }
            kind => cases.push(of_order(kind, signer, place, value)),
        }
    }
    cases
}

/// A good signature of one of the signers.
fn good(signer: u8, value: u8) -> Case {
    static GOOD: LazyLock<Vec<Case>> = LazyLock::new(|| {
        let all = (0..SIGNERS).flat_map(|signer| (0..4).map(move |value| (signer, value)));
        let made = all.map(|(signer, value)| {
            let (seed, message) = (signer + 1, vec![value; usize::from(value) * 40]);
            Case {
                key: *public_key(seed).as_bytes(),
                signature: *sign(seed, &message).as_bytes(),
                message,
                must_be: Some(true),
            }
        });
        made.collect()
    });
    GOOD[usize::from(signer % SIGNERS) * 4 + usize::from(value % 4)].clone()
}

fn of_order(kind: u8, signer: u8, place: u8, value: u8) -> Case {
    let mut case = good(signer, value);
    let bit = 1 << (value % 8);
    let small = &SMALL[usize::from(place) % SMALL.len()];
    match kind {
        COMMITMENT_BIT => case.signature[usize::from(place) % 32] ^= bit,
        RESPONSE_BIT => case.signature[32 + usize::from(place) % 32] ^= bit,
        KEY_BIT => case.key[usize::from(place) % 32] ^= bit,
        RESPONSE_UNREDUCED => add(&mut case.signature[32..], &GROUP_ORDER),
        RESPONSE_EXTREME => case.signature[32..].copy_from_slice(&extreme(value)),
        OTHER_MESSAGE => case.message.push(place),
        OTHER_KEY => case.key = good(signer % SIGNERS + 1 + place % (SIGNERS - 1), value).key,
        SMALL_ORDER => return small_order(small, value, vec![place; 9]),
        SMALL_COMMITMENT => case.signature[..32].copy_from_slice(small),
        SMALL_KEY => case.key = *small,
        MIXED_ORDER => return mixed_order(signer, place, value),
        BEYOND_THE_FIELD => return beyond_the_field(case, place, value),
        _ => return case,
    }
    case.must_be = Some(false);
    case
}

/// Points of small order in all encodings, also those that are not canonical.
static SMALL: LazyLock<Vec<[u8; 32]>> = LazyLock::new(|| {
    let mut all: Vec<[u8; 32]> =
        EIGHT_TORSION.iter().map(|point| point.compress().to_bytes()).collect();
    let one = {
        let mut one = [0; 32];
        one[0] = 1;
        one
    };
    let minus_one = above_the_field(-1);
    for y in [one, minus_one, above_the_field(0), above_the_field(1)] {
        for sign in [0, 0x80] {
            let mut written = y;
            written[31] |= sign;
            if !all.contains(&written) {
                all.push(written);
            }
        }
    }
    all
});

/// 2^255 - 19 and a small number.
fn above_the_field(small: i8) -> [u8; 32] {
    let mut written = [0xff; 32];
    written[0] = 0xed_u8.wrapping_add_signed(small);
    written[31] = 0x7f;
    written
}

/// With a key and a commitment of small order, response 0 is a signature of everything.
fn small_order(key: &[u8; 32], value: u8, message: Vec<u8>) -> Case {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&SMALL[usize::from(value) % SMALL.len()]);
    Case { key: *key, signature, message, must_be: Some(true) }
}

/// A signature by whom has the secret of a key to which a point of small order was added, with a
/// commitment to which another was added: only the equation with the cofactor holds.
fn mixed_order(signer: u8, place: u8, value: u8) -> Case {
    let secret = signing_key(signer % SIGNERS + 1).to_scalar();
    let nonce = Scalar::from(u64::from(value) + 1);
    let torsion = |number: u8| EIGHT_TORSION[usize::from(number % 8)];
    let written = |point: EdwardsPoint| point.compress().to_bytes();
    let key = written(ED25519_BASEPOINT_POINT * secret + torsion(place));
    let commitment = written(ED25519_BASEPOINT_POINT * nonce + torsion(place >> 4));
    let message = vec![value; 7];
    let challenge = Sha512::new().chain_update(commitment).chain_update(key);
    let challenge = challenge.chain_update(&message).finalize();
    let response = nonce + Scalar::from_bytes_mod_order_wide(&challenge.into()) * secret;
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&commitment);
    signature[32..].copy_from_slice(response.as_bytes());
    Case { key, signature, message, must_be: Some(true) }
}

/// Two bad signatures whose errors sum up to nothing: a sum without factors would hold.
fn cancelling(signer: u8, place: u8, value: u8) -> [Case; 2] {
    let (mut one, mut other) = (good(signer, 1), good(signer.wrapping_add(place), 2));
    let error = Scalar::from(u64::from(value) + 1);
    let shift = |case: &mut Case, error: Scalar| {
        let response: [u8; 32] = case.signature[32..].try_into().unwrap();
        let moved = Scalar::from_canonical_bytes(response).unwrap() + error;
        case.signature[32..].copy_from_slice(moved.as_bytes());
        case.must_be = Some(false);
    };
    shift(&mut one, error);
    shift(&mut other, -error);
    [one, other]
}

/// A key or a commitment whose ordinate is written with the field's order added.
fn beyond_the_field(mut case: Case, place: u8, value: u8) -> Case {
    let mut written = above_the_field((place % 19).cast_signed());
    written[31] |= value & 0x80;
    match value % 2 {
        0 => case.key = written,
        _ => case.signature[..32].copy_from_slice(&written),
    }
    Case { must_be: Some(false), ..case }
}

fn of_raw(raw: &[u8; RAW_BYTES], value: u8) -> Case {
    let (key, signature) = raw.split_at(32);
    let (key, signature) = (key.try_into().unwrap(), signature.try_into().unwrap());
    Case { key, signature, message: vec![value; usize::from(value % 4) * 40], must_be: None }
}

/// Responses at the ends of what is reduced.
fn extreme(value: u8) -> [u8; 32] {
    let minus_one = |mut number: [u8; 32]| {
        number[0] -= 1;
        number
    };
    let mut one_more = GROUP_ORDER;
    one_more[0] += 1;
    match value % 6 {
        0 => [0; 32],
        1 => minus_one(GROUP_ORDER),
        2 => GROUP_ORDER,
        3 => one_more,
        4 => above_the_field(0),
        _ => [0xff; 32],
    }
}

fn add(number: &mut [u8], other: &[u8; 32]) {
    let mut carried = 0;
    for (digit, more) in number.iter_mut().zip(other) {
        let sum = u16::from(*digit) + u16::from(*more) + carried;
        *digit = sum as u8;
        carried = sum >> 8;
    }
}

fn signature_seeds() -> Vec<Vec<u8>> {
    let batch = |kinds: &[u8]| {
        let orders = kinds.iter().zip(0..);
        orders.flat_map(|(kind, at)| [*kind, at, 3 * at, at + 1]).collect::<Vec<u8>>()
    };
    let small = (0..SMALL.len() as u8).map(|place| [SMALL_ORDER, 0, place, place / 2]);
    let mixed = (0..16).map(|place| [MIXED_ORDER, place, place * 16 + 7 - place % 8, place]);
    let case = good(2, 1);
    let raw = [[RAW, 0, 0, 1].as_slice(), &case.key, &case.signature].concat();
    let every: Vec<u8> = (0..RAW).collect();
    vec![
        batch(&[GOOD; 16]),
        batch(&[GOOD, TWICE, GOOD, TWICE, TWICE]),
        batch(&every),
        batch(&[GOOD, RESPONSE_UNREDUCED, GOOD, RESPONSE_EXTREME, GOOD, RESPONSE_BIT]),
        batch(&[OTHER_KEY, GOOD, KEY_BIT, GOOD, SMALL_KEY, OTHER_MESSAGE]),
        batch(&[COMMITMENT_BIT, SMALL_COMMITMENT, BEYOND_THE_FIELD, GOOD, GOOD, GOOD, GOOD]),
        batch(&[GOOD, CANCELLING, GOOD, CANCELLING, CANCELLING]),
        small.flatten().collect(),
        mixed.flatten().collect(),
        [batch(&[GOOD; 3]), raw.clone(), raw].concat(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_spoil_a_signature_gives_the_verdict_it_is_made_for() {
        for kind in 0..RAW {
            let seen = (0..=255).step_by(3).map(|place| {
                let orders =
                    [[kind, place / 7, place, place], [kind, place, place / 3, 255 - place]];
                signature(&orders.concat())
            });
            let accepted = seen.filter(|accepted| *accepted).count();
            let is_accepted = [GOOD, SMALL_ORDER, MIXED_ORDER].contains(&kind);
            assert_eq!(accepted, if is_accepted { 86 } else { 0 }, "kind {kind}");
        }
        assert_eq!(SMALL.len(), 14);
    }
}
