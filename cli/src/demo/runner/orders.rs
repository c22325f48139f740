//! Steps of the plan as orders that an account's people sign.

use cets_contracts::rules::Payload;
use cets_contracts::rules::accounts::open_account::{NewAccount, OpenAccount};
use cets_contracts::rules::allowances::issue::{Issue, IssueLine};
use cets_contracts::rules::allowances::transfer::Transfer;
use cets_contracts::rules::compliance::offset::Offset;
use cets_contracts::rules::compliance::record_verified_emissions::{
    EmissionLine, RecordVerifiedEmissions,
};
use cets_contracts::rules::compliance::surrender::Surrender;
use cets_contracts::rules::governance::advance_business_date::AdvanceBusinessDate;
use cets_contracts::rules::reductions::issue_ccer::{IssueCcer, IssueCcerLine};
use cets_contracts::rules::reductions::register_project::RegisterProject;
use cets_contracts::rules::settlement::confirm_funds::{ConfirmFunds, FundDirection, FundLine};
use cets_contracts::rules::settlement::settle_trades::{self, SettleTrades, TradeMethod};
use cets_contracts::state::CreditCode;
use cets_contracts::types::{
    AccountId, BusinessDate, Digest, Fen, Instrument, ProvinceCode, Role, Selection, Tonnes,
};

use super::institutions::{Desks, HOLDER_THRESHOLDS, representatives};
use crate::demo::error::PlanError;
use crate::demo::plan::{Plan, Step};
use crate::demo::quotes::Method;
use crate::demo::trades::Trade;

/// Accounts of one transaction: their names and keys fill it.
const ACCOUNTS_PER_ORDER: usize = 150;
/// Lines of allocation tables, bank statements and verification results per transaction.
const LINES_PER_ORDER: usize = 1_000;
/// Trades of one transaction; each may move several ranges.
const TRADES_PER_ORDER: usize = 250;

/// What an account's people sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Who acts.
    pub account: AccountId,
    /// What is to be done.
    pub payload: Payload,
}

impl Order {
    fn new(account: AccountId, payload: impl Into<Payload>) -> Self {
        Self { account, payload: payload.into() }
    }
}

/// Makes orders of steps.
pub struct OrderBook<'a> {
    plan: &'a Plan,
    desks: &'a Desks,
    today: BusinessDate,
}

impl<'a> OrderBook<'a> {
    /// Orders for a plan.
    pub fn new(plan: &'a Plan, desks: &'a Desks) -> Self {
        Self { plan, desks, today: BusinessDate::default() }
    }

    /// The orders of a step; steps come in the order of the plan.
    pub fn orders(&mut self, step: &Step) -> Result<Vec<Order>, PlanError> {
        match step {
            Step::AdvanceDate(date) => {
                self.today = *date;
                let registry = self.desks.institution(Role::Registry)?;
                Ok(vec![Order::new(registry, AdvanceBusinessDate { date: *date })])
            }
            Step::OpenAccounts(entities) => self.open_entities(entities),
            Step::OpenProvinces(provinces) => self.open_provinces(provinces),
            Step::OpenOwners(owners) => self.open_owners(owners),
            Step::RegisterProjects(_) => self.register_projects(),
            Step::RecordEmissions { province, year, lines } => {
                let account = self.desks.province(*province)?;
                let report =
                    document(&[b"verification", &[province.get()], &year.get().to_be_bytes()]);
                self.batches(lines, LINES_PER_ORDER, |(entity, tonnes)| {
                    let account = self.plan.account(*entity)?;
                    Ok(EmissionLine { account, verified: *tonnes, due: *tonnes })
                })?
                .map(|lines| {
                    let order = RecordVerifiedEmissions { year: *year, lines, report };
                    Ok(Order::new(account, order))
                })
                .collect()
            }
            Step::Issue { province, vintage, lines } => {
                let registry = self.desks.institution(Role::Registry)?;
                let code = [province.get()];
                let document = document(&[b"allocation", &code, &vintage.get().to_be_bytes()]);
                self.batches(lines, LINES_PER_ORDER, |(entity, tonnes)| {
                    Ok(IssueLine { account: self.plan.account(*entity)?, tonnes: *tonnes })
                })?
                .map(|lines| Ok(Order::new(registry, Issue { vintage: *vintage, lines, document })))
                .collect()
            }
            Step::IssueReductions(_) => self.issue_reductions(),
            Step::TransferReductions { owner, entity, instrument, tonnes } => {
                let to = self.plan.account(*entity)?;
                let units = quantity(*instrument, *tonnes);
                Ok(vec![Order::new(*owner, Transfer { to, units })])
            }
            Step::Deposit(lines) => self.confirm_funds(lines, FundDirection::Deposit),
            Step::Withdraw(lines) => self.confirm_funds(lines, FundDirection::Withdrawal),
            Step::Settle { date, trades } => self.settle(*date, trades),
            Step::Offset { entity, year, instrument, tonnes } => {
                let units = quantity(*instrument, *tonnes);
                let entity = self.plan.account(*entity)?;
                Ok(vec![Order::new(entity, Offset { year: *year, units })])
            }
            Step::Surrender { entity, year, instrument, tonnes } => {
                let units = quantity(*instrument, *tonnes);
                let entity = self.plan.account(*entity)?;
                Ok(vec![Order::new(entity, Surrender { year: *year, units })])
            }
        }
    }

