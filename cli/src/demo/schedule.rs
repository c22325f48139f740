//! Puts the steps of the replay on their days.

use std::collections::BTreeMap;

use cets_contracts::types::{BusinessDate, Fen, Instrument, ProvinceCode, Tonnes, Vintage};

use super::draws::Draws;
use super::error::PlanError;
use super::figures::COMPLIANCE;
use super::plan::{LAST_DAY, Step};
use super::population::{EntityYear, Listing, Population};
use super::quotes::Market;
use super::reductions::Reductions;
use super::trades::{DEADLINES, DuePayment, Trade};

/// Province whose authority runs a node and has an account from the start: Hubei, the seat of the
/// registration institution.
pub const FOUNDING_PROVINCE: u8 = 42;

/// Accounts of the first cycle are opened.
const FIRST_ACCOUNTS: (u32, u32, u32) = (2021, 6, 28);
/// Allowances for 2019-20 and the reductions of the old projects are issued.
const FIRST_ISSUE: (u32, u32, u32) = (2021, 7, 9);
/// Accounts of the entities that join in the second cycle are opened.
const NEW_ACCOUNTS: (u32, u32, u32) = (2022, 1, 1);
/// Verified emissions of each year of compliance are recorded.
const EMISSIONS: [(u32, u32, u32); 3] = [(2021, 9, 30), (2022, 6, 30), (2023, 6, 30)];
/// Allowances for 2021 and for 2022 are issued.
const LATER_ISSUES: [(u32, u32, u32); 2] = [(2023, 8, 18), (2023, 8, 21)];
/// Reductions go from project owners to entities, by cycle.
const REDUCTIONS: [(u32, u32, u32); 2] = [(2021, 11, 8), (2023, 9, 8)];
/// Entities surrender from this day to the deadline, by cycle.
const SURRENDER_FROM: [(u32, u32, u32); 2] = [(2021, 11, 15), (2023, 10, 9)];

fn date((year, month, day): (u32, u32, u32)) -> Result<BusinessDate, PlanError> {
    BusinessDate::from_ymd(year, month, day).map_err(|_| PlanError::Arithmetic)
}

/// The day before.
fn eve(date: BusinessDate) -> Result<BusinessDate, PlanError> {
    let days = date.as_days().checked_sub(1).ok_or(PlanError::Arithmetic)?;
    BusinessDate::from_days(days).map_err(|_| PlanError::Arithmetic)
}

fn vintage(position: usize) -> Result<Vintage, PlanError> {
    let figures = COMPLIANCE.get(position).ok_or(PlanError::Arithmetic)?;
    Vintage::new(figures.vintage).map_err(|_| PlanError::Arithmetic)
}

/// Steps by day and place within the day.
#[derive(Default)]
pub(super) struct Schedule {
    days: BTreeMap<BusinessDate, Vec<Step>>,
}

impl Schedule {
    fn push(&mut self, date: BusinessDate, step: Step) {
        self.days.entry(date).or_default().push(step);
    }

    pub(super) fn into_steps(self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (date, mut day) in self.days {
            day.sort_by_key(Step::stage);
            steps.push(Step::AdvanceDate(date));
            steps.append(&mut day);
        }
        steps
    }

    pub(super) fn accounts(
        &mut self,
        population: &Population,
        reductions: &Reductions,
    ) -> Result<(), PlanError> {
        let entities = |new: bool| -> Vec<usize> {
            let all = population.entities.iter().enumerate();
            let of_list = all.filter(|(_, entity)| (entity.listing == Listing::New) == new);
            of_list.map(|(index, _)| index).collect()
        };
        self.push(date(FIRST_ACCOUNTS)?, Step::OpenAccounts(entities(false)));
        self.push(date(NEW_ACCOUNTS)?, Step::OpenAccounts(entities(true)));
        let provinces = ProvinceCode::ALL.iter().filter(|(code, ..)| *code != FOUNDING_PROVINCE);
        let provinces: Result<Vec<_>, _> =
            provinces.map(|(code, ..)| ProvinceCode::new(*code)).collect();
        let provinces = provinces.map_err(|_| PlanError::Arithmetic)?;
        self.push(date(FIRST_ACCOUNTS)?, Step::OpenProvinces(provinces));
        let owners = reductions.projects.iter().map(|project| project.owner).collect();
        self.push(date(FIRST_ACCOUNTS)?, Step::OpenOwners(owners));
        let projects = reductions.projects.clone();
        self.push(date(FIRST_ACCOUNTS)?, Step::RegisterProjects(projects));
        let issues = reductions.issues.clone();
        self.push(date(FIRST_ISSUE)?, Step::IssueReductions(issues));
        Ok(())
    }

    pub(super) fn issues_and_emissions(
        &mut self,
        population: &Population,
    ) -> Result<(), PlanError> {
        let issue_days = [FIRST_ISSUE, LATER_ISSUES[0], LATER_ISSUES[1]];
        for (position, (issue_day, emissions_day)) in
            issue_days.into_iter().zip(EMISSIONS).enumerate()
        {
            let year = vintage(position)?;
            let lines = by_province(population, position, |year| year.issued);
            for (province, lines) in lines {
                self.push(date(issue_day)?, Step::Issue { province, vintage: year, lines });
            }
            let lines = by_province(population, position, |year| year.emissions);
            for (province, lines) in lines {
                self.push(date(emissions_day)?, Step::RecordEmissions { province, year, lines });
            }
        }
        Ok(())
    }

