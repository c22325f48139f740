//! How much may wait.

/// Limits of the mempool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MempoolLimits {
    /// Most transactions.
    pub transactions_max: usize,
    /// Most bytes of all transactions.
    pub bytes_max: usize,
    /// Most transactions of one account.
    pub transactions_per_account_max: usize,
    /// Most bytes of the transactions of one account.
    pub bytes_per_account_max: usize,
    /// Most transactions of strangers: of accounts that do not exist, or signed by nobody who
    /// represents them. They wait for the next block, which may open the account.
    pub strangers_max: usize,
    /// Most bytes of the transactions of strangers.
    pub strangers_bytes_max: usize,
}

impl Default for MempoolLimits {
    fn default() -> Self {
        Self {
            transactions_max: 200_000,
            bytes_max: 256 * 1024 * 1024,
            transactions_per_account_max: 50_000,
            bytes_per_account_max: 64 * 1024 * 1024,
            strangers_max: 10_000,
            strangers_bytes_max: 16 * 1024 * 1024,
        }
    }
}
