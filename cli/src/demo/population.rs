//! Generates the key emitting entities so that every published compliance total holds exactly.
//!
//! From a seed: 2,162 listed entities of the first cycle, 151 of them closed, and 246 new ones that
//! make 2,257 in the second. Sizes are spread like those of power companies (log-normal, median
//! about a million tonnes a year, never below 26,000). For each year of compliance a fixed number
//! of entities emit more than they are issued; deficits, surpluses, reductions used and tonnes
//! left unpaid are shared out by size and chance, and add up to the totals of
//! [`super::figures::COMPLIANCE`]. No deficit exceeds 20 % of the verified emissions (rule book
//! 3.1) and no offset 5 % of the obligation (4.1).

use cets_contracts::types::{AccountId, ProvinceCode, Role};

use super::apportion::{apportion, fraction};
use super::draws::Draws;
use super::error::PlanError;
use super::figures::{
    COMPLIANCE, Compliance, EMISSIONS_MIN, ENTITIES_CLOSED, ENTITIES_LISTED, ENTITIES_SECOND_CYCLE,
};

/// Years of compliance in order: 2019-20, 2021, 2022.
pub const YEARS: usize = 3;
/// Largest deficit as a share of verified emissions, per cent.
const DEFICIT_PER_CENT_MAX: u64 = 20;
/// Largest share of an obligation that reductions may pay, per cent.
pub const OFFSET_PER_CENT_MAX: u64 = 5;
/// Smallest size drawn, tonnes a year; scaled to the totals it stays above the threshold.
const SIZE_MIN: u64 = 40_000;
/// Largest size drawn, tonnes a year.
const SIZE_MAX: u64 = 30_000_000;
/// Entities that use reductions in a year of the second cycle.
const OFFSET_USERS_SECOND_CYCLE: usize = 120;

/// Share of every province among the entities, by the code of GB/T 2260; coal provinces and the
/// coast have most power plants. The shares are chosen, not published.
const PROVINCE_SHARES: &[(u8, u64)] = &[
    (11, 14),
    (12, 20),
    (13, 80),
    (14, 105),
    (15, 170),
    (21, 90),
    (22, 45),
    (23, 95),
    (31, 25),
    (32, 205),
    (33, 140),
    (34, 60),
    (35, 40),
    (36, 35),
    (37, 330),
    (41, 115),
    (42, 45),
    (43, 35),
    (44, 140),
    (45, 35),
    (46, 8),
    (50, 25),
    (51, 40),
    (52, 35),
    (53, 22),
    (54, 1),
    (61, 70),
    (62, 30),
    (63, 8),
    (64, 40),
    (65, 90),
    (66, 45),
];

/// What a year of compliance means for one entity, in tonnes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EntityYear {
    /// Allowances issued.
    pub issued: u64,
    /// Verified emissions, the obligation.
    pub emissions: u64,
    /// Paid with certified voluntary reductions.
    pub offset: u64,
    /// Left unpaid at the deadline.
    pub unpaid: u64,
}

impl EntityYear {
    /// Allowances the entity surrenders.
    pub const fn surrendered(&self) -> u64 {
        self.emissions.saturating_sub(self.offset).saturating_sub(self.unpaid)
    }
}

/// On which list an entity stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// First cycle only: closed before allowances were issued.
    Closed,
    /// Both cycles.
    Both,
    /// Second cycle only.
    New,
}

/// A generated key emitting entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Account number: the ledger numbers accounts in the order in which they are opened.
    pub account: AccountId,
    /// Province that answers for it.
    pub province: ProvinceCode,
    /// On which list it stands.
    pub listing: Listing,
    /// 2019-20, 2021, 2022.
    pub years: [EntityYear; YEARS],
}

/// All generated entities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Population {
    /// Entities, those of the first cycle first.
    pub entities: Vec<Entity>,
}

impl Population {
    /// The entities of a seed.
    pub fn generate(seed: u64) -> Result<Self, PlanError> {
        let mut draws = Draws::new(seed, 1);
        let mut entities = listed_entities(&mut draws)?;
        let sizes: Vec<u64> = entities.iter().map(|_| size(&mut draws)).collect();
        for (year, figures) in COMPLIANCE.iter().enumerate() {
            // The second cycle's years share one order, so that the same entities stay unpaid.
            let mut order_draws = Draws::new(seed, if year == 0 { 2 } else { 3 });
            let members = members(&entities, year);
            let groups = Groups::draw(&members, &sizes, figures, year, &mut order_draws)?;
            let mut year_draws = Draws::new(seed, 10u64.saturating_add(year as u64));
            let shares = groups.share_out(&sizes, figures, year, &mut year_draws)?;
            for (index, share) in shares {
                if let Some(slot) = entities.get_mut(index).and_then(|e| e.years.get_mut(year)) {
                    *slot = share;
                }
            }
        }
        Ok(Self { entities })
    }
}

