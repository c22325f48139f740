//! Memory, processor and disk of a process.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use eyre::OptionExt as _;

use crate::flips::folder::files_of;

/// How often memory is looked at.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// Ticks of the processor's clock in a second, as Linux reports them.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process and its folder.
#[derive(Clone, Debug)]
pub struct Gauges {
    process: u32,
    folder: PathBuf,
}

impl Gauges {
    /// Those of a process that writes to a folder.
    pub fn new(process: u32, folder: &Path) -> Self {
        Self { process, folder: folder.to_owned() }
    }

    /// Memory that is resident now, in bytes.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn memory(&self) -> eyre::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kilobytes.ok_or_eyre("no VmRSS")?.parse::<u64>()? * 1024)
    }

    /// Processor time used so far, in seconds.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn processor_seconds(&self) -> eyre::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process))?;
        // Fields follow the name, which stands in brackets; user and system time are 14 and 15.
        let (_, fields) = stat.rsplit_once(") ").ok_or_eyre("no fields")?;
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
        let ticks: u64 = ticks.sum::<Result<u64, _>>()?;
        Ok(ticks as f64 / TICKS_PER_SECOND)
    }

    /// Open files and connections.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn descriptors(&self) -> eyre::Result<u64> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.process))?.count() as u64)
    }

    /// Bytes of the folder.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub fn disk(&self) -> eyre::Result<u64> {
        let lengths = files_of(&self.folder)?.into_iter();
        // The database may delete a file meanwhile.
        Ok(lengths.filter_map(|file| std::fs::metadata(file).ok()).map(|of| of.len()).sum())
    }

    /// Watches memory from now on.
    pub fn watch(&self) -> Watch {
        let (peak, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (gauges, seen, end) = (self.clone(), Arc::clone(&peak), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                seen.fetch_max(gauges.memory().unwrap_or(0), Ordering::Relaxed);
                std::thread::sleep(LOOK_PAUSE);
            }
        });
        Watch { peak, stop, thread }
    }
}

/// The greatest memory since a moment.
#[derive(Debug)]
pub struct Watch {
    peak: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl Watch {
    /// Ends the watch.
    pub fn peak(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.peak.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gauges_of_this_process_are_plausible() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), [0; 100]).unwrap();
        let gauges = Gauges::new(std::process::id(), folder.path());
        let watch = gauges.watch();
        let memory = gauges.memory().unwrap();
        assert!(memory > 1 << 20);
        assert_eq!(gauges.disk().unwrap(), 100);
        assert!(gauges.descriptors().unwrap() >= 3);
        assert!(gauges.processor_seconds().unwrap() >= 0.0);
        std::thread::sleep(LOOK_PAUSE * 2);
        assert!(watch.peak() > 1 << 20);
    }
}
