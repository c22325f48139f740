//! Measures the ledger: `cargo bench-all [GOAL…]`; without goals, all of them.

// Differences of what nodes count.
#![allow(clippy::arithmetic_side_effects)]

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use cets_tests::bench::goal::Goal;
use cets_tests::bench::postgres::{self, Postgres, Variant};
use cets_tests::bench::receipts::Verifier;
use cets_tests::bench::results::{self, Measured, Results};
use cets_tests::bench::throughput::{self, Load};
use cets_tests::bench::world::{Scale, World};
use cets_tests::bench::{drive, faults, latency, machine, page, probe, sizes, trades};
use cets_tests::workspace;
use clap::{Parser, Subcommand};
use eyre::ensure;

/// Share of the last ten seconds in which programs waited for a processor before it is too noisy.
const PRESSURE_MAX: f64 = 20.0;
/// Longest wait for other programs, the build before among them.
const CALM_WAIT: Duration = Duration::from_secs(60);

/// Measures goals of the ledger beside what a user would pick instead.
#[derive(Debug, Parser)]
#[command(name = "cargo bench-all", subcommand_negates_reqs = true)]
struct Arguments {
    #[command(subcommand)]
    process: Option<Process>,
    /// Goals to measure; all without.
    #[arg(value_enum)]
    goals: Vec<Goal>,
    /// Live ranges at the start.
    #[arg(long, default_value_t = 1_000_000)]
    ranges: u64,
    /// Accounts that hold them.
    #[arg(long, default_value_t = 3_000)]
    accounts: u64,
    /// Seconds of a run.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Runs; their median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Transfers on their way at a time.
    #[arg(long, default_value_t = 16_000)]
    in_flight: usize,
    /// Leaves the folder of the network.
    #[arg(long)]
    keep: bool,
    /// Does not wait until other programs are calm; the results say when they are not.
    #[arg(long)]
    noisy: bool,
}

/// Processes that the bench starts for itself.
#[derive(Debug, Subcommand)]
enum Process {
    /// Submits orders and follows the blocks.
    #[command(hide = true)]
    Client { task: PathBuf },
    /// Submits one transfer after the other and verifies each proof.
    #[command(hide = true)]
    Probe { task: PathBuf },
}

/// Builds the nodes when cargo started this program, so that they are never older than it.
fn build() -> eyre::Result<()> {
    let Ok(cargo) = std::env::var("CARGO") else { return Ok(()) };
    let what = ["build", "--release", "--workspace", "--bin", "cets", "--bin", "cetsd", "--quiet"];
    let status = Command::new(cargo).args(what).status()?;
    ensure!(status.success(), "the nodes are not built: {status}");
    Ok(())
}

/// The goals of one network, in the order in which they leave it fit for the next.
struct Bench {
    arguments: Arguments,
    results: Results,
    noise: Option<String>,
}

impl Bench {
    fn wants(&self, goal: Goal) -> bool {
        self.arguments.goals.is_empty() || self.arguments.goals.contains(&goal)
    }

    fn keep(&mut self, goal: Goal, mut measured: Measured) -> eyre::Result<()> {
        measured.notes.extend(self.noise.clone());
        print!("{}", measured.lines(goal));
        self.results.put(goal, measured);
        self.results.write(&results::folder().join("results.json"))
    }

    fn scale(&self) -> Scale {
        Scale { ranges: self.arguments.ranges, accounts: self.arguments.accounts }
    }

    fn load(&self) -> Load {
        let Arguments { seconds, runs, in_flight, .. } = self.arguments;
        Load { seconds, runs, in_flight, rate: None }
    }

    /// What needs a network; returns the throughput.
    fn ours(&mut self) -> eyre::Result<f64> {
        let mut world = World::open(self.scale())?;
        let measured = self.on(&mut world);
        if self.arguments.keep {
            println!("the network is in {}", world.keep().display());
        }
        measured
    }

