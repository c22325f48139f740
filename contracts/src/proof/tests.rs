//! Proofs over a small ledger that is put together by hand: every claim, and every lie.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::collections::BTreeMap;

use ed25519_zebra::SigningKey;

use super::*;
use crate::block::{
    Certificate, CertificateError, CommitSignature, EventRecord, Header, LogEntry, Outcome,
    Receipt, Validator, ValidatorSet, VoteStep, vote_sign_bytes,
};
use crate::codec;
use crate::genesis::{ClockRule, Genesis};
use crate::log::{LogFrontier, LogHash, LogProof, LogProofError, NodeReader, leaf_hash, root_at};
use crate::rules::allowances::transfer::{Transfer, Transferred};
use crate::rules::{Effects, Event, Payload, Reject, UnitMovement};
use crate::state::{
    Account, AccountStatus, Funds, Key, StatusKind, Table, UnitPlace, UnitRange, UnitStatus, keys,
};
use crate::tree::{LeafHash, Slot, StateProofError, StateTree};
use crate::tx::{SignedTransaction, TxBody};
use crate::types::*;

const CEA: Instrument = Instrument::Cea(Vintage::CYCLE_2019_2020);

fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from([seed; 32])
}

fn public_key(seed: u8) -> PublicKey {
    let bytes: [u8; 32] = ed25519_zebra::VerificationKeyBytes::from(&signing_key(seed)).into();
    PublicKey::new(bytes)
}

fn sign(seed: u8, message: &[u8]) -> Signature {
    Signature::new(signing_key(seed).sign(message).to_bytes())
}

/// Validators whose consensus keys come from these seeds.
fn validators(seeds: &[u8]) -> Vec<Validator> {
    let validator = |seed: &u8| Validator {
        name: format!("v{seed}"),
        consensus_key: public_key(*seed),
        cosigner_key: public_key(seed + 100),
        power: 1,
    };
    seeds.iter().map(validator).collect()
}

fn genesis() -> Genesis {
    Genesis {
        network: "proofs".to_owned(),
        time: BlockTime::from_millis(1_000),
        business_date: "2021-07-16".parse().unwrap(),
        clock: ClockRule::ByOrder,
        block_interval_millis: 0,
        validators: validators(&[1, 2, 3, 4]),
        accounts: vec![],
        parameters: vec![],
    }
}

fn account(number: u64) -> AccountId {
    AccountId::new(Role::KeyEmittingEntity, number).unwrap()
}

fn free(number: u64) -> UnitPlace {
    UnitPlace { holder: account(number), status: UnitStatus::Free }
}

fn range(start: u64, end: u64) -> SerialRange {
    SerialRange::new(CEA, start, end).unwrap()
}

#[derive(Default)]
struct Nodes(BTreeMap<(u8, u64), LogHash>);

impl NodeReader for Nodes {
    fn node(&self, level: u8, index: u64) -> Option<LogHash> {
        self.0.get(&(level, index)).copied()
    }
}

/// A ledger put together by hand: entries, records, and headers over them.
struct World {
    genesis: Genesis,
    log: LogFrontier,
    nodes: Nodes,
    entries: Vec<Vec<u8>>,
    /// Event records by position of the entry.
    events: BTreeMap<usize, Vec<u8>>,
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    headers: Vec<Header>,
    salt: u64,
}

impl World {
    fn new() -> Self {
        Self {
            genesis: genesis(),
            log: LogFrontier::new(),
            nodes: Nodes::default(),
            entries: vec![],
            events: BTreeMap::new(),
            records: BTreeMap::new(),
            headers: vec![],
            salt: 0,
        }
    }

    fn append(&mut self, entry: &LogEntry) {
        let bytes = entry.encode();
        let nodes = self.log.append_all([leaf_hash(&bytes)]);
        self.nodes.0.extend(nodes.iter().map(|node| ((node.level, node.index), node.hash)));
        self.entries.push(bytes);
    }