    /// Lines of the rules from lines of the plan, in batches.
    fn batches<T, L>(
        &self,
        lines: &[T],
        size: usize,
        line: impl Fn(&T) -> Result<L, PlanError>,
    ) -> Result<std::vec::IntoIter<Vec<L>>, PlanError> {
        let batches: Result<Vec<Vec<L>>, PlanError> =
            lines.chunks(size).map(|lines| lines.iter().map(&line).collect()).collect();
        Ok(batches?.into_iter())
    }

    fn open(
        &self,
        registry: Role,
        accounts: Vec<(AccountId, ProvinceCode, String)>,
    ) -> Result<Vec<Order>, PlanError> {
        let registry = self.desks.institution(registry)?;
        let accounts =
            self.batches(&accounts, ACCOUNTS_PER_ORDER, |(account, province, name)| {
                Ok(NewAccount {
                    role: account.role(),
                    name: name.clone(),
                    credit_code: credit_code(*account, *province)?,
                    province: *province,
                    representatives: representatives(self.desks.seed(), *account),
                    thresholds: HOLDER_THRESHOLDS,
                    material: document(&[b"account material", &account.to_key()]),
                })
            })?;
        Ok(accounts.map(|accounts| Order::new(registry, OpenAccount { accounts })).collect())
    }

    fn open_entities(&self, entities: &[usize]) -> Result<Vec<Order>, PlanError> {
        let mut accounts = Vec::with_capacity(entities.len());
        for entity in entities {
            let entity = self.plan.population.entities.get(*entity);
            let entity = entity.ok_or(PlanError::Arithmetic)?;
            let number = entity.account.number();
            let (english, chinese) = province_names(entity.province);
            let name =
                format!("{chinese}模拟发电企业{number:04} (simulated power company, {english})");
            accounts.push((entity.account, entity.province, name));
        }
        self.open(Role::Registry, accounts)
    }

    fn open_provinces(&self, provinces: &[ProvinceCode]) -> Result<Vec<Order>, PlanError> {
        let mut accounts = Vec::with_capacity(provinces.len());
        for province in provinces {
            let (english, chinese) = province_names(*province);
            let name = format!("{chinese}生态环境厅（模拟） (simulated authority of {english})");
            accounts.push((self.desks.province(*province)?, *province, name));
        }
        self.open(Role::Ministry, accounts)
    }

    fn open_owners(&self, owners: &[AccountId]) -> Result<Vec<Order>, PlanError> {
        let provinces = ProvinceCode::ALL.iter().cycle();
        let mut accounts = Vec::with_capacity(owners.len());
        for (owner, (code, english, chinese)) in owners.iter().zip(provinces) {
            let province = ProvinceCode::new(*code).map_err(|_| PlanError::Arithmetic)?;
            let number = owner.number();
            let name =
                format!("{chinese}模拟项目业主{number:02} (simulated project owner, {english})");
            accounts.push((*owner, province, name));
        }
        self.open(Role::CcerRegistry, accounts)
    }

