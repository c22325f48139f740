//! The engine of one node: what its actors do, done in turn by the caller.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cets_contracts::types::{ChainId, Height};
use futures::FutureExt as _;
use malachitebft_app_channel::Channels;
use malachitebft_app_channel::NetworkMsg;
use malachitebft_app_channel::app::config::ConsensusConfig;
use malachitebft_app_channel::app::consensus::{
    Error, Input, LivenessMsg, Params, SignedConsensusMsg, State, process,
};
use malachitebft_app_channel::app::events::TxEvent;
use malachitebft_app_channel::app::metrics::Metrics;
use malachitebft_app_channel::app::types::core::{
    HeightParams, ThresholdParams, Timeout, ValueOrigin, ValuePayload,
};
use malachitebft_app_channel::app::types::{LocallyProposedValue, ProposedValue};
use tokio::sync::mpsc;

use super::application::Asked;
use super::catch_up::CatchUp;
use super::log::{SimulatedLog, logged_height};
use super::{Channel, LogFile, Packet};
use crate::abstain::must_abstain_until;
use crate::app::{App, Exit};
use crate::config::{EngineConfig, RoundTimeouts};
use crate::context::{EngineAddress, EngineContext, EngineHeight};
use crate::engine::{EngineError, Shared};
use crate::guard::Guard;
use crate::keys::EngineSigner;
use crate::ledger::Ledger;
use crate::log_check::LogError;
use crate::signing::{EngineVerifier, GuardedSigner};
use crate::spawn::Role;
use crate::status::EnginePhase;

/// Parts that the application may publish in one go.
const PARTS_MAX: usize = 1 << 14;

/// What a node is made of.
#[derive(Clone)]
pub struct Setup {
    /// Its number in the network.
    pub number: u16,
    /// Settings; addresses and paths are not used.
    pub config: EngineConfig,
    /// Signs; a node without one follows.
    pub signer: Option<Arc<dyn EngineSigner>>,
    /// False only for a node that is to contradict itself.
    pub is_guarded: bool,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// The file of the consensus log.
    pub log: LogFile,
}

/// What the caller has to do for a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send to every other node.
    Publish(Packet),
    /// Send to one node.
    Send {
        /// Number of that node.
        to: u16,
        /// What is sent.
        packet: Packet,
    },
    /// Call [`SimulatedEngine::wake`] with the ticket after this time.
    Wake {
        /// From now.
        after: Duration,
        /// Which timer.
        ticket: u64,
    },
    /// Call [`SimulatedEngine::work`] once the application has time.
    Work {
        /// Whether it is about to build a block, for which it may wait for transactions.
        builds: bool,
    },
}

/// Why a node does nothing any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It stopped with this message.
    Stopped(String),
    /// It holds itself, because its log cannot be written or read.
    Held(String),
}

/// A message to consensus itself, from one of its own parts.
pub(super) enum Inner {
    Start(EngineHeight, HeightParams<EngineContext>, bool),
    Propose(LocallyProposedValue<EngineContext>),
    Proposed(ProposedValue<EngineContext>, ValueOrigin),
}

/// The engine of one node.
pub struct SimulatedEngine {
    pub(super) setup: Setup,
    pub(super) now: Duration,
    pub(super) chain_id: ChainId,
    pub(super) guard: Arc<Guard>,
    shared: Arc<Shared>,
    pub(super) app: App,
    pub(super) channels: Channels<EngineContext>,
    pub(super) published: mpsc::Receiver<NetworkMsg<EngineContext>>,
    pub(super) core: Option<Box<State<EngineContext>>>,
    params: Params<EngineContext>,
    pub(super) signer: Option<GuardedSigner>,
    pub(super) verifier: EngineVerifier,
    metrics: Metrics,
    pub(super) log: SimulatedLog,
    pub(super) is_recovering: bool,
    pub(super) is_validator: bool,
    pub(super) timeouts: RoundTimeouts,
    pub(super) target_time: Option<Duration>,
    pub(super) height_began: Duration,
    pub(super) timers: Vec<(u64, Timeout)>,
    pub(super) tickets: u64,
    pub(super) inbox: VecDeque<Inner>,
    pub(super) queue: VecDeque<Asked>,
    pub(super) catch_up: CatchUp,
    pub(super) outputs: Vec<Output>,
    pub(super) ending: Option<Ending>,
    /// The guard refused; nothing goes on before the role changed.
    pub(super) is_refused: bool,
}

