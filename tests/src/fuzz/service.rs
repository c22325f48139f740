//! Requests to a node: gRPC and HTTP through the whole interface, without a network.
//!
//! The node behind it has a ledger with some history on a disk in memory. Its clock stands still,
//! and what is submitted is never ordered.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cets_api::token;
use cets_consensus::Ledger as _;
use cets_consensus::simulation::Device;
use cets_contracts::state::{Table, keys};
use cets_contracts::types::{AccountId, Role};
use cets_node::clock::SetClock;
use cets_node::ledger::NodeLedger;
use cets_node::mempool::{Mempool, MempoolLimits};
use cets_node::read::Reader;
use cets_node::rpc::{ERROR_TRAILER, InProcess, RpcLimits};
use cets_node::store::Store;
use cets_node::{Health, NodeHandle, NodeParts};
use tokio::runtime::Runtime;
use tonic::codegen::http::Request;

use super::requests::{METHODS, Method, grpc_seeds, http_seeds};
use super::target::{KIB, MIB, Target, text};
use crate::fixture::signing_key;
use crate::sim::{Template, settings};

/// The targets of this file.
pub const TARGETS: &[Target] = &[
    Target::of_bytes("grpc", grpc)
        .reading("gRPC requests to every method of a node with a small ledger")
        .holding("an answer or a refusal with its report; nothing in the node fails")
        .up_to(4 * KIB)
        .within(16 * MIB)
        .weighing(20)
        .from_seeds(|| grpc_seeds(desk())),
    Target::of_text("http", http)
        .reading("HTTP requests to the same port")
        .holding("an answer or a refusal; nothing in the node fails")
        .up_to(2 * KIB)
        // The thread that verifies signatures takes 12.5 MiB for the keys it will know, whenever
        // it begins.
        .within(16 * MIB)
        .weighing(20)
        .from_seeds(http_seeds),
];

/// A node without a network.
pub struct ServedNode {
    interface: InProcess,
    runtime: Runtime,
    /// Who asks: nobody, an auditor, a holder.
    tokens: [Option<String>; 3],
    /// Genesis, state and history of the node.
    pub handle: NodeHandle,
}

/// Longest wait for the first pieces of a stream.
const STREAM_WAIT: Duration = Duration::from_millis(20);
/// Pieces read of a stream.
const STREAM_PIECES: usize = 3;
/// Pieces read of an answer: its message and its trailers, with room.
const ANSWER_PIECES: usize = 64;

fn desk() -> &'static ServedNode {
    thread_local! {
        static NODE: &'static ServedNode = Box::leak(Box::new(ServedNode::new()));
    }
    NODE.with(|node| *node)
}

