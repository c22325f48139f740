//! Measures a full audit beside this machine's own rate of batch verification, in one run.
//!
//! `cargo run --release -p cets-cli --example audit_bench [TRANSFERS] [PER_BLOCK]`, by default
//! a million signed transfers in blocks of 2,000. The history lies in the temporary folder while
//! it runs. `audit_bench … parts` also times the parts of the work one after the other.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, missing_docs)]
#![allow(clippy::cast_precision_loss, clippy::float_arithmetic)]

mod ledger;

use std::time::{Duration, Instant};

use cets_cli::audit::{AuditPlan, HistorySource, StoredHistory, audit};
use cets_contracts::audit::{Auditor, InvariantSchedule, PreparedBlock, StoredBlock};
use cets_contracts::block::Block;
use cets_contracts::crypto::KnownKeys;
use cets_contracts::tx::{Transaction, verify_batch};
use cets_contracts::types::Height;
use rayon::prelude::*;

/// Signatures of one batch of the yardstick.
const BATCH: usize = 1_024;

/// That of the `cets` program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(default, |text| text.parse().unwrap());
    let (transfers, per_block): (u64, u64) = (number(1_000_000), number(2_000));
    let parts = arguments.next().is_some();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.cets");
    let started = Instant::now();
    ledger::Maker::start(&path).write_all(transfers, per_block);
    let bytes = std::fs::metadata(&path).unwrap().len();
    println!(
        "{transfers} transfers in blocks of {per_block}, {} MiB, made in {:.1?}, {} threads",
        bytes >> 20,
        started.elapsed(),
        rayon::current_num_threads()
    );
    if parts {
        time_parts(&path);
    }
    let mut rates = Vec::new();
    rates.push(yardstick(&path));
    let (started, ticks) = (Instant::now(), processor_ticks());
    let mut history = StoredHistory::open(&path).unwrap();
    let schedule = InvariantSchedule { every_blocks: 0 };
    let audited = audit(&mut history, &AuditPlan::whole(schedule), &|_| {}).unwrap();
    let (elapsed, ticks) = (started.elapsed(), processor_ticks() - ticks);
    rates.push(yardstick(&path));
    let verify = rates.iter().sum::<f64>() / rates.len() as f64;
    let audit = audited.report.transactions as f64 / elapsed.as_secs_f64();
    println!("batch verification {verify:9.0} signatures/s (before and after: {rates:.0?})");
    println!("full audit         {audit:9.0} transactions/s, {elapsed:.2?} for the whole history");
    let spent = ticks as f64 * 10_000.0 / audited.report.transactions as f64;
    println!("processor time     {spent:9.1} us per transaction, on all threads");
    println!("share              {:9.1} %", 100.0 * audit / verify);
}

/// Hundredths of a second of processor time that this process has spent; 0 where unknown.
fn processor_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in parentheses, user and system time are the 12th and 13th fields.
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum()
}

/// Signatures per second that all threads verify in batches, of transactions already decoded.
fn yardstick(path: &std::path::Path) -> f64 {
    let mut history = StoredHistory::open(path).unwrap();
    let mut transactions = Vec::new();
    while let Some(stored) = history.next_block().unwrap() {
        let block = Block::decode(&stored.block).unwrap();
        transactions.extend(block.transactions);
        if transactions.len() >= 100_000 {
            break;
        }
    }
    let decoded: Vec<Vec<Transaction>> = transactions
        .chunks(BATCH)
        .map(|chunk| {
            chunk.iter().map(|bytes| Transaction::decode(bytes.clone()).unwrap()).collect()
        })
        .collect();
    let count: usize = decoded.iter().flatten().map(|one| one.signatures().len()).sum();
    let started = Instant::now();
    let good = decoded
        .into_par_iter()
        .all(|batch| verify_batch(batch, &mut KnownKeys::none()).iter().all(Result::is_ok));
    assert!(good);
    count as f64 / started.elapsed().as_secs_f64()
}

/// Times reading, preparing and executing one after the other on one thread.
fn time_parts(path: &std::path::Path) {
    let mut history = StoredHistory::open(path).unwrap();
    let genesis = history.genesis().clone();
    let mut auditor = Auditor::new(&genesis, InvariantSchedule { every_blocks: 0 }).unwrap();
    let mut spent = [Duration::ZERO; 5];
    let mut transactions = 0u64;
    let mut height = Height::GENESIS;
    loop {
        let at = Instant::now();
        let Some(stored) = history.next_block().unwrap() else { break };
        spent[0] += at.elapsed();
        height = height.next();
        let at = Instant::now();
        decode_only(&stored);
        spent[1] += at.elapsed();
        let at = Instant::now();
        let prepared = PreparedBlock::new(height, stored).unwrap();
        spent[2] += at.elapsed();
        transactions += 1;
        let at = Instant::now();
        auditor.check_block(prepared).unwrap();
        spent[3] += at.elapsed();
    }
    let at = Instant::now();
    let report = auditor.finish().unwrap().0;
    spent[4] += at.elapsed();
    println!("{transactions} blocks, {} records; microseconds per transaction:", report.records);
    let names =
        ["read", "decode (again in prepare)", "prepare", "execute and compare", "invariants"];
    for (name, time) in names.iter().zip(spent) {
        println!("{name:28} {:7.2}", time.as_secs_f64() * 1e6 / report.transactions as f64);
    }
}

fn decode_only(stored: &StoredBlock) {
    let block = Block::decode(&stored.block).unwrap();
    for bytes in block.transactions {
        std::hint::black_box(Transaction::decode(bytes).unwrap());
    }
}
