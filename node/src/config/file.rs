//! Sections and keys of the file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cets_consensus::{EngineConfig, RoundTimeouts};
use cets_contracts::genesis::Genesis;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use serde::Deserialize;

use super::ConfigError;
use crate::gossip::GossipConfig;
use crate::ledger::{KeepRules, LedgerSettings};
use crate::mempool::MempoolLimits;
use crate::rpc::RpcConfig;

/// `node.toml`. Relative paths start at the folder of the file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Short name of the node in logs, metrics and towards peers.
    pub name: String,
    /// Genesis document.
    pub genesis: PathBuf,
    /// Folder of the ledger and of the write-ahead log of consensus.
    pub data: PathBuf,
    /// Key files.
    pub keys: KeysSection,
    /// Agreement with the other validators.
    pub consensus: ConsensusSection,
    /// Spreading of transactions.
    pub gossip: GossipSection,
    /// Interface for clients.
    pub api: RpcConfig,
    /// Metrics and health over HTTP.
    #[serde(default)]
    pub metrics: MetricsSection,
    /// Transactions that wait.
    #[serde(default)]
    pub mempool: MempoolSection,
    /// Blocks that this node builds and judges.
    #[serde(default)]
    pub blocks: BlocksSection,
    /// States that are kept, so that they can be proven later.
    #[serde(default)]
    pub proofs: KeepRules,
    /// Log lines.
    #[serde(default)]
    pub log: LogSection,
    /// The file this was read from.
    #[serde(skip)]
    pub file: PathBuf,
}

/// Key files: PKCS#8 in PEM, mode 0600, each another key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysSection {
    /// Signs votes and proposals; a node without it follows and never votes.
    #[serde(default)]
    pub consensus: Option<PathBuf>,
    /// Authenticates connections of the consensus network.
    pub network: PathBuf,
    /// Authenticates connections of the gossip network; the network key without it.
    #[serde(default)]
    pub gossip: Option<PathBuf>,
    /// Cosigns checkpoints of the log; a node without it cosigns none.
    #[serde(default)]
    pub cosigner: Option<PathBuf>,
    /// File whose first line opens encrypted key files.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
}

/// Agreement with the other validators.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsensusSection {
    /// Multiaddr to listen on.
    pub listen: String,
    /// Multiaddrs of the other nodes, with their peer ids.
    pub peers: Vec<String>,
    /// Whether connections of others than `peers` are refused.
    #[serde(default = "yes")]
    pub peers_only: bool,
    /// Most connections from one IP address.
    #[serde(default)]
    pub connections_per_ip_max: Option<usize>,
    /// Wait for a complete proposal, in milliseconds.
    #[serde(default)]
    pub propose_millis: Option<u64>,
    /// Wait for prevotes after a quorum of unequal ones, in milliseconds.
    #[serde(default)]
    pub prevote_millis: Option<u64>,
    /// Wait for precommits after a quorum of unequal ones, in milliseconds.
    #[serde(default)]
    pub precommit_millis: Option<u64>,
    /// Wait before votes are sent again, in milliseconds.
    #[serde(default)]
    pub rebroadcast_millis: Option<u64>,
    /// Size of the parts in which proposed blocks travel, in bytes.
    #[serde(default)]
    pub part_bytes: Option<usize>,
    /// Misbehaviour on purpose: comma-separated `votes`, `proposals`, `silent`.
    #[cfg(feature = "byzantine")]
    #[serde(default)]
    pub byzantine: Option<String>,
}

/// Spreading of transactions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GossipSection {
    /// Multiaddr to listen on.
    pub listen: String,
    /// Multiaddrs of the other nodes, with their peer ids; nobody else may connect.
    pub peers: Vec<String>,
    /// Longest time a transaction waits to travel with others, in milliseconds.
    #[serde(default = "flush_millis")]
    pub flush_millis: u64,
}

/// Metrics and health over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsSection {
    /// Another address for them, in plain text; those of the interface for clients serve them
    /// always.
    #[serde(default)]
    pub listen: Option<SocketAddr>,
}

/// Transactions that wait.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MempoolSection {
    /// Most transactions.
    pub transactions_max: usize,
    /// Most bytes of all transactions.
    pub bytes_max: usize,
    /// Most transactions of one account.
    pub transactions_per_account_max: usize,
    /// Most bytes of the transactions of one account.
    pub bytes_per_account_max: usize,
    /// Most transactions of accounts that do not exist or whose signers do not represent them.
    pub strangers_max: usize,
    /// Most bytes of those.
    pub strangers_bytes_max: usize,
    /// Threads that verify signatures.
    pub verify_threads: usize,
}

