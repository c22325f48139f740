//! Running the audit over a history.

use std::cell::RefCell;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use cets_contracts::audit::{
    AuditError, AuditReport, Auditor, HistoryRecord, InvariantSchedule, PreparedBlock, StoredBlock,
};
use cets_contracts::types::Height;
use rayon::prelude::*;

use super::HistorySource;
use crate::error::{CliError, ErrorKind};
use crate::text;

/// Most blocks that are prepared together.
const BATCH_BLOCKS_MAX: usize = 256;
/// Bytes of blocks after which a batch is closed.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Batches that may wait between two steps.
const BATCHES_WAITING_MAX: usize = 2;

/// An audit that passed.
#[derive(Clone, Debug)]
pub struct Audited {
    /// What was checked.
    pub report: AuditReport,
    /// Records of the stored state that were held against execution; none were carried.
    pub records_compared: Option<u64>,
    /// How long it took.
    pub elapsed: Duration,
}

/// Told after every batch: blocks so far, transactions so far.
pub type Progress<'a> = &'a (dyn Fn(u64) + Sync);

type Prepared = Result<Vec<PreparedBlock>, CliError>;

/// Audits a history from genesis to its end.
pub fn audit(
    source: &mut dyn HistorySource,
    schedule: InvariantSchedule,
    progress: Progress<'_>,
) -> Result<Audited, CliError> {
    let started = Instant::now();
    let mut auditor = Auditor::new(source.genesis(), schedule).map_err(|error| broken(&error))?;
    std::thread::scope(|scope| {
        let (raw_sender, raw) = sync_channel(BATCHES_WAITING_MAX);
        let (prepared_sender, prepared) = sync_channel(BATCHES_WAITING_MAX);
        scope.spawn({
            let source = &mut *source;
            move || read_blocks(source, &raw_sender)
        });
        scope.spawn(move || prepare_blocks(&raw, &prepared_sender));
        check_blocks(&mut auditor, &prepared, progress)
    })?;
    let records_compared = compare_records(&auditor, source)?;
    auditor.check_end(source.end()?).map_err(|error| broken(&error))?;
    let (report, _) = auditor.finish().map_err(|error| broken(&error))?;
    Ok(Audited { report, records_compared, elapsed: started.elapsed() })
}

/// A failure of the audit: the history does not hold.
pub fn broken(error: &AuditError) -> CliError {
    CliError::new(
        ErrorKind::User,
        text!("the history does not hold: {error}", "账本历史不成立：{error}"),
    )
    .hint(text!(
        "keep this history as evidence and audit another node's",
        "请保留该历史作为证据，并审计其他节点的历史"
    ))
    .fact("audit", "broken")
}

/// Reads batches; a receiver that went away found an error and needs no more.
fn read_blocks(
    source: &mut dyn HistorySource,
    sender: &SyncSender<Result<(Height, Vec<StoredBlock>), CliError>>,
) {
    let mut height = Height::new(1);
    loop {
        let mut batch = Vec::new();
        let mut bytes = 0usize;
        let last = loop {
            if batch.len() >= BATCH_BLOCKS_MAX || bytes >= BATCH_BYTES {
                break false;
            }
            match source.next_block() {
                Ok(Some(block)) => {
                    bytes = bytes.saturating_add(block.block.len());
                    batch.push(block);
                }
                Ok(None) => break true,
                Err(error) => {
                    // Blocks before the failure are checked first.
                    sender.send(Ok((height, batch))).ok();
                    sender.send(Err(error)).ok();
                    return;
                }
            }
        };
        let first = height;
        height = batch.iter().fold(height, |height, _| height.next());
        if sender.send(Ok((first, batch))).is_err() || last {
            return;
        }
    }
}

/// Decodes blocks and verifies their signatures on all cores.
fn prepare_blocks(
    raw: &Receiver<Result<(Height, Vec<StoredBlock>), CliError>>,
    sender: &SyncSender<Prepared>,
) {
    for batch in raw {
        let prepared = batch.and_then(|(first, blocks)| {
            let numbered: Vec<(Height, StoredBlock)> =
                (first.get()..).map(Height::new).zip(blocks).collect();
            let prepared: Vec<Result<PreparedBlock, AuditError>> = numbered
                .into_par_iter()
                .map(|(height, block)| PreparedBlock::new(height, block))
                .collect();
            prepared.into_iter().collect::<Result<_, _>>().map_err(|error| broken(&error))
        });
        let failed = prepared.is_err();
        if sender.send(prepared).is_err() || failed {
            return;
        }
    }
}

fn check_blocks(
    auditor: &mut Auditor,
    prepared: &Receiver<Prepared>,
    progress: Progress<'_>,
) -> Result<(), CliError> {
    for batch in prepared {
        for block in batch? {
            auditor.check_block(block).map_err(|error| broken(&error))?;
        }
        progress(auditor.state().tip.height.get());
    }
    Ok(())
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
