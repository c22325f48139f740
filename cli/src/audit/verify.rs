//! Running the audit over a history.
//!
//! One thread reads, one executes in order, and the others prepare the blocks ahead of it:
//! signatures are verified in batches across transactions and blocks.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use cets_contracts::audit::{
    AuditError, AuditReport, Auditor, HistoryRecord, InvariantSchedule, PreparedBlock, StoredBlock,
};
use cets_contracts::block::ValidatorSet;
use cets_contracts::crypto::KnownKeys;
use cets_contracts::invariants;
use cets_contracts::types::Height;
use rayon::prelude::*;

use super::{HistorySource, read_snapshot, write_snapshot};
use crate::error::{CliError, ErrorKind};
use crate::text;
use crate::text::{Lang, Text};

/// Most blocks that are prepared together.
const CHUNK_BLOCKS_MAX: usize = 1_024;
/// Bytes of blocks whose signatures are verified as one; about 4,000 transfers. The larger, the
/// more signatures of one key share its point.
const CHUNK_BYTES: usize = 1024 * 1024;
/// Chunks that were read and wait to be prepared.
const CHUNKS_WAITING_MAX: usize = 4;
/// Chunks per thread that are prepared ahead of the one that is executed.
const CHUNKS_AHEAD_PER_THREAD: usize = 2;

thread_local! {
    /// Keys whose signatures this thread verified before.
    static KNOWN: RefCell<KnownKeys> = RefCell::new(KnownKeys::new());
}

/// How an audit runs.
#[derive(Clone, Copy, Debug)]
pub struct AuditPlan<'a> {
    /// When all invariants are checked.
    pub schedule: InvariantSchedule,
    /// File to go on from when it exists, and to save the state to.
    pub resume: Option<&'a Path>,
    /// Blocks between two saves.
    pub save_every: u64,
    /// Set when the audit should save its state and stop.
    pub stop: Option<&'a AtomicBool>,
}

impl AuditPlan<'_> {
    /// An audit from genesis to the end that saves nothing.
    pub const fn whole(schedule: InvariantSchedule) -> Self {
        Self { schedule, resume: None, save_every: u64::MAX, stop: None }
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}

/// An audit that passed.
#[derive(Clone, Debug)]
pub struct Audited {
    /// What was checked.
    pub report: AuditReport,
    /// Transactions that this run executed; fewer than the report's when it went on from a file.
    pub executed: u64,
    /// Records of the stored state that were held against execution; none were carried.
    pub records_compared: Option<u64>,
    /// How long it took.
    pub elapsed: Duration,
}

/// How far an audit is.
#[derive(Clone, Copy, Debug)]
pub struct Progressed {
    /// Height checked.
    pub blocks: u64,
    /// Transactions that this run executed.
    pub transactions: u64,
}

/// Told after every block.
pub type Progress<'a> = &'a (dyn Fn(Progressed) + Sync);

/// Consecutive blocks and the height of the first.
type Chunk = (Height, Vec<StoredBlock>);
type Prepared = Vec<Result<PreparedBlock, AuditError>>;

/// Audits a history from genesis, or from where an earlier run stopped, to its end.
pub fn audit(
    source: &mut dyn HistorySource,
    plan: &AuditPlan<'_>,
    progress: Progress<'_>,
) -> Result<Audited, CliError> {
    let started = Instant::now();
    let mut auditor = start(source, plan)?;
    let before = auditor.report().transactions;
    std::thread::scope(|scope| {
        let (sender, chunks) = sync_channel(CHUNKS_WAITING_MAX);
        let first = auditor.state().tip.height.next();
        let source = &mut *source;
        scope.spawn(move || read_blocks(source, first, &sender));
        check_blocks(&mut auditor, &chunks, plan, progress)
    })?;
    // The records of the history and all invariants of the state need each other as little as
    // they need the clock: they are checked side by side.
    let parts = || invariants::PARTS.into_par_iter().map(|part| auditor.check_part(part));
    let (invariants, records_compared) = rayon::join(
        || parts().collect::<Result<(), AuditError>>(),
        || compare_records(&auditor, &mut *source),
    );
    invariants.map_err(|error| broken(&error))?;
    let records_compared = records_compared?;
    auditor.check_end(source.end()?).map_err(|error| broken(&error))?;
    save(&auditor, plan)?;
    let report = auditor.report();
    let executed = report.transactions.saturating_sub(before);
    Ok(Audited { report, executed, records_compared, elapsed: started.elapsed() })
}

