//! Measures proofs over a large state: bytes, and the time to verify them.
//!
//! ```sh
//! cargo run --release -p cets-contracts --example proof_bench -- [RANGES] [VALIDATORS]
//! ```
#![allow(clippy::arithmetic_side_effects, clippy::float_arithmetic, clippy::unwrap_used)]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::cast_possible_truncation)]

use std::time::Instant;

use cets_contracts::block::{
    Certificate, CommitSignature, Header, Validator, ValidatorSet, VoteStep, vote_sign_bytes,
};
use cets_contracts::codec;
use cets_contracts::genesis::{ClockRule, Genesis};
use cets_contracts::log::LogFrontier;
use cets_contracts::proof::{
    Anchor, Proof, ProofFile, RecordInclusion, RecordProof, UnitProof, ValidatorChain,
    ValidatorHistory,
};
use cets_contracts::state::{UnitPlace, UnitRange, UnitStatus, keys};
use cets_contracts::tree::{LeafHash, Slot, StateTree};
use cets_contracts::types::{
    AccountId, BlockId, BlockTime, Digest, Height, Instrument, PublicKey, Role, SerialRange,
    Signature,
};
use ed25519_zebra::{SigningKey, VerificationKeyBytes};

const TONNES_PER_RANGE: u64 = 5_000;
const REPEATS: u32 = 1_000;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().unwrap());
    let ranges = arguments.next().unwrap_or(1_000_000);
    let count = u8::try_from(arguments.next().unwrap_or(4)).unwrap();

    let keys: Vec<SigningKey> = (1..=count).map(|seed| SigningKey::from([seed; 32])).collect();
    let genesis = genesis(&keys);
    let set = ValidatorSet::new(genesis.validators.clone()).unwrap();
    let signers = usize::try_from(set.power_quorum()).unwrap();

    let started = Instant::now();
    let leaves = (0..ranges).map(|number| {
        let (key, value) = record(number);
        (Slot::new(number).unwrap(), LeafHash::of(&key, &value))
    });
    let tree = StateTree::rebuild(leaves).unwrap();
    let seconds = started.elapsed().as_secs_f64();
    println!("{ranges} live ranges: tree of depth {} in {seconds:.2} s", tree.depth());

    let anchor = anchor(&genesis, &set, &tree, &keys[..signers]);
    let inclusion = |number: u64| {
        let (key, value) = record(number);
        RecordInclusion { key, value, state: tree.prove(Slot::new(number).unwrap()).unwrap() }
    };
    let middle = ranges / 2;
    let (_, holder) = place(middle);
    let first = middle * TONNES_PER_RANGE + 1;
    let range = SerialRange::inclusive(instrument(), first + 10, first + 99).unwrap();
    let (records, anchor_of) = (vec![inclusion(middle)], || anchor.clone());
    let units = UnitProof { range, holder, records, anchor: anchor_of() };
    let records = (0..16).map(|step| inclusion(step * ranges / 16)).collect();
    let sixteen = RecordProof { records, anchor: anchor_of() };
    for (name, proof) in
        [("units of one record", Proof::Units(units)), ("16 records", Proof::Records(sixteen))]
    {
        measure(
            name,
            &genesis,
            signers,
            ProofFile { validators: ValidatorChain::default(), proof },
        );
    }
}

fn measure(name: &str, genesis: &Genesis, signers: usize, file: ProofFile) {
    let (bytes, text) = (file.encode(), file.to_text());
    let history = ValidatorHistory::new(genesis).unwrap();
    let started = Instant::now();
    for _ in 0..REPEATS {
        ProofFile::decode(&bytes).unwrap().proof.verify(&history).unwrap();
    }
    let decoded = started.elapsed() / REPEATS;
    let started = Instant::now();
    for _ in 0..REPEATS {
        ProofFile::from_text(&text).unwrap().verify(genesis).unwrap();
    }
    let whole = started.elapsed() / REPEATS;
    println!(
        "{name}, header, {signers} signatures: {} bytes, as text {} bytes; decoded and verified \
         in {decoded:?}, from text and genesis in {whole:?}",
        bytes.len(),
        text.len(),
    );
}

fn instrument() -> Instrument {
    Instrument::Cea("2021".parse().unwrap())
}

fn place(number: u64) -> (UnitStatus, AccountId) {
    let holder = AccountId::new(Role::KeyEmittingEntity, number % 2_257 + 1).unwrap();
    (UnitStatus::Free, holder)
}

fn record(number: u64) -> (Vec<u8>, Vec<u8>) {
    let (status, holder) = place(number);
    let start = number * TONNES_PER_RANGE + 1;
    let range = UnitRange { end: start + TONNES_PER_RANGE, place: UnitPlace { holder, status } };
    let key = keys::unit_range(&instrument(), start).into_bytes();
    (key, codec::encode(&range))
}

fn public_key(key: &SigningKey) -> PublicKey {
    PublicKey::new(VerificationKeyBytes::from(key).into())
}

fn genesis(keys: &[SigningKey]) -> Genesis {
    let validator = |(number, key): (u8, &SigningKey)| Validator {
        name: format!("institution-{number}"),
        consensus_key: public_key(key),
        cosigner_key: public_key(&SigningKey::from([number + 100; 32])),
        power: 1,
    };
    Genesis {
        network: "measurement".to_owned(),
        time: BlockTime::from_millis(0),
        business_date: "2021-07-16".parse().unwrap(),
        clock: ClockRule::ByOrder,
        block_interval_millis: 0,
        validators: (1..).zip(keys).map(validator).collect(),
        accounts: vec![],
        parameters: vec![],
    }
}

fn anchor(
    genesis: &Genesis,
    set: &ValidatorSet,
    tree: &StateTree,
    signers: &[SigningKey],
) -> Anchor {
    let header = Header {
        chain_id: genesis.chain_id(),
        height: Height::new(1_000_000),
        time: BlockTime::from_millis(1_700_000_000_000),
        proposer: set.members()[0].address(),
        parent: BlockId::new([1; 32]),
        transactions: Digest::new([2; 32]),
        log_size: 123_456_789,
        log_root: LogFrontier::new().root(),
        state_root: tree.root(),
        next_validators: set.digest(),
        parameters: Digest::new([3; 32]),
    };
    let (height, block_id) = (header.height, header.id());
    let message = vote_sign_bytes(header.chain_id, VoteStep::Precommit, height, 0, Some(block_id));
    let signature = |key: &SigningKey| CommitSignature {
        validator: set
            .members()
            .iter()
            .find(|member| member.consensus_key == public_key(key))
            .unwrap()
            .address(),
        signature: Signature::new(key.sign(&message).to_bytes()),
    };
    let signatures = signers.iter().map(signature).collect();
    Anchor { certificate: Certificate { height, round: 0, block_id, signatures }, header }
}
