//! The work that every transfer costs, each part on its own, for counting instructions and time.
//!
//! A part is made ready once, then runs a given number of rounds. Whoever counts instructions runs
//! it with few and with twice as many rounds: the difference is the cost of the rounds alone. Time
//! is taken from the first round to the end of the last.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cets_contracts::block::{BlockExecutor, Certificate, ExecutedBlock, LogEntry, commit_block};
use cets_contracts::crypto::KnownKeys;
use cets_contracts::genesis::{Genesis, GenesisAccount};
use cets_contracts::rules::Payload;
use cets_contracts::rules::allowances::issue::{Issue, IssueLine};
use cets_contracts::rules::allowances::transfer::Transfer;
use cets_contracts::state::State;
use cets_contracts::tree::{LeafHash, Slot, SlotChange, StateTree};
use cets_contracts::tx::{Transaction, TxBody, VerifiedTransaction, signer_list, verify_batch};
use cets_contracts::types::{
    AccountId, Digest, Instrument, Representative, Right, Role, Selection, Thresholds, Tonnes,
};
use cets_node::store::{BlockBatch, Store};

use crate::fixture::{People, account, genesis, public_key, published_parameters, vintage};

/// Accounts that hold units.
const HOLDERS: u64 = 200;
/// Transfers of a block, and signatures of a batch.
const PER_BLOCK: u64 = 500;
/// Leaves of the tree whose update is measured.
const LEAVES: u64 = 65_536;
/// Most rounds of a part.
pub const ROUNDS_MAX: u64 = 4;

/// A part of the work.
#[derive(Clone, Copy, Debug)]
pub struct HotPath {
    /// Name in the table of figures.
    pub name: &'static str,
    /// What one unit is.
    pub unit: &'static str,
    /// Units of a round.
    pub units: u64,
    run: fn(&mut Rounds),
}

/// Rounds that remain, and how long those took that were run.
struct Rounds {
    next: u64,
    end: u64,
    started: Option<Instant>,
    spent: Duration,
}

impl Rounds {
    const fn new(count: u64) -> Self {
        Self { next: 0, end: count, started: None, spent: Duration::ZERO }
    }
}

impl Iterator for Rounds {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let started = *self.started.get_or_insert_with(Instant::now);
        if self.next == self.end {
            self.spent = started.elapsed();
            return None;
        }
        self.next += 1;
        Some(self.next - 1)
    }
}

/// All parts, in the order in which a transfer meets them.
pub const HOT_PATHS: &[HotPath] = &[
    HotPath { name: "decode", unit: "transaction", units: PER_BLOCK, run: decode },
    HotPath { name: "verify_batch", unit: "signature", units: PER_BLOCK, run: verify },
    HotPath { name: "execute_transfer", unit: "transfer", units: PER_BLOCK, run: execute },
    HotPath { name: "close_block", unit: "transfer", units: PER_BLOCK, run: close },
    HotPath { name: "state_tree_update", unit: "leaf", units: PER_BLOCK, run: update_tree },
    HotPath { name: "encode_entry", unit: "entry", units: PER_BLOCK, run: encode },
    HotPath { name: "store_batch", unit: "transfer", units: PER_BLOCK, run: store },
];

impl HotPath {
    /// Makes the part ready and runs it so many times, at most [`ROUNDS_MAX`].
    pub fn run(&self, rounds: u64) {
        assert!(rounds <= ROUNDS_MAX, "{} runs at most {ROUNDS_MAX} rounds", self.name);
        (self.run)(&mut Rounds::new(rounds));
    }

    /// Makes the part ready, runs it [`ROUNDS_MAX`] times, and returns the microseconds of a unit.
    pub fn micros(&self) -> f64 {
        let mut rounds = Rounds::new(ROUNDS_MAX);
        (self.run)(&mut rounds);
        rounds.spent.as_secs_f64() * 1e6 / (self.units * ROUNDS_MAX) as f64
    }
}