    /// Appends a transaction that moved units, or was refused when it moved none.
    fn transaction(&mut self, movements: &[(SerialRange, Option<UnitPlace>, UnitPlace)]) -> usize {
        self.salt += 1;
        let body = TxBody {
            chain_id: self.genesis.chain_id(),
            account: account(1),
            signers: vec![public_key(50)],
            valid_until: BlockTime::from_millis(9_999_999),
            salt: self.salt,
            payload: Payload::Transfer(Transfer {
                to: account(2),
                units: Selection::Quantity { instrument: CEA, tonnes: Tonnes::new(1) },
            }),
        };
        let tx_id = body.id();
        let signed = SignedTransaction::new(body, |_, message| sign(50, message));
        let unit = |(range, from, to): &(SerialRange, _, _)| UnitMovement {
            range: *range,
            from: *from,
            to: *to,
        };
        let effects = Effects { units: movements.iter().map(unit).collect(), ..Effects::default() };
        let event = Event::Transfer(Transferred { to: account(2), ranges: vec![] });
        let record = (!movements.is_empty()).then_some(EventRecord { event, effects });
        let index = self.entries.len();
        let outcome = match &record {
            Some(_) => Outcome::Accepted,
            None => Outcome::Rejected(Reject { number: 1006, facts: vec![] }),
        };
        let receipt = Receipt {
            tx_id,
            height: Height::new(self.headers.len() as u64 + 1),
            position: 0,
            outcome,
            events: EventRecord::digest(record.as_ref()),
        };
        self.events.extend(record.map(|record| (index, codec::encode(&record))));
        let transaction = signed.encode();
        self.append(&LogEntry::Transaction { transaction, receipt });
        index
    }

    fn put<T: serde::Serialize>(&mut self, key: &Key, value: &T) {
        self.records.insert(key.as_bytes().to_vec(), codec::encode(value));
    }

    fn put_range(&mut self, start: u64, end: u64, place: UnitPlace) {
        self.put(&keys::unit_range(&CEA, start), &UnitRange { end, place });
    }

    fn tree(&self) -> StateTree {
        let leaf = |(slot, (key, value)): (u64, (&Vec<u8>, &Vec<u8>))| {
            (Slot::new(slot).unwrap(), LeafHash::of(key, value))
        };
        StateTree::rebuild((0..).zip(&self.records).map(leaf)).unwrap()
    }

    /// Closes a block: its header over everything so far.
    fn close(&mut self, next: &ValidatorSet) {
        let height = Height::new(self.headers.len() as u64 + 1);
        let header = Header {
            chain_id: self.genesis.chain_id(),
            height,
            time: BlockTime::from_millis(1_000 + height.get()),
            proposer: next.members()[0].address(),
            parent: self.headers.last().map_or(BlockId::new([0; 32]), Header::id),
            transactions: Digest::new([9; 32]),
            log_size: self.log.size(),
            log_root: self.log.root(),
            state_root: self.tree().root(),
            next_validators: next.digest(),
            parameters: Digest::new([8; 32]),
        };
        self.append(&LogEntry::Header(header.clone()));
        self.headers.push(header);
    }

    fn close_unchanged(&mut self) {
        self.close(&ValidatorSet::new(self.genesis.validators.clone()).unwrap());
    }

    fn header(&self) -> &Header {
        self.headers.last().unwrap()
    }

    /// The newest header with the precommits of these validators.
    fn anchor(&self, seeds: &[u8]) -> Anchor {
        certified(self.header().clone(), seeds)
    }

    fn record(&self, key: &[u8]) -> RecordInclusion {
        let slot = self.records.keys().position(|known| known == key).unwrap() as u64;
        let state = self.tree().prove(Slot::new(slot).unwrap()).unwrap();
        RecordInclusion { key: key.to_vec(), value: self.records[key].clone(), state }
    }

    fn range_record(&self, start: u64) -> RecordInclusion {
        self.record(keys::unit_range(&CEA, start).as_bytes())
    }

    fn log_proof(&self, index: usize) -> LogProof {
        LogProof::read(&self.nodes, index as u64, self.header().log_size).unwrap()
    }

    fn receipt(&self, index: usize) -> ReceiptInclusion {
        let events = self.events.get(&index).cloned();
        ReceiptInclusion { entry: self.entries[index].clone(), log: self.log_proof(index), events }
    }

