//! G13: a copy of a node's folder, and a node that starts from it.
//!
//! A node has no command for this: an operator stops one of the nodes, copies its folder and starts
//! it again. Files of the database that never change again are linked, so that the stop is short.

use std::fs::{File, create_dir_all, hard_link, read_dir};
use std::path::Path;
use std::time::Instant;

use eyre::{OptionExt as _, ensure};

use super::goal::Goal;
use super::machine;
use super::results::{Measured, median};
use super::world::World;

/// Files of the database that are never written to again.
const UNCHANGING: &str = "sst";

/// Copies a folder; files that never change are linked when asked for. Durable when it returns.
fn copy(from: &Path, to: &Path, links: bool) -> eyre::Result<()> {
    create_dir_all(to)?;
    for entry in read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.metadata()?.is_dir() {
            copy(&source, &target, links)?;
        } else if links && source.extension().is_some_and(|kind| kind == UNCHANGING) {
            hard_link(&source, &target)?;
        } else {
            std::fs::copy(&source, &target)?;
            File::open(&target)?.sync_all()?;
        }
    }
    Ok(File::open(to)?.sync_all()?)
}

/// Measures G13 on the last of the nodes; the others go on meanwhile.
pub fn measure(world: &mut World, runs: usize) -> eyre::Result<Measured> {
    let victim = world.scale.validators - 1;
    let data = world.nodes.data_folder(victim);
    let (snapshot, old) = (world.folder().join("snapshot"), world.folder().join("replaced"));
    let (mut taken, mut copied, mut started) = (Vec::new(), Vec::new(), Vec::new());
    let (mut whole, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let before = world.nodes.status(victim).ok_or_eyre("the node does not answer")?;
        world.nodes.stop(victim)?;
        let at = Instant::now();
        copy(&data, &snapshot, true)?;
        taken.push(at.elapsed().as_secs_f64());

        std::fs::rename(&data, &old)?;
        let at = Instant::now();
        copy(&snapshot, &data, false)?;
        let copying = at.elapsed().as_secs_f64();
        let start = world.nodes.start(&[victim])?;
        let answered = world.nodes.answer(&[victim], start)?;
        let answered = answered.into_iter().next().unwrap_or_default().as_secs_f64();
        let after = world.nodes.status(victim).ok_or_eyre("the node does not answer")?;
        ensure!(after.height >= before.height, "the copy ends at block {}", after.height);
        let same = after.height != before.height || after.state_root == before.state_root;
        ensure!(same, "the copy has another root");
        let process = world.nodes.process_id(victim).unwrap_or_default();
        cpu.push(machine::cpu_seconds(process));
        copied.push(copying);
        started.push(answered);
        whole.push(copying + answered);
        std::fs::remove_dir_all(&snapshot)?;
        std::fs::remove_dir_all(&old)?;
    }
    let ranges = world.scale.ranges;
    let mut measured = Measured::of(Goal::G13, whole);
    measured.figure("s to take the copy", median(&taken));
    measured.figure("s to copy it back", median(&copied));
    measured.figure("s from start to first answer", median(&started));
    measured.figure("processor s of the start", median(&cpu));
    measured.figure("ranges/s of the start", ranges as f64 / median(&started).max(1e-3));
    let mib = machine::disk_bytes(&data) as f64 / 1_048_576.0;
    measured.figure("MiB of the folder", mib);
    measured.note(format!(
        "no command for it: the node is stopped, unchanging files are linked, the rest copied and \
         synced; the copy is copied back file by file, and the node rebuilds its tree of {ranges} \
         ranges and compares the root with the header before it answers"
    ));
    Ok(measured)
}