/// A ledger whose holders have units, and the next blocks of transfers.
pub(super) struct World {
    genesis: Genesis,
    people: People,
    pub(super) state: State,
    /// The block that issued the units, and its orders.
    issued: Option<(ExecutedBlock, Vec<Vec<u8>>)>,
}

impl World {
    pub(super) fn new() -> Self {
        let mut people = People::default();
        let mut genesis = genesis(&mut people, published_parameters());
        genesis.accounts.extend((1..=HOLDERS).map(|number| GenesisAccount {
            role: Role::KeyEmittingEntity,
            name: format!("Plant {number}"),
            credit_code: None,
            province: None,
            representatives: vec![Representative {
                key: people.meet(&format!("plant/{number}")),
                right: Right::InitiateAndApprove,
            }],
            thresholds: Thresholds::uniform(1),
        }));
        let state = genesis.state().unwrap();
        let mut world = Self { genesis, people, state, issued: None };
        let lines = (1..=HOLDERS).map(|number| IssueLine {
            account: account(Role::KeyEmittingEntity, number),
            tonnes: Tonnes::new(1_000_000),
        });
        let issue = Issue {
            vintage: vintage(2021),
            lines: lines.collect(),
            document: Digest::new([1; 32]),
        };
        let registry = account(Role::Registry, 1);
        let order = world.order(registry, &["registry/1", "registry/2"], issue.into(), 0);
        let orders = vec![order];
        world.issued = Some((world.commit(&orders), orders));
        world
    }

    /// An order of an account, signed by the people whom the labels name.
    pub(super) fn order(
        &self,
        from: AccountId,
        labels: &[&str],
        payload: Payload,
        salt: u64,
    ) -> Vec<u8> {
        let keys = labels.iter().map(|label| public_key(label));
        let body = TxBody {
            chain_id: self.state.tip.chain_id,
            account: from,
            signers: signer_list(keys),
            valid_until: self.state.tip.time.saturating_add_millis(600_000),
            salt,
            payload,
        };
        self.people.sign(body).encode()
    }

    /// The transfers of a block: each holder in turn gives to one further on.
    fn transfers(&self, block: u64) -> Vec<Vec<u8>> {
        let instrument = Instrument::Cea(vintage(2021));
        let salts = (0..PER_BLOCK).map(|number| 1 + block * PER_BLOCK + number);
        salts
            .map(|salt| {
                let (from, to) = (1 + salt % HOLDERS, 1 + (salt * 7 + 1) % HOLDERS);
                let to = if to == from { 1 + to % HOLDERS } else { to };
                let units = Selection::Quantity { instrument, tonnes: Tonnes::new(3) };
                let to = account(Role::KeyEmittingEntity, to);
                let payload = Transfer { to, units }.into();
                let giver = account(Role::KeyEmittingEntity, from);
                self.order(giver, &[&format!("plant/{from}")], payload, salt)
            })
            .collect()
    }

    /// An executor of the next block.
    pub(super) fn executor(&self) -> BlockExecutor<'_> {
        let time = self.state.tip.time.saturating_add_millis(1_000);
        let proposer = self.genesis.validators[0].address();
        BlockExecutor::new(&self.state, time, proposer).unwrap()
    }

    /// Executes a block of orders, all of which are accepted, and commits it.
    pub(super) fn commit(&mut self, orders: &[Vec<u8>]) -> ExecutedBlock {
        let mut executor = self.executor();
        for order in trusted(orders) {
            let outcome = executor.push(&order).unwrap();
            assert!(outcome.receipt.outcome.is_accepted(), "{:?}", outcome.receipt.outcome);
        }
        let (executed, _) = executor.finish().unwrap();
        commit_block(&mut self.state, executed.clone()).unwrap();
        executed
    }
}

/// Orders as if their signatures had been verified.
pub(super) fn trusted(orders: &[Vec<u8>]) -> Vec<VerifiedTransaction> {
    let decoded = orders.iter().map(|bytes| Transaction::decode(bytes.clone()).unwrap());
    decoded.map(VerifiedTransaction::assume_verified).collect()
}

fn decode(rounds: &mut Rounds) {
    let orders = World::new().transfers(0);
    for _ in rounds {
        assert_eq!(trusted(&orders).len(), orders.len());
    }
}

