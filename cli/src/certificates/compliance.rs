//! The completion certificate of an entity's compliance year (履约证明).
//!
//! Who owed what, what was surrendered and what offset, unit by unit, and when it was complete
//! (Interim Regulations art. 14; Measures (Trial) arts. 28-29). Nothing is left out: the units add
//! up to what the obligation says.

use std::collections::BTreeMap;

use cets_contracts::proof::VerifiedDossier;
use cets_contracts::state::{
    Account, CreditCode, KeyParts, Obligation, ParameterName, ParameterVersion, UnitPlace,
    UnitStatus,
};
use cets_contracts::types::{
    AccountId, BusinessDate, Digest, Instrument, SerialRange, Tonnes, Vintage,
};
use serde::{Deserialize, Serialize};

use super::CertificateError;

/// Articles that the certificate rests on.
pub(super) const ARTICLES: &str = "Interim Regulations art. 14; Measures (Trial) arts. 28-29";

/// Units of one instrument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitsLine {
    /// Vintage, or project and vintage.
    pub instrument: Instrument,
    /// Sum of the ranges.
    pub tonnes: Tonnes,
    /// The units.
    pub ranges: Vec<SerialRange>,
}

/// What a completion certificate says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compliance {
    /// The entity.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// Its unified social credit code.
    pub credit_code: Option<CreditCode>,
    /// Compliance year; 1920 for 2019-2020.
    pub year: Vintage,
    /// Emissions that the province verified.
    pub verified: Tonnes,
    /// What had to be surrendered.
    pub due: Tonnes,
    /// Allowances surrendered.
    pub surrendered: Tonnes,
    /// Reductions cancelled to offset.
    pub offset: Tonnes,
    /// The allowances, by vintage.
    pub allowances: Vec<UnitsLine>,
    /// The reductions, by project and vintage.
    pub reductions: Vec<UnitsLine>,
    /// Last day to surrender; none when the ministry has not set it on this ledger.
    pub deadline: Option<BusinessDate>,
    /// Business date on which the obligation was met in full.
    pub completed_on: BusinessDate,
    /// Whether that was in time; none without a deadline.
    pub in_time: Option<bool>,
    /// Province that recorded the verified emissions.
    pub recorded_by: AccountId,
    /// Digest of the verification report.
    pub report: Digest,
    /// Articles it rests on.
    pub articles: String,
}

impl Compliance {
    /// What a dossier shows: one obligation, its account, the units and the deadline.
    pub fn of(dossier: &VerifiedDossier) -> Result<Self, CertificateError> {
        let found = dossier.records.iter().find_map(|record| match record.parts {
            KeyParts::Obligation(id, year) => Some((id, year, record)),
            _ => None,
        });
        let lacks = |what| CertificateError::Lacks { what };
        let (id, year, record) = found.ok_or_else(|| lacks("the obligation"))?;
        let obligation: Obligation = record.read()?;
        let account: Account = dossier
            .records
            .iter()
            .find(|record| record.parts == KeyParts::Account(id))
            .ok_or_else(|| lacks("the account"))?
            .read()?;
        let Some(completed_on) = obligation.completed_on else {
            let outstanding = obligation.outstanding().unwrap_or(obligation.due).get();
            return Err(CertificateError::NotCompleted { account: id, year, outstanding });
        };
        let allowances =
            units(dossier, UnitPlace { holder: id, status: UnitStatus::Surrendered { year } })?;
        let reductions =
            units(dossier, UnitPlace { holder: id, status: UnitStatus::Offset { year } })?;
        require_sum("surrendered", &allowances, obligation.surrendered)?;
        require_sum("offset", &reductions, obligation.offset)?;
        let deadline = deadline(dossier, year, completed_on)?;
        Ok(Self {
            account: id,
            name: account.name,
            credit_code: account.credit_code,
            year,
            verified: obligation.verified,
            due: obligation.due,
            surrendered: obligation.surrendered,
            offset: obligation.offset,
            allowances,
            reductions,
            deadline,
            completed_on,
            in_time: deadline.map(|last| completed_on <= last),
            recorded_by: obligation.recorded_by,
            report: obligation.report,
            articles: ARTICLES.to_owned(),
        })
    }
}

/// Units of a dossier that are in a place, by instrument, each unit once.
fn units(dossier: &VerifiedDossier, place: UnitPlace) -> Result<Vec<UnitsLine>, CertificateError> {
    let mut ranges: BTreeMap<Instrument, Vec<SerialRange>> = BTreeMap::new();
    for record in &dossier.records {
        if !matches!(record.parts, KeyParts::UnitRange(..)) {
            continue;
        }
        let (range, found) = record.unit_range()?;
        if found == place {
            ranges.entry(range.instrument()).or_default().push(range);
        }
    }
    let lines = ranges.into_iter().map(|(instrument, mut ranges)| {
        ranges.sort_unstable();
        // A record that stands twice in the proof counts once.
        ranges.dedup();
        let sum = ranges.iter().fold(0u64, |sum, range| sum.saturating_add(range.tonnes().get()));
        UnitsLine { instrument, tonnes: Tonnes::new(sum), ranges }
    });
    Ok(lines.collect())
}

fn require_sum(
    what: &'static str,
    lines: &[UnitsLine],
    expected: Tonnes,
) -> Result<(), CertificateError> {
    let found = lines.iter().fold(0u64, |sum, line| sum.saturating_add(line.tonnes.get()));
    if found == expected.get() {
        return Ok(());
    }
    Err(CertificateError::Sum { what, found, expected: expected.get() })
}

/// The surrender deadline of a year: its newest version that was in force on the day of completion,
/// else the newest of all.
fn deadline(
    dossier: &VerifiedDossier,
    year: Vintage,
    on: BusinessDate,
) -> Result<Option<BusinessDate>, CertificateError> {
    let tag = ParameterName::SurrenderDeadline.tag();
    let mut versions: BTreeMap<BusinessDate, ParameterVersion> = BTreeMap::new();
    for record in &dossier.records {
        if let KeyParts::Parameter(found, Some(of), valid_from) = record.parts
            && (found, of) == (tag, year)
        {
            versions.insert(valid_from, record.read()?);
        }
    }
    let in_force = versions.range(..=on).next_back().or_else(|| versions.last_key_value());
    let days = in_force.and_then(|(_, version)| u32::try_from(version.value).ok());
    Ok(days.and_then(|days| BusinessDate::from_days(days).ok()))
}
