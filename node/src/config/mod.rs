//! The configuration file of a node: typed, complete, refusing what it does not know.

mod error;
mod file;
mod keys;
mod tls;

pub use error::ConfigError;
pub use file::{
    BlocksSection, ConsensusSection, GossipSection, KeysSection, LogFormat, LogSection,
    MempoolSection, MetricsSection, NodeConfig,
};
pub use keys::{KeyError, NodeKeys, peer_id, read_key};
pub use tls::{TlsError, check_tls};
