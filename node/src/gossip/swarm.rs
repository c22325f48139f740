//! The network itself: TCP, noise, yamux; only configured peers may connect.

use std::time::Duration;

use cets_contracts::types::ChainId;
use libp2p::allow_block_list::{AllowedPeers, Behaviour as AllowList};
use libp2p::connection_limits::{Behaviour as Limits, ConnectionLimits};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, StreamProtocol};
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder, noise, ping, tcp, yamux};

use super::codec::{PUSH_BYTES_MAX, PushCodec};
use crate::checkpoints::VOTES_BYTES_MAX;

/// Longest wait for the answer to a push.
const PUSH_TIMEOUT: Duration = Duration::from_secs(10);
/// Pushes and answers under way on one connection at most.
const STREAMS_MAX: usize = 32;

/// Strangers that may be asked who they are at a time; further ones are turned away.
const HANDSHAKES_MAX: u32 = 64;
/// Connections with one peer: both sides may have called, and called again.
const CONNECTIONS_PER_PEER_MAX: u32 = 4;

/// Settings of gossip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GossipConfig {
    /// Address to listen on.
    pub listen: Multiaddr,
    /// The other nodes; nobody else may connect.
    pub peers: Vec<(PeerId, Multiaddr)>,
    /// Longest time a transaction waits to travel with others.
    pub flush: Duration,
}

/// Why gossip cannot start.
#[derive(Debug, thiserror::Error)]
pub enum GossipError {
    /// The transport cannot be made.
    #[error("the gossip network cannot be made: {0}")]
    Transport(String),
    /// The address cannot be listened on.
    #[error("gossip cannot listen on {address}: {reason}; check `gossip.listen`")]
    Listen {
        /// The address.
        address: Multiaddr,
        /// Why.
        reason: String,
    },
    /// The address is not listened on any more.
    #[error("gossip does not listen any more: {0}")]
    Closed(String),
}

#[derive(NetworkBehaviour)]
pub(super) struct GossipBehaviour {
    limits: Limits,
    allowed: AllowList<AllowedPeers>,
    ping: ping::Behaviour,
    pub(super) push: request_response::Behaviour<PushCodec>,
    pub(super) cosignatures: request_response::Behaviour<PushCodec>,
}

pub(super) fn build(
    chain_id: ChainId,
    key: Keypair,
    config: &GossipConfig,
) -> Result<Swarm<GossipBehaviour>, GossipError> {
    let transport_error = |reason: String| GossipError::Transport(reason);
    let protocol = |kind: &str| {
        StreamProtocol::try_from_owned(format!("/cets/{chain_id}/{kind}/1"))
            .map_err(|error| transport_error(error.to_string()))
    };
    let mut allowed = AllowList::<AllowedPeers>::default();
    for (peer, _) in &config.peers {
        allowed.allow_peer(*peer);
    }
    let settings = request_response::Config::default()
        .with_request_timeout(PUSH_TIMEOUT)
        .with_max_concurrent_streams(STREAMS_MAX);
    let pushes = |protocol, bytes_max| {
        request_response::Behaviour::with_codec(
            PushCodec { bytes_max },
            [(protocol, ProtocolSupport::Full)],
            settings.clone(),
        )
    };
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(HANDSHAKES_MAX))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER_MAX));
    let behaviour = GossipBehaviour {
        limits: Limits::new(limits),
        allowed,
        ping: ping::Behaviour::default(),
        push: pushes(protocol("tx")?, PUSH_BYTES_MAX),
        cosignatures: pushes(protocol("cosignature")?, VOTES_BYTES_MAX),
    };
    let mut swarm = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .map_err(|error| transport_error(error.to_string()))?
        .with_behaviour(|_| behaviour)
        .map_err(|error| transport_error(error.to_string()))?
        .with_swarm_config(|settings| {
            settings.with_idle_connection_timeout(Duration::from_secs(600))
        })
        .build();
    swarm.listen_on(config.listen.clone()).map_err(|error| GossipError::Listen {
        address: config.listen.clone(),
        reason: error.to_string(),
    })?;
    Ok(swarm)
}
