//! G2 and G3: what a user would pick instead, in the same run.

use super::goal::{Goal, POSTGRES_BATCHED, POSTGRES_CHAIN, POSTGRES_NO_CHAIN, POSTGRES_STANDBY};
use super::machine;
use super::postgres::{self, Postgres, Variant};
use super::results::{Measured, Results, median};
use super::world::Scale;

/// Our runs of G1 as those of a goal that compares them.
fn ours(results: &Results, goal: Goal) -> Measured {
    Measured::of(goal, results.get(Goal::G1).map(|g1| g1.runs.clone()).unwrap_or_default())
}

/// The runs of one variant, and the processor microseconds of the whole machine per transfer.
fn runs(
    other: &Postgres,
    variant: Variant,
    seconds: u64,
    count: usize,
) -> eyre::Result<(Vec<f64>, f64)> {
    let (mut rates, mut micros) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let best = other.measure(variant, seconds)?;
        rates.push(best.rate);
        micros.push(best.busy_seconds * 1e6 / (best.rate * seconds as f64).max(1.0));
    }
    Ok((rates, median(&micros)))
}

/// Measures G2: the same transfers in PostgreSQL.
pub fn postgres(
    results: &Results,
    scale: Scale,
    seconds: u64,
    count: usize,
) -> eyre::Result<Measured> {
    let mut measured = ours(results, Goal::G2);
    let Some(programs) = postgres::programs() else {
        measured.note("not measured: PostgreSQL is not installed (initdb, pg_ctl, pgbench, psql)");
        return Ok(measured);
    };
    let mut other = Postgres::start(programs, scale)?;
    measured.note(other.describe()?);
    let mut take = |other: &Postgres, variant, name: &str| -> eyre::Result<()> {
        let (rates, micros) = runs(other, variant, seconds, count)?;
        measured.against(name, rates);
        measured.figure(&format!("processor us of the machine per transfer: {name}"), micros);
        Ok(())
    };
    take(&other, Variant::Chain, POSTGRES_CHAIN)?;
    take(&other, Variant::NoChain, POSTGRES_NO_CHAIN)?;
    take(&other, Variant::Batched, POSTGRES_BATCHED)?;
    let (log, range) = other.row_bytes()?;
    other.add_standby()?;
    take(&other, Variant::Chain, POSTGRES_STANDBY)?;
    measured.figure("PostgreSQL bytes per transfer", log);
    measured.figure("PostgreSQL bytes per range", range);
    measured.note(format!(
        "{} ranges of {} accounts on both sides; the number of clients that is best for \
         PostgreSQL counts; its clients run on the same {} processors",
        scale.ranges,
        scale.accounts,
        machine::processors()
    ));
    Ok(measured)
}

/// What is said of G3: CometBFT is a Go program that no package source of this build has.
pub fn cometbft(results: &Results) -> Measured {
    let mut measured = ours(results, Goal::G3);
    measured.note(
        "CometBFT is not measured: it must be built with Go from modules that are not among the \
         sources of this build, and no system package holds it",
    );
    measured.note(
        "reference, published by its makers, not measured here: CometBFT 0.34 to 1.0 saturates at \
         400 transactions/s of 1 KB in their test of 200 nodes",
    );
    measured
}
