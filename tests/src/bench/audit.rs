//! G9: the audit of a whole history from genesis, beside signatures alone.
//!
//! The history is that of `audit_bench`: an allocation, then signed transfers in blocks, written as
//! a node exports it. `cets audit verify` reads it and believes nothing.

#[path = "../../../cli/examples/audit_bench/ledger.rs"]
mod ledger;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use cets_cli::audit::{HistorySource as _, StoredHistory};
use cets_contracts::block::Block;
use cets_contracts::crypto::KnownKeys;
use cets_contracts::tx::{Transaction, verify_batch};
use eyre::ensure;
use rayon::prelude::*;

use super::goal::{Goal, SIGNATURES_ALONE};
use super::machine;
use super::results::{self, Measured, median};
use crate::cluster::nodes::program;

/// Transfers of a block.
const PER_BLOCK: u64 = 2_000;
/// Signatures of one batch of the yardstick, and how many are verified in all.
const BATCH: usize = 1_024;
const YARDSTICK: usize = 100_000;

/// Signatures a second that all processors verify in batches, of transactions already decoded.
fn yardstick(history: &Path) -> eyre::Result<f64> {
    let mut history = StoredHistory::open(history)?;
    let mut transactions = Vec::new();
    while let Some(stored) = history.next_block()? {
        transactions.extend(Block::decode(&stored.block)?.transactions);
        if transactions.len() >= YARDSTICK {
            break;
        }
    }
    let decoded = transactions
        .chunks(BATCH)
        .map(|chunk| chunk.iter().map(|bytes| Ok(Transaction::decode(bytes.clone())?)).collect());
    let decoded = decoded.collect::<eyre::Result<Vec<Vec<Transaction>>>>()?;
    let count: usize = decoded.iter().flatten().map(|one| one.signatures().len()).sum();
    let started = Instant::now();
    let good = decoded
        .into_par_iter()
        .all(|batch| verify_batch(batch, &mut KnownKeys::none()).iter().all(Result::is_ok));
    ensure!(good, "a signature of the history is wrong");
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// Measures G9.
pub fn measure(transfers: u64, runs: usize) -> eyre::Result<Measured> {
    std::fs::create_dir_all(results::folder())?;
    let folder = tempfile::TempDir::with_prefix_in("audit-", results::folder())?;
    let history = folder.path().join("history.cets");
    ledger::Maker::start(&history).write_all(transfers, PER_BLOCK);
    let (mut rates, mut alone, mut micros) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        alone.push(yardstick(&history)?);
        let (started, cpu) = (Instant::now(), machine::children_cpu_seconds());
        let output = Command::new(program("cets")?)
            .arg("--home")
            .arg(folder.path().join("home"))
            .args(["audit", "verify", "--export"])
            .arg(&history)
            .output()?;
        let seconds = started.elapsed().as_secs_f64();
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the audit fails: {said}");
        rates.push(transfers as f64 / seconds);
        micros.push((machine::children_cpu_seconds() - cpu) * 1e6 / transfers as f64);
    }
    let mut measured = Measured::of(Goal::G9, rates);
    measured.against(SIGNATURES_ALONE, alone);
    measured.figure("processor us per transfer", median(&micros));
    let mib = std::fs::metadata(&history)?.len() as f64 / 1_048_576.0;
    measured.figure("MiB of the history", mib);
    measured.note(format!(
        "`cets audit verify` over an exported history of {transfers} transfers in blocks of \
         {PER_BLOCK}: every signature, certificate, rule, root and, at the end, every invariant; \
         reading the file and starting the program included"
    ));
    Ok(measured)
}
