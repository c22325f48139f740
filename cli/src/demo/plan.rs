//! The replay as one list of steps in the order of business dates.

use std::collections::BTreeMap;

use cets_contracts::types::{
    AccountId, BusinessDate, Fen, Instrument, ProvinceCode, Tonnes, Vintage,
};

use super::draws::Draws;
use super::error::PlanError;
use super::figures::COMPLIANCE;
use super::population::{EntityYear, Listing, Population};
use super::quotes::{Market, Source};
use super::reductions::Reductions;
use super::totals::Totals;
use super::trades::{DEADLINES, DuePayment, Trade, match_market};

/// Seed of the replay unless another is given.
pub const SEED: u64 = 20_210_716;
/// Last day of the replay.
pub const LAST_DAY: (u32, u32, u32) = DEADLINES[1];

/// Accounts of the first cycle are opened.
const FIRST_ACCOUNTS: (u32, u32, u32) = (2021, 6, 28);
/// Allowances for 2019-20 and the reductions of the old projects are issued.
const FIRST_ISSUE: (u32, u32, u32) = (2021, 7, 9);
/// Accounts of the entities that join in the second cycle are opened.
const NEW_ACCOUNTS: (u32, u32, u32) = (2022, 1, 4);
/// Verified emissions of each year of compliance are recorded.
const EMISSIONS: [(u32, u32, u32); 3] = [(2021, 9, 30), (2022, 6, 30), (2023, 6, 30)];
/// Allowances for 2021 and for 2022 are issued.
const LATER_ISSUES: [(u32, u32, u32); 2] = [(2023, 8, 18), (2023, 8, 21)];
/// Reductions go from project owners to entities, by cycle.
const REDUCTIONS: [(u32, u32, u32); 2] = [(2021, 11, 8), (2023, 9, 8)];
/// Entities surrender from this day to the deadline, by cycle.
const SURRENDER_FROM: [(u32, u32, u32); 2] = [(2021, 11, 15), (2023, 10, 9)];

/// One thing to do; steps of a day are in the order of this list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The business date advances.
    AdvanceDate(BusinessDate),
    /// Accounts of entities are opened (positions in the population).
    OpenAccounts(Vec<usize>),
    /// Accounts of project owners are opened.
    OpenOwners(Vec<AccountId>),
    /// A province records verified emissions of its entities for a year of compliance.
    RecordEmissions {
        /// Who decides.
        province: ProvinceCode,
        /// Vintage of the year of compliance.
        year: Vintage,
        /// Entity and tonnes.
        lines: Vec<(usize, Tonnes)>,
    },
    /// Allowances are issued to the entities of a province.
    Issue {
        /// Whose entities.
        province: ProvinceCode,
        /// Vintage issued.
        vintage: Vintage,
        /// Entity and tonnes.
        lines: Vec<(usize, Tonnes)>,
    },
    /// Reductions are issued to the owner of a project.
    IssueReductions {
        /// Owner of the project.
        owner: AccountId,
        /// Project and vintage.
        instrument: Instrument,
        /// Units.
        tonnes: Tonnes,
    },
    /// A project owner hands reductions to an entity.
    TransferReductions {
        /// Owner of the project.
        owner: AccountId,
        /// Entity that gets them.
        entity: usize,
        /// Project and vintage.
        instrument: Instrument,
        /// Units.
        tonnes: Tonnes,
    },
    /// The settlement institution confirms money that came in for entities.
    Deposit(Vec<(usize, Fen)>),
    /// A trading day is settled.
    Settle {
        /// The trading day.
        date: BusinessDate,
        /// Its trades.
        trades: Vec<Trade>,
    },
    /// An entity uses reductions for a year of compliance.
    Offset {
        /// The entity.
        entity: usize,
        /// Vintage of the year of compliance.
        year: Vintage,
        /// Project and vintage of the reductions.
        instrument: Instrument,
        /// Units.
        tonnes: Tonnes,
    },
    /// An entity surrenders allowances for a year of compliance.
    Surrender {
        /// The entity.
        entity: usize,
        /// Vintage of the year of compliance.
        year: Vintage,
        /// Allowances used.
        instrument: Instrument,
        /// Tonnes.
        tonnes: Tonnes,
    },
    /// The settlement institution confirms money that went out to entities.
    Withdraw(Vec<(usize, Fen)>),
}

impl Step {
    /// Position among the steps of a day.
    const fn stage(&self) -> u8 {
        match self {
            Self::AdvanceDate(_) => 0,
            Self::OpenAccounts(_) => 1,
            Self::OpenOwners(_) => 2,
            Self::RecordEmissions { .. } => 3,
            Self::Issue { .. } => 4,
            Self::IssueReductions { .. } => 5,
            Self::TransferReductions { .. } => 6,
            Self::Deposit(_) => 7,
            Self::Settle { .. } => 8,
            Self::Offset { .. } => 9,
            Self::Surrender { .. } => 10,
            Self::Withdraw(_) => 11,
        }
    }
}

