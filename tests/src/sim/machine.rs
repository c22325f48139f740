//! One machine: its disk, its clock, and the node that runs on it or does not.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cets_consensus::simulation::{Device, Forger, LogFile, Setup, SimulatedEngine};
use cets_consensus::{EngineConfig, EngineSigner, Ledger, LocalSigner};
use cets_contracts::types::{BlockTime, Height, TxId};
use cets_node::clock::SetClock;
use cets_node::ledger::NodeLedger;
use cets_node::mempool::{Fresh, Mempool, MempoolLimits, WaitEnd};
use cets_node::read::SharedState;
use cets_node::store::{SimulatedDisk, Store};
use tokio::sync::oneshot;

use super::Template;
use super::template::{keeps_nothing, key_label, settings};
use crate::fixture::signing_key;

/// A client that waits at a node.
pub struct Waiting {
    /// For this.
    pub id: TxId,
    /// The answer.
    pub answer: oneshot::Receiver<WaitEnd>,
}

/// A node that runs.
pub struct Running {
    /// Its engine.
    pub engine: SimulatedEngine,
    /// Its ledger.
    pub ledger: Arc<NodeLedger>,
    /// Its store.
    pub store: Store,
    /// Its newest state.
    pub state: SharedState,
    /// Its mempool.
    pub mempool: Mempool,
    /// What gossip has to pass on.
    pub fresh: Fresh,
    /// Clients that wait here.
    pub waiting: Vec<Waiting>,
    /// The last height that the oracle saw here.
    pub seen: Height,
}

/// What a machine had on its disk at some moment.
pub struct OldDisk {
    /// The ledger.
    pub disk: SimulatedDisk,
    /// The log.
    pub log: LogFile,
    /// Whether it was rotten.
    pub rots: bool,
}

/// A machine.
pub struct Machine {
    /// Its number.
    pub number: u16,
    /// Its power and storage.
    pub device: Device,
    /// The ledger on it.
    pub disk: SimulatedDisk,
    /// The consensus log on it.
    pub log: LogFile,
    /// Its clock.
    pub clock: SetClock,
    /// How far its clock is off, in microseconds, shifted so that it is never negative.
    pub skew: u64,
    /// The node, when it runs.
    pub node: Option<Running>,
    /// Counts starts, so that what belonged to an earlier life is dropped.
    pub life: u64,
    /// Until when its storage keeps it busy.
    pub busy_until: u64,
    /// Whether it lies.
    pub is_byzantine: bool,
    /// How often its key changed.
    pub key_turn: u32,
    /// A fault that explains why it may stop by itself.
    pub excuse: Option<&'static str>,
    /// Height up to which it may contradict itself, because it lost what it signed.
    pub forgot_until: Option<Height>,
    /// Last height it worked on.
    pub reached: u64,
    /// A copy of its disk from earlier.
    pub old: Option<OldDisk>,
}

/// Most a clock may be behind, in microseconds.
pub const SKEW_ZERO: u64 = 5_000_000;

impl Machine {
    /// A machine with the ledger of the template on it.
    pub fn new(number: u16, template: &Template) -> Self {
        let device = Device::default();
        let folder = PathBuf::from(format!("simulated/{number}"));
        Self {
            number,
            disk: template.disk.copy_to(device.clone(), &folder),
            log: LogFile::new(device.clone()),
            device,
            clock: SetClock::new(template.now),
            skew: SKEW_ZERO,
            node: None,
            life: 0,
            busy_until: 0,
            is_byzantine: false,
            key_turn: 0,
            excuse: None,
            forgot_until: None,
            reached: 0,
            old: None,
        }
    }

    /// Its name.
    pub fn name(&self) -> String {
        format!("node {}", self.number)
    }

    /// Its consensus key.
    pub fn signer(&self) -> Arc<dyn EngineSigner> {
        Arc::new(LocalSigner::new(signing_key(&key_label(self.number, self.key_turn))))
    }

    /// Signs lies with its key.
    pub fn forger(&self, template: &Template) -> Forger {
        Forger::new(template.genesis.chain_id(), self.signer())
    }

    /// Sets the clock to a virtual time.
    pub fn show(&self, template: &Template, now: u64) {
        let micros = now + self.skew;
        let base = template.now.as_millis() + 1_000;
        let millis = (base + micros / 1_000).saturating_sub(SKEW_ZERO / 1_000);
        self.clock.set(BlockTime::from_millis(millis));
    }

    /// Starts the node as after power came back.
    ///
    /// # Errors
    /// What the node says when it does not start.
    pub fn boot(&mut self, template: &Template, now: u64) -> Result<(), String> {
        self.device.switch_on();
        self.life += 1;
        self.busy_until = now;
        self.show(template, now);
        let (mut running, tip) = self.open(template, now).map_err(|error| format!("{error:#}"))?;
        running.seen = tip;
        self.node = Some(running);
        Ok(())
    }

    fn open(&self, template: &Template, now: u64) -> eyre::Result<(Running, Height)> {
        let genesis = &template.genesis;
        let store = Store::simulated(self.disk.clone())?;
        let state = NodeLedger::load(&store, genesis)?;
        let clock: Arc<SetClock> = Arc::new(self.clock.clone());
        let (mempool, fresh) =
            Mempool::without_threads(MempoolLimits::default(), state.clone(), clock.clone());
        let (pool, newest) = (mempool.clone(), state.clone());
        let ledger = NodeLedger::new(settings(), genesis, store.clone(), newest, pool, clock)?
            .keeping(keeps_nothing());
        let ledger = Arc::new(ledger);
        let mut config = EngineConfig::new(self.name(), "/ip4/127.0.0.1/tcp/0", "consensus.wal");
        config.part_bytes = 2_048;
        config.catch_up.request_timeout = Duration::from_secs(2);
        let trait_object: Arc<dyn Ledger> = Arc::<NodeLedger>::clone(&ledger);
        let setup = Setup {
            number: self.number,
            config,
            signer: Some(self.signer()),
            is_guarded: !self.is_byzantine,
            ledger: trait_object,
            log: self.log.clone(),
        };
        let engine = SimulatedEngine::start(setup, Duration::from_micros(now))?;
        let tip = ledger.tip()?;
        let waiting = Vec::new();
        let seen = tip;
        Ok((Running { engine, ledger, store, state, mempool, fresh, waiting, seen }, tip))
    }

    /// Height of the newest block; zero when the node is down.
    pub fn tip(&self) -> Height {
        self.node.as_ref().and_then(|node| node.ledger.tip().ok()).unwrap_or_default()
    }
}