/// An auditor at genesis, or after the block that the plan's file holds.
fn start(source: &mut dyn HistorySource, plan: &AuditPlan<'_>) -> Result<Auditor, CliError> {
    let genesis = source.genesis();
    let Some(path) = plan.resume.filter(|path| path.exists()) else {
        return Auditor::new(genesis, plan.schedule).map_err(|error| broken(&error));
    };
    let unusable = |error: AuditError| {
        let path = path.display();
        CliError::user(text!(
            "the audit cannot go on from {path}: {error}",
            "无法从 {path} 继续审计：{error}"
        ))
        .hint(text!("move the file away to audit from genesis", "移走该文件即可自创世起重新审计"))
        .fact("audit", "not resumed")
    };
    let snapshot = read_snapshot(path)?;
    let auditor = Auditor::resume(genesis, plan.schedule, snapshot).map_err(unusable)?;
    source.skip(&auditor.state().tip)?;
    Ok(auditor)
}

fn save(auditor: &Auditor, plan: &AuditPlan<'_>) -> Result<(), CliError> {
    let Some(path) = plan.resume else { return Ok(()) };
    auditor.snapshot().map_or(Ok(()), |snapshot| write_snapshot(path, &snapshot))
}

/// A failure of the audit: the history does not hold.
pub fn broken(error: &dyn std::error::Error) -> CliError {
    broken_text(text!("{error}", "{error}"))
}

/// A failure of the audit in words that name the place.
pub fn broken_text(what: Text) -> CliError {
    let (english, chinese) = (what.get(Lang::En), what.get(Lang::Zh));
    CliError::new(
        ErrorKind::User,
        Text::new(
            format!("the history does not hold: {english}"),
            format!("账本历史不成立：{chinese}"),
        ),
    )
    .hint(text!(
        "keep this history as evidence and audit another node's",
        "请保留该历史作为证据，并审计其他节点的历史"
    ))
    .fact("audit", "broken")
}

/// Reads chunks; a receiver that went away found an error and needs no more.
fn read_blocks(
    source: &mut dyn HistorySource,
    first: Height,
    sender: &SyncSender<Result<Chunk, CliError>>,
) {
    let mut height = first;
    loop {
        let mut blocks = Vec::new();
        let mut bytes = 0usize;
        let last = loop {
            if blocks.len() >= CHUNK_BLOCKS_MAX || bytes >= CHUNK_BYTES {
                break false;
            }
            match source.next_block() {
                Ok(Some(block)) => {
                    bytes = bytes.saturating_add(block.block.len());
                    blocks.push(block);
                }
                Ok(None) => break true,
                Err(error) => {
                    // Blocks before the failure are checked first.
                    sender.send(Ok((height, blocks))).ok();
                    sender.send(Err(error)).ok();
                    return;
                }
            }
        };
        let first = height;
        height = blocks.iter().fold(height, |height, _| height.next());
        if sender.send(Ok((first, blocks))).is_err() || last {
            return;
        }
    }
}

/// Decodes blocks and verifies their signatures.
///
/// `validators` probably decide them: their certificates are verified here already.
fn prepare((first, blocks): Chunk, validators: &Arc<ValidatorSet>) -> Prepared {
    let many =
        |known: &RefCell<KnownKeys>| PreparedBlock::many(first, blocks, &mut known.borrow_mut());
    let mut prepared = KNOWN.with(many);
    for block in prepared.iter_mut().flatten() {
        block.check_certificate(validators);
    }
    prepared
}

