//! The tree and the allocator against naive ones.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::*;
use crate::codec;
use crate::domains;
use crate::types::{StateRoot, domain_hash};

type Records = BTreeMap<u64, (Vec<u8>, Vec<u8>)>;

fn slot(number: u64) -> Slot {
    Slot::new(number).unwrap()
}

fn keyed(domain: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let key = blake3::derive_key(std::str::from_utf8(domain).unwrap(), &[]);
    *blake3::keyed_hash(&key, &parts.concat()).as_bytes()
}

/// The documented shape, read literally: a recursion over all slots.
fn naive_node(records: &Records, level: u32, index: u64) -> [u8; 32] {
    if level == 0 {
        return records.get(&index).map_or([0; 32], |(key, value)| {
            let length = u32::try_from(key.len()).unwrap().to_be_bytes();
            keyed(domains::STATE_LEAF, &[&length, key, value])
        });
    }
    let left = naive_node(records, level - 1, 2 * index);
    let right = naive_node(records, level - 1, 2 * index + 1);
    keyed(domains::STATE_NODE, &[&left, &right])
}

fn naive_root(records: &Records) -> StateRoot {
    let mut depth = 0u8;
    while records.last_key_value().is_some_and(|(highest, _)| *highest >= 1 << depth) {
        depth += 1;
    }
    let top = naive_node(records, depth.into(), 0);
    StateRoot::new(domain_hash(domains::STATE_ROOT, &[&[depth], &top]))
}

fn leaves(records: &Records) -> impl Iterator<Item = (Slot, LeafHash)> {
    records.iter().map(|(number, (key, value))| (slot(*number), LeafHash::of(key, value)))
}

fn rebuilt(records: &Records) -> StateTree {
    StateTree::rebuild(leaves(records)).unwrap()
}

#[test]
fn the_root_of_records_needs_no_room_for_the_slots_between_them() {
    for numbers in [vec![], vec![0], vec![1], vec![0, 1, 2], vec![3, 9, 700], vec![511], vec![512]]
    {
        let records = records_of(numbers);
        let found = StateTree::root_of(leaves(&records));
        assert_eq!(found, Ok(naive_root(&records)));
        assert_eq!(found, Ok(rebuilt(&records).root()));
    }
    let far = records_of([5, u64::from(u32::MAX)]);
    assert!(StateTree::root_of(leaves(&far)).is_ok());
    let twice = leaves(&far).chain(leaves(&far));
    assert_eq!(StateTree::root_of(twice), Err(TreeError::SlotTwice(slot(5))));
}

fn record(number: u64) -> (Vec<u8>, Vec<u8>) {
    (number.to_be_bytes().to_vec(), format!("value {number}").into_bytes())
}

fn records_of(numbers: impl IntoIterator<Item = u64>) -> Records {
    numbers.into_iter().map(|number| (number, record(number))).collect()
}

/// Applies changes to records and tree and holds the tree against both references.
fn step(tree: &mut StateTree, records: &mut Records, changes: &Changes, context: &str) {
    let listed: Vec<SlotChange> = changes
        .iter()
        .map(|(number, content)| SlotChange {
            slot: slot(*number),
            leaf: content.as_ref().map(|(key, value)| LeafHash::of(key, value)),
        })
        .collect();
    let before = tree.root();
    let update = tree.prepare(&listed).unwrap();
    assert_eq!(tree.root(), before);
    let prepared = update.root();
    tree.apply(update).unwrap();
    for (number, content) in changes {
        match content {
            Some(content) => records.insert(*number, content.clone()),
            None => records.remove(number),
        };
    }
    assert_eq!(prepared, naive_root(records), "prepared, {context}");
    assert_eq!(tree.root(), prepared, "{context}");
    assert_eq!(rebuilt(records).root(), prepared, "rebuilt, {context}");
    let used: Vec<u64> =
        (0..1 << tree.depth()).filter(|number| tree.leaf(slot(*number)).is_some()).collect();
    assert_eq!(used, records.keys().copied().collect::<Vec<_>>(), "{context}");
}

type Changes = BTreeMap<u64, Option<(Vec<u8>, Vec<u8>)>>;