    /// A hop with the header entry at a position of the log, if there is one.
    fn hop(&self, index: usize, header: Option<usize>) -> ProvenanceHop {
        let block = header.map(|header| BlockInclusion {
            entry: self.entries[header].clone(),
            log: self.log_proof(header),
        });
        ProvenanceHop { receipt: self.receipt(index), block }
    }

    fn history(&self) -> ValidatorHistory {
        ValidatorHistory::new(&self.genesis).unwrap()
    }
}

fn certified(header: Header, seeds: &[u8]) -> Anchor {
    let (height, block_id) = (header.height, header.id());
    let message = vote_sign_bytes(header.chain_id, VoteStep::Precommit, height, 0, Some(block_id));
    let signature = |validator: &Validator, seed: &u8| CommitSignature {
        validator: validator.address(),
        signature: sign(*seed, &message),
    };
    let signatures =
        validators(seeds).into_iter().zip(seeds).map(|(member, seed)| signature(&member, seed));
    let certificate = Certificate { height, round: 0, block_id, signatures: signatures.collect() };
    Anchor { header, certificate }
}

/// A world in which unit 50 is issued to account 1, goes to 2, and to 3 in the newest block.
fn traded() -> (World, [usize; 3]) {
    let mut world = World::new();
    let issue = world.transaction(&[(range(1, 101), None, free(1))]);
    world.put_range(1, 101, free(1));
    world.close_unchanged();
    world.transaction(&[]);
    let first = world.transaction(&[(range(40, 60), Some(free(1)), free(2))]);
    world.close_unchanged();
    let second = world.transaction(&[
        (range(40, 50), Some(free(2)), free(4)),
        (range(50, 60), Some(free(2)), free(3)),
    ]);
    world.put_range(1, 40, free(1));
    world.put_range(40, 50, free(4));
    world.put_range(50, 60, free(3));
    world.put_range(60, 101, free(1));
    world.close_unchanged();
    (world, [issue, first, second])
}

fn provenance(world: &World, indexes: [usize; 3]) -> ProvenanceProof {
    let [issue, first, second] = indexes;
    let hops = vec![world.hop(issue, Some(1)), world.hop(first, Some(4)), world.hop(second, None)];
    ProvenanceProof {
        serial: Serial { instrument: CEA, number: 50 },
        hops,
        last: world.range_record(50),
        anchor: world.anchor(&[1, 2, 3]),
    }
}

fn units(world: &World, range: SerialRange, holder: u64, records: &[u64]) -> UnitProof {
    let records = records.iter().map(|start| world.range_record(*start)).collect();
    UnitProof { range, holder: account(holder), records, anchor: world.anchor(&[1, 2, 3]) }
}

#[test]
fn an_anchor_needs_more_than_two_thirds_of_the_power() {
    let (world, _) = traded();
    let history = world.history();
    assert_eq!(world.anchor(&[1, 2, 3]).verify(&history), Ok(()));
    assert_eq!(world.anchor(&[4, 2, 3, 1]).verify(&history), Ok(()));
    let height = world.header().height;
    assert_eq!(
        world.anchor(&[1, 2]).verify(&history),
        Err(ProofError::Certificate {
            error: CertificateError::ShortOfQuorum { height, power: 2, needed: 3 }
        })
    );
    for seeds in [[1, 1, 2], [1, 2, 9]] {
        assert!(world.anchor(&seeds).verify(&history).is_err());
    }
    let mut other = world.anchor(&[1, 2, 3]);
    other.certificate.height = Height::new(9);
    let error = ProofError::CertificateHeight { height, found: Height::new(9) };
    assert_eq!(other.verify(&history), Err(error));
}

#[test]
fn an_anchor_of_another_chain_or_of_height_zero_is_refused() {
    let (world, _) = traded();
    let mut header = world.header().clone();
    header.height = Height::GENESIS;
    let error = ProofError::NoValidators { height: Height::GENESIS };
    assert_eq!(certified(header, &[1, 2, 3]).verify(&world.history()), Err(error));

    let other = Genesis { network: "other".to_owned(), ..genesis() };
    let (found, expected) = (world.genesis.chain_id(), other.chain_id());
    assert_eq!(
        world.anchor(&[1, 2, 3]).verify(&ValidatorHistory::new(&other).unwrap()),
        Err(ProofError::OtherChain { found, expected })
    );
}