/// Entities in the order of their accounts within each list, without figures.
fn listed_entities(draws: &mut Draws) -> Result<Vec<Entity>, PlanError> {
    let new = ENTITIES_SECOND_CYCLE.saturating_add(ENTITIES_CLOSED).saturating_sub(ENTITIES_LISTED);
    let mut entities = Vec::new();
    let mut running = 0u64;
    for (count, first_cycle) in [(ENTITIES_LISTED, true), (new, false)] {
        let shares: Vec<u64> = PROVINCE_SHARES.iter().map(|(_, share)| *share).collect();
        // One entity everywhere, the rest by share.
        let provinces = u64::try_from(shares.len()).map_err(|_| PlanError::Arithmetic)?;
        let rest = count.checked_sub(provinces).ok_or(PlanError::Arithmetic)?;
        for ((code, _), more) in PROVINCE_SHARES.iter().zip(apportion(rest, &shares)?) {
            let province = ProvinceCode::new(*code).map_err(|_| PlanError::Arithmetic)?;
            for _ in 0..more.saturating_add(1) {
                running = running.saturating_add(1);
                let account = AccountId::new(Role::KeyEmittingEntity, running)
                    .map_err(|_| PlanError::Arithmetic)?;
                let listing = if first_cycle { Listing::Both } else { Listing::New };
                entities.push(Entity { account, province, listing, years: Default::default() });
            }
        }
    }
    let listed = usize::try_from(ENTITIES_LISTED).map_err(|_| PlanError::Arithmetic)?;
    let mut order: Vec<usize> = (0..listed).collect();
    draws.shuffle(&mut order);
    let closed = usize::try_from(ENTITIES_CLOSED).map_err(|_| PlanError::Arithmetic)?;
    for index in order.into_iter().take(closed) {
        if let Some(entity) = entities.get_mut(index) {
            entity.listing = Listing::Closed;
        }
    }
    Ok(entities)
}

/// Tonnes a year, log-normal by whole numbers: twelve draws make a bell, its value is an exponent
/// of two in 1/65,536 octaves with a deviation of 1.5 octaves around 2^20.
fn size(draws: &mut Draws) -> u64 {
    const BELL_MEAN: u64 = 12 * 32_768;
    const MEDIAN: u64 = 20 << 16;
    let bell: u64 = (0..12).map(|_| draws.below(65_536)).fold(0, u64::saturating_add);
    let above = bell.saturating_sub(BELL_MEAN).saturating_mul(3) / 2;
    let below = BELL_MEAN.saturating_sub(bell).saturating_mul(3) / 2;
    let exponent = MEDIAN.saturating_add(above).saturating_sub(below);
    let octave = 1u64.checked_shl(u32::try_from(exponent >> 16).unwrap_or(0)).unwrap_or(SIZE_MAX);
    let within = (exponent & 0xffff).saturating_add(65_536);
    fraction(octave, within, 65_536).clamp(SIZE_MIN, SIZE_MAX)
}

/// Entities with an obligation in a year.
fn members(entities: &[Entity], year: usize) -> Vec<usize> {
    let absent = if year == 0 { Listing::New } else { Listing::Closed };
    let present = |entity: &Entity| match entity.listing {
        Listing::Both => true,
        other => year != 0 && other != absent,
    };
    entities.iter().enumerate().filter(|(_, entity)| present(entity)).map(|(i, _)| i).collect()
}

/// The entities of a year by how they end it.
struct Groups {
    /// Emit more than they are issued and stay short.
    unpaid: Vec<usize>,
    /// Emit more than they are issued and pay in full.
    short: Vec<usize>,
    /// Are issued more than they emit.
    surplus: Vec<usize>,
}

impl Groups {
    fn draw(
        members: &[usize],
        sizes: &[u64],
        figures: &Compliance,
        year: usize,
        draws: &mut Draws,
    ) -> Result<Self, PlanError> {
        let mut order = members.to_vec();
        draws.shuffle(&mut order);
        let count = |number: u64| usize::try_from(number).map_err(|_| PlanError::Arithmetic);
        let unpaid_count = count(figures.unpaid_entities)?;
        // Few entities leave much unpaid in the second cycle: they are of at least middle size.
        let floor = if year == 0 { 0 } else { 1 << 20 };
        let large = |index: &usize| sizes.get(*index).is_some_and(|size| *size >= floor);
        let unpaid: Vec<usize> = order.iter().copied().filter(large).take(unpaid_count).collect();
        if unpaid.len() != unpaid_count {
            return Err(PlanError::Population { total: "the entities that did not pay in full" });
        }
        order.retain(|index| !unpaid.contains(index));
        let short_count = count(figures.short_entities.saturating_sub(figures.unpaid_entities))?;
        let surplus = order.split_off(short_count.min(order.len()));
        Ok(Self { unpaid, short: order, surplus })
    }

