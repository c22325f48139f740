//! The plan against the published figures and a naive model of holdings and money.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use cets_contracts::types::{AccountId, BusinessDate, Fen, Instrument, Tonnes, Vintage};

use super::comparison::{Outcome, all_hold, compare};
use super::figures::{TURNOVER_TO_2023, YEARS};
use super::lots::{BLOCK_TONNES_MIN, LISTING_TONNES_MAX};
use super::plan::{LAST_DAY, Plan, SEED, Step};
use super::quotes::{Market, Method, Source, read};
use super::{monthly, totals::Totals};

/// Holdings and money as plain numbers; panics when anyone spends what is not there.
#[derive(Default)]
struct Model {
    opened: BTreeMap<AccountId, BusinessDate>,
    units: BTreeMap<(AccountId, Instrument), u64>,
    bought_today: BTreeMap<(AccountId, Instrument), u64>,
    money: BTreeMap<AccountId, u64>,
    owed: BTreeMap<(AccountId, Vintage), u64>,
    offset_left: BTreeMap<(AccountId, Vintage), u64>,
    today: BusinessDate,
}

impl Model {
    fn add(&mut self, account: AccountId, instrument: Instrument, tonnes: Tonnes) {
        assert!(self.opened.contains_key(&account), "{account} is not open");
        assert!(!tonnes.is_zero());
        *self.units.entry((account, instrument)).or_default() += tonnes.get();
    }

    fn take(&mut self, account: AccountId, instrument: Instrument, tonnes: Tonnes) {
        let held = self.units.get_mut(&(account, instrument)).expect("holds some");
        *held = held.checked_sub(tonnes.get()).expect("holds enough");
    }

    fn pay(&mut self, account: AccountId, year: Vintage, tonnes: Tonnes) {
        let owed = self.owed.get_mut(&(account, year)).expect("owes something");
        *owed = owed.checked_sub(tonnes.get()).expect("owes at least so much");
    }

    fn settle(&mut self, plan: &Plan, trade: &super::trades::Trade) {
        assert_eq!(trade.date, self.today);
        assert_ne!(trade.seller, trade.buyer);
        let (seller, buyer) =
            (plan.account(trade.seller).unwrap(), plan.account(trade.buyer).unwrap());
        match trade.method {
            Method::Listing => assert!(trade.tonnes.get() <= LISTING_TONNES_MAX),
            Method::Block => assert!(trade.tonnes.get() >= BLOCK_TONNES_MIN),
            Method::Auction => {}
        }
        self.take(seller, trade.instrument, trade.tonnes);
        let left = self.units[&(seller, trade.instrument)];
        let bought = self.bought_today.get(&(seller, trade.instrument)).copied().unwrap_or(0);
        assert!(left >= bought, "sold on the day it was bought");
        self.add(buyer, trade.instrument, trade.tonnes);
        *self.bought_today.entry((buyer, trade.instrument)).or_default() += trade.tonnes.get();
        let fen = trade.fen().unwrap().get();
        let money = self.money.get_mut(&buyer).expect("money was confirmed");
        *money = money.checked_sub(fen).expect("enough money was confirmed");
        *self.money.entry(seller).or_default() += fen;
    }

    fn record(&mut self, account: AccountId, year: Vintage, tonnes: Tonnes) {
        assert!(self.owed.insert((account, year), tonnes.get()).is_none());
        self.offset_left.insert((account, year), tonnes.get() / 20);
    }

    fn apply(&mut self, plan: &Plan, step: &Step) {
        let account = |entity: usize| plan.account(entity).unwrap();
        match step {
            Step::AdvanceDate(date) => {
                assert!(*date > self.today);
                self.today = *date;
                self.bought_today.clear();
            }
            Step::OpenAccounts(entities) => {
                for entity in entities {
                    assert!(self.opened.insert(account(*entity), self.today).is_none());
                }
            }
            Step::OpenProvinces(_) | Step::RegisterProjects(_) => {}
            Step::OpenOwners(owners) => {
                for owner in owners {
                    assert!(self.opened.insert(*owner, self.today).is_none());
                }
            }
            Step::RecordEmissions { year, lines, .. } => {
                lines.iter().for_each(|(e, t)| self.record(account(*e), *year, *t));
            }
            Step::Issue { vintage, lines, .. } => {
                lines
                    .iter()
                    .for_each(|(e, t)| self.add(account(*e), Instrument::Cea(*vintage), *t));
            }
            Step::IssueReductions(issues) => {
                issues
                    .iter()
                    .for_each(|issue| self.add(issue.owner, issue.instrument, issue.tonnes));
            }
            Step::TransferReductions { owner, entity, instrument, tonnes } => {
                self.take(*owner, *instrument, *tonnes);
                self.add(account(*entity), *instrument, *tonnes);
            }
            Step::Deposit(lines) => {
                for (entity, fen) in lines {
                    *self.money.entry(account(*entity)).or_default() += fen.get();
                }
            }
            Step::Settle { trades, .. } => {
                trades.iter().for_each(|trade| self.settle(plan, trade));
            }
            Step::Offset { entity, year, instrument, tonnes } => {
                assert!(instrument.is_ccer());
                self.take(account(*entity), *instrument, *tonnes);
                self.pay(account(*entity), *year, *tonnes);
                let left = self.offset_left.get_mut(&(account(*entity), *year)).unwrap();
                *left = left.checked_sub(tonnes.get()).expect("within 5 %");
            }
            Step::Surrender { entity, year, instrument, tonnes } => {
                assert!(!instrument.is_ccer() && instrument.vintage() <= *year);
                self.take(account(*entity), *instrument, *tonnes);
                self.pay(account(*entity), *year, *tonnes);
            }
            Step::Withdraw(lines) => {
                for (entity, fen) in lines {
                    let money = self.money.get_mut(&account(*entity)).unwrap();
                    *money = money.checked_sub(fen.get()).unwrap();
                }
            }
        }
    }
}

