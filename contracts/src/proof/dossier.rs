//! Transactions and records together: what a certificate rests on.

use serde::{Deserialize, Serialize};

use super::record::verify_records;
use super::{
    Anchor, ProofError, ProvedRecord, ProvenanceHop, RECORDS_PER_PROOF_MAX, RecordInclusion,
    ValidatorHistory, VerifiedReceipt,
};
use crate::types::BlockTime;

/// Transactions of the log and records of the state, all under one header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DossierProof {
    /// Transactions in the order of the log, each with the header of its block; there may be none.
    pub transactions: Vec<ProvenanceHop>,
    /// Records, at least one.
    pub records: Vec<RecordInclusion>,
    /// Header and certificate of the block that the dossier speaks of.
    pub anchor: Anchor,
}

/// Transactions and records that a proof showed.
#[derive(Clone, Debug)]
pub struct VerifiedDossier {
    /// The transactions in the order of the log, each with the time of its block.
    pub transactions: Vec<(VerifiedReceipt, BlockTime)>,
    /// The records in the order of the proof.
    pub records: Vec<ProvedRecord>,
}

impl DossierProof {
    /// Checks the anchor, every transaction with its block, and every record.
    ///
    /// # Errors
    /// As [`Anchor::verify`], [`super::ReceiptInclusion::verify`] and
    /// [`RecordInclusion::verify`]; [`ProofError::Count`]; [`ProofError::Provenance`] with the
    /// number of the transaction.
    pub fn verify(&self, validators: &ValidatorHistory) -> Result<VerifiedDossier, ProofError> {
        self.anchor.verify(validators)?;
        let header = &self.anchor.header;
        let (found, max) = (self.transactions.len(), RECORDS_PER_PROOF_MAX);
        if found > max {
            return Err(ProofError::Count { found, max });
        }
        let mut transactions: Vec<(VerifiedReceipt, BlockTime)> = Vec::with_capacity(found);
        for (number, transaction) in self.transactions.iter().enumerate() {
            let previous = transactions.last().map(|(before, _)| before.index);
            transactions.push(transaction.verify(number, header, previous)?);
        }
        let records = verify_records(&self.records, header)?;
        Ok(VerifiedDossier { transactions, records })
    }
}
