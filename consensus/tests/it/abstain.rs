//! A node whose consensus log does not hold what it may have signed.

use std::sync::Arc;

use cets_consensus::{EnginePhase, GuardMark, SignedStep};
use cets_contracts::types::{Digest, Height};

use crate::toy::{Net, Schedule, ToyLedger, address, validators, verify_agreement};

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
    std::fs::remove_file(net.wal_path(3)).unwrap();
    let until = {
        let mut disk = ledgers[3].disk();
        let until = Height::new(disk.decided.len() as u64 + 1);
        disk.guard = vec![GuardMark {
            height: until,
            round: 0,
            step: SignedStep::Prevote,
            statement: Digest::new([9; 32]),
        }];
        until
    };
    let back = net.run(3, &ledgers[3]).await;
    let voted_there = || {
        let disk = ledgers[3].disk();
        let (_, certificate) = &disk.decided[until.get() as usize - 1];
        certificate.signatures.iter().any(|signed| signed.validator == address(3))
    };
    back.until(|health| health.tip >= until).await;
    assert!(!voted_there());
    back.until(|health| health.phase == EnginePhase::Running && health.is_validator).await;
    let votes_after = || {
        let disk = ledgers[0].disk();
        let after = disk.decided.iter().skip(until.get() as usize);
        after
            .flat_map(|(_, certificate)| &certificate.signatures)
            .any(|signed| signed.validator == address(3))
    };
    let mut height = until.get() + 1;
    while !votes_after() {
        height += 1;
        nodes[0].reaches(height).await;
    }
    nodes.push(back);
    for node in nodes {
        node.stops().await;
    }
    verify_agreement(&ledgers, 3);
    assert!(ledgers.iter().all(|ledger| ledger.disk().evidence.is_empty()));
}
