//! A validator that equivocates, seen from the others. Needs the feature `byzantine`.

use std::sync::Arc;

use cets_consensus::SignedStep;

use crate::toy::{CHAIN, Net, Schedule, ToyLedger, address, validators, verify_agreement};

async fn three_honest_nodes_and(misbehavior: &str, height: u64) -> Vec<Arc<ToyLedger>> {
    let four: Schedule = Arc::new(|_| validators(0..4));
    let net = Net::new(4);
    let ledgers: Vec<_> = (0..4).map(|_| ToyLedger::new(Arc::clone(&four), 1000)).collect();
    let mut nodes = Vec::new();
    for (index, ledger) in (0u8..).zip(&ledgers) {
        let mut config = net.config(index);
        config.byzantine = (index == 0).then(|| misbehavior.to_owned());
        nodes.push(net.run_with(config, Some(index), index, ledger).await);
    }
    for node in &nodes[1..] {
        node.reaches(height).await;
    }
    for node in nodes {
        node.stops().await;
    }
    verify_agreement(&ledgers[1..], height as usize);
    ledgers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn evidence_of_double_votes_is_kept_and_verifies() {
    let ledgers = three_honest_nodes_and("votes", 8).await;
    let evidence = ledgers[1].disk().evidence.clone();
    assert!(!evidence.is_empty());
    let set = validators(0..4);
    for piece in evidence {
        assert_eq!(piece.validator, address(0));
        assert_ne!(piece.step, SignedStep::Proposal);
        let key = set.by_address(&piece.validator).unwrap().consensus_key;
        assert!(piece.verify(CHAIN, &key));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_others_go_on_beside_a_silent_validator() {
    let ledgers = three_honest_nodes_and("silent", 6).await;
    assert!(ledgers[1].disk().evidence.is_empty());
}
