//! Deciding, joining late, following, stopping and being killed.

use std::sync::Arc;
use std::time::Duration;

use crate::toy::{HEIGHTS_MAX, Net, Schedule, ToyLedger, validators, verify_agreement};

fn four() -> Schedule {
    Arc::new(|_| validators(0..4))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_nodes_decide_the_same_twenty_blocks() {
    let net = Net::new(4);
    let ledgers: Vec<_> = (0..4).map(|_| ToyLedger::new(four(), 100_000)).collect();
    let mut nodes = Vec::new();
    for (index, ledger) in (0u8..).zip(&ledgers) {
        nodes.push(net.run(index, ledger).await);
    }
    for node in &nodes {
        node.reaches(20).await;
    }
    let peers = nodes[0].monitor.peers().await;
    assert_eq!(peers.len(), 3);
    assert!(peers.iter().all(|peer| peer.persistent));
    for node in nodes {
        node.stops().await;
    }
    verify_agreement(&ledgers, 20);
    assert!(ledgers.iter().all(|ledger| ledger.disk().evidence.is_empty()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn machines_too_slow_for_the_first_rounds_decide_in_later_ones() {
    let net = Net::new(4);
    let ledgers: Vec<_> = (0..4).map(|_| ToyLedger::new(four(), 1000)).collect();
    let mut nodes = Vec::new();
    for (index, ledger) in (0u8..).zip(&ledgers) {
        *ledger.judges_for.lock().unwrap() = Duration::from_millis(600);
        let mut config = net.config(index);
        config.timeouts.propose = Duration::from_millis(200);
        nodes.push(net.run_with(config, Some(index), index, ledger).await);
    }
    for node in &nodes {
        node.reaches(2).await;
    }
    assert!(nodes[0].monitor.health().rounds_extra > 0, "the first rounds were long enough");
    for node in nodes {
        node.stops().await;
    }
    verify_agreement(&ledgers, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_joins_late_fetches_the_past_and_then_votes() {
    let net = Net::new(4);
    let ledgers: Vec<_> = (0..4).map(|_| ToyLedger::new(four(), 1000)).collect();
    let mut nodes = Vec::new();
    for (index, ledger) in (0u8..3).zip(&ledgers) {
        nodes.push(net.run(index, ledger).await);
    }
    nodes[0].reaches(10).await;
    nodes.push(net.run(3, &ledgers[3]).await);
    nodes[3].reaches(10).await;
    assert!(nodes[3].monitor.health().blocks_synced > 0);
    let late = crate::toy::address(3);
    let has_voted = || {
        let disk = ledgers[0].disk();
        let mut certificates = disk.decided.iter().map(|(_, certificate)| certificate);
        certificates.any(|it| it.signatures.iter().any(|signed| signed.validator == late))
    };
    let mut height = 10;
    while !has_voted() {
        height += 1;
        assert!(height < HEIGHTS_MAX, "the fourth node does not vote");
        nodes[0].reaches(height).await;
    }
    for node in nodes {
        node.stops().await;
    }
    verify_agreement(&ledgers, 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_fetches_the_past_waits_for_no_transactions_of_its_own() {
    let net = Net::new(4);
    let ledgers: Vec<_> = (0..4).map(|_| ToyLedger::new(four(), 1000)).collect();
    let mut nodes = Vec::new();
    for (index, ledger) in (0u8..3).zip(&ledgers) {
        nodes.push(net.run(index, ledger).await);
    }
    nodes[0].reaches(10).await;
    nodes.push(net.run(3, &ledgers[3]).await);
    nodes[3].reaches(10).await;
    for node in nodes {
        node.stops().await;
    }
    let waits_at = |ledger: &ToyLedger, heights: std::ops::RangeInclusive<u64>| -> Vec<bool> {
        let asked = ledger.asked.lock().unwrap();
        asked.range(heights).map(|(_, limits)| !limits.waiting.is_zero()).collect()
    };
    // The late node's turns below the height that the others had reached are of decided heights.
    let late = waits_at(&ledgers[3], 1..=9);
    assert!(!late.is_empty() && !late.contains(&true), "{late:?}");
    let early: Vec<bool> =
        ledgers[..3].iter().flat_map(|ledger| waits_at(ledger, 2..=10)).collect();
    assert!(early.contains(&true), "{early:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_without_a_key_follows() {
    let net = Net::new(2);
    let alone: Schedule = Arc::new(|_| validators([0]));
    let ledgers: Vec<_> = (0..2).map(|_| ToyLedger::new(Arc::clone(&alone), 10)).collect();
    let validator = net.run(0, &ledgers[0]).await;
    let follower = net.follow(1, &ledgers[1]).await;
    follower.reaches(5).await;
    assert!(!follower.monitor.health().is_validator);
    assert!(validator.monitor.health().is_validator);
    follower.stops().await;
    validator.stops().await;
    verify_agreement(&ledgers, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_validator_alone_decides() {
    let net = Net::new(1);
    let ledger = ToyLedger::new(Arc::new(|_| validators([0])), 10);
    let node = net.run(0, &ledger).await;
    node.reaches(5).await;
    node.stops().await;
    verify_agreement(&[ledger], 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_others_go_on_without_a_killed_node_and_it_comes_back() {
    let net = Net::new(4);
    let ledgers: Vec<_> = (0..4).map(|_| ToyLedger::new(four(), 1000)).collect();
    let mut nodes = Vec::new();
    for (index, ledger) in (0u8..).zip(&ledgers) {
        nodes.push(net.run(index, ledger).await);
    }
    nodes[0].reaches(4).await;
    nodes.remove(3).dies().await;
    let tip = nodes[0].monitor.health().tip.get();
    nodes[0].reaches(tip + 3).await;
    nodes.push(net.run(3, &ledgers[3]).await);
    for node in &nodes {
        node.reaches(tip + 5).await;
    }
    for node in nodes {
        node.stops().await;
    }
    verify_agreement(&ledgers, 8);
    assert!(ledgers.iter().all(|ledger| ledger.disk().evidence.is_empty()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_nodes_killed_at_once_go_on_where_they_were() {
    let net = Net::new(4);
    let ledgers: Vec<_> = (0..4).map(|_| ToyLedger::new(four(), 1000)).collect();
    for target in [3, 7, 11] {
        let mut nodes = Vec::new();
        for (index, ledger) in (0u8..).zip(&ledgers) {
            nodes.push(net.run(index, ledger).await);
        }
        for node in &nodes {
            node.reaches(target).await;
        }
        for node in nodes {
            node.dies().await;
        }
    }
    verify_agreement(&ledgers, 11);
    assert!(ledgers.iter().all(|ledger| ledger.disk().evidence.is_empty()));
}
