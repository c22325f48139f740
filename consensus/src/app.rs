//! The loop that answers the engine, one message at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cets_contracts::types::{BlockId, ChainId, Height};
use malachitebft_app_channel::app::types::core::HeightParams;
use malachitebft_app_channel::{AppMsg, Channels};

use crate::config::EngineConfig;
use crate::context::{EngineContext, Members};
use crate::engine::{EngineError, Shared, blocking, network_runs};
use crate::guard::Guard;
use crate::handlers::{decide, extend, propose, receive, start, sync};
use crate::ledger::{Ledger, LedgerFault};
use crate::spawn::Role;
use crate::status::EnginePhase;
use crate::streams::Streams;

/// How often the network is looked after.
const NETWORK_LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Why the loop ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The node is asked to stop.
    Shutdown,
    /// The engine closed its side, or the guard stopped it.
    EngineGone,
    /// The guard refused a signature or could not be saved.
    Alarm,
    /// The node must go on without voting up to a height.
    Follow {
        /// The last height without a vote.
        until: Height,
    },
    /// The node may vote again.
    Validate,
}

/// What a handler leaves to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The next message.
    Continue,
    /// Leave the loop.
    Leave(Exit),
}

/// A future that says when to stop.
pub type Shutdown<'a> = Pin<&'a mut (dyn Future<Output = ()> + Send)>;

/// What the loop knows between two messages.
pub struct App {
    pub config: EngineConfig,
    pub ledger: Arc<dyn Ledger>,
    pub chain_id: ChainId,
    pub role: Role,
    pub guard: Arc<Guard>,
    /// Last height at which this node follows although it has a key.
    pub abstains_until: Option<Height>,
    pub shared: Arc<Shared>,
    /// Last committed height.
    pub tip: Height,
    /// Whether it came from peers or from an earlier run: more heights are probably decided.
    pub is_tip_fetched: bool,
    /// Blocks of the height after the tip that came from peers with a certificate.
    pub fetched: BTreeSet<BlockId>,
    /// Validators of the height after it.
    pub members: Members,
    /// Round of that height.
    pub round: u32,
    pub streams: Streams,
    /// Number of the next stream this node publishes; starts at a time so that it never repeats.
    pub stream_next: u64,
    /// Blocks of the height after the tip that are known to be valid here.
    pub valid: BTreeSet<BlockId>,
    /// Fresh blocks assessed per round of that height.
    pub assessed: BTreeMap<u32, usize>,
    /// Signatures of the certificate with which the tip was committed.
    pub tip_signatures: usize,
}

