//! Totals of a ledger, gathered event by event; the same for a plan and for a real ledger.

use std::collections::{BTreeMap, BTreeSet};

use cets_contracts::types::{AccountId, BusinessDate, Fen, Instrument, Role, Tonnes, Vintage};

use super::error::PlanError;
use super::figures::FIRST_QUOTED;
use super::quotes::Method;

/// Tonnes and turnover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turnover {
    /// Tonnes.
    pub tonnes: u64,
    /// Fen.
    pub fen: u64,
}

impl Turnover {
    fn add(&mut self, tonnes: u64, fen: u64) -> Result<(), PlanError> {
        self.tonnes = self.tonnes.checked_add(tonnes).ok_or(PlanError::Arithmetic)?;
        self.fen = self.fen.checked_add(fen).ok_or(PlanError::Arithmetic)?;
        Ok(())
    }
}

/// Tonnes by year of compliance and account.
type YearAccounts = BTreeMap<(Vintage, AccountId), u64>;

/// Everything the published figures can be compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    opened: BTreeMap<AccountId, BusinessDate>,
    issued: YearAccounts,
    reductions_issued: u64,
    emissions: YearAccounts,
    offset: YearAccounts,
    surrendered: YearAccounts,
    traded: BTreeMap<(BusinessDate, Instrument, Method), Turnover>,
    trades: u64,
    first_blocks: BTreeMap<BusinessDate, (u64, u64)>,
    deposited: u64,
    withdrawn: u64,
}

fn add(sum: &mut u64, more: u64) -> Result<(), PlanError> {
    *sum = sum.checked_add(more).ok_or(PlanError::Arithmetic)?;
    Ok(())
}

/// What happens on a ledger.
impl Totals {
    /// An account was opened; only those of key emitting entities are counted.
    pub fn account_opened(&mut self, account: AccountId, date: BusinessDate) {
        if account.role() == Role::KeyEmittingEntity {
            self.opened.entry(account).or_insert(date);
        }
    }

    /// Units were issued.
    pub fn issued(
        &mut self,
        instrument: Instrument,
        account: AccountId,
        tonnes: Tonnes,
    ) -> Result<(), PlanError> {
        match instrument {
            Instrument::Cea(vintage) => {
                add(self.issued.entry((vintage, account)).or_default(), tonnes.get())
            }
            Instrument::Ccer(..) => add(&mut self.reductions_issued, tonnes.get()),
        }
    }

    /// Verified emissions were recorded.
    pub fn emissions_recorded(
        &mut self,
        year: Vintage,
        account: AccountId,
        tonnes: Tonnes,
    ) -> Result<(), PlanError> {
        add(self.emissions.entry((year, account)).or_default(), tonnes.get())
    }

    /// Reductions were used for a year of compliance.
    pub fn offset(
        &mut self,
        year: Vintage,
        account: AccountId,
        tonnes: Tonnes,
    ) -> Result<(), PlanError> {
        add(self.offset.entry((year, account)).or_default(), tonnes.get())
    }

    /// Allowances were surrendered for a year of compliance.
    pub fn surrendered(
        &mut self,
        year: Vintage,
        account: AccountId,
        tonnes: Tonnes,
    ) -> Result<(), PlanError> {
        add(self.surrendered.entry((year, account)).or_default(), tonnes.get())
    }

    /// A trade was settled.
    pub fn traded(
        &mut self,
        date: BusinessDate,
        instrument: Instrument,
        method: Method,
        tonnes: Tonnes,
        price: Fen,
    ) -> Result<(), PlanError> {
        let fen = price.try_mul(tonnes)?;
        self.traded.entry((date, instrument, method)).or_default().add(tonnes.get(), fen.get())?;
        if method == Method::Block {
            self.first_blocks.entry(date).or_insert((tonnes.get(), price.get()));
        }
        add(&mut self.trades, 1)
    }

    /// Money came in.
    pub fn deposited(&mut self, fen: Fen) -> Result<(), PlanError> {
        add(&mut self.deposited, fen.get())
    }

    /// Money went out.
    pub fn withdrawn(&mut self, fen: Fen) -> Result<(), PlanError> {
        add(&mut self.withdrawn, fen.get())
    }
}

/// Trading.
impl Totals {
    /// Number of trades settled.
    pub const fn trades(&self) -> u64 {
        self.trades
    }

