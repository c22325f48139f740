//! Totals of a ledger from its own blocks: transactions, receipts and events, and nothing else.

use std::collections::BTreeMap;

use cets_contracts::block::EventRecord;
use cets_contracts::rules::settlement::settle_trades::{TradeMethod, TradeOutcome};
use cets_contracts::rules::{Event, FundMovement, Payload, UnitMovement};
use cets_contracts::state::UnitStatus;
use cets_contracts::tx::TxBody;
use cets_contracts::types::{AccountId, BusinessDate, Instrument, Serial};

use crate::demo::error::PlanError;
use crate::demo::quotes::Method;
use crate::demo::totals::Totals;

/// What the accepted transactions of a ledger add up to.
#[derive(Debug, Default)]
pub struct Readback {
    totals: Totals,
    today: BusinessDate,
    /// Last serial and first holder of every issued range, by its first serial.
    issued: BTreeMap<(Instrument, u64), (u64, AccountId)>,
    /// Last serial of every range that somebody sold on who had bought it, by its first serial.
    sold_on: BTreeMap<(Instrument, u64), u64>,
    /// A unit that was sold, sold on and surrendered.
    travelled: Option<Serial>,
    transactions: u64,
}

impl Readback {
    /// The totals.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Number of accepted transactions.
    pub const fn transactions(&self) -> u64 {
        self.transactions
    }

    /// A unit with a life worth telling: issued to one entity, sold by it, sold on by its buyer,
    /// and surrendered by a third.
    pub const fn travelled_unit(&self) -> Option<Serial> {
        self.travelled
    }

    /// Adds an accepted transaction, in the order of the log.
    pub fn add(&mut self, body: &TxBody, record: &EventRecord) -> Result<(), PlanError> {
        self.transactions = self.transactions.saturating_add(1);
        match (&body.payload, &record.event) {
            (_, Event::AdvanceBusinessDate(advanced)) => self.today = advanced.to,
            (_, Event::OpenAccount(opened)) => {
                for account in &opened.accounts {
                    self.totals.account_opened(*account, self.today);
                }
            }
            (Payload::RecordVerifiedEmissions(order), _) => {
                for line in &order.lines {
                    self.totals.emissions_recorded(order.year, line.account, line.due)?;
                }
            }
            (Payload::SettleTrades(order), Event::SettleTrades(settled)) => {
                for (trade, outcome) in order.trades.iter().zip(&settled.outcomes) {
                    if matches!(outcome, TradeOutcome::Settled { .. }) {
                        let method = method(trade.method);
                        let (instrument, tonnes, price) =
                            (trade.instrument, trade.tonnes, trade.price);
                        self.totals.traded(order.trading_day, instrument, method, tonnes, price)?;
                    }
                }
            }
            _ => {}
        }
        record.effects.units.iter().try_for_each(|movement| self.add_units(movement))?;
        record.effects.funds.iter().try_for_each(|movement| self.add_funds(movement))
    }

    fn add_units(&mut self, movement: &UnitMovement) -> Result<(), PlanError> {
        let UnitMovement { range, from, to } = movement;
        let (instrument, tonnes, holder) = (range.instrument(), range.tonnes(), to.holder);
        match (from, to.status) {
            (None, _) => {
                self.issued.insert((instrument, range.start()), (range.last(), holder));
                self.totals.issued(instrument, holder, tonnes)
            }
            (Some(_), UnitStatus::Surrendered { year }) => {
                if self.travelled.is_none() {
                    self.travelled = self.sold_on_unit(movement);
                }
                self.totals.surrendered(year, holder, tonnes)
            }
            (Some(_), UnitStatus::Offset { year }) => self.totals.offset(year, holder, tonnes),
            (Some(from), UnitStatus::Free) => {
                if self.first_holder(movement) != Some(from.holder) {
                    self.sold_on.insert((instrument, range.start()), range.last());
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn first_holder(&self, movement: &UnitMovement) -> Option<AccountId> {
        let number = movement.range.start();
        let key = (movement.range.instrument(), number);
        let (_, (last, holder)) = self.issued.range(..=key).next_back()?;
        (number <= *last).then_some(*holder)
    }

    /// The first unit of a movement that was sold on before.
    fn sold_on_unit(&self, movement: &UnitMovement) -> Option<Serial> {
        let range = &movement.range;
        let instrument = range.instrument();
        let within = self.sold_on.range((instrument, range.start())..=(instrument, range.last()));
        let before = self.sold_on.range(..=(instrument, range.start())).next_back();
        let before =
            before.filter(|((own, _), last)| *own == instrument && **last >= range.start());
        let inside = within.map(|((_, first), _)| *first).next();
        let number = before.map(|_| range.start()).or(inside)?;
        Some(Serial { instrument, number })
    }

    fn add_funds(&mut self, movement: &FundMovement) -> Result<(), PlanError> {
        match (movement.from, movement.to) {
            (None, Some(_)) => self.totals.deposited(movement.amount),
            (Some(_), None) => self.totals.withdrawn(movement.amount),
            _ => Ok(()),
        }
    }
}

const fn method(method: TradeMethod) -> Method {
    match method {
        TradeMethod::Listing => Method::Listing,
        TradeMethod::Block => Method::Block,
        TradeMethod::Auction => Method::Auction,
    }
}
