//! Settles a batch of trades: delivery of units against payment.
//!
//! # Purpose
//! At the end of each trading day every trade is settled gross, units and money together or not
//! at all (Settlement rules (Trial) arts. 7-10). The trading institution matched the orders and
//! keeps its own rules (price limits, T+1); this order carries its result.
//!
//! # Who signs
//! The trading institution: that of allowances for allowances, that of reductions for reductions;
//! two people at least.
//!
//! # Checks in order
//! For the batch; a failure refuses all of it:
//! 1. One to [`TRADE_LINES_MAX`] lines, trade numbers rising, no zero tonnes or price, seller is
//!    not buyer.
//! 2. The trading day is the business date.
//! 3. Every instrument is traded by this institution.
//! 4. The batch number is new for the day.
//! 5. No trade was settled by an earlier batch of the day. A batch covers every number from its
//!    first to its last; a later batch may repeat a number only if that trade failed.
//!
//! For each line in order; a failure fails that line alone:
//! 6. Block trades reach the smallest block, listing trades stay below it.
//! 7. Seller and buyer may hold the instrument; both exist and are open.
//! 8. The seller holds the units free; the lowest serials are delivered.
//! 9. The buyer has the money free.
//! 10. The batch has not yet moved [`SERIAL_RANGES_MOVED_MAX`] ranges, nor looked at
//!     [`RANGES_LOOKED_AT_MAX`], those of failed lines included.
//!
//! Nothing moves before the last check, so that a line that fails costs little.
//!
//! # Writes
//! Accounts, units, settlements.
//!
//! # Event
//! One outcome per line: the ranges delivered, or the refusal; and the parties of failed lines.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::rules::{Abort, Authority, Reject, RejectCode, Rule, TxContext, common};
use crate::state::{
    Key, Overlay, ParameterName, Settlement, StatusKind, Table, UnitPlace, UnitStatus, keys,
};
use crate::types::{
    AccountId, BusinessDate, Fen, Instrument, OperationClass, Role, SERIAL_RANGES_MOVED_MAX,
    SerialRange, Tonnes, Vintage,
};

/// Most lines of one batch.
pub const TRADE_LINES_MAX: usize = 1_000;
/// Most ranges that one batch looks at. To look at a range is a small part of the work of moving
/// it: some sellers in too many pieces do not keep the other lines from settling.
pub const RANGES_LOOKED_AT_MAX: usize = 16 * SERIAL_RANGES_MOVED_MAX;

/// How a trade was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TradeMethod {
    /// Listing agreement (挂牌协议), below the smallest block.
    Listing,
    /// Block agreement (大宗协议), at least the smallest block.
    Block,
    /// One-way bidding (单向竞价).
    Auction,
}

/// One trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// Number that the trading institution gave it, unique within the trading day.
    pub trade_no: u64,
    /// What was traded.
    pub instrument: Instrument,
    /// How.
    pub method: TradeMethod,
    /// Who delivers.
    pub seller: AccountId,
    /// Who pays.
    pub buyer: AccountId,
    /// How much.
    pub tonnes: Tonnes,
    /// Price of one tonne.
    pub price: Fen,
}

/// Order: settle a batch of a day's trades.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettleTrades {
    /// Day on which the trades were made.
    pub trading_day: BusinessDate,
    /// Number of the batch within the day.
    pub batch: u32,
    /// The trades, by rising trade number.
    pub trades: Vec<Trade>,
}

/// What became of a trade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TradeOutcome {
    /// Units and money changed hands.
    Settled {
        /// The units delivered.
        ranges: Vec<SerialRange>,
    },
    /// Nothing moved.
    Failed(Reject),
}

/// A batch of trades was settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradesSettled {
    /// Units delivered.
    pub tonnes: Tonnes,
    /// Money paid.
    pub amount: Fen,
    /// One outcome per trade, in order.
    pub outcomes: Vec<TradeOutcome>,
    /// Parties of trades that failed, each once, so that their histories show it.
    #[serde(deserialize_with = "crate::codec::ascending")]
    pub parties_failed: BTreeSet<AccountId>,
}