/// Random changes: scattered, a run, growth far out, or the end cut off.
fn random_changes(rng: &mut ChaCha8Rng, records: &Records) -> Changes {
    let highest = records.last_key_value().map_or(0, |(highest, _)| *highest);
    let mut below = |bound: u64| rng.next_u64() % bound.max(1);
    let content = |below: &mut dyn FnMut(u64) -> u64, number: u64| {
        (below(3) > 0)
            .then(|| (number.to_be_bytes().to_vec(), below(u64::MAX).to_be_bytes().into()))
    };
    let mut changes = Changes::new();
    match below(8) {
        0..=3 => {
            for _ in 0..below(20) {
                let number = below(highest + 8);
                changes.insert(number, content(&mut below, number));
            }
        }
        4 | 5 => {
            let start = below(highest + 3);
            for number in start..start + below(90) {
                changes.insert(number, content(&mut below, number));
            }
        }
        6 => {
            let number = below(500);
            changes.insert(number, Some(record(number)));
        }
        _ => {
            let from = below(highest + 1);
            let cut = records.range(from..).map(|(number, _)| (*number, None));
            changes.extend(cut);
            if below(2) == 0 {
                changes.insert(below(from + 2), Some(record(from)));
            }
        }
    }
    changes
}

#[test]
fn random_histories_agree_with_the_naive_tree() {
    for seed in 0..40 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut tree, mut records) = (StateTree::new(), Records::new());
        for round in 0..40 {
            let changes = random_changes(&mut rng, &records);
            step(&mut tree, &mut records, &changes, &format!("seed {seed}, round {round}"));
        }
        let all_gone = records.keys().map(|number| (*number, None)).collect();
        step(&mut tree, &mut records, &all_gone, &format!("seed {seed}, emptied"));
        assert_eq!(tree.root(), StateTree::new().root());
    }
}

#[test]
fn a_large_tree_that_grows_and_shrinks_agrees_with_its_rebuild() {
    let mut records = records_of(0..5000);
    let mut tree = rebuilt(&records);
    for cut in [4999, 4097, 4096, 4095, 1025, 1000, 2, 1, 0] {
        let changes = records.range(cut..).map(|(number, _)| (*number, None)).collect();
        step(&mut tree, &mut records, &changes, &format!("cut at {cut}"));
    }
    let changes = (0..3000).map(|number| (number, Some(record(number)))).collect();
    step(&mut tree, &mut records, &changes, "grown again");
}

#[test]
fn the_shape_of_the_smallest_trees_is_as_documented() {
    let root = |numbers: &[u64]| rebuilt(&records_of(numbers.iter().copied()));
    for (numbers, depth) in
        [(&[][..], 0), (&[0], 0), (&[1], 1), (&[0, 1], 1), (&[2], 2), (&[0, 3], 2), (&[4], 3)]
    {
        let tree = root(numbers);
        assert_eq!(tree.depth(), depth, "{numbers:?}");
        assert_eq!(tree.root(), naive_root(&records_of(numbers.iter().copied())), "{numbers:?}");
    }
}

#[test]
fn rebuilding_does_not_depend_on_the_order_of_records() {
    let records = records_of([0, 1, 5, 6, 7, 90, 91, 300]);
    let mut backwards: Vec<_> = leaves(&records).collect();
    backwards.reverse();
    assert_eq!(StateTree::rebuild(backwards).unwrap().root(), rebuilt(&records).root());
}

#[test]
fn every_proof_verifies_and_every_flipped_bit_is_noticed() {
    for numbers in [vec![0], vec![0, 1], vec![0, 1, 2], vec![3, 4, 9], (0..33).collect()] {
        let records = records_of(numbers);
        let tree = rebuilt(&records);
        for (number, (key, value)) in &records {
            let proof = tree.prove(slot(*number)).unwrap();
            proof.verify(key, value, &tree.root()).unwrap();
            for changed in flips(key) {
                assert!(proof.verify(&changed, value, &tree.root()).is_err());
            }
            for changed in flips(value) {
                assert!(proof.verify(key, &changed, &tree.root()).is_err());
            }
            for changed in flips(tree.root().as_bytes()) {
                let root = StateRoot::new(changed.try_into().unwrap());
                assert_eq!(proof.verify(key, value, &root), Err(StateProofError::OtherRoot));
            }
            for changed in flips(&codec::encode(&proof)) {
                let verified = codec::decode::<StateProof>(&changed)
                    .is_ok_and(|proof| proof.verify(key, value, &tree.root()).is_ok());
                assert!(!verified, "slot {number}");
            }
        }
    }
}