fn replay(plan: &Plan) -> Totals {
    let mut model = Model::default();
    plan.steps.iter().for_each(|step| model.apply(plan, step));
    assert!(model.money.values().all(|money| *money == 0), "all money is withdrawn at the end");
    plan.expected().unwrap()
}

fn assert_all_hold(totals: &Totals, market: &Market) {
    let lines = compare(totals, market);
    let differing: Vec<_> =
        lines.iter().filter(|line| matches!(line.outcome, Outcome::Differs(_))).collect();
    assert!(all_hold(&lines) && differing.is_empty(), "{differing:#?}");
}

/// The daily quotes beside the repository, if they are there.
fn daily_market() -> Option<Market> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/cea_daily.csv");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: no daily quotes at {}", path.display());
        return None;
    };
    Some(read(&text, last_day()).unwrap())
}

fn last_day() -> BusinessDate {
    let (year, month, day) = LAST_DAY;
    BusinessDate::from_ymd(year, month, day).unwrap()
}

#[test]
fn the_monthly_plan_reproduces_every_published_total() {
    let market = monthly::market().unwrap();
    let started = Instant::now();
    let plan = Plan::new(SEED, &market).unwrap();
    println!("{} trades planned in {:?}", plan.trades(), started.elapsed());
    assert!((20_000..60_000).contains(&plan.trades()), "{}", plan.trades());
    assert_all_hold(&replay(&plan), &market);
}

#[test]
fn the_daily_plan_reproduces_every_published_total_to_the_fen() {
    let Some(market) = daily_market() else { return };
    assert_eq!(market.source, Source::Daily);
    let started = Instant::now();
    let plan = Plan::new(SEED, &market).unwrap();
    println!("{} trades planned in {:?}", plan.trades(), started.elapsed());
    assert!((20_000..60_000).contains(&plan.trades()), "{}", plan.trades());
    let totals = replay(&plan);
    let all = totals.turnover(BusinessDate::default(), last_day(), None);
    assert_eq!((all.tonnes, all.fen), (441_622_611, TURNOVER_TO_2023));
    assert_all_hold(&totals, &market);
}

#[test]
fn other_seeds_give_other_markets_with_the_same_totals() {
    let market = daily_market().unwrap_or_else(|| monthly::market().unwrap());
    let plans: Vec<Plan> = (1..=12).map(|seed| Plan::new(seed, &market).unwrap()).collect();
    assert_ne!(plans[0].steps, plans[1].steps);
    for plan in &plans {
        assert_all_hold(&replay(plan), &market);
    }
}

#[test]
fn the_same_seed_gives_the_same_plan() {
    let market = monthly::market().unwrap();
    assert_eq!(Plan::new(7, &market), Plan::new(7, &market));
}

#[test]
fn a_changed_trade_makes_the_comparison_differ() {
    let market = monthly::market().unwrap();
    let mut plan = Plan::new(SEED, &market).unwrap();
    let settle = plan.steps.iter_mut().find_map(|step| match step {
        Step::Settle { trades, .. } => trades.first_mut(),
        _ => None,
    });
    let trade = settle.unwrap();
    trade.price = Fen::new(trade.price.get() + 1);
    let lines = compare(&plan.expected().unwrap(), &market);
    let differing = lines.iter().filter(|line| matches!(line.outcome, Outcome::Differs(_)));
    // The month, the year, the total to 2023 and what is derived from the first cycle.
    assert!(differing.count() >= 3);
}

#[test]
fn quotes_of_a_part_of_the_period_are_refused_with_what_to_do() {
    let mut market = monthly::market().unwrap();
    let (year, month) = (YEARS[0].year, 11);
    market.volumes.retain(|volume| (volume.date.ymd().0, volume.date.ymd().1) < (year, month));
    let refused = Plan::new(SEED, &market).unwrap_err().to_string();
    assert!(refused.contains("use quotes of the whole period"), "{refused}");
}
