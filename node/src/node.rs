//! A whole node: store, ledger, mempool, gossip, consensus and interfaces, started and stopped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cets_consensus::{
    EngineError, EngineHandle, EngineKeys, EngineMonitor, EnginePhase, LocalSigner,
};
use cets_contracts::genesis::Genesis;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::checkpoints::{Checkpoints, Cosigner};
use crate::clock::Clock;
use crate::config::{ConfigError, NodeConfig, NodeKeys};
use crate::gossip::{Cosignatures, Gossip, GossipError, GossipView};
use crate::handle::{NodeHandle, NodeParts};
use crate::health::{EngineView, Health};
use crate::ledger::NodeLedger;
use crate::mempool::Mempool;
use crate::read::{ReadError, Reader};
use crate::rpc::{RpcServer, ServeError, serve_web};
use crate::store::{Store, StoreError};
use crate::{metrics, web};

/// How often the engine is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How often the samples behind the figures are put into their buckets, also when nobody asks for
/// them.
const FIGURES_INTERVAL: Duration = Duration::from_secs(5);
/// Age of the newest block from which a node counts as catching up, in milliseconds.
const BLOCK_AGE_SYNCED_MAX: u64 = 15_000;
/// Time without a block after which the node says that something is wrong.
const BLOCK_WAIT_MAX: Duration = Duration::from_secs(30);

/// Longest wait for the tasks of a node when it stops: interfaces give requests under way five
/// seconds.
const STOP_WAIT_MAX: Duration = Duration::from_secs(10);
/// Own cosignatures that wait for gossip; there is one a second.
const COSIGNATURES_WAITING_MAX: usize = 16;

/// Why a node does not start, or stops.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A read at start.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Gossip.
    #[error(transparent)]
    Gossip(#[from] GossipError),
    /// The interface for clients.
    #[error(transparent)]
    Api(#[from] ServeError),
    /// Consensus.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}; check `{key}`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Full name of the key.
        key: &'static str,
        /// What the system says.
        error: std::io::Error,
    },
    /// A task that must run ended.
    #[error("{task} ended unexpectedly{reason}")]
    TaskEnded {
        /// Which.
        task: &'static str,
        /// Why, if known; begins with a colon.
        reason: String,
    },
    /// The genesis document cannot be served.
    #[error("the genesis document cannot be written as JSON: {0}")]
    Genesis(serde_json::Error),
    /// No thread could be made.
    #[error("no thread could be started: {0}")]
    Thread(std::io::Error),
}

/// What ended a background task.
type TaskEnd = (&'static str, Option<String>);

/// A started node.
pub struct Node {
    handle: NodeHandle,
    engine: EngineHandle,
    gossip: watch::Receiver<GossipView>,
    tasks: JoinSet<TaskEnd>,
    stop: CancellationToken,
    api_address: SocketAddr,
    metrics_address: Option<SocketAddr>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({})", self.handle.node_name())
    }
}

fn spawn_gossip(tasks: &mut JoinSet<TaskEnd>, gossip: Gossip, stop: CancellationToken) {
    tasks.spawn(async move {
        let ended = gossip.run(stop).await;
        ("gossip", ended.err().map(|error| error.to_string()))
    });
}

fn spawn_cosigner(tasks: &mut JoinSet<TaskEnd>, cosigner: Cosigner, stop: CancellationToken) {
    tasks.spawn(async move {
        let ended = cosigner.run(stop).await;
        ("cosigning", ended.err().map(|error| error.to_string()))
    });
}

fn spawn_watch_over_verifying(
    tasks: &mut JoinSet<TaskEnd>,
    mempool: Mempool,
    stop: CancellationToken,
) {
    tasks.spawn(async move {
        tokio::select! {
            () = mempool.verifying_ended() => {}
            () = stop.cancelled() => {}
        }
        ("a thread that verifies transactions", None)
    });
}

fn spawn_watch(tasks: &mut JoinSet<TaskEnd>, watcher: Watcher, stop: CancellationToken) {
    tasks.spawn(async move {
        watcher.run(stop).await;
        ("the watch over consensus", None)
    });
}

