//! A client of the ledger: it sends the same bytes until a node calls them final, and to another
//! node as well when one takes long.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cets_api::token::{TOKEN_LIFE_SECONDS_MAX, TOKEN_METADATA, bearer, mint};
use cets_api::transactions_client::TransactionsClient;
use cets_api::{FinalTransaction, GetTransactionRequest, SubmitAndWaitRequest};
use cets_cli::clock::now;
use cets_cli::demo::runner::institutions::Desk;
use cets_cli::network::Network;
use cets_contracts::block::{LogEntry, Outcome, Receipt};
use cets_contracts::codec;
use cets_contracts::tx::SignedTransaction;
use cets_contracts::types::{BlockTime, TxId};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use super::record::{Acknowledged, Failure, Record, Way};
use crate::workload::Chooser;

/// How long a node may wait for the final answer before the client asks another one.
const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// What the connection may take beyond it.
const CALL_TIMEOUT: Duration = Duration::from_millis(2_500);
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a node that did not answer is left alone.
const AVOID: Duration = Duration::from_millis(200);
/// Wait after which another node gets the same bytes, too.
const LATE: Duration = Duration::from_millis(300);
/// Nodes that have the same bytes of a client at a time.
const NODES_ASKED_MAX: usize = 3;
/// Pause before the same bytes are sent again.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// A connection to every node, and which of them to leave alone for a moment.
#[derive(Debug)]
pub struct Client {
    channels: Vec<Channel>,
    /// Milliseconds after `started` until which each node is left alone.
    avoided_until: Vec<AtomicU64>,
    started: Instant,
    chain_id: String,
    gives_up: AtomicBool,
    clocks_differ: AtomicBool,
}

/// A final answer and how it was got, or why there is none.
enum Answer {
    Final(FinalTransaction, Way),
    /// The node or its connection failed; another may not.
    Passing(Status),
    /// What must not happen.
    Wrong(String),
}

impl Client {
    /// A client that connects to a node when it first asks it; call it on a runtime.
    pub fn new(network: &Network) -> eyre::Result<Self> {
        let channel = |address: String| -> eyre::Result<Channel> {
            let endpoint = Endpoint::from_shared(address)?.connect_timeout(CONNECT_TIMEOUT);
            Ok(endpoint.tcp_nodelay(true).connect_lazy())
        };
        let channels = network.nodes.iter().map(|node| channel(node.address()));
        Ok(Self {
            channels: channels.collect::<eyre::Result<_>>()?,
            avoided_until: network.nodes.iter().map(|_| AtomicU64::new(0)).collect(),
            started: Instant::now(),
            chain_id: network.genesis.chain_id().to_string(),
            gives_up: AtomicBool::new(false),
            clocks_differ: AtomicBool::new(false),
        })
    }

    /// Lets whoever still waits for a final answer go.
    pub fn give_up(&self) {
        self.gives_up.store(true, Ordering::Relaxed);
    }

    /// From now on a node may refuse a reader's token, because its clock is off.
    pub fn clocks_differ(&self) {
        self.clocks_differ.store(true, Ordering::Relaxed);
    }

    /// Sends a transaction until it is final and keeps the answer; false when it was given up.
    pub async fn finalise(
        &self,
        desk: &Desk,
        transaction: &SignedTransaction,
        chooser: &mut Chooser,
        record: &Record,
    ) -> bool {
        let (id, bytes) = (transaction.body.id(), transaction.encode());
        let (mut calls, mut asked) = (FuturesUnordered::new(), Vec::new());
        while !self.gives_up.load(Ordering::Relaxed) {
            if asked.len() < NODES_ASKED_MAX.min(self.channels.len()) {
                let node = self.choose(chooser, &asked);
                asked.push(node);
                let token_id = chooser.bytes();
                calls.push(self.ask(node, desk, id, bytes.clone(), token_id));
            }
            let Ok(answer) = tokio::time::timeout(LATE, calls.next()).await else {
                asked.iter().for_each(|node| self.avoid(*node));
                continue;
            };
            let Some((node, answer)) = answer else { continue };
            match answer {
                Answer::Final(answer, way) => {
                    self.avoided_until[node].store(0, Ordering::Relaxed);
                    return keep(record, id, answer, way);
                }
                Answer::Wrong(what) => {
                    record.violate(what);
                    return false;
                }
                Answer::Passing(error) => self.failed(node, &error, record),
            }
            tokio::time::sleep(RETRY_PAUSE).await;
            // The node that failed is asked again unless there is a better one.
            asked.retain(|one| *one != node);
        }
        record.violate(format!("{id} never became final"));
        false
    }

