//! What stops a node, and with which message.

use std::sync::Arc;

use cets_consensus::{ConfigError, EngineError, EngineKeys, LocalSigner, start};
use cets_contracts::types::Height;
use ed25519_dalek::SigningKey;

use crate::toy::{Net, Schedule, ToyLedger, consensus_key, validators, verify_agreement};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_fault_of_the_ledger_stops_the_node_with_its_message() {
    let net = Net::new(1);
    let ledger = ToyLedger::new(Arc::new(|_| validators([0])), 10);
    *ledger.fails_at.lock().unwrap() = Some(Height::new(3));
    let error = net.run(0, &ledger).await.fails().await;
    assert_eq!(error.to_string(), "commit the block: the disk is gone");
    verify_agreement(&[ledger], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_whose_port_is_taken_does_not_start() {
    let net = Net::new(1);
    let config = net.config(0);
    let port: u16 = config.listen_address.rsplit('/').next().unwrap().parse().unwrap();
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let address = config.listen_address.clone();
    let signer = LocalSigner::new(consensus_key(0));
    let network = SigningKey::from_bytes(&[7; 32]);
    let keys = EngineKeys { consensus: Some(Arc::new(signer)), network };
    let ledger = ToyLedger::new(Arc::new(|_| validators([0])), 10);
    let Err(error) = start(config, keys, ledger).await else { panic!("it started") };
    assert!(error.to_string().contains(&address), "{error}");
    assert!(matches!(error, EngineError::Network { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_decided_without_the_guard_on_disk() {
    let net = Net::new(1);
    let ledger = ToyLedger::new(Arc::new(|_| validators([0])), 10);
    *ledger.guard_fails_from.lock().unwrap() = Some(Height::new(3));
    let error = net.run(0, &ledger).await.fails().await;
    assert_eq!(error.to_string(), "write the guard: the disk is full");
    verify_agreement(std::slice::from_ref(&ledger), 2);
    assert_eq!(ledger.disk().decided.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_stops_when_a_block_is_decided_that_is_invalid_there() {
    let four: Schedule = Arc::new(|_| validators(0..4));
    let net = Net::new(4);
    let ledgers: Vec<_> = (0..4).map(|_| ToyLedger::new(Arc::clone(&four), 1000)).collect();
    *ledgers[3].refuses_from.lock().unwrap() = Some(Height::new(4));
    let mut nodes = Vec::new();
    for (index, ledger) in (0u8..).zip(&ledgers) {
        nodes.push(net.run(index, ledger).await);
    }
    let error = nodes.remove(3).fails().await;
    match error {
        EngineError::DecidedInvalid { height, reason, .. } => {
            assert_eq!((height, reason.as_str()), (Height::new(4), "refused on purpose"));
        }
        other => panic!("{other}"),
    }
    for node in &nodes {
        node.reaches(6).await;
    }
    for node in nodes {
        node.stops().await;
    }
    verify_agreement(&ledgers[..3], 6);
    verify_agreement(&ledgers[3..], 3);
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_before_anything_starts() {
    let net = Net::new(1);
    let refuse = async |change: fn(&mut cets_consensus::EngineConfig)| {
        let mut config = net.config(0);
        change(&mut config);
        let keys = EngineKeys { consensus: None, network: consensus_key(0) };
        let ledger = ToyLedger::new(Arc::new(|_| validators([0])), 10);
        match start(config, keys, ledger).await {
            Err(EngineError::Config(error)) => error,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it started"),
        }
    };
    let error = refuse(|config| config.listen_address = "127.0.0.1:1".to_owned()).await;
    assert!(matches!(error, ConfigError::Address { .. }));
    let error = refuse(|config| config.listen_address = "/ip4/127.0.0.1/udp/1".to_owned()).await;
    assert!(matches!(error, ConfigError::Transport { .. }));
    let error = refuse(|config| config.part_bytes = 0).await;
    assert!(matches!(error, ConfigError::Range { setting: "part_bytes", .. }));
}
