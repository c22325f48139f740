//! Measures how long it takes to find three planted differences among a million ranges.
//!
//! `cargo run --release -p cets-cli --example compare_bench [RANGES]`: two lists of an institution
//! (CSV), read from disk and compared, and the comparison of two lists in memory.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, missing_docs)]

use std::fmt::Write as _;
use std::time::Instant;

use cets_cli::audit::{HoldingsFilter, HoldingsSource};
use cets_contracts::audit::HoldingList;
use cets_contracts::types::{AccountId, Instrument, Role, SerialRange, Vintage};

fn main() {
    let ranges: u64 = std::env::args().nth(1).map_or(1_000_000, |text| text.parse().unwrap());
    let instrument = Instrument::Cea(Vintage::new(2021).unwrap());
    let holder = |number: u64| AccountId::new(Role::KeyEmittingEntity, 1 + number % 2_257).unwrap();
    let planted = [ranges / 7, ranges / 2, ranges - 2];
    let lines = |differ: bool| -> Vec<(SerialRange, AccountId)> {
        let line = |number: u64| {
            let range = SerialRange::new(instrument, 1 + number * 10, 11 + number * 10).unwrap();
            let other = differ && planted.contains(&number);
            (range, holder(number + u64::from(other)))
        };
        (0..ranges).map(line).collect()
    };
    let started = Instant::now();
    let (left, right) = (HoldingList::new(lines(false)), HoldingList::new(lines(true)));
    println!("two lists of {ranges} ranges made in {:.0?}", started.elapsed());
    let (left, right) = (left.unwrap(), right.unwrap());
    let started = Instant::now();
    let found = left.differences(&right);
    println!("compared in memory in {:.1?}: {} differences", started.elapsed(), found.len());
    assert_eq!(found.len(), 3);

    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, list: &HoldingList<AccountId>| {
        let mut text = "account,instrument,first,last\n".to_owned();
        for (range, account) in list.ranges() {
            writeln!(text, "{account},{instrument},{},{}", range.start(), range.last()).unwrap();
        }
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        HoldingsSource::List(path)
    };
    let (left, right) = (write("left.csv", &left), write("right.csv", &right));
    let started = Instant::now();
    let filter = HoldingsFilter::default();
    let (a, b) = (left.read(&filter).unwrap(), right.read(&filter).unwrap());
    let compared = a.compare(b, &filter, |_, _| Ok(Vec::new())).unwrap();
    println!("two files read and compared in {:.0?}", started.elapsed());
    for difference in &compared.differences {
        let account = |side: Option<cets_cli::audit::HeldBy>| side.unwrap().account;
        let (left, right) = (account(difference.left), account(difference.right));
        println!("  {}: {left} | {right}", difference.range);
    }
    assert_eq!(compared.differences.len(), 3);
}
