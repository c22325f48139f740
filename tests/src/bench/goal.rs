//! What is measured, in which unit, and what is asked for.

use clap::ValueEnum;

use super::results::Measured;

/// PostgreSQL with a hash chain on one node.
pub const POSTGRES_CHAIN: &str = "PostgreSQL, hash chain, one node";
/// PostgreSQL without tamper evidence.
pub const POSTGRES_NO_CHAIN: &str = "PostgreSQL, no chain, one node";
/// PostgreSQL with a hash chain, many transfers per commit.
pub const POSTGRES_BATCHED: &str = "PostgreSQL, hash chain, 100 per commit";
/// PostgreSQL with a hash chain and a standby.
pub const POSTGRES_STANDBY: &str = "PostgreSQL, hash chain, one synchronous standby";
/// What signatures alone allow on this machine.
pub const SIGNATURE_BOUND: &str = "signature bound of this machine (S)";
/// Throughput while a validator catches up.
pub const LIVE_RATE: &str = "live rate";
/// What an audit at least does.
pub const SIGNATURES_ALONE: &str = "batches of signatures alone, all processors";
/// The engine without ledger.
pub const ORDERING: &str = "ordering of unsigned opaque bytes, same engine";

/// A goal of `cargo bench-all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "verbatim")]
pub enum Goal {
    /// Committed signed transfers a second.
    G1,
    /// The same against PostgreSQL.
    G2,
    /// The same against CometBFT.
    G3,
    /// The same against ordering alone.
    G4,
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
    /// Proof of a range of units.
    G10,
    /// Bytes on disk per transfer.
    G11,
    /// Bytes on disk per live range.
    G12,
    /// Copy of a node's folder, and a start from it.
    G13,
    /// Throughput over the number of live ranges.
    G14,
    /// Memory of a validator.
    G15,
    /// Transfers from fragmented holdings.
    G16,
    /// Reads with proof a second.
    G17,
    /// Settled trades a second.
    TRADES,
    /// Throughput, memory and disk over the number of accounts.
    ACCOUNTS,
    /// All holders surrender at once.
    DEADLINE,
}

/// Whether more or less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// More.
    Higher,
    /// Less.
    Lower,
}

/// Which figure of a goal a bar is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Our figure.
    Ours,
    /// Our figure by that of another side.
    Ratio(&'static str),
    /// A further figure.
    Figure(&'static str),
}

/// What must be reached, and what is aimed at.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    /// Which figure.
    pub of: Of,
    /// Which way is better.
    pub better: Better,
    /// What must be reached.
    pub needed: f64,
    /// What is aimed at.
    pub aim: f64,
}

impl Bar {
    const fn least(of: Of, needed: f64, aim: f64) -> Self {
        Self { of, better: Better::Higher, needed, aim }
    }

    const fn most(of: Of, needed: f64, aim: f64) -> Self {
        Self { of, better: Better::Lower, needed, aim }
    }

    /// The figure that the bar is about, when it was measured.
    pub fn figure(&self, measured: &Measured) -> Option<f64> {
        match self.of {
            Of::Ours => Some(measured.ours).filter(|_| !measured.runs.is_empty()),
            Of::Ratio(name) => measured.ratio.get(name).copied(),
            Of::Figure(name) => measured.figures.get(name).copied(),
        }
    }

    /// Whether a measurement reaches what is needed; none when it was not measured.
    pub fn is_reached(&self, measured: &Measured) -> Option<bool> {
        self.figure(measured).map(|figure| match self.better {
            Better::Higher => figure >= self.needed,
            Better::Lower => figure <= self.needed,
        })
    }
}

