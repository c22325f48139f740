//! G14 and ACCOUNTS: throughput, memory, disk and start over the number of ranges and accounts.

use eyre::OptionExt as _;

use super::goal::Goal;
use super::machine;
use super::receipts::Verifier;
use super::results::{Measured, Results, median};
use super::sizes;
use super::throughput::{self, Load};
use super::world::{Scale, World};

/// Ranges of the smallest network.
const RANGES_MIN: u64 = 10_000;
/// Accounts of networks that are measured over ranges.
const ACCOUNTS: u64 = 3_000;
/// Accounts of the smaller and of the larger network that are measured over accounts.
const ACCOUNTS_FEW: u64 = 10_000;
const ACCOUNTS_MANY: u64 = 1_000_000;
/// How much more memory than a load has shown a network must find free.
const MEMORY_MARGIN: f64 = 1.2;
/// Most runs of a network.
const RUNS_MAX: usize = 3;
const MIB: f64 = 1_048_576.0;

/// One network, measured.
#[derive(Clone, Debug)]
pub struct Point {
    scale: Scale,
    /// Transfers a second of each run.
    runs: Vec<f64>,
    node_micros: f64,
    /// Seconds from a start to the first answer, of the slowest node.
    start: f64,
    /// MiB of a node after a restart, and the most under load.
    idle_mib: f64,
    peak_mib: f64,
    /// Bytes on the disk of a node after a restart, before the load.
    disk: f64,
}

fn each_memory(world: &World, line: &str) -> f64 {
    let processes = world.nodes.all().into_iter().filter_map(|node| world.nodes.process_id(node));
    median(&processes.map(|one| machine::memory_mib(one, line)).collect::<Vec<_>>())
}

/// Founds a network, restarts it, and measures its throughput.
pub fn point(scale: Scale, load: &Load) -> eyre::Result<Point> {
    let mut world = World::open(scale)?;
    let start = world.restart()?.as_secs_f64();
    let idle_mib = each_memory(&world, "VmRSS");
    let disk = median(&sizes::disk(&world));
    let mut verifier = Verifier::new(&world)?;
    let founded = world.nodes.height(&world.nodes.all());
    verifier.read_to(&world, founded, &Default::default())?;
    let g1 = throughput::measure(&mut world, &mut verifier, load)?;
    let node_micros = g1.figures.get(NODE_MICROS).copied().unwrap_or_default();
    let peak_mib = each_memory(&world, "VmHWM");
    let Scale { validators, ranges, accounts } = scale;
    eprintln!(
        "{validators} validators, {ranges} ranges, {accounts} accounts: {:.0} transfers/s, start \
         {start:.1} s, {idle_mib:.0} MiB idle, {peak_mib:.0} MiB at most, {:.0} MiB of disk",
        g1.ours,
        disk / MIB
    );
    Ok(Point { scale, runs: g1.runs, node_micros, start, idle_mib, peak_mib, disk })
}

/// Name of the figure of G1 that the points take over.
const NODE_MICROS: &str = "processor us of all nodes per transfer";

/// Name of a line of a plot.
fn line(what: &str, validators: usize) -> String {
    match validators {
        1 => format!("{what}, one validator"),
        count => format!("{what}, {count} validators"),
    }
}

impl Point {
    fn show(&self, measured: &mut Measured) {
        let Scale { validators, ranges, .. } = self.scale;
        let name = |what: &str| format!("{} at {ranges:8} ranges", line(what, validators));
        measured.figure(&name("transfers/s"), median(&self.runs));
        measured.figure(&name("processor us of all nodes per transfer"), self.node_micros);
        measured.figure(&name("s from start to first answer"), self.start);
        measured.figure(&name("MiB of a node after a restart"), self.idle_mib);
        measured.figure(&name("MiB of a node at most"), self.peak_mib);
        measured.figure(&name("MiB of disk of a node"), self.disk / MIB);
        let x = ranges as f64;
        measured.point(&line("transfers/s over ranges", validators), x, median(&self.runs));
        measured.point(&line("processor us over ranges", validators), x, self.node_micros);
        measured.point(&line("start over ranges", validators), x, self.start);
    }
}

/// Bytes that an item more takes, from two points.
fn slope(few: (f64, f64), many: (f64, f64)) -> f64 {
    (many.1 - few.1) / (many.0 - few.0).max(1.0)
}

/// Whether four validators fit into memory at so many ranges, from what a network at fewer used.
fn four_fit(results: &Results, ranges: u64) -> bool {
    let Some(g15) = results.get(Goal::G15) else { return false };
    let measured_at = g15.figures.get(sizes::LIVE_RANGES).copied().unwrap_or(1.0).max(1.0);
    let needed = g15.max * 4.0 * (ranges as f64 / measured_at).max(1.0) * MEMORY_MARGIN;
    needed < machine::available_mib()
}