crate::reject_codes! { REJECTS:
    4003 TRADE_NUMBERS_NOT_RISING "Settlement rules (Trial) arts. 7-10" [trade]
        en "Trade number {trade} is not above the one before it."
        zh "成交编号 {trade} 未按升序排列。"
        hint "Sort the trades by number; each number stands once."
        hint_zh "请按成交编号升序排列，每个编号只出现一次。";
    4004 NOT_THE_TRADING_DAY "Settlement rules (Trial) arts. 7-10" [today, asked]
        en "The business date is {today}; trades of {asked} cannot be settled."
        zh "当前业务日期为 {today}，不能结算 {asked} 的成交。"
        hint "Settle every trading day on that day, before the date advances."
        hint_zh "请在业务日期推进前于当日完成结算。";
    4005 BATCH_SETTLED "Settlement rules (Trial) arts. 7-10" [batch]
        en "Batch {batch} of this day was settled before."
        zh "当日第 {batch} 批次已结算。"
        hint "Results bind and cannot be changed; give a new batch a new number."
        hint_zh "结算结果不可更改；新批次请使用新的编号。";
    4006 TRADE_SETTLED "Settlement rules (Trial) arts. 7-10" [trade]
        en "Trade {trade} was settled by an earlier batch of this day, or lies within one."
        zh "成交 {trade} 已在当日先前批次中结算，或落在其编号范围内。"
        hint "Leave it out; only trades that failed may be sent again."
        hint_zh "请剔除该笔；仅失败的成交可重新提交。";
    4007 BLOCK_TOO_SMALL "Exchange announcement of June 2021" [minimum, asked]
        en "A block trade has at least {minimum} t, this one has {asked} t."
        zh "大宗协议交易不少于 {minimum} 吨，该笔为 {asked} 吨。"
        hint "Report it as a listing trade if it was one."
        hint_zh "如属挂牌协议交易，请按挂牌方式申报。";
    4008 LISTING_TOO_LARGE "Exchange announcement of June 2021" [minimum, asked]
        en "A listing trade stays below {minimum} t, this one has {asked} t."
        zh "挂牌协议交易应少于 {minimum} 吨，该笔为 {asked} 吨。"
        hint "Report it as a block trade if it was one."
        hint_zh "如属大宗协议交易，请按大宗方式申报。";
}

impl Rule for SettleTrades {
    type Event = TradesSettled;
    const NAME: &'static str = "settle_trades";
    const AUTHORITY: Authority =
        Authority::quorum(&[Role::Exchange, Role::CcerExchange], OperationClass::Operation, 2);
    const WRITES: &'static [Table] = &[Table::Accounts, Table::Units, Table::Settlements];
    const REJECTS: &'static [&'static RejectCode] = REJECTS;

    fn check(&self, _tx: &TxContext) -> Result<(), Reject> {
        common::check_lines(self.trades.len(), TRADE_LINES_MAX)?;
        let mut before = None;
        for trade in &self.trades {
            if before.is_some_and(|before| before >= trade.trade_no) {
                return Err(TRADE_NUMBERS_NOT_RISING.reject(vec![trade.trade_no.into()]));
            }
            before = Some(trade.trade_no);
            common::check_not_zero(trade.tonnes)?;
            common::check_amount(trade.price)?;
            if trade.seller == trade.buyer {
                return Err(common::SAME_ACCOUNT.reject(vec![trade.seller.into()]));
            }
        }
        Ok(())
    }

    fn apply(&self, tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        let today = state.ledger()?.business_date;
        if self.trading_day != today {
            return Err(NOT_THE_TRADING_DAY
                .reject(vec![today.into(), self.trading_day.into()])
                .into());
        }
        let ccer = tx.account.role() == Role::CcerExchange;
        if let Some(trade) = self.trades.iter().find(|trade| trade.instrument.is_ccer() != ccer) {
            let facts = vec![trade.instrument.into()];
            return Err(common::INSTRUMENT_NOT_ALLOWED.reject(facts).into());
        }
        let key = keys::settlement(tx.account, today, self.batch);
        if state.contains(&key) {
            return Err(BATCH_SETTLED.reject(vec![u64::from(self.batch).into()]).into());
        }
        self.close_reopened_trades(tx, state)?;

        let block_min = block_min(state, ccer, today)?;
        let mut settlement = self.new_settlement();
        let mut outcomes = Vec::with_capacity(self.trades.len());
        let mut parties_failed = BTreeSet::new();
        let mut work = WorkLeft::of_batch();
        for trade in &self.trades {
            match state.attempt(|state| settle(trade, block_min, &mut work, today, state)) {
                Ok(ranges) => {
                    settlement.count_settled(trade)?;
                    outcomes.push(TradeOutcome::Settled { ranges });
                }
                Err(Abort::Reject(reject)) => {
                    settlement.lines_failed = settlement.lines_failed.saturating_add(1);
                    settlement.trades_open.insert(trade.trade_no);
                    parties_failed.extend([trade.seller, trade.buyer]);
                    outcomes.push(TradeOutcome::Failed(reject));
                }
                Err(Abort::Fault(fault)) => return Err(fault.into()),
            }
        }
        state.put(key, &settlement)?;

        let Settlement { tonnes, amount, .. } = settlement;
        Ok(TradesSettled { tonnes, amount, outcomes, parties_failed })
    }

    fn example() -> Self {
        let entity = |number| crate::rules::example_account(Role::KeyEmittingEntity, number);
        Self {
            trading_day: BusinessDate::from_ymd(2021, 7, 16).expect("a day"),
            batch: 1,
            trades: vec![Trade {
                trade_no: 1,
                instrument: Instrument::Cea(Vintage::CYCLE_2019_2020),
                method: TradeMethod::Listing,
                seller: entity(1),
                buyer: entity(2),
                tonnes: Tonnes::new(1_000),
                price: Fen::new(5_123),
            }],
        }
    }
}

