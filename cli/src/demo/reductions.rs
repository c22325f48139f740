//! The certified voluntary reductions (CCER) that entities used in 2021 to 2023.
//!
//! All of them came from projects registered under the rules of 2012, whose codes are not public
//! in the form of today's codes. The replay makes 36 synthetic projects, `P201201` to `P201236`
//! (`P`, the year of those rules, a running number), each with an owner and two vintages. How much
//! was used per cycle is published; how much was issued, and by whom, is not.

use cets_contracts::types::{
    AccountId, BusinessDate, Instrument, ProjectCode, Role, Tonnes, Vintage,
};

use super::apportion::apportion;
use super::draws::Draws;
use super::error::PlanError;
use super::figures::CCER_ISSUED;
use super::population::{Population, YEARS};

/// Number of synthetic projects.
const PROJECTS: u16 = 36;
/// Vintages of each project; the first of them starts between 2013 and 2015.
const VINTAGES_PER_PROJECT: u16 = 2;

/// First day on which a project of the replay was registered: 2013-01-01.
const REGISTERED_FROM_DAYS: u32 = 15_706;
/// Days from then on; the last is 2017-03-13, rule book 4.2.
const REGISTRATION_DAYS: u64 = 1_533;

/// A synthetic project registered under the rules of 2012.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its code.
    pub code: ProjectCode,
    /// Account of its owner.
    pub owner: AccountId,
    /// Day of registration; the last old projects were registered before 2017-03-14.
    pub registered_on: BusinessDate,
}

/// Units issued to a project's owner for one vintage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReductionIssue {
    /// Account of the owner.
    pub owner: AccountId,
    /// Project and vintage.
    pub instrument: Instrument,
    /// Units.
    pub tonnes: Tonnes,
}

/// Units that an entity gets from an owner and uses for a year of compliance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReductionUse {
    /// Account of the owner.
    pub owner: AccountId,
    /// Position of the entity in the population.
    pub entity: usize,
    /// Position of the year of compliance.
    pub year: usize,
    /// Project and vintage.
    pub instrument: Instrument,
    /// Units.
    pub tonnes: Tonnes,
}

/// Projects, issues and uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reductions {
    /// All projects.
    pub projects: Vec<Project>,
    /// All issues.
    pub issues: Vec<ReductionIssue>,
    /// All uses, in the order of years.
    pub uses: Vec<ReductionUse>,
}

impl Reductions {
    /// Reductions that cover every offset of the population.
    pub fn generate(seed: u64, population: &Population) -> Result<Self, PlanError> {
        let mut draws = Draws::new(seed, 4);
        let (projects, issues) = projects_and_issues(&mut draws)?;
        let mut pools = issues.iter().copied();
        let mut pool = pools.next();
        let mut uses = Vec::new();
        for year in 0..YEARS {
            for (entity, figures) in population.entities.iter().enumerate() {
                let wanted = figures.years.get(year).map_or(0, |figures| figures.offset);
                let mut wanted = Tonnes::new(wanted);
                while !wanted.is_zero() {
                    let from = pool
                        .as_mut()
                        .ok_or(PlanError::Population { total: "the reductions issued" })?;
                    let tonnes = wanted.min(from.tonnes);
                    let (owner, instrument) = (from.owner, from.instrument);
                    from.tonnes = from.tonnes.try_sub(tonnes)?;
                    wanted = wanted.try_sub(tonnes)?;
                    if from.tonnes.is_zero() {
                        pool = pools.next();
                    }
                    uses.push(ReductionUse { owner, entity, year, instrument, tonnes });
                }
            }
        }
        Ok(Self { projects, issues, uses })
    }
}

fn projects_and_issues(
    draws: &mut Draws,
) -> Result<(Vec<Project>, Vec<ReductionIssue>), PlanError> {
    let mut projects = Vec::new();
    let mut units = Vec::new();
    let mut weights = Vec::new();
    for number in 1..=PROJECTS {
        let code = format!("P2012{number:02}").parse().map_err(|_| PlanError::Arithmetic)?;
        let owner = AccountId::new(Role::ProjectOwner, u64::from(number))
            .map_err(|_| PlanError::Arithmetic)?;
        let day = draws.below(REGISTRATION_DAYS);
        let registered_on = u32::try_from(day)
            .ok()
            .and_then(|day| REGISTERED_FROM_DAYS.checked_add(day))
            .and_then(|days| BusinessDate::from_days(days).ok())
            .ok_or(PlanError::Arithmetic)?;
        projects.push(Project { code, owner, registered_on });
        let first = u16::try_from(draws.between(2013, 2015)).map_err(|_| PlanError::Arithmetic)?;
        for later in 0..VINTAGES_PER_PROJECT {
            let vintage = Vintage::new(first.saturating_add(later));
            let vintage = vintage.map_err(|_| PlanError::Arithmetic)?;
            units.push((owner, Instrument::Ccer(code, vintage)));
            weights.push(draws.between(200, 2_000));
        }
    }
    let tonnes = apportion(CCER_ISSUED, &weights)?;
    let issues = units
        .into_iter()
        .zip(tonnes)
        .map(|((owner, instrument), tonnes)| ReductionIssue {
            owner,
            instrument,
            tonnes: Tonnes::new(tonnes),
        })
        .collect();
    Ok((projects, issues))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn old_projects_were_registered_from_2013_to_march_2017() {
        let population = Population::generate(1).unwrap();
        let projects = Reductions::generate(1, &population).unwrap().projects;
        let day = |text: &str| text.parse::<BusinessDate>().unwrap();
        let (first, last) = (day("2013-01-01"), day("2017-03-13"));
        assert!(projects.iter().all(|p| (first..=last).contains(&p.registered_on)));
        assert_eq!(first.as_days(), REGISTERED_FROM_DAYS);
        let days = u64::from(REGISTERED_FROM_DAYS) + REGISTRATION_DAYS;
        assert_eq!(u64::from(last.as_days()) + 1, days);
    }

    #[test]
    fn uses_cover_every_offset_and_never_exceed_an_issue() {
        let population = Population::generate(1).unwrap();
        let reductions = Reductions::generate(1, &population).unwrap();
        let mut left: BTreeMap<Instrument, u64> =
            reductions.issues.iter().map(|issue| (issue.instrument, issue.tonnes.get())).collect();
        assert_eq!(left.values().sum::<u64>(), CCER_ISSUED);
        let mut used = BTreeMap::new();
        for r in &reductions.uses {
            *left.get_mut(&r.instrument).unwrap() -= r.tonnes.get();
            *used.entry((r.entity, r.year)).or_insert(0) += r.tonnes.get();
        }
        for (entity, figures) in population.entities.iter().enumerate() {
            for (year, figures) in figures.years.iter().enumerate() {
                let covered = used.get(&(entity, year)).copied().unwrap_or(0);
                assert_eq!(covered, figures.offset);
            }
        }
    }
}