    /// Figures of every entity of the year; their sums are the year's totals.
    fn share_out(
        &self,
        sizes: &[u64],
        figures: &Compliance,
        year: usize,
        draws: &mut Draws,
    ) -> Result<Vec<(usize, EntityYear)>, PlanError> {
        let all: Vec<usize> =
            [&self.unpaid, &self.short, &self.surplus].into_iter().flatten().copied().collect();
        let size = |index: &usize| sizes.get(*index).copied().unwrap_or(SIZE_MIN);
        let weights: Vec<u64> =
            all.iter().map(|index| fraction(size(index), draws.between(900, 1_100), 100)).collect();
        let emissions = apportion(figures.obligation, &weights)?;
        let (unpaid, rest) = emissions.split_at_checked(self.unpaid.len()).unwrap_or_default();
        let (short, surplus) = rest.split_at_checked(self.short.len()).unwrap_or_default();

        let unpaid_deficits = varied(figures.unpaid_entities_deficit, unpaid, draws)?;
        let unpaid_tonnes = varied_little(figures.unpaid, &unpaid_deficits, draws)?;
        let short_total = figures.deficit.checked_sub(figures.unpaid_entities_deficit);
        let short_deficits = varied(short_total.ok_or(PlanError::Arithmetic)?, short, draws)?;
        let surplus_total = figures
            .issued
            .checked_add(figures.deficit)
            .and_then(|total| total.checked_sub(figures.obligation))
            .ok_or(PlanError::Arithmetic)?;
        let surpluses = varied(surplus_total, surplus, draws)?;
        let offsets = offsets(figures.offset, short, &short_deficits, surplus, year)?;

        let deficits = unpaid_deficits.iter().chain(&short_deficits).copied();
        let deficits = deficits.chain(core::iter::repeat(0));
        let surpluses =
            core::iter::repeat_n(0, all.len().saturating_sub(surplus.len())).chain(surpluses);
        let unpaid_tonnes = unpaid_tonnes.into_iter().chain(core::iter::repeat(0));
        let offsets = core::iter::repeat_n(0, self.unpaid.len()).chain(offsets);
        all.into_iter()
            .zip(emissions.iter().copied())
            .zip(deficits.zip(surpluses))
            .zip(unpaid_tonnes.zip(offsets))
            .map(|(((index, emissions), (deficit, surplus)), (unpaid, offset))| {
                let issued = emissions.checked_sub(deficit).ok_or(PlanError::Arithmetic)?;
                let issued = issued.checked_add(surplus).ok_or(PlanError::Arithmetic)?;
                let entity_year = EntityYear { issued, emissions, offset, unpaid };
                check(&entity_year, year).map(|()| (index, entity_year))
            })
            .collect()
    }
}

/// A total shared by size, each share between half and one and a half of the usual.
fn varied(total: u64, sizes: &[u64], draws: &mut Draws) -> Result<Vec<u64>, PlanError> {
    let weights: Vec<u64> =
        sizes.iter().map(|size| fraction(*size, draws.between(500, 1_500), 100)).collect();
    apportion(total, &weights)
}

/// A total shared by size, each share within a tenth of the usual.
fn varied_little(total: u64, sizes: &[u64], draws: &mut Draws) -> Result<Vec<u64>, PlanError> {
    let weights: Vec<u64> =
        sizes.iter().map(|size| fraction(*size, draws.between(900, 1_100), 100)).collect();
    apportion(total, &weights)
}

/// Reductions used by the short entities that pay in full, then by those with a surplus.
///
/// In the first cycle two of three short entities and one of eight with a surplus use some; later
/// only a few short ones do.
fn offsets(
    total: u64,
    short: &[u64],
    deficits: &[u64],
    surplus: &[u64],
    year: usize,
) -> Result<Vec<u64>, PlanError> {
    let limit = |emissions: u64| fraction(emissions, OFFSET_PER_CENT_MAX, 100);
    let short_weights =
        short.iter().zip(deficits).enumerate().map(|(position, (size, deficit))| {
            let uses =
                if year == 0 { position % 3 != 2 } else { position < OFFSET_USERS_SECOND_CYCLE };
            if uses { limit(*size).min(*deficit) } else { 0 }
        });
    let surplus_weights = surplus
        .iter()
        .enumerate()
        .map(|(position, size)| if year == 0 && position % 8 == 0 { limit(*size) / 4 } else { 0 });
    let weights: Vec<u64> = short_weights.chain(surplus_weights).collect();
    if weights.iter().copied().fold(0, u64::saturating_add) < total {
        return Err(PlanError::Population { total: "the reductions used" });
    }
    apportion(total, &weights)
}

