//! Tells stories of nodes that are killed, cut off, filled up and lied to under load.

use std::process::{Command, ExitCode};

use cets_tests::cluster::story::{Kind, Telling, tell};
use clap::{Parser, ValueEnum as _};
use eyre::ensure;

/// Starts real nodes, drives load, does something to the nodes and compares everything.
#[derive(Debug, Parser)]
#[command(name = "cargo cluster")]
struct Arguments {
    /// What happens: a story, or `all`.
    #[arg(value_parser = stories)]
    story: Stories,
    /// Seed of moments, nodes and orders.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How often it happens; each story has its own default.
    #[arg(long)]
    rounds: Option<u32>,
    /// Validators of the network.
    #[arg(long, default_value_t = 4)]
    validators: usize,
}

#[derive(Clone, Debug)]
struct Stories(Vec<Kind>);

fn stories(text: &str) -> Result<Stories, String> {
    if text == "all" {
        return Ok(Stories(Kind::ALL.to_vec()));
    }
    Kind::from_str(text, false).map(|kind| Stories(vec![kind])).map_err(|_| {
        let names = Kind::ALL.map(Kind::name).join(", ");
        format!("stories are {names}, all")
    })
}

/// Builds the nodes when cargo started this program, so that they are never older than it.
fn build(stories: &[Kind]) -> eyre::Result<()> {
    let Ok(cargo) = std::env::var("CARGO") else { return Ok(()) };
    let honest: &[&str] = &["--bin", "cets", "--bin", "cetsd"];
    let byzantine: &[&str] = &["--features", "cets-node/byzantine", "--bin", "cetsd-byzantine"];
    let with_byzantine = stories.contains(&Kind::Byzantine).then_some(byzantine);
    for what in [honest].into_iter().chain(with_byzantine) {
        let common = ["build", "--release", "--workspace", "--quiet"];
        let status = Command::new(&cargo).args(common).args(what).status()?;
        ensure!(status.success(), "the nodes are not built: {status}");
    }
    Ok(())
}

fn run(arguments: &Arguments) -> eyre::Result<bool> {
    build(&arguments.story.0)?;
    let (seed, validators) = (arguments.seed, arguments.validators);
    let mut all_hold = true;
    for kind in &arguments.story.0 {
        let rounds = arguments.rounds.unwrap_or(kind.rounds());
        let name = kind.name();
        if let Some(obstacle) = kind.obstacle() {
            println!("{name}: SKIPPED, this machine cannot: {obstacle}\n");
            continue;
        }
        println!("{name}: {rounds} rounds, {validators} validators, seed {seed}");
        let ending = tell(*kind, &Telling { seed, rounds, validators })?;
        print!("{}", ending.figures);
        for violation in &ending.violations {
            println!("  VIOLATION: {violation}");
        }
        match &ending.folder {
            None => println!("{name}: everything holds\n"),
            Some(folder) => {
                all_hold = false;
                println!("{name}: see the logs of the nodes in {}", folder.display());
                let options = format!("--rounds {rounds} --validators {validators} --seed {seed}");
                println!("{name}: again with `cargo cluster {name} {options}`\n");
            }
        }
    }
    Ok(all_hold)
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cluster: {error:#}");
            ExitCode::FAILURE
        }
    }
}
