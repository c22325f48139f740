//! What every entity holds, what it must keep for its obligations, and which vintages pay them.
//!
//! An entity keeps, per vintage, what it plans to surrender at the next deadline. What it holds
//! beyond that it may sell; what it lacks it must buy. Both follow from two numbers, so buying
//! more than needed simply becomes free to sell again.

use super::apportion::fraction;
use super::error::PlanError;
use super::population::{EntityYear, Population, YEARS};

/// Vintages of allowances, in order: 2019-20, 2021, 2022.
pub const VINTAGES: usize = 3;
/// Largest share of a vintage's volume that is bought to comply, per cent; the rest is trading.
const NEED_PER_CENT_MAX: u64 = 60;
/// Largest share of what is lacking for 2021 that is bought as vintage 2021, per cent.
const OWN_VINTAGE_PER_CENT_MAX: [u64; YEARS] = [100, 50, 80];

/// Units of one entity by vintage, in tonnes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Held and free.
    pub free: [u64; VINTAGES],
    /// Part of the free units bought today, not for sale before tomorrow.
    pub bought_today: [u64; VINTAGES],
    /// Planned to be surrendered at the next deadline.
    pub keep: [u64; VINTAGES],
}

impl Position {
    /// Tonnes that may be sold today: neither bought today nor kept for the obligation.
    pub fn sellable(&self, vintage: usize) -> u64 {
        let free = at(&self.free, vintage);
        let bought = at(&self.bought_today, vintage);
        let keep = at(&self.keep, vintage);
        free.saturating_sub(bought).saturating_sub(keep)
    }

    /// Tonnes that must still be bought.
    pub fn need(&self, vintage: usize) -> u64 {
        at(&self.keep, vintage).saturating_sub(at(&self.free, vintage))
    }

    /// Whether nothing must be bought any more.
    pub fn is_covered(&self) -> bool {
        (0..VINTAGES).all(|vintage| self.need(vintage) == 0)
    }
}

fn at(amounts: &[u64; VINTAGES], vintage: usize) -> u64 {
    amounts.get(vintage).copied().unwrap_or(0)
}

/// Allowances of one vintage that an entity surrenders for a year of compliance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Position of the entity in the population.
    pub entity: usize,
    /// Position of the year of compliance.
    pub year: usize,
    /// Position of the vintage.
    pub vintage: usize,
    /// Tonnes, more than zero.
    pub tonnes: u64,
}

/// Payments of the first cycle: everything in the vintage 2019-20.
pub fn first_cycle_payments(population: &Population) -> Vec<Payment> {
    let payments = population.entities.iter().enumerate().map(|(entity, figures)| {
        let [first, ..] = figures.years;
        Payment { entity, year: 0, vintage: 0, tonnes: first.surrendered() }
    });
    payments.filter(|payment| payment.tonnes > 0).collect()
}

/// Payments of the second cycle, from what entities hold before its first trading day.
///
/// Each year is paid with its own vintage first, then with what the entity owns of earlier ones,
/// then with what it must buy. Purchases are divided over the usable vintages so that they stay
/// within 60 % of each vintage's volume in the cycle.
pub fn second_cycle_payments(
    population: &Population,
    positions: &[Position],
    volumes: &[u64; VINTAGES],
) -> Result<Vec<Payment>, PlanError> {
    let drafts: Vec<Draft> = population
        .entities
        .iter()
        .zip(positions)
        .map(|(entity, position)| Draft::from_own_units(&entity.years, position))
        .collect();
    let lacking = |year: usize| -> u64 {
        drafts.iter().map(|draft| at(&draft.lacking, year)).fold(0, u64::saturating_add)
    };
    let mut payments = Vec::new();
    let mut shares = [0u64; YEARS];
    for (year, share) in shares.iter_mut().enumerate() {
        // Per mille of what is lacking that is bought in the year's own vintage.
        let affordable = fraction(at(volumes, year), NEED_PER_CENT_MAX, 100);
        let most = at(&OWN_VINTAGE_PER_CENT_MAX, year).saturating_mul(10);
        *share = fraction(affordable, 1_000, lacking(year).max(1)).min(most);
    }
    for (entity, draft) in drafts.into_iter().enumerate() {
        let bought = draft.with_purchases(&shares)?;
        for (year, vintages) in bought.iter().enumerate() {
            for (vintage, tonnes) in vintages.iter().enumerate() {
                if *tonnes > 0 {
                    payments.push(Payment { entity, year, vintage, tonnes: *tonnes });
                }
            }
        }
    }
    Ok(payments)
}

