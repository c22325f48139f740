//! Attacks a node from outside and says what its honest clients noticed.

use std::process::{Command, ExitCode};
use std::time::Duration;

use cets_tests::hostile::attacks::Attack;
use cets_tests::hostile::story::{Stage, Strength};
use clap::{Parser, ValueEnum as _};
use eyre::ensure;

/// Honest orders that become final before, during and after an attack, at least.
const FINALS: usize = 20;

/// Starts a network of four with honest clients and attacks one node of it.
#[derive(Debug, Parser)]
#[command(name = "cargo hostile")]
struct Arguments {
    /// What is done: an attack, or `all`.
    #[arg(value_parser = attacks, default_value = "all")]
    attack: Attacks,
    /// Requests; of `unfunded` a quarter.
    #[arg(long, default_value_t = 100_000)]
    requests: u64,
    /// Requests a second at most.
    #[arg(long, default_value_t = 2_000)]
    rate: u64,
    /// Connections of the attacks that hold connections.
    #[arg(long, default_value_t = 2_000)]
    connections: usize,
    /// Seconds that they are held.
    #[arg(long, default_value_t = 30)]
    hold: u64,
    /// Seconds that honest clients are timed before and after an attack.
    #[arg(long, default_value_t = 8)]
    peace: u64,
    /// Seed of worthless bytes and orders.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Debug)]
struct Attacks(Vec<Attack>);

fn attacks(text: &str) -> Result<Attacks, String> {
    if text == "all" {
        return Ok(Attacks(Attack::ALL.to_vec()));
    }
    Attack::from_str(text, false).map(|attack| Attacks(vec![attack])).map_err(|_| {
        let names = Attack::ALL.map(Attack::name).join(", ");
        format!("attacks are {names}, all")
    })
}

/// Builds the nodes when cargo started this program, so that they are never older than it.
fn build() -> eyre::Result<()> {
    let Ok(cargo) = std::env::var("CARGO") else { return Ok(()) };
    let what = ["build", "--release", "--workspace", "--bin", "cets", "--bin", "cetsd", "--quiet"];
    let status = Command::new(cargo).args(what).status()?;
    ensure!(status.success(), "the nodes are not built: {status}");
    Ok(())
}

fn run(arguments: &Arguments) -> eyre::Result<bool> {
    build()?;
    let Arguments { requests, rate, connections, seed, .. } = *arguments;
    let hold = Duration::from_secs(arguments.hold);
    let peace = Duration::from_secs(arguments.peace);
    let strength = Strength { requests, rate, connections, hold, peace, finals: FINALS, seed };
    let mut violations = Vec::new();
    // Each attack meets a network that nobody attacked before.
    for attack in &arguments.attack.0 {
        let mut stage = Stage::open(seed)?;
        let measured = stage.attack(*attack, &strength)?;
        print!("{measured}");
        violations.extend(measured.violations());
        stage.close();
    }
    for violation in &violations {
        println!("VIOLATION: {violation}");
    }
    Ok(violations.is_empty())
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("hostile: {error:#}");
            ExitCode::FAILURE
        }
    }
}