#[test]
fn a_receipt_proof_gives_back_the_transaction_its_answer_and_its_events() {
    let (world, [_, first, _]) = traded();
    let anchor = world.anchor(&[1, 2, 3]);
    let proof = ReceiptProof { receipt: world.receipt(first), anchor: anchor.clone() };
    let verified = proof.verify(&world.history()).unwrap();
    assert_eq!(verified.index, first as u64);
    assert_eq!(verified.receipt.tx_id, verified.transaction.id());
    assert_eq!(verified.events.unwrap().effects.units[0].range, range(40, 60));

    let refused = ReceiptProof { receipt: world.receipt(first - 1), anchor };
    let verified = refused.verify(&world.history()).unwrap();
    assert!(!verified.receipt.outcome.is_accepted());
    assert_eq!(verified.events, None);
}

#[test]
fn a_receipt_proof_refuses_headers_and_foreign_paths() {
    let (world, [issue, first, _]) = traded();
    let header = world.header();
    let mut wrong = world.receipt(first);
    wrong.log = world.log_proof(issue);
    let (index, height) = (issue as u64, header.height);
    let error = LogProofError::OtherRoot;
    assert_eq!(wrong.verify(header).unwrap_err(), ProofError::Entry { index, height, error });
    wrong.log.size -= 1;
    assert!(matches!(wrong.verify(header), Err(ProofError::EntryLogSize { .. })));
    let block = ReceiptInclusion { events: None, ..world.receipt(1) };
    assert_eq!(
        block.verify(header).unwrap_err(),
        ProofError::EntryKind { index: 1, expected: "transaction" }
    );
    let swapped = ReceiptInclusion { events: world.receipt(issue).events, ..world.receipt(first) };
    assert_eq!(
        swapped.verify(header).unwrap_err(),
        ProofError::OtherEvents { index: first as u64 }
    );
}

#[test]
fn a_record_proof_gives_back_typed_records() {
    let (world, _) = traded();
    let records = vec![world.range_record(50), world.range_record(1)];
    let proof = RecordProof { records, anchor: world.anchor(&[2, 3, 4]) };
    let proved = proof.verify(&world.history()).unwrap();
    assert_eq!(proved[0].unit_range(), Ok((range(50, 60), free(3))));
    assert_eq!(proved[1].read::<UnitRange>().unwrap().end, 40);
    assert!(matches!(proved[0].read::<Account>(), Err(ProofError::RecordBytes { .. })));

    let mut other = proof.clone();
    other.records[1].value[0] ^= 1;
    assert_eq!(
        other.verify(&world.history()),
        Err(ProofError::Record {
            key: hex::encode(&proof.records[1].key),
            table: "units",
            height: world.header().height,
            error: StateProofError::OtherRoot,
        })
    );
    other.records.clear();
    let error = ProofError::Count { found: 0, max: RECORDS_PER_PROOF_MAX };
    assert_eq!(other.verify(&world.history()), Err(error));
}

#[test]
fn a_record_of_a_derived_table_is_refused() {
    let (world, _) = traded();
    let mut record = world.range_record(50);
    for prefix in [Table::UnitsByHolder.prefix(), Table::Replays.prefix(), 255] {
        record.key[0] = prefix;
        assert!(matches!(record.verify(world.header()), Err(ProofError::RecordKey { .. })));
    }
}

#[test]
fn a_unit_proof_shows_a_part_of_a_record_or_several_records() {
    let (world, _) = traded();
    let part = units(&world, range(52, 55), 3, &[50]).verify(&world.history()).unwrap();
    assert_eq!(part.parts, [(range(52, 55), free(3))]);

    let mut split = World::new();
    let frozen = UnitStatus::Frozen { order: Digest::new([1; 32]) };
    let frozen = UnitPlace { holder: account(1), status: frozen };
    split.put_range(1, 10, free(1));
    split.put_range(10, 20, frozen);
    split.close_unchanged();
    let both = units(&split, range(5, 15), 1, &[1, 10]).verify(&split.history()).unwrap();
    assert_eq!(both.parts, [(range(5, 10), free(1)), (range(10, 15), frozen)]);
}

