//! Four whole nodes in one process: store, gossip, consensus.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cets_contracts::block::ValidatorSet;
use cets_contracts::transparency::{Policy, origin};
use cets_contracts::types::{BlockTime, Height};
use cets_node::checkpoints::ServedCheckpoint;
use cets_node::clock::SetClock;
use cets_node::config::{NodeConfig, NodeKeys, peer_id};
use cets_node::{Node, NodeError, NodeHandle, metrics};
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::world::{START, VALIDATORS, genesis, issue, key, transfer};

/// Longest wait for anything in these tests; far more than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Ports, keys and folders of four nodes, and a clock they share.
struct Network {
    folders: Vec<TempDir>,
    /// Ports of nodes that did not start yet, held so that nobody else takes them.
    held: Mutex<BTreeMap<u16, TcpListener>>,
    ports: Vec<[u16; 2]>,
    clock: SetClock,
    ticking: JoinHandle<()>,
    /// Whether gossip knows neighbours in a line alone; consensus always knows all.
    in_a_line: bool,
}

struct Running {
    handle: NodeHandle,
    metrics: std::net::SocketAddr,
    stop: CancellationToken,
    ended: JoinHandle<Result<(), NodeError>>,
}

impl Network {
    fn new() -> Self {
        // `RUST_LOG=info` and `--nocapture` show what the nodes write; the first test installs it.
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .try_init()
            .ok();
        let mut held = BTreeMap::new();
        let mut port = || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            held.insert(port, listener);
            port
        };
        let ports = (0..VALIDATORS).map(|_| [port(), port()]).collect();
        let clock = SetClock::new(BlockTime::from_millis(START + 1_000));
        let ticker = clock.clone();
        let ticking = tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(5)).await;
                ticker.advance(5);
            }
        });
        let folders = (0..VALIDATORS).map(|_| tempfile::tempdir().unwrap()).collect();
        Self { folders, held: Mutex::new(held), ports, clock, ticking, in_a_line: false }
    }

    fn config(&self, number: u8, folder: &Path) -> NodeConfig {
        for (kind, name) in [(1, "consensus"), (4, "cosigner"), (5, "network"), (6, "gossip")] {
            let pem = key(kind, number).to_pkcs8_pem(LineEnding::LF).unwrap();
            let file = folder.join(name);
            std::fs::write(&file, pem.as_bytes()).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&file, mode).unwrap();
        }
        let peers = |kind, which: usize| -> String {
            let far = |other: u8| self.in_a_line && which == 1 && other.abs_diff(number) > 1;
            (0..VALIDATORS)
                .filter(|other| *other != number && !far(*other))
                .map(|other| {
                    let port = self.ports[usize::from(other)][which];
                    let id = peer_id(&key(kind, other));
                    format!("\"/ip4/127.0.0.1/tcp/{port}/p2p/{id}\", ")
                })
                .collect()
        };
        let [consensus, gossip] = self.ports[usize::from(number)];
        let text = format!(
            "name = \"node-{number}\"\ngenesis = \"genesis.json\"\ndata = \"data\"\n\
             [keys]\nconsensus = \"consensus\"\ncosigner = \"cosigner\"\n\
             network = \"network\"\ngossip = \"gossip\"\n\
             [consensus]\nlisten = \"/ip4/127.0.0.1/tcp/{consensus}\"\npeers = [{}]\n\
             [gossip]\nlisten = \"/ip4/127.0.0.1/tcp/{gossip}\"\npeers = [{}]\n\
             [api]\nlisten = \"127.0.0.1:0\"\n[metrics]\nlisten = \"127.0.0.1:0\"\n\
             [blocks]\nidle_millis = 200\n",
            peers(5, 0),
            peers(6, 1),
        );
        NodeConfig::parse(&text, &folder.join("node.toml")).unwrap()
    }

    async fn run(&self, number: u8) -> Running {
        let folder = self.folders[usize::from(number)].path().to_owned();
        let config = self.config(number, &folder);
        let keys = NodeKeys::read(&config).unwrap();
        let clock = Arc::new(self.clock.clone());
        for port in &self.ports[usize::from(number)] {
            self.held.lock().unwrap().remove(port);
        }
        let node = Node::start(&config, keys, genesis(), clock, metrics::install()).await.unwrap();
        let (handle, metrics) = (node.handle().clone(), node.metrics_address().unwrap());
        let stop = CancellationToken::new();
        let ended = tokio::spawn(node.run_until(stop.clone()));
        Running { handle, metrics, stop, ended }
    }

    async fn run_all(&self) -> Vec<Running> {
        let mut nodes = Vec::new();
        for number in 0..VALIDATORS {
            nodes.push(self.run(number).await);
        }
        nodes
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.ticking.abort();
    }
}

