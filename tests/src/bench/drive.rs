//! The client: submits orders signed beforehand in streams, one to each node, and follows how far
//! the blocks have come. A process of its own in measurements.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cets_api::operations_client::OperationsClient;
use cets_api::transactions_client::TransactionsClient;
use cets_api::{GetStatusRequest, SubmitRequest};
use eyre::{OptionExt as _, WrapErr as _, ensure, eyre};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::time::Instant as Moment;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};

use super::{machine, orders};

/// Orders sent at a time.
const CHUNK: usize = 32;
/// Orders that wait for the connection.
const WAITING_MAX: usize = 256;
/// Pause between two looks at the blocks.
const LOOK_PAUSE: Duration = Duration::from_millis(10);
/// How often a steady pace lets orders go.
const STEADY_TICK: Duration = Duration::from_millis(5);
/// Refusals that are kept.
const REFUSALS_KEPT: usize = 3;
/// Word with which the process says that it is connected.
const READY: &str = "ready";

/// What is sent to one node.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Address of the node.
    pub address: String,
    /// Signed orders, in order.
    pub orders: Vec<Vec<u8>>,
}

/// How fast orders are sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pace {
    /// Orders on their way at a time; at a steady rate, none waits for another.
    pub in_flight: usize,
    /// Orders a second.
    pub rate: Option<f64>,
    /// How long orders are sent, in milliseconds; until there are none without.
    pub send_millis: Option<u64>,
    /// Longest wait until the last ones are final, in milliseconds.
    pub drain_millis: u64,
}

impl Pace {
    /// Sends all orders.
    pub fn all(in_flight: usize, wait: Duration) -> Self {
        let drain_millis = wait.as_millis() as u64;
        Self { in_flight, rate: None, send_millis: None, drain_millis }
    }
}

/// How far the blocks had come at a moment.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Look {
    /// Milliseconds after the start.
    pub millis: f64,
    /// Newest height.
    pub height: u64,
    /// Transactions of all blocks up to it.
    pub transactions: u64,
}

/// What became of the orders.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Driven {
    /// Taken into a mempool.
    pub taken: u64,
    /// Not taken.
    pub refused: u64,
    /// The first reasons.
    pub refusals: Vec<String>,
    /// The blocks as they came, from the one before the first order.
    pub looks: Vec<Look>,
    /// Processor seconds of the client.
    pub cpu_seconds: f64,
}

impl Driven {
    /// Transactions that became final.
    pub fn finalised(&self) -> u64 {
        let first = self.looks.first().map_or(0, |look| look.transactions);
        self.looks.last().map_or(0, |look| look.transactions) - first
    }

    /// The first and the last block that came between two moments, in milliseconds.
    pub fn between(&self, from: f64, to: f64) -> Option<(Look, Look)> {
        let inside = || self.looks.iter().filter(|look| (from..to).contains(&look.millis));
        let (first, last) = (*inside().next()?, *inside().next_back()?);
        (first.height < last.height).then_some((first, last))
    }
}

#[derive(Debug, Default)]
struct Counts {
    taken: AtomicU64,
    refused: AtomicU64,
    refusals: Mutex<Vec<String>>,
}

/// Sends orders; `ready` is called when all is connected.
pub fn drive(
    lanes: Vec<Lane>,
    pace: &Pace,
    ready: impl FnOnce() -> eyre::Result<()>,
) -> eyre::Result<Driven> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(drive_lanes(lanes, pace, ready))
}

