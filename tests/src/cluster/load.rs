//! Orders without pause while things happen to the nodes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::client::Client;
use super::market::Market;
use super::record::Record;
use crate::workload::Chooser;

/// Clients that order at a time.
const CLIENTS: u64 = 12;
/// Pause of a client between two orders.
const THINKING: Duration = Duration::from_millis(5);
/// Longest wait for the last answers once the nodes are left in peace.
const LAST_ANSWERS_WAIT: Duration = Duration::from_secs(120);

/// A running load.
#[derive(Debug)]
pub struct Load {
    runtime: Runtime,
    client: Arc<Client>,
    record: Arc<Record>,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
}

impl Load {
    /// Opens the market and orders nothing.
    pub fn open(market: &Arc<Market>, seed: u64) -> eyre::Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let client = {
            let _inside = runtime.enter();
            Arc::new(Client::new(&market.network)?)
        };
        let record = Arc::new(Record::default());
        for (desk, transaction) in market.founding()? {
            let mut chooser = Chooser::new(seed);
            let done = client.finalise(&desk, &transaction, &mut chooser, &record);
            let limit = async { tokio::time::timeout(LAST_ANSWERS_WAIT, done).await };
            let is_final = runtime.block_on(limit).is_ok_and(|done| done);
            eyre::ensure!(is_final, "the market does not open: {:?}", record.violations());
        }
        let stop = Arc::new(AtomicBool::new(false));
        Ok(Self { runtime, client, record, stop, workers: Vec::new() })
    }

    /// Opens the market, then starts to order.
    pub fn start(market: &Arc<Market>, seed: u64) -> eyre::Result<Self> {
        let opened = Self::open(market, seed)?;
        let workers = (1..=CLIENTS).map(|number| {
            let (market, client) = (Arc::clone(market), Arc::clone(&opened.client));
            let (record, stop) = (Arc::clone(&opened.record), Arc::clone(&opened.stop));
            let mut chooser = Chooser::new(seed.wrapping_mul(1_000).wrapping_add(number));
            opened.runtime.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let (desk, transaction) = market.transfer(&mut chooser).unwrap();
                    client.finalise(&desk, &transaction, &mut chooser, &record).await;
                    tokio::time::sleep(THINKING).await;
                }
            })
        });
        let workers = workers.collect();
        Ok(Self { workers, ..opened })
    }

    /// What was acknowledged.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Where the load runs.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// From now on clocks of nodes may be off.
    pub fn clocks_differ(&self) {
        self.client.clocks_differ();
    }

    /// Orders nothing more and waits until every order has its answer; one that gets none while
    /// all nodes run is a violation.
    pub fn finish(self) -> Arc<Record> {
        self.stop.store(true, Ordering::Relaxed);
        let workers = self.workers;
        self.runtime.block_on(async {
            let all = async {
                for worker in workers {
                    if worker.await.is_err() {
                        self.record.violate("a client of the load panicked".to_owned());
                    }
                }
            };
            tokio::pin!(all);
            if tokio::time::timeout(LAST_ANSWERS_WAIT, all.as_mut()).await.is_err() {
                self.client.give_up();
                all.await;
            }
        });
        self.record
    }
}
