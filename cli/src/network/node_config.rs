//! The configuration file of a node as `cets network init` writes it.
//!
//! The node has its own reader, which refuses unknown keys; a test of the whole workspace holds
//! both together, because this crate may not depend on the node.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Serialize;

/// `node.toml`; relative paths start at its folder.
#[derive(Clone, Debug, Serialize)]
pub struct NodeConfig {
    /// Short name in logs and metrics.
    pub name: String,
    /// Genesis document.
    pub genesis: PathBuf,
    /// Folder of the store, the write-ahead log and the double-sign guard.
    pub data: PathBuf,
    /// Keys.
    pub keys: KeyPaths,
    /// Agreement with the other validators.
    pub consensus: Swarm,
    /// Spreading of transactions.
    pub gossip: Swarm,
    /// What clients call.
    pub api: Api,
}

/// Encrypted PKCS#8 files, each another key.
#[derive(Clone, Debug, Serialize)]
pub struct KeyPaths {
    /// Signs votes and proposals.
    pub consensus: PathBuf,
    /// Authenticates connections between nodes.
    pub network: PathBuf,
    /// Cosigns checkpoints of the log.
    pub cosigner: PathBuf,
    /// File whose first line opens them.
    pub password_file: PathBuf,
}

/// A peer-to-peer network: where to listen and whom to call.
#[derive(Clone, Debug, Serialize)]
pub struct Swarm {
    /// Multiaddr to listen on.
    pub listen: String,
    /// Multiaddrs of the other nodes, with their peer ids.
    pub peers: Vec<String>,
}

/// The interface for clients.
#[derive(Clone, Debug, Serialize)]
pub struct Api {
    /// Address of gRPC and HTTP.
    pub listen: SocketAddr,
}
