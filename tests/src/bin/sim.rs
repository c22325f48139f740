//! `cargo sim`: the network under many seeds.

#![allow(clippy::float_arithmetic, clippy::cast_precision_loss)]

use std::process::ExitCode;
use std::time::Duration;

use cets_tests::sim::{Outcome, Search, Shape, Templates, Total, again, run_seed, search};
use clap::Parser;

/// Simulates the network: nodes, clients and faults in one process, decided by seeds.
#[derive(Debug, Parser)]
#[command(name = "sim")]
struct Arguments {
    /// Validators at the start.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(4..=16))]
    validators: u16,
    /// How many of them lie.
    #[arg(long, default_value_t = 0)]
    byzantine: u16,
    /// Seeds to run.
    #[arg(long)]
    seeds: Option<u64>,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Threads; each runs seeds of its own.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Searches until so many minutes are over.
    #[arg(long)]
    minutes: Option<u64>,
    /// Prints every event; for one seed.
    #[arg(long)]
    trace: bool,
}

fn show(shape: Shape, outcome: &Outcome) {
    if outcome.violations.is_empty() {
        return;
    }
    println!("seed {}: {} events, {} heights", outcome.seed, outcome.events, outcome.heights);
    for violation in &outcome.violations {
        println!("  VIOLATION: {violation}");
    }
    println!("  again with: {}", again(shape, outcome.seed));
}

fn report(shape: Shape, total: &Total) {
    let Total { seeds, sum, failed, took } = total;
    let seconds = took.as_secs_f64();
    let rate = sum.events as f64 / seconds.max(0.001);
    println!(
        "{} validators, {} of them Byzantine: {seeds} seeds, {} events, {} heights, {} orders \
         taken, {} final for their clients, {} power cuts; longest recovery {:.1} s of virtual \
         time; {rate:.0} events/s in {seconds:.1} s; {} seeds with violations",
        shape.validators,
        shape.byzantine,
        sum.events,
        sum.heights,
        sum.orders,
        sum.acknowledged,
        sum.crashes,
        sum.recovery as f64 / 1e6,
        failed.len()
    );
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let shape = Shape { validators: arguments.validators, byzantine: arguments.byzantine };
    if usize::from(shape.byzantine) > Shape::tolerated(usize::from(shape.validators)) {
        eprintln!("sim: {shape:?}: fewer than a third may be Byzantine");
        return ExitCode::from(2);
    }
    if arguments.trace {
        let outcome = run_seed(&Templates::new(shape), shape, arguments.first, true);
        show(shape, &outcome);
        println!("digest {}", outcome.digest);
        return if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let time = arguments.minutes.map(|minutes| Duration::from_secs(minutes.saturating_mul(60)));
    let seeds = arguments.seeds.or(if time.is_none() { Some(100) } else { None });
    let (first, jobs) = (arguments.first, arguments.jobs);
    let total = search(Search { shape, first, seeds, time, jobs }, |one| show(shape, one));
    report(shape, &total);
    if total.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