    /// Settlement of every day; on the eve of the first of a month, the money its buyers lack.
    pub(super) fn money_and_trades(&mut self, trades: &[Trade]) -> Result<(), PlanError> {
        let mut balances: BTreeMap<usize, Fen> = BTreeMap::new();
        let month = |date: BusinessDate| (date.ymd().0, date.ymd().1);
        for month_trades in trades.chunk_by(|a, b| month(a.date) == month(b.date)) {
            let mut purchases: BTreeMap<usize, Fen> = BTreeMap::new();
            let mut sales: BTreeMap<usize, Fen> = BTreeMap::new();
            for trade in month_trades {
                for (sums, entity) in [(&mut purchases, trade.buyer), (&mut sales, trade.seller)] {
                    let sum = sums.entry(entity).or_default();
                    *sum = sum.try_add(trade.fen()?)?;
                }
            }
            let mut deposits = Vec::new();
            for (entity, cost) in purchases {
                let balance = balances.entry(entity).or_default();
                let lacking = cost.saturating_sub(*balance);
                if !lacking.is_zero() {
                    deposits.push((entity, lacking));
                }
                *balance = balance.try_add(lacking)?.try_sub(cost)?;
            }
            for (entity, income) in sales {
                let balance = balances.entry(entity).or_default();
                *balance = balance.try_add(income)?;
            }
            if let (Some(first), false) = (month_trades.first(), deposits.is_empty()) {
                self.push(eve(first.date)?, Step::Deposit(deposits));
            }
            for day in month_trades.chunk_by(|a, b| a.date == b.date) {
                if let Some(Trade { date, .. }) = day.first() {
                    self.push(*date, Step::Settle { date: *date, trades: day.to_vec() });
                }
            }
        }
        balances.retain(|_, balance| !balance.is_zero());
        self.push(date(LAST_DAY)?, Step::Withdraw(balances.into_iter().collect()));
        Ok(())
    }

    /// Reductions, offsets and surrenders. An entity acts on a drawn trading day of the cycle's
    /// window, not before it holds all it needs; one that stays short acts on the last.
    pub(super) fn compliance(
        &mut self,
        seed: u64,
        market: &Market,
        population: &Population,
        reductions: &Reductions,
        payments: &[DuePayment],
    ) -> Result<(), PlanError> {
        let due = due_days(seed, market, population, payments)?;
        for DuePayment { payment, .. } in payments {
            let cycle = usize::from(payment.year > 0);
            let day = due.get(&(payment.entity, cycle)).ok_or(PlanError::Arithmetic)?;
            let step = Step::Surrender {
                entity: payment.entity,
                year: vintage(payment.year)?,
                instrument: Instrument::Cea(vintage(payment.vintage)?),
                tonnes: Tonnes::new(payment.tonnes),
            };
            self.push(*day, step);
        }
        for used in &reductions.uses {
            let cycle = usize::from(used.year > 0);
            let (owner, entity) = (used.owner, used.entity);
            let (instrument, tonnes) = (used.instrument, used.tonnes);
            let handed_over = *REDUCTIONS.get(cycle).ok_or(PlanError::Arithmetic)?;
            let transfer = Step::TransferReductions { owner, entity, instrument, tonnes };
            self.push(date(handed_over)?, transfer);
            let day = due.get(&(entity, cycle)).ok_or(PlanError::Arithmetic)?;
            let year = vintage(used.year)?;
            self.push(*day, Step::Offset { entity, year, instrument, tonnes });
        }
        Ok(())
    }
}

/// Years of compliance of a cycle.
fn cycle_years(years: &[EntityYear; 3], cycle: usize) -> impl Iterator<Item = &EntityYear> {
    let of_cycle = move |position: usize| usize::from(position > 0) == cycle;
    years.iter().enumerate().filter(move |(position, _)| of_cycle(*position)).map(|(_, y)| y)
}

/// The day on which each entity acts, by cycle.
fn due_days(
    seed: u64,
    market: &Market,
    population: &Population,
    payments: &[DuePayment],
) -> Result<BTreeMap<(usize, usize), BusinessDate>, PlanError> {
    let mut ready: BTreeMap<(usize, usize), BusinessDate> = BTreeMap::new();
    for due in payments {
        ready.insert((due.payment.entity, usize::from(due.payment.year > 0)), due.ready);
    }
    let mut draws = Draws::new(seed, 6);
    let mut due = BTreeMap::new();
    for (cycle, (from, until)) in SURRENDER_FROM.into_iter().zip(DEADLINES).enumerate() {
        let (from, until) = (date(from)?, date(until)?);
        let mut days: Vec<BusinessDate> = market
            .volumes
            .iter()
            .map(|volume| volume.date)
            .filter(|date| (from..=until).contains(date))
            .collect();
        days.dedup();
        let last = days.last().copied().unwrap_or(until);
        for (index, entity) in population.entities.iter().enumerate() {
            let stays_short = cycle_years(&entity.years, cycle).any(|year| year.unpaid > 0);
            let drawn = days.get(draws.position(days.len())).copied().unwrap_or(until);
            let ready = ready.get(&(index, cycle)).copied().unwrap_or(from);
            // The units bought last are there for sure on the trading day after.
            let after = days.iter().copied().find(|day| *day > ready).unwrap_or(ready);
            let day = if stays_short { last } else { drawn };
            due.insert((index, cycle), if day > ready { day } else { after });
        }
    }
    Ok(due)
}

/// Entities with something in a year, by province.
fn by_province(
    population: &Population,
    position: usize,
    of: fn(&EntityYear) -> u64,
) -> BTreeMap<ProvinceCode, Vec<(usize, Tonnes)>> {
    let mut lines: BTreeMap<ProvinceCode, Vec<(usize, Tonnes)>> = BTreeMap::new();
    for (index, entity) in population.entities.iter().enumerate() {
        let tonnes = entity.years.get(position).map_or(0, of);
        if tonnes > 0 {
            lines.entry(entity.province).or_default().push((index, Tonnes::new(tonnes)));
        }
    }
    lines
}
