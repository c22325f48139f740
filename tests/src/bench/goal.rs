//! What is measured, in which unit, and what is asked for.

use clap::ValueEnum;

/// A goal of `cargo bench-all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "verbatim")]
pub enum Goal {
    /// Committed signed transfers a second.
    G1,
    /// The same against PostgreSQL.
    G2,
    /// Latency of one transfer in flight.
    G5,
    /// Latency at half of the throughput.
    G6,
    /// Throughput with one validator dead.
    G7,
    /// Catch-up of a node that was away.
    G8,
    /// Audit from genesis.
    G9,
    /// Bytes on disk per transfer.
    G11,
    /// Bytes on disk per live range.
    G12,
    /// Memory of a validator.
    G15,
    /// Settled trades a second.
    TRADES,
}

/// Whether more or less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// More.
    Higher,
    /// Less.
    Lower,
}

impl Goal {
    /// All goals, in the order in which they are measured.
    pub const ALL: [Self; 11] = [
        Self::G1,
        Self::G12,
        Self::G15,
        Self::G5,
        Self::G6,
        Self::TRADES,
        Self::G11,
        Self::G8,
        Self::G7,
        Self::G9,
        Self::G2,
    ];

    /// Key of the goal in the results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::G1 => "G1",
            Self::G2 => "G2",
            Self::G5 => "G5",
            Self::G6 => "G6",
            Self::G7 => "G7",
            Self::G8 => "G8",
            Self::G9 => "G9",
            Self::G11 => "G11",
            Self::G12 => "G12",
            Self::G15 => "G15",
            Self::TRADES => "TRADES",
        }
    }

    /// One line on what is measured.
    pub const fn title(self) -> &'static str {
        match self {
            Self::G1 => "Signed transfers, four validators",
            Self::G2 => "Signed transfers against PostgreSQL",
            Self::G5 => "One transfer in flight, submission to verified proof (p99)",
            Self::G6 => "The same at half of G1 (p99)",
            Self::G7 => "Share of G1 with one of four validators dead",
            Self::G8 => "Catch-up of a returning validator",
            Self::G9 => "Full audit from genesis",
            Self::G11 => "Disk per transfer, for ever",
            Self::G12 => "Disk per live range",
            Self::G15 => "Memory of a validator under load",
            Self::TRADES => "Trades settled in signed batches",
        }
    }

    /// Unit of the figure.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::G1 | Self::G2 | Self::G8 | Self::G9 => "transfers/s",
            Self::TRADES => "trades/s",
            Self::G5 | Self::G6 => "ms",
            Self::G7 => "per cent",
            Self::G11 | Self::G12 => "bytes",
            Self::G15 => "MiB",
        }
    }

    /// What must be reached, and which way is better; for G2 and G8 a ratio says more.
    pub const fn needed(self) -> (f64, Better) {
        match self {
            Self::G1 | Self::G2 => (10_000.0, Better::Higher),
            Self::G5 => (60.0, Better::Lower),
            Self::G6 => (400.0, Better::Lower),
            Self::G7 => (60.0, Better::Higher),
            Self::G8 => (20_000.0, Better::Higher),
            Self::G9 => (80_000.0, Better::Higher),
            Self::G11 => (400.0, Better::Lower),
            Self::G12 => (250.0, Better::Lower),
            Self::G15 => (1_536.0, Better::Lower),
            Self::TRADES => (25_000.0, Better::Higher),
        }
    }
}
