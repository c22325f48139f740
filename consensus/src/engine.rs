//! The engine as the node sees it: start, watch, stop.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cets_contracts::types::{BlockId, ChainId, Height};
use malachitebft_app_channel::app::engine::node::NodeRef;
use malachitebft_app_channel::{Channels, NetworkRequest};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::abstain::must_abstain_until;
use crate::app::{App, Exit};
use crate::blocking::off_thread;
use crate::config::{ConfigError, EngineConfig};
use crate::context::EngineContext;
use crate::guard::Guard;
use crate::keys::EngineKeys;
use crate::ledger::{Ledger, LedgerFault};
use crate::log_check::{LogError, settle_log};
use crate::spawn::{Role, network_key, spawn};
use crate::status::{EngineEvent, EngineHealth, EnginePhase, PeerStatus};
use crate::wal::logged_height;

/// Events that a slow subscriber may fall behind before it misses some.
const EVENTS_BEHIND_MAX: usize = 1024;
/// Longest wait for the parts of the engine to stop by themselves.
const STOP_WAIT: Duration = Duration::from_secs(2);
/// Longest wait for the network to say that it runs.
const NETWORK_ANSWER_WAIT: Duration = Duration::from_secs(2);

/// Why the engine did not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The log cannot be read or is damaged.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A part of the engine did not start.
    #[error("the consensus engine does not start: {0:#}")]
    Start(eyre::Report),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerFault),
    /// A call of the ledger panicked.
    #[error("the ledger panicked: {0}")]
    LedgerPanic(String),
    /// A quorum decided a block that is invalid here: this node is too old, or its state is
    /// damaged.
    #[error(
        "block {id} was decided at height {height}, but is invalid here: {reason}; check that \
         this node runs the version of the others, then audit its ledger"
    )]
    DecidedInvalid {
        /// Height of the block.
        height: Height,
        /// The block.
        id: BlockId,
        /// Why it is invalid here.
        reason: String,
    },
    /// The network of consensus does not run.
    #[error(
        "the consensus network does not run on {address}: its port is taken or its task ended, the \
         log lines above say which; free the port or choose another one in `consensus.listen`"
    )]
    Network {
        /// Where it listens.
        address: String,
    },
    /// The engine stopped by itself.
    #[error("the consensus engine stopped by itself; its log lines above say why")]
    Gone,
}

/// What the engine shares with those who watch it.
pub(crate) struct Shared {
    health: watch::Sender<EngineHealth>,
    events: broadcast::Sender<EngineEvent>,
    network: Mutex<Option<mpsc::Sender<NetworkRequest>>>,
}

impl Shared {
    /// Nobody watches yet.
    pub fn new(tip: Height) -> Self {
        Self {
            health: watch::Sender::new(EngineHealth::new(tip)),
            events: broadcast::Sender::new(EVENTS_BEHIND_MAX),
            network: Mutex::new(None),
        }
    }

    /// Changes the health.
    pub fn update(&self, change: impl FnOnce(&mut EngineHealth)) {
        self.health.send_modify(change);
    }

    /// Tells subscribers.
    pub fn tell(&self, event: EngineEvent) {
        // An error only says that nobody listens.
        self.events.send(event).ok();
    }

    fn network(&self) -> Option<mpsc::Sender<NetworkRequest>> {
        self.network.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_network(&self, sender: Option<mpsc::Sender<NetworkRequest>>) {
        *self.network.lock().unwrap_or_else(PoisonError::into_inner) = sender;
    }
}

/// Watches a running engine; cheap to clone.
#[derive(Clone)]
pub struct EngineMonitor(Arc<Shared>);

impl EngineMonitor {
    /// Health now.
    pub fn health(&self) -> EngineHealth {
        self.0.health.borrow().clone()
    }

    /// Health whenever it changes.
    pub fn watch_health(&self) -> watch::Receiver<EngineHealth> {
        self.0.health.subscribe()
    }

    /// Events from now on; a subscriber that falls too far behind misses some and is told so.
    pub fn subscribe(&self) -> broadcast::Receiver<EngineEvent> {
        self.0.events.subscribe()
    }

    /// Peers that are connected now, by peer id.
    pub async fn peers(&self) -> Vec<PeerStatus> {
        match self.0.network() {
            Some(network) => connected_peers(&network).await,
            None => Vec::new(),
        }
    }

