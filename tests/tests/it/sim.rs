//! The whole network in one process, under seeds.

use std::time::Duration;

use cets_tests::sim::{Search, Shape, Templates, again, corpus, run_seed, search};
use cets_tests::workload::number_from_environment;
use cets_tests::workspace;

/// Time after which no further seed of a shape is begun.
const TIME_MAX: Duration = Duration::from_secs(15);

const SHAPES: [Shape; 4] = [
    Shape { validators: 4, byzantine: 0 },
    Shape { validators: 4, byzantine: 1 },
    Shape { validators: 7, byzantine: 0 },
    Shape { validators: 7, byzantine: 2 },
];

#[test]
fn the_same_seed_gives_the_same_trace_twice() {
    for shape in SHAPES {
        let templates = Templates::new(shape);
        let digest = |seed| run_seed(&templates, shape, seed, false).digest;
        for seed in 1..4 {
            let first = digest(seed);
            assert_eq!(first, digest(seed), "{}", again(shape, seed));
            assert_ne!(first, digest(seed + 100));
        }
    }
}

#[test]
fn seeds_that_failed_once_hold_now() {
    let seeds = corpus(&workspace::root());
    for shape in SHAPES {
        let templates = Templates::new(shape);
        for (_, seed) in seeds.iter().filter(|(of, _)| *of == shape) {
            let outcome = run_seed(&templates, shape, *seed, false);
            let violations = &outcome.violations;
            assert!(violations.is_empty(), "{}: {violations:#?}", again(shape, *seed));
        }
    }
    assert!(seeds.iter().all(|(shape, _)| SHAPES.contains(shape)));
}

/// `SIM_FIRST=` and `SIM_SEEDS=` choose other seeds.
#[test]
fn a_short_range_of_seeds_holds() {
    let first = number_from_environment("SIM_FIRST", 1_000_000);
    let seeds = Some(number_from_environment("SIM_SEEDS", 100));
    for shape in SHAPES {
        let what = Search { shape, first, seeds, time: Some(TIME_MAX), jobs: 2 };
        let total = search(what, |_| {});
        println!("{shape:?}: {} seeds, {} events", total.seeds, total.sum.events);
        assert!(total.sum.heights > 0 && total.sum.acknowledged > 0);
        let failed = total.failed.first().map(|one| (again(shape, one.seed), &one.violations));
        assert!(failed.is_none(), "{failed:#?}");
    }
}
