//! Finds a seller and a buyer for every trade, so that all who comply can do so at the deadline.
//!
//! Sellers sell only what is free, not bought on the same day and not kept for their obligation.
//! Buyers are entities that lack units, as often as their need asks for, and otherwise entities
//! that trade: what these buy they may sell again from the next day on. Needs are met early: by
//! about half of a period's volume.

use std::collections::BTreeMap;

use cets_contracts::types::{BusinessDate, Fen, Instrument, Tonnes, Vintage};

use super::apportion::fraction;
use super::draws::Draws;
use super::error::PlanError;
use super::figures::COMPLIANCE;
use super::lots::{BLOCK_TONNES_MIN, Lot, lots};
use super::population::{Listing, Population};
use super::positions::{Payment, Position, VINTAGES, first_cycle_payments, second_cycle_payments};
use super::quotes::{Market, Method, Volume};

/// How many times an eligible trading buyer is drawn before any is taken.
const TRADER_DRAWS_MAX: usize = 32;
/// Share of a period's volume at its end that is not counted on to meet needs, per cent.
const SLACK_PER_CENT: u64 = 15;
/// A trading buyer emits at least so many times what it buys in one trade.
const TRADER_SIZE_RATIO: u64 = 4;

/// A trade between two entities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Trading day.
    pub date: BusinessDate,
    /// Position of the seller in the population.
    pub seller: usize,
    /// Position of the buyer in the population.
    pub buyer: usize,
    /// Instrument.
    pub instrument: Instrument,
    /// Method.
    pub method: Method,
    /// Tonnes.
    pub tonnes: Tonnes,
    /// Price per tonne.
    pub price: Fen,
}

impl Trade {
    /// What the buyer pays.
    pub fn fen(&self) -> Result<Fen, PlanError> {
        Ok(self.price.try_mul(self.tonnes)?)
    }
}

/// A payment with the day from which the entity holds all it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DuePayment {
    /// What is surrendered.
    pub payment: Payment,
    /// First trading day at whose end everything needed is held.
    pub ready: BusinessDate,
}

/// All trades in order, and the payments they make possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traded {
    /// Trades in the order of days.
    pub trades: Vec<Trade>,
    /// Payments of the first cycle, then of the second.
    pub payments: Vec<DuePayment>,
}

/// Last days of the two cycles.
pub const DEADLINES: [(u32, u32, u32); 2] = [(2021, 12, 31), (2023, 12, 31)];

/// Finds the parties of all trades of a market.
pub fn match_market(
    seed: u64,
    market: &Market,
    population: &Population,
) -> Result<Traded, PlanError> {
    let mut matching = Matching::new(seed, population);
    for (cycle, (year, month, day)) in DEADLINES.into_iter().enumerate() {
        let deadline =
            BusinessDate::from_ymd(year, month, day).map_err(|_| PlanError::Arithmetic)?;
        let from = matching.done;
        let period: Vec<&Volume> =
            market.volumes.iter().skip(from).take_while(|v| v.date <= deadline).collect();
        matching.done = from.saturating_add(period.len());
        matching.run_cycle(cycle, &period)?;
    }
    Ok(Traded { trades: matching.trades, payments: matching.payments })
}

/// Position of an instrument among the vintages.
fn vintage_position(volume: &Volume) -> Result<usize, PlanError> {
    let position = COMPLIANCE.iter().position(|figures| {
        Vintage::new(figures.vintage).is_ok_and(|known| volume.instrument == Instrument::Cea(known))
    });
    position.ok_or(PlanError::NoSeller {
        date: volume.date,
        instrument: volume.instrument,
        tonnes: volume.tonnes.get(),
    })
}

/// What is left of a period for one vintage.
#[derive(Clone, Debug, Default)]
struct Outlook {
    tonnes: u64,
    lots: u64,
    /// What the period had at its start.
    all_tonnes: u64,
    all_lots: u64,
    /// Entities that lack units, and how much all of them lack.
    needy: Vec<usize>,
    need: u64,
}

struct Matching<'a> {
    population: &'a Population,
    draws: Draws,
    positions: Vec<Position>,
    /// Entities with a position to clear at the end of the day.
    bought: Vec<usize>,
    /// Entities that may trade in this cycle.
    traders: Vec<usize>,
    outlooks: [Outlook; VINTAGES],
    ready: BTreeMap<usize, BusinessDate>,
    trades: Vec<Trade>,
    payments: Vec<DuePayment>,
    done: usize,
}

impl<'a> Matching<'a> {
    fn new(seed: u64, population: &'a Population) -> Self {
        let mut positions = vec![Position::default(); population.entities.len()];
        for (position, entity) in positions.iter_mut().zip(&population.entities) {
            let [first, ..] = entity.years;
            position.free = [first.issued, 0, 0];
        }
        Self {
            population,
            draws: Draws::new(seed, 5),
            positions,
            bought: Vec::new(),
            traders: Vec::new(),
            outlooks: Default::default(),
            ready: BTreeMap::new(),
            trades: Vec::new(),
            payments: Vec::new(),
            done: 0,
        }
    }

