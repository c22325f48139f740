//! Runs a target on many inputs and measures each execution.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::corpus::Corpus;
use super::measure::{MemoryMeter, OWN_THREAD, Watched, nanos_waited};
use super::mutate::Mutator;
use super::{
    Target, certificates, files, log_files, node, proofs, sequences, service, signatures, texts,
    transactions, wire,
};

/// Longest time of one execution.
pub const TIME_MAX: Duration = Duration::from_secs(1);
/// Executions between two marks.
const MARK_EVERY: u64 = 256;

/// All targets.
pub fn targets() -> Vec<&'static Target> {
    let all = [
        transactions::TARGETS,
        signatures::TARGETS,
        proofs::TARGETS,
        log_files::TARGETS,
        texts::TARGETS,
        wire::TARGETS,
        node::TARGETS,
        service::TARGETS,
        files::TARGETS,
        certificates::TARGETS,
        sequences::TARGETS,
    ];
    all.into_iter().flatten().collect()
}

/// Faults planted on purpose.
pub fn planted() -> Vec<&'static Target> {
    super::planted::TARGETS.iter().collect()
}

/// Inputs of a target to run.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// The target.
    pub target: &'static Target,
    /// The seed.
    pub seed: u64,
    /// Number of the first input.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// Whether every execution is marked before it begins.
    pub is_careful: bool,
}

/// What was measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// Executions.
    pub executions: u64,
    /// Of them, inputs that were accepted.
    pub accepted: u64,
    /// Time of all of them.
    pub nanos: u64,
    /// Time of the longest.
    pub nanos_longest: u64,
    /// Most memory of one, in bytes.
    pub bytes_peak: usize,
    /// Number of the input on which a property failed, and what failed.
    pub finding: Option<(u64, String)>,
}

impl Report {
    /// Adds what another process measured.
    pub fn add(&mut self, other: Self) {
        self.executions += other.executions;
        self.accepted += other.accepted;
        self.nanos += other.nanos;
        self.nanos_longest = self.nanos_longest.max(other.nanos_longest);
        self.bytes_peak = self.bytes_peak.max(other.bytes_peak);
        self.finding = self.finding.take().or(other.finding);
    }
}

/// Runs inputs until one fails. `mark` is told the number of an input that is about to be run.
pub fn run_job(job: &Job, watched: &Watched, mut mark: impl FnMut(u64)) -> Report {
    let Job { target, seed, first, count, is_careful } = *job;
    let inputs = Corpus::read(target).inputs;
    // What a target sets up once is not the cost of an execution.
    for input in inputs.iter().take(1) {
        catch_unwind(AssertUnwindSafe(|| (target.run)(input))).ok();
        watched.take_panic();
    }
    let mutator = Mutator::new(inputs, target.is_text, target.bytes_max, seed);
    let mut report = Report::default();
    let mut input = Vec::with_capacity(target.bytes_max);
    let began = Instant::now();
    for number in first..first.saturating_add(count) {
        if is_careful || number % MARK_EVERY == 0 {
            mark(number);
            watched.begin();
        }
        mutator.write(number, &mut input);
        report.executions += 1;
        match run_one(target, &input, watched, report.nanos_longest) {
            Ok(one) => {
                report.accepted += u64::from(one.is_accepted);
                report.nanos_longest = report.nanos_longest.max(one.nanos);
                report.bytes_peak = report.bytes_peak.max(one.bytes_peak);
            }
            Err(what) => {
                report.finding = Some((number, what));
                break;
            }
        }
    }
    watched.end();
    report.nanos = nanos(began.elapsed());
    report
}

struct Execution {
    is_accepted: bool,
    nanos: u64,
    bytes_peak: usize,
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Runs one input. One that takes longer than any before is run again, and the shortest time
/// counts, without what this thread waited for a processor: the machine does other things, too.
fn run_one(
    target: &Target,
    input: &[u8],
    watched: &Watched,
    longest: u64,
) -> Result<Execution, String> {
    let mut one = run_once(target, input, watched)?;
    let mut tries = 0;
    while one.nanos > longest && tries < 2 {
        let waited = nanos_waited(OWN_THREAD);
        let again = run_once(target, input, watched)?.nanos;
        let waited = nanos_waited(OWN_THREAD).saturating_sub(waited);
        one.nanos = one.nanos.min(again.saturating_sub(waited));
        tries += 1;
    }
    if one.nanos > nanos(TIME_MAX) {
        return Err(format!("it took {} ms", one.nanos / 1_000_000));
    }
    Ok(one)
}

fn run_once(target: &Target, input: &[u8], watched: &Watched) -> Result<Execution, String> {
    let live = MemoryMeter::live();
    MemoryMeter::start(target.memory_max);
    let began = Instant::now();
    let ended = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let nanos = nanos(began.elapsed());
    let bytes_peak = MemoryMeter::end(live);
    if let Some(panic) = watched.take_panic() {
        return Err(panic);
    }
    let is_accepted = ended.map_err(|_| "it panicked without a message".to_owned())?;
    Ok(Execution { is_accepted, nanos, bytes_peak })
}

/// The command that runs one input again.
pub fn again(target: &Target, seed: u64, number: u64) -> String {
    format!("cargo fuzz-all {} --seed {seed} --number {number}", target.name)
}

/// A line with the figures of a target.
pub fn report_line(target: &Target, report: &Report) -> String {
    let rate = report.executions.saturating_mul(1_000_000_000) / report.nanos.max(1);
    let accepted = report.accepted.saturating_mul(1_000) / report.executions.max(1);
    format!(
        "{:18} {:>11} executions {:>9}/s accepted {:>3}.{} % longest {:>4}.{:03} ms peak {:>6} \
         KiB of {}",
        target.name,
        report.executions,
        rate,
        accepted / 10,
        accepted % 10,
        report.nanos_longest / 1_000_000,
        report.nanos_longest / 1_000 % 1_000,
        report.bytes_peak / 1_024,
        target.memory_max / 1_024,
    )
}