#[test]
fn a_unit_proof_refuses_another_holder_and_gaps() {
    let (world, _) = traded();
    let verify = |proof: UnitProof| proof.verify(&world.history()).unwrap_err();
    assert_eq!(
        verify(units(&world, range(52, 55), 2, &[50])),
        ProofError::OtherHolder { range: range(50, 60), found: account(3), claimed: account(2) }
    );
    for (claimed, records) in [
        (range(45, 55), &[50][..]),
        (range(55, 65), &[50]),
        (range(1, 65), &[1, 60]),
        (range(5, 10), &[1, 1]),
        (range(5, 10), &[60]),
    ] {
        let holder = if records[0] == 50 { 3 } else { 1 };
        let error = ProofError::RangeNotCovered { range: claimed };
        assert_eq!(verify(units(&world, claimed, holder, records)), error, "{claimed}");
    }
}

fn statement_world() -> World {
    let (mut world, _) = traded();
    let totals = [((CEA, StatusKind::Free), Tonnes::new(39 + 41))];
    let record = Account {
        name: "entity".to_owned(),
        credit_code: None,
        province: None,
        status: AccountStatus::Open,
        representatives: vec![],
        thresholds: Thresholds::uniform(1),
        funds: Funds::default(),
        totals: totals.into(),
    };
    world.put(&keys::account(account(1)), &record);
    world.close_unchanged();
    world
}

fn statement(world: &World, ranges: &[u64]) -> StatementProof {
    let account = world.record(keys::account(account(1)).as_bytes());
    let ranges = ranges.iter().map(|start| world.range_record(*start));
    let records = std::iter::once(account).chain(ranges).collect();
    StatementProof { records, anchor: world.anchor(&[1, 2, 3]) }
}

#[test]
fn a_statement_is_complete_because_its_ranges_add_up_to_the_totals() {
    let world = statement_world();
    let verify = |ranges: &[u64]| statement(&world, ranges).verify(&world.history());
    let verified = verify(&[1, 60]).unwrap();
    assert_eq!(verified.id, account(1));
    assert_eq!(verified.ranges, [(range(1, 40), free(1)), (range(60, 101), free(1))]);

    assert!(matches!(
        verify(&[1]),
        Err(ProofError::StatementTotal { found: 39, expected: 80, .. })
    ));
    assert!(matches!(verify(&[]), Err(ProofError::StatementTotal { found: 0, .. })));
    assert!(matches!(verify(&[1, 50, 60]), Err(ProofError::OtherHolder { .. })));
    let order = |start, end| ProofError::StatementOrder { range: range(start, end) };
    assert_eq!(verify(&[60, 1]), Err(order(1, 40)));
    assert_eq!(verify(&[1, 1, 60]), Err(order(1, 40)));
}

#[test]
fn provenance_shows_every_hop_with_its_time_and_where_the_unit_is() {
    let (world, indexes) = traded();
    let verified = provenance(&world, indexes).verify(&world.history()).unwrap();
    assert_eq!(verified.place, free(3));
    assert_eq!(verified.range, range(50, 60));
    let times: Vec<u64> = verified.hops.iter().map(|hop| hop.time.as_millis()).collect();
    assert_eq!(times, [1_001, 1_002, 1_003]);
    let last = verified.hops.last().unwrap();
    assert_eq!(last.movements.len(), 1, "the movement of units 40 to 49 is not this unit's");
    assert_eq!(last.movements[0].to, free(3));
}

/// What verification says of a hop after something was done to the proof.
fn problem(change: impl FnOnce(&World, &mut ProvenanceProof)) -> ProofError {
    let (world, indexes) = traded();
    let mut proof = provenance(&world, indexes);
    change(&world, &mut proof);
    proof.verify(&world.history()).unwrap_err()
}