impl SettleTrades {
    /// Refuses trades that earlier batches of the day settled, and takes those that failed there
    /// off their lists: from now on this batch answers for them.
    fn close_reopened_trades(&self, tx: &TxContext, state: &mut Overlay<'_>) -> Result<(), Abort> {
        let prefix = keys::settlements_of_day(tx.account, self.trading_day);
        let own = self.new_settlement();
        // Of the hundreds of batches of a busy day few reach into each other.
        let reaches = |batch: &Settlement| {
            batch.trade_first <= own.trade_last && own.trade_first <= batch.trade_last
        };
        let mut batches: Vec<(Key, Settlement)> = Vec::new();
        for found in state.scan::<Settlement>(&prefix) {
            let (key, batch) = found?;
            if reaches(&batch) {
                batches.push((key, batch));
            }
        }

        let mut reopened = BTreeSet::new();
        for trade in &self.trades {
            let number = trade.trade_no;
            let covers = |(_, batch): &(Key, Settlement)| batch.covers(number);
            if !batches.iter().any(covers) {
                continue;
            }
            if !batches.iter().any(|(_, batch)| batch.trades_open.contains(&number)) {
                return Err(TRADE_SETTLED.reject(vec![number.into()]).into());
            }
            reopened.insert(number);
        }

        for (key, batch) in &mut batches {
            let before = batch.trades_open.len();
            batch.trades_open.retain(|number| !reopened.contains(number));
            if batch.trades_open.len() != before {
                state.put(*key, batch)?;
            }
        }
        Ok(())
    }

    fn new_settlement(&self) -> Settlement {
        Settlement {
            trade_first: self.trades.first().map_or(0, |trade| trade.trade_no),
            trade_last: self.trades.last().map_or(0, |trade| trade.trade_no),
            trades_open: BTreeSet::new(),
            lines_settled: 0,
            lines_failed: 0,
            tonnes: Tonnes::ZERO,
            amount: Fen::ZERO,
        }
    }
}

impl Settlement {
    /// Whether a trade number lies between the first and the last of the batch.
    const fn covers(&self, number: u64) -> bool {
        self.trade_first <= number && number <= self.trade_last
    }

    fn count_settled(&mut self, trade: &Trade) -> Result<(), Abort> {
        self.lines_settled = self.lines_settled.saturating_add(1);
        self.tonnes = self.tonnes.try_add(trade.tonnes)?;
        self.amount = self.amount.try_add(trade.price.try_mul(trade.tonnes)?)?;
        Ok(())
    }
}