/// Executes chunk after chunk on this thread while the other threads prepare the next ones.
fn check_blocks(
    auditor: &mut Auditor,
    chunks: &Receiver<Result<Chunk, CliError>>,
    plan: &AuditPlan<'_>,
    progress: Progress<'_>,
) -> Result<(), CliError> {
    let ahead_max = rayon::current_num_threads().saturating_mul(CHUNKS_AHEAD_PER_THREAD);
    let mut saved = auditor.state().tip.height.get();
    let mut transactions = 0u64;
    rayon::in_place_scope(|scope| {
        let mut ahead: VecDeque<Receiver<Prepared>> = VecDeque::new();
        let mut end: Option<Result<(), CliError>> = None;
        loop {
            while end.is_none() && ahead.len() < ahead_max {
                match chunks.recv() {
                    Ok(Ok(chunk)) => {
                        let validators = Arc::new(auditor.validators().clone());
                        let (sender, prepared) = sync_channel(1);
                        scope.spawn(move |_| drop(sender.send(prepare(chunk, &validators))));
                        ahead.push_back(prepared);
                    }
                    Ok(Err(error)) => end = Some(Err(error)),
                    Err(_) => end = Some(Ok(())),
                }
            }
            let Some(next) = ahead.pop_front() else { return end.unwrap_or(Ok(())) };
            // A thread that panicked left nothing; the scope passes its panic on.
            let Ok(prepared) = next.recv() else { return Ok(()) };
            check_chunk(auditor, prepared, &mut transactions, progress)
                .map_err(|error| broken(&error))?;
            let height = auditor.state().tip.height.get();
            let stopped = plan.is_stopped() && !(ahead.is_empty() && end.is_some());
            if stopped || height.saturating_sub(saved) >= plan.save_every {
                save(auditor, plan)?;
                saved = height;
            }
            if stopped {
                return Err(interrupted(height, plan));
            }
        }
    })
}

fn check_chunk(
    auditor: &mut Auditor,
    chunk: Prepared,
    transactions: &mut u64,
    progress: Progress<'_>,
) -> Result<(), AuditError> {
    for block in chunk {
        let checked = auditor.check_block(block?)?;
        let count = u64::try_from(checked.outcomes.len()).unwrap_or(u64::MAX);
        *transactions = transactions.saturating_add(count);
        let blocks = checked.header.height.get();
        progress(Progressed { blocks, transactions: *transactions });
        // This thread is the one that everything waits for: others free what it used.
        rayon::spawn(move || drop(checked));
    }
    Ok(())
}

fn interrupted(height: u64, plan: &AuditPlan<'_>) -> CliError {
    let file = plan.resume.map(|path| path.display().to_string()).unwrap_or_default();
    CliError::user(text!(
        "interrupted after block {height}: nothing is wrong so far",
        "已在区块 {height} 之后中断：至此未发现问题"
    ))
    .hint(text!("the same command goes on from {file}", "再次运行同一命令即可从 {file} 继续"))
    .fact("audit", "interrupted")
    .fact("height", height)
}

/// Holds the records of a history against the state, when it carries any.
fn compare_records(
    auditor: &Auditor,
    source: &mut dyn HistorySource,
) -> Result<Option<u64>, CliError> {
    let Some(first) = source.next_records()? else { return Ok(None) };
    let failure = RefCell::new(None);
    let compared = RefCell::new(0u64);
    let later = std::iter::from_fn(|| {
        source.next_records().unwrap_or_else(|error| {
            failure.borrow_mut().replace(error);
            None
        })
    });
    let records = std::iter::once(first).chain(later).flatten().inspect(|_: &HistoryRecord| {
        let mut compared = compared.borrow_mut();
        *compared = compared.saturating_add(1);
    });
    let verdict = auditor.compare_records(records);
    if let Some(error) = failure.into_inner() {
        return Err(error);
    }
    verdict.map_err(|error| broken(&error))?;
    Ok(Some(compared.into_inner()))
}
