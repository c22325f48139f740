//! Money and trades of the model.

use cets_contracts::rules::settlement::confirm_funds::{ConfirmFunds, FundDirection};
use cets_contracts::rules::settlement::settle_trades::{SettleTrades, Trade, TradeMethod};
use cets_contracts::state::{ParameterName, UnitPlace, UnitStatus};
use cets_contracts::types::{AccountId, Role, Selection};

use super::{HOLDERS, Model, Units, may_hold};

/// Most ranges that one batch may move.
const RANGES_MOVED_MAX: usize = 4_096;

impl Model {
    pub(super) fn check_funds_shape(order: &ConfirmFunds) -> Result<(), u16> {
        if order.lines.is_empty() || order.lines.len() > 1_000 {
            return Err(1015);
        }
        for (at, line) in order.lines.iter().enumerate() {
            if line.amount.is_zero() {
                return Err(1006);
            }
            if order.lines[..at].iter().any(|other| other.reference == line.reference) {
                return Err(4001);
            }
        }
        Ok(())
    }

    pub(super) fn confirm_funds(&mut self, order: &ConfirmFunds) -> Result<(), u16> {
        if order.lines.iter().any(|line| self.references.contains(&line.reference)) {
            return Err(4001);
        }
        for line in &order.lines {
            if !HOLDERS.contains(&line.account.role()) {
                return Err(4002);
            }
            match line.direction {
                FundDirection::Deposit => self.living_account(line.account)?,
                FundDirection::Withdrawal => self.open_account(line.account)?,
            };
        }
        let before = self.accounts.clone();
        // The event tells both sums, so that they too must be countable.
        let (mut deposited, mut withdrawn) = (0u64, 0u64);
        for line in &order.lines {
            let account = self.accounts.get_mut(&line.account).unwrap();
            let amount = line.amount.get();
            let (after, number, sum) = match line.direction {
                FundDirection::Deposit => (account.fen.checked_add(amount), 1013, &mut deposited),
                FundDirection::Withdrawal => {
                    (account.fen.checked_sub(amount), 1011, &mut withdrawn)
                }
            };
            let total = sum.checked_add(amount);
            *sum = total.unwrap_or(u64::MAX);
            let number = if after.is_some() { 1013 } else { number };
            match after.filter(|_| total.is_some()) {
                Some(fen) => account.fen = fen,
                None => {
                    self.accounts = before;
                    return Err(number);
                }
            }
        }
        self.references.extend(order.lines.iter().map(|line| line.reference));
        Ok(())
    }

    pub(super) fn check_trades_shape(order: &SettleTrades) -> Result<(), u16> {
        if order.trades.is_empty() || order.trades.len() > 1_000 {
            return Err(1015);
        }
        // Line by line, each with its checks in the documented order.
        let mut before = None;
        for trade in &order.trades {
            if before >= Some(trade.trade_no) {
                return Err(4003);
            }
            if trade.tonnes.is_zero() || trade.price.is_zero() {
                return Err(1006);
            }
            if trade.seller == trade.buyer {
                return Err(1019);
            }
            before = Some(trade.trade_no);
        }
        Ok(())
    }

    pub(super) fn settle_trades(
        &mut self,
        exchange: AccountId,
        order: &SettleTrades,
    ) -> Result<(), u16> {
        if order.trading_day != self.today {
            return Err(4004);
        }
        let reductions = exchange.role() == Role::CcerExchange;
        if order.trades.iter().any(|trade| trade.instrument.is_ccer() != reductions) {
            return Err(1018);
        }
        let day = order.trading_day;
        if self.batches.contains_key(&(exchange, day, order.batch)) {
            return Err(4005);
        }
        // Whoever skips a number settles it too, unless it failed and waits.
        let answered = |number: u64| {
            let batches = self.batches.range((exchange, day, 0)..=(exchange, day, u32::MAX));
            batches.into_iter().any(|(_, (first, last))| (*first..=*last).contains(&number))
        };
        let waits = |number: u64| self.failed_trades.contains(&(exchange, day, number));
        if order.trades.iter().any(|t| answered(t.trade_no) && !waits(t.trade_no)) {
            return Err(4006);
        }
        let numbers = (order.trades[0].trade_no, order.trades[order.trades.len() - 1].trade_no);
        let mut ranges_moved = 0;
        for trade in &order.trades {
            let number = (exchange, day, trade.trade_no);
            match self.settle(trade, &mut ranges_moved) {
                Ok(()) => self.failed_trades.remove(&number),
                Err(_) => self.failed_trades.insert(number),
            };
        }
        self.batches.insert((exchange, day, order.batch), numbers);
        Ok(())
    }

    /// Units against money, or nothing.
    fn settle(&mut self, trade: &Trade, ranges_moved: &mut usize) -> Result<(), u16> {
        let reductions = trade.instrument.is_ccer();
        let name = if reductions {
            ParameterName::CcerBlockTradeMin
        } else {
            ParameterName::BlockTradeMin
        };
        let tonnes = trade.tonnes.get();
        match trade.method {
            TradeMethod::Block if i128::from(tonnes) < self.parameter(name, None)?.into() => {
                return Err(4007);
            }
            TradeMethod::Listing if i128::from(tonnes) >= self.parameter(name, None)?.into() => {
                return Err(4008);
            }
            _ => {}
        }
        for account in [trade.seller, trade.buyer] {
            if !may_hold(account.role(), reductions) {
                return Err(1020);
            }
        }
        self.open_account(trade.seller)?;
        self.open_account(trade.buyer)?;
        let units = Selection::Quantity { instrument: trade.instrument, tonnes: trade.tonnes };
        let picked = self.units.pick(trade.seller, &units)?;
        let ranges = Units::runs(&picked).len();
        if *ranges_moved + ranges > RANGES_MOVED_MAX {
            return Err(1008);
        }
        let amount = trade.price.get().checked_mul(tonnes).ok_or(1013u16)?;
        let money = self.accounts[&trade.buyer].fen.checked_sub(amount).ok_or(1011u16)?;
        let seller = self.accounts[&trade.seller].fen.checked_add(amount).ok_or(1013u16)?;
        self.accounts.get_mut(&trade.buyer).unwrap().fen = money;
        self.accounts.get_mut(&trade.seller).unwrap().fen = seller;
        self.units.put(&picked, UnitPlace { holder: trade.buyer, status: UnitStatus::Free });
        *ranges_moved += ranges;
        Ok(())
    }
}