impl Running {
    fn now(&self) -> u64 {
        self.handle.now().as_millis()
    }

    fn height(&self) -> u64 {
        self.handle.reader().tip().unwrap().height.get()
    }

    async fn reaches(&self, height: u64) {
        let mut commits = self.handle.commits();
        let reached = commits.wait_for(|tip| tip.height >= Height::new(height));
        tokio::time::timeout(PATIENCE, reached).await.expect("the height is reached").unwrap();
    }

    async fn finals(&self, transactions: Vec<Vec<u8>>) {
        let waits = transactions.into_iter().map(|transaction| {
            let handle = self.handle.clone();
            tokio::spawn(async move { handle.submit_and_wait(transaction, PATIENCE).await })
        });
        for wait in waits.collect::<Vec<_>>() {
            wait.await.unwrap().unwrap();
        }
    }

    async fn stops(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.ended).await.expect("it stops").unwrap().unwrap();
    }
}

fn agree(nodes: &[&Running], height: u64) {
    for height in 1..=height {
        let block = nodes[0].handle.reader().block(Height::new(height)).unwrap().unwrap();
        for node in nodes {
            let other = node.handle.reader().block(Height::new(height)).unwrap().unwrap();
            // Certificates may hold other signatures of the same quorum.
            assert_eq!(other.block, block.block, "block {height}");
            assert_eq!(other.receipts, block.receipts);
            assert_eq!(other.events, block.events);
        }
    }
}

