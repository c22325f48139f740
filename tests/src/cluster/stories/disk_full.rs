//! A disk without room for another byte, under a node that runs.

use std::time::{Duration, Instant};

use eyre::ensure;

use super::super::machine::{SmallDisk, copy_folder};
use super::super::nodes::program;
use super::super::story::Stage;
use super::returns::{come_back, show, votes_between, wait_for_vote};

/// Size of the disk; the rest of it is filled up.
const DISK_BYTES: u64 = 192 << 20;
/// What the log of a node must say of a full disk, in the words of the operating system.
const CLEAR: &str = "No space left on device";
/// Blocks that the others decide while the disk is full.
const BLOCKS: u64 = 5;

/// Fills the disk of a node that runs: it ends with a message, signs nothing while it is full, and
/// goes on when it is started with room again.
pub fn disk_full(stage: &mut Stage, rounds: u32) -> eyre::Result<()> {
    let node = stage.choose_node();
    let disk = move_to_small_disk(stage, node)?;
    for round in 0..rounds {
        stage.run_on(500, 1_500)?;
        let written = stage.nodes.log(node).len();
        let filled_at = Instant::now();
        disk.fill()?;
        let status = stage.nodes.end(node)?;
        stage.figures.time("disk full until the node has ended", filled_at.elapsed());
        ensure!(!status.success(), "the node ended without a failure");
        let message = last_words(stage, node, written);
        // A supervisor starts it again and again; with a full disk it must not come far.
        let written = stage.nodes.log(node).len();
        if round % 2 == 0 {
            stage.nodes.start(&[node])?;
            let status = stage.nodes.end(node)?;
            ensure!(!status.success(), "the node ended without a failure");
            last_words(stage, node, written);
        }
        sign_nothing(stage, node)?;
        disk.make_room()?;
        come_back(stage, node)?;
        wait_for_vote(stage, node)?;
        show(&format!("node {node}: ended by itself: {message}"));
    }
    stage.figures.count("disks filled up", rounds.into());
    // The disk is needed until the last audit.
    stage.disks.push(disk);
    Ok(())
}

fn move_to_small_disk(stage: &mut Stage, node: usize) -> eyre::Result<SmallDisk> {
    stage.run_on(200, 500)?;
    let folder = stage.nodes.data_folder(node);
    stage.nodes.stop(node)?;
    let disk = SmallDisk::mount(&folder, DISK_BYTES)?;
    copy_folder(&folder, &disk.seen_at())?;
    stage.nodes.see_data_at(node, disk.seen_at());
    stage.nodes.start_by(node, &disk.within(), program("cetsd")?);
    come_back(stage, node)?;
    Ok(disk)
}

/// The last line of a node's log, which must name the cause in what was written since.
fn last_words(stage: &mut Stage, node: usize, since: usize) -> String {
    let log = stage.nodes.log(node);
    let new = log.get(since..).unwrap_or_default();
    let last = new.lines().last().unwrap_or_default().to_owned();
    if !last.contains(CLEAR) {
        stage.violations.push(format!("node {node} ends on a full disk and says: {last}"));
    }
    last
}

/// The others decide some blocks, and none of them bears a vote of the node.
fn sign_nothing(stage: &mut Stage, node: usize) -> eyre::Result<()> {
    let others = stage.others(node);
    // Votes of the two heights before may have been on their way as it ended.
    let from = stage.nodes.height(&others) + 2;
    for other in &others {
        stage.nodes.reach(*other, from + BLOCKS)?;
    }
    std::thread::sleep(Duration::from_millis(100));
    let signed = votes_between(stage, node, from, from + BLOCKS)?;
    if signed > 0 {
        stage.violations.push(format!("node {node} signed {signed} blocks with a full disk"));
    }
    Ok(())
}
