//! Measures the state tree: microseconds per updated slot, and the time to rebuild it.
//!
//! ```sh
//! cargo run --release -p cets-contracts --example tree_bench -- [SLOTS] [CHANGES_PER_BLOCK]
//! ```
#![allow(clippy::arithmetic_side_effects, clippy::float_arithmetic, clippy::unwrap_used)]
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use cets_contracts::log::{LogFrontier, leaf_hash};
use cets_contracts::tree::{LeafHash, Slot, SlotAllocator, SlotChange, StateTree};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

const BLOCKS: u64 = 25;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().unwrap());
    let slots = arguments.next().unwrap_or(1_000_000);
    let per_block = arguments.next().unwrap_or(4_000).min(slots);

    let started = Instant::now();
    let leaves: Vec<LeafHash> = (0..slots).map(|number| leaf(number, 0)).collect();
    println!("leaf hashes of 150-byte records: {}", each(started.elapsed(), slots));
    let records = leaves.iter().enumerate().map(|(number, leaf)| (slot(number as u64), *leaf));
    let started = Instant::now();
    let mut tree = StateTree::rebuild(records).unwrap();
    println!("rebuild of {slots} leaves: {:.1} ms", started.elapsed().as_secs_f64() * 1e3);

    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let random = |_: u64| {
        let mut chosen: Vec<u64> = (0..per_block).map(|_| rng.next_u64() % slots).collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    };
    measure(&mut tree, "random slots", random);
    measure(&mut tree, "contiguous slots", |block| {
        let start = block * per_block % (slots - per_block + 1);
        (start..start + per_block).collect()
    });
    measure(&mut tree, "new slots at the end", |block| {
        (slots + block * per_block..slots + (block + 1) * per_block).collect()
    });
    measure_proofs(&tree, slots);
    measure_allocator(slots, per_block);
    measure_log();
}

fn measure(tree: &mut StateTree, what: &str, mut choose: impl FnMut(u64) -> Vec<u64>) {
    let (mut leaves, mut prepares, mut applies, mut count) =
        (Duration::ZERO, Vec::new(), Vec::new(), 0);
    for block in 0..BLOCKS {
        let chosen = choose(block);
        let started = Instant::now();
        let changes: Vec<SlotChange> = chosen
            .iter()
            .map(|number| SlotChange { slot: slot(*number), leaf: Some(leaf(*number, block + 1)) })
            .collect();
        leaves += started.elapsed();
        let started = Instant::now();
        let update = tree.prepare(&changes).unwrap();
        prepares.push(started.elapsed() / u32::try_from(chosen.len()).unwrap());
        let started = Instant::now();
        tree.apply(update).unwrap();
        applies.push(started.elapsed() / u32::try_from(chosen.len()).unwrap());
        count += chosen.len() as u64;
    }
    prepares.sort();
    applies.sort();
    let median = |times: &[Duration]| times[times.len() / 2].as_nanos() as f64 / 1e3;
    println!(
        "{what}: leaf {}, prepare {:.3} µs, apply {:.3} µs per slot (median of {BLOCKS} blocks)",
        each(leaves, count),
        median(&prepares),
        median(&applies),
    );
}

fn measure_proofs(tree: &StateTree, slots: u64) {
    let count = 20_000.min(slots);
    let started = Instant::now();
    let proofs: Vec<_> =
        (0..count).map(|number| tree.prove(slot(number * (slots / count))).unwrap()).collect();
    println!("prove: {}, path {} bytes", each(started.elapsed(), count), proofs[0].path.len() * 32);
    let (key, value) = record(slots - 1, 0);
    let (number, root) = (slot(slots - 1), tree.root());
    let unchanged = tree.leaf(number) == Some(LeafHash::of(&key, &value));
    let proof = tree.prove(number).unwrap();
    let started = Instant::now();
    let held = (0..count).filter(|_| proof.verify(&key, &value, &root).is_ok()).count();
    println!("verify: {}", each(started.elapsed(), count));
    assert_eq!(held > 0, unchanged);
}

fn measure_allocator(slots: u64, per_block: u64) {
    let mut allocator = SlotAllocator::rebuild((0..slots).map(slot)).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut spent = Duration::ZERO;
    let mut count = 0;
    for _ in 0..BLOCKS {
        let start = rng.next_u64() % (slots / 2);
        let freed: Vec<Slot> = (start..start + per_block / 2).map(slot).collect();
        let started = Instant::now();
        let plan = allocator.plan(&freed, freed.len()).unwrap();
        allocator.apply(plan).unwrap();
        spent += started.elapsed();
        count += freed.len() as u64;
    }
    println!("allocator, one freed and one allocated: {}", each(spent, count));
}

fn measure_log() {
    let entries: Vec<LeafHash> = (0..200_000).map(|number| leaf(number, 9)).collect();
    let started = Instant::now();
    let entry = |leaf: &LeafHash| leaf_hash(&leaf.as_bytes().repeat(7));
    let nodes = LogFrontier::new().append_all(entries.iter().map(entry));
    println!(
        "log: {} per entry of 224 bytes, {} nodes",
        each(started.elapsed(), 200_000),
        nodes.len()
    );
}

fn slot(number: u64) -> Slot {
    Slot::new(number).unwrap()
}

/// A record of the size of a unit range: a key of 25 and a value of 125 bytes.
fn record(number: u64, version: u64) -> (Vec<u8>, Vec<u8>) {
    let mut value = vec![0; 125];
    value[..8].copy_from_slice(&number.to_be_bytes());
    value[8..16].copy_from_slice(&version.to_be_bytes());
    (vec![7; 25], value)
}

fn leaf(number: u64, version: u64) -> LeafHash {
    let (key, value) = record(number, version);
    LeafHash::of(&key, &value)
}

fn each(duration: Duration, count: u64) -> String {
    format!("{:.3} µs", duration.as_secs_f64() * 1e6 / count as f64)
}
