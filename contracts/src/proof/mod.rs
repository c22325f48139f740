//! Proofs that a court can check offline: with the genesis document and nothing else.
//!
//! # Shape
//!
//! Everything rests on one [`Anchor`]: a header and the certificate of the validators that decided
//! it. Under the header's log root lie transactions with their receipts ([`ReceiptInclusion`]),
//! under its state root lie records ([`RecordInclusion`]). A proof is one anchor and what it needs
//! of both.
//!
//! | proof | shows |
//! | --- | --- |
//! | [`ReceiptProof`] | what was ordered, what became of it and what it moved |
//! | [`RecordProof`] | records of the state at a height: accounts, parameters, tasks … |
//! | [`UnitProof`] | a range of units belongs to an account |
//! | [`StatementProof`] | all units of an account: the ranges add up to the account's totals |
//! | [`ProvenanceProof`] | every hop of one unit since its issue, and that the last is the newest |
//! | [`DossierProof`] | transactions and records together: what a certificate rests on |
//!
//! Which validators may sign a height follows from the genesis document and the
//! [`ValidatorChain`]: every change of the set with the anchor whose header announced it. There is
//! no trusting period. The set in force counts until a change is shown, for ever; this is safe as
//! long as no quorum of a *past* set signs a height at which it no longer sits. Whoever does so
//! has signed evidence against itself: two certificates of one height.
//!
//! [`ProofFile`] is the form that leaves a node: a proof with the chain of set changes, in an
//! envelope of text that mail programs and paper survive.
//!
//! # Limits of what a proof can say
//!
//! Every hop of a [`ProvenanceProof`] happened, in this order, and the unit is where the last one
//! left it. Each hop begins where the one before ended. A round trip that left a place and came
//! back to the very same holder and status could have been left out between two hops; the audit
//! from genesis shows that none was. A proof speaks of the height of its anchor: whether it is the
//! newest is for the reader to ask ([`ProofError::NotNewest`]).

mod anchor;
pub(crate) mod armour;
mod dossier;
mod error;
mod file;
mod provenance;
mod receipt;
mod record;
mod statement;
#[cfg(test)]
mod tests;
mod units;
mod validators;

pub use anchor::Anchor;
pub use armour::{ArmourError, PROOF_TEXT_BYTES_MAX};
pub use dossier::{DossierProof, VerifiedDossier};
pub use error::{ProofError, ProvenanceProblem, ValidatorChangeProblem};
pub use file::{Claim, Proof, ProofFile, VerifiedProof};
pub use provenance::{
    BlockInclusion, PROVENANCE_HOPS_MAX, ProvenanceHop, ProvenanceProof, VerifiedHop,
    VerifiedProvenance,
};
pub use receipt::{ReceiptInclusion, ReceiptProof, VerifiedReceipt};
pub use record::{ProvedRecord, RECORDS_PER_PROOF_MAX, RecordInclusion, RecordProof};
pub use statement::{StatementProof, VerifiedStatement};
pub use units::{UnitProof, VerifiedUnits};
pub use validators::{ValidatorChain, ValidatorChange, ValidatorHistory};
