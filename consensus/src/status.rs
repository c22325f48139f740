//! What the engine tells about itself: health, peers and events.

use std::time::Instant;

use cets_contracts::block::Certificate;
use cets_contracts::types::{BlockId, Height, ValidatorAddress};

use crate::evidence::Evidence;

/// What the engine is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EnginePhase {
    /// Waits for peers before the first height.
    #[default]
    Connecting,
    /// Decides heights, as validator or as follower.
    Running,
    /// Follows without voting although it has a key, until the height after which a lost
    /// consensus log can no longer make it contradict itself.
    Abstaining {
        /// Last height at which it does not vote.
        until: Height,
    },
    /// The engine stopped itself because signing on would be unsafe (its log cannot be written or
    /// read). Reads are served; a person must look before the node is restarted.
    SafetyHang,
    /// Stopped.
    Stopped,
}

/// Health of the engine, for the health endpoint and the metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineHealth {
    /// What the engine is doing.
    pub phase: EnginePhase,
    /// Height being decided.
    pub height: Height,
    /// Round being decided.
    pub round: u32,
    /// Proposer of the round.
    pub proposer: Option<ValidatorAddress>,
    /// Whether this node is a validator of the height.
    pub is_validator: bool,
    /// Last committed height.
    pub tip: Height,
    /// When it was committed, or when the engine started.
    pub tip_since: Instant,
    /// Blocks committed since the start.
    pub blocks_committed: u64,
    /// Blocks fetched from peers because this node was behind, since the start.
    pub blocks_synced: u64,
    /// Rounds after the first that were needed since the start.
    pub rounds_extra: u64,
    /// Pieces of evidence recorded since the start.
    pub evidence_recorded: u64,
    /// Proposal streams dropped because they broke a limit or were malformed, since the start.
    pub streams_dropped: u64,
}

impl EngineHealth {
    pub(crate) fn new(tip: Height) -> Self {
        Self {
            phase: EnginePhase::default(),
            height: tip.next(),
            round: 0,
            proposer: None,
            is_validator: false,
            tip,
            tip_since: Instant::now(),
            blocks_committed: 0,
            blocks_synced: 0,
            rounds_extra: 0,
            evidence_recorded: 0,
            streams_dropped: 0,
        }
    }
}

/// A connected peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Its libp2p peer id.
    pub peer_id: String,
    /// The name it gives itself.
    pub moniker: String,
    /// Multiaddr of the connection.
    pub address: String,
    /// Its validator address, when it proved to hold the key of a validator of the height.
    pub validator: Option<ValidatorAddress>,
    /// Whether it is one of the persistent peers.
    pub persistent: bool,
}

/// What happened; delivered to [`crate::EngineMonitor::subscribe`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineEvent {
    /// A round started.
    RoundStarted {
        /// Its height.
        height: Height,
        /// Its number.
        round: u32,
        /// Who proposes in it.
        proposer: ValidatorAddress,
    },
    /// A complete proposal was executed and found right.
    ProposalAccepted {
        /// Its height.
        height: Height,
        /// Its round.
        round: u32,
        /// The block.
        id: BlockId,
    },
    /// A proposal will be voted against.
    ProposalRefused {
        /// Its height.
        height: Height,
        /// Its round.
        round: u32,
        /// Why; for people.
        reason: String,
    },
    /// A block was committed; it is durable.
    Committed {
        /// Its certificate.
        certificate: Certificate,
    },
    /// Evidence was recorded.
    EvidenceRecorded {
        /// The evidence.
        evidence: Box<Evidence>,
    },
}