    fn register_projects(&self) -> Result<Vec<Order>, PlanError> {
        let registry = self.desks.institution(Role::CcerRegistry)?;
        let projects = self.plan.reductions.projects.iter().map(|project| {
            let order = RegisterProject {
                project: project.code,
                owner: project.owner,
                registered_on: project.registered_on,
                document: document(&[b"project", project.code.as_bytes()]),
            };
            Order::new(registry, order)
        });
        Ok(projects.collect())
    }

    fn issue_reductions(&self) -> Result<Vec<Order>, PlanError> {
        let registry = self.desks.institution(Role::CcerRegistry)?;
        let document = document(&[b"reductions"]);
        let batches = self.batches(&self.plan.reductions.issues, LINES_PER_ORDER, |issue| {
            let Instrument::Ccer(project, vintage) = issue.instrument else {
                return Err(PlanError::Arithmetic);
            };
            Ok(IssueCcerLine { project, vintage, tonnes: issue.tonnes })
        })?;
        Ok(batches.map(|lines| Order::new(registry, IssueCcer { lines, document })).collect())
    }

    fn confirm_funds(
        &self,
        lines: &[(usize, Fen)],
        direction: FundDirection,
    ) -> Result<Vec<Order>, PlanError> {
        let settlement = self.desks.institution(Role::Settlement)?;
        let batches = self.batches(lines, LINES_PER_ORDER, |(entity, amount)| {
            let account = self.plan.account(*entity)?;
            let day = self.today.as_days().to_be_bytes();
            let reference = document(&[b"bank", &account.to_key(), &day, &[direction as u8]]);
            Ok(FundLine { account, direction, amount: *amount, reference })
        })?;
        Ok(batches.map(|lines| Order::new(settlement, ConfirmFunds { lines })).collect())
    }

    fn settle(&self, date: BusinessDate, trades: &[Trade]) -> Result<Vec<Order>, PlanError> {
        let exchange = self.desks.institution(Role::Exchange)?;
        let numbered: Vec<(u64, &Trade)> = (1u64..).zip(trades).collect();
        let batches = self.batches(&numbered, TRADES_PER_ORDER, |(number, trade)| {
            Ok(settle_trades::Trade {
                trade_no: *number,
                instrument: trade.instrument,
                method: match trade.method {
                    Method::Listing => TradeMethod::Listing,
                    Method::Block => TradeMethod::Block,
                    Method::Auction => TradeMethod::Auction,
                },
                seller: self.plan.account(trade.seller)?,
                buyer: self.plan.account(trade.buyer)?,
                tonnes: trade.tonnes,
                price: trade.price,
            })
        })?;
        let orders = (1u32..).zip(batches).map(|(batch, trades)| {
            Order::new(exchange, SettleTrades { trading_day: date, batch, trades })
        });
        Ok(orders.collect())
    }
}

const fn quantity(instrument: Instrument, tonnes: Tonnes) -> Selection {
    Selection::Quantity { instrument, tonnes }
}

fn province_names(province: ProvinceCode) -> (&'static str, &'static str) {
    let known = ProvinceCode::ALL.iter().find(|(code, ..)| *code == province.get());
    known.map_or(("", ""), |(_, english, chinese)| (*english, *chinese))
}

/// Digest that stands for a document of the replay.
fn document(parts: &[&[u8]]) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key("cets demo 2021-2023 simulated document");
    for part in parts {
        hasher.update(part);
    }
    Digest::new(*hasher.finalize().as_bytes())
}

/// A well-formed credit code of nobody: `91`, the province, and the account's role and number.
fn credit_code(account: AccountId, province: ProvinceCode) -> Result<CreditCode, PlanError> {
    let (province, role, number) = (province.get(), account.role().tag(), account.number());
    let body = format!("91{province:02}0000MA{role:02}{number:05}");
    let mut bytes: Vec<u8> = body.into_bytes();
    let check = CreditCode::check_character(&bytes).map_err(|_| PlanError::Arithmetic)?;
    bytes.push(check);
    let bytes: [u8; 18] = bytes.try_into().map_err(|_| PlanError::Arithmetic)?;
    CreditCode::new(bytes).map_err(|_| PlanError::Arithmetic)
}
