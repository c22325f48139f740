//! A node whose consensus log does not hold what it may have signed.

use std::sync::Arc;

use cets_consensus::{EnginePhase, GuardMark, SignedStep};
use cets_contracts::types::{Digest, Height};

use crate::toy::{HEIGHTS_MAX, Net, Schedule, ToyLedger, address, validators, verify_agreement};

fn mark(height: Height) -> GuardMark {
    GuardMark { height, round: 0, step: SignedStep::Prevote, statement: Digest::new([9; 32]) }
}

/// Whether the fourth node's precommit stands in a certificate that a ledger holds.
fn voted(ledger: &ToyLedger, heights: std::ops::RangeInclusive<u64>) -> bool {
    let disk = ledger.disk();
    let mut certificates = disk.decided.iter().map(|(_, certificate)| certificate);
    certificates.any(|certificate| {
        heights.contains(&certificate.height.get())
            && certificate.signatures.iter().any(|signed| signed.validator == address(3))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_lost_its_log_abstains_for_that_height_and_votes_again_after_it() {
    let four: Schedule = Arc::new(|_| validators(0..4));
    let net = Net::new(4);
    let ledgers: Vec<_> = (0..4).map(|_| ToyLedger::new(Arc::clone(&four), 1000)).collect();
    let mut nodes = Vec::new();
    for (index, ledger) in (0u8..).zip(&ledgers) {
        nodes.push(net.run(index, ledger).await);
    }
    nodes[3].reaches(3).await;
    nodes.remove(3).stops().await;
    // It may have prevoted at the next height for a block that nobody knows any more.
    let next = Height::new(ledgers[3].disk().decided.len() as u64 + 1);
    ledgers[3].disk().guard = vec![mark(next)];
    std::fs::remove_file(net.wal_path(3)).unwrap();
    let back = net.run(3, &ledgers[3]).await;
    back.until(|health| health.tip >= next).await;
    assert!(!voted(&ledgers[3], next.get()..=next.get()));
    back.until(|health| health.phase == EnginePhase::Running && health.is_validator).await;
    let mut height = next.get();
    while !voted(&ledgers[0], next.get() + 1..=u64::MAX) {
        height += 1;
        assert!(height < HEIGHTS_MAX, "the fourth node does not vote");
        nodes[0].reaches(height).await;
    }
    nodes.push(back);
    for node in nodes {
        node.stops().await;
    }
    verify_agreement(&ledgers, 3);
    assert!(ledgers.iter().all(|ledger| ledger.disk().evidence.is_empty()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_whose_guard_refuses_goes_on_without_voting() {
    let net = Net::new(1);
    let ledger = ToyLedger::new(Arc::new(|_| validators([0])), 10);
    let first = Height::new(1);
    ledger.disk().guard = vec![mark(first)];
    // A log of the right height that has lost its entries: version and height, nothing else.
    let header = [&1u32.to_be_bytes()[..], &first.get().to_be_bytes()].concat();
    std::fs::create_dir_all(net.wal_path(0).parent().unwrap()).unwrap();
    std::fs::write(net.wal_path(0), header).unwrap();
    let node = net.run(0, &ledger).await;
    node.until(|health| health.phase == EnginePhase::Abstaining { until: first }).await;
    assert_eq!(node.monitor.health().tip, Height::GENESIS);
    node.stops().await;
    assert!(ledger.disk().decided.is_empty());
}
