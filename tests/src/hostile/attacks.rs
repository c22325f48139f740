//! What is done to a node.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cets_api::SubmitRequest;
use cets_api::transactions_client::TransactionsClient;
use cets_contracts::rules::Payload;
use cets_contracts::rules::allowances::transfer::Transfer;
use cets_contracts::types::{ChainId, Instrument, Selection, Signature, Tonnes, Vintage};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};

use super::wire;
use crate::cluster::market::Market;
use crate::workload::Chooser;

/// Connections over which malformed requests are sent.
const CALLERS: u64 = 16;
/// Calls that an attacker has under way on a connection.
const CALLS_PER_CONNECTION: u32 = 200;
/// How long an attacker waits for a connection or an answer.
const WAIT: Duration = Duration::from_secs(10);
/// Largest request that a node takes, by default; larger ones are sent.
const REQUEST_BYTES_MAX: usize = 256 * 1024;

const SUBMIT: &str = "/cets.v1.Transactions/Submit";
const ACCOUNTS: &str = "/cets.v1.Ledger/ListPublicAccounts";
const GENESIS: &str = "/cets.v1.Blocks/GetGenesis";

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Attack {
    /// Requests of every wrong form: no protobuf, no envelope, no method, too large, cut off,
    /// wrong signatures, wrong chains, bytes that are no HTTP.
    Malformed,
    /// Calls whose answers are never read.
    SlowReaders,
    /// Connections that say nothing.
    Idle,
    /// Calls whose message never ends.
    HalfCalls,
    /// Connections to the ports of consensus and gossip that say nothing, or worthless bytes.
    PeerPorts,
    /// A known client's transactions that are good in form and refused by their rule.
    Unfunded,
}

impl Attack {
    /// All attacks.
    pub const ALL: [Self; 6] = [
        Self::Malformed,
        Self::SlowReaders,
        Self::Idle,
        Self::HalfCalls,
        Self::PeerPorts,
        Self::Unfunded,
    ];

    /// Name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::SlowReaders => "slow-readers",
            Self::Idle => "idle",
            Self::HalfCalls => "half-calls",
            Self::PeerPorts => "peer-ports",
            Self::Unfunded => "unfunded",
        }
    }
}

/// Whom an attack meets, and how much of it there is.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where clients call.
    pub api: SocketAddr,
    /// Where other nodes call: consensus and gossip.
    pub peers: Vec<SocketAddr>,
    /// The network; honest keys of it for well-formed transactions.
    pub market: Arc<Market>,
    /// Requests of the attacks that send requests.
    pub requests: u64,
    /// Connections of the attacks that hold connections.
    pub connections: usize,
    /// How long connections are held.
    pub hold: Duration,
    /// Requests a second at most.
    pub rate: u64,
    /// Seed of worthless bytes.
    pub seed: u64,
}

/// What an attacker got, by the words of the answer.
pub type Answers = BTreeMap<String, u64>;

/// Carries an attack out and says what the attacker got.
///
/// # Errors
/// When the node ends.
pub async fn carry_out(attack: Attack, target: &Target) -> eyre::Result<Answers> {
    match attack {
        Attack::Malformed => malformed(target).await,
        Attack::SlowReaders => {
            let calls = |_: usize| {
                let mut bytes = wire::opening_without_window();
                for number in 0..CALLS_PER_CONNECTION {
                    let path = if number % 2 == 0 { ACCOUNTS } else { GENESIS };
                    bytes.extend(wire::whole_call(2 * number + 1, path, &[]));
                }
                bytes
            };
            Ok(hold(target, target.api, target.connections, calls).await)
        }
        Attack::Idle => Ok(hold(target, target.api, target.connections, |_| Vec::new()).await),
        Attack::HalfCalls => {
            let calls = |_: usize| {
                let mut bytes = wire::opening_without_window();
                for number in 0..CALLS_PER_CONNECTION {
                    bytes.extend(wire::half_call(2 * number + 1, SUBMIT));
                }
                bytes
            };
            Ok(hold(target, target.api, target.connections, calls).await)
        }
        Attack::PeerPorts => {
            let mut all = Answers::new();
            for port in &target.peers {
                let words = |number: usize| match number % 3 {
                    0 => Vec::new(),
                    // The handshake of the connection, then a message of four gigabytes.
                    1 => [b"\x13/multistream/1.0.0\n".as_slice(), &[0xff; 64]].concat(),
                    _ => vec![0xa5; 4096],
                };
                for (answer, count) in hold(target, *port, target.connections, words).await {
                    *all.entry(answer).or_default() += count;
                }
            }
            Ok(all)
        }
        Attack::Unfunded => unfunded(target).await,
    }
}