impl Goal {
    /// All goals, in the order of the page.
    pub const ALL: &'static [Self] = &[
        Self::G1,
        Self::G2,
        Self::G3,
        Self::G4,
        Self::G5,
        Self::G6,
        Self::G7,
        Self::G8,
        Self::G9,
        Self::G10,
        Self::G11,
        Self::G12,
        Self::G13,
        Self::G14,
        Self::G15,
        Self::G16,
        Self::G17,
        Self::TRADES,
        Self::ACCOUNTS,
        Self::DEADLINE,
    ];

    /// Key of the goal in the results.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// One line on what is measured.
    pub const fn title(self) -> &'static str {
        match self {
            Self::G1 => "Signed transfers, four validators",
            Self::G2 => "Signed transfers against PostgreSQL",
            Self::G3 => "Signed transfers against CometBFT's unsigned key-value store",
            Self::G4 => "Signed transfers against ordering without signatures",
            Self::G5 => "One transfer in flight, submission to verified proof (p99)",
            Self::G6 => "The same at half of G1 (p99)",
            Self::G7 => "Share of G1 with one of four validators dead",
            Self::G8 => "Catch-up of a returning validator",
            Self::G9 => "Full audit from genesis",
            Self::G10 => "Proof of a range: bytes with header and three signatures",
            Self::G11 => "Disk per transfer, for ever",
            Self::G12 => "Disk per live range",
            Self::G13 => "Start from a copy of a node's folder, root rebuilt and checked",
            Self::G14 => "Throughput at the most ranges, share of that at the fewest",
            Self::G15 => "Memory of a validator under load",
            Self::G16 => "Transfer of a run of ranges, per range",
            Self::G17 => "Reads with proof over gRPC",
            Self::TRADES => "Trades settled in signed batches",
            Self::ACCOUNTS => "Signed transfers between the most accounts, one validator",
            Self::DEADLINE => "Surrenders of all holders at once",
        }
    }

    /// Unit of the figure.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::G1 | Self::G2 | Self::G3 | Self::G4 | Self::G8 | Self::G9 | Self::ACCOUNTS => {
                "transfers/s"
            }
            Self::TRADES => "trades/s",
            Self::DEADLINE => "surrenders/s",
            Self::G5 | Self::G6 => "ms",
            Self::G7 | Self::G14 => "per cent",
            Self::G10 | Self::G11 | Self::G12 => "bytes",
            Self::G13 => "s",
            Self::G15 => "MiB",
            Self::G16 => "us",
            Self::G17 => "records/s",
        }
    }

    /// What must be reached, and what is aimed at.
    pub fn bars(self) -> Vec<Bar> {
        use Of::{Figure, Ours, Ratio};
        match self {
            Self::G1 => vec![
                Bar::least(Ours, 10_000.0, 25_000.0),
                Bar::least(Ratio(SIGNATURE_BOUND), 0.15, 0.35),
            ],
            Self::G2 => vec![
                Bar::least(Ratio(POSTGRES_CHAIN), 2.0, 6.0),
                Bar::least(Ratio(POSTGRES_STANDBY), 5.0, 12.0),
            ],
            Self::G3 => vec![Bar::least(Ratio("CometBFT, kvstore, four nodes"), 3.0, 10.0)],
            Self::G4 => vec![Bar::least(Ratio(ORDERING), 0.12, 0.3)],
            Self::G5 => {
                vec![
                    Bar::most(Figure("p50 ms"), 25.0, 5.0),
                    Bar::most(Figure("p99 ms"), 60.0, 15.0),
                ]
            }
            Self::G6 => vec![Bar::most(Figure("p99 ms"), 400.0, 120.0)],
            Self::G7 => vec![Bar::least(Ours, 60.0, 90.0)],
            Self::G8 => vec![Bar::least(Ratio(LIVE_RATE), 2.0, 4.0)],
            Self::G9 => vec![
                Bar::least(Ours, 80_000.0, 180_000.0),
                Bar::least(Ratio(SIGNATURES_ALONE), 0.35, 0.65),
            ],
            Self::G10 => vec![
                Bar::most(Ours, 3_072.0, 1_434.0),
                Bar::most(Figure("us to decode and verify"), 300.0, 70.0),
            ],
            Self::G11 => vec![Bar::most(Ours, 400.0, 170.0)],
            Self::G12 => vec![Bar::most(Ours, 250.0, 100.0)],
            Self::G13 => {
                vec![Bar::most(Figure("s to take the copy"), 5.0, 0.2), Bar::most(Ours, 10.0, 2.0)]
            }
            Self::G14 => vec![Bar::least(Ours, 60.0, 85.0)],
            Self::G15 => vec![Bar::most(Ours, 1_536.0, 400.0)],
            Self::G16 => vec![Bar::most(Ours, 20.0, 5.0)],
            Self::G17 => vec![Bar::least(Ours, 5_000.0, 30_000.0)],
            Self::TRADES => vec![Bar::least(Ours, 25_000.0, 100_000.0)],
            Self::ACCOUNTS | Self::DEADLINE => Vec::new(),
        }
    }
}
