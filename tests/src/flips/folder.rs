//! The folder of a node that was killed while it worked.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::load::Load;
use crate::cluster::market::Market;
use crate::cluster::nodes::Nodes;

/// Runs a network of four under load, restarts a node in between so that its rows are in sorted
/// files, kills it under load, and copies its data folder.
///
/// # Errors
/// When the network does not start or a file cannot be copied.
pub fn killed_node(to: &Path, seed: u64, seconds: u64) -> eyre::Result<()> {
    let folder = tempfile::TempDir::with_prefix("cets-flips-")?;
    let market = Arc::new(Market::write(folder.path().join("network"), 4, seed)?);
    let mut nodes = Nodes::new(market.network.clone())?;
    let all = nodes.all();
    let started = nodes.start(&all)?;
    nodes.answer(&all, started)?;
    let load = Load::start(&market, seed)?;
    let half = Duration::from_millis(seconds * 500);
    std::thread::sleep(half);
    nodes.stop(0)?;
    let started = nodes.start(&[0])?;
    nodes.answer(&[0], started)?;
    nodes.catch_up(0)?;
    std::thread::sleep(half);
    nodes.kill(&[0])?;
    copy_folder(&nodes.data_folder(0), to)?;
    load.finish();
    Ok(())
}

/// Files of a folder and of those in it, in the order of their paths.
///
/// # Errors
/// When a folder cannot be listed.
pub fn files_of(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_of(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Copies all files; sorted files, which are never written again, are linked.
///
/// # Errors
/// When a file cannot be read or written.
pub fn copy_folder(from: &Path, to: &Path) -> eyre::Result<()> {
    for file in files_of(from)? {
        let target = to.join(file.strip_prefix(from)?);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let sorted = file.extension().is_some_and(|ending| ending == "sst");
        if !(sorted && std::fs::hard_link(&file, &target).is_ok()) {
            std::fs::copy(&file, &target)?;
        }
    }
    Ok(())
}