    /// Money in and money out, in fen.
    pub const fn money(&self) -> (u64, u64) {
        (self.deposited, self.withdrawn)
    }

    /// Turnover of a range of days, of one method or of all.
    pub fn turnover(
        &self,
        from: BusinessDate,
        until: BusinessDate,
        method: Option<Method>,
    ) -> Turnover {
        let mut sum = Turnover::default();
        for ((date, _, own), turnover) in &self.traded {
            if (from..=until).contains(date) && method.is_none_or(|method| method == *own) {
                sum.tonnes = sum.tonnes.saturating_add(turnover.tonnes);
                sum.fen = sum.fen.saturating_add(turnover.fen);
            }
        }
        sum
    }

    /// Days with trades in a range of days.
    pub fn trading_days(&self, from: BusinessDate, until: BusinessDate) -> u64 {
        let days = self.traded.keys().map(|(date, ..)| *date);
        let days: BTreeSet<_> = days.filter(|date| (from..=until).contains(date)).collect();
        days.len() as u64
    }

    /// First day with a block agreement, with the tonnes and the price of its first.
    pub fn first_block(&self) -> Option<(BusinessDate, u64, u64)> {
        self.first_blocks.first_key_value().map(|(date, (tonnes, price))| (*date, *tonnes, *price))
    }

    /// Closing prices of every trading day, by the rule of the exchange: the average price of the
    /// day's listing agreements, rounded half up; without any, the close before. A vintage whose
    /// quotes start later starts from the composite close of the day before (rule book 2.6).
    pub fn closes(&self) -> BTreeMap<BusinessDate, BTreeMap<Instrument, u64>> {
        let days: BTreeSet<BusinessDate> = self.traded.keys().map(|(date, ..)| *date).collect();
        let mut closes = BTreeMap::new();
        let mut latest: BTreeMap<Instrument, u64> = BTreeMap::new();
        for date in days {
            if let Some(reference) = composite(&latest) {
                for (vintage, (year, month, day)) in FIRST_QUOTED {
                    let quoted = BusinessDate::from_ymd(*year, *month, *day);
                    if let (Ok(vintage), Ok(quoted)) = (Vintage::new(*vintage), quoted)
                        && date >= quoted
                    {
                        latest.entry(Instrument::Cea(vintage)).or_insert(reference);
                    }
                }
            }
            let from = (date, Instrument::Cea(Vintage::CYCLE_2019_2020), Method::Listing);
            let listed = self.traded.range(from..).take_while(|((day, ..), _)| *day == date);
            for ((_, instrument, _), turnover) in
                listed.filter(|((.., method), _)| *method == Method::Listing)
            {
                if let Some(close) = divide_half_up(turnover.fen, turnover.tonnes) {
                    latest.insert(*instrument, close);
                }
            }
            closes.insert(date, latest.clone());
        }
        closes
    }
}

/// Composite price: the mean of the closes of all instruments, rounded half up.
pub fn composite(closes: &BTreeMap<Instrument, u64>) -> Option<u64> {
    divide_half_up(closes.values().copied().fold(0, u64::saturating_add), closes.len() as u64)
}

/// A quotient rounded half up; none for a divisor of zero.
pub fn divide_half_up(dividend: u64, divisor: u64) -> Option<u64> {
    let twice = u128::from(divisor).saturating_mul(2);
    let half_more = u128::from(dividend).saturating_mul(2).saturating_add(u128::from(divisor));
    u64::try_from(half_more.checked_div(twice)?).ok()
}

/// Accounts and compliance.
impl Totals {
    /// Key emitting entities whose accounts were opened up to a day.
    pub fn entities_opened(&self, until: BusinessDate) -> u64 {
        let opened = self
            .opened
            .iter()
            .filter(|(account, date)| account.role() == Role::KeyEmittingEntity && **date <= until);
        opened.count() as u64
    }

    /// Entities opened up to a day that have no allowances of a vintage.
    pub fn entities_without(&self, vintage: Vintage, until: BusinessDate) -> u64 {
        let without = self.opened.iter().filter(|(account, date)| {
            **date <= until && !self.issued.contains_key(&(vintage, **account))
        });
        without.count() as u64
    }

    /// Tonnes issued of a vintage and the number of accounts that got some.
    pub fn issued_of(&self, vintage: Vintage) -> (u64, u64) {
        sum_of(&self.issued, vintage)
    }

    /// Reductions issued.
    pub const fn reductions_issued(&self) -> u64 {
        self.reductions_issued
    }

