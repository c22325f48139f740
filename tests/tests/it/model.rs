//! The naive model beside a seeded workload.

use std::collections::BTreeSet;
use std::time::Instant;

use cets_contracts::rules::{RULES, reject_codes};
use cets_tests::workload::{Run, number_from_environment};

/// Operations from which on every rule must have been accepted and refused.
const COVERED_FROM: u64 = 200_000;

/// Codes that no receipt of the workload carries: its dates are set by order, trades fail line by
/// line, and nobody who owes is without units.
const NEVER_DRAWN: &[&str] =
    &["DATE_NOT_CIVIL", "BLOCK_TOO_SMALL", "LISTING_TOO_LARGE", "OBLIGATION_OPEN"];

/// Ledgers that share the operations. Each has its own seed; looking at everything after every
/// block costs more the longer a ledger is.
const LEDGERS: u64 = 4;

/// Same answers, same balances, same serials, and all invariants after every block.
///
/// `SEED=` chooses other workloads, `OPS=` how many operations they have together, `LEDGERS=` how
/// many ledgers share them. A ledger that fails says its seed: run it alone with `LEDGERS=1`.
#[test]
fn a_million_random_operations_agree_with_the_naive_model() {
    let seed = number_from_environment("SEED", 20_210_716);
    let operations = number_from_environment("OPS", 1_000_000);
    let ledgers = number_from_environment("LEDGERS", LEDGERS);
    let start = Instant::now();
    let runs: Vec<_> = (seed..seed + ledgers)
        .map(|seed| std::thread::spawn(move || run(seed, operations.div_ceil(ledgers))))
        .collect();
    let mut coverage = BTreeSet::new();
    for run in runs {
        coverage.extend(run.join().expect("the model and the ledger agree").coverage.into_keys());
    }
    println!("{operations} operations in {:.1} s", start.elapsed().as_secs_f32());
    if operations < COVERED_FROM {
        return;
    }
    for rule in RULES {
        let accepted = coverage.contains(&(rule.name, 0));
        let refused = coverage.iter().any(|(name, number)| *name == rule.name && *number > 0);
        assert!(accepted && refused, "{}: accepted {accepted}, refused {refused}", rule.name);
    }
    let met: BTreeSet<u16> = coverage.iter().map(|(_, number)| *number).collect();
    let known = reject_codes().filter(|code| code.number >= 1_000);
    let missed: Vec<&str> =
        known.filter(|code| !met.contains(&code.number)).map(|code| code.name).collect();
    assert_eq!(missed, NEVER_DRAWN, "codes that no operation met");
}

fn run(seed: u64, operations: u64) -> Run {
    println!("SEED={seed} OPS={operations} LEDGERS=1");
    let mut run = Run::new(seed);
    run.until(operations);
    println!("seed {seed}: {}", run.report());
    run
}