    /// Metrics of the engine as Prometheus text, for all engines of this process.
    pub fn metrics_text(&self) -> String {
        let mut text = String::new();
        malachitebft_app_channel::app::metrics::export(&mut text);
        text
    }
}

/// Peers that are connected now, by peer id.
pub(crate) async fn connected_peers(network: &mpsc::Sender<NetworkRequest>) -> Vec<PeerStatus> {
    let Ok(Some(dump)) = NetworkRequest::dump_state(network).await else { return Vec::new() };
    let persistent = dump.persistent_peer_ids;
    let mut peers: Vec<PeerStatus> = dump
        .peers
        .into_iter()
        .map(|(id, peer)| PeerStatus {
            peer_id: id.to_string(),
            moniker: peer.moniker,
            address: peer.address.to_string(),
            validator: peer.consensus_address.and_then(|address| address.parse().ok()),
            persistent: persistent.contains(&id),
        })
        .collect();
    peers.sort_by(|a, b| a.peer_id.cmp(&b.peer_id));
    peers
}

/// Whether the network's task still runs; the engine itself does not notice when it ends.
pub(crate) async fn network_runs(network: &mpsc::Sender<NetworkRequest>) -> bool {
    let asked = tokio::time::timeout(NETWORK_ANSWER_WAIT, NetworkRequest::dump_state(network));
    // A late answer is one of a busy machine.
    !matches!(asked.await, Ok(Ok(None)))
}

/// Stops the engine when dropped.
struct Supervisor(NodeRef);

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.0.stop(None);
    }
}

/// One life of the engine in one role.
struct Life {
    channels: Channels<EngineContext>,
    supervisor: Supervisor,
    stopped: JoinHandle<()>,
    role: Role,
    /// Last height at which this node must not vote although it has a key.
    abstains_until: Option<Height>,
}

/// What follows a life of the engine.
enum After {
    /// The same life.
    Resume,
    /// Another life, without votes up to a height if one is given.
    Restart(Option<Height>),
    /// Waiting for a person.
    Hang,
    /// Nothing.
    Stop(Result<(), EngineError>),
}

/// A started engine. It does nothing for the ledger until [`EngineHandle::run_until`].
pub struct EngineHandle {
    config: EngineConfig,
    keys: EngineKeys,
    ledger: Arc<dyn Ledger>,
    chain_id: ChainId,
    guard: Arc<Guard>,
    shared: Arc<Shared>,
    peer_id: String,
    life: Life,
}

/// Starts the engine: opens its log and connects to its peers.
///
/// # Errors
/// When a setting cannot be used, the log cannot be read or the ledger fails.
pub async fn start(
    config: EngineConfig,
    keys: EngineKeys,
    ledger: Arc<dyn Ledger>,
) -> Result<EngineHandle, EngineError> {
    let reader = Arc::clone(&ledger);
    let (guard, tip, withheld) = blocking(move || {
        let (tip, withheld) = (reader.tip()?, reader.withholds_votes()?);
        Guard::load(reader).map(|guard| (Arc::new(guard), tip, withheld))
    })
    .await?;
    let chain_id = ledger.chain_id();
    let peer_id = network_key(&keys)?.public().to_peer_id().to_string();
    let shared = Arc::new(Shared::new(tip));
    let path = config.wal_path.clone();
    settle_log(&path)?;
    let logged = logged_height(&path).map_err(|source| LogError::Unreadable { path, source })?;
    let abstains_until = must_abstain_until(guard.height(), logged, withheld, tip);
    let life = new_life(&config, &keys, chain_id, &guard, &shared, abstains_until).await?;
    Ok(EngineHandle { config, keys, ledger, chain_id, guard, shared, peer_id, life })
}

async fn new_life(
    config: &EngineConfig,
    keys: &EngineKeys,
    chain_id: ChainId,
    guard: &Arc<Guard>,
    shared: &Shared,
    abstains_until: Option<Height>,
) -> Result<Life, EngineError> {
    let role = match (&keys.consensus, abstains_until) {
        (Some(signer), None) => Role::Validator(Arc::clone(signer)),
        (Some(_), Some(until)) => {
            warn!(
                %until,
                "this node follows without voting: its consensus log does not hold what it may \
                 have signed up to that height"
            );
            Role::Follower
        }
        (None, _) => Role::Follower,
    };
    let abstains_until = abstains_until.filter(|_| keys.consensus.is_some());
    let (channels, actors) = spawn(config, keys, &role, chain_id, guard).await?;
    shared.set_network(Some(channels.net_requests.clone()));
    shared.update(|health| {
        health.phase = match abstains_until {
            Some(until) => EnginePhase::Abstaining { until },
            None => EnginePhase::Connecting,
        };
    });
    let supervisor = Supervisor(actors.actor);
    let life = Life { channels, supervisor, stopped: actors.handle, role, abstains_until };
    // It listens before it answers anything, so a port that is taken is seen here.
    if !network_runs(&life.channels.net_requests).await {
        shared.set_network(None);
        stop_actors(life).await;
        return Err(EngineError::Network { address: config.listen_address.clone() });
    }
    Ok(life)
}

/// Runs what may block on a thread that may block.
pub(crate) async fn blocking<T, E, F>(work: F) -> Result<T, EngineError>
where
    T: Send + 'static,
    E: Into<EngineError> + Send + 'static,
    F: FnOnce() -> Result<T, E> + Send + 'static,
{
    match off_thread(work).await {
        Ok(outcome) => outcome.map_err(Into::into),
        Err(panic) => Err(EngineError::LedgerPanic(panic.to_string())),
    }
}