/// Waits so that no more than `rate` requests a second leave.
async fn pace(started: Instant, sent: u64, rate: u64) {
    let due = Duration::from_secs_f64(sent as f64 / rate.max(1) as f64);
    tokio::time::sleep(due.saturating_sub(started.elapsed())).await;
}

async fn malformed(target: &Target) -> eyre::Result<Answers> {
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let target = target.clone();
        callers.spawn(async move {
            let endpoint = Endpoint::from_shared(format!("http://{}", target.api))?;
            let channel = endpoint.connect_lazy();
            let mut chooser = Chooser::new(target.seed.wrapping_mul(1_000).wrapping_add(caller));
            let (mut answers, started) = (Answers::new(), Instant::now());
            for number in 0..target.requests / CALLERS {
                let answer = one_malformed(&target, &channel, number, &mut chooser).await;
                *answers.entry(answer).or_default() += 1;
                pace(started, number, target.rate / CALLERS).await;
            }
            Ok::<_, eyre::Report>(answers)
        });
    }
    let mut all = Answers::new();
    while let Some(answers) = callers.join_next().await {
        for (answer, count) in answers?? {
            *all.entry(answer).or_default() += count;
        }
    }
    Ok(all)
}

/// Sends one request of one of the wrong forms.
async fn one_malformed(
    target: &Target,
    channel: &Channel,
    number: u64,
    chooser: &mut Chooser,
) -> String {
    let submit = |transaction: Vec<u8>| {
        let mut message = vec![0x0a];
        let mut length = transaction.len();
        while length >= 0x80 {
            message.push(length as u8 | 0x80);
            length >>= 7;
        }
        message.push(length as u8);
        message.extend(transaction);
        message
    };
    let (form, path, message) = match number % 10 {
        0 => ("no protobuf", SUBMIT, chooser.bytes().to_vec()),
        1 => ("no envelope", SUBMIT, submit(chooser.bytes().to_vec())),
        2 => ("empty", SUBMIT, Vec::new()),
        3 => ("no method", "/cets.v1.Transactions/Steal", vec![1]),
        4 => ("no service", "/cets.v2.Ledger/GetAccount", vec![1]),
        5 if number % 100 == 5 => ("too large", SUBMIT, vec![7; REQUEST_BYTES_MAX + 1]),
        5 => ("cut off", SUBMIT, submit(vec![9; 100])[..50].to_vec()),
        6 | 7 => {
            let (_, mut transaction) = target.market.transfer(chooser).unwrap();
            let forged = chooser.bytes();
            let signature: Vec<u8> = [forged, forged].concat();
            transaction.signatures[0] = Signature::new(signature.try_into().unwrap());
            ("wrong signature", SUBMIT, submit(transaction.encode()))
        }
        8 => {
            let desk = target.market.holder(1);
            let payload = target.market.transfer(chooser).unwrap().1.body.payload;
            let until = cets_cli::clock::now().unwrap().saturating_add_millis(60_000);
            let signed = desk.sign(ChainId::new([9; 16]), until, number, payload);
            ("wrong chain", SUBMIT, submit(signed.encode()))
        }
        _ => return format!("no HTTP: {}", no_http(target.api, chooser).await),
    };
    match tokio::time::timeout(WAIT, wire::call(channel.clone(), path, message)).await {
        Ok(Ok(_)) => format!("{form}: taken"),
        Ok(Err(status)) => format!("{form}: {:?}", status.code()),
        Err(_) => format!("{form}: no answer"),
    }
}

