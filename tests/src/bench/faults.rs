//! G7 and G8: with a validator dead, and when it comes back.

use std::time::{Duration, Instant};

use super::goal::{Goal, LIVE_RATE};
use super::machine;
use super::receipts::Verifier;
use super::results::{Measured, median};
use super::throughput::{self, Load};
use super::world::World;

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
    let (mut caught, mut per_live, mut micros) = (Vec::new(), Vec::new(), Vec::new());
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
        let process = world.nodes.process_id(VICTIM).unwrap_or_default();
        micros.push(machine::cpu_seconds(process) * 1e6 / missed.max(1.0));
        per_live.push(run.rate);
    }
    let mut dead = Measured::of(Goal::G7, shares);
    dead.figure("transfers/s", median(&rates));
    dead.figure("longest time without a block in ms", median(&gaps));
    let mut catch_up = Measured::of(Goal::G8, caught);
    catch_up.against(LIVE_RATE, per_live);
    catch_up.figure("processor us of the node per transfer, its start included", median(&micros));
    catch_up.note("signatures, certificates and roots of every block checked; others idle");
    Ok(Away { dead, catch_up })
}