#[test]
fn provenance_names_the_hop_that_is_missing_moved_or_foreign() {
    use ProvenanceProblem as P;
    let hop = |hop, index, problem| ProofError::Provenance { hop, index, problem };
    let end = |index| ProofError::ProvenanceEnd { index, height: Height::new(3) };
    assert_eq!(problem(|_, proof| drop(proof.hops.remove(0))), hop(0, 3, P::Issue));
    assert_eq!(problem(|_, proof| drop(proof.hops.remove(1))), hop(1, 5, P::Gap));
    assert_eq!(problem(|_, proof| drop(proof.hops.remove(2))), end(3));
    assert_eq!(problem(|_, proof| proof.hops.swap(1, 2)), hop(1, 5, P::Gap));
    assert_eq!(
        problem(|_, proof| proof.hops.insert(1, proof.hops[0].clone())),
        hop(1, 0, P::NotLater)
    );
    assert_eq!(
        problem(|world, proof| proof.hops.insert(1, world.hop(2, Some(4)))),
        hop(1, 2, P::Refused)
    );
    assert_eq!(problem(|_, proof| proof.hops[1].receipt.events = None), hop(1, 3, P::NoEvents));
    assert_eq!(problem(|_, proof| proof.hops[1].block = None), hop(1, 3, P::NoBlock));
    assert_eq!(
        problem(|_, proof| proof.hops[1].block = proof.hops[0].block.clone()),
        hop(1, 3, P::OtherBlock)
    );
    assert_eq!(problem(|_, proof| proof.serial.number = 30), hop(1, 3, P::NotMoved));
    assert_eq!(
        problem(|_, proof| proof.hops.clear()),
        ProofError::Count { found: 0, max: PROVENANCE_HOPS_MAX }
    );
    assert_eq!(
        problem(|world, proof| proof.last = world.range_record(60)),
        ProofError::RangeNotCovered { range: range(50, 51) }
    );
    assert!(matches!(
        problem(|world, proof| proof.hops[1].block = world.hop(0, Some(0)).block),
        ProofError::EntryKind { index: 0, expected: "header" }
    ));
}

#[test]
fn provenance_refuses_a_state_in_which_the_unit_moved_on() {
    let (mut world, [issue, first, second]) = traded();
    world.put_range(50, 60, free(7));
    world.close_unchanged();
    let mut proof = provenance(&world, [issue, first, second]);
    proof.hops[2] = world.hop(second, Some(6));
    let (index, height) = (second as u64, Height::new(4));
    assert_eq!(
        proof.verify(&world.history()).unwrap_err(),
        ProofError::ProvenanceEnd { index, height }
    );
}

#[test]
fn a_proof_below_a_known_height_is_not_newest() {
    let (world, _) = traded();
    let anchor = world.anchor(&[1, 2, 3]);
    assert_eq!(anchor.require_height(Height::new(3)), Ok(()));
    let (height, newest) = (Height::new(3), Height::new(4));
    assert_eq!(anchor.require_height(newest), Err(ProofError::NotNewest { height, newest }));
}

/// A world whose validators are 1 to 4 up to height 1, then 4 to 7, then 6 to 9.
fn changing() -> (World, ValidatorChain) {
    let mut world = World::new();
    let mut chain = ValidatorChain::default();
    for (signers, next) in [([1, 2, 3], [4, 5, 6, 7]), ([5, 6, 7], [6, 7, 8, 9])] {
        let validators = ValidatorSet::new(validators(&next)).unwrap();
        world.close(&validators);
        chain.changes.push(ValidatorChange { anchor: world.anchor(&signers), validators });
    }
    world.put_range(1, 10, free(1));
    world.close(&chain.changes[1].validators);
    (world, chain)
}

#[test]
fn validator_changes_lead_from_genesis_to_the_set_of_every_height() {
    let (world, chain) = changing();
    let history = ValidatorHistory::verify(&world.genesis, &chain).unwrap();
    let seeds = |height| history.at(Height::new(height)).map(ValidatorSet::digest);
    let digest = |seeds: &[u8]| Some(ValidatorSet::new(validators(seeds)).unwrap().digest());
    assert_eq!(seeds(0), None);
    assert_eq!(seeds(1), digest(&[1, 2, 3, 4]));
    assert_eq!(seeds(2), digest(&[4, 5, 6, 7]));
    assert_eq!(seeds(3), digest(&[6, 7, 8, 9]));
    assert_eq!(seeds(1_000_000), digest(&[6, 7, 8, 9]));
    assert_eq!(history.sets().count(), 3);
    assert_eq!(world.anchor(&[7, 8, 9]).verify(&history), Ok(()));
    for former in [[1, 2, 3], [5, 6, 7]] {
        assert!(world.anchor(&former).verify(&history).is_err());
    }
}