async fn get(address: std::net::SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_nodes_order_what_any_of_them_is_given_and_agree() {
    let network = Network::new();
    let nodes = network.run_all().await;
    let now = nodes[0].now();
    nodes[0].finals(vec![issue(&genesis(), now, 0, &[(1, 10_000), (2, 10_000)])]).await;
    for (number, node) in (0u64..).zip(&nodes) {
        let orders = (0..25).map(|salt| {
            transfer(&genesis(), node.now(), number * 100 + salt, 1 + salt % 2, 3 + number % 2, 2)
        });
        node.finals(orders.collect()).await;
    }
    let height = nodes[0].height();
    for node in &nodes {
        node.reaches(height).await;
    }
    agree(&nodes.iter().collect::<Vec<_>>(), height);
    let status = nodes[3].handle.status().unwrap();
    assert_eq!(status.mempool.transactions, 0);

    let ready = get(nodes[1].metrics, "/ready").await;
    assert!(ready.starts_with("HTTP/1.1 200") && ready.contains("ready at height"), "{ready}");
    let figures = get(nodes[1].metrics, "/health").await;
    assert!(figures.contains("alive at height"), "{figures}");
    for node in nodes {
        node.stops().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stopped_node_and_one_with_an_empty_disk_catch_up() {
    let mut network = Network::new();
    let mut nodes = network.run_all().await;
    let now = nodes[0].now();
    nodes[0].finals(vec![issue(&genesis(), now, 0, &[(1, 10_000)])]).await;
    nodes.pop().unwrap().stops().await;
    for salt in 0..5 {
        let order = transfer(&genesis(), nodes[0].now(), salt, 1, 2, 3);
        nodes[usize::try_from(salt % 3).unwrap()].finals(vec![order]).await;
    }
    let height = nodes[0].height();
    nodes.push(network.run(3).await);
    nodes[3].reaches(height).await;
    agree(&nodes.iter().collect::<Vec<_>>(), height);

    nodes.pop().unwrap().stops().await;
    network.folders[3] = tempfile::tempdir().unwrap();
    let order = transfer(&genesis(), nodes[0].now(), 77, 1, 2, 3);
    nodes[0].finals(vec![order]).await;
    let height = nodes[0].height();
    nodes.push(network.run(3).await);
    nodes[3].reaches(height).await;
    agree(&nodes.iter().collect::<Vec<_>>(), height);
    for node in nodes {
        node.stops().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_when_all_nodes_stop_at_once() {
    let network = Network::new();
    let nodes = network.run_all().await;
    let now = nodes[0].now();
    nodes[0].finals(vec![issue(&genesis(), now, 0, &[(1, 10_000)])]).await;
    let orders: Vec<_> = (0..60).map(|salt| transfer(&genesis(), now, salt, 1, 2, 1)).collect();
    let ids: Vec<_> = orders
        .iter()
        .map(|order| cets_contracts::tx::Transaction::decode(order.clone()).unwrap().id())
        .collect();
    nodes[2].finals(orders).await;
    for node in nodes {
        node.stops().await;
    }
    let nodes = network.run_all().await;
    for id in &ids {
        assert!(nodes[2].handle.reader().transaction(id).unwrap().is_some());
    }
    let now = nodes[1].now();
    nodes[1].finals(vec![transfer(&genesis(), now, 1_000, 1, 2, 1)]).await;
    let height = nodes[1].height();
    for node in &nodes {
        node.reaches(height).await;
    }
    agree(&nodes.iter().collect::<Vec<_>>(), height);
    for node in nodes {
        node.stops().await;
    }
}

/// Entries of the newest checkpoint that a node serves, once they are so many.
async fn serves(node: &Running, entries: u64) -> std::sync::Arc<ServedCheckpoint> {
    let mut served = node.handle.checkpoints().watch();
    let enough = served.wait_for(|served| {
        served.as_ref().is_some_and(|served| served.size >= entries && served.cosigned >= 3)
    });
    let found = tokio::time::timeout(PATIENCE, enough).await.expect("a quorum cosigns").unwrap();
    found.clone().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn validators_cosign_and_every_node_serves_the_checkpoint_of_a_quorum() {
    let network = Network::new();
    let mut nodes = network.run_all().await;
    let now = nodes[0].now();
    nodes[0].finals(vec![issue(&genesis(), now, 0, &[(1, 10_000)])]).await;
    let genesis = genesis();
    let validators = ValidatorSet::new(genesis.validators.clone()).unwrap();
    let log = origin(&genesis.network, genesis.chain_id());
    let policy = Policy::of_validators(&log, &validators).unwrap();
    for node in &nodes {
        let served = serves(node, 2).await;
        let cosigned = policy.verify(&served.note.parse().unwrap()).unwrap();
        assert_eq!(cosigned.checkpoint.size, served.size);
        assert!(cosigned.witnesses.len() >= 3);
        assert_eq!(served.policy, policy.to_string());
        let header = node.handle.reader().header(served.height).unwrap().unwrap().header;
        assert_eq!(header.log_size + 1, served.size);
    }

    // Without one validator the others are a quorum still; without two nothing new is served.
    nodes.pop().unwrap().stops().await;
    let size = serves(&nodes[0], 0).await.size;
    for node in &nodes {
        let later = serves(node, size + 5).await;
        assert!(later.cosigned == 3 || later.size > size);
    }
    let before = serves(&nodes[2], 0).await;
    nodes.pop().unwrap().stops().await;
    let again = network.run(2).await;
    let served = again.handle.checkpoints().served().unwrap();
    assert!(served.size >= before.size, "a restart serves the last quorum at once");
    nodes.push(again);
    for node in nodes {
        node.stops().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cosignatures_reach_nodes_that_are_not_connected_to_their_authors() {
    let mut network = Network::new();
    network.in_a_line = true;
    let mut nodes = network.run_all().await;
    // The ends of the line have one neighbour: with its own cosignature that is no quorum.
    for node in &nodes {
        serves(node, 2).await;
    }
    nodes.pop().unwrap().stops().await;
    let size = serves(&nodes[0], 0).await.size;
    serves(&nodes[0], size + 5).await;
    nodes.push(network.run(3).await);
    let size = serves(&nodes[0], 0).await.size;
    serves(&nodes[3], size).await;
    for node in nodes {
        node.stops().await;
    }
}