fn flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..8 * bytes.len()).map(|bit| {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        changed
    })
}

#[test]
fn proofs_of_another_shape_are_refused_with_the_reason() {
    let records = records_of(0..6);
    let tree = rebuilt(&records);
    let (key, value) = record(5);
    let good = tree.prove(slot(5)).unwrap();
    let verify = |proof: &StateProof| proof.verify(&key, &value, &tree.root());
    let outside = StateProof { slot: slot(5 + 8), ..good.clone() };
    assert_eq!(verify(&outside), Err(StateProofError::SlotOutside { slot: slot(13), depth: 3 }));
    let short = StateProof { path: good.path[..2].to_vec(), ..good.clone() };
    assert_eq!(verify(&short), Err(StateProofError::PathLength { path: 2, depth: 3 }));
    let shallow = StateProof { depth: 2, ..good.clone() };
    assert_eq!(verify(&shallow), Err(StateProofError::PathLength { path: 3, depth: 2 }));
    let mut higher = StateProof { depth: 4, ..good.clone() };
    higher.path.push([0; 32]);
    assert_eq!(verify(&higher), Err(StateProofError::OtherRoot));
    let deep = StateProof { depth: 33, path: vec![[0; 32]; 33], ..good };
    assert_eq!(verify(&deep), Err(StateProofError::PathLength { path: 33, depth: 33 }));
}

#[test]
fn an_inner_node_is_not_accepted_as_a_record() {
    let records = records_of(0..4);
    let tree = rebuilt(&records);
    let proof = tree.prove(slot(0)).unwrap();
    let (left, right) = (*tree.leaf(slot(0)).unwrap().as_bytes(), proof.path[0]);
    let raised = StateProof { slot: slot(0), depth: 1, path: proof.path[1..].to_vec() };
    assert!(raised.verify(&left, &right, &tree.root()).is_err());
    assert!(raised.verify(&[], &[left, right].concat(), &tree.root()).is_err());
}

#[test]
fn proof_bytes_are_slot_depth_and_path() {
    let tree = rebuilt(&records_of(0..3));
    let proof = tree.prove(slot(2)).unwrap();
    let mut expected = 2u64.to_le_bytes().to_vec();
    expected.extend([2, 2]);
    expected.extend(proof.path.concat());
    assert_eq!(codec::encode(&proof), expected);
    assert_eq!(codec::decode::<StateProof>(&expected), Ok(proof));
    expected[7] = 1; // slot 2^56 + 2
    assert!(codec::decode::<StateProof>(&expected).is_err());
}

#[test]
fn unsorted_or_repeated_changes_are_refused() {
    let tree = StateTree::new();
    let change = |number| SlotChange { slot: slot(number), leaf: None };
    for pair in [[1, 1], [2, 1]] {
        let result = tree.prepare(&pair.map(change));
        assert_eq!(result.unwrap_err(), TreeError::Unsorted(slot(1)));
    }
}

#[test]
fn an_update_applies_only_to_the_state_it_was_prepared_on() {
    let mut tree = rebuilt(&records_of(0..3));
    let change = |text: &[u8]| [SlotChange { slot: slot(1), leaf: Some(LeafHash::of(b"k", text)) }];
    let (first, second) =
        (tree.prepare(&change(b"a")).unwrap(), tree.prepare(&change(b"b")).unwrap());
    let base = tree.root();
    tree.apply(first).unwrap();
    let found = tree.root();
    assert_eq!(tree.apply(second), Err(TreeError::OtherBase { expected: base, found }));
    assert_eq!(tree.root(), found);
}

#[test]
fn two_records_in_one_slot_are_refused_when_rebuilding() {
    let leaf = LeafHash::of(b"k", b"v");
    let twice = [(slot(4), leaf), (slot(0), leaf), (slot(4), leaf)];
    assert_eq!(StateTree::rebuild(twice).unwrap_err(), TreeError::SlotTwice(slot(4)));
}

