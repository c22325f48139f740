//! Why a proof shows nothing; every variant names the place.

use super::ArmourError;
use crate::block::CertificateError;
use crate::codec::CodecError;
use crate::genesis::GenesisError;
use crate::log::LogProofError;
use crate::tree::StateProofError;
use crate::tx::EnvelopeError;
use crate::types::{AccountId, ChainId, Height, LogIndex, SerialRange, TxId};

/// Why a proof shows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The text is no proof file.
    #[error(transparent)]
    Armour(#[from] ArmourError),
    /// The genesis document starts no ledger.
    #[error("genesis: {0}")]
    Genesis(#[from] GenesisError),
    /// It speaks of another ledger.
    #[error("the proof is of chain {found}, the genesis document starts chain {expected}")]
    OtherChain {
        /// Chain of the proof.
        found: ChainId,
        /// Chain of the genesis document.
        expected: ChainId,
    },
    /// Nobody decides this height.
    #[error("no validators decide height {height}: the first block has height 1")]
    NoValidators {
        /// The height.
        height: Height,
    },
    /// The certificate is of another height than the header.
    #[error("the header has height {height}, its certificate height {found}")]
    CertificateHeight {
        /// Height of the header.
        height: Height,
        /// Height of the certificate.
        found: Height,
    },
    /// The certificate proves nothing; it names its height.
    #[error("{error}")]
    Certificate {
        /// Why.
        error: CertificateError,
    },
    /// A change of the validator set is not one.
    #[error("validator change {position} (height {height}): {problem}")]
    ValidatorChange {
        /// Position in the chain, from 0.
        position: usize,
        /// Height of its header.
        height: Height,
        /// What is wrong.
        problem: ValidatorChangeProblem,
    },
    /// An entry is not under the log root of the header.
    #[error("log entry {index} is not in the log of height {height}: {error}")]
    Entry {
        /// Position in the log.
        index: LogIndex,
        /// Height of the header.
        height: Height,
        /// Why.
        error: LogProofError,
    },
    /// A path is for another size than the log of the header has.
    #[error("the path of log entry {index} is for {found} entries, height {height} has {expected}")]
    EntryLogSize {
        /// Position in the log.
        index: LogIndex,
        /// Height of the header.
        height: Height,
        /// Size the path is for.
        found: u64,
        /// Size in the header.
        expected: u64,
    },
    /// An entry does not decode.
    #[error("log entry {index} does not decode: {error}")]
    EntryBytes {
        /// Position in the log.
        index: LogIndex,
        /// Why.
        error: CodecError,
    },
    /// An entry is of the other kind.
    #[error("log entry {index} is not the {expected} that the proof says it is")]
    EntryKind {
        /// Position in the log.
        index: LogIndex,
        /// `transaction` or `header`.
        expected: &'static str,
    },
    /// The transaction of an entry could not stand in a block.
    #[error("the transaction of log entry {index}: {error}")]
    Envelope {
        /// Position in the log.
        index: LogIndex,
        /// Why.
        error: EnvelopeError,
    },
    /// The receipt of an entry is of another transaction, chain or a later height.
    #[error("the receipt of log entry {index} does not belong to its transaction {tx_id}")]
    ReceiptMismatch {
        /// Position in the log.
        index: LogIndex,
        /// Identifier of the transaction.
        tx_id: TxId,
    },
    /// An event record is not what its receipt commits to.
    #[error("the event record of log entry {index} is not the one that its receipt commits to")]
    OtherEvents {
        /// Position in the log.
        index: LogIndex,
    },
    /// An event record does not decode.
    #[error("the event record of log entry {index} does not decode: {error}")]
    EventBytes {
        /// Position in the log.
        index: LogIndex,
        /// Why.
        error: CodecError,
    },
    /// A record is not under the state root of the header.
    #[error("record {key} of table {table} is not in the state of height {height}: {error}")]
    Record {
        /// Key in hexadecimal.
        key: String,
        /// Name of the table.
        table: &'static str,
        /// Height of the header.
        height: Height,
        /// Why.
        error: StateProofError,
    },
    /// A key names nothing that the state commits to.
    #[error("{key} is no key of a committed table")]
    RecordKey {
        /// Key in hexadecimal.
        key: String,
    },
    /// A value is no record of its table, or the proof needs a record of another table.
    #[error("record {key} is no record of table {table}: {reason}")]
    RecordBytes {
        /// Key in hexadecimal.
        key: String,
        /// Table that was expected.
        table: &'static str,
        /// Why.
        reason: String,
    },
    /// No record, or more than a proof may hold.
    #[error("a proof holds 1 to {max} records or hops, this one holds {found}")]
    Count {
        /// Number found.
        found: usize,
        /// Largest number.
        max: usize,
    },
    /// The records do not cover the range.
    #[error("the records of the proof do not cover {range} without a gap")]
    RangeNotCovered {
        /// The range.
        range: SerialRange,
    },
    /// Units are with somebody else.
    #[error("{range} is held by {found}, not by {claimed}")]
    OtherHolder {
        /// Range of the record.
        range: SerialRange,
        /// Who holds it.
        found: AccountId,
        /// Who is said to hold it.
        claimed: AccountId,
    },
    /// Ranges and totals of a statement disagree.
    #[error("the ranges of {account} add up to {found} t of {what}, its totals say {expected} t")]
    StatementTotal {
        /// The account.
        account: AccountId,
        /// Instrument and status.
        what: String,
        /// Sum of the ranges.
        found: u64,
        /// Total in the account record.
        expected: u64,
    },
    /// Two ranges of a statement are not in order or share units.
    #[error("range {range} of the statement stands twice or out of order")]
    StatementOrder {
        /// The second of them.
        range: SerialRange,
    },
    /// A hop of a provenance is wrong.
    #[error("hop {hop} (log entry {index}): {problem}")]
    Provenance {
        /// Position of the hop, from 0.
        hop: usize,
        /// Position of its entry in the log.
        index: LogIndex,
        /// What is wrong.
        problem: ProvenanceProblem,
    },
    /// The state has the unit elsewhere than the last hop left it.
    #[error(
        "the last hop (log entry {index}) is not the newest: the state of height {height} \
             has the unit elsewhere"
    )]
    ProvenanceEnd {
        /// Position of the last hop's entry in the log.
        index: LogIndex,
        /// Height of the header.
        height: Height,
    },
    /// The proof is older than what the reader knows of.
    #[error("the proof speaks of height {height}; height {newest} is known, so it is not newest")]
    NotNewest {
        /// Height of the proof.
        height: Height,
        /// Height the reader knows of.
        newest: Height,
    },
}