    fn run_cycle(&mut self, cycle: usize, period: &[&Volume]) -> Result<(), PlanError> {
        let mut volumes = [0u64; VINTAGES];
        let mut days = Vec::with_capacity(period.len());
        let mut outlooks: [Outlook; VINTAGES] = Default::default();
        for volume in period {
            let vintage = vintage_position(volume)?;
            let lots = lots(volume, &mut self.draws)?;
            if let (Some(sum), Some(outlook)) =
                (volumes.get_mut(vintage), outlooks.get_mut(vintage))
            {
                *sum = sum.saturating_add(volume.tonnes.get());
                outlook.tonnes = *sum;
                outlook.all_tonnes = *sum;
                outlook.lots = outlook.lots.saturating_add(lots.len() as u64);
                outlook.all_lots = outlook.lots;
            }
            days.push((*volume, vintage, lots));
        }
        self.outlooks = outlooks;
        let payments = self.start_cycle(cycle, &volumes)?;
        let first_day = period.first().map_or(BusinessDate::default(), |volume| volume.date);
        let mut today = first_day;
        for (volume, vintage, lots) in days {
            if volume.date != today {
                self.end_day();
                today = volume.date;
            }
            for lot in lots {
                self.trade(volume, vintage, lot)?;
            }
        }
        self.end_day();
        self.end_cycle(payments, first_day)
    }

    /// Sets what everyone keeps, and who lacks what.
    fn start_cycle(
        &mut self,
        cycle: usize,
        volumes: &[u64; VINTAGES],
    ) -> Result<Vec<Payment>, PlanError> {
        self.traders = (0..self.population.entities.len())
            .filter(|index| {
                let listing = self.population.entities.get(*index).map(|entity| entity.listing);
                listing == Some(Listing::Both) || (cycle == 1 && listing == Some(Listing::New))
            })
            .collect();
        let payments = if cycle == 0 {
            first_cycle_payments(self.population)
        } else {
            let payments = second_cycle_payments(self.population, &self.positions, volumes)?;
            for (position, entity) in self.positions.iter_mut().zip(&self.population.entities) {
                let [_, second, third] = entity.years;
                let [first, ..] = position.free;
                position.free = [first, second.issued, third.issued];
            }
            payments
        };
        for payment in &payments {
            let position = self.positions.get_mut(payment.entity);
            if let Some(keep) = position.and_then(|own| own.keep.get_mut(payment.vintage)) {
                *keep = keep.saturating_add(payment.tonnes);
            }
        }
        for (vintage, outlook) in self.outlooks.iter_mut().enumerate() {
            for (index, position) in self.positions.iter().enumerate() {
                let need = position.need(vintage);
                if need > 0 {
                    outlook.needy.push(index);
                    outlook.need = outlook.need.saturating_add(need);
                }
            }
        }
        Ok(payments)
    }

    /// Everyone pays; what was kept leaves the positions.
    fn end_cycle(
        &mut self,
        payments: Vec<Payment>,
        first_day: BusinessDate,
    ) -> Result<(), PlanError> {
        for (figures, outlook) in COMPLIANCE.iter().zip(&self.outlooks) {
            if outlook.need > 0 {
                let vintage = Vintage::new(figures.vintage).map_err(|_| PlanError::Arithmetic)?;
                let instrument = Instrument::Cea(vintage);
                return Err(PlanError::NeedUnmet { instrument, tonnes: outlook.need });
            }
        }
        for payment in payments {
            let ready = self.ready.get(&payment.entity).copied().unwrap_or(first_day);
            self.payments.push(DuePayment { payment, ready });
        }
        for position in &mut self.positions {
            for (free, keep) in position.free.iter_mut().zip(&mut position.keep) {
                *free = free.checked_sub(*keep).ok_or(PlanError::Arithmetic)?;
                *keep = 0;
            }
        }
        self.ready.clear();
        Ok(())
    }

    fn end_day(&mut self) {
        for index in self.bought.drain(..) {
            if let Some(position) = self.positions.get_mut(index) {
                position.bought_today = [0; VINTAGES];
            }
        }
    }

    /// Trades one lot, in parts where no seller has all of it.
    fn trade(&mut self, volume: &Volume, vintage: usize, lot: Lot) -> Result<(), PlanError> {
        let mut rest = lot.tonnes;
        while rest > 0 {
            let buyer = self.buyer(vintage, rest);
            let no_seller = PlanError::NoSeller {
                date: volume.date,
                instrument: volume.instrument,
                tonnes: rest,
            };
            let (seller, tonnes) =
                self.seller(vintage, rest, volume.method, buyer).ok_or(no_seller)?;
            rest = rest.saturating_sub(tonnes);
            self.transfer(volume.date, vintage, seller, buyer, tonnes)?;
            self.trades.push(Trade {
                date: volume.date,
                seller,
                buyer,
                instrument: volume.instrument,
                method: volume.method,
                tonnes: Tonnes::new(tonnes),
                price: Fen::new(lot.price),
            });
        }
        if let Some(outlook) = self.outlooks.get_mut(vintage) {
            outlook.tonnes = outlook.tonnes.saturating_sub(lot.tonnes);
            outlook.lots = outlook.lots.saturating_sub(1);
        }
        Ok(())
    }

