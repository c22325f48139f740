//! Settings and limits of the interface.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// Records on a page when the caller names no number.
pub const PAGE_SIZE_DEFAULT: u32 = 100;
/// Largest page that a configuration may allow.
pub const PAGE_SIZE_MAX: u32 = 1_000;
/// Most records looked at for one page; a page may hold fewer than asked for and still lead on.
pub const PAGE_RECORDS_SCANNED_MAX: usize = 20_000;
/// Bytes that a client may send on one call before the node has taken any of them.
pub const CALL_WINDOW_BYTES: u32 = 256 * 1024;
/// The same for all calls of a connection together.
pub const CONNECTION_WINDOW_BYTES: u32 = 512 * 1024;
/// Most bytes of records on a page.
pub const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Entries of the log that one read of an event stream looks at.
pub const STREAM_ENTRIES_PER_READ: usize = 64;
/// Answers that wait in the buffer of a stream for a slow reader; then the stream stops reading.
pub const STREAM_ANSWERS_BUFFERED_MAX: usize = 16;
/// Blocks that wait in the buffer of a block stream.
pub const STREAM_BLOCKS_BUFFERED_MAX: usize = 2;
/// Bytes of an answer that a client takes in a second, at least.
pub const READ_BYTES_PER_SECOND_MIN: usize = 16 * 1024;
/// Most open calls that a configuration may allow.
pub const CALLS_MAX: usize = 1_048_576;
/// Most requests that a configuration may have executed at a time.
pub const REQUESTS_PARALLEL_MAX: usize = 512;
/// Largest answer in bytes: a block with its receipts and certificate fits.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The interface of a node: where it listens, and its limits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RpcConfig {
    /// Address for gRPC and HTTP; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Certificate and key; plain text without.
    #[serde(default)]
    pub tls: Option<TlsConfig>,
    /// Limits.
    #[serde(default)]
    pub limits: RpcLimits,
}

/// Files of the server's TLS identity, in PEM.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// Certificate chain.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
    /// Authority whose certificates clients must show; any client without.
    #[serde(default)]
    pub client_authority: Option<PathBuf>,
}

/// Limits of the interface.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RpcLimits {
    /// Most connections.
    pub connections_max: usize,
    /// Most connections from one IP address.
    pub connections_per_address_max: usize,
    /// Most calls that are open at a time over all connections: until their answer was read.
    pub calls_max: usize,
    /// Most of them from one IP address.
    pub calls_per_address_max: usize,
    /// Most concurrent streams of a connection.
    pub streams_per_connection_max: u32,
    /// Most requests that are executed at a time over all connections: by default as many as there
    /// are cores, at least 2. More would only take turns with each other and with consensus.
    pub requests_parallel_max: usize,
    /// Largest request in bytes.
    pub request_bytes_max: usize,
    /// Longest time for a request that waits for nothing, in milliseconds.
    pub request_millis_max: u64,
    /// Longest wait for a transaction to become final, in milliseconds.
    pub wait_millis_max: u64,
    /// The wait when the caller names none, in milliseconds.
    pub wait_millis_default: u64,
    /// Interval at which silent connections are probed, in milliseconds.
    pub keep_alive_millis: u64,
    /// Longest wait for the answer to a probe, in milliseconds.
    pub keep_alive_timeout_millis: u64,
    /// Most records on a page.
    pub page_size_max: u32,
    /// Transactions of one submission stream that are checked at a time.
    pub submissions_in_flight_max: usize,
    /// Most streams of the history and the units that are served at a time over all connections.
    pub streams_max: usize,
    /// Most of them for clients of one IP address.
    pub streams_per_address_max: usize,
    /// Most streams of submissions at a time over all connections; no reader takes one of them.
    pub submission_streams_max: usize,
    /// Most of them for clients of one IP address.
    pub submission_streams_per_address_max: usize,
    /// Most bytes of submissions that are not checked yet, over all connections.
    pub submissions_bytes_max: usize,
    /// Most of them from one IP address.
    pub submissions_bytes_per_address_max: usize,
    /// Most bytes of answers that wait to be read, over all connections.
    pub answers_bytes_max: usize,
    /// Most of them for clients of one IP address.
    pub answers_bytes_per_address_max: usize,
    /// Longest time that an answer waits for a client that takes nothing of it, in milliseconds; a
    /// second more for each [`READ_BYTES_PER_SECOND_MIN`]. Then the connection is closed.
    pub unread_millis_max: u64,
}

impl Default for RpcLimits {
    fn default() -> Self {
        Self {
            connections_max: 1_024,
            connections_per_address_max: 256,
            calls_max: 4_096,
            calls_per_address_max: 1_024,
            streams_per_connection_max: 256,
            requests_parallel_max: cores().clamp(2, REQUESTS_PARALLEL_MAX),
            request_bytes_max: 256 * 1024,
            request_millis_max: 10_000,
            wait_millis_max: 120_000,
            wait_millis_default: 30_000,
            keep_alive_millis: 20_000,
            keep_alive_timeout_millis: 10_000,
            page_size_max: 1_000,
            submissions_in_flight_max: 1_024,
            streams_max: 256,
            streams_per_address_max: 128,
            submission_streams_max: 256,
            submission_streams_per_address_max: 128,
            submissions_bytes_max: 128 * 1024 * 1024,
            submissions_bytes_per_address_max: 64 * 1024 * 1024,
            answers_bytes_max: 128 * 1024 * 1024,
            answers_bytes_per_address_max: 64 * 1024 * 1024,
            unread_millis_max: 60_000,
        }
    }
}

/// Cores that this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, core::num::NonZero::get)
}

