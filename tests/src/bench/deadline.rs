//! DEADLINE: what the last hour of a compliance year is like when all holders come at once.

use cets_contracts::rules::compliance::record_verified_emissions::{
    EmissionLine, RecordVerifiedEmissions,
};
use cets_contracts::rules::compliance::surrender::Surrender;
use cets_contracts::types::{Instrument, Role, Selection, Tonnes, Vintage};
use eyre::ensure;

use super::drive::{ClientProcess, Pace, Task};
use super::goal::Goal;
use super::orders::Transfers;
use super::receipts::Verifier;
use super::results::{Measured, median};
use super::world::{VINTAGE, World, digest};

/// Tonnes of a surrender.
const TONNES: u64 = 10;
/// Surrenders of a holder in a run.
const EACH: u64 = 5;
/// Lines of an order of the province.
const LINES_PER_ORDER: usize = 1_000;
/// Orders of the province on their way at a time.
const IN_FLIGHT: usize = 4;
/// Longest wait until all are final, in milliseconds.
const DRAIN_MILLIS: u64 = 60_000;

fn year() -> eyre::Result<Vintage> {
    Ok(Vintage::new(VINTAGE)?)
}

/// The province records what every holder must surrender: as much as all runs bring.
fn oblige(world: &mut World, holders: u64, runs: usize) -> eyre::Result<()> {
    let province = world.institution(Role::Province)?;
    let due = Tonnes::new(TONNES * EACH * runs as u64);
    let numbers: Vec<u64> = (1..=holders).collect();
    let mut orders = Vec::new();
    for chunk in numbers.chunks(LINES_PER_ORDER) {
        let line = |number: &u64| EmissionLine {
            account: world.holder(*number).account,
            verified: due,
            due,
        };
        let lines = chunk.iter().map(line).collect();
        let report = digest(b"verification", chunk[0]);
        let order = RecordVerifiedEmissions { year: year()?, lines, report };
        orders.push(world.sign(&province, order)?);
    }
    world.finalise(orders, IN_FLIGHT)
}

/// What each holder sends, in turn, by lane.
fn surrenders(world: &mut World, holders: u64, lanes: usize) -> eyre::Result<Transfers> {
    let mut orders = Transfers { lanes: vec![Vec::new(); lanes], ..Transfers::default() };
    for turn in 0..EACH {
        for number in 1..=holders {
            let desk = world.holder(number).clone();
            let instrument = Instrument::Cea(year()?);
            let units = Selection::Quantity { instrument, tonnes: Tonnes::new(TONNES) };
            let order = world.signed(&desk, Surrender { year: year()?, units })?;
            orders.ids.insert(order.body.id());
            orders.lanes[((turn + number) % lanes as u64) as usize].push(order.encode());
        }
    }
    Ok(orders)
}

/// Measures a burst of surrenders.
pub fn measure(world: &mut World, verifier: &mut Verifier, runs: usize) -> eyre::Result<Measured> {
    let holders = world.scale.accounts.min(world.scale.ranges);
    oblige(world, holders, runs)?;
    let (mut rates, mut micros) = (Vec::new(), Vec::new());
    let mut shares: [Vec<f64>; 3] = Default::default();
    for _ in 0..runs {
        let orders = surrenders(world, holders, world.addresses().len())?;
        let count = orders.ids.len();
        let lanes = orders.write(world)?;
        let send_millis = Some(DRAIN_MILLIS);
        let pace = Pace { in_flight: count, rate: None, send_millis, drain_millis: DRAIN_MILLIS };
        let mut client = ClientProcess::start(&Task { lanes, pace }, world.folder())?;
        let meter = world.meter();
        client.go()?;
        let driven = client.finish()?;
        let cpu = meter.cpu_seconds();
        let last = driven.looks.last().map_or(0, |look| look.height);
        let verified = verifier.read_to(world, last, &orders.ids)?;
        let first = driven.looks.first().map_or(0, |look| look.height);
        let accepted = verified.between(first, last);
        ensure!(accepted == count as u64, "{accepted} of {count} surrenders were accepted");
        // After how long so many of a hundred were final.
        for (share, after) in [50, 99, 100].into_iter().zip(&mut shares) {
            let enough = |height: u64| verified.between(first, height) * 100 >= accepted * share;
            let look = driven.looks.iter().find(|look| enough(look.height));
            after.push(look.map_or(0.0, |look| look.millis / 1_000.0));
        }
        let seconds = shares[2].last().copied().unwrap_or_default().max(1e-3);
        rates.push(accepted as f64 / seconds);
        micros.push(cpu * 1e6 / accepted.max(1) as f64);
    }
    let mut measured = Measured::of(Goal::DEADLINE, rates);
    let [half, most, all] = shares;
    measured.figure("s until half are final", median(&half));
    measured.figure("s until 99 of 100 are final", median(&most));
    measured.figure("s until all are final", median(&all));
    measured.figure("processor us of all nodes per surrender", median(&micros));
    measured.note(format!(
        "{holders} holders, {EACH} surrenders each, all sent at one moment; each counts from that \
         moment until it is final"
    ));
    Ok(measured)
}