fn channels() -> (Channels<EngineContext>, mpsc::Receiver<NetworkMsg<EngineContext>>) {
    let (network, published) = mpsc::channel(PARTS_MAX);
    let (_, consensus) = mpsc::channel(1);
    let (requests, _) = mpsc::channel(1);
    let (net_requests, _) = mpsc::channel(1);
    let events = TxEvent::new();
    (Channels { consensus, network, events, requests, net_requests }, published)
}

fn open_log(setup: &Setup, guard: &Arc<Guard>) -> Result<SimulatedLog, EngineError> {
    SimulatedLog::open(&setup.log, Arc::clone(guard)).map_err(|source| log_error(setup, source))
}

fn log_error(setup: &Setup, source: std::io::Error) -> EngineError {
    EngineError::Log(LogError::Unreadable { path: setup.config.wal_path.clone(), source })
}

fn role(setup: &Setup, abstains_until: Option<Height>) -> Role {
    match (&setup.signer, abstains_until) {
        (Some(signer), None) => Role::Validator(Arc::clone(signer)),
        _ => Role::Follower,
    }
}

fn params(role: &Role) -> Params<EngineContext> {
    Params {
        address: EngineAddress(role.address()),
        threshold_params: ThresholdParams::default(),
        value_payload: ValuePayload::ProposalAndParts,
        enabled: matches!(role, Role::Validator(_)),
    }
}

fn application(
    setup: &Setup,
    guard: &Arc<Guard>,
    shared: &Arc<Shared>,
    abstains_until: Option<Height>,
    now: Duration,
) -> Result<App, EngineError> {
    let abstains_until = abstains_until.filter(|_| setup.signer.is_some());
    let (config, ledger) = (setup.config.clone(), Arc::clone(&setup.ledger));
    let role = role(setup, abstains_until);
    let app = App::new(config, ledger, role, Arc::clone(guard), abstains_until, Arc::clone(shared));
    let mut app = app.now_or_never().unwrap_or(Err(EngineError::Gone))?;
    app.stream_next = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX / 2);
    Ok(app)
}

impl SimulatedEngine {
    /// Starts a node as a real one starts, and its first height.
    ///
    /// # Errors
    /// When the ledger or the log cannot be read.
    pub fn start(setup: Setup, now: Duration) -> Result<Self, EngineError> {
        let tip = setup.ledger.tip()?;
        let guard = Arc::new(Guard::load(Arc::clone(&setup.ledger))?);
        let shared = Arc::new(Shared::new(tip));
        let logged = logged_height(&setup.log).map_err(|source| log_error(&setup, source))?;
        let withheld = setup.ledger.withholds_votes()?;
        let abstains_until = must_abstain_until(guard.height(), logged, withheld, tip);
        let app = application(&setup, &guard, &shared, abstains_until, now)?;
        let log = open_log(&setup, &guard)?;
        let (channels, published) = channels();
        let chain_id = setup.ledger.chain_id();
        let mut engine = Self {
            now,
            chain_id,
            params: params(&app.role),
            signer: None,
            verifier: EngineVerifier::new(chain_id),
            metrics: Metrics::new(),
            is_recovering: false,
            is_validator: false,
            timeouts: setup.config.timeouts,
            target_time: None,
            height_began: now,
            timers: Vec::new(),
            tickets: 0,
            inbox: VecDeque::new(),
            queue: VecDeque::new(),
            catch_up: CatchUp::default(),
            outputs: Vec::new(),
            ending: None,
            is_refused: false,
            core: None,
            setup,
            guard,
            shared,
            app,
            channels,
            published,
            log,
        };
        engine.begin();
        engine.tell_status();
        engine.settle();
        Ok(engine)
    }