/// Tonnes by year of compliance and vintage.
type Composition = [[u64; VINTAGES]; YEARS];

/// How an entity pays the second cycle before it buys anything.
struct Draft {
    paid: Composition,
    lacking: [u64; YEARS],
}

impl Draft {
    fn from_own_units(years: &[EntityYear; YEARS], position: &Position) -> Self {
        let [_, second, third] = years;
        let [first_held, ..] = position.free;
        let mut own = [first_held, second.issued, third.issued];
        let mut draft = Self { paid: Composition::default(), lacking: [0; YEARS] };
        // For 2021 its own vintage, then 2019-20; for 2022 its own, then 2021, then 2019-20.
        for (year, owed, order) in
            [(1, second.surrendered(), [1, 0].as_slice()), (2, third.surrendered(), &[2, 1, 0])]
        {
            let mut rest = owed;
            for vintage in order.iter().copied() {
                let Some(held) = own.get_mut(vintage) else { continue };
                let used = rest.min(*held);
                *held = held.saturating_sub(used);
                rest = rest.saturating_sub(used);
                draft.pay(year, vintage, used);
            }
            if let Some(lacking) = draft.lacking.get_mut(year) {
                *lacking = rest;
            }
        }
        draft
    }

    fn pay(&mut self, year: usize, vintage: usize, tonnes: u64) {
        if let Some(paid) = self.paid.get_mut(year).and_then(|paid| paid.get_mut(vintage)) {
            *paid = paid.saturating_add(tonnes);
        }
    }

    /// The whole composition, with what is lacking bought in the given shares (per mille) of the
    /// year's own vintage and the rest in the vintage 2019-20.
    fn with_purchases(mut self, shares: &[u64; YEARS]) -> Result<Composition, PlanError> {
        for (year, lacking) in self.lacking.into_iter().enumerate() {
            let own = fraction(lacking, at(shares, year), 1_000);
            let first = lacking.checked_sub(own).ok_or(PlanError::Arithmetic)?;
            self.pay(year, year, own);
            self.pay(year, 0, first);
        }
        Ok(self.paid)
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    #[test]
    fn units_kept_or_bought_today_are_not_for_sale() {
        let mut position = Position::default();
        position.free[0] = 100;
        position.keep[0] = 30;
        assert_eq!((position.sellable(0), position.need(0)), (70, 0));
        position.bought_today[0] = 60;
        assert_eq!(position.sellable(0), 10);
        position.keep[0] = 120;
        assert_eq!((position.sellable(0), position.need(0)), (0, 20));
    }

    #[test]
    fn payments_meet_each_obligation_with_usable_vintages_only() {
        let population = Population::generate(1).unwrap();
        let positions = vec![Position::default(); population.entities.len()];
        let volumes = [98_000_000, 41_000_000, 122_000_000];
        let payments = second_cycle_payments(&population, &positions, &volumes).unwrap();
        assert!(payments.iter().all(|payment| payment.vintage <= payment.year));
        for (index, entity) in population.entities.iter().enumerate() {
            for year in 1..YEARS {
                let own = payments.iter().filter(|p| p.entity == index && p.year == year);
                let paid: u64 = own.map(|payment| payment.tonnes).sum();
                assert_eq!(paid, entity.years[year].surrendered());
            }
        }
    }

    #[test]
    fn own_units_of_earlier_years_are_used_before_buying() {
        let year = |issued, emissions| EntityYear { issued, emissions, offset: 0, unpaid: 0 };
        let years = [year(0, 0), year(100, 90), year(50, 80)];
        let mut position = Position::default();
        position.free[0] = 15;
        let draft = Draft::from_own_units(&years, &position);
        assert_eq!(draft.paid, [[0, 0, 0], [0, 90, 0], [15, 10, 50]]);
        assert_eq!(draft.lacking, [0, 0, 5]);
        assert_eq!(draft.with_purchases(&[0, 0, 800]).unwrap()[2], [16, 10, 54]);
    }
}