/// What is wrong with a change of the validator set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValidatorChangeProblem {
    /// Heights do not rise.
    #[error("it does not come after the change before")]
    NotLater,
    /// The set is not the one whose digest the header carries.
    #[error("the set is not the one whose digest the header carries")]
    OtherSet,
    /// The set is the one already in force.
    #[error("the set is already in force")]
    NoChange,
    /// The anchor proves nothing.
    #[error("{0}")]
    Anchor(Box<ProofError>),
}

/// What is wrong with a hop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvenanceProblem {
    /// Entries are not in the order of the log.
    #[error("it does not come after the hop before")]
    NotLater,
    /// The transaction was refused.
    #[error("the transaction was refused, so it moved nothing")]
    Refused,
    /// The event record is missing.
    #[error("the event record is missing")]
    NoEvents,
    /// The unit is in none of the movements.
    #[error("the transaction did not move the unit")]
    NotMoved,
    /// The first hop does not issue the unit, or a later one issues it again.
    #[error("the unit must be issued by the first hop and by no other")]
    Issue,
    /// The movement starts where the unit was not.
    #[error("the movement starts elsewhere than the hop before ended")]
    Gap,
    /// The header entry is not that of the block of the receipt.
    #[error("the header entry is not that of the block that ordered the transaction")]
    OtherBlock,
    /// The header entry is missing although the block is not that of the anchor.
    #[error("the header entry of its block is missing")]
    NoBlock,
}