fn check(year: &EntityYear, position: usize) -> Result<(), PlanError> {
    let deficit = year.emissions.saturating_sub(year.issued);
    let years = if position == 0 { 2 } else { 1 };
    if deficit > fraction(year.emissions, DEFICIT_PER_CENT_MAX, 100) {
        return Err(PlanError::Population { total: "deficits of at most 20 %" });
    }
    if year.offset > fraction(year.emissions, OFFSET_PER_CENT_MAX, 100) {
        return Err(PlanError::Population { total: "offsets of at most 5 %" });
    }
    if year.unpaid.saturating_add(year.offset) > deficit && year.unpaid > 0 {
        return Err(PlanError::Population { total: "the tonnes left unpaid" });
    }
    if year.emissions < EMISSIONS_MIN.saturating_mul(years) {
        return Err(PlanError::Population { total: "the smallest emissions" });
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn sum(population: &Population, year: usize, of: fn(&EntityYear) -> u64) -> u64 {
        population.entities.iter().map(|entity| of(&entity.years[year])).sum()
    }

    fn count(population: &Population, year: usize, of: fn(&EntityYear) -> bool) -> u64 {
        population.entities.iter().filter(|entity| of(&entity.years[year])).count() as u64
    }

    #[test]
    fn every_compliance_total_holds_exactly_for_many_seeds() {
        for seed in 0..20 {
            let population = Population::generate(seed).unwrap();
            for (year, figures) in COMPLIANCE.iter().enumerate() {
                assert_eq!(sum(&population, year, |y| y.issued), figures.issued);
                assert_eq!(sum(&population, year, |y| y.emissions), figures.obligation);
                assert_eq!(sum(&population, year, |y| y.offset), figures.offset);
                assert_eq!(sum(&population, year, |y| y.unpaid), figures.unpaid);
                assert_eq!(count(&population, year, |y| y.emissions > 0), figures.entities);
                assert_eq!(count(&population, year, |y| y.issued > 0), figures.entities);
                assert_eq!(count(&population, year, |y| y.unpaid > 0), figures.unpaid_entities);
                let deficit = sum(&population, year, |y| y.emissions.saturating_sub(y.issued));
                assert_eq!(deficit, figures.deficit);
                let short = count(&population, year, |y| y.emissions > y.issued);
                assert_eq!(short, figures.short_entities);
            }
        }
    }

    #[test]
    fn the_same_80_entities_stay_unpaid_in_both_years_of_the_second_cycle() {
        let population = Population::generate(1).unwrap();
        let unpaid = |year: usize| -> BTreeSet<AccountId> {
            let entities = population.entities.iter();
            entities.filter(|e| e.years[year].unpaid > 0).map(|e| e.account).collect()
        };
        assert_eq!(unpaid(1), unpaid(2));
    }

    #[test]
    fn lists_have_the_published_lengths_and_every_province_has_entities() {
        let population = Population::generate(1).unwrap();
        let listed = |listing| population.entities.iter().filter(|e| e.listing == listing).count();
        assert_eq!(listed(Listing::Closed) + listed(Listing::Both), 2_162);
        assert_eq!(listed(Listing::Closed), 151);
        assert_eq!(listed(Listing::Both) + listed(Listing::New), 2_257);
        let provinces: BTreeSet<_> = population.entities.iter().map(|e| e.province).collect();
        assert_eq!(provinces.len(), ProvinceCode::ALL.len());
        let accounts: BTreeSet<_> = population.entities.iter().map(|e| e.account).collect();
        assert_eq!(accounts.len(), population.entities.len());
    }

    #[test]
    fn sizes_range_from_small_to_very_large() {
        let population = Population::generate(1).unwrap();
        let mut emissions: Vec<u64> =
            population.entities.iter().map(|e| e.years[1].emissions).filter(|e| *e > 0).collect();
        emissions.sort_unstable();
        let median = emissions[emissions.len() / 2];
        assert!(emissions[0] >= EMISSIONS_MIN);
        assert!((600_000..2_000_000).contains(&median), "{median}");
        assert!(emissions[emissions.len() - 1] > 15_000_000);
    }
}
