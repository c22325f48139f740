//! Many seeds, on several threads, each seed on one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Shape, Template, World};

/// Seeds of one shape in two start from a ledger with a pace, the others from one without.
const BLOCK_INTERVAL_MILLIS: u32 = 200;

/// How a seed ended.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// Events.
    pub events: u64,
    /// Heights decided.
    pub heights: u64,
    /// Orders that nodes took.
    pub orders: u64,
    /// Orders that clients were told are final.
    pub acknowledged: u64,
    /// Times that a machine lost power.
    pub crashes: u64,
    /// Virtual time from the end of faults until everything worked, in microseconds.
    pub recovery: u64,
    /// Digest of everything that happened.
    pub digest: String,
    /// What does not hold.
    pub violations: Vec<String>,
}

/// Which seeds.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// How many nodes, and how many lie.
    pub shape: Shape,
    /// The first seed.
    pub first: u64,
    /// How many; as many as time allows without.
    pub seeds: Option<u64>,
    /// When to stop.
    pub time: Option<Duration>,
    /// Threads.
    pub jobs: usize,
}

/// All seeds together.
#[derive(Clone, Debug, Default)]
pub struct Total {
    /// Seeds run.
    pub seeds: u64,
    /// The sums, and the longest recovery.
    pub sum: Outcome,
    /// Seeds that failed.
    pub failed: Vec<Outcome>,
    /// Time that passed on the machine.
    pub took: Duration,
}

/// The two ledgers that seeds of a shape start from.
#[derive(Debug)]
pub struct Templates([Template; 2]);

impl Templates {
    /// Makes both.
    pub fn new(shape: Shape) -> Self {
        let of = |interval| Template::new(shape.validators, interval);
        Self([of(0), of(BLOCK_INTERVAL_MILLIS)])
    }

    fn of(&self, seed: u64) -> &Template {
        &self.0[(seed % 2) as usize]
    }
}

/// Runs one seed.
pub fn run_seed(templates: &Templates, shape: Shape, seed: u64, is_loud: bool) -> Outcome {
    let run = || {
        let mut world = World::new(templates.of(seed), shape, seed);
        world.is_loud = is_loud;
        let before = world.oracle.tip().get();
        world.run();
        Outcome {
            seed,
            events: world.events,
            heights: world.oracle.tip().get() - before,
            orders: world.orders,
            acknowledged: world.acknowledged,
            crashes: world.crashes,
            recovery: world.recovery,
            digest: world.digest(),
            violations: world.oracle.violations.clone(),
        }
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let violations = vec![format!("PANIC: {}", text.unwrap_or_default())];
        Outcome { seed, violations, ..Outcome::default() }
    })
}

/// Runs many seeds; `each` hears of every one.
pub fn search(what: Search, each: impl Fn(&Outcome) + Sync) -> Total {
    let started = Instant::now();
    let templates = Templates::new(what.shape);
    let next = AtomicU64::new(what.first);
    let end = what.seeds.map(|seeds| what.first + seeds);
    let total = Mutex::new(Total::default());
    let work = || {
        cets_consensus::simulation::remember_signatures();
        cets_node::simulation::remember_envelopes();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let late = what.time.is_some_and(|time| started.elapsed() > time);
            if end.is_some_and(|end| seed >= end) || late {
                return;
            }
            let outcome = run_seed(&templates, what.shape, seed, false);
            each(&outcome);
            total.lock().unwrap().add(outcome);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..what.jobs.max(1) {
            scope.spawn(work);
        }
    });
    let mut total = total.into_inner().unwrap();
    total.took = started.elapsed();
    total.failed.sort_by_key(|failed| failed.seed);
    total
}

impl Total {
    fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        let sum = &mut self.sum;
        sum.events += outcome.events;
        sum.heights += outcome.heights;
        sum.orders += outcome.orders;
        sum.acknowledged += outcome.acknowledged;
        sum.crashes += outcome.crashes;
        sum.recovery = sum.recovery.max(outcome.recovery);
        if !outcome.violations.is_empty() {
            self.failed.push(outcome);
        }
    }
}

/// The command that runs one seed again.
pub fn again(shape: Shape, seed: u64) -> String {
    let Shape { validators, byzantine } = shape;
    format!("cargo sim --validators {validators} --byzantine {byzantine} --seeds 1 --first {seed}")
}

/// Seeds that failed once: lines of validators, Byzantine ones and seed.
pub fn corpus(root: &Path) -> Vec<(Shape, u64)> {
    let text = std::fs::read_to_string(root.join("tests/sim-corpus.txt")).unwrap();
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            let numbers: Vec<u64> =
                line.split_whitespace().map(|word| word.parse().unwrap()).collect();
            let shape = Shape { validators: numbers[0] as u16, byzantine: numbers[1] as u16 };
            (shape, numbers[2])
        })
        .collect()
}
