//! How this node builds and judges blocks.

use std::time::Duration;

use cets_contracts::block::{BLOCK_TRANSACTIONS_BYTES_MAX, BLOCK_TRANSACTIONS_MAX};

/// Settings of block building and judging; they differ between nodes without harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerSettings {
    /// Most bytes of transactions in a block that this node builds.
    pub block_bytes_max: usize,
    /// Most transactions in a block that this node builds.
    pub block_transactions_max: usize,
    /// Longest time spent on executing transactions for a block that this node builds.
    pub block_build_time_max: Duration,
    /// Time without transactions after which an empty block is proposed.
    pub idle_block_interval: Duration,
    /// How far a block's time may be ahead of this node's clock.
    pub clock_drift_max: Duration,
}

impl Default for LedgerSettings {
    fn default() -> Self {
        Self {
            block_bytes_max: 2 * 1024 * 1024,
            block_transactions_max: 10_000,
            block_build_time_max: Duration::from_millis(250),
            idle_block_interval: Duration::from_secs(1),
            clock_drift_max: Duration::from_millis(500),
        }
    }
}

impl LedgerSettings {
    /// The settings with sizes within what every validator accepts.
    pub fn within_limits(mut self) -> Self {
        self.block_bytes_max = self.block_bytes_max.min(BLOCK_TRANSACTIONS_BYTES_MAX);
        self.block_transactions_max = self.block_transactions_max.min(BLOCK_TRANSACTIONS_MAX);
        self
    }
}