    /// The first height of a life.
    fn begin(&mut self) {
        self.params = params(&self.app.role);
        self.signer = match &self.app.role {
            Role::Follower => None,
            Role::Validator(signer) if self.setup.is_guarded => {
                let guard = Arc::clone(&self.guard);
                Some(GuardedSigner::new(self.chain_id, Arc::clone(signer), guard))
            }
            Role::Validator(signer) => {
                Some(GuardedSigner::unguarded(self.chain_id, Arc::clone(signer)))
            }
        };
        self.app.set_running();
        let (height, params) = (EngineHeight(self.app.height()), self.app.height_params());
        self.inbox.push_back(Inner::Start(height, params, false));
    }

    /// Another life, in the role that suits.
    pub(super) fn restart(&mut self, abstains_until: Option<Height>) {
        self.core = None;
        self.timers.clear();
        self.inbox.clear();
        self.queue.clear();
        self.is_recovering = false;
        self.is_refused = false;
        self.catch_up.forget();
        (self.channels, self.published) = channels();
        let again = application(&self.setup, &self.guard, &self.shared, abstains_until, self.now)
            .and_then(|app| Ok((app, open_log(&self.setup, &self.guard)?)));
        match again {
            Ok((app, log)) => {
                (self.app, self.log) = (app, log);
                self.begin();
            }
            Err(error) => self.stop(&error.to_string()),
        }
    }

    pub(super) fn leave(&mut self, exit: Exit) {
        match exit {
            Exit::Follow { until } => self.restart(Some(until)),
            Exit::Validate => self.restart(None),
            Exit::Shutdown | Exit::EngineGone | Exit::Alarm => {}
        }
    }

    /// A packet arrives from another node.
    pub fn receive(&mut self, now: Duration, from: u16, packet: &Packet) {
        self.now = now;
        if self.ending.is_none() {
            self.open(from, packet);
        }
        self.settle();
    }

    /// The time of a timer has come.
    pub fn wake(&mut self, now: Duration, ticket: u64) {
        self.now = now;
        if ticket == 0 {
            if self.ending.is_none() {
                self.tell_status();
            }
        } else if let Some(at) = self.timers.iter().position(|(own, _)| *own == ticket) {
            let (_, timeout) = self.timers.remove(at);
            self.process(Input::TimeoutElapsed(timeout));
        }
        self.settle();
    }

    /// The application has time for what it was asked first.
    pub fn work(&mut self, now: Duration) {
        self.now = now;
        if self.ending.is_none() {
            self.answer_next();
        }
        self.settle();
    }

    /// What there is to do since this was last called.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// Why the node does nothing any more.
    pub const fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// Height and round that are being decided.
    pub fn place(&self) -> (u64, u32) {
        let round = |core: &State<EngineContext>| core.round().as_u32().unwrap_or(0);
        let core = self.core.as_deref();
        core.map_or((0, 0), |core| (core.height().0.get(), round(core)))
    }

    /// Last height at which the node follows although it has a key.
    pub fn abstains_until(&self) -> Option<Height> {
        self.app.abstains_until
    }

    /// What the engine is doing, for people.
    pub fn describe(&self) -> String {
        let Some(core) = self.core.as_deref() else { return "not started".to_owned() };
        format!(
            "height {} round {:?} step {:?} locked {:?} valid {:?} timers {:?} queue {} {:?}",
            core.height(),
            core.round(),
            core.driver.step(),
            core.driver.round_state().locked,
            core.driver.round_state().valid,
            self.timers,
            self.queue.len(),
            self.ending
        )
    }

    pub(super) fn stop(&mut self, reason: &str) {
        self.ending.get_or_insert_with(|| Ending::Stopped(reason.to_owned()));
    }

    pub(super) fn hold(&mut self, reason: &str) {
        self.ending.get_or_insert_with(|| Ending::Held(reason.to_owned()));
        self.shared.update(|health| health.phase = EnginePhase::SafetyHang);
    }

    /// Whether effects still have effects.
    pub(super) const fn is_alive(&self) -> bool {
        self.ending.is_none() && !self.is_refused
    }

    /// Messages to itself, until there are none; then what the guard has to say.
    fn settle(&mut self) {
        loop {
            while self.is_alive() {
                let Some(message) = self.inbox.pop_front() else { break };
                match message {
                    Inner::Start(height, params, again) => self.start_height(height, params, again),
                    Inner::Propose(value) => self.process(Input::Propose(value)),
                    Inner::Proposed(value, origin) => {
                        self.process(Input::ProposedValue(value, origin));
                    }
                }
            }
            if let Some(fault) = self.guard.take_fault() {
                self.stop(&fault.to_string());
            }
            let Some(refused) = self.guard.take_refused() else { return };
            if self.ending.is_some() {
                return;
            }
            self.restart(self.guard.height().or(Some(refused.height)));
        }
    }