impl ServedNode {
    fn new() -> Self {
        let template = Template::new(4, 0);
        let genesis = template.genesis.clone();
        let clock = Arc::new(SetClock::new(template.now));
        let disk = template.disk.copy_to(Device::default(), Path::new("simulated/fuzz"));
        let store = Store::simulated(disk).unwrap();
        let state = NodeLedger::load(&store, &genesis).unwrap();
        let limits = MempoolLimits { transactions_max: 64, ..MempoolLimits::default() };
        let (mempool, _) = Mempool::start(limits, state.clone(), clock.clone(), 1).unwrap();
        let (pool, known) = (mempool.clone(), state.clone());
        let ledger =
            NodeLedger::new(settings(), &genesis, store.clone(), known, pool, clock.clone());
        let ledger = ledger.unwrap();
        assert!(ledger.tip().unwrap().get() > 0);
        let checkpoints =
            cets_node::checkpoints::Checkpoints::open(store.clone(), state.clone(), &genesis);
        let checkpoints = checkpoints.unwrap();
        for number in 1..=4 {
            let key = signing_key(&format!("cosigner/{number}"));
            checkpoints.advance(Some(&key)).unwrap();
        }
        assert!(checkpoints.served().is_some());
        let handle = NodeHandle::new(NodeParts {
            node_name: "fuzz".to_owned(),
            genesis: genesis.clone(),
            reader: Reader::new(store, state),
            checkpoints,
            mempool,
            commits: ledger.commits(),
            clock,
            health: Health::default(),
        })
        .unwrap();
        let now = template.now.as_millis() / 1_000;
        let chain_id = genesis.chain_id().to_string();
        let mint = |role, label: &str| {
            let account = AccountId::new(role, 1).unwrap().to_string();
            token::bearer(&token::mint(&signing_key(label), &account, &chain_id, now, 300, [0; 16]))
        };
        let tokens = [
            None,
            Some(mint(Role::Auditor, "auditor/1")),
            Some(mint(Role::Government, "government/1")),
        ];
        let wait = RpcLimits { wait_millis_max: 1, wait_millis_default: 1, ..RpcLimits::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Reflection and mempool begin work of their own when they are set up.
        let interface = runtime
            .block_on(async { cets_node::simulation::interface(handle.clone(), wait).unwrap() });
        Self { interface, runtime, tokens, handle }
    }
}

/// Asks by gRPC: a byte for the method, one for the caller and the form, then the message.
pub fn grpc(bytes: &[u8]) -> bool {
    let [method, caller, message @ ..] = bytes else { return false };
    let Method { path, is_stream } = METHODS[usize::from(*method) % METHODS.len()];
    let node = desk();
    let mut request = Request::post(path).header("content-type", "application/grpc");
    if let Some(token) = &node.tokens[usize::from(*caller) % node.tokens.len()] {
        request = request.header("authorization", token);
    }
    if caller & 0x40 != 0 {
        request = request.header("accept-language", "zh");
    }
    let body = match caller & 0x80 {
        0 => {
            let length = u32::try_from(message.len()).unwrap().to_be_bytes();
            [&[0], &length[..], message].concat()
        }
        _ => message.to_vec(),
    };
    let request = request.body(body.into()).unwrap();
    let pieces = if is_stream { STREAM_PIECES } else { ANSWER_PIECES };
    let answered = node.runtime.block_on(async {
        let answer = node.interface.answer(request, pieces);
        match is_stream {
            true => tokio::time::timeout(STREAM_WAIT, answer).await.ok(),
            false => Some(answer.await),
        }
    });
    // A stream that has nothing to say waits for blocks that never come.
    let Some(answered) = answered else { return true };
    let answered = answered.expect("an answer is never broken off");
    assert_eq!(answered.status, 200);
    let status = answered.headers.get("grpc-status").map_or("", |it| it.to_str().unwrap());
    if let Some(report) = answered.headers.get(ERROR_TRAILER) {
        let report = String::from_utf8_lossy(report.as_bytes());
        assert!(!report.contains("NODE_FAILED"), "{path}: {report}");
    } else {
        assert!(["", "0"].contains(&status), "{path}: a refusal without report, code {status}");
    }
    ["", "0"].contains(&status)
}

/// Asks by HTTP: a line with method and path, lines of headers, an empty line, the body.
pub fn http(bytes: &[u8]) -> bool {
    let Some(text) = text(bytes) else { return false };
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let Some((method, path)) = lines.next().and_then(|line| line.split_once(' ')) else {
        return false;
    };
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        request = request.header(name, value);
    }
    let Ok(request) = request.body(body.to_owned().into()) else { return false };
    let node = desk();
    let answer = node.interface.answer(request, STREAM_PIECES);
    let waited = async { tokio::time::timeout(STREAM_WAIT, answer).await };
    let Ok(answered) = node.runtime.block_on(waited) else { return true };
    let answered = answered.expect("an answer is never broken off");
    // The node is not synced, as it has no engine.
    assert!(answered.status < 500 || answered.status == 503, "status {}", answered.status);
    answered.status == 200
}

impl ServedNode {
    /// Keys of some records of each table.
    pub fn keys(&self) -> Vec<Vec<u8>> {
        let all = Table::ALL.iter().flat_map(|table| {
            let prefix = keys::table_prefix(*table);
            self.handle.reader().list(&prefix, None, 2).answer.items
        });
        all.map(|record| record.key).collect()
    }
}