/// A load with fewer runs: each network is founded for them alone.
fn shorter(load: &Load) -> Load {
    Load { runs: load.runs.min(RUNS_MAX), ..*load }
}

/// What networks are measured at.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// Ranges at which G1 was measured.
    pub ranges: u64,
    /// Most ranges.
    pub ranges_max: u64,
    /// Most accounts.
    pub accounts_max: u64,
}

/// Measures G14.
pub fn ranges(results: &Results, reach: Reach, load: &Load) -> eyre::Result<Measured> {
    let load = &shorter(load);
    let Reach { ranges, ranges_max, .. } = reach;
    let fits = four_fit(results, ranges_max);
    let accounts = ACCOUNTS.min(RANGES_MIN);
    let steps = |from: u64, to: u64| {
        std::iter::successors(Some(from), |step| Some(step * 10))
            .take_while(move |step| *step <= to)
    };
    let mut points = Vec::new();
    // Between the least and the most, G1 of the same results has the network of all goals.
    let four_max = if fits { ranges_max } else { ranges.min(ranges_max) - 1 };
    for ranges in steps(RANGES_MIN, four_max) {
        points.push(point(Scale { validators: 4, ranges, accounts }, load)?);
    }
    if !fits {
        for ranges in [RANGES_MIN, ranges_max] {
            points.push(point(Scale { validators: 1, ranges, accounts }, load)?);
        }
    }
    let validators = if fits { 4 } else { 1 };
    let mut alike = points.iter().filter(|point| point.scale.validators == validators);
    let few = alike.next().ok_or_eyre("no network was measured")?;
    let many = alike.next_back().unwrap_or(few);
    let base = median(&few.runs).max(1.0);
    let mut measured =
        Measured::of(Goal::G14, many.runs.iter().map(|rate| rate * 100.0 / base).collect());
    points.iter().for_each(|point| point.show(&mut measured));
    if let Some(g1) = results.get(Goal::G1).filter(|_| !fits) {
        let (x, micros) = (ranges as f64, g1.figures.get(NODE_MICROS).copied());
        measured.point(&line("transfers/s over ranges", 4), x, g1.ours);
        measured.point(&line("processor us over ranges", 4), x, micros.unwrap_or_default());
    }
    let x = |point: &Point| point.scale.ranges as f64;
    let per_range = |of: fn(&Point) -> f64| slope((x(few), of(few)), (x(many), of(many)));
    measured.figure("bytes of memory per range", per_range(|one| one.idle_mib * MIB));
    measured.figure("bytes of disk per range", per_range(|one| one.disk));
    measured.note(format!(
        "{} ranges against {RANGES_MIN}, {} of {accounts} accounts, {} s a run",
        many.scale.ranges,
        line("both", validators),
        load.seconds
    ));
    if !fits {
        measured.note(format!(
            "four validators at {ranges_max} ranges would not fit into the memory of this machine \
             ({:.0} MiB free), so one validator is compared with one",
            machine::available_mib()
        ));
    }
    Ok(measured)
}

/// Measures ACCOUNTS.
pub fn accounts(reach: Reach, load: &Load) -> eyre::Result<Measured> {
    let load = &shorter(load);
    let most = reach.accounts_max.min(ACCOUNTS_MANY);
    let few = ACCOUNTS_FEW.min(most / 10).max(2);
    let scale = |accounts| Scale { validators: 1, ranges: most, accounts };
    let (few, many) = (point(scale(few), load)?, point(scale(most), load)?);
    let mut measured = Measured::of(Goal::ACCOUNTS, many.runs.clone());
    measured.against(&format!("{} accounts", few.scale.accounts), few.runs.clone());
    let x = |point: &Point| point.scale.accounts as f64;
    let per_account = |of: fn(&Point) -> f64| slope((x(&few), of(&few)), (x(&many), of(&many)));
    measured.figure("bytes of memory per account", per_account(|one| one.idle_mib * MIB));
    measured.figure("bytes of disk per account", per_account(|one| one.disk));
    for point in [&few, &many] {
        let name = |what: &str| format!("{what} at {:7} accounts", point.scale.accounts);
        measured.figure(&name("transfers/s"), median(&point.runs));
        measured.figure(&name("s from start to first answer"), point.start);
        measured.figure(&name("MiB of the node after a restart"), point.idle_mib);
        measured.figure(&name("MiB of disk of the node"), point.disk / MIB);
    }
    measured.note(format!("{most} ranges in all, one validator; each account holds at least one"));
    Ok(measured)
}