/// Sends bytes that are no HTTP and waits for the end of the connection.
async fn no_http(api: SocketAddr, chooser: &mut Chooser) -> &'static str {
    let sent = async {
        let mut connection = TcpStream::connect(api).await?;
        let bytes = chooser.bytes();
        if chooser.percent(50) {
            connection.write_all(wire::PREFACE).await?;
        }
        connection.write_all(&bytes).await?;
        connection.shutdown().await?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await
    };
    match tokio::time::timeout(WAIT, sent).await {
        Ok(Ok(_) | Err(_)) => "closed",
        Err(_) => "left open",
    }
}

/// Opens connections, says something on each and holds them without reading.
async fn hold(
    target: &Target,
    address: SocketAddr,
    connections: usize,
    words: impl Fn(usize) -> Vec<u8>,
) -> Answers {
    let until = Instant::now() + target.hold;
    let mut held = JoinSet::new();
    for number in 0..connections {
        let bytes = words(number);
        held.spawn(async move {
            let opened = tokio::time::timeout(WAIT, TcpStream::connect(address)).await;
            let Ok(Ok(mut connection)) = opened else { return "not opened" };
            // The other side may close it while it is written to.
            if connection.write_all(&bytes).await.is_err() {
                return "closed at once";
            }
            loop {
                let left = until.saturating_duration_since(Instant::now());
                let readable =
                    tokio::time::timeout(left, connection.ready(tokio::io::Interest::READABLE));
                if readable.await.is_err() {
                    return "held to the end";
                }
                // Only its end is looked for: what is there to read stays unread.
                match connection.peek(&mut [0]).await {
                    Ok(0) | Err(_) => return "closed",
                    Ok(_) => tokio::time::sleep(Duration::from_millis(200)).await,
                }
                if Instant::now() >= until {
                    return "held to the end";
                }
            }
        });
        if number % 100 == 99 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let mut answers = Answers::new();
    while let Some(end) = held.join_next().await {
        *answers.entry(end.unwrap_or("broken").to_owned()).or_default() += 1;
    }
    answers
}

/// Submits transfers of more than the holder has, as fast as is allowed.
async fn unfunded(target: &Target) -> eyre::Result<Answers> {
    let chain_id = target.market.network.genesis.chain_id();
    let desk = target.market.holder(1);
    let instrument = Instrument::Cea(Vintage::new(2024)?);
    let units = Selection::Quantity { instrument, tonnes: Tonnes::new(5_000_000_000) };
    let to = target.market.holder(2).account;
    let payload: Payload = Transfer { to, units }.into();
    let channel = Endpoint::from_shared(format!("http://{}", target.api))?.connect_lazy();
    let (mut answers, started) = (Answers::new(), Instant::now());
    let mut calls = JoinSet::new();
    for number in 0..target.requests / 4 {
        let until = cets_cli::clock::now()?.saturating_add_millis(600_000);
        // Honest orders of the same desk have small numbers.
        let signed = desk.sign(chain_id, until, u64::MAX - number, payload.clone());
        let mut client = TransactionsClient::new(channel.clone());
        calls.spawn(async move {
            let request = SubmitRequest { transaction: signed.encode() };
            match client.submit(request).await {
                Ok(_) => "taken".to_owned(),
                Err(status) => format!("{:?}", status.code()),
            }
        });
        if calls.len() >= 64
            && let Some(answer) = calls.join_next().await
        {
            *answers.entry(answer?).or_default() += 1;
        }
        pace(started, number, target.rate).await;
    }
    while let Some(answer) = calls.join_next().await {
        *answers.entry(answer?).or_default() += 1;
    }
    Ok(answers)
}
