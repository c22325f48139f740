//! Real nodes that are killed under load: a short form of `cargo cluster`.

use std::sync::{Mutex, PoisonError};

use cets_tests::cluster::story::{Kind, Telling, tell};
use cets_tests::workload::number_from_environment;

/// One cluster at a time: each has four processes.
static STAGE: Mutex<()> = Mutex::new(());

fn holds(kind: Kind, rounds: u32) {
    let _alone = STAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let seed = number_from_environment("SEED", 1);
    let ending = tell(kind, &Telling { seed, rounds, validators: 4 }).unwrap();
    println!("{}", ending.figures);
    let (violations, folder) = (ending.violations, ending.folder);
    assert!(violations.is_empty(), "{violations:#?}\nlogs of the nodes: {folder:?}");
}

#[test]
fn the_others_go_on_when_one_node_is_killed_and_it_catches_up() {
    holds(Kind::KillOne, 2);
}

#[test]
fn nothing_acknowledged_is_lost_when_all_nodes_are_killed_at_once() {
    holds(Kind::KillAll, 3);
}

#[test]
fn a_node_that_lost_its_disk_joins_again_and_votes() {
    holds(Kind::EmptyDisk, 1);
}