    /// Tonnes owed for a year and the number of entities that owe.
    pub fn obligation(&self, year: Vintage) -> (u64, u64) {
        sum_of(&self.emissions, year)
    }

    /// Tonnes surrendered for a year and the number of entities.
    pub fn surrendered_for(&self, year: Vintage) -> (u64, u64) {
        sum_of(&self.surrendered, year)
    }

    /// Reductions used for a year and the number of entities.
    pub fn offset_for(&self, year: Vintage) -> (u64, u64) {
        sum_of(&self.offset, year)
    }

    /// Tonnes by which entities emitted more than they were issued, and their number.
    pub fn deficits(&self, year: Vintage) -> (u64, u64) {
        self.sum_over_owing(year, |emissions, key| {
            emissions.saturating_sub(self.issued.get(&key).copied().unwrap_or(0))
        })
    }

    /// Tonnes left unpaid for a year, and the number of entities.
    pub fn unpaid(&self, year: Vintage) -> (u64, u64) {
        self.sum_over_owing(year, |emissions, key| self.arrears(emissions, key))
    }

    /// Number of entities that left something unpaid in any of the years.
    pub fn unpaid_entities(&self, years: &[Vintage]) -> u64 {
        let owing = self.emissions.iter().filter(|((year, _), _)| years.contains(year));
        let unpaid = owing.filter(|(key, emissions)| self.arrears(**emissions, **key) > 0);
        unpaid.map(|((_, account), _)| *account).collect::<BTreeSet<_>>().len() as u64
    }

    /// Entities whose offset exceeds the given share of the obligation, in per cent.
    pub fn offsets_above(&self, per_cent: u64) -> u64 {
        let above = self.offset.iter().filter(|(key, tonnes)| {
            let obligation = self.emissions.get(key).copied().unwrap_or(0);
            tonnes.saturating_mul(100) > obligation.saturating_mul(per_cent)
        });
        above.count() as u64
    }

    fn arrears(&self, emissions: u64, key: (Vintage, AccountId)) -> u64 {
        let paid = |by: &YearAccounts| by.get(&key).copied().unwrap_or(0);
        emissions.saturating_sub(paid(&self.surrendered)).saturating_sub(paid(&self.offset))
    }

    fn sum_over_owing(
        &self,
        year: Vintage,
        of: impl Fn(u64, (Vintage, AccountId)) -> u64,
    ) -> (u64, u64) {
        let owing = self.emissions.iter().filter(|((own, _), _)| *own == year);
        let amounts = owing.map(|(key, emissions)| of(*emissions, *key));
        amounts.filter(|amount| *amount > 0).fold((0, 0), |(sum, count), amount| {
            (sum.saturating_add(amount), count.saturating_add(1))
        })
    }
}

fn sum_of(accounts: &YearAccounts, year: Vintage) -> (u64, u64) {
    let own = accounts.iter().filter(|((own, _), tonnes)| *own == year && **tonnes > 0);
    own.fold((0, 0), |(sum, count), (_, tonnes)| {
        (sum.saturating_add(*tonnes), count.saturating_add(1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_round_half_up() {
        assert_eq!(divide_half_up(5, 2), Some(3));
        assert_eq!(divide_half_up(4, 3), Some(1));
        assert_eq!(divide_half_up(5, 3), Some(2));
        assert_eq!(divide_half_up(5, 0), None);
    }

    #[test]
    fn closes_average_listing_trades_and_repeat_without_any() {
        let mut totals = Totals::default();
        let cea = Instrument::Cea(Vintage::CYCLE_2019_2020);
        let day = |day| BusinessDate::from_ymd(2021, 7, day).unwrap();
        let mut trade = |date, method, tonnes, price| {
            totals.traded(date, cea, method, Tonnes::new(tonnes), Fen::new(price)).unwrap();
        };
        trade(day(16), Method::Listing, 100, 5_000);
        trade(day(16), Method::Listing, 300, 5_001);
        trade(day(16), Method::Block, 100_000, 4_000);
        trade(day(19), Method::Block, 100_000, 4_000);
        let closes = totals.closes();
        assert_eq!(closes[&day(16)][&cea], 5_001);
        assert_eq!(closes[&day(19)][&cea], 5_001);
        assert_eq!(totals.first_block(), Some((day(16), 100_000, 4_000)));
        assert_eq!(totals.trading_days(day(16), day(31)), 2);
    }
}