    fn on(&mut self, world: &mut World) -> eyre::Result<f64> {
        let load = self.load();
        let start = world.restart()?;
        if self.wants(Goal::G12) {
            self.keep(Goal::G12, sizes::per_range(world, start))?;
        }
        let mut verifier = Verifier::new(world)?;
        let founded = world.nodes.height(&world.nodes.all());
        verifier.read_to(world, founded, &Default::default())?;
        let before = sizes::disk(world);
        let size = |world: &World| world.nodes.status(0).map_or(0, |now| now.log_size - now.height);
        let first = size(world);
        let measured = throughput::measure(world, &mut verifier, &load)?;
        let rate = measured.ours;
        self.keep(Goal::G1, measured)?;
        if self.wants(Goal::G15) {
            self.keep(Goal::G15, sizes::memory(world))?;
        }
        if self.wants(Goal::G11) {
            world.restart()?;
            let transfers = size(world) - first;
            self.keep(Goal::G11, sizes::per_transfer(world, &before, transfers))?;
        }
        if self.wants(Goal::G5) {
            self.keep(Goal::G5, latency::idle(world, load.seconds, load.runs)?)?;
        }
        if self.wants(Goal::G6) {
            self.keep(Goal::G6, latency::busy(world, rate, load.seconds, load.runs)?)?;
        }
        if self.wants(Goal::TRADES) {
            let measured = trades::measure(world, &mut verifier, load.seconds, load.runs)?;
            self.keep(Goal::TRADES, measured)?;
        }
        if self.wants(Goal::G7) || self.wants(Goal::G8) {
            let away = faults::away(world, &mut verifier, &load, rate)?;
            self.keep(Goal::G7, away.dead)?;
            self.keep(Goal::G8, away.catch_up)?;
        }
        if self.wants(Goal::G9) {
            self.keep(Goal::G9, faults::audit(world, load.runs)?)?;
        }
        Ok(rate)
    }

    /// The same transfers in PostgreSQL, in the same run.
    fn theirs(&mut self) -> eyre::Result<()> {
        let Some(ours) = self.results.get(Goal::G1) else { return Ok(()) };
        let mut measured = Measured::of(Goal::G2, ours.runs.clone());
        let Some(programs) = postgres::programs() else {
            measured.note("skipped: PostgreSQL is not installed (initdb, pg_ctl, pgbench, psql)");
            return self.keep(Goal::G2, measured);
        };
        let Arguments { seconds, runs, .. } = self.arguments;
        let mut other = Postgres::start(programs, self.scale())?;
        measured.note(other.describe()?);
        let sides = [
            (Variant::Chain, "PostgreSQL, hash chain, one node"),
            (Variant::NoChain, "PostgreSQL, no chain, one node"),
            (Variant::Batched, "PostgreSQL, hash chain, 100 per commit"),
        ];
        let measure = |other: &Postgres, variant| {
            (0..runs).map(|_| other.measure(variant, seconds)).collect::<eyre::Result<Vec<f64>>>()
        };
        for (variant, name) in sides {
            measured.against(name, measure(&other, variant)?);
        }
        let (log, range) = other.row_bytes()?;
        measured.figure("PostgreSQL bytes per transfer", log);
        measured.figure("PostgreSQL bytes per range", range);
        other.add_standby()?;
        let runs = measure(&other, Variant::Chain)?;
        measured.against("PostgreSQL, hash chain, one synchronous standby", runs);
        self.keep(Goal::G2, measured)
    }
}

/// Waits until other programs are calm; what the results must say when they are not in time.
fn noise(patience: Duration) -> Option<String> {
    let started = Instant::now();
    loop {
        let pressure = machine::pressure().filter(|pressure| *pressure > PRESSURE_MAX)?;
        if started.elapsed() >= patience {
            return Some(format!(
                "other programs kept the processors busy before it began (pressure {pressure:.0} %)"
            ));
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn run(arguments: Arguments) -> eyre::Result<()> {
    match &arguments.process {
        Some(Process::Client { task }) => return drive::run_as_process(task),
        Some(Process::Probe { task }) => return probe::run_as_process(task),
        None => build()?,
    }
    let noise = noise(if arguments.noisy { Duration::ZERO } else { CALM_WAIT });
    let results = Results::read(&results::folder().join("results.json"))?;
    let mut bench = Bench { arguments, results, noise };
    bench.ours()?;
    if bench.wants(Goal::G2) {
        bench.theirs()?;
    }
    page::write(&bench.results, &workspace::root())
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-all: {error:#}");
            ExitCode::FAILURE
        }
    }
}
