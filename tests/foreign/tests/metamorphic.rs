//! Checkpoints, cosignatures, paths and proofs of the ledger, judged by the crate
//! `metamorphic-log`, which sees text alone.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]

// The ledger of the tests, without the crates that the rest of them needs.
#[allow(dead_code)]
#[path = "../../src/sample_ledger.rs"]
mod sample_ledger;

use cets_contracts::log::{consistency_proof, leaf_hash};
use metamorphic_log::checkpoint::Checkpoint;
use metamorphic_log::note::{SignatureType, SignedNote, VerifierKey};
use sample_ledger::SampleLedger;

/// Keys of the witnesses of a policy.
fn witnesses(policy: &str) -> Vec<VerifierKey> {
    let lines = policy.lines().filter(|line| line.starts_with("witness "));
    lines.map(|line| VerifierKey::parse(line.split(' ').nth(2).unwrap()).unwrap()).collect()
}

fn threshold(policy: &str) -> usize {
    let group = policy.lines().find(|line| line.starts_with("group ")).unwrap();
    group.split(' ').nth(2).unwrap().parse().unwrap()
}

/// Witness lines of a note that the other implementation verifies.
fn cosigned(note: &str, policy: &str) -> Result<usize, metamorphic_log::Error> {
    let keys = witnesses(policy);
    assert!(keys.iter().all(|key| key.signature_type() == SignatureType::CosignatureV1Ed25519));
    Ok(SignedNote::parse(note)?.verify(&keys)?.len())
}

#[test]
fn another_implementation_counts_the_quorum_of_cosignatures() {
    let ledger = SampleLedger::story();
    for (height, quorum) in [(1, 3), (2, 3), (4, 4)] {
        let policy = ledger.policy(height).to_string();
        assert_eq!(threshold(&policy), quorum, "height {height}");
        let cosigned = |count| {
            let note = ledger.cosigned(height, count);
            let ours = ledger.policy(height).verify(&note).is_ok();
            let foreign = cosigned(&note.to_string(), &policy).unwrap_or(0);
            assert_eq!(ours, foreign >= quorum, "{count} of {quorum} at height {height}");
            foreign
        };
        assert_eq!(cosigned(quorum), quorum);
        assert_eq!(cosigned(quorum - 1), quorum - 1);
        assert_eq!(cosigned(0), 0);
    }
}

#[test]
fn another_implementation_refuses_damaged_cosignatures_and_checkpoints() {
    let ledger = SampleLedger::story();
    let policy = ledger.policy(2).to_string();
    let note = ledger.cosigned(2, 3).to_string();
    let size = ledger.checkpoint(2).size;
    let larger = note.replace(&format!("\n{size}\n"), &format!("\n{}\n", size + 1));
    assert!(cosigned(&larger, &policy).is_err());
    let line = note.lines().nth(4).unwrap();
    let (kept, last) = line.split_at(line.len() - 4);
    let other = if last == "AAA=" { "BBB=" } else { "AAA=" };
    assert!(cosigned(&note.replace(line, &format!("{kept}{other}")), &policy).is_err());
    assert!(cosigned(&note.replacen("cets-ledger", "cets-other", 1), &policy).is_err());
}

#[test]
fn inclusion_of_every_entry_and_of_no_other_position() {
    let ledger = SampleLedger::long(150);
    let height = ledger.newest().anchor.height().get();
    let checkpoint = Checkpoint::parse(&ledger.checkpoint(height).to_string()).unwrap();
    for (index, entry) in (0..).zip(&ledger.entries) {
        let proof = ledger.tlog_proof(index, height, 4);
        let path: Vec<Vec<u8>> = proof.path.iter().map(|hash| hash.to_vec()).collect();
        checkpoint.verify_inclusion(index, &leaf_hash(entry), &path).unwrap();
        let neighbour = (index + 1) % checkpoint.size();
        assert!(checkpoint.verify_inclusion(neighbour, &leaf_hash(entry), &path).is_err());
    }
}

#[test]
fn the_log_only_grew_and_a_fork_at_any_height_is_refused() {
    let ledger = SampleLedger::long(200);
    let newest = ledger.newest().anchor.height().get();
    let parse = |text: String| Checkpoint::parse(&text).unwrap();
    let newer = parse(ledger.checkpoint(newest).to_string());
    for height in 1..newest {
        let old = ledger.checkpoint(height);
        let path = consistency_proof(&ledger, old.size, newer.size()).unwrap();
        let path: Vec<Vec<u8>> = path.iter().map(|hash| hash.to_vec()).collect();
        parse(old.to_string()).verify_consistency(&newer, &path).unwrap();
        let mut fork = old.clone();
        fork.root = ledger.checkpoint(newest).root;
        assert!(parse(fork.to_string()).verify_consistency(&newer, &path).is_err());
    }
}

#[test]
fn tile_and_bundle_paths_are_those_of_another_implementation() {
    for size in [1, 255, 256, 257, 70_000, 1_234_567] {
        let ours: Vec<String> =
            cets_contracts::log::Tile::added(0, size).map(|tile| tile.to_string()).collect();
        let mut foreign: Vec<String> =
            metamorphic_log::tile::tiles_for_size(size).iter().map(|tile| tile.path()).collect();
        let mut sorted = ours.clone();
        sorted.sort();
        foreign.sort();
        assert_eq!(sorted, foreign, "{size}");
        for tile in metamorphic_log::tile::tiles_for_size(size).iter().filter(|t| t.level() == 0) {
            let path = cets_contracts::transparency::bundle_path(tile.index(), size);
            assert_eq!(path, Some(tile.entries_path()));
        }
    }
}
