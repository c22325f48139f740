//! Honest clients of the attacked node, whose answers are timed.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cets_api::SubmitAndWaitRequest;
use cets_api::transactions_client::TransactionsClient;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};

use crate::cluster::market::Market;
use crate::workload::Chooser;

/// Honest clients.
const CLIENTS: u64 = 4;
/// Pause of a client between two orders.
const THINKING: Duration = Duration::from_millis(20);
/// Longest wait for an answer, however slow and busy the machine is.
pub const PATIENCE: Duration = Duration::from_secs(100);
/// Where honest clients call from: from another address than attackers, as in life.
const HONEST_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// Pause between two looks for answers.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// One answer.
#[derive(Clone, Copy, Debug)]
struct Answer {
    sent: Instant,
    took: Duration,
    is_final: bool,
}

/// Clients that order until they are told to stop.
#[derive(Debug)]
pub struct Honest {
    answers: Arc<Mutex<Vec<Answer>>>,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
}

/// Times of answers between two moments.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latency {
    /// Orders that became final.
    pub count: usize,
    /// Orders that did not.
    pub failed: usize,
    /// Time that half of them did not exceed.
    pub median: Duration,
    /// Time that 99 of 100 did not exceed.
    pub p99: Duration,
}

impl Honest {
    /// Starts ordering at a node. Each client has a connection of its own.
    ///
    /// # Errors
    /// When the address is none.
    pub fn start(
        runtime: &Runtime,
        market: &Arc<Market>,
        address: &str,
        seed: u64,
    ) -> eyre::Result<Self> {
        let answers: Arc<Mutex<Vec<Answer>>> = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        let endpoint = Endpoint::from_shared(address.to_owned())?.tcp_nodelay(true);
        let endpoint = endpoint.local_address(Some(HONEST_ADDRESS));
        let workers = (0..CLIENTS).map(|number| {
            let (answers, stop) = (Arc::clone(&answers), Arc::clone(&stop));
            let (market, endpoint) = (Arc::clone(market), endpoint.clone());
            let mut chooser = Chooser::new(seed.wrapping_mul(100).wrapping_add(number));
            runtime.spawn(async move {
                let channel = endpoint.connect_lazy();
                while !stop.load(Ordering::Relaxed) {
                    let answer = order(&market, &channel, &mut chooser).await;
                    answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
                    tokio::time::sleep(THINKING).await;
                }
            })
        });
        let workers = workers.collect();
        Ok(Self { answers, stop, workers })
    }

    /// Answers to what was sent between two moments.
    pub fn between(&self, from: Instant, to: Instant) -> Latency {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let within = answers.iter().filter(|answer| (from..to).contains(&answer.sent));
        let (good, bad): (Vec<&Answer>, Vec<&Answer>) = within.partition(|answer| answer.is_final);
        let mut times: Vec<Duration> = good.iter().map(|answer| answer.took).collect();
        times.sort();
        let at = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100).saturating_sub(1);
            times.get(rank).copied().unwrap_or_default()
        };
        Latency { count: times.len(), failed: bad.len(), median: at(50), p99: at(99) }
    }

    /// Orders sent since a moment that are final.
    pub fn finals_since(&self, from: Instant) -> usize {
        self.between(from, Instant::now()).count
    }

    /// Waits until so many orders sent since a moment are final, no longer than [`PATIENCE`].
    pub fn wait_for_finals(&self, from: Instant, finals: usize) {
        while self.finals_since(from) < finals && from.elapsed() < PATIENCE {
            std::thread::sleep(LOOK_PAUSE);
        }
    }

    /// Stops ordering.
    pub fn stop(self, runtime: &Runtime) {
        self.stop.store(true, Ordering::Relaxed);
        runtime.block_on(async {
            for worker in self.workers {
                worker.await.unwrap();
            }
        });
    }
}

async fn order(market: &Market, channel: &Channel, chooser: &mut Chooser) -> Answer {
    let (_, transaction) = market.transfer(chooser).unwrap();
    let timeout_millis = PATIENCE.as_millis() as u32;
    let request = SubmitAndWaitRequest { transaction: transaction.encode(), timeout_millis };
    let sent = Instant::now();
    let mut client = TransactionsClient::new(channel.clone());
    let answer = tokio::time::timeout(PATIENCE, client.submit_and_wait(request)).await;
    Answer { sent, took: sent.elapsed(), is_final: matches!(answer, Ok(Ok(_))) }
}
