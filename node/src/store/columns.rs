//! Column families: what each table of the database holds.

impl Column {
    /// Whether the rows that a block needs lie anywhere in the table.
    pub(super) const fn is_read_at_random(self) -> bool {
        matches!(self, Self::Hops | Self::Transactions)
    }
}

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident $text:literal),+ $(,)?) => {
        /// A table of the database.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Column { $($(#[$doc])* $name),+ }

        impl Column {
            /// All tables.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Name on disk and in messages.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

columns! {
    /// Schema version, genesis document, tip and frontier of the log.
    Meta "meta",
    /// State records that the tree commits to: state key -> slot, value.
    Records "records",
    /// Headers: height -> header and log index of its first entry.
    Headers "headers",
    /// Blocks by log: log index of the first entry -> height.
    BlockStarts "block_starts",
    /// Certificates: height -> certificate.
    Certificates "certificates",
    /// Validator sets: first height -> set.
    ValidatorSets "validator_sets",
    /// Log entries in runs: first log index -> entries.
    Entries "entries",
    /// Events and links of movements in runs: first log index -> outcomes.
    Outcomes "outcomes",
    /// Log nodes in runs: level, first index -> hashes.
    LogNodes "log_nodes",
    /// Transactions: identifier -> log index.
    Transactions "transactions",
    /// Transactions that touch an account, one row per block: account, log index of the last ->
    /// how far before it the others are.
    Histories "histories",
    /// Transactions that may not be ordered again, one row per block: latest expiry, height ->
    /// expiry and identifier of each.
    Remembered "remembered",
    /// Last movement of every unit: instrument, first serial -> end, movement.
    Hops "hops",
    /// Blocks that are not decided: block id -> height, bytes.
    Undecided "undecided",
    /// Own proposals that may still be decided: heights, rounds and block ids.
    Proposals "proposals",
    /// Marks of the double-sign guard.
    Guard "guard",
    /// Evidence of conflicting signatures: height, digest -> evidence.
    Evidence "evidence",
    /// The newest checkpoint with a quorum, the newest that this node cosigned, and cosignatures
    /// that contradict each other.
    Checkpoints "checkpoints",
}
