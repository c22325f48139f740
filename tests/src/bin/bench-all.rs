//! Measures the ledger: `cargo bench-all [GOAL…]`; without goals, all of them.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use cets_tests::bench::course::{Course, Settings};
use cets_tests::bench::goal::Goal;
use cets_tests::bench::results::Results;
use cets_tests::bench::throughput::Load;
use cets_tests::bench::world::Scale;
use cets_tests::bench::{drive, machine, ordering, page, probe, reader};
use cets_tests::workspace;
use clap::{Parser, Subcommand};
use eyre::{bail, ensure};

/// Share of the last ten seconds in which programs waited for a processor before it is too noisy.
const PRESSURE_MAX: f64 = 20.0;
/// Longest wait for other programs, the build before among them.
const CALM_WAIT: Duration = Duration::from_secs(60);

/// Measures goals of the ledger beside what a user would pick instead.
///
/// Results are added to target/bench/results.json, from which docs/performance.md is written.
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
    /// Most ranges of G14, a power of ten.
    #[arg(long, default_value_t = 10_000_000)]
    ranges_max: u64,
    /// Most accounts of ACCOUNTS.
    #[arg(long, default_value_t = 1_000_000)]
    accounts_max: u64,
    /// Ranges of the fragmented holding of G16.
    #[arg(long, default_value_t = 100_000)]
    fragments: u64,
    /// Transfers of the history that G9 audits.
    #[arg(long, default_value_t = 500_000)]
    audited: u64,
    /// A small network and one short run: shows that everything works, not how fast it is.
    #[arg(long)]
    quick: bool,
    /// Leaves the folder of the network.
    #[arg(long)]
    keep: bool,
    /// Measures although other programs keep the processors busy; the results say so.
    #[arg(long)]
    anyway: bool,
    /// Writes the page from the results as they are and measures nothing.
    #[arg(long)]
    page_only: bool,
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
    /// Reads records with their proofs.
    #[command(hide = true)]
    Reader { task: PathBuf },
    /// Orders bytes that mean nothing.
    #[command(hide = true)]
    Orderer { task: PathBuf },
}

/// Builds the nodes when cargo started this program, so that they are never older than it.
fn build() -> eyre::Result<()> {
    let Ok(cargo) = std::env::var("CARGO") else { return Ok(()) };
    let what = ["build", "--release", "--workspace", "--bin", "cets", "--bin", "cetsd", "--quiet"];
    let status = Command::new(cargo).args(what).status()?;
    ensure!(status.success(), "the nodes are not built: {status}");
    Ok(())
}

/// Waits until other programs are calm; how busy they are in per cent when they are not in time.
fn noise(patience: Duration) -> Option<f64> {
    let started = Instant::now();
    loop {
        let pressure = machine::pressure().filter(|pressure| *pressure > PRESSURE_MAX)?;
        if started.elapsed() >= patience {
            return Some(pressure);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

impl Arguments {
    fn settings(&self) -> Settings {
        let validators = 4;
        let settings = Settings {
            goals: self.goals.iter().copied().collect(),
            scale: Scale { validators, ranges: self.ranges, accounts: self.accounts },
            load: Load {
                seconds: self.seconds,
                runs: self.runs,
                in_flight: self.in_flight,
                rate: None,
            },
            ranges_max: self.ranges_max,
            accounts_max: self.accounts_max,
            fragments: self.fragments,
            audited: self.audited,
            keep: self.keep,
        };
        if !self.quick {
            return settings;
        }
        Settings {
            scale: Scale { validators, ranges: 10_000, accounts: 300 },
            load: Load { seconds: 5, runs: 1, in_flight: 4_000, rate: None },
            ranges_max: 100_000,
            accounts_max: 10_000,
            fragments: 10_000,
            audited: 20_000,
            ..settings
        }
    }

    fn calm(&self) -> eyre::Result<Option<String>> {
        let patience = if self.anyway { Duration::ZERO } else { CALM_WAIT };
        let Some(pressure) = noise(patience) else { return Ok(None) };
        let busy = format!("other programs keep the processors busy (pressure {pressure:.0} %)");
        if !self.anyway {
            bail!("{busy}: end them, or give --anyway, and the results will say so");
        }
        Ok(Some(format!("NOISY: {busy} when it began")))
    }
}

fn run(arguments: &Arguments) -> eyre::Result<()> {
    match &arguments.process {
        Some(Process::Client { task }) => return drive::run_as_process(task),
        Some(Process::Probe { task }) => return probe::run_as_process(task),
        Some(Process::Reader { task }) => return reader::run_as_process(task),
        Some(Process::Orderer { task }) => return ordering::run_as_process(task),
        None => {}
    }
    if arguments.page_only {
        return page::write(&Results::of_file()?, &workspace::root());
    }
    build()?;
    let noise = arguments.calm()?;
    let run = Course::new(arguments.settings(), noise)?.run()?;
    page::write(&run.results, &workspace::root())?;
    let failures = run.failures;
    ensure!(failures.is_empty(), "not all could be measured:\n  {}", failures.join("\n  "));
    Ok(())
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-all: {error:#}");
            ExitCode::FAILURE
        }
    }
}
