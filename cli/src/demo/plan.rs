//! The replay as one list of steps in the order of business dates.

use cets_contracts::types::{
    AccountId, BusinessDate, Fen, Instrument, ProvinceCode, Tonnes, Vintage,
};

use super::error::PlanError;
use super::population::Population;
use super::quotes::{Market, Source};
use super::reductions::{Project, ReductionIssue, Reductions};
use super::schedule::Schedule;
use super::totals::Totals;
use super::trades::{DEADLINES, Trade, match_market};

/// Seed of the replay unless another is given.
pub const SEED: u64 = 20_210_716;
/// Last day of the replay.
pub const LAST_DAY: (u32, u32, u32) = DEADLINES[1];

/// One thing to do; steps of a day are in the order of this list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The business date advances.
    AdvanceDate(BusinessDate),
    /// Accounts of entities are opened (positions in the population).
    OpenAccounts(Vec<usize>),
    /// Accounts of the provincial authorities are opened that have none from the start.
    OpenProvinces(Vec<ProvinceCode>),
    /// Accounts of project owners are opened.
    OpenOwners(Vec<AccountId>),
    /// Projects are registered.
    RegisterProjects(Vec<Project>),
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
    /// Reductions are issued to the owners of projects.
    IssueReductions(Vec<ReductionIssue>),
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
    pub const fn stage(&self) -> u8 {
        match self {
            Self::AdvanceDate(_) => 0,
            Self::OpenProvinces(_) => 1,
            Self::OpenAccounts(_) => 2,
            Self::OpenOwners(_) => 3,
            Self::RegisterProjects(_) => 4,
            Self::RecordEmissions { .. } => 5,
            Self::Issue { .. } => 6,
            Self::IssueReductions(_) => 7,
            Self::TransferReductions { .. } => 8,
            Self::Deposit(_) => 9,
            Self::Settle { .. } => 10,
            Self::Offset { .. } => 11,
            Self::Surrender { .. } => 12,
            Self::Withdraw(_) => 13,
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

    /// Steps day by day; each day starts with the step that advances the date.
    pub fn days(&self) -> impl Iterator<Item = &[Step]> {
        self.steps.chunk_by(|_, next| !matches!(next, Step::AdvanceDate(_)))
    }

    /// Provinces whose accounts are opened, in order.
    pub fn provinces(&self) -> impl Iterator<Item = ProvinceCode> {
        let opened = self.steps.iter().filter_map(|step| match step {
            Step::OpenProvinces(provinces) => Some(provinces),
            _ => None,
        });
        opened.flatten().copied()
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
            Step::AdvanceDate(_)
            | Step::OpenProvinces(_)
            | Step::OpenOwners(_)
            | Step::RegisterProjects(_)
            | Step::TransferReductions { .. } => {}
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
            Step::IssueReductions(issues) => {
                for issue in issues {
                    totals.issued(issue.instrument, issue.owner, issue.tonnes)?;
                }
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
