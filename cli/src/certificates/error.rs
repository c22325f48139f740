//! Why a certificate certifies nothing; every variant names the part.

use cets_contracts::proof::{ArmourError, ProofError};
use cets_contracts::types::{AccountId, SerialRange, TxId, Vintage};

/// Why a certificate certifies nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The file is no certificate.
    #[error("the certificate cannot be read: {reason}")]
    Form {
        /// What the reader met.
        reason: String,
    },
    /// The proof in it cannot be read.
    #[error("the field \"proof\" of the certificate: {0}")]
    Armour(#[from] ArmourError),
    /// The proof in it shows nothing.
    #[error("the proof of the certificate: {0}")]
    Proof(#[from] ProofError),
    /// A field says something else than the proof shows.
    #[error("the field \"{field}\" of the certificate says {found}, the proof shows {shown}")]
    Field {
        /// Path of the field.
        field: String,
        /// What it says.
        found: String,
        /// What it should say.
        shown: String,
    },
    /// The fields are right, and yet the file is written in another way.
    #[error("line {line} of the certificate is not written as the proof demands")]
    Line {
        /// Number of the line, from 1.
        line: usize,
    },
    /// The proof lacks what the certificate needs.
    #[error("the proof of the certificate lacks {what}")]
    Lacks {
        /// What is missing.
        what: &'static str,
    },
    /// The obligation is not met.
    #[error("{account} has not met its obligation of {year}: {outstanding} t are outstanding")]
    NotCompleted {
        /// The entity.
        account: AccountId,
        /// Compliance year.
        year: Vintage,
        /// Tonnes still owed.
        outstanding: u64,
    },
    /// The units do not add up.
    #[error("the units of the proof add up to {found} t {what}, the obligation says {expected} t")]
    Sum {
        /// `surrendered` or `offset`.
        what: &'static str,
        /// Sum of the ranges.
        found: u64,
        /// What the obligation says.
        expected: u64,
    },
    /// The transaction cancelled nothing.
    #[error("transaction {tx_id} cancelled no units")]
    NothingCancelled {
        /// The transaction.
        tx_id: TxId,
    },
    /// Units are not where they should be.
    #[error("{range} is not shown to be cancelled")]
    NotCancelled {
        /// The units.
        range: SerialRange,
    },
    /// The page of a PDF is not the one that the certificate gives.
    #[error("{reason}")]
    Page {
        /// What differs.
        reason: String,
    },
}
