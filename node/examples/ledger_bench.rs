//! Measures one node's share of the work per transfer: verify, build, judge, commit.
//!
//! `cargo run --release -p cets-node --example ledger_bench [TRANSFERS_PER_BLOCK] [BLOCKS]`.
//! Two ledgers on the disk of the temporary folder: one builds, the other judges what it has seen
//! by gossip; both commit. No network, no engine.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, missing_docs)]
#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::float_arithmetic)]

#[path = "../tests/it/world.rs"]
#[allow(dead_code)]
mod world;

use std::time::{Duration, Instant};

use cets_consensus::Ledger;
use world::{Desk, HOLDERS, issue, transfer};

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().unwrap());
    let per_block = arguments.next().unwrap_or(2_000);
    let blocks = arguments.next().unwrap_or(20);
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (builder, judge) = (Desk::open(folders[0].path(), 0), Desk::open(folders[1].path(), 1));
    let lines: Vec<_> = (1..=HOLDERS).map(|number| (number, 500_000_000)).collect();
    builder.submit(vec![issue(&builder.genesis, builder.now(), 0, &lines)]).await;
    builder.decide(&[&judge]);

    let mut spent = [Duration::ZERO; 5];
    for block in 0..blocks {
        let orders: Vec<_> = (0..per_block)
            .map(|number| {
                let (from, to) = (1 + number % HOLDERS, 1 + (number + 1) % HOLDERS);
                transfer(&builder.genesis, builder.now(), block * per_block + number, from, to, 3)
            })
            .collect();
        let gossiped = orders.clone();
        let at = Instant::now();
        builder.submit(orders).await;
        spent[0] += at.elapsed();
        judge.submit(gossiped).await;
        judge.clock.set(cets_node::clock::Clock::now(&builder.clock));
        let at = Instant::now();
        let proposed = builder.propose();
        spent[1] += at.elapsed();
        let at = Instant::now();
        judge.judge(&builder, &proposed);
        spent[2] += at.elapsed();
        let certificate = builder.certificate(&proposed);
        let at = Instant::now();
        judge.ledger.commit(&certificate).unwrap();
        spent[3] += at.elapsed();
        let at = Instant::now();
        builder.ledger.commit(&certificate).unwrap();
        spent[4] += at.elapsed();
        builder.clock.advance(10);
    }
    let transfers = (per_block * blocks) as f64;
    println!("{per_block} transfers per block, {blocks} blocks; microseconds per transfer:");
    for (what, time) in
        ["verify and admit", "build", "judge", "commit", "commit (builder)"].iter().zip(spent)
    {
        println!("{what:20} {:8.2}", time.as_secs_f64() * 1e6 / transfers);
    }
    assert_eq!(builder.root(), judge.root());
}
