//! Builds the engine from our settings.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytesize::ByteSize;
use cets_contracts::block::BLOCK_BYTES_MAX;
use cets_contracts::types::{ChainId, ValidatorAddress};
use malachitebft_app_channel::app::config::{
    ChannelNames, ConsensusConfig, NodeConfig, ProtocolNames, PubSubProtocol, ValuePayload,
    ValueSyncConfig,
};
use malachitebft_app_channel::app::net::Multiaddr;
use malachitebft_app_channel::app::types::Keypair;
use malachitebft_app_channel::app::types::codec::Codec as _;
use malachitebft_app_channel::{
    Channels, ConsensusContext, EngineBuilder, EngineHandle, NetworkContext, NetworkIdentity,
    RequestContext, Signer as _, SyncContext,
};

use crate::codec::WireCodec;
use crate::config::{ConfigError, EngineConfig, PART_BYTES_MAX, PART_BYTES_MIN};
use crate::context::{EngineAddress, EngineContext};
use crate::engine::EngineError;
use crate::guard::Guard;
use crate::keys::{EngineKeys, EngineSigner, validator_address};
use crate::signing::{EngineVerifier, GuardedSigner};
use crate::wal;

/// Room for what surrounds a part in one message, in bytes.
const FRAME_BYTES: usize = 64 * 1024;
/// Largest answer to a node that is behind, in bytes.
const ANSWER_BYTES_MAX: usize = 3 * BLOCK_BYTES_MAX;
/// Requests about state that may wait.
const REQUESTS_WAITING_MAX: usize = 64;

/// Whether this engine votes.
#[derive(Clone)]
pub enum Role {
    /// It votes whenever its key is in the validator set of a height.
    Validator(Arc<dyn EngineSigner>),
    /// It follows and never votes.
    Follower,
}

impl Role {
    /// The validator address of the role; followers have one that no key derives.
    pub fn address(&self) -> ValidatorAddress {
        match self {
            Self::Validator(signer) => validator_address(&signer.public_key()),
            Self::Follower => ValidatorAddress::new([0; ValidatorAddress::LEN]),
        }
    }
}

#[derive(Clone, Debug)]
struct Settings {
    moniker: String,
    consensus: ConsensusConfig,
    sync: ValueSyncConfig,
}

impl NodeConfig for Settings {
    fn moniker(&self) -> &str {
        &self.moniker
    }

    fn consensus(&self) -> &ConsensusConfig {
        &self.consensus
    }

    fn consensus_mut(&mut self) -> &mut ConsensusConfig {
        &mut self.consensus
    }

    fn value_sync(&self) -> &ValueSyncConfig {
        &self.sync
    }

    fn value_sync_mut(&mut self) -> &mut ValueSyncConfig {
        &mut self.sync
    }
}

fn size(bytes: usize) -> ByteSize {
    ByteSize::b(u64::try_from(bytes).unwrap_or(u64::MAX))
}

fn multiaddr(address: &str) -> Result<Multiaddr, ConfigError> {
    address.parse().map_err(|error: <Multiaddr as std::str::FromStr>::Err| ConfigError::Address {
        address: address.to_owned(),
        reason: error.to_string(),
    })
}

/// Checks settings that have a range.
fn check_ranges(config: &EngineConfig) -> Result<(), ConfigError> {
    let refuse = |setting, allowed| Err(ConfigError::Range { setting, allowed });
    if config.part_bytes < PART_BYTES_MIN || config.part_bytes > PART_BYTES_MAX {
        return refuse("part_bytes", "1024 to 2097152");
    }
    let timeouts = config.timeouts;
    let all = [timeouts.propose, timeouts.prevote, timeouts.precommit, timeouts.rebroadcast];
    if all.iter().any(Duration::is_zero) {
        return refuse("timeouts", "above zero");
    }
    let catch_up = config.catch_up;
    if catch_up.requests_parallel == 0 || catch_up.blocks_per_request == 0 {
        return refuse("catch_up requests and blocks", "at least 1");
    }
    if catch_up.request_timeout.is_zero() || catch_up.status_interval.is_zero() {
        return refuse("catch_up times", "above zero");
    }
    if config.connections_per_ip_max == 0 {
        return refuse("connections_per_ip_max", "at least 1");
    }
    Ok(())
}

/// Checks settings without starting anything.
///
/// # Errors
/// As [`crate::start`] has them for settings that cannot be used.
pub fn check_settings(config: &EngineConfig) -> Result<(), ConfigError> {
    settings(config, ChainId::new([0; ChainId::LEN])).map(|_| ())
}

