//! TRADES: trades settled in batches that the trading institution signs.

use std::collections::BTreeSet;

use cets_contracts::rules::settlement::settle_trades::{SettleTrades, Trade, TradeMethod};
use cets_contracts::types::{Fen, Instrument, Role, Tonnes, Vintage};

use super::drive::{ClientProcess, Pace, Task};
use super::goal::Goal;
use super::orders;
use super::receipts::Verifier;
use super::results::{Measured, median};
use super::world::{VINTAGE, World};
use crate::workload::Chooser;

/// Trades of a batch.
const TRADES_PER_BATCH: u64 = 500;
/// Tonnes of a trade.
const TONNES: u64 = 10;
/// Price of a tonne in fen.
const PRICE: u64 = 5_000;
/// Batches on their way at a time.
const IN_FLIGHT: usize = 400;
/// Time that does not count at the start of a run, in milliseconds.
const WARM_UP_MILLIS: f64 = 1_000.0;
/// Longest wait until the last batches are final, in milliseconds.
const DRAIN_MILLIS: u64 = 60_000;
/// Trades signed for a run, a second.
const RATE: u64 = 120_000;

fn batches(world: &mut World, first: u32, count: u32) -> eyre::Result<Vec<Vec<u8>>> {
    let exchange = world.institution(Role::Exchange)?;
    let instrument = Instrument::Cea(Vintage::new(VINTAGE)?);
    let mut chooser = Chooser::new(first.into());
    let mut signed = Vec::new();
    for batch in first..first + count {
        let trade = |number: u64| {
            let accounts = world.scale.accounts;
            let seller = chooser.within(1, accounts);
            let buyer = 1 + (seller + chooser.below(accounts - 1)) % accounts;
            Trade {
                trade_no: u64::from(batch) * TRADES_PER_BATCH + number,
                instrument,
                method: TradeMethod::Listing,
                seller: world.holder(seller).account,
                buyer: world.holder(buyer).account,
                tonnes: Tonnes::new(TONNES),
                price: Fen::new(PRICE),
            }
        };
        let trades = (1..=TRADES_PER_BATCH).map(trade).collect();
        let order = SettleTrades { trading_day: world.day, batch, trades };
        signed.push(world.sign(&exchange, order)?);
    }
    Ok(signed)
}

/// Measures settled trades a second.
pub fn measure(
    world: &mut World,
    verifier: &mut Verifier,
    seconds: u64,
    runs: usize,
) -> eyre::Result<Measured> {
    let (mut rates, mut micros) = (Vec::new(), Vec::new());
    let count = u32::try_from(RATE * seconds / TRADES_PER_BATCH)?;
    for run in 0..u32::try_from(runs)? {
        let orders = batches(world, 1 + run * count, count)?;
        let file = world.folder().join("orders-trades");
        orders::write(&file, &orders)?;
        let address = world.addresses().into_iter().next().unwrap_or_default();
        let pace = Pace {
            in_flight: IN_FLIGHT,
            rate: None,
            send_millis: Some(seconds * 1_000),
            drain_millis: DRAIN_MILLIS,
        };
        let lanes = vec![(address, file)];
        let mut client = ClientProcess::start(&Task { lanes, pace }, world.folder())?;
        let meter = world.meter();
        client.go()?;
        let driven = client.finish()?;
        let cpu = meter.cpu_seconds();
        let last = driven.looks.last().map_or(0, |look| look.height);
        let verified = verifier.read_to(world, last, &BTreeSet::new())?;
        let window = driven.between(WARM_UP_MILLIS, seconds as f64 * 1_000.0);
        let (first, last) = window.ok_or_else(|| eyre::eyre!("no two blocks in the window"))?;
        let trades = verified.trades.range(first.height + 1..=last.height);
        let settled: u64 = trades.map(|(_, count)| count).sum();
        rates.push(settled as f64 * 1_000.0 / (last.millis - first.millis));
        let all: u64 = verified.trades.values().sum();
        micros.push(cpu * 1e6 / all.max(1) as f64);
    }
    let mut measured = Measured::of(Goal::TRADES, rates);
    measured.figure("processor us of all nodes per trade", median(&micros));
    measured
        .note(format!("{TRADES_PER_BATCH} trades in each signed batch; failed lines not counted"));
    Ok(measured)
}
