//! The certificate of a holder that cancelled units of its own will (注销证明).
//!
//! Which units, why, when, and that they are cancelled still (Measures (Trial) art. 19).

use std::collections::BTreeMap;

use cets_contracts::proof::{VerifiedDossier, VerifiedReceipt};
use cets_contracts::rules::Event;
use cets_contracts::rules::allowances::cancel::CancelReason;
use cets_contracts::state::{Account, CreditCode, KeyParts, UnitPlace, UnitStatus};
use cets_contracts::types::{
    AccountId, Digest, Height, Instrument, LogIndex, SerialRange, Tonnes, TxId,
};
use serde::{Deserialize, Serialize};

use super::CertificateError;
use super::compliance::UnitsLine;
use crate::clock::time_text;

/// Article that the certificate rests on.
pub(super) const ARTICLE: &str = "Measures (Trial) art. 19";

/// What a cancellation certificate says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancellation {
    /// Who cancelled.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// Its unified social credit code.
    pub credit_code: Option<CreditCode>,
    /// The transaction.
    pub tx_id: TxId,
    /// Position of the transaction in the log.
    pub log_index: LogIndex,
    /// Block of the transaction.
    pub height: Height,
    /// Time of that block, in the market's time zone.
    pub cancelled_at: String,
    /// Tonnes cancelled.
    pub tonnes: Tonnes,
    /// The units, by instrument.
    pub units: Vec<UnitsLine>,
    /// Why.
    pub reason: CancelReason,
    /// Digest of the holder's statement.
    pub statement: Option<Digest>,
    /// Articles it rests on.
    pub articles: String,
}

impl Cancellation {
    /// What a dossier shows: one transaction, its account, and the records of the units.
    pub fn of(dossier: &VerifiedDossier) -> Result<Self, CertificateError> {
        let lacks = |what| CertificateError::Lacks { what };
        let [(found, time)] = &dossier.transactions[..] else {
            return Err(lacks("the one transaction that cancelled"));
        };
        let tx_id = found.transaction.id();
        let nothing = || CertificateError::NothingCancelled { tx_id };
        let record = found.events.as_ref().ok_or_else(nothing)?;
        let Some((holder, reason, statement)) = cancelled(&record.event, found) else {
            return Err(nothing());
        };
        let place = UnitPlace { holder, status: UnitStatus::Cancelled };
        let moved = record.effects.units.iter().filter(|moved| moved.to == place);
        let ranges: Vec<SerialRange> = moved.map(|moved| moved.range).collect();
        if ranges.is_empty() {
            return Err(nothing());
        }
        for range in &ranges {
            require_cancelled(dossier, range, place)?;
        }
        let account: Account = dossier
            .records
            .iter()
            .find(|record| record.parts == KeyParts::Account(holder))
            .ok_or_else(|| lacks("the account"))?
            .read()?;
        let units = by_instrument(ranges);
        let sum = units.iter().fold(0u64, |sum, line| sum.saturating_add(line.tonnes.get()));
        Ok(Self {
            account: holder,
            name: account.name,
            credit_code: account.credit_code,
            tx_id,
            log_index: found.index,
            height: found.receipt.height,
            cancelled_at: time_text(*time),
            tonnes: Tonnes::new(sum),
            units,
            reason,
            statement,
            articles: ARTICLE.to_owned(),
        })
    }
}

/// Who cancelled, why and with which statement: by an order, or by the approval that completed it.
fn cancelled(
    event: &Event,
    found: &VerifiedReceipt,
) -> Option<(AccountId, CancelReason, Option<Digest>)> {
    match event {
        Event::Cancel(done) => {
            Some((found.transaction.body().account, done.reason, done.statement))
        }
        Event::Approve(approved) => cancelled(approved.completed.as_deref()?, found),
        _ => None,
    }
}

/// Refuses a range that the records of the dossier do not show in its place, unit by unit.
fn require_cancelled(
    dossier: &VerifiedDossier,
    range: &SerialRange,
    place: UnitPlace,
) -> Result<(), CertificateError> {
    let mut shown = Vec::new();
    for record in &dossier.records {
        if matches!(record.parts, KeyParts::UnitRange(..)) {
            let (stored, found) = record.unit_range()?;
            shown.extend(stored.intersection(range).filter(|_| found == place));
        }
    }
    shown.sort_unstable();
    let end = shown
        .iter()
        .fold(range.start(), |at, part| if part.start() <= at { at.max(part.end()) } else { at });
    if end == range.end() { Ok(()) } else { Err(CertificateError::NotCancelled { range: *range }) }
}

fn by_instrument(ranges: Vec<SerialRange>) -> Vec<UnitsLine> {
    let mut lines: BTreeMap<Instrument, Vec<SerialRange>> = BTreeMap::new();
    for range in ranges {
        lines.entry(range.instrument()).or_default().push(range);
    }
    let lines = lines.into_iter().map(|(instrument, ranges)| {
        let sum = ranges.iter().fold(0u64, |sum, range| sum.saturating_add(range.tonnes().get()));
        UnitsLine { instrument, tonnes: Tonnes::new(sum), ranges }
    });
    lines.collect()
}