impl App {
    /// Reads where the ledger stands.
    pub async fn new(
        config: EngineConfig,
        ledger: Arc<dyn Ledger>,
        role: Role,
        guard: Arc<Guard>,
        abstains_until: Option<Height>,
        shared: Arc<Shared>,
    ) -> Result<Self, EngineError> {
        let reader = Arc::clone(&ledger);
        let (tip, members) = blocking(move || {
            let tip = reader.tip()?;
            let members = Members::from(&reader.validators(tip.next())?);
            Ok::<_, LedgerFault>((tip, members))
        })
        .await?;
        let since_epoch =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let stream_next = u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX / 2);
        Ok(Self {
            config,
            chain_id: ledger.chain_id(),
            ledger,
            role,
            guard,
            abstains_until,
            shared,
            tip,
            is_tip_fetched: true,
            fetched: BTreeSet::new(),
            members,
            round: 0,
            streams: Streams::default(),
            stream_next,
            valid: BTreeSet::new(),
            assessed: BTreeMap::new(),
            tip_signatures: 0,
        })
    }

    /// Answers the engine until it ends, the node is to stop, or the role must change.
    ///
    /// `shutdown` is asked between two messages, never within one: a commit that began is
    /// finished.
    pub async fn run(
        &mut self,
        channels: &mut Channels<EngineContext>,
        mut shutdown: Shutdown<'_>,
    ) -> Result<Exit, EngineError> {
        // Asked beside the messages, which do not wait for the answer.
        let requests = channels.net_requests.clone();
        let network_ends = async move {
            loop {
                tokio::time::sleep(NETWORK_LOOK_INTERVAL).await;
                if !network_runs(&requests).await {
                    return;
                }
            }
        };
        tokio::pin!(network_ends);
        loop {
            let message = tokio::select! {
                biased;
                () = shutdown.as_mut() => return Ok(Exit::Shutdown),
                () = self.guard.alarm() => return Ok(Exit::Alarm),
                () = &mut network_ends => {
                    let address = self.config.listen_address.clone();
                    return Err(EngineError::Network { address });
                }
                message = channels.consensus.recv() => match message {
                    Some(message) => message,
                    None => return Ok(Exit::EngineGone),
                },
            };
            match self.answer(message, channels, shutdown.as_mut()).await? {
                Flow::Continue => {}
                Flow::Leave(exit) => return Ok(exit),
            }
        }
    }

    /// Answers one message.
    pub async fn answer(
        &mut self,
        message: AppMsg<EngineContext>,
        channels: &Channels<EngineContext>,
        shutdown: Shutdown<'_>,
    ) -> Result<Flow, EngineError> {
        match message {
            AppMsg::ConsensusReady { reply } => {
                return start::ready(self, &channels.net_requests, shutdown, reply).await;
            }
            AppMsg::StartedRound { height, round, proposer, role, reply_value } => {
                start::round(self, height, round, proposer, role, reply_value).await?;
            }
            AppMsg::GetValue { height, round, timeout, reply } => {
                propose::build(self, &channels.network, height, round, timeout, reply).await?;
            }
            AppMsg::RestreamProposal { height, round, valid_round, address: _, value_id } => {
                let network = &channels.network;
                propose::again(self, network, height, round, valid_round, value_id).await?;
            }
            AppMsg::ReceivedProposalPart { from, published_by, part, reply } => {
                let publisher = published_by.unwrap_or(from);
                let publisher = Bytes::from(publisher.to_bytes());
                receive::part(self, publisher, part, reply).await?;
            }
            AppMsg::Decided { certificate, extensions: _, reply } => {
                decide::decided(self, certificate, reply).await?;
            }
            AppMsg::Finalized { certificate, extensions: _, evidence, reply } => {
                return decide::finalized(self, certificate, evidence, reply).await;
            }
            AppMsg::GetHistoryMinHeight { reply } => sync::history_min(self, reply).await?,
            AppMsg::GetDecidedValues { range, reply } => {
                sync::decided_blocks(self, range, reply).await?;
            }
            AppMsg::ProcessSyncedValue { height, round, proposer, value_bytes, reply } => {
                sync::received_block(self, height, round, proposer, value_bytes, reply).await?;
            }
            AppMsg::ExtendVote { reply, .. } => extend::vote(reply),
            AppMsg::VerifyVoteExtensions { extensions, reply, .. } => {
                extend::verify(extensions, reply);
            }
        }
        Ok(Flow::Continue)
    }

    /// Calls the ledger on a thread that may block.
    pub async fn on_ledger<T, F>(&self, call: F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Ledger) -> Result<T, LedgerFault> + Send + 'static,
    {
        let ledger = Arc::clone(&self.ledger);
        blocking(move || call(ledger.as_ref())).await
    }

    /// Height that is being decided.
    pub fn height(&self) -> Height {
        self.tip.next()
    }

    /// Validators, waiting times and pace of the height after the tip.
    pub fn height_params(&self) -> HeightParams<EngineContext> {
        let pace = self.ledger.target_block_time();
        HeightParams::new(self.members.clone(), self.config.timeouts, pace)
    }

    /// Forgets what belonged to the height that was just committed.
    pub async fn advance(
        &mut self,
        tip: Height,
        id: BlockId,
        signatures: usize,
    ) -> Result<(), EngineError> {
        let next = tip.next();
        let set = self.on_ledger(move |ledger| ledger.validators(next)).await?;
        self.members = Members::from(&set);
        self.tip = tip;
        self.is_tip_fetched = self.fetched.contains(&id);
        self.fetched.clear();
        self.tip_signatures = signatures;
        self.round = 0;
        self.valid.clear();
        self.assessed.clear();
        self.streams.committed(tip);
        self.shared.update(|health| {
            health.tip = tip;
            health.tip_since = Instant::now();
            health.height = next;
            health.round = 0;
            health.blocks_committed = health.blocks_committed.saturating_add(1);
        });
        Ok(())
    }

    /// Tells that heights are being decided now.
    pub fn set_running(&self) {
        let abstains_until = self.abstains_until;
        self.shared.update(|health| {
            health.phase = match abstains_until {
                Some(until) => EnginePhase::Abstaining { until },
                None => EnginePhase::Running,
            };
        });
    }
}