impl Node {
    /// Starts everything that a configuration asks for.
    pub async fn start(
        config: &NodeConfig,
        keys: NodeKeys,
        genesis: Genesis,
        clock: Arc<dyn Clock>,
        figures: Option<PrometheusHandle>,
    ) -> Result<Self, NodeError> {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let (store, state) = open(config, &genesis).await?;
        let (limits, threads) = (config.mempool_limits(), config.mempool.verify_threads);
        let (mempool, fresh) = Mempool::start(limits, state.clone(), Arc::clone(&clock), threads)
            .map_err(NodeError::Thread)?;
        spawn_watch_over_verifying(&mut tasks, mempool.clone(), stop.clone());
        let ledger = NodeLedger::new(
            config.ledger_settings(),
            &genesis,
            store.clone(),
            state.clone(),
            mempool.clone(),
            Arc::clone(&clock),
        )?
        .keeping(config.proofs.clone());
        let checkpoints = Checkpoints::open(store.clone(), state.clone(), &genesis)?;
        let (outgoing, waiting) = mpsc::channel(COSIGNATURES_WAITING_MAX);
        let cosignatures = Cosignatures { checkpoints: checkpoints.clone(), outgoing: waiting };
        let gossip = Gossip::new(
            genesis.chain_id(),
            keys.gossip,
            &config.gossip_config()?,
            mempool.clone(),
            fresh,
            cosignatures,
        )?;
        let gossip_view = gossip.view();
        spawn_gossip(&mut tasks, gossip, stop.clone());
        let (key, commits) = (keys.cosigner, ledger.commits());
        let cosigner = Cosigner { checkpoints: checkpoints.clone(), key, commits, outgoing };
        spawn_cosigner(&mut tasks, cosigner, stop.clone());
        let health = Health::default();
        let handle = NodeHandle::new(NodeParts {
            node_name: config.name.clone(),
            genesis,
            reader: Reader::new(store, state),
            checkpoints,
            mempool,
            commits: ledger.commits(),
            clock,
            health: health.clone(),
        })
        .map_err(NodeError::Genesis)?;
        let consensus = keys.consensus.map(|key| Arc::new(LocalSigner::new(key)) as Arc<_>);
        let engine_keys = EngineKeys { consensus, network: keys.network };
        let engine = cets_consensus::start(config.engine(), engine_keys, Arc::new(ledger)).await?;
        let watcher = Watcher {
            handle: handle.clone(),
            health,
            monitor: engine.monitor(),
            gossip: gossip_view.clone(),
            figures: figures.clone(),
        };
        spawn_watch(&mut tasks, watcher, stop.clone());
        let api = RpcServer::bind(config.api.clone()).await?;
        let (gossip, api_address, metrics_address) = (gossip_view, api.address(), None);
        let mut node = Self { handle, engine, gossip, tasks, stop, api_address, metrics_address };
        node.serve_api(api, figures.clone());
        node.serve_metrics(config, figures).await?;
        Ok(node)
    }

    /// Serves gRPC, and metrics and health on the same port.
    fn serve_api(&mut self, api: RpcServer, figures: Option<PrometheusHandle>) {
        let (node, stop) = (self.handle.clone(), self.stop.clone());
        let router = web::router(node.clone(), figures);
        self.tasks.spawn(async move {
            let served = api.serve(node, router, stop).await;
            ("the interface for clients", served.err().map(|error| error.to_string()))
        });
    }

    async fn serve_metrics(
        &mut self,
        config: &NodeConfig,
        figures: Option<PrometheusHandle>,
    ) -> Result<(), NodeError> {
        let Some(address) = config.metrics.listen else { return Ok(()) };
        let listen_error = |error| NodeError::Listen { address, key: "metrics.listen", error };
        let listener = TcpListener::bind(address).await.map_err(listen_error)?;
        self.metrics_address = Some(listener.local_addr().map_err(listen_error)?);
        let (router, stop) = (web::router(self.handle.clone(), figures), self.stop.clone());
        let limits = config.api.limits.clone();
        self.tasks.spawn(async move {
            let served = serve_web(listener, router, &limits, stop).await;
            ("the metrics endpoint", served.err().map(|error| error.to_string()))
        });
        Ok(())
    }

    /// Reads and submission.
    pub const fn handle(&self) -> &NodeHandle {
        &self.handle
    }

    /// The engine.
    pub const fn engine(&self) -> &EngineHandle {
        &self.engine
    }

    /// Gossip as it is now.
    pub fn gossip(&self) -> watch::Receiver<GossipView> {
        self.gossip.clone()
    }

    /// Address of the interface for clients, with the port that was taken.
    pub const fn api_address(&self) -> SocketAddr {
        self.api_address
    }