/// Whether a limit is within its range, its full name in the configuration, and what is allowed.
pub type LimitRange = (bool, &'static str, &'static str);

impl RpcLimits {
    /// Longest time that a connection may send nothing: a probe and the wait for its answer.
    pub const fn silence_max(&self) -> Duration {
        Duration::from_millis(self.keep_alive_millis.saturating_add(self.keep_alive_timeout_millis))
    }

    /// Most bytes that the clients of one address make the node hold: what they sent and it has
    /// not taken, requests of which a part is missing, submissions that are not checked yet, and
    /// answers that they do not read.
    pub const fn bytes_per_address_max(&self) -> usize {
        let sent =
            self.connections_per_address_max.saturating_mul(CONNECTION_WINDOW_BYTES as usize);
        let parts = self.calls_per_address_max.saturating_mul(self.request_bytes_max);
        sent.saturating_add(parts)
            .saturating_add(self.submissions_bytes_per_address_max)
            .saturating_add(self.answers_bytes_per_address_max)
    }

    /// The range of every limit, and whether it holds.
    pub fn ranges(&self) -> Vec<LimitRange> {
        let mut ranges = self.ranges_of_calls();
        ranges.extend(self.ranges_of_streams_and_bytes());
        ranges
    }

    fn ranges_of_calls(&self) -> Vec<LimitRange> {
        let waits = (1..=self.wait_millis_max).contains(&self.wait_millis_default);
        let keep_alive = self.keep_alive_millis >= 1_000 && self.keep_alive_timeout_millis >= 1_000;
        vec![
            (self.connections_max >= 1, "api.limits.connections_max", "at least 1"),
            (
                self.connections_per_address_max >= 1,
                "api.limits.connections_per_address_max",
                "at least 1",
            ),
            ((1..=CALLS_MAX).contains(&self.calls_max), "api.limits.calls_max", "1 to 1048576"),
            (
                (1..=self.calls_max).contains(&self.calls_per_address_max),
                "api.limits.calls_per_address_max",
                "1 to api.limits.calls_max",
            ),
            (
                self.streams_per_connection_max >= 1,
                "api.limits.streams_per_connection_max",
                "at least 1",
            ),
            (
                (1..=REQUESTS_PARALLEL_MAX).contains(&self.requests_parallel_max),
                "api.limits.requests_parallel_max",
                "1 to 512",
            ),
            (
                (65_536..=ANSWER_BYTES_MAX).contains(&self.request_bytes_max),
                "api.limits.request_bytes_max",
                "65536 (a transaction with its frame) to 67108864",
            ),
            (self.request_millis_max >= 100, "api.limits.request_millis_max", "at least 100"),
            (waits, "api.limits.wait_millis_default", "1 to api.limits.wait_millis_max"),
            (keep_alive, "api.limits.keep_alive_millis", "at least 1000, its timeout too"),
            (
                (1..=PAGE_SIZE_MAX).contains(&self.page_size_max),
                "api.limits.page_size_max",
                "1 to 1000",
            ),
            (
                (1..=8_192).contains(&self.submissions_in_flight_max),
                "api.limits.submissions_in_flight_max",
                "1 to 8192",
            ),
        ]
    }

    fn ranges_of_streams_and_bytes(&self) -> [LimitRange; 9] {
        [
            (self.streams_max >= 1, "api.limits.streams_max", "at least 1"),
            (self.streams_per_address_max >= 1, "api.limits.streams_per_address_max", "at least 1"),
            (self.submission_streams_max >= 1, "api.limits.submission_streams_max", "at least 1"),
            (
                self.submission_streams_per_address_max >= 1,
                "api.limits.submission_streams_per_address_max",
                "at least 1",
            ),
            (
                self.submissions_bytes_max >= self.request_bytes_max,
                "api.limits.submissions_bytes_max",
                "at least api.limits.request_bytes_max",
            ),
            (
                (self.request_bytes_max..=self.submissions_bytes_max)
                    .contains(&self.submissions_bytes_per_address_max),
                "api.limits.submissions_bytes_per_address_max",
                "api.limits.request_bytes_max to api.limits.submissions_bytes_max",
            ),
            (
                self.answers_bytes_max >= ANSWER_BYTES_MAX,
                "api.limits.answers_bytes_max",
                "at least 67108864 (the largest answer)",
            ),
            (
                (ANSWER_BYTES_MAX..=self.answers_bytes_max)
                    .contains(&self.answers_bytes_per_address_max),
                "api.limits.answers_bytes_per_address_max",
                "67108864 (the largest answer) to api.limits.answers_bytes_max",
            ),
            (self.unread_millis_max >= 1_000, "api.limits.unread_millis_max", "at least 1000"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_limits_are_within_their_ranges_and_zeros_are_not() {
        assert!(RpcLimits::default().ranges().iter().all(|(holds, ..)| *holds));
        let config: RpcConfig = toml::from_str("listen = '127.0.0.1:0'").unwrap();
        assert_eq!(config.limits, RpcLimits::default());
        let zero: RpcConfig =
            toml::from_str("listen = '127.0.0.1:0'\n[limits]\nstreams_max = 0").unwrap();
        let broken: Vec<_> =
            zero.limits.ranges().into_iter().filter(|(holds, ..)| !holds).collect();
        assert_eq!(broken, [(false, "api.limits.streams_max", "at least 1")]);
    }

    #[test]
    fn unknown_keys_are_refused() {
        for text in ["listen = '127.0.0.1:0'\nport = 1", "listen = '[::]:0'\n[limits]\nx = 1"] {
            assert!(toml::from_str::<RpcConfig>(text).is_err());
        }
    }
}
