//! Throughput and waiting time over the load.

use super::receipts::Verifier;
use super::results::Measured;
use super::throughput::{self, Load};
use super::world::World;

/// Parts of G1's load that are tried, beside itself.
const PARTS: [usize; 4] = [256, 64, 16, 4];
/// Longest run in seconds.
const SECONDS_MAX: u64 = 6;

/// Adds the points to G1: one run for each load.
pub fn add_points(
    world: &mut World,
    verifier: &mut Verifier,
    load: &Load,
    g1: &mut Measured,
) -> eyre::Result<()> {
    let mut points = Vec::new();
    for part in PARTS {
        let in_flight = (load.in_flight / part).max(1);
        let load = Load { in_flight, seconds: load.seconds.min(SECONDS_MAX), ..*load };
        let run = throughput::run(world, verifier, &load, g1.ours * 1.2)?;
        points.push((in_flight as f64, run.rate));
    }
    points.push((load.in_flight as f64, g1.ours));
    for (in_flight, rate) in points {
        g1.point("transfers/s by transfers in flight", in_flight, rate);
        // So many are on their way, and so many a second arrive.
        let waits = in_flight * 1_000.0 / rate.max(1.0);
        g1.point("mean ms of a transfer by transfers/s", rate, waits);
    }
    Ok(())
}
