//! Validator sets that change at an exact height.

use std::sync::Arc;

use cets_contracts::block::Block;
use cets_contracts::types::Height;

use crate::toy::{Net, Schedule, ToyLedger, address, validators, verify_agreement};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_validators_change_at_the_height_the_ledger_says() {
    let change = Height::new(8);
    let schedule: Schedule =
        Arc::new(move |height| if height < change { validators(0..4) } else { validators(1..5) });
    let net = Net::new(5);
    let ledgers: Vec<_> = (0..5).map(|_| ToyLedger::new(Arc::clone(&schedule), 1000)).collect();
    let mut nodes = Vec::new();
    for (index, ledger) in (0u8..).zip(&ledgers) {
        nodes.push(net.run(index, ledger).await);
    }
    for node in &nodes {
        node.reaches(20).await;
    }
    assert!(!nodes[0].monitor.health().is_validator);
    assert!(nodes[4].monitor.health().is_validator);
    for node in nodes {
        node.stops().await;
    }
    // Certificates are verified with the set of their own height.
    verify_agreement(&ledgers, 20);
    let disk = ledgers[1].disk();
    let builds = |index: u8| {
        let mut heights = Vec::new();
        for (bytes, _) in &disk.decided {
            let header = Block::decode(bytes).unwrap().header;
            if header.proposer == address(index) {
                heights.push(header.height);
            }
        }
        heights
    };
    assert!(builds(0).iter().all(|height| *height < change));
    assert!(!builds(4).is_empty());
    assert!(builds(4).iter().all(|height| *height >= change));
}
