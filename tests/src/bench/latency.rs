//! G5 and G6: how long one transfer takes, on an idle network and on a busy one.

use super::drive::{ClientProcess, Pace, Task};
use super::goal::Goal;
use super::orders::{self, Transfers};
use super::probe::{Latencies, Probe, ProbeTask};
use super::results::{Measured, median, per_mille};
use super::world::World;

/// Most transfers of a probe a second.
const PROBES_PER_SECOND_MAX: u64 = 200;
/// Longest wait until the last transfers are final, in milliseconds.
const DRAIN_MILLIS: u64 = 60_000;
/// Part of the throughput that makes a network busy.
const BUSY_SHARE: f64 = 0.5;

fn probe(world: &mut World, seconds: u64, pause_millis: u64) -> eyre::Result<Probe> {
    let transfers = Transfers::sign(world, seconds * PROBES_PER_SECOND_MAX, 1, 11)?;
    let orders = world.folder().join("probe-orders");
    orders::write(&orders, &transfers.lanes[0])?;
    let task = ProbeTask {
        address: world.addresses().into_iter().next().unwrap_or_default(),
        orders,
        genesis: world.network.genesis_path.clone(),
        millis: seconds * 1_000,
        pause_millis,
    };
    Probe::start(&task, world.folder())
}

fn measured(goal: Goal, runs: &[Latencies]) -> Measured {
    let each = |mille| runs.iter().map(|run| per_mille(&run.proven, mille)).collect::<Vec<f64>>();
    let mut measured = Measured::of(goal, each(990));
    measured.figure("p50 ms", median(&each(500)));
    measured.figure("p90 ms", median(&each(900)));
    measured.figure("p99 ms", median(&each(990)));
    measured.figure("longest ms", median(&each(1_000)));
    let answered: Vec<f64> = runs.iter().map(|run| per_mille(&run.answered, 500)).collect();
    measured.figure("p50 ms of the final answer alone", median(&answered));
    let count = runs.iter().map(|run| run.proven.len()).sum::<usize>();
    measured.figure("transfers measured", count as f64);
    let all: Vec<f64> = runs.iter().flat_map(|run| run.proven.iter().copied()).collect();
    let points = [1, 100, 250, 500, 750, 900, 950, 990, 995, 999, 1_000];
    let points = points.map(|mille| (mille as f64 / 10.0, per_mille(&all, mille)));
    measured.points.insert("latency by percentile".to_owned(), points.to_vec());
    measured
}

/// Measures G5: nothing else is on its way.
pub fn idle(world: &mut World, seconds: u64, runs: usize) -> eyre::Result<Measured> {
    let latencies = (0..runs).map(|_| probe(world, seconds, 0)?.finish());
    let latencies = latencies.collect::<eyre::Result<Vec<_>>>()?;
    let mut measured = measured(Goal::G5, &latencies);
    measured.note(
        "one after the other at one node: final answer, then header, certificate and path to the \
         root of the log, fetched and verified",
    );
    Ok(measured)
}

/// Measures G6: other clients keep the network at half of its throughput.
pub fn busy(
    world: &mut World,
    throughput: f64,
    seconds: u64,
    runs: usize,
) -> eyre::Result<Measured> {
    let (mut latencies, mut reached) = (Vec::new(), Vec::new());
    let rate = throughput * BUSY_SHARE;
    for run in 0..runs {
        let count = (rate * (seconds + 4) as f64) as u64;
        let nodes = world.addresses().len();
        let transfers = Transfers::sign(world, count, nodes, 23 + run as u64)?;
        let lanes = transfers.write(world)?;
        let pace = Pace {
            in_flight: 0,
            rate: Some(rate),
            send_millis: Some((seconds + 3) * 1_000),
            drain_millis: DRAIN_MILLIS,
        };
        let mut client = ClientProcess::start(&Task { lanes, pace }, world.folder())?;
        client.go()?;
        std::thread::sleep(std::time::Duration::from_secs(2));
        latencies.push(probe(world, seconds, 5)?.finish()?);
        let driven = client.finish()?;
        if let Some((first, last)) = driven.between(2_000.0, (seconds + 2) as f64 * 1_000.0) {
            let seconds = (last.millis - first.millis) / 1_000.0;
            reached.push((last.transactions - first.transactions) as f64 / seconds);
        }
    }
    let mut measured = measured(Goal::G6, &latencies);
    measured.figure("transfers/s meanwhile", median(&reached));
    Ok(measured)
}