/// Everything the replay does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where the trading volumes come from.
    pub source: Source,
    /// The entities.
    pub population: Population,
    /// The projects.
    pub reductions: Reductions,
    /// Steps in the order of business dates.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Plans the replay of a market for a seed.
    pub fn new(seed: u64, market: &Market) -> Result<Self, PlanError> {
        let population = Population::generate(seed)?;
        let reductions = Reductions::generate(seed, &population)?;
        let traded = match_market(seed, market, &population)?;
        let mut schedule = Schedule::default();
        schedule.accounts(&population, &reductions)?;
        schedule.issues_and_emissions(&population)?;
        schedule.money_and_trades(&traded.trades)?;
        schedule.compliance(seed, market, &population, &reductions, &traded.payments)?;
        let steps = schedule.into_steps();
        Ok(Self { source: market.source, population, reductions, steps })
    }

    /// Account of an entity by its position in the population.
    pub fn account(&self, entity: usize) -> Result<AccountId, PlanError> {
        let entity = self.population.entities.get(entity).ok_or(PlanError::Arithmetic)?;
        Ok(entity.account)
    }

    /// Number of trades.
    pub fn trades(&self) -> usize {
        let trades = self.steps.iter().map(|step| match step {
            Step::Settle { trades, .. } => trades.len(),
            _ => 0,
        });
        trades.fold(0, usize::saturating_add)
    }

    /// The totals that a ledger must show when every step was carried out.
    pub fn expected(&self) -> Result<Totals, PlanError> {
        let mut totals = Totals::default();
        let mut today = BusinessDate::default();
        for step in &self.steps {
            if let Step::AdvanceDate(date) = step {
                today = *date;
            }
            self.observe(step, today, &mut totals)?;
        }
        Ok(totals)
    }

    fn observe(
        &self,
        step: &Step,
        today: BusinessDate,
        totals: &mut Totals,
    ) -> Result<(), PlanError> {
        match step {
            Step::AdvanceDate(_) | Step::OpenOwners(_) | Step::TransferReductions { .. } => {}
            Step::OpenAccounts(entities) => {
                for entity in entities {
                    totals.account_opened(self.account(*entity)?, today);
                }
            }
            Step::RecordEmissions { year, lines, .. } => {
                for (entity, tonnes) in lines {
                    totals.emissions_recorded(*year, self.account(*entity)?, *tonnes)?;
                }
            }
            Step::Issue { vintage, lines, .. } => {
                for (entity, tonnes) in lines {
                    totals.issued(Instrument::Cea(*vintage), self.account(*entity)?, *tonnes)?;
                }
            }
            Step::IssueReductions { owner, instrument, tonnes } => {
                totals.issued(*instrument, *owner, *tonnes)?;
            }
            Step::Deposit(lines) => {
                for (_, fen) in lines {
                    totals.deposited(*fen)?;
                }
            }
            Step::Withdraw(lines) => {
                for (_, fen) in lines {
                    totals.withdrawn(*fen)?;
                }
            }
            Step::Settle { trades, .. } => {
                for trade in trades {
                    let Trade { date, instrument, method, tonnes, price, .. } = *trade;
                    totals.traded(date, instrument, method, tonnes, price)?;
                }
            }
            Step::Offset { entity, year, tonnes, .. } => {
                totals.offset(*year, self.account(*entity)?, *tonnes)?;
            }
            Step::Surrender { entity, year, tonnes, .. } => {
                totals.surrendered(*year, self.account(*entity)?, *tonnes)?;
            }
        }
        Ok(())
    }
}

fn date((year, month, day): (u32, u32, u32)) -> Result<BusinessDate, PlanError> {
    BusinessDate::from_ymd(year, month, day).map_err(|_| PlanError::Arithmetic)
}

fn vintage(position: usize) -> Result<Vintage, PlanError> {
    let figures = COMPLIANCE.get(position).ok_or(PlanError::Arithmetic)?;
    Vintage::new(figures.vintage).map_err(|_| PlanError::Arithmetic)
}

/// Steps by day and place within the day.
#[derive(Default)]
struct Schedule {
    days: BTreeMap<BusinessDate, Vec<Step>>,
}

impl Schedule {
    fn push(&mut self, date: BusinessDate, step: Step) {
        self.days.entry(date).or_default().push(step);
    }

    fn into_steps(self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (date, mut day) in self.days {
            day.sort_by_key(Step::stage);
            steps.push(Step::AdvanceDate(date));
            steps.append(&mut day);
        }
        steps
    }

    fn accounts(
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
        let owners = reductions.projects.iter().map(|project| project.owner).collect();
        self.push(date(FIRST_ACCOUNTS)?, Step::OpenOwners(owners));
        for issue in &reductions.issues {
            let (owner, instrument, tonnes) = (issue.owner, issue.instrument, issue.tonnes);
            self.push(date(FIRST_ISSUE)?, Step::IssueReductions { owner, instrument, tonnes });
        }
        Ok(())
    }

    fn issues_and_emissions(&mut self, population: &Population) -> Result<(), PlanError> {
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

    /// Settlement of every day; before the first of a month, the money that its buyers lack.
    fn money_and_trades(&mut self, trades: &[Trade]) -> Result<(), PlanError> {
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
                self.push(first.date, Step::Deposit(deposits));
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
    fn compliance(
        &mut self,
        seed: u64,
        market: &Market,
        population: &Population,
        reductions: &Reductions,
        payments: &[DuePayment],
    ) -> Result<(), PlanError> {
        let mut draws = Draws::new(seed, 6);
        let mut due: BTreeMap<(usize, usize), BusinessDate> = BTreeMap::new();
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
                let position = draws.position(days.len());
                let drawn = days.get(position).copied().unwrap_or(until);
                due.insert((index, cycle), if stays_short { last } else { drawn });
            }
        }
        for DuePayment { payment, ready } in payments {
            let cycle = usize::from(payment.year > 0);
            let day = due.entry((payment.entity, cycle)).or_insert(*ready);
            *day = (*ready).max(*day);
        }
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
