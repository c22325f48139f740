//! Settings of the engine, typed and checked before anything starts.

use std::path::PathBuf;
use std::time::Duration;

/// Least size of a proposal part in bytes.
pub const PART_BYTES_MIN: usize = 1024;
/// Largest size of a proposal part in bytes; with its frame it fits one message.
pub const PART_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Longest wait of any step of any round.
pub const STEP_WAIT_MAX: Duration = Duration::from_secs(60);

/// How long a round waits in each of its steps.
///
/// A step of round `r` waits its time plus `r` halves of it, at most [`STEP_WAIT_MAX`]: on disks
/// and links however slow a round comes that is long enough. The first rounds stay short, because
/// each turn of a validator that is down costs one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundTimeouts {
    /// For a complete proposal.
    pub propose: Duration,
    /// For prevotes after a quorum of unequal ones.
    pub prevote: Duration,
    /// For precommits after a quorum of unequal ones.
    pub precommit: Duration,
    /// Before votes and certificates are sent again; the same in every round.
    pub rebroadcast: Duration,
}

impl RoundTimeouts {
    /// The wait of a step of a round, from that of its first round.
    pub fn grown(base: Duration, round: u32) -> Duration {
        let more = base.checked_div(2).unwrap_or_default().saturating_mul(round);
        base.saturating_add(more).min(STEP_WAIT_MAX.max(base))
    }
}

impl Default for RoundTimeouts {
    fn default() -> Self {
        Self {
            propose: Duration::from_millis(1000),
            prevote: Duration::from_millis(200),
            precommit: Duration::from_millis(200),
            rebroadcast: Duration::from_millis(1000),
        }
    }
}

/// How a node that is behind fetches decided blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatchUp {
    /// Interval at which peers are told this node's height.
    pub status_interval: Duration,
    /// Longest wait for an answer.
    pub request_timeout: Duration,
    /// Requests under way at a time.
    pub requests_parallel: usize,
    /// Blocks asked for in one request.
    pub blocks_per_request: usize,
}

impl Default for CatchUp {
    fn default() -> Self {
        Self {
            status_interval: Duration::from_millis(500),
            request_timeout: Duration::from_secs(10),
            requests_parallel: 5,
            blocks_per_request: 5,
        }
    }
}

/// Settings of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// Short name of this node in logs and metrics.
    pub moniker: String,
    /// Multiaddr to listen on, for example `/ip4/0.0.0.0/tcp/26656`; port 0 takes a free one.
    pub listen_address: String,
    /// Multiaddrs of the other nodes, for example `/ip4/10.0.0.2/tcp/26656/p2p/12D3KooW…`.
    pub persistent_peers: Vec<String>,
    /// Whether connections of others than [`Self::persistent_peers`] are refused.
    pub persistent_peers_only: bool,
    /// Most connections from one IP address.
    pub connections_per_ip_max: usize,
    /// File of the write-ahead log; its folder is made when missing.
    pub wal_path: PathBuf,
    /// Waiting times of rounds.
    pub timeouts: RoundTimeouts,
    /// Size of the parts in which proposed blocks travel, in bytes.
    pub part_bytes: usize,
    /// Catching up.
    pub catch_up: CatchUp,
    /// Longest wait for a quorum of connected peers before the first height is started.
    pub peers_wait: Duration,
    /// Misbehaviour for fault tests: comma-separated `votes`, `proposals` (equivocate) and
    /// `silent` (send none of either).
    #[cfg(feature = "byzantine")]
    pub byzantine: Option<String>,
}

impl EngineConfig {
    /// Settings for a node that listens on an address and keeps its log in a file; everything
    /// else as measured best.
    pub fn new(
        moniker: impl Into<String>,
        listen_address: impl Into<String>,
        wal_path: impl Into<PathBuf>,
    ) -> Self {
        Self {
            moniker: moniker.into(),
            listen_address: listen_address.into(),
            persistent_peers: Vec::new(),
            persistent_peers_only: false,
            connections_per_ip_max: 256,
            wal_path: wal_path.into(),
            timeouts: RoundTimeouts::default(),
            part_bytes: 128 * 1024,
            catch_up: CatchUp::default(),
            peers_wait: Duration::from_secs(5),
            #[cfg(feature = "byzantine")]
            byzantine: None,
        }
    }
}

/// Why settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// An address does not parse.
    #[error("`{address}` is no multiaddr such as /ip4/10.0.0.2/tcp/26656: {reason}")]
    Address {
        /// The text.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The listen address names no transport.
    #[error("the listen address `{address}` must name a TCP port, such as /ip4/0.0.0.0/tcp/26656")]
    Transport {
        /// The text.
        address: String,
    },
    /// A size or time is out of its range.
    #[error("{setting} must be {allowed}")]
    Range {
        /// Name of the setting.
        setting: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_grow_until_any_machine_is_fast_enough() {
        let RoundTimeouts { propose, prevote, .. } = RoundTimeouts::default();
        assert_eq!(RoundTimeouts::grown(propose, 0), propose);
        assert_eq!(RoundTimeouts::grown(propose, 1), Duration::from_millis(1_500));
        assert_eq!(RoundTimeouts::grown(prevote, 20), Duration::from_millis(2_200));
        let waits: Vec<Duration> =
            (0..200).map(|round| RoundTimeouts::grown(propose, round)).collect();
        assert!(waits.is_sorted() && waits.last() == Some(&STEP_WAIT_MAX));
        assert_eq!(RoundTimeouts::grown(propose, u32::MAX), STEP_WAIT_MAX);
        let long = Duration::from_secs(90);
        assert_eq!(RoundTimeouts::grown(long, 7), long, "what was asked for is never cut");
    }
}
