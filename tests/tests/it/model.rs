//! The naive model beside a seeded workload.

use std::collections::BTreeSet;
use std::time::Instant;

use cets_contracts::rules::RULES;
use cets_tests::workload::{Run, number_from_environment};

/// Operations from which on every rule must have been accepted and refused.
const COVERED_FROM: u64 = 200_000;

/// Same answers, same balances, same serials, and all invariants after every block.
///
/// `SEED=` chooses another workload, `OPS=` another size.
#[test]
fn a_million_random_operations_agree_with_the_naive_model() {
    let seed = number_from_environment("SEED", 20_210_716);
    let operations = number_from_environment("OPS", 1_000_000);
    let start = Instant::now();
    let mut run = Run::new(seed);
    run.until(operations);
    println!("{}\nin {:.1} s", run.report(), start.elapsed().as_secs_f32());
    if operations < COVERED_FROM {
        return;
    }
    for rule in RULES {
        let accepted = run.coverage.contains_key(&(rule.name, 0));
        let refused = run.coverage.keys().any(|(name, number)| *name == rule.name && *number > 0);
        assert!(accepted && refused, "{}: accepted {accepted}, refused {refused}", rule.name);
    }
    let codes: BTreeSet<u16> = run.coverage.keys().map(|(_, number)| *number).collect();
    assert!(codes.len() > 45, "{codes:?}");
}