#[test]
fn validator_changes_that_do_not_follow_are_named_by_position() {
    use ValidatorChangeProblem as P;
    let (world, good) = changing();
    let verify = |change: &dyn Fn(&mut ValidatorChain)| {
        let mut chain = good.clone();
        change(&mut chain);
        match ValidatorHistory::verify(&world.genesis, &chain).unwrap_err() {
            ProofError::ValidatorChange { position, problem, .. } => (position, problem),
            other => panic!("{other}"),
        }
    };
    assert!(matches!(verify(&|chain| drop(chain.changes.remove(0))), (0, P::Anchor(_))));
    assert_eq!(verify(&|chain| chain.changes.swap(0, 1)).0, 0);
    assert_eq!(verify(&|chain| chain.changes[1] = chain.changes[0].clone()), (1, P::NotLater));
    let set = |seeds: &[u8]| ValidatorSet::new(validators(seeds)).unwrap();
    let other = |chain: &mut ValidatorChain| chain.changes[1].validators = set(&[1, 2, 3, 4]);
    assert_eq!(verify(&other), (1, P::OtherSet));
    let same = |chain: &mut ValidatorChain| chain.changes[0].validators = set(&[1, 2, 3, 4]);
    assert_eq!(verify(&same), (0, P::NoChange));
    let forged = |chain: &mut ValidatorChain| {
        chain.changes[1].anchor = certified(chain.changes[1].anchor.header.clone(), &[1, 2, 3]);
    };
    assert!(matches!(verify(&forged), (1, P::Anchor(_))));
}

fn files() -> Vec<(Genesis, ProofFile)> {
    let (world, indexes) = traded();
    let anchor = world.anchor(&[1, 2, 3]);
    let receipt = ReceiptProof { receipt: world.receipt(indexes[1]), anchor: anchor.clone() };
    let dossier = DossierProof {
        transactions: vec![world.hop(indexes[0], Some(1)), world.hop(indexes[1], Some(4))],
        records: vec![world.range_record(1), world.range_record(50)],
        anchor: anchor.clone(),
    };
    let records = RecordProof { records: vec![world.range_record(1)], anchor };
    let stated = statement_world();
    let (changed, chain) = changing();
    let mut late = units(&changed, range(2, 5), 1, &[1]);
    late.anchor = changed.anchor(&[6, 7, 8]);
    let file = |world: &World, proof| {
        (world.genesis.clone(), ProofFile { validators: ValidatorChain::default(), proof })
    };
    vec![
        file(&world, Proof::Receipt(receipt)),
        file(&world, Proof::Records(records)),
        file(&world, Proof::Dossier(dossier)),
        file(&world, Proof::Provenance(provenance(&world, indexes))),
        file(&stated, Proof::Statement(statement(&stated, &[1, 60]))),
        (changed.genesis, ProofFile { validators: chain, proof: Proof::Units(late) }),
    ]
}

#[test]
fn every_kind_of_file_round_trips_and_verifies() {
    for (genesis, file) in files() {
        let text = file.to_text();
        assert_eq!(ProofFile::from_text(&text), Ok(file.clone()));
        let verified = file.verify(&genesis).unwrap();
        assert_eq!(verified.block_id, file.proof.anchor().header.id());
        assert!(text.contains(file.proof.kind()));
    }
}

#[test]
fn any_flipped_bit_of_a_file_is_detected_or_makes_another_true_claim() {
    for (genesis, file) in files() {
        let bytes = file.encode();
        for position in 0..bytes.len() {
            let mut other = bytes.clone();
            other[position] ^= 1 << (position % 8);
            let Ok(changed) = ProofFile::decode(&other) else { continue };
            if changed.verify(&genesis).is_ok() {
                // Only the claim itself can change: fewer units of the same record, a unit beside
                // it that took the same way, or the records of a statement without its sum.
                let narrower = match (&changed.proof, &file.proof) {
                    (Proof::Units(changed), Proof::Units(file)) => changed.range != file.range,
                    (Proof::Provenance(changed), Proof::Provenance(file)) => {
                        changed.serial != file.serial
                    }
                    (Proof::Records(_), Proof::Statement(_)) => true,
                    _ => false,
                };
                assert!(narrower, "{}: byte {position} of {}", file.proof.kind(), bytes.len());
            }
        }
    }
}

