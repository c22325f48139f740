//! Processor time, memory and disk of processes, and the machine's own limits.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use cets_contracts::crypto::KnownKeys;
use cets_contracts::tx::{Transaction, verify_batch};

use super::results::median;

/// Ticks of processor time in a second, as Linux counts them for programs.
const TICKS_PER_SECOND: f64 = 100.0;
/// Places of the time in programs and in the kernel among the fields of a `stat` file.
const USER: usize = 11;
const SYSTEM: usize = 12;
/// Signatures of a batch when their rate is measured.
const SIGNATURE_BATCH: usize = 256;
/// Bytes written to measure the disk.
const DISK_BYTES: usize = 128 * 1024 * 1024;

/// Fields of a `stat` file after the name in parentheses.
fn stat_fields(path: &str) -> Vec<f64> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let fields = text.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
    fields.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect()
}

fn ticks(fields: &[f64], places: &[usize]) -> f64 {
    let ticks = places.iter().filter_map(|place| fields.get(*place));
    ticks.sum::<f64>() / TICKS_PER_SECOND
}

/// Processor seconds of a process so far, of all its threads.
pub fn cpu_seconds(process: u32) -> f64 {
    ticks(&stat_fields(&format!("/proc/{process}/stat")), &[USER, SYSTEM])
}

/// Processor seconds of all processes that this one started and that ended.
pub fn children_cpu_seconds() -> f64 {
    ticks(&stat_fields("/proc/self/stat"), &[USER + 2, SYSTEM + 2])
}

/// Processor seconds of all programs of the machine.
pub fn busy_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let fields: Vec<f64> = fields.map(|field| field.parse().unwrap_or_default()).collect();
    // user, nice, system, (idle, waiting for disks,) interrupts, late interrupts
    ticks(&fields, &[0, 1, 2, 5, 6])
}

/// MiB of memory that programs may still take.
pub fn available_mib() -> f64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let found = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = found.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1_024.0
}

/// A line of `/proc/PROCESS/status` in MiB, such as `VmRSS` or `VmHWM`.
pub fn memory_mib(process: u32, line: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let found = text.lines().find_map(|one| one.strip_prefix(line)?.strip_prefix(':'));
    let kib = found.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1_024.0
}

/// Bytes of all files below a folder.
pub fn disk_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

/// Share of the last ten seconds in which some process waited for a processor, in per cent.
pub fn pressure() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/pressure/cpu").ok()?;
    text.split_whitespace().find_map(|word| word.strip_prefix("avg10=")?.parse().ok())
}

/// Processors that programs may use.
pub fn processors() -> f64 {
    std::thread::available_parallelism().map_or(1, |count| count.get()) as f64
}

/// Processor time of some processes since a moment.
#[derive(Debug)]
pub struct Meter {
    before: BTreeMap<u32, f64>,
    started: Instant,
}

impl Meter {
    /// Starts to measure.
    pub fn start(processes: impl IntoIterator<Item = u32>) -> Self {
        let before = processes.into_iter().map(|process| (process, cpu_seconds(process)));
        Self { before: before.collect(), started: Instant::now() }
    }

    /// Processor seconds of all together.
    pub fn cpu_seconds(&self) -> f64 {
        self.before.iter().map(|(process, before)| cpu_seconds(*process) - before).sum()
    }

    /// Time since the start.
    pub fn wall(&self) -> Duration {
        self.started.elapsed()
    }
}

/// What the machine can do at best, measured now.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Signatures verified in batches, a second and core.
    pub signatures: f64,
    /// Milliseconds of writing 4 KiB so that they are durable.
    pub sync_millis: f64,
    /// MiB written durably a second.
    pub disk_mib: f64,
}

impl Limits {
    /// Measures signatures of these transactions, and the disk of a folder.
    pub fn measure(orders: &[Vec<u8>], folder: &Path) -> eyre::Result<Self> {
        let mut decoded = Vec::with_capacity(SIGNATURE_BATCH);
        for bytes in orders.iter().take(SIGNATURE_BATCH) {
            decoded.push(Transaction::decode(bytes.clone())?);
        }
        let rates: Vec<f64> = (0..5)
            .map(|_| {
                let (batch, started) = (decoded.clone(), Instant::now());
                let good = verify_batch(batch, &mut KnownKeys::none())
                    .iter()
                    .filter(|verdict| verdict.is_ok())
                    .count();
                good as f64 / started.elapsed().as_secs_f64()
            })
            .collect();
        let (sync_millis, disk_mib) = disk(folder)?;
        Ok(Self { signatures: median(&rates), sync_millis, disk_mib })
    }

    /// Transfers a second if four validators on this machine did nothing but verify signatures.
    pub fn signature_bound(&self) -> f64 {
        self.signatures * processors() / 4.0
    }
}

fn disk(folder: &Path) -> eyre::Result<(f64, f64)> {
    let path = folder.join("disk-speed");
    let mut file = File::create(&path)?;
    let mut syncs = Vec::new();
    for _ in 0..100 {
        let started = Instant::now();
        file.write_all(&[7; 4_096])?;
        file.sync_data()?;
        syncs.push(started.elapsed().as_secs_f64() * 1_000.0);
    }
    let (block, started) = (vec![5; 1024 * 1024], Instant::now());
    for _ in 0..DISK_BYTES / block.len() {
        file.write_all(&block)?;
    }
    file.sync_all()?;
    let mib = DISK_BYTES as f64 / 1_048_576.0 / started.elapsed().as_secs_f64();
    drop(file);
    std::fs::remove_file(&path)?;
    Ok((median(&syncs), mib))
}
