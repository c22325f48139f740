//! What is wrong with a configuration, in words that say what to do.

use std::path::PathBuf;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {file}: {error}")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The file does not parse, or holds a key that is not known.
    #[error("{file}: {reason}; network-config/node.example.toml shows every key with its meaning")]
    Invalid {
        /// The file.
        file: PathBuf,
        /// Line, key and what is allowed there.
        reason: String,
    },
    /// A value is outside of its range.
    #[error("{file}: `{key}` must be {allowed}")]
    OutOfRange {
        /// The file.
        file: PathBuf,
        /// Full name of the key.
        key: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
    /// An address is no multiaddr with a peer id.
    #[error("{file}: `{key}`: `{address}` must look like /ip4/10.0.0.2/tcp/26656/p2p/12D3KooW…")]
    PeerAddress {
        /// The file.
        file: PathBuf,
        /// Full name of the key.
        key: &'static str,
        /// The address.
        address: String,
    },
    /// The consensus engine cannot use a setting.
    #[error("{file}, section `consensus`: {error}")]
    Engine {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        error: cets_consensus::ConfigError,
    },
    /// The genesis file is no genesis document.
    #[error("{file} is no genesis document: {reason}")]
    Genesis {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
}
