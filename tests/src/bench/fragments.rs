//! G16: what fragmented holdings cost.
//!
//! The same tonnes lie in one range of one holder and in many ranges of another. Transfers of both
//! are executed in one process, without signatures, network and disk: pushed into a block that is
//! then closed, state tree and log included.

use std::time::Instant;

use cets_contracts::rules::allowances::issue::{Issue, IssueLine};
use cets_contracts::rules::allowances::transfer::Transfer;
use cets_contracts::state::{StatusKind, keys};
use cets_contracts::types::{
    AccountId, Digest, Instrument, Role, SERIAL_RANGES_MOVED_MAX, Selection, Tonnes,
};
use eyre::ensure;

use super::goal::Goal;
use super::hot_paths::{World, trusted};
use super::results::{Measured, median};
use crate::fixture::{account, vintage};

/// Tonnes of a range of the fragmented holding.
const TONNES_PER_RANGE: u64 = 10;
/// Lines of an order to issue.
const LINES_PER_ORDER: u64 = 1_000;
/// Ranges that the transfers of a block move together.
const RANGES_PER_BLOCK: u64 = SERIAL_RANGES_MOVED_MAX as u64;
/// Ranges that one transfer moves.
const MOVED: [u64; 7] = [1, 4, 16, 64, 256, 1_024, RANGES_PER_BLOCK];
/// The length of a run that the goal is about.
const GOAL_MOVED: u64 = 1_024;
/// Numbers of the holders: of many ranges, of those between them, of one range, and who receives.
const MANY: u64 = 1;
const BETWEEN: u64 = 2;
const WHOLE: u64 = 3;
const RECEIVER: u64 = 4;
/// Vintage of the fragmented holding and of the whole one.
const FRAGMENTED: u16 = 2022;
const UNDIVIDED: u16 = 1920;

fn holder(number: u64) -> AccountId {
    account(Role::KeyEmittingEntity, number)
}

/// A ledger where one holder has so many ranges, and another as much in one.
fn world(ranges: u64) -> World {
    let mut world = World::new();
    let mut salt = 1 << 40;
    let mut issue = |world: &mut World, year: u16, lines: Vec<(u64, u64)>| {
        let line =
            |(number, tonnes)| IssueLine { account: holder(number), tonnes: Tonnes::new(tonnes) };
        let lines = lines.into_iter().map(line).collect();
        let issue = Issue { vintage: vintage(year), lines, document: Digest::new([2; 32]) };
        salt += 1;
        let signers = ["registry/1", "registry/2"];
        let order = world.order(account(Role::Registry, 1), &signers, issue.into(), salt);
        world.commit(&[order]);
    };
    issue(&mut world, UNDIVIDED, vec![(WHOLE, ranges * TONNES_PER_RANGE)]);
    let pairs: Vec<u64> = (0..ranges).collect();
    for chunk in pairs.chunks(LINES_PER_ORDER as usize / 2) {
        let pair = |_: &u64| [(MANY, TONNES_PER_RANGE), (BETWEEN, TONNES_PER_RANGE)];
        issue(&mut world, FRAGMENTED, chunk.iter().flat_map(pair).collect());
    }
    world
}

/// Microseconds of a transfer of so many tonnes, one of so many in a block.
fn micros(world: &World, from: u64, year: u16, tonnes: u64, count: u64) -> eyre::Result<f64> {
    let units = || Selection::Quantity {
        instrument: Instrument::Cea(vintage(year)),
        tonnes: Tonnes::new(tonnes),
    };
    let orders: Vec<Vec<u8>> = (0..count)
        .map(|salt| {
            let transfer = Transfer { to: holder(RECEIVER), units: units() };
            world.order(holder(from), &[&format!("plant/{from}")], transfer.into(), salt)
        })
        .collect();
    let orders = trusted(&orders);
    let started = Instant::now();
    let mut executor = world.executor();
    for order in &orders {
        let outcome = executor.push(order)?;
        ensure!(outcome.receipt.outcome.is_accepted(), "{:?}", outcome.receipt.outcome);
    }
    let (executed, _) = executor.finish()?;
    let spent = started.elapsed();
    ensure!(executed.outcomes.len() == orders.len(), "orders were left out of the block");
    Ok(spent.as_secs_f64() * 1e6 / count as f64)
}

/// Measures G16.
pub fn measure(ranges: u64, runs: usize) -> eyre::Result<Measured> {
    // Every other range of the run stays where it is, and one is left.
    ensure!(ranges > RANGES_PER_BLOCK, "at least {RANGES_PER_BLOCK} ranges are moved");
    let world = world(ranges);
    let instrument = Instrument::Cea(vintage(FRAGMENTED));
    let free = keys::units_by_holder(holder(MANY), StatusKind::Free.tag(), &instrument);
    let held = world.state.records_of(&free, None).count() as u64;
    ensure!(held == ranges, "the holding has {held} ranges, not {ranges}");
    let each = |from, year, tonnes, count| {
        let times = (0..runs).map(|_| micros(&world, from, year, tonnes, count));
        times.collect::<eyre::Result<Vec<f64>>>()
    };
    let mut lines = Vec::new();
    for moved in MOVED {
        let count = RANGES_PER_BLOCK / moved;
        lines.push((moved, each(MANY, FRAGMENTED, moved * TONNES_PER_RANGE, count)?));
    }
    let whole = each(WHOLE, UNDIVIDED, TONNES_PER_RANGE, RANGES_PER_BLOCK)?;
    let per_range = lines.iter().filter(|(moved, _)| *moved == GOAL_MOVED);
    let per_range =
        per_range.flat_map(|(moved, times)| times.iter().map(move |t| t / *moved as f64));
    let mut measured = Measured::of(Goal::G16, per_range.collect());
    let one = median(&whole);
    measured.figure("us per transfer of a part of a holding of one range", one);
    for (moved, times) in &lines {
        let time = median(times);
        measured.figure(&format!("us per transfer of {moved:4} ranges"), time);
        measured.figure(&format!("us per range when {moved:4} are moved"), time / *moved as f64);
        measured.point("microseconds per transfer over ranges moved", *moved as f64, time);
    }
    measured.note(format!(
        "a holding of {ranges} ranges beside the same tonnes in one range; executed on one thread \
         without signatures, network and disk; lowest serials first; the run of the goal has \
         {GOAL_MOVED} ranges"
    ));
    Ok(measured)
}
