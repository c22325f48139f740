//! `cargo fuzz-all`: every decoder and every rule under seeded inputs.
//!
//! The inputs of a target are shared out among processes, so that one that is killed, for want of
//! memory or of stack, is noticed by the others; the input it died of is found by running its part
//! once more with a mark before every execution.

#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use cets_tests::fuzz::{
    Corpus, Job, MemoryMeter, Mutator, Report, Target, again, keep_finding, planted, report_line,
    run_job, targets, watch, write_seeds,
};
use clap::Parser;

/// The system's memory, counted.
struct Counted;

// SAFETY: every call goes on to the system's allocator as it came; counting touches no memory of
// the caller.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MemoryMeter::taken(layout.size());
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        MemoryMeter::taken(layout.size());
        // SAFETY: as promised by the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        MemoryMeter::freed(layout.size());
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        MemoryMeter::taken(size);
        MemoryMeter::freed(layout.size());
        // SAFETY: as promised by the caller.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static MEMORY: Counted = Counted;

/// Runs every target on seeded inputs; exits 0 only when nothing was found.
#[derive(Debug, Parser)]
#[command(name = "fuzz-all")]
struct Arguments {
    /// Targets; all without.
    targets: Vec<String>,
    /// Executions over all of these targets, shared out by their weights.
    #[arg(long, default_value_t = 1_000_000, value_parser = number)]
    executions: u64,
    /// The seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Processes at a time; as many as there are processors without.
    #[arg(long)]
    jobs: Option<u64>,
    /// Runs the input of this number alone, and shows what fails.
    #[arg(long, conflicts_with = "executions")]
    number: Option<u64>,
    /// Runs the inputs of these files alone, and shows what fails.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["executions", "number"])]
    input: Vec<PathBuf>,
    /// Lists the targets with what they read and what must hold.
    #[arg(long)]
    list: bool,
    /// Writes the inputs to start from into tests/fuzz/corpus.
    #[arg(long)]
    bless: bool,
    /// Runs a part and marks where it is: number of the first input, count, file of the mark.
    #[arg(long, hide = true, num_args = 3)]
    part: Vec<String>,
    /// Marks every execution.
    #[arg(long, hide = true)]
    careful: bool,
}

fn number(text: &str) -> Result<u64, String> {
    text.replace('_', "").parse().map_err(|error| format!("{error}"))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let all = targets();
    let known = || all.iter().copied().chain(planted());
    let unknown = arguments.targets.iter().find(|name| !known().any(|it| it.name == **name));
    if let Some(name) = unknown {
        eprintln!("fuzz-all: there is no target {name}; --list shows them");
        return ExitCode::from(2);
    }
    let is_named = |target: &&Target| arguments.targets.iter().any(|name| name == target.name);
    let chosen: Vec<&'static Target> = match arguments.targets.is_empty() {
        true => all,
        false => known().filter(is_named).collect(),
    };
    if arguments.list {
        chosen.iter().for_each(|target| list(target));
        return ExitCode::SUCCESS;
    }
    if arguments.bless {
        for target in chosen {
            println!("{}: {} inputs", target.name, write_seeds(target));
        }
        return ExitCode::SUCCESS;
    }
    if let [first, count, mark] = arguments.part.as_slice() {
        return run_part(&arguments, chosen[0], first, count, Path::new(mark));
    }
    if arguments.number.is_some() || !arguments.input.is_empty() {
        return run_alone(&arguments, &chosen);
    }
    run_all(&arguments, &chosen)
}

fn list(target: &Target) {
    println!(
        "{}\n  reads {}\n  holds {}\n  at most {} bytes of input, {} KiB of memory, 1 s",
        target.name,
        target.reads,
        target.holds,
        target.bytes_max,
        target.memory_max / 1_024
    );
}