    fn start_height(
        &mut self,
        height: EngineHeight,
        params: HeightParams<EngineContext>,
        is_restart: bool,
    ) {
        let HeightParams { validator_set, timeouts, target_time, vote_extension_policy } = params;
        let limits = ConsensusConfig::default();
        let address = self.params.address.0;
        self.core.get_or_insert_with(|| {
            let (set, params) = (validator_set.clone(), self.params.clone());
            let (queue, per_height) = (limits.queue_capacity, limits.queue_per_height_capacity);
            Box::new(State::new(EngineContext, height, set, params, queue, per_height))
        });
        self.is_validator = self.params.enabled && validator_set.key(address).is_some();
        let entries = if is_restart || !self.is_validator {
            self.log.reset(height.0).map(|()| Vec::new())
        } else {
            self.log.started(height.0)
        };
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.stop(&error.to_string()),
        };
        (self.timeouts, self.target_time, self.height_began) = (timeouts, target_time, self.now);
        let policy = vote_extension_policy;
        let start = Input::StartHeight(height, validator_set, is_restart, target_time, policy);
        self.process(start);
        if !entries.is_empty() && self.is_alive() {
            self.replay(entries);
        }
        if self.is_alive() {
            self.catch_up.started(height.0);
            self.next_block();
        }
    }

    fn replay(&mut self, entries: Vec<std::io::Result<Input<EngineContext>>>) {
        self.is_recovering = true;
        if let Some(core) = self.core.as_deref_mut() {
            core.record_recovered_own_precommit_extensions(
                entries.iter().filter_map(|entry| entry.as_ref().ok()),
            );
            core.index_wal_entries(entries.iter().flatten());
        }
        for entry in entries {
            match entry {
                Ok(entry) => self.process(entry),
                Err(error) => self.hold(&format!("corrupted entry of the log: {error}")),
            }
            if !self.is_alive() {
                return;
            }
        }
        if let Some(core) = self.core.as_deref_mut() {
            core.reset_entries_index();
        }
        self.is_recovering = false;
    }

    /// Gives the core an input and does what it wants done.
    pub(super) fn process(&mut self, input: Input<EngineContext>) {
        if !self.is_alive() {
            return;
        }
        let Some(mut core) = self.core.take() else { return };
        // The core measures the height with the machine's clock; ours is in `effects`.
        if core.height_start_time.is_some() {
            core.height_start_time = Some(Instant::now());
        }
        let metrics = self.metrics.clone();
        let outcome: Result<(), Error<EngineContext>> = process!(
            input: input,
            state: &mut core,
            metrics: &metrics,
            with: effect => self.effect(effect)
        );
        self.core = Some(core);
        if let Err(error) = outcome
            && self.is_alive()
        {
            let reason = format!("consensus failed: {error}");
            if self.is_recovering { self.hold(&reason) } else { self.stop(&reason) }
        }
    }

    pub(super) fn hear_vote(&mut self, message: SignedConsensusMsg<EngineContext>) {
        match message {
            SignedConsensusMsg::Vote(vote) => self.process(Input::Vote(vote)),
            SignedConsensusMsg::Proposal(proposal) => self.process(Input::Proposal(proposal)),
        }
    }

    pub(super) fn hear_again(&mut self, message: LivenessMsg<EngineContext>) {
        match message {
            LivenessMsg::Vote(vote) => self.process(Input::Vote(vote)),
            LivenessMsg::PolkaCertificate(polka) => self.process(Input::PolkaCertificate(polka)),
            LivenessMsg::SkipRoundCertificate(skip) => self.process(Input::RoundCertificate(skip)),
        }
    }

    /// Publishes on a channel.
    pub(super) fn publish<T: crate::codec::Wire>(&mut self, channel: Channel, message: &T) {
        self.outputs.push(Output::Publish(Packet::of(channel, message)));
    }
}