impl EngineHandle {
    /// Watches the engine, also while it runs.
    pub fn monitor(&self) -> EngineMonitor {
        EngineMonitor(Arc::clone(&self.shared))
    }

    /// The libp2p peer id of this node, as it stands after `/p2p/` in addresses.
    pub fn peer_id(&self) -> &str {
        &self.peer_id
    }

    /// Decides heights until `shutdown` is ready or the node must stop.
    ///
    /// # Errors
    /// When the ledger fails, when a decided block is invalid here, or when the engine stops by
    /// itself. Dropping the returned future stops the engine without waiting for it.
    pub async fn run_until(
        mut self,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), EngineError> {
        tokio::pin!(shutdown);
        loop {
            let mut app = App::new(
                self.config.clone(),
                Arc::clone(&self.ledger),
                self.life.role.clone(),
                Arc::clone(&self.guard),
                self.life.abstains_until,
                Arc::clone(&self.shared),
            )
            .await?;
            let after = match app.run(&mut self.life.channels, shutdown.as_mut()).await {
                Err(error) => After::Stop(Err(error)),
                Ok(Exit::Shutdown) => After::Stop(Ok(())),
                Ok(Exit::Validate) => After::Restart(None),
                Ok(Exit::Follow { until }) => After::Restart(Some(until)),
                Ok(Exit::Alarm) => self.after_alarm().unwrap_or(After::Resume),
                Ok(Exit::EngineGone) => self.after_its_end().await,
            };
            match after {
                After::Resume => {}
                After::Restart(abstains_until) => self = self.restart(abstains_until).await?,
                After::Hang => {
                    self.hang(shutdown.as_mut()).await;
                    return Ok(());
                }
                After::Stop(outcome) => {
                    if let Err(error) = &outcome {
                        error!(%error, "consensus stops");
                    }
                    self.stop().await;
                    return outcome;
                }
            }
        }
    }

    /// What to do when the guard refused or failed; nothing when it did neither.
    fn after_alarm(&self) -> Option<After> {
        if let Some(fault) = self.guard.take_fault() {
            return Some(After::Stop(Err(fault.into())));
        }
        let refused = self.guard.take_refused()?;
        error!(%refused, "the double-sign guard stopped the engine");
        Some(After::Restart(self.guard.height().or(Some(refused.height))))
    }

    /// What to do after the engine ended by itself.
    async fn after_its_end(&mut self) -> After {
        if let Some(after) = self.after_alarm() {
            return after;
        }
        // An engine that holds itself for a person to look keeps its supervisor alive.
        match tokio::time::timeout(STOP_WAIT, &mut self.life.stopped).await {
            Ok(_) => After::Stop(Err(EngineError::Gone)),
            Err(_) => After::Hang,
        }
    }

    async fn hang(self, shutdown: std::pin::Pin<&mut (impl Future<Output = ()> + Send)>) {
        error!(
            "consensus is held: its log cannot be written or read, and signing without it could \
             contradict what was signed; look at the disk and at the log lines above, then restart"
        );
        self.shared.update(|health| health.phase = EnginePhase::SafetyHang);
        shutdown.await;
        self.stop().await;
    }

    async fn restart(mut self, abstains_until: Option<Height>) -> Result<Self, EngineError> {
        info!(?abstains_until, "the consensus engine starts again in another role");
        self.shared.set_network(None);
        stop_actors(self.life).await;
        self.life = new_life(
            &self.config,
            &self.keys,
            self.chain_id,
            &self.guard,
            &self.shared,
            abstains_until,
        )
        .await?;
        Ok(self)
    }

    async fn stop(self) {
        self.shared.set_network(None);
        stop_actors(self.life).await;
        self.shared.update(|health| health.phase = EnginePhase::Stopped);
    }
}

/// Stops the engine's actors; what does not stop in time is killed, which every part survives
/// like a crash.
async fn stop_actors(life: Life) {
    // Whoever waits for an answer of the application gets an error now, and can stop.
    drop(life.channels);
    let supervisor = life.supervisor.0.get_cell();
    let children = supervisor.get_children();
    // The supervisor kills the others as soon as one has stopped; a killed network never closes
    // its port. So they are taken from it first.
    for child in &children {
        child.unlink(supervisor.clone());
    }
    let stops = children.iter().map(|child| child.stop_and_wait(None, Some(STOP_WAIT)));
    for (child, stopped) in children.iter().zip(futures::future::join_all(stops).await) {
        if stopped.is_err() {
            child.kill();
        }
    }
    supervisor.stop(None);
    let is_stopped =
        life.stopped.is_finished() || tokio::time::timeout(STOP_WAIT, life.stopped).await.is_ok();
    if !is_stopped {
        supervisor.kill();
    }
}