    /// An entity that lacks units, twice as often as the volume left asks for, or a trader.
    fn buyer(&mut self, vintage: usize, tonnes: u64) -> usize {
        if let Some(outlook) = self.outlooks.get(vintage) {
            let needy = outlook.needy.len() as u64;
            let left = |left: u64, all: u64| {
                left.saturating_sub(fraction(all, SLACK_PER_CENT, 100)).max(1)
            };
            let tonnes_left = left(outlook.tonnes, outlook.all_tonnes);
            let by_tonnes = self.draws.below(tonnes_left) < outlook.need.saturating_mul(2);
            let lots_left = left(outlook.lots, outlook.all_lots);
            let by_lots = self.draws.below(lots_left) < needy.saturating_mul(2);
            if needy > 0 && (by_tonnes || by_lots) {
                return self.needy_buyer(vintage, tonnes);
            }
        }
        self.trading_buyer(tonnes)
    }

    /// An entity that lacks at least so much, else the one that lacks most.
    fn needy_buyer(&mut self, vintage: usize, tonnes: u64) -> usize {
        let needy = self.outlooks.get(vintage).map_or(&[][..], |outlook| &outlook.needy);
        let start = self.draws.position(needy.len());
        let need = |index: &usize| self.positions.get(*index).map_or(0, |p| p.need(vintage));
        let (before, after) = needy.split_at_checked(start).unwrap_or_default();
        let mut most = (0, 0);
        for index in after.iter().chain(before) {
            let lacking = need(index);
            if lacking >= tonnes {
                return *index;
            }
            if lacking > most.0 {
                most = (lacking, *index);
            }
        }
        most.1
    }

    fn trading_buyer(&mut self, tonnes: u64) -> usize {
        let enough = tonnes.saturating_mul(TRADER_SIZE_RATIO);
        let mut drawn = 0;
        for _ in 0..TRADER_DRAWS_MAX {
            let position = self.draws.position(self.traders.len());
            drawn = self.traders.get(position).copied().unwrap_or(0);
            let entity = self.population.entities.get(drawn);
            let large = |entity: &super::population::Entity| {
                entity.years.iter().any(|year| year.emissions >= enough)
            };
            if entity.is_some_and(large) {
                break;
            }
        }
        drawn
    }

    /// A seller with all the tonnes, or the one with most and as much as it may sell.
    ///
    /// Listing agreements take those first who hold too little for a block agreement.
    fn seller(
        &mut self,
        vintage: usize,
        tonnes: u64,
        method: Method,
        buyer: usize,
    ) -> Option<(usize, u64)> {
        let start = self.draws.position(self.traders.len());
        let (before, after) = self.traders.split_at_checked(start)?;
        let mut most = (0, 0);
        let mut large = None;
        for index in after.iter().chain(before).copied().filter(|index| *index != buyer) {
            let sellable = self.positions.get(index)?.sellable(vintage);
            if sellable >= tonnes {
                if method == Method::Block || sellable < BLOCK_TONNES_MIN {
                    return Some((index, tonnes));
                }
                large = large.or(Some(index));
            }
            if sellable > most.1 {
                most = (index, sellable);
            }
        }
        if let Some(index) = large {
            return Some((index, tonnes));
        }
        // A block agreement is cut only into parts that are block agreements themselves.
        let part_max = match method {
            Method::Block => tonnes.saturating_sub(BLOCK_TONNES_MIN),
            Method::Listing | Method::Auction => tonnes,
        };
        let part_min = if method == Method::Block { BLOCK_TONNES_MIN } else { 1 };
        let part = most.1.min(part_max);
        (part >= part_min).then_some((most.0, part))
    }

    fn transfer(
        &mut self,
        date: BusinessDate,
        vintage: usize,
        seller: usize,
        buyer: usize,
        tonnes: u64,
    ) -> Result<(), PlanError> {
        let position = self.positions.get_mut(seller).ok_or(PlanError::Arithmetic)?;
        let free = position.free.get_mut(vintage).ok_or(PlanError::Arithmetic)?;
        *free = free.checked_sub(tonnes).ok_or(PlanError::Arithmetic)?;

        let position = self.positions.get_mut(buyer).ok_or(PlanError::Arithmetic)?;
        let need_before = position.need(vintage);
        for amounts in [&mut position.free, &mut position.bought_today] {
            let amount = amounts.get_mut(vintage).ok_or(PlanError::Arithmetic)?;
            *amount = amount.checked_add(tonnes).ok_or(PlanError::Arithmetic)?;
        }
        self.bought.push(buyer);
        let need_after = position.need(vintage);
        if need_before > 0 {
            if position.is_covered() {
                self.ready.insert(buyer, date);
            }
            let outlook = self.outlooks.get_mut(vintage).ok_or(PlanError::Arithmetic)?;
            let met = need_before.saturating_sub(need_after);
            outlook.need = outlook.need.saturating_sub(met);
            if need_after == 0 {
                outlook.needy.retain(|index| *index != buyer);
            }
        }
        Ok(())
    }
}