#[test]
fn any_changed_character_of_the_text_of_a_file_is_detected() {
    for (genesis, file) in files() {
        let text = file.to_text();
        for position in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[position] ^= 1 << (position % 7);
            let Ok(other) = String::from_utf8(other) else { continue };
            let accepted = ProofFile::from_text(&other).is_ok_and(|file| {
                // White space after the proof is not part of it.
                other.trim_end() != text.trim_end() && file.verify(&genesis).is_ok()
            });
            assert!(!accepted, "{}: character {position}", file.proof.kind());
        }
        let altered = text.replacen("height ", "height 9", 1);
        assert_ne!(altered, text);
        assert_eq!(ProofFile::from_text(&altered), Err(ArmourError::Comment { line: 1 }));
        let mut other = file.clone();
        other.validators.changes.clear();
        if other != file {
            let body = |text: &str| text.split_once("-----BEGIN").unwrap().1.to_owned();
            let (head, _) = text.split_once("-----BEGIN").unwrap();
            let swapped = format!("{head}-----BEGIN{}", body(&other.to_text()));
            let refused = ProofFile::from_text(&swapped);
            assert!(matches!(refused, Err(ArmourError::Digest { line: 2, .. })), "{refused:?}");
        }
    }
}

#[test]
fn a_dossier_names_transactions_in_the_order_of_the_log_and_at_least_one_record() {
    let (world, indexes) = traded();
    let [issue, first, second] = indexes;
    let block = |index: usize| (index != second).then_some(if index == issue { 1 } else { 4 });
    let dossier = |transactions: &[usize], records: &[u64]| DossierProof {
        transactions: transactions.iter().map(|index| world.hop(*index, block(*index))).collect(),
        records: records.iter().map(|start| world.range_record(*start)).collect(),
        anchor: world.anchor(&[1, 2, 3]),
    };
    let history = world.history();
    let verified = dossier(&[issue, first, second], &[1]).verify(&history).unwrap();
    let times: Vec<u64> = verified.transactions.iter().map(|(_, time)| time.as_millis()).collect();
    assert_eq!((times, verified.records.len()), (vec![1_001, 1_002, 1_003], 1));
    assert!(dossier(&[], &[1, 50]).verify(&history).is_ok());
    let count = ProofError::Count { found: 0, max: RECORDS_PER_PROOF_MAX };
    assert_eq!(dossier(&[issue], &[]).verify(&history).unwrap_err(), count);
    for twice in [[issue, issue], [first, issue]] {
        let (hop, index, problem) = (1, twice[1] as u64, ProvenanceProblem::NotLater);
        let error = dossier(&twice, &[1]).verify(&history).unwrap_err();
        assert_eq!(error, ProofError::Provenance { hop, index, problem });
    }
    let mut foreign = dossier(&[issue], &[1]);
    foreign.transactions[0].receipt.events = Some(vec![1]);
    assert!(matches!(foreign.verify(&history), Err(ProofError::OtherEvents { .. })));
    let mut timeless = dossier(&[issue], &[1]);
    timeless.transactions[0].block = None;
    assert!(matches!(
        timeless.verify(&history),
        Err(ProofError::Provenance { problem: ProvenanceProblem::NoBlock, .. })
    ));
}

#[test]
fn a_cut_or_lengthened_file_is_refused() {
    let (_, file) = files().swap_remove(1);
    let bytes = file.encode();
    for length in 0..bytes.len() {
        assert!(ProofFile::decode(&bytes[..length]).is_err());
    }
    assert!(ProofFile::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
}

#[test]
fn the_log_of_the_tests_is_a_log() {
    let (world, _) = traded();
    assert_eq!(root_at(&world.nodes, world.log.size()), Ok(world.log.root()));
}
