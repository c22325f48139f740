//! G7, G8, G9: with a validator dead, when it comes back, and an audit of it all.

use std::process::Command;
use std::time::{Duration, Instant};

use super::goal::Goal;
use super::receipts::Verifier;
use super::results::{Measured, median};
use super::throughput::{self, Load};
use super::world::World;
use crate::cluster::nodes::program;

/// The validator that dies; the first serves what is verified.
const VICTIM: usize = 3;

/// What happened while a validator was away.
#[derive(Debug)]
pub struct Away {
    /// G7.
    pub dead: Measured,
    /// G8.
    pub catch_up: Measured,
}

/// Measures G7 and G8: kills a validator, loads the others, starts it again.
pub fn away(
    world: &mut World,
    verifier: &mut Verifier,
    load: &Load,
    throughput: f64,
) -> eyre::Result<Away> {
    let (mut shares, mut rates, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
    let (mut caught, mut per_live) = (Vec::new(), Vec::new());
    for _ in 0..load.runs {
        world.nodes.kill(&[VICTIM])?;
        let run = throughput::run(world, verifier, load, throughput)?;
        shares.push(run.rate * 100.0 / throughput.max(1.0));
        rates.push(run.rate);
        let looks = run.driven.looks.windows(2).map(|pair| match pair {
            [one, two] => two.millis - one.millis,
            _ => 0.0,
        });
        gaps.push(looks.fold(0.0, f64::max));
        let missed = run.driven.finalised() as f64;
        let started = world.nodes.start(&[VICTIM])?;
        world.nodes.answer(&[VICTIM], started)?;
        let answered = Instant::now();
        let ended = world.nodes.catch_up(VICTIM)?;
        let seconds = (ended - answered).max(Duration::from_millis(1)).as_secs_f64();
        caught.push(missed / seconds);
        per_live.push(run.rate);
    }
    let mut dead = Measured::of(Goal::G7, shares);
    dead.figure("transfers/s", median(&rates));
    dead.figure("longest time without a block in ms", median(&gaps));
    let mut catch_up = Measured::of(Goal::G8, caught);
    catch_up.against("live rate", per_live);
    catch_up.note("signatures, certificates and roots of every block checked; others idle");
    Ok(Away { dead, catch_up })
}

/// Measures G9: the audit of a stopped validator's folder.
pub fn audit(world: &mut World, runs: usize) -> eyre::Result<Measured> {
    world.nodes.stop(VICTIM)?;
    let (mut rates, mut signatures) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let started = Instant::now();
        let output = Command::new(program("cetsd")?)
            .args(["audit", "--json", "--invariants-every", "0", "--data"])
            .arg(world.nodes.data_folder(VICTIM))
            .arg("--genesis")
            .arg(&world.network.genesis_path)
            .output()?;
        let seconds = started.elapsed().as_secs_f64();
        let said = String::from_utf8_lossy(&output.stderr);
        eyre::ensure!(output.status.success(), "the audit fails: {said}");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let count = |name: &str| report[name].as_f64().unwrap_or_default();
        rates.push(count("transactions") / seconds);
        signatures.push(count("signatures") / seconds);
    }
    let all = world.nodes.start(&[VICTIM])?;
    world.nodes.answer(&[VICTIM], all)?;
    let mut measured = Measured::of(Goal::G9, rates);
    measured.figure("signatures/s", median(&signatures));
    measured.note("`cetsd audit` over the whole folder: every signature, rule, root, certificate");
    Ok(measured)
}