/// The smallest block of a market, if it is set.
fn block_min(
    state: &Overlay<'_>,
    ccer: bool,
    today: BusinessDate,
) -> Result<(ParameterName, Option<Tonnes>), Abort> {
    let name = if ccer { ParameterName::CcerBlockTradeMin } else { ParameterName::BlockTradeMin };
    let version = state.parameter(name, None, today)?;
    let tonnes = version.and_then(|version| u64::try_from(version.value).ok()).map(Tonnes::new);
    Ok((name, tonnes))
}

/// What is left of the work that one batch may make.
#[derive(Clone, Copy, Debug)]
struct WorkLeft {
    ranges_to_move: usize,
    ranges_to_look_at: usize,
}

impl WorkLeft {
    const fn of_batch() -> Self {
        Self { ranges_to_move: SERIAL_RANGES_MOVED_MAX, ranges_to_look_at: RANGES_LOOKED_AT_MAX }
    }

    /// The lowest free units of the seller; what was looked at is spent, found or not.
    fn select(&mut self, trade: &Trade, state: &Overlay<'_>) -> Result<Vec<SerialRange>, Abort> {
        let most = self.ranges_to_move.min(self.ranges_to_look_at);
        let Trade { seller, instrument, tonnes, .. } = *trade;
        let selected = state.lowest_free_units(seller, instrument, tonnes, most);
        let looked_at = selected.as_ref().map_or(most, Vec::len);
        self.ranges_to_look_at = self.ranges_to_look_at.saturating_sub(looked_at);
        selected
    }
}

/// Delivers and pays one trade.
fn settle(
    trade: &Trade,
    block_min: (ParameterName, Option<Tonnes>),
    work: &mut WorkLeft,
    today: BusinessDate,
    state: &mut Overlay<'_>,
) -> Result<Vec<SerialRange>, Abort> {
    check_size(trade, block_min, today)?;
    let amount = check_parties(trade, state)?;
    let ranges = work.select(trade, state)?;

    let from = UnitPlace { holder: trade.seller, status: UnitStatus::Free };
    let to = UnitPlace { holder: trade.buyer, status: UnitStatus::Free };
    for range in &ranges {
        state.move_units(*range, from, to)?;
    }
    state.pay(trade.buyer, trade.seller, amount)?;
    work.ranges_to_move = work.ranges_to_move.saturating_sub(ranges.len());
    Ok(ranges)
}

/// Refuses parties that may not trade, or cannot deliver or pay; returns what the buyer pays.
///
/// Reads the two accounts only: their totals say what they hold.
fn check_parties(trade: &Trade, state: &Overlay<'_>) -> Result<Fen, Abort> {
    let Trade { instrument, tonnes, .. } = *trade;
    common::check_may_hold(trade.seller, instrument)?;
    let seller = common::open_account(state, trade.seller)?;
    common::check_may_hold(trade.buyer, instrument)?;
    let buyer = common::open_account(state, trade.buyer)?;
    let available = seller.total(instrument, StatusKind::Free);
    if available < tonnes {
        let facts = vec![instrument.into(), available.into(), tonnes.into()];
        return Err(common::HOLDING_INSUFFICIENT.reject(facts).into());
    }
    let amount = trade.price.try_mul(tonnes)?;
    let free = buyer.funds.free;
    if free < amount {
        let facts = vec![trade.buyer.into(), free.into(), amount.into()];
        return Err(common::FUNDS_INSUFFICIENT.reject(facts).into());
    }
    seller.funds.free.try_add(amount)?;
    Ok(amount)
}