    /// Address of the metrics endpoint, with the port that was taken.
    pub const fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Runs until `asked` is cancelled, then stops interfaces, gossip and consensus. Everything
    /// committed is durable at any moment, so nothing is saved on the way out.
    ///
    /// # Errors
    /// What made the node stop by itself.
    pub async fn run_until(mut self, asked: CancellationToken) -> Result<(), NodeError> {
        let engine_stop = self.stop.clone();
        let engine = self.engine.run_until(engine_stop.cancelled_owned());
        tokio::pin!(engine);
        let mut failure = None;
        let engine_end = loop {
            tokio::select! {
                () = asked.cancelled(), if !self.stop.is_cancelled() => self.stop.cancel(),
                ended = self.tasks.join_next(), if !self.stop.is_cancelled() => {
                    failure = ended.map(task_failure);
                    self.stop.cancel();
                }
                end = &mut engine => break end,
            }
        };
        self.stop.cancel();
        if !ended_in_time(&mut self.tasks, STOP_WAIT_MAX).await {
            tracing::warn!(
                tasks = self.tasks.len(),
                "tasks did not end in time and are left behind"
            );
        }
        match failure {
            Some(failure) => Err(failure),
            None => engine_end.map_err(NodeError::from),
        }
    }
}

/// Waits until all tasks have ended, at most so long; those that have not are aborted.
async fn ended_in_time(tasks: &mut JoinSet<TaskEnd>, longest: Duration) -> bool {
    let all_ended = async { while tasks.join_next().await.is_some() {} };
    let in_time = tokio::time::timeout(longest, all_ended).await.is_ok();
    tasks.abort_all();
    in_time
}

fn task_failure(ended: Result<TaskEnd, JoinError>) -> NodeError {
    match ended {
        Ok((task, reason)) => {
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            NodeError::TaskEnded { task, reason }
        }
        Err(error) => NodeError::TaskEnded { task: "a task", reason: format!(": {error}") },
    }
}

/// Opens store and state on a thread that may block.
async fn open(
    config: &NodeConfig,
    genesis: &Genesis,
) -> Result<(Store, crate::read::SharedState), NodeError> {
    let (folder, genesis) = (config.store_folder(), genesis.clone());
    let opened = tokio::task::spawn_blocking(move || {
        let store = Store::open(&folder)?;
        let state = NodeLedger::load(&store, &genesis)?;
        Ok::<_, StoreError>((store, state))
    });
    let ended = |error: JoinError| NodeError::TaskEnded {
        task: "opening the store",
        reason: format!(": {error}"),
    };
    Ok(opened.await.map_err(ended)??)
}

/// Looks at the engine again and again, for status and metrics.
struct Watcher {
    handle: NodeHandle,
    health: Health,
    monitor: EngineMonitor,
    gossip: watch::Receiver<GossipView>,
    figures: Option<PrometheusHandle>,
}

impl Watcher {
    async fn run(self, stop: CancellationToken) {
        let mut interval = tokio::time::interval(LOOK_INTERVAL);
        let mut figures_interval = tokio::time::interval(FIGURES_INTERVAL);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = interval.tick() => self.look().await,
                _ = figures_interval.tick() => {
                    if let Some(figures) = &self.figures {
                        figures.run_upkeep();
                    }
                }
            }
        }
    }

    async fn look(&self) {
        let engine = self.monitor.health();
        let peers = self.monitor.peers().await.len();
        let now = self.handle.now().as_millis();
        let tip = self.handle.commits().borrow().time.as_millis();
        let is_synced = now.saturating_sub(tip) < BLOCK_AGE_SYNCED_MAX;
        let waited = engine.tip_since.elapsed();
        let problem = match engine.phase {
            EnginePhase::SafetyHang => Some(
                "consensus stopped itself because its log cannot be written or read; check the \
                 disk, then restart the node"
                    .to_owned(),
            ),
            EnginePhase::Stopped => Some("consensus is stopped".to_owned()),
            _ if waited > BLOCK_WAIT_MAX => Some(format!(
                "no block for {} s at height {}, round {}: fewer than two thirds of the \
                 validators agree, or this node is cut off",
                waited.as_secs(),
                engine.height,
                engine.round
            )),
            _ => None,
        };
        let is_validator = engine.is_validator;
        self.health.set(EngineView { peers, is_validator, is_synced, problem });
        match self.handle.status() {
            Ok(status) => metrics::show(&status, self.gossip.borrow().peers, engine.round),
            Err(error) => tracing::error!(%error, "the status cannot be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_does_not_end_holds_no_stop_up() {
        let mut tasks = JoinSet::new();
        tasks.spawn(async { ("ends", None) });
        assert!(ended_in_time(&mut tasks, Duration::from_secs(60)).await);
        tasks.spawn(std::future::pending());
        assert!(!ended_in_time(&mut tasks, Duration::from_millis(1)).await);
        assert!(tasks.join_next().await.unwrap().unwrap_err().is_cancelled());
    }
}