/// Blocks that this node builds and judges.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlocksSection {
    /// Most bytes of transactions in a block that this node builds.
    pub bytes_max: usize,
    /// Most transactions in a block that this node builds.
    pub transactions_max: usize,
    /// Longest time spent on building a block, in milliseconds.
    pub build_millis_max: u64,
    /// Time without transactions after which an empty block is proposed, in milliseconds.
    pub idle_millis: u64,
    /// How far a block's time may be ahead of this node's clock, in milliseconds.
    pub clock_drift_millis_max: u64,
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Log lines.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSection {
    /// Filter, for example `info` or `info,cets_node=debug`.
    pub level: String,
    /// Form.
    pub format: LogFormat,
}

impl Default for MempoolSection {
    fn default() -> Self {
        let limits = MempoolLimits::default();
        Self {
            transactions_max: limits.transactions_max,
            bytes_max: limits.bytes_max,
            transactions_per_account_max: limits.transactions_per_account_max,
            bytes_per_account_max: limits.bytes_per_account_max,
            strangers_max: limits.strangers_max,
            strangers_bytes_max: limits.strangers_bytes_max,
            verify_threads: 1,
        }
    }
}

impl Default for BlocksSection {
    fn default() -> Self {
        let settings = LedgerSettings::default();
        Self {
            bytes_max: settings.block_bytes_max,
            transactions_max: settings.block_transactions_max,
            build_millis_max: millis(settings.block_build_time_max),
            idle_millis: millis(settings.idle_block_interval),
            clock_drift_millis_max: millis(settings.clock_drift_max),
        }
    }
}

impl Default for LogSection {
    fn default() -> Self {
        let level = "info,arc_malachitebft=warn,informalsystems=warn,libp2p=warn".to_owned();
        Self { level, format: LogFormat::Text }
    }
}

const fn yes() -> bool {
    true
}