    /// Asks a node once for the final answer to a transaction.
    async fn ask(
        &self,
        node: usize,
        desk: &Desk,
        id: TxId,
        bytes: Vec<u8>,
        token_id: [u8; 32],
    ) -> (usize, Answer) {
        let error = match self.submit(node, bytes).await {
            Ok(answer) => return (node, Answer::Final(answer, Way::Answer)),
            Err(error) => error,
        };
        let answer = if error.code() == Code::AlreadyExists {
            match self.look_up(node, desk, id, token_id).await {
                Ok(answer) => Answer::Final(answer, Way::Retry),
                Err(error) if is_passing(error.code()) => Answer::Passing(error),
                Err(error) if self.is_of_clock(&error) => Answer::Passing(error),
                Err(error) => {
                    let what = "is final there, but asked for it the node says";
                    Answer::Wrong(format!("{id} at node {node} {what}: {error}"))
                }
            }
        } else if is_passing(error.code()) {
            Answer::Passing(error)
        } else {
            Answer::Wrong(format!("node {node} refuses the good transaction {id}: {error}"))
        };
        (node, answer)
    }

    fn is_of_clock(&self, error: &Status) -> bool {
        self.clocks_differ.load(Ordering::Relaxed) && error.code() == Code::Unauthenticated
    }

    /// A node that is not asked already, best one that is not left alone.
    fn choose(&self, chooser: &mut Chooser, asked: &[usize]) -> usize {
        let now = self.elapsed();
        let good = |node: &usize| self.avoided_until[*node].load(Ordering::Relaxed) <= now;
        let free: Vec<usize> =
            (0..self.channels.len()).filter(|node| !asked.contains(node)).collect();
        let good: Vec<usize> = free.iter().copied().filter(good).collect();
        *chooser.one(if good.is_empty() { &free } else { &good }).unwrap()
    }

    fn elapsed(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn avoid(&self, node: usize) {
        let until = self.elapsed() + AVOID.as_millis() as u64;
        self.avoided_until[node].store(until, Ordering::Relaxed);
    }

    fn failed(&self, node: usize, error: &Status, record: &Record) {
        self.avoid(node);
        let (code, message) = (error.code(), error.message().to_owned());
        record.fail(Failure { node, code, message, at: Instant::now() });
    }

    async fn submit(&self, node: usize, transaction: Vec<u8>) -> Result<FinalTransaction, Status> {
        let timeout_millis = ANSWER_WAIT.as_millis() as u32;
        let request = SubmitAndWaitRequest { transaction, timeout_millis };
        let mut client = TransactionsClient::new(self.channels[node].clone());
        in_time(client.submit_and_wait(request)).await
    }

    async fn look_up(
        &self,
        node: usize,
        desk: &Desk,
        id: TxId,
        token_id: [u8; 32],
    ) -> Result<FinalTransaction, Status> {
        let mut request = Request::new(GetTransactionRequest { tx_id: id.as_bytes().to_vec() });
        let seconds = now().unwrap().as_millis() / 1_000;
        let account = desk.account.to_string();
        let token_id: [u8; 16] = token_id[..16].try_into().unwrap();
        let (key, life) = (&desk.keys[0], TOKEN_LIFE_SECONDS_MAX);
        let token = mint(key, &account, &self.chain_id, seconds, life, token_id);
        request.metadata_mut().insert(TOKEN_METADATA, bearer(&token).parse().unwrap());
        let mut client = TransactionsClient::new(self.channels[node].clone());
        in_time(client.get_transaction(request)).await
    }
}

async fn in_time<T>(
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, Status> {
    let late = |_| Status::deadline_exceeded("no answer over the connection");
    let answer = tokio::time::timeout(CALL_TIMEOUT, call).await.map_err(late)?;
    answer.map(tonic::Response::into_inner)
}

/// Whether another try may succeed: the node or the connection failed, not the transaction.
const fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable
            | Code::Cancelled
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Unknown
    )
}

fn keep(record: &Record, id: TxId, answer: FinalTransaction, way: Way) -> bool {
    let receipt = match receipt_of(&answer) {
        Some(receipt) if receipt.tx_id == id => receipt,
        _ => {
            record.violate(format!("the final answer to {id} cannot be read or is another's"));
            return false;
        }
    };
    if receipt.outcome != Outcome::Accepted {
        record.violate(format!("{id} was refused by its rule: {:?}", receipt.outcome));
    }
    let block_time = BlockTime::from_millis(answer.block_time_millis);
    record.acknowledge(Acknowledged { receipt, block_time, at: Instant::now(), way });
    true
}

/// The receipt in a node's final answer.
pub fn receipt_of(answer: &FinalTransaction) -> Option<Receipt> {
    match codec::decode(&answer.entry).ok()? {
        LogEntry::Transaction { receipt, .. } => Some(receipt),
        LogEntry::Header(_) => None,
    }
}