fn settings(config: &EngineConfig, chain_id: ChainId) -> Result<Settings, ConfigError> {
    check_ranges(config)?;
    let listen = multiaddr(&config.listen_address)?;
    if !config.listen_address.contains("/tcp/") {
        return Err(ConfigError::Transport { address: config.listen_address.clone() });
    }
    let mut consensus = ConsensusConfig {
        value_payload: ValuePayload::ProposalAndParts,
        ..ConsensusConfig::default()
    };
    let p2p = &mut consensus.p2p;
    p2p.listen_addr = listen;
    p2p.persistent_peers = config
        .persistent_peers
        .iter()
        .map(|address| multiaddr(address))
        .collect::<Result<_, _>>()?;
    p2p.persistent_peers_only = config.persistent_peers_only;
    p2p.discovery.max_connections_per_ip = config.connections_per_ip_max;
    p2p.discovery.ip_throttle_duration = Duration::from_secs(1);
    p2p.protocol = PubSubProtocol::Broadcast;
    p2p.pubsub_max_size = size(config.part_bytes.saturating_add(FRAME_BYTES));
    p2p.rpc_max_size = size(ANSWER_BYTES_MAX.saturating_add(FRAME_BYTES));
    // Nodes of different chains do not even speak the same protocols.
    p2p.protocol_names = ProtocolNames {
        consensus: format!("/cets/{chain_id}/consensus/1"),
        discovery_kad: format!("/cets/{chain_id}/kad/1"),
        discovery_regres: format!("/cets/{chain_id}/discovery/1"),
        sync: format!("/cets/{chain_id}/sync/1"),
        validator_proof: format!("/cets/{chain_id}/validator-proof/1"),
    };
    p2p.channel_names = ChannelNames {
        consensus: format!("/cets/{chain_id}/votes"),
        proposal_parts: format!("/cets/{chain_id}/parts"),
        sync: format!("/cets/{chain_id}/status"),
        liveness: format!("/cets/{chain_id}/liveness"),
    };
    let sync = ValueSyncConfig {
        enabled: true,
        status_update_interval: config.catch_up.status_interval,
        request_timeout: config.catch_up.request_timeout,
        max_response_size: size(ANSWER_BYTES_MAX),
        parallel_requests: config.catch_up.requests_parallel,
        batch_size: config.catch_up.blocks_per_request,
        ..ValueSyncConfig::default()
    };
    Ok(Settings { moniker: config.moniker.clone(), consensus, sync })
}

/// The libp2p key of a node.
pub fn network_key(keys: &EngineKeys) -> Result<Keypair, EngineError> {
    Keypair::ed25519_from_bytes(keys.network.to_bytes())
        .map_err(|error| EngineError::Start(eyre::eyre!("the network key: {error}")))
}

async fn identity(
    config: &EngineConfig,
    key: Keypair,
    role: &Role,
    chain_id: ChainId,
    guard: &Arc<Guard>,
) -> eyre::Result<NetworkIdentity> {
    let moniker = config.moniker.clone();
    let Role::Validator(signer) = role else {
        return Ok(NetworkIdentity::new(moniker, key, None));
    };
    let public_key = signer.public_key().as_bytes().to_vec();
    let peer_id = key.public().to_peer_id().to_bytes();
    let guarded = GuardedSigner::new(chain_id, Arc::clone(signer), Arc::clone(guard));
    let proof = guarded.sign_validator_proof(public_key, peer_id).await?;
    let proof: Bytes = WireCodec.encode(&proof)?;
    Ok(NetworkIdentity::new_validator(moniker, key, role.address().to_string(), proof))
}

/// Starts the engine in a role.
pub async fn spawn(
    config: &EngineConfig,
    keys: &EngineKeys,
    role: &Role,
    chain_id: ChainId,
    guard: &Arc<Guard>,
) -> Result<(Channels<EngineContext>, EngineHandle), EngineError> {
    let settings = settings(config, chain_id)?;
    let key = network_key(keys)?;
    let identity =
        identity(config, key, role, chain_id, guard).await.map_err(EngineError::Start)?;
    let log = wal::spawn(&config.wal_path, Arc::clone(guard)).await.map_err(EngineError::Start)?;
    let address = EngineAddress(role.address());
    let verifier = Box::new(EngineVerifier::new(chain_id));
    let consensus = match role {
        Role::Validator(signer) => {
            let signer = GuardedSigner::new(chain_id, Arc::clone(signer), Arc::clone(guard));
            ConsensusContext::new_validator(address, verifier, Box::new(signer))
        }
        Role::Follower => ConsensusContext::new_full_node(address, verifier),
    };
    let builder = EngineBuilder::new(EngineContext, settings)
        .with_custom_wal(log)
        .with_default_sync(SyncContext::new(WireCodec))
        .with_default_consensus(consensus)
        .with_default_request(RequestContext::new(REQUESTS_WAITING_MAX));
    #[cfg(feature = "byzantine")]
    if let (Some(what), Role::Validator(signer)) = (&config.byzantine, role) {
        let bad = crate::byzantine::network(what, identity, chain_id, Arc::clone(signer))?;
        let builder = builder.with_byzantine_network(bad).await.map_err(EngineError::Start)?;
        return builder.build().await.map_err(EngineError::Start);
    }
    let network = NetworkContext::new(identity, WireCodec);
    builder.with_default_network(network).build().await.map_err(EngineError::Start)
}
