//! G11, G12, G15: bytes on disk and in memory.

use std::time::Duration;

use super::goal::Goal;
use super::machine;
use super::results::{Measured, median};
use super::world::World;

/// Name of the figure that says at how many ranges memory was measured.
pub const LIVE_RANGES: &str = "live ranges";

/// Bytes on disk of every node.
pub fn disk(world: &World) -> Vec<f64> {
    let nodes = world.nodes.all();
    nodes.iter().map(|node| machine::disk_bytes(&world.nodes.data_folder(*node)) as f64).collect()
}

/// Measures G12: the disk of a network that did nothing but issue its ranges, per range.
pub fn per_range(world: &World, start: Duration) -> Measured {
    let ranges = world.scale.ranges as f64;
    let mut measured =
        Measured::of(Goal::G12, disk(world).iter().map(|bytes| bytes / ranges).collect());
    measured.figure("s until a restarted node answers", start.as_secs_f64());
    measured.note(format!(
        "all files of a restarted node after it issued {ranges} ranges, history and logs included, \
         one run per node"
    ));
    measured
}

/// Measures G15: memory of each validator.
pub fn memory(world: &World) -> Measured {
    let processes: Vec<u32> =
        world.nodes.all().into_iter().filter_map(|node| world.nodes.process_id(node)).collect();
    let each = |line| processes.iter().map(|one| machine::memory_mib(*one, line)).collect();
    let now: Vec<f64> = each("VmRSS");
    let mut measured = Measured::of(Goal::G15, each("VmHWM"));
    measured.figure("MiB after the load", median(&now));
    measured.figure(LIVE_RANGES, world.scale.ranges as f64);
    measured.note(format!("the most that each validator used, {} ranges", world.scale.ranges));
    measured
}

/// Measures G11 from the disk before and after so many transfers.
pub fn per_transfer(world: &World, before: &[f64], transfers: u64) -> Measured {
    let grown = disk(world).into_iter().zip(before).map(|(after, before)| after - before);
    let runs = grown.map(|bytes| bytes / transfers.max(1) as f64).collect();
    let mut measured = Measured::of(Goal::G11, runs);
    measured.note(format!(
        "growth of all files of a restarted node over {transfers} transfers, the units' own \
         records included, one run per node"
    ));
    measured
}
