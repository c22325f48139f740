//! What an execution costs: memory, counted by the allocator of the program, and time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Time after which an execution that has not ended is given up; the process may be stopped or
/// wait for a processor meanwhile.
const HANG: Duration = Duration::from_secs(20);
/// Interval at which executions are looked at.
const WATCH_INTERVAL: Duration = Duration::from_millis(500);
/// Exit code of a process that gave up: more memory than allowed.
pub const EXIT_MEMORY: i32 = 77;
/// Exit code of a process that gave up: an execution without end.
pub const EXIT_HANG: i32 = 78;

static LIVE: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);
static LIMIT: AtomicIsize = AtomicIsize::new(isize::MAX);

/// Counts the memory of this process; its allocator calls it.
#[derive(Clone, Copy, Debug)]
pub struct MemoryMeter;

impl MemoryMeter {
    /// Memory is asked for. Beyond the limit the process ends at once, before the memory is taken.
    pub fn taken(bytes: usize) {
        let bytes = isize::try_from(bytes).unwrap_or(isize::MAX);
        let live = LIVE.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if live > PEAK.load(Ordering::Relaxed) {
            PEAK.store(live, Ordering::Relaxed);
            if live > LIMIT.load(Ordering::Relaxed) {
                LIMIT.store(isize::MAX, Ordering::Relaxed);
                eprintln!("an execution asked for {bytes} bytes at once or bit by bit: too many");
                std::process::exit(EXIT_MEMORY);
            }
        }
    }

    /// Memory is given back.
    pub fn freed(bytes: usize) {
        LIVE.fetch_sub(isize::try_from(bytes).unwrap_or(isize::MAX), Ordering::Relaxed);
    }

    /// Starts to count anew; ends the process as soon as more than so many bytes are taken.
    pub fn start(limit: usize) {
        let live = LIVE.load(Ordering::Relaxed);
        PEAK.store(live, Ordering::Relaxed);
        let limit = isize::try_from(limit).unwrap_or(isize::MAX);
        LIMIT.store(live.saturating_add(limit), Ordering::Relaxed);
    }

    /// Most bytes taken since the start, beyond those that were taken then.
    pub fn end(live_at_start: isize) -> usize {
        LIMIT.store(isize::MAX, Ordering::Relaxed);
        usize::try_from(PEAK.load(Ordering::Relaxed) - live_at_start).unwrap_or(0)
    }

    /// Bytes taken now.
    pub fn live() -> isize {
        LIVE.load(Ordering::Relaxed)
    }
}

/// Milliseconds since the watch began at which the execution under way started; 0 for none.
static STARTED: AtomicU64 = AtomicU64::new(0);
static PANICKED: AtomicBool = AtomicBool::new(false);
static PANIC: Mutex<String> = Mutex::new(String::new());

/// The watch over this process.
#[derive(Clone, Copy, Debug)]
pub struct Watched {
    began: Instant,
}

/// Watches this process: panics are remembered instead of printed, and an execution without end
/// ends the process.
pub fn watch() -> Watched {
    std::panic::set_hook(Box::new(|panic| {
        let mut first = PANIC.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !PANICKED.swap(true, Ordering::SeqCst) {
            *first = panic.to_string();
        }
    }));
    let watched = Watched { began: Instant::now() };
    std::thread::spawn(give_up_hangs);
    watched
}

/// Ends the process when an execution of its first thread does not end. Counts its own rounds, as
/// a process that is stopped makes none.
fn give_up_hangs() {
    let (mut of, mut rounds, mut waited) = (0, 0, 0);
    loop {
        std::thread::sleep(WATCH_INTERVAL);
        let (started, waited_now) = (STARTED.load(Ordering::Relaxed), nanos_waited(FIRST_THREAD));
        if started != of || started == 0 {
            (of, rounds, waited) = (started, 0, waited_now);
            continue;
        }
        rounds += 1;
        let ran = WATCH_INTERVAL.saturating_mul(rounds);
        if ran.saturating_sub(Duration::from_nanos(waited_now.saturating_sub(waited))) > HANG {
            eprintln!("an execution does not end");
            std::process::exit(EXIT_HANG);
        }
    }
}

/// Where the system counts for the thread that asks.
pub const OWN_THREAD: &str = "/proc/thread-self/schedstat";
/// Where the system counts for the first thread of this process.
const FIRST_THREAD: &str = "/proc/self/schedstat";

/// Time in which a thread could have run and had no processor; 0 where the system does not say.
pub fn nanos_waited(thread: &str) -> u64 {
    let counted = std::fs::read_to_string(thread).unwrap_or_default();
    counted.split(' ').nth(1).and_then(|waited| waited.parse().ok()).unwrap_or(0)
}

impl Watched {
    fn millis(&self) -> u64 {
        self.began.elapsed().as_millis() as u64 + 1
    }

    /// Many executions begin; renewed often, this costs one reading of the clock.
    pub fn begin(&self) {
        STARTED.store(self.millis(), Ordering::Relaxed);
    }

    /// They ended.
    pub fn end(&self) {
        STARTED.store(0, Ordering::Relaxed);
    }

    /// What panicked since the last call, on any thread.
    pub fn take_panic(&self) -> Option<String> {
        PANICKED.load(Ordering::Relaxed).then(|| {
            PANICKED.store(false, Ordering::Relaxed);
            std::mem::take(&mut *PANIC.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
        })
    }
}
