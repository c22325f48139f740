//! All units of an account: nothing left out, because the ranges add up to the account's totals.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::record::verify_records;
use super::{Anchor, ProofError, RecordInclusion, ValidatorHistory};
use crate::state::{Account, KeyParts, StatusKind, UnitPlace};
use crate::types::{AccountId, Instrument, SerialRange};

/// An account and all its units, those ended included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementProof {
    /// The account record, then its ranges in the order of their keys.
    pub records: Vec<RecordInclusion>,
    /// Header and certificate of the block that the statement speaks of.
    pub anchor: Anchor,
}

/// A statement that a proof showed to be complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedStatement {
    /// The account.
    pub id: AccountId,
    /// Its record.
    pub account: Account,
    /// All its units.
    pub ranges: Vec<(SerialRange, UnitPlace)>,
}

impl StatementProof {
    /// Checks the anchor, the records, and that the ranges add up to the totals of the account.
    ///
    /// # Errors
    /// As [`super::RecordProof::verify`]; [`ProofError::OtherHolder`],
    /// [`ProofError::StatementOrder`], [`ProofError::StatementTotal`].
    pub fn verify(&self, validators: &ValidatorHistory) -> Result<VerifiedStatement, ProofError> {
        self.anchor.verify(validators)?;
        let mut records = verify_records(&self.records, &self.anchor.header)?.into_iter();
        let (found, max) = (self.records.len(), super::RECORDS_PER_PROOF_MAX);
        let first = records.next().ok_or(ProofError::Count { found, max })?;
        let account: Account = first.read()?;
        let KeyParts::Account(id) = first.parts else {
            return Err(ProofError::RecordKey { key: hex::encode(first.key()) });
        };
        let mut ranges: Vec<(SerialRange, UnitPlace)> = Vec::with_capacity(records.len());
        let mut sums: BTreeMap<(Instrument, StatusKind), u64> = BTreeMap::new();
        for record in records {
            let (range, place) = record.unit_range()?;
            if place.holder != id {
                let (found, claimed) = (place.holder, id);
                return Err(ProofError::OtherHolder { range, found, claimed });
            }
            // SerialRange orders by instrument, then by first serial, and so do the keys.
            if ranges.last().is_some_and(|(before, _)| *before >= range || before.overlaps(&range))
            {
                return Err(ProofError::StatementOrder { range });
            }
            let sum = sums.entry((range.instrument(), place.status.kind())).or_insert(0);
            *sum = sum.saturating_add(range.tonnes().get());
            ranges.push((range, place));
        }
        compare_totals(id, &account, &sums)?;
        Ok(VerifiedStatement { id, account, ranges })
    }
}

fn compare_totals(
    id: AccountId,
    account: &Account,
    sums: &BTreeMap<(Instrument, StatusKind), u64>,
) -> Result<(), ProofError> {
    for (instrument, status) in sums.keys().chain(account.totals.keys()) {
        let found = sums.get(&(*instrument, *status)).copied().unwrap_or(0);
        let expected = account.total(*instrument, *status).get();
        if found != expected {
            let what = format!("{instrument}, {status:?}");
            return Err(ProofError::StatementTotal { account: id, what, found, expected });
        }
    }
    Ok(())
}
