//! Flips bits in the folder of a node and says who notices.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use cets_tests::flips::campaign::{Campaign, Tally};
use cets_tests::flips::folder::{copy_folder, killed_node};
use cets_tests::workload::Chooser;
use clap::Parser;
use eyre::ensure;

/// Flips so many bits, one at a time, each in a copy of a real data folder.
#[derive(Debug, Parser)]
#[command(name = "cargo flips")]
struct Arguments {
    /// Flips.
    #[arg(default_value_t = 1_000)]
    count: u64,
    /// Seed of files, bytes and bits.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Data folder of a stopped node; without one, that of a node which is killed under load.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Seconds that the network works before the node is killed.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

/// Flips between two lines of progress.
const FLIPS_PER_LINE: u64 = 200;

/// Builds the nodes when cargo started this program, so that they are never older than it.
fn build() -> eyre::Result<()> {
    let Ok(cargo) = std::env::var("CARGO") else { return Ok(()) };
    let what = ["build", "--release", "--workspace", "--bin", "cets", "--bin", "cetsd", "--quiet"];
    let status = Command::new(cargo).args(what).status()?;
    ensure!(status.success(), "the nodes are not built: {status}");
    Ok(())
}

fn run(arguments: &Arguments) -> eyre::Result<bool> {
    let work = tempfile::TempDir::with_prefix("cets-flips-")?;
    let data = work.path().join("original");
    match &arguments.data {
        Some(folder) => copy_folder(Path::new(folder), &data)?,
        None => {
            build()?;
            killed_node(&data, arguments.seed, arguments.seconds)?;
        }
    }
    let campaign = Campaign::of(&data, work.path())?;
    println!("{} flips in {} files, seed {}", arguments.count, campaign.files(), arguments.seed);
    let (mut chooser, mut tally) = (Chooser::new(arguments.seed), Tally::default());
    let (started, mut done) = (Instant::now(), 0);
    while done < arguments.count {
        let next = FLIPS_PER_LINE.min(arguments.count.saturating_sub(done));
        tally.add(campaign.run(&mut chooser, next)?);
        done = done.saturating_add(next);
        eprintln!("{done} flips, {} s", started.elapsed().as_secs());
    }
    print!("{tally}");
    for violation in &tally.violations {
        println!("  SILENT: {violation}");
    }
    Ok(tally.violations.is_empty())
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("flips: {error:#}");
            ExitCode::FAILURE
        }
    }
}
