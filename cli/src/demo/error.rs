//! Why no plan could be made.

use cets_contracts::types::{BusinessDate, Instrument};

/// Why no plan could be made; each message says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The market data file has a line that cannot be used.
    #[error("market data, line {line}, column {column}: {problem}; {remedy}")]
    MarketData {
        /// Line of the file, the heading is line 1.
        line: usize,
        /// Heading of the column.
        column: &'static str,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The market data file as a whole cannot be used.
    #[error("market data: {problem}; {remedy}")]
    MarketFile {
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Tonnes and fen of a day cannot be expressed by trades at whole prices in fen.
    #[error(
        "{tonnes} t for {fen} fen of {instrument} on {date} cannot be written as trades at whole \
         prices in fen; check the tonnes and the amount of that row"
    )]
    Price {
        /// Trading day.
        date: BusinessDate,
        /// Instrument traded.
        instrument: Instrument,
        /// Tonnes of the day.
        tonnes: u64,
        /// Fen of the day.
        fen: u64,
    },
    /// Nobody holds enough units to sell.
    #[error(
        "no entity can sell {tonnes} t of {instrument} on {date}: the volume exceeds what the \
         generated market holds beyond its obligations; use the published quotes or another seed"
    )]
    NoSeller {
        /// Trading day.
        date: BusinessDate,
        /// Instrument traded.
        instrument: Instrument,
        /// Tonnes of the trade.
        tonnes: u64,
    },
    /// The volume up to a deadline does not cover what entities must buy.
    #[error(
        "entities still lack {tonnes} t of {instrument} after the last trading day: the quotes \
         hold too little volume before the deadline; use quotes of the whole period 2021-07-16 \
         to 2023-12-31, or leave the option out to use the monthly figures"
    )]
    NeedUnmet {
        /// Instrument lacking.
        instrument: Instrument,
        /// Tonnes lacking.
        tonnes: u64,
    },
    /// A published total cannot be met by the drawn population.
    #[error("the population drawn from this seed cannot meet {total}; use another seed")]
    Population {
        /// The total.
        total: &'static str,
    },
    /// A sum left the range of its type.
    #[error("a sum is out of range; the quotes are far beyond the size of the market")]
    Arithmetic,
}

impl From<cets_contracts::types::ArithmeticError> for PlanError {
    fn from(_: cets_contracts::types::ArithmeticError) -> Self {
        Self::Arithmetic
    }
}
