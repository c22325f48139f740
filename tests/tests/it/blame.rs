//! A validator that cosigns two logs: real nodes keep and pass on both signatures, `cets audit
//! blame` writes the accusation, and anybody verifies it offline.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cets_contracts::transparency::{Checkpoint, Cosignature};
use cets_contracts::types::{LogRoot, PublicKey, Signature};
use cets_node::checkpoints::CheckpointVote;
use cets_node::clock::SystemClock;
use cets_node::config::{NodeConfig, NodeKeys};
use cets_node::{Node, NodeError, NodeHandle, metrics};
use cets_tests::cluster::market::Market;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longest wait for anything; far more than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(180);
/// The validator that misbehaves.
const ACCUSED: usize = 2;

struct Running {
    handle: NodeHandle,
    cosigner: SigningKey,
    stop: CancellationToken,
    ended: JoinHandle<Result<(), NodeError>>,
}

fn start(runtime: &Runtime, config: &Path) -> Running {
    let config = NodeConfig::read(config).unwrap();
    let keys = NodeKeys::read(&config).unwrap();
    let cosigner = keys.cosigner.clone().unwrap();
    let genesis = config.read_genesis().unwrap();
    let clock = Arc::new(SystemClock);
    let start = Node::start(&config, keys, genesis, clock, metrics::install());
    let node = runtime.block_on(start).unwrap();
    let (handle, stop) = (node.handle().clone(), CancellationToken::new());
    let ended = runtime.spawn(node.run_until(stop.clone()));
    Running { handle, cosigner, stop, ended }
}

/// A cosignature on the newest checkpoint that a node serves, with another root.
fn forked(node: &Running, key: &SigningKey) -> Option<CheckpointVote> {
    let checkpoints = node.handle.checkpoints();
    let served = checkpoints.served()?;
    let time = node.handle.reader().header(served.height).unwrap()?.header.time;
    let (size, root) = (served.size, LogRoot::new([9; 32]));
    let checkpoint = Checkpoint { origin: checkpoints.origin().to_owned(), size, root };
    let public = PublicKey::new(key.verifying_key().to_bytes());
    let sign = |message: &[u8]| Signature::new(key.sign(message).to_bytes());
    let cosignature = Cosignature::sign(&checkpoint, time, public, sign);
    Some(CheckpointVote { size, root, cosignature })
}

fn cets(home: &Path, line: &str) -> (u8, String, String) {
    let words = ["cets", "--home", home.to_str().unwrap(), "--lang", "en"];
    let words = words.into_iter().chain(line.split_whitespace());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = cets_cli::run(words, &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn a_validator_that_cosigns_two_logs_is_accused_with_a_file_that_proves_it_offline() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::write(folder.path().join("network"), 4, 13).unwrap();
    let network = &market.network;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let nodes: Vec<Running> =
        network.nodes.iter().map(|files| start(&runtime, &files.config_path)).collect();
    let accused = nodes[ACCUSED].cosigner.clone();
    let started = Instant::now();
    // One node alone is told; gossip brings both signatures to the others. A checkpoint may have
    // its quorum without the accused's own signature, so that the next is tried.
    while nodes.iter().any(|node| node.handle.reader().checkpoint_forks().unwrap().is_empty()) {
        assert!(started.elapsed() < PATIENCE, "the nodes keep no evidence");
        if let Some(vote) = forked(&nodes[0], &accused) {
            nodes[0].handle.checkpoints().receive(&[vote]).unwrap();
        }
        std::thread::sleep(Duration::from_millis(200));
    }

    let out = folder.path().join("accusations");
    let line = format!("--context auditor audit blame --out {} --output json", out.display());
    let (code, text, error) = cets(&network.client_home, &line);
    assert_eq!(code, 1, "{text}{error}");
    let found: Value = serde_json::from_str(&text).unwrap();
    let charges = found["charges"].as_array().unwrap();
    assert!(!charges.is_empty(), "{found}");
    let name =
        &network.genesis.validators.iter().find(|member| {
            member.cosigner_key == PublicKey::new(accused.verifying_key().to_bytes())
        });
    let stranger = folder.path().join("stranger");
    let genesis = network.genesis_path.display();
    for charge in charges {
        assert_eq!(charge["charge"]["name"], name.unwrap().name);
        let act = &charge["charge"]["act"]["checkpoints"];
        assert_ne!(act["first"], act["second"], "{act}");
        let file = charge["file"].as_str().unwrap();
        let (code, text, error) =
            cets(&stranger, &format!("verify {file} --genesis {genesis} --output json"));
        assert_eq!(code, 0, "{text}{error}");
        let verified: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(verified["charge"], charge["charge"]);
        let (code, text, _) = cets(&stranger, &format!("verify {file} --genesis {genesis}"));
        assert!(code == 0 && text.contains("two checkpoints of size"), "{text}");
    }
    for node in nodes {
        node.stop.cancel();
        runtime.block_on(node.ended).unwrap().unwrap();
    }
}