async fn drive_lanes(
    lanes: Vec<Lane>,
    pace: &Pace,
    ready: impl FnOnce() -> eyre::Result<()>,
) -> eyre::Result<Driven> {
    let mut channels = Vec::new();
    for lane in &lanes {
        let endpoint = Endpoint::from_shared(lane.address.clone())?.tcp_nodelay(true);
        channels.push(endpoint.connect().await.wrap_err_with(|| lane.address.clone())?);
    }
    let mut follower = OperationsClient::new(channels.first().ok_or_eyre("no node")?.clone());
    ready()?;
    let (started, cpu) = (Instant::now(), machine::cpu_seconds(std::process::id()));
    let mut looks = vec![look(&mut follower, started).await?];
    let total: u64 = lanes.iter().map(|lane| lane.orders.len() as u64).sum();
    let send_until = pace.send_millis.map(Duration::from_millis);
    let send_until = Moment::now() + send_until.unwrap_or(Duration::from_millis(pace.drain_millis));
    let permits = Arc::new(Semaphore::new(if pace.rate.is_some() { 0 } else { pace.in_flight }));
    let counts = Arc::new(Counts::default());
    let mut tasks = tokio::task::JoinSet::new();
    for (lane, channel) in lanes.into_iter().zip(channels) {
        let (permits, counts) = (Arc::clone(&permits), Arc::clone(&counts));
        let chunk = if pace.rate.is_some() { CHUNK } else { CHUNK.min(pace.in_flight) };
        tasks.spawn(send_lane(lane.orders, chunk, channel, permits, counts, send_until));
    }
    if let Some(rate) = pace.rate {
        tasks.spawn(let_go_steadily(rate, Arc::clone(&permits), send_until));
    }
    let drain_until = send_until + Duration::from_millis(pace.drain_millis);
    let mut failure = None;
    loop {
        while let Some(ended) = tasks.try_join_next() {
            failure = failure.or(ended?.err());
        }
        let now = look(&mut follower, started).await?;
        if let Some(last) = looks.last()
            && now.height > last.height
        {
            if pace.rate.is_none() {
                permits.add_permits((now.transactions - last.transactions) as usize);
            }
            looks.push(now);
        }
        let final_now = now.transactions - looks[0].transactions;
        let taken = counts.taken.load(Ordering::Relaxed);
        let all = taken + counts.refused.load(Ordering::Relaxed) >= total;
        let sent = tasks.is_empty() || all;
        if (sent && final_now >= taken) || Moment::now() > drain_until || failure.is_some() {
            break;
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    if let Some(error) = failure {
        return Err(error);
    }
    let cpu_seconds = machine::cpu_seconds(std::process::id()) - cpu;
    let (taken, refused) = (&counts.taken, &counts.refused);
    let [taken, refused] = [taken, refused].map(|count| count.load(Ordering::Relaxed));
    let refusals = counts.refusals.lock().await.clone();
    Ok(Driven { taken, refused, refusals, looks, cpu_seconds })
}

async fn look(follower: &mut OperationsClient<Channel>, started: Instant) -> eyre::Result<Look> {
    let status = follower.get_status(GetStatusRequest {}).await?.into_inner();
    let millis = started.elapsed().as_secs_f64() * 1_000.0;
    // Each block adds one entry of its own to the log.
    let transactions = status.log_size.saturating_sub(status.height);
    Ok(Look { millis, height: status.height, transactions })
}

async fn let_go_steadily(rate: f64, permits: Arc<Semaphore>, until: Moment) -> eyre::Result<()> {
    let (started, mut gone) = (Moment::now(), 0);
    while Moment::now() < until {
        tokio::time::sleep(STEADY_TICK).await;
        let due = (started.elapsed().as_secs_f64() * rate) as usize;
        permits.add_permits(due - gone);
        gone = due;
    }
    Ok(())
}

async fn send_lane(
    orders: Vec<Vec<u8>>,
    chunk: usize,
    channel: Channel,
    permits: Arc<Semaphore>,
    counts: Arc<Counts>,
    until: Moment,
) -> eyre::Result<()> {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    let gate = Arc::clone(&permits);
    let send = async move {
        let mut orders = orders.into_iter();
        loop {
            let chunk: Vec<Vec<u8>> = orders.by_ref().take(chunk).collect();
            let count = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
            let allowed = tokio::time::timeout_at(until, gate.acquire_many(count)).await;
            let Ok(Ok(allowed)) = allowed else { return };
            allowed.forget();
            if count == 0 {
                return;
            }
            for transaction in chunk {
                if sender.send(SubmitRequest { transaction }).await.is_err() {
                    return;
                }
            }
        }
    };
    let receive = async move {
        let mut client = TransactionsClient::new(channel);
        let answers = client.submit_stream(ReceiverStream::new(receiver)).await?;
        let mut answers = answers.into_inner();
        while let Some(answer) = answers.message().await? {
            if answer.error.is_empty() {
                counts.taken.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            counts.refused.fetch_add(1, Ordering::Relaxed);
            permits.add_permits(1);
            let mut kept = counts.refusals.lock().await;
            if kept.len() < REFUSALS_KEPT {
                kept.push(answer.error);
            }
        }
        Ok(())
    };
    let ((), received) = tokio::join!(send, receive);
    received
}

/// What the process of a client is told, as a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// Address of each node and the file with its orders.
    pub lanes: Vec<(String, PathBuf)>,
    /// How fast.
    pub pace: Pace,
}

/// What the process does: reads its task, says that it is ready, waits for a line, drives, and
/// prints what became of the orders.
pub fn run_as_process(task: &std::path::Path) -> eyre::Result<()> {
    let Task { lanes, pace } = serde_json::from_str(&std::fs::read_to_string(task)?)?;
    let lanes =
        lanes.into_iter().map(|(address, file)| Ok(Lane { address, orders: orders::read(&file)? }));
    let lanes = lanes.collect::<eyre::Result<Vec<_>>>()?;
    let wait_for_start = || {
        println!("{READY}");
        std::io::stdin().read_line(&mut String::new())?;
        Ok(())
    };
    let driven = drive(lanes, &pace, wait_for_start)?;
    println!("{}", serde_json::to_string(&driven)?);
    Ok(())
}

/// A client in a process of its own, connected and waiting.
#[derive(Debug)]
pub struct ClientProcess {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl ClientProcess {
    /// Starts a client and waits until it is connected.
    pub fn start(task: &Task, folder: &std::path::Path) -> eyre::Result<Self> {
        let file = folder.join("client-task.json");
        std::fs::write(&file, serde_json::to_string(task)?)?;
        let mut child = Command::new(std::env::current_exe()?)
            .arg("client")
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(child.stdout.take().ok_or_eyre("the client has no output")?);
        let mut client = Self { child, output };
        let mut line = String::new();
        client.output.read_line(&mut line)?;
        ensure!(line.trim() == READY, "the client does not connect: {line}");
        Ok(client)
    }

    /// Lets it go.
    pub fn go(&mut self) -> eyre::Result<()> {
        let input = self.child.stdin.as_mut().ok_or_else(|| eyre!("the client has no input"))?;
        writeln!(input)?;
        Ok(input.flush()?)
    }

    /// Waits until it is done.
    pub fn finish(mut self) -> eyre::Result<Driven> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the client failed: {status}");
        serde_json::from_str(&line).wrap_err("the client said nothing of its orders")
    }
}

impl Drop for ClientProcess {
    fn drop(&mut self) {
        // One that ended already needs no killing.
        self.child.kill().and_then(|()| self.child.wait().map(drop)).ok();
    }
}