const fn flush_millis() -> u64 {
    5
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl NodeConfig {
    /// Reads a file, refuses unknown keys and values out of range, and makes paths absolute.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| ConfigError::Unreadable { file: file.to_owned(), error })?;
        Self::parse(&text, file)
    }

    /// Reads the text of a file.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|error| ConfigError::Invalid {
            file: file.to_owned(),
            reason: error.to_string().trim().to_owned(),
        })?;
        config.file = file.to_owned();
        config.resolve_paths();
        config.check()?;
        Ok(config)
    }

    fn resolve_paths(&mut self) {
        let folder = self.file.parent().map(Path::to_path_buf).unwrap_or_default();
        let keys = &mut self.keys;
        let mandatory = [&mut self.genesis, &mut self.data, &mut keys.network];
        let optional =
            [&mut keys.consensus, &mut keys.gossip, &mut keys.cosigner, &mut keys.password_file];
        let tls = self.api.tls.as_mut().map(|tls| [&mut tls.certificate, &mut tls.key]);
        let paths = mandatory.into_iter().chain(optional.into_iter().flatten());
        for path in paths.chain(tls.into_iter().flatten()) {
            *path = folder.join(&path);
        }
        if let Some(authority) = self.api.tls.as_mut().and_then(|tls| tls.client_authority.as_mut())
        {
            *authority = folder.join(&authority);
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let name = self.name.as_str();
        let named = !name.is_empty() && name.len() <= 64;
        let printable = name.bytes().all(|byte| byte.is_ascii_graphic());
        let ranges = [
            (named && printable, "name", "1 to 64 printable ASCII characters without spaces"),
            (self.mempool.transactions_max > 0, "mempool.transactions_max", "at least 1"),
            (self.mempool.bytes_max >= 65_536, "mempool.bytes_max", "at least 65536"),
            (
                self.mempool.transactions_per_account_max > 0,
                "mempool.transactions_per_account_max",
                "at least 1",
            ),
            ((1..=64).contains(&self.mempool.verify_threads), "mempool.verify_threads", "1 to 64"),
            (self.blocks.bytes_max >= 65_536, "blocks.bytes_max", "at least 65536"),
            (self.blocks.transactions_max > 0, "blocks.transactions_max", "at least 1"),
            (
                (1..=10_000).contains(&self.blocks.build_millis_max),
                "blocks.build_millis_max",
                "1 to 10000",
            ),
            ((10..=60_000).contains(&self.blocks.idle_millis), "blocks.idle_millis", "10 to 60000"),
            (
                self.blocks.clock_drift_millis_max <= 60_000,
                "blocks.clock_drift_millis_max",
                "at most 60000",
            ),
            ((1..=1_000).contains(&self.gossip.flush_millis), "gossip.flush_millis", "1 to 1000"),
        ];
        for (holds, key, allowed) in ranges.into_iter().chain(self.api.limits.ranges()) {
            if !holds {
                return Err(ConfigError::OutOfRange { file: self.file.clone(), key, allowed });
            }
        }
        cets_consensus::check_settings(&self.engine())
            .map_err(|error| ConfigError::Engine { file: self.file.clone(), error })?;
        self.gossip_config().map(|_| ())
    }

    /// The genesis document.
    pub fn read_genesis(&self) -> Result<Genesis, ConfigError> {
        let file = self.genesis.clone();
        let text = std::fs::read_to_string(&file)
            .map_err(|error| ConfigError::Unreadable { file: file.clone(), error })?;
        serde_json::from_str(&text)
            .map_err(|error| ConfigError::Genesis { file, reason: error.to_string() })
    }

    /// Folder of the store.
    pub fn store_folder(&self) -> PathBuf {
        self.data.join("ledger")
    }

    /// Settings of the engine.
    pub fn engine(&self) -> EngineConfig {
        let section = &self.consensus;
        let wal = self.data.join("consensus").join("wal");
        let mut engine = EngineConfig::new(&self.name, &section.listen, wal);
        engine.persistent_peers.clone_from(&section.peers);
        engine.persistent_peers_only = section.peers_only;
        if let Some(connections) = section.connections_per_ip_max {
            engine.connections_per_ip_max = connections;
        }
        if let Some(bytes) = section.part_bytes {
            engine.part_bytes = bytes;
        }
        let or =
            |millis: Option<u64>, default: Duration| millis.map_or(default, Duration::from_millis);
        let defaults = RoundTimeouts::default();
        engine.timeouts = RoundTimeouts {
            propose: or(section.propose_millis, defaults.propose),
            prevote: or(section.prevote_millis, defaults.prevote),
            precommit: or(section.precommit_millis, defaults.precommit),
            rebroadcast: or(section.rebroadcast_millis, defaults.rebroadcast),
        };
        #[cfg(feature = "byzantine")]
        engine.byzantine.clone_from(&section.byzantine);
        engine
    }

    /// Settings of gossip.
    pub fn gossip_config(&self) -> Result<GossipConfig, ConfigError> {
        let error = |key, address: &str| ConfigError::PeerAddress {
            file: self.file.clone(),
            key,
            address: address.to_owned(),
        };
        let listen: Multiaddr =
            self.gossip.listen.parse().map_err(|_| error("gossip.listen", &self.gossip.listen))?;
        let mut peers = Vec::with_capacity(self.gossip.peers.len());
        for text in &self.gossip.peers {
            let address: Multiaddr = text.parse().map_err(|_| error("gossip.peers", text))?;
            match address.iter().last() {
                Some(Protocol::P2p(peer)) => peers.push((peer, address)),
                _ => return Err(error("gossip.peers", text)),
            }
        }
        let flush = Duration::from_millis(self.gossip.flush_millis);
        Ok(GossipConfig { listen, peers, flush })
    }

    /// Limits of the mempool.
    pub const fn mempool_limits(&self) -> MempoolLimits {
        MempoolLimits {
            transactions_max: self.mempool.transactions_max,
            bytes_max: self.mempool.bytes_max,
            transactions_per_account_max: self.mempool.transactions_per_account_max,
            bytes_per_account_max: self.mempool.bytes_per_account_max,
            strangers_max: self.mempool.strangers_max,
            strangers_bytes_max: self.mempool.strangers_bytes_max,
        }
    }

    /// Settings of block building and judging.
    pub const fn ledger_settings(&self) -> LedgerSettings {
        LedgerSettings {
            block_bytes_max: self.blocks.bytes_max,
            block_transactions_max: self.blocks.transactions_max,
            block_build_time_max: Duration::from_millis(self.blocks.build_millis_max),
            idle_block_interval: Duration::from_millis(self.blocks.idle_millis),
            clock_drift_max: Duration::from_millis(self.blocks.clock_drift_millis_max),
        }
    }
}
