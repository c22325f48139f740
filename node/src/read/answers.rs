//! Answers of the reader.

use cets_contracts::Fault;
use cets_contracts::block::{Certificate, Header};
use cets_contracts::log::{LogError, LogProof};
use cets_contracts::rules::UnitMovement;
use cets_contracts::state::UnitPlace;
use cets_contracts::tree::StateProof;
use cets_contracts::types::{
    BlockId, BlockTime, BusinessDate, Height, LogIndex, SerialRange, StateRoot, TxId,
};

use crate::store::{MovementId, StoreError};

/// Most records of a page.
pub const PAGE_RECORDS_MAX: usize = 1_000;
/// Records of a page when the caller names no number.
pub const PAGE_RECORDS_DEFAULT: usize = 100;

/// Why a read cannot be answered: this node is broken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// An answer and the height of the state that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// Height of the state.
    pub height: Height,
    /// The answer.
    pub answer: T,
}

/// A record: state key and value, both canonical bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRecord {
    /// State key.
    pub key: Vec<u8>,
    /// Canonical bytes.
    pub value: Vec<u8>,
}

/// Part of a list; `next` asks for the part after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Key to pass on as `after`; none at the end.
    pub next: Option<Vec<u8>>,
}

/// A range of units and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRange {
    /// The units.
    pub range: SerialRange,
    /// Holder and status.
    pub place: UnitPlace,
}

/// One movement of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Log index of the transaction.
    pub log_index: LogIndex,
    /// Height of its block.
    pub height: Height,
    /// Time of its block.
    pub block_time: BlockTime,
    /// The transaction.
    pub tx_id: TxId,
    /// The movement that contains the unit.
    pub movement: UnitMovement,
}

/// Where a unit is and how it came there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerialHistory {
    /// The range that holds the unit now.
    pub holding: HeldRange,
    /// Movements, oldest first; the first of all is the issue.
    pub hops: Vec<Hop>,
    /// The movement before these, from which an older page begins; none when nothing is left out.
    pub older: Option<MovementId>,
}

/// Where the units of a range are and how they came there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeTrace {
    /// The parts, in the order of their serials.
    pub parts: Vec<HeldRange>,
    /// Movements of units of the parts, oldest first.
    pub hops: Vec<Hop>,
    /// First unit after the parts, when there are too many of them.
    pub next: Option<u64>,
    /// Whether older movements were left out, because there are too many.
    pub older_left_out: bool,
}

/// Records with their paths to one state root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenRecords {
    /// The records, in the order asked for, each with its path to the root.
    pub records: Vec<(RawRecord, StateProof)>,
    /// Header with the root.
    pub header: Header,
    /// Certificate of the header.
    pub certificate: Certificate,
}

/// Why a record cannot be proven.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProveError {
    /// There is no record of the key.
    #[error("there is no record of this key")]
    NoRecord,
    /// Records of the table are derived and have no place in the tree.
    #[error("records of table `{table}` are derived and not proven; prove what they follow from")]
    NotCommitted {
        /// Name of the table.
        table: &'static str,
    },
    /// The node does not keep the state of the height.
    #[error(
        "this node keeps no state of height {asked}, only {}; its operator can make it: cetsd keep",
        kept_text(kept, *newest)
    )]
    NotKept {
        /// Height asked for.
        asked: Height,
        /// Height of the newest state.
        newest: Height,
        /// Heights of older states that are kept.
        kept: Vec<Height>,
    },
    /// Another past state is being loaded.
    #[error("another past state is being loaded; try again in ten seconds")]
    Busy,
    /// No block is committed yet.
    #[error("no block is committed yet, so no header names the state root")]
    NoBlock,
    /// This node is broken.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Most kept heights that a message names.
const KEPT_NAMED_MAX: usize = 16;

fn kept_text(kept: &[Height], newest: Height) -> String {
    let last = kept.len().saturating_sub(KEPT_NAMED_MAX);
    let named: Vec<String> = kept.iter().skip(last).map(Height::to_string).collect();
    match (named.as_slice(), last) {
        ([], _) => format!("the newest, of height {newest}"),
        (_, 0) => format!("those of {} and the newest, of height {newest}", named.join(", ")),
        (_, more) => {
            let named = named.join(", ");
            format!("those of {named}, {more} older ones, and the newest, of height {newest}")
        }
    }
}

/// The final answer to a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalTransaction {
    /// Canonical bytes of the log entry: transaction and receipt.
    pub entry: Vec<u8>,
    /// Index of the entry in the log.
    pub log_index: LogIndex,
    /// Canonical bytes of the event record; empty when refused.
    pub events: Vec<u8>,
    /// Height of the block.
    pub height: Height,
    /// Time of the block.
    pub block_time: BlockTime,
}

/// A transaction of the event stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedOutcome {
    /// Index of the entry in the log.
    pub log_index: LogIndex,
    /// Height of the block.
    pub height: Height,
    /// Time of the block.
    pub block_time: BlockTime,
    /// Canonical bytes of the receipt.
    pub receipt: Vec<u8>,
    /// Canonical bytes of the event record; empty when refused.
    pub events: Vec<u8>,
}

/// Outcomes from an index on; `next` is where to go on, also past entries that were left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomePage {
    /// The outcomes, in the order of the log.
    pub outcomes: Vec<LoggedOutcome>,
    /// First log index that was not looked at.
    pub next: LogIndex,
}

/// A committed header with what proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertifiedHeader {
    /// The header.
    pub header: Header,
    /// Its certificate.
    pub certificate: Certificate,
    /// Log index of the first entry of its block.
    pub first_log_index: LogIndex,
}

/// A committed block as bytes, ready to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockBytes {
    /// Height.
    pub height: Height,
    /// Canonical bytes of the block.
    pub block: Vec<u8>,
    /// Canonical bytes of the certificate.
    pub certificate: Vec<u8>,
    /// Canonical bytes of the receipts, in order.
    pub receipts: Vec<Vec<u8>>,
    /// Canonical bytes of the event records, in order; empty for a refused transaction.
    pub events: Vec<Vec<u8>>,
    /// Log index of the first entry.
    pub first_log_index: LogIndex,
}

/// An entry of the log with its inclusion proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenEntry {
    /// Canonical bytes of the entry.
    pub entry: Vec<u8>,
    /// Inclusion proof.
    pub proof: LogProof,
    /// Header whose log size is the proof's, with its certificate; none for other sizes.
    pub anchor: Option<(Header, Certificate)>,
}

/// Why an entry or a consistency cannot be proven.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogReadError {
    /// The sizes or the index do not fit the log.
    #[error("{0}; the log has {size} entries", size = .1)]
    Log(LogError, u64),
    /// This node is broken.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The newest committed block in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TipSummary {
    /// Height; 0 before the first block.
    pub height: Height,
    /// Block time; genesis time before the first block.
    pub time: BlockTime,
    /// Identifier; zero before the first block.
    pub block_id: BlockId,
    /// Entries of the log.
    pub log_size: u64,
    /// Root of the state tree.
    pub state_root: StateRoot,
    /// Business date of the ledger.
    pub business_date: BusinessDate,
}
