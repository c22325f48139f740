//! What an invariant says when it does not hold.

use serde::Serialize;

use crate::types::{AccountId, Digest, Instrument, SerialRange, Tonnes, Vintage};

/// Something that must never be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub enum Violation {
    /// Units are missing between two ranges, or before the first, or after the last.
    #[error("{instrument}: serial {number} belongs to nobody")]
    SerialLost {
        /// The instrument.
        instrument: Instrument,
        /// First serial without holder.
        number: u64,
    },
    /// A unit stands in two ranges, or beyond what was issued.
    #[error("{instrument}: serial {number} stands twice or was never issued")]
    SerialDoubled {
        /// The instrument.
        instrument: Instrument,
        /// The serial.
        number: u64,
    },
    /// Two neighbouring ranges in one place were not merged.
    #[error("{instrument}: the ranges on both sides of serial {number} are in one place")]
    RangeNotMerged {
        /// The instrument.
        instrument: Instrument,
        /// First serial of the second range.
        number: u64,
    },
    /// A supply is not the sum of the ranges.
    #[error("{instrument}: the supply counts {counted} t as {status}, the ranges {found} t")]
    SupplyWrong {
        /// The instrument.
        instrument: Instrument,
        /// Status kind.
        status: String,
        /// Tonnes in the supply record.
        counted: Tonnes,
        /// Tonnes in ranges.
        found: Tonnes,
    },
    /// Account totals are not the sums of the ranges.
    #[error("{account}: counts {counted} t of {instrument} as {status}, its ranges {found} t")]
    TotalWrong {
        /// The account.
        account: AccountId,
        /// The instrument.
        instrument: Instrument,
        /// Status kind.
        status: String,
        /// Tonnes in the account record.
        counted: Tonnes,
        /// Tonnes in ranges.
        found: Tonnes,
    },
    /// The index by holder is not the ranges.
    #[error("{range}: the index by holder does not mirror the range of {account}")]
    IndexWrong {
        /// The holder.
        account: AccountId,
        /// The range.
        range: SerialRange,
    },
    /// An obligation does not say what the units say.
    #[error("{account}, {year}: the obligation counts {counted} t {what}, the units {found} t")]
    ObligationWrong {
        /// The account.
        account: AccountId,
        /// Compliance year.
        year: Vintage,
        /// `surrendered` or `offset`.
        what: &'static str,
        /// Tonnes in the obligation.
        counted: Tonnes,
        /// Tonnes in units.
        found: Tonnes,
    },
    /// More was surrendered and offset than is due.
    #[error("{account}, {year}: {settled} t were surrendered or offset, {due} t are due")]
    ObligationExceeded {
        /// The account.
        account: AccountId,
        /// Compliance year.
        year: Vintage,
        /// Surrendered and offset.
        settled: Tonnes,
        /// Due.
        due: Tonnes,
    },
    /// More was offset than any cap of the year allows.
    #[error("{account}, {year}: {offset} t were offset, the cap is {cap} t")]
    OffsetExceeded {
        /// The account.
        account: AccountId,
        /// Compliance year.
        year: Vintage,
        /// Offset.
        offset: Tonnes,
        /// The largest offset that a cap ever allowed.
        cap: Tonnes,
    },
    /// The day of completion stands although something is owed, or is missing.
    #[error("{account}, {year}: {outstanding} t are owed, the day of completion contradicts that")]
    CompletionWrong {
        /// The account.
        account: AccountId,
        /// Compliance year.
        year: Vintage,
        /// What is owed.
        outstanding: Tonnes,
    },
    /// Something is frozen without a freeze in force.
    #[error("{account}: frozen by order {order}, of which no freeze is in force")]
    FreezeMissing {
        /// The account.
        account: AccountId,
        /// Digest of the order.
        order: Digest,
    },
    /// A freeze is in force, and what it names is not frozen.
    #[error("{account}: not all that order {order} froze is frozen, and its freeze is in force")]
    FreezeWithoutEffect {
        /// The account.
        account: AccountId,
        /// Digest of the order.
        order: Digest,
    },
    /// Reductions of a project that is not registered.
    #[error("{instrument}: the project is not registered")]
    ProjectMissing {
        /// The instrument.
        instrument: Instrument,
    },
    /// Money appeared or vanished.
    #[error("all accounts together hold {found} fen, {counted} fen were deposited net")]
    MoneyWrong {
        /// Deposits less withdrawals, in fen.
        counted: i128,
        /// Sum of all funds, in fen.
        found: i128,
    },
    /// The state cannot be read.
    #[error("{0}")]
    Unreadable(String),
}