/// Refuses a trade whose size does not fit its method.
fn check_size(
    trade: &Trade,
    (name, minimum): (ParameterName, Option<Tonnes>),
    today: BusinessDate,
) -> Result<(), Reject> {
    match (trade.method, minimum) {
        (TradeMethod::Block | TradeMethod::Listing, None) => {
            Err(common::PARAMETER_UNSET.reject(vec![name.into(), today.into()]))
        }
        (TradeMethod::Block, Some(minimum)) if trade.tonnes < minimum => {
            Err(BLOCK_TOO_SMALL.reject(vec![minimum.into(), trade.tonnes.into()]))
        }
        (TradeMethod::Listing, Some(minimum)) if trade.tonnes >= minimum => {
            Err(LISTING_TOO_LARGE.reject(vec![minimum.into(), trade.tonnes.into()]))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Event;
    use crate::rules::enforcement::freeze::Freeze;
    use crate::rules::testing::{
        MINISTRY, Market, ccer, cea, day, digest, entity, first, genesis, quantity, range,
    };
    use crate::types::Selection;

    fn exchange() -> AccountId {
        first(Role::Exchange)
    }

    /// Entity 1 sells to entity 2 by listing.
    fn trade(number: u64, tonnes: u64, price: u64) -> Trade {
        Trade {
            trade_no: number,
            instrument: cea(1920),
            method: TradeMethod::Listing,
            seller: entity(1),
            buyer: entity(2),
            tonnes: Tonnes::new(tonnes),
            price: Fen::new(price),
        }
    }

    fn batch(number: u32, trades: &[Trade]) -> SettleTrades {
        let trades = trades.to_vec();
        SettleTrades { trading_day: day("2021-07-16"), batch: number, trades }
    }

    /// Entity 1 holds 500,000 t, entity 2 has 10,000 yuan.
    fn market() -> Market {
        let mut market = Market::new();
        market.issue(entity(1), 1920, 500_000);
        market.deposit(entity(2), 1_000_000);
        market
    }

    fn settled(event: Event) -> TradesSettled {
        let Event::SettleTrades(settled) = event else { panic!("{event:?}") };
        settled
    }

    /// Names of the codes that failed lines, none for settled ones.
    fn failures(event: Event) -> Vec<Option<&'static str>> {
        settled(event)
            .outcomes
            .iter()
            .map(|outcome| match outcome {
                TradeOutcome::Settled { .. } => None,
                TradeOutcome::Failed(reject) => Some(reject.code().unwrap().name),
            })
            .collect()
    }

    #[test]
    fn units_and_money_change_hands_together() {
        let mut market = market();
        let event = market.accept(exchange(), batch(1, &[trade(1, 100, 5_123), trade(2, 1, 48)]));
        let outcome =
            |first, last| TradeOutcome::Settled { ranges: vec![range(cea(1920), first, last)] };
        let expected = TradesSettled {
            tonnes: Tonnes::new(101),
            amount: Fen::new(512_348),
            outcomes: vec![outcome(1, 100), outcome(101, 101)],
            parties_failed: BTreeSet::new(),
        };
        assert_eq!(settled(event), expected);
        assert_eq!(market.free(entity(2), cea(1920)), 101);
        assert_eq!(market.money(entity(1)), 512_348);
        assert_eq!(market.money(entity(2)), 1_000_000 - 512_348);
    }

    #[test]
    fn proceeds_and_purchases_are_used_by_later_lines() {
        let mut market = market();
        let onward = Trade { seller: entity(2), buyer: entity(1), ..trade(2, 100, 10_000) };
        let again = trade(3, 1, 1);
        let event = market.accept(exchange(), batch(1, &[trade(1, 100, 10_000), onward, again]));
        assert_eq!(failures(event), [None, None, None]);
    }

    #[test]
    fn a_batch_without_form_is_refused_as_a_whole() {
        let mut market = market();
        let mut refusal = |trades: &[Trade]| market.refusal(exchange(), batch(1, trades));
        assert_eq!(refusal(&[]), "LINES_COUNT");
        let number = |count: u64| (1..=count).map(|n| trade(n, 1, 1)).collect::<Vec<_>>();
        assert_eq!(refusal(&number(1_001)), "LINES_COUNT");
        assert_eq!(refusal(&[trade(1, 1, 1), trade(1, 1, 1)]), "TRADE_NUMBERS_NOT_RISING");
        assert_eq!(refusal(&[trade(1, 0, 1)]), "QUANTITY_ZERO");
        assert_eq!(refusal(&[trade(1, 1, 0)]), "QUANTITY_ZERO");
        assert_eq!(refusal(&[Trade { buyer: entity(1), ..trade(1, 1, 1) }]), "SAME_ACCOUNT");
    }

    #[test]
    fn trades_are_settled_on_their_trading_day() {
        let mut market = market();
        for text in ["2021-07-15", "2021-07-17"] {
            let order = SettleTrades { trading_day: day(text), ..batch(1, &[trade(1, 1, 1)]) };
            assert_eq!(market.refusal(exchange(), order), "NOT_THE_TRADING_DAY");
        }
    }

    #[test]
    fn each_exchange_settles_its_own_instruments() {
        let mut market = market();
        let order = batch(1, &[Trade { instrument: ccer(2016), ..trade(1, 1, 1) }]);
        assert_eq!(market.refusal(exchange(), order), "INSTRUMENT_NOT_ALLOWED");
        let code = market.refusal(first(Role::CcerExchange), batch(1, &[trade(1, 1, 1)]));
        assert_eq!(code, "INSTRUMENT_NOT_ALLOWED");
        market.reduce("2017-03-01", 2016, 10);
        let seller = first(Role::ProjectOwner);
        let reduction = Trade { instrument: ccer(2016), seller, ..trade(1, 1, 1) };
        let event = market.accept(first(Role::CcerExchange), batch(1, &[reduction]));
        assert_eq!(failures(event), [None]);
    }

    #[test]
    fn a_batch_number_counts_once_a_day() {
        let mut market = market();
        market.accept(exchange(), batch(1, &[trade(1, 1, 1)]));
        let code = market.refusal(exchange(), batch(1, &[trade(2, 1, 1)]));
        assert_eq!(code, "BATCH_SETTLED");
        market.accept(exchange(), batch(2, &[trade(2, 1, 1)]));
        market.advance("2021-07-19");
        let order = SettleTrades { trading_day: day("2021-07-19"), ..batch(1, &[trade(1, 1, 1)]) };
        market.accept(exchange(), order);
    }

    #[test]
    fn a_trade_is_settled_once_and_a_failed_one_may_be_sent_again() {
        let mut market = market();
        let dear = trade(2, 10, 1_000_000);
        let event = market.accept(exchange(), batch(1, &[trade(1, 1, 1), dear, trade(5, 1, 1)]));
        assert_eq!(failures(event), [None, Some("FUNDS_INSUFFICIENT"), None]);
        for number in [1, 3, 5] {
            let code = market.refusal(exchange(), batch(2, &[trade(number, 1, 1)]));
            assert_eq!(code, "TRADE_SETTLED", "{number}");
        }
        let event = market.accept(exchange(), batch(2, &[dear, trade(9, 1, 1)]));
        assert_eq!(failures(event), [Some("FUNDS_INSUFFICIENT"), None]);
        market.deposit(entity(2), 10_000_000);
        assert_eq!(failures(market.accept(exchange(), batch(3, &[dear]))), [None]);
        assert_eq!(market.refusal(exchange(), batch(4, &[dear])), "TRADE_SETTLED");
        let batches = market.view();
        let prefix = keys::settlements_of_day(exchange(), day("2021-07-16"));
        for found in batches.scan::<Settlement>(&prefix) {
            assert!(found.unwrap().1.trades_open.is_empty());
        }
    }

    #[test]
    fn the_size_of_a_trade_fits_its_method() {
        let mut market = market();
        let block =
            |number, tonnes| Trade { method: TradeMethod::Block, ..trade(number, tonnes, 1) };
        let auction = Trade { method: TradeMethod::Auction, ..trade(5, 5, 1) };
        let trades = [
            trade(1, 99_999, 1),
            trade(2, 100_000, 1),
            block(3, 100_000),
            block(4, 99_999),
            auction,
        ];
        let event = market.accept(exchange(), batch(1, &trades));
        let expected = [None, Some("LISTING_TOO_LARGE"), None, Some("BLOCK_TOO_SMALL"), None];
        assert_eq!(failures(event), expected);
    }

    #[test]
    fn a_trade_by_agreement_fails_until_its_market_has_a_smallest_block() {
        let mut genesis = genesis();
        genesis.parameters.retain(|one| one.name != ParameterName::CcerBlockTradeMin);
        let mut market = Market::of(&genesis);
        market.deposit(entity(2), 1_000_000);
        market.reduce("2017-03-01", 2016, 10);
        let seller = first(Role::ProjectOwner);
        let listing = Trade { instrument: ccer(2016), seller, ..trade(1, 1, 1) };
        let block = Trade { method: TradeMethod::Block, trade_no: 2, ..listing };
        let event = market.accept(first(Role::CcerExchange), batch(1, &[listing, block]));
        assert_eq!(failures(event), [Some("PARAMETER_UNSET"); 2]);
        let order = crate::rules::governance::set_parameter::SetParameter {
            name: ParameterName::CcerBlockTradeMin,
            year: None,
            valid_from: day("2021-07-16"),
            value: 1,
            article: "a notice".to_owned(),
        };
        market.accept(first(MINISTRY), order);
        let event = market.accept(first(Role::CcerExchange), batch(2, &[block]));
        assert_eq!(failures(event), [None]);
    }

    #[test]
    fn parties_may_hold_what_they_trade_exist_and_are_open() {
        let mut market = market();
        let freeze = Freeze { account: entity(3), units: None, order: digest(1) };
        market.accept(first(Role::Registry), freeze);
        let to = |number, buyer| Trade { buyer, ..trade(number, 1, 1) };
        let trades = [
            to(1, first(Role::ProjectOwner)),
            to(2, first(Role::Exchange)),
            to(3, entity(99)),
            to(4, entity(3)),
            Trade { seller: entity(3), ..trade(5, 1, 1) },
            trade(6, 1, 1),
        ];
        let event = market.accept(exchange(), batch(1, &trades));
        let expected = [
            Some("INSTRUMENT_NOT_HELD"),
            Some("INSTRUMENT_NOT_HELD"),
            Some("ACCOUNT_UNKNOWN"),
            Some("ACCOUNT_NOT_OPEN"),
            Some("ACCOUNT_NOT_OPEN"),
            None,
        ];
        assert_eq!(failures(event), expected);
    }

    #[test]
    fn a_line_that_cannot_deliver_or_pay_fails_alone_and_leaves_no_trace() {
        let mut market = market();
        let freeze = Some(quantity(cea(1920), 499_990));
        let freeze = Freeze { account: entity(1), units: freeze, order: digest(1) };
        market.accept(first(Role::Registry), freeze);
        let trades = [trade(1, 11, 1), trade(2, 10, 100_001), trade(3, 10, 100_000)];
        let event = market.accept(exchange(), batch(1, &trades));
        let expected = [Some("HOLDING_INSUFFICIENT"), Some("FUNDS_INSUFFICIENT"), None];
        let failed = settled(event.clone()).parties_failed;
        assert_eq!(failed.into_iter().collect::<Vec<_>>(), [entity(1), entity(2)]);
        assert_eq!(failures(event), expected);
        assert_eq!(market.free(entity(2), cea(1920)), 10);
        assert_eq!((market.money(entity(1)), market.money(entity(2))), (1_000_000, 0));
        let overflow = trade(4, 50_000, u64::MAX);
        let event = market.accept(exchange(), batch(2, &[overflow]));
        assert_eq!(failures(event), [Some("HOLDING_INSUFFICIENT")]);
        let back = Trade { seller: entity(2), buyer: entity(1), ..trade(5, 10, u64::MAX) };
        let event = market.accept(exchange(), batch(3, &[back]));
        assert_eq!(failures(event), [Some("AMOUNT_TOO_LARGE")]);
    }

    #[test]
    fn effects_name_what_settled_lines_moved_and_nothing_else() {
        let mut market = market();
        let dear = trade(1, 10, 1_000_000);
        let effects = market.effects(exchange(), batch(1, &[dear, trade(2, 10, 5)]));
        let moved: Vec<_> = effects.units.iter().map(|movement| movement.range).collect();
        assert_eq!(moved, [range(cea(1920), 1, 10)]);
        let paid: Vec<_> = effects.funds.iter().map(|movement| movement.amount).collect();
        assert_eq!(paid, [Fen::new(50)]);
    }

    /// As above; more free tonnes of entity 1 than a batch may move are ranges of their own.
    #[expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]
    fn market_in_pieces() -> (Market, u64) {
        // Every second tonne is frozen.
        let mut market = market();
        let pieces = u64::try_from(SERIAL_RANGES_MOVED_MAX).unwrap() + 1;
        for chunk in 0..pieces.div_ceil(256) {
            let first_piece = chunk * 256;
            let ranges = (first_piece..pieces.min(first_piece + 256))
                .map(|piece| range(cea(1920), piece * 2 + 2, piece * 2 + 2));
            let units = Some(Selection::Ranges(ranges.collect()));
            let order = Freeze { account: entity(1), units, order: digest(chunk) };
            market.accept(first(Role::Registry), order);
        }
        (market, pieces)
    }

    #[test]
    fn a_seller_whose_units_are_in_too_many_pieces_fails() {
        let (mut market, pieces) = market_in_pieces();
        let most = pieces - 1;
        let trades = [trade(1, pieces, 1), trade(2, most - 1, 1), trade(3, 2, 1), trade(4, 1, 1)];
        let event = market.accept(exchange(), batch(1, &trades));
        let expected = [Some("RANGES_TOO_MANY"), None, Some("RANGES_TOO_MANY"), None];
        assert_eq!(failures(event), expected);
    }

    #[test]
    fn a_line_that_fails_has_moved_nothing() {
        let (market, pieces) = market_in_pieces();
        let (dear, large) = (trade(1, 10, 1_000_000), trade(2, pieces, 1));
        for line in [dear, large, trade(3, 500_000, 1)] {
            let mut view = market.view();
            let answer = view.with_tables(SettleTrades::WRITES, |state| {
                let block_min = (ParameterName::BlockTradeMin, Some(Tonnes::new(1_000_000)));
                settle(&line, block_min, &mut WorkLeft::of_batch(), day("2021-07-16"), state)
            });
            assert!(matches!(answer, Err(Abort::Reject(_))), "{answer:?}");
            // Not within an attempt: nothing was put back.
            let (_, place) = view.range_at(&cea(1920), 1).unwrap().unwrap();
            assert_eq!(place.holder, entity(1), "{line:?}");
            assert_eq!(view.take_effects(), crate::rules::Effects::default());
        }
    }

    #[test]
    fn failed_lines_count_towards_the_work_of_a_batch() {
        let (mut market, pieces) = market_in_pieces();
        market.issue(entity(3), 1920, 10);
        let failing = RANGES_LOOKED_AT_MAX / SERIAL_RANGES_MOVED_MAX;
        for (batch_no, lines, last) in
            [(1, failing - 1, None), (2, failing, Some("RANGES_TOO_MANY"))]
        {
            let first_no = u64::from(batch_no) * 1_000;
            let numbers = (first_no..).take(lines);
            let mut trades: Vec<Trade> = numbers.map(|no| trade(no, pieces, 1)).collect();
            trades.push(Trade { seller: entity(3), ..trade(first_no + 999, 1, 1) });
            let failed = failures(market.accept(exchange(), batch(batch_no, &trades)));
            assert_eq!(failed.last().copied().unwrap(), last);
            assert!(failed[..lines].iter().all(|code| *code == Some("RANGES_TOO_MANY")));
        }
    }

    #[test]
    fn nobody_else_settles_and_never_one_person_alone() {
        let mut market = market();
        let order = batch(1, &[trade(1, 1, 1)]);
        assert_eq!(market.refusal(first(Role::Registry), order.clone()), "ROLE_NOT_ALLOWED");
        assert_eq!(market.refusal_by(exchange(), &[1], order), "SIGNATURES_INSUFFICIENT");
    }

    #[test]
    fn the_largest_batch_fits_into_a_transaction() {
        let mut market = market();
        let seller = first(Role::ProjectOwner);
        let instrument = ccer(2016);
        let trades: Vec<Trade> = (0..TRADE_LINES_MAX)
            .map(|number| Trade {
                instrument,
                seller,
                ..trade(u64::MAX - 1_000 + u64::try_from(number).unwrap(), 1, 1)
            })
            .collect();
        market.reduce("2017-03-01", 2016, 1_000);
        let order = SettleTrades { batch: u32::MAX, ..batch(1, &trades) };
        let event = settled(market.accept(first(Role::CcerExchange), order));
        assert_eq!(event.tonnes, Tonnes::new(1_000));
    }
}