fn verify(rounds: &mut Rounds) {
    let orders = World::new().transfers(0);
    let decoded: Vec<Transaction> =
        orders.into_iter().map(|bytes| Transaction::decode(bytes).unwrap()).collect();
    let mut known = KnownKeys::new();
    for _ in rounds {
        assert!(verify_batch(decoded.clone(), &mut known).iter().all(Result::is_ok));
    }
}

fn execute(rounds: &mut Rounds) {
    let world = World::new();
    let orders = trusted(&world.transfers(0));
    for _ in rounds {
        assert_eq!(filled(&world, &orders).len(), orders.len());
    }
}

fn filled<'w>(world: &'w World, orders: &[VerifiedTransaction]) -> BlockExecutor<'w> {
    let mut executor = world.executor();
    for order in orders {
        assert!(executor.push(order).unwrap().receipt.outcome.is_accepted());
    }
    executor
}

fn close(rounds: &mut Rounds) {
    let world = World::new();
    let orders = trusted(&world.transfers(0));
    let ready: Vec<BlockExecutor<'_>> = (0..ROUNDS_MAX).map(|_| filled(&world, &orders)).collect();
    for (_, executor) in rounds.zip(ready) {
        assert_eq!(executor.finish().unwrap().0.outcomes.len(), orders.len());
    }
}

fn update_tree(rounds: &mut Rounds) {
    let leaf = |number: u64, turn: u64| LeafHash::of(&number.to_be_bytes(), &turn.to_be_bytes());
    let slot = |number| Slot::new(number).unwrap();
    let leaves = (0..LEAVES).map(|number| (slot(number), leaf(number, 0)));
    let mut tree = StateTree::rebuild(leaves).unwrap();
    for round in rounds {
        let step = LEAVES / PER_BLOCK;
        let changes: Vec<SlotChange> = (0..PER_BLOCK)
            .map(|number| SlotChange {
                slot: slot(number * step),
                leaf: Some(leaf(number * step, round + 1)),
            })
            .collect();
        let update = tree.prepare(&changes).unwrap();
        tree.apply(update).unwrap();
    }
}

fn encode(rounds: &mut Rounds) {
    let world = World::new();
    let orders = world.transfers(0);
    let (executed, _) = filled(&world, &trusted(&orders)).finish().unwrap();
    for _ in rounds {
        let entries = orders.iter().zip(&executed.outcomes);
        let bytes: usize = entries
            .map(|(order, outcome)| {
                let (transaction, receipt) = (order.clone(), outcome.receipt.clone());
                LogEntry::Transaction { transaction, receipt }.encode().len()
            })
            .sum();
        assert!(bytes > orders.len());
    }
}

fn store(rounds: &mut Rounds) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut world = World::new();
    store.load_state(&world.genesis).unwrap();
    let mut blocks: Vec<(ExecutedBlock, Vec<Vec<u8>>)> = world.issued.take().into_iter().collect();
    for block in 0..ROUNDS_MAX {
        let orders = world.transfers(block);
        blocks.push((world.commit(&orders), orders));
    }
    let mut first_log_index = 0;
    let mut commit = |(executed, orders): &(ExecutedBlock, Vec<Vec<u8>>)| {
        let transactions: Vec<_> = trusted(orders).into_iter().map(Arc::new).collect();
        let (height, block_id) = (executed.header.height, executed.header.id());
        let certificate = Certificate { height, round: 0, block_id, signatures: Vec::new() };
        let batch = BlockBatch {
            executed,
            certificate: &certificate,
            first_log_index,
            transactions: &transactions,
            undecided: &[],
        };
        assert_eq!(store.commit(&batch).unwrap().len(), transactions.len());
        first_log_index = executed.log.size();
    };
    // The issue, then as many blocks of transfers as there are rounds.
    let mut blocks = blocks.iter();
    blocks.by_ref().take(1).for_each(&mut commit);
    for (_, block) in rounds.zip(blocks) {
        commit(block);
    }
}
