//! G1: committed signed transfers a second.

use super::drive::{ClientProcess, Driven, Pace, Task};
use super::goal::{Goal, SIGNATURE_BOUND};
use super::machine::Limits;
use super::orders::Transfers;
use super::receipts::Verifier;
use super::results::{Measured, median};
use super::world::World;

/// Time that does not count at the start of a run, in milliseconds.
const WARM_UP_MILLIS: f64 = 1_500.0;
/// Longest wait until the last transfers of a run are final, in milliseconds.
const DRAIN_MILLIS: u64 = 60_000;
/// Transfers signed for the first run, a second; later runs follow what was reached.
const FIRST_RATE: f64 = 15_000.0;

/// How a load is measured.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Seconds of a run.
    pub seconds: u64,
    /// Runs.
    pub runs: usize,
    /// Transfers on their way at a time.
    pub in_flight: usize,
    /// Transfers a second; as many as the nodes take without.
    pub rate: Option<f64>,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Verified transfers a second between the first and the last block of the window.
    pub rate: f64,
    /// Processor microseconds of all nodes per transfer.
    pub node_micros: f64,
    /// Processor microseconds of the client per transfer.
    pub client_micros: f64,
    /// Processors busy with nodes and client.
    pub busy: f64,
    /// Blocks a second.
    pub blocks: f64,
    /// Transfers of a block.
    pub per_block: f64,
    /// Transfers that were not taken.
    pub refused: u64,
    /// What the client saw.
    pub driven: Driven,
}

/// Takes a figure from a run.
type Figure = fn(&Run) -> f64;

/// Signs transfers, lets a client send them, and counts what verifies.
pub fn run(
    world: &mut World,
    verifier: &mut Verifier,
    load: &Load,
    guess: f64,
) -> eyre::Result<Run> {
    let count = (guess * load.seconds as f64) as u64 + load.in_flight as u64;
    let seed = 7 + count;
    let nodes = world.addresses().len();
    let transfers = Transfers::sign(world, count, nodes, seed)?;
    let lanes = transfers.write(world)?;
    let pace = Pace {
        in_flight: load.in_flight,
        rate: load.rate,
        send_millis: Some(load.seconds * 1_000),
        drain_millis: DRAIN_MILLIS,
    };
    let mut client = ClientProcess::start(&Task { lanes, pace }, world.folder())?;
    let meter = world.meter();
    client.go()?;
    let driven = client.finish()?;
    let (nodes_cpu, wall) = (meter.cpu_seconds(), meter.wall().as_secs_f64());
    let last = driven.looks.last().map_or(0, |look| look.height);
    let verified = verifier.read_to(world, last, &transfers.ids)?;
    eyre::ensure!(verified.refused == 0, "{} transfers were refused", verified.refused);
    let ended = load.seconds as f64 * 1_000.0;
    let (first, last) = driven.between(WARM_UP_MILLIS, ended).ok_or_else(|| {
        eyre::eyre!("no two blocks came in the window; the nodes stand still or it is too short")
    })?;
    let seconds = (last.millis - first.millis) / 1_000.0;
    let blocks = (last.height - first.height) as f64;
    let counted = verified.between(first.height, last.height) as f64;
    let all = driven.finalised().max(1) as f64;
    Ok(Run {
        rate: counted / seconds,
        node_micros: nodes_cpu * 1e6 / all,
        client_micros: driven.cpu_seconds * 1e6 / all,
        busy: (nodes_cpu + driven.cpu_seconds) / wall,
        blocks: blocks / seconds,
        per_block: counted / blocks,
        refused: driven.refused,
        driven,
    })
}

/// Measures G1.
pub fn measure(world: &mut World, verifier: &mut Verifier, load: &Load) -> eyre::Result<Measured> {
    let sample = Transfers::sign(world, 256, 1, 3)?;
    let limits = Limits::measure(&sample.lanes[0], world.folder())?;
    let (mut runs, mut guess) = (Vec::new(), FIRST_RATE);
    for number in 1..=load.runs {
        let run = run(world, verifier, load, guess)?;
        eprintln!(
            "run {number}: {:.0} transfers/s, nodes {:.1} us each, client {:.1} us, {:.1} blocks/s \
             of {:.0}, {:.2} processors, {} not taken",
            run.rate,
            run.node_micros,
            run.client_micros,
            run.blocks,
            run.per_block,
            run.busy,
            run.refused
        );
        guess = run.rate * 1.4;
        runs.push(run);
    }
    let of = |figure: Figure| runs.iter().map(figure).collect::<Vec<f64>>();
    let mut measured = Measured::of(Goal::G1, of(|run| run.rate));
    measured.against(SIGNATURE_BOUND, vec![limits.signature_bound()]);
    let figures: [(&str, Figure); 6] = [
        ("processor us of all nodes per transfer", |run| run.node_micros),
        ("processor us of the client per transfer", |run| run.client_micros),
        ("processors busy", |run| run.busy),
        ("blocks/s", |run| run.blocks),
        ("transfers per block", |run| run.per_block),
        ("transfers not taken by a mempool", |run| run.refused as f64),
    ];
    for (name, figure) in figures {
        measured.figure(name, median(&of(figure)));
    }
    measured.figure("signatures/s of one core in batches", limits.signatures);
    measured.figure("ms of a durable write of 4 KiB", limits.sync_millis);
    measured.figure("MiB/s written durably", limits.disk_mib);
    let scale = world.scale;
    measured.note(format!(
        "{} ranges of {} accounts, {} s a run, {} transfers in flight; four validators and the \
         client share {} processors; every block is synced before it counts",
        scale.ranges,
        scale.accounts,
        load.seconds,
        load.in_flight,
        super::machine::processors()
    ));
    Ok(measured)
}