#[test]
fn an_unused_slot_has_no_proof() {
    let tree = rebuilt(&records_of([0, 2]));
    for number in [1, 3, 4, u64::from(u32::MAX)] {
        assert_eq!(tree.prove(slot(number)), Err(TreeError::Unused(slot(number))));
    }
    assert_eq!(Slot::new(1 << 32), Err(SlotTooHigh { slot: 1 << 32 }));
}

#[test]
fn roots_are_frozen() {
    let roots = [0, 1, 3, 1000].map(|count| rebuilt(&records_of(0..count)).root().to_string());
    assert_eq!(
        roots,
        [
            "b6aefbe652fc39c276aebf40676a47056c86f9d1c4c165a597ca45d0c6d55d46",
            "a7df6ebbf3ff8cb81af4d4d617797f665a2a935b3607a422aea7c1aaf36c0718",
            "63f644107bfd685496e79c472ce67640fcfb6229d5072faf65bcd395716fef45",
            "a6be21a50a52ac7263fc40a2b3228cd053a2adac35c5f43804c7af7b4d3c7fa3",
        ]
    );
}

fn numbers(slots: &[Slot]) -> Vec<u64> {
    slots.iter().map(|slot| slot.get()).collect()
}

#[test]
fn slots_are_allocated_lowest_first_after_freeing() {
    let allocator = SlotAllocator::rebuild([0, 1, 3, 6].map(slot)).unwrap();
    let plan = |freed: &[u64], wanted| {
        let freed: Vec<Slot> = freed.iter().copied().map(slot).collect();
        numbers(allocator.plan(&freed, wanted).unwrap().allocated())
    };
    assert_eq!(plan(&[], 5), [2, 4, 5, 7, 8]);
    assert_eq!(plan(&[1, 3], 5), [1, 2, 3, 4, 5]);
    assert_eq!(plan(&[6], 5), [2, 4, 5, 6, 7]);
    assert!(plan(&[0, 1, 3, 6], 0).is_empty());
}

#[test]
fn the_allocator_agrees_with_a_naive_one_and_with_its_rebuild() {
    for seed in 0..50 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut allocator = SlotAllocator::new();
        let mut used = std::collections::BTreeSet::<u64>::new();
        for round in 0..60 {
            let rarely = if round % 10 == 9 { 2 } else { 5 };
            let freed: Vec<u64> =
                used.iter().copied().filter(|_| rng.next_u32() % rarely == 0).collect();
            let wanted = (rng.next_u32() % 20) as usize;
            freed.iter().for_each(|number| assert!(used.remove(number)));
            let expected: Vec<u64> =
                (0..).filter(|number| !used.contains(number)).take(wanted).collect();
            let freed: Vec<Slot> = freed.into_iter().map(slot).collect();
            let plan = allocator.plan(&freed, wanted).unwrap();
            assert_eq!(numbers(plan.allocated()), expected, "seed {seed}, round {round}");
            used.extend(expected);
            allocator.apply(plan).unwrap();
            let rebuilt = SlotAllocator::rebuild(used.iter().rev().copied().map(slot)).unwrap();
            assert_eq!(allocator, rebuilt, "seed {seed}, round {round}");
            assert_eq!(allocator.used(), used.len() as u64);
        }
    }
}

#[test]
fn slot_plans_that_do_not_fit_are_refused() {
    let mut allocator = SlotAllocator::rebuild([0, 2].map(slot)).unwrap();
    assert_eq!(allocator.plan(&[slot(1)], 0), Err(SlotError::NotUsed(slot(1))));
    assert_eq!(allocator.plan(&[slot(3)], 0), Err(SlotError::NotUsed(slot(3))));
    assert_eq!(allocator.plan(&[slot(2), slot(0)], 0), Err(SlotError::Unsorted(slot(0))));
    assert_eq!(SlotAllocator::rebuild([1, 1].map(slot)), Err(SlotError::AlreadyUsed(slot(1))));
    let (first, second) = (allocator.plan(&[], 1).unwrap(), allocator.plan(&[slot(0)], 2).unwrap());
    allocator.apply(first).unwrap();
    let before = allocator.clone();
    assert_eq!(allocator.apply(second), Err(SlotError::AlreadyUsed(slot(1))));
    assert_eq!(allocator, before);
}