/// Runs inputs without a net: a panic shows where it comes from.
fn run_alone(arguments: &Arguments, chosen: &[&'static Target]) -> ExitCode {
    for target in chosen {
        let run = |name: &str, input: &[u8]| {
            MemoryMeter::start(target.memory_max);
            let is_accepted = (target.run)(input);
            MemoryMeter::end(0);
            println!("{} {name}: {} bytes, accepted: {is_accepted}", target.name, input.len());
        };
        if let Some(number) = arguments.number {
            let inputs = Corpus::read(target).inputs;
            let mut input = Vec::new();
            Mutator::new(inputs, target.is_text, target.bytes_max, arguments.seed)
                .write(number, &mut input);
            println!("input kept in {}", keep_finding(target, &input).display());
            run(&number.to_string(), &input);
        }
        for path in &arguments.input {
            run(&path.display().to_string(), &std::fs::read(path).unwrap());
        }
    }
    ExitCode::SUCCESS
}

fn run_part(
    arguments: &Arguments,
    target: &'static Target,
    first: &str,
    count: &str,
    mark: &Path,
) -> ExitCode {
    use std::os::unix::fs::FileExt as _;
    let file = std::fs::File::create(mark).unwrap();
    let (first, count) = (first.parse().unwrap(), count.parse().unwrap());
    let (seed, is_careful) = (arguments.seed, arguments.careful);
    let job = Job { target, seed, first, count, is_careful };
    let report = run_job(&job, &watch(), |number| {
        file.write_all_at(&number.to_be_bytes(), 0).unwrap();
    });
    println!("{}", serde_json::to_string(&report).unwrap());
    // Threads of the targets go on; nothing of theirs is to be waited for.
    std::process::exit(0);
}

/// A part of a target's inputs in a process of its own.
struct Part {
    first: u64,
    count: u64,
    mark: PathBuf,
    child: Child,
}

impl Part {
    fn start(target: &Target, seed: u64, first: u64, count: u64, mark: PathBuf) -> Self {
        let child = command(target, seed, first, count, &mark).spawn().unwrap();
        Self { first, count, mark, child }
    }

    /// What the process reports; when it died, what it died of.
    fn finish(self, target: &Target, seed: u64) -> Report {
        let output = self.child.wait_with_output().unwrap();
        if output.status.success() {
            return serde_json::from_slice(&output.stdout).unwrap();
        }
        let marked = read_mark(&self.mark).unwrap_or(self.first);
        let rest = self.first.saturating_add(self.count).saturating_sub(marked);
        let mut careful = command(target, seed, marked, rest.min(1_024), &self.mark);
        let status = careful.arg("--careful").stdout(Stdio::null()).status().unwrap();
        let number = read_mark(&self.mark).unwrap_or(marked);
        let what = format!("the process died: {}, then {status}", output.status);
        Report {
            executions: number.saturating_sub(self.first),
            finding: Some((number, what)),
            ..Report::default()
        }
    }
}

fn command(target: &Target, seed: u64, first: u64, count: u64, mark: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(target.name).arg("--seed").arg(seed.to_string());
    command.arg("--part").arg(first.to_string()).arg(count.to_string()).arg(mark);
    command.stdout(Stdio::piped());
    command
}

fn read_mark(mark: &Path) -> Option<u64> {
    let bytes = std::fs::read(mark).ok()?;
    bytes.first_chunk::<8>().map(|number| u64::from_be_bytes(*number))
}

fn run_all(arguments: &Arguments, chosen: &[&'static Target]) -> ExitCode {
    let seed = arguments.seed;
    let processors = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let jobs = arguments.jobs.unwrap_or(processors).max(1);
    let weights: u64 = chosen.iter().map(|target| u64::from(target.weight)).sum();
    let marks = tempfile::tempdir().unwrap();
    let (mut executions, mut findings) = (0, 0);
    let mut longest = 0;
    for target in chosen {
        let inputs = Corpus::read(target).inputs.len() as u64;
        let share = u128::from(arguments.executions) * u128::from(target.weight);
        let count = (share / u128::from(weights)) as u64 + inputs;
        let each = count.div_ceil(jobs);
        let parts = (0..jobs).map(|part| {
            let first = part * each;
            let mark = marks.path().join(format!("{}-{part}", target.name));
            Part::start(target, seed, first, each.min(count.saturating_sub(first)), mark)
        });
        let parts: Vec<Part> = parts.collect();
        let mut report = Report::default();
        parts.into_iter().for_each(|part| report.add(part.finish(target, seed)));
        // Parts run beside each other.
        report.nanos /= jobs;
        println!("{}", report_line(target, &report));
        executions += report.executions;
        longest = longest.max(report.nanos_longest);
        if let Some((number, what)) = report.finding {
            findings += 1;
            show(target, seed, number, &what);
        }
    }
    println!(
        "{} targets, {executions} executions under seed {seed}, longest {} ms, {findings} findings",
        chosen.len(),
        longest / 1_000_000
    );
    if findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn show(target: &'static Target, seed: u64, number: u64, what: &str) {
    let inputs = Corpus::read(target).inputs;
    let mut input = Vec::new();
    Mutator::new(inputs, target.is_text, target.bytes_max, seed).write(number, &mut input);
    let kept = keep_finding(target, &input);
    println!("  FOUND by input {number}: {what}");
    println!("  kept in {}", kept.display());
    println!("  again with: {}", again(target, seed, number));
}
