//! Attacks on a real node: a short form of `cargo hostile`.

use std::time::Duration;

use cets_tests::hostile::attacks::Attack;
use cets_tests::hostile::story::{Stage, Strength};
use cets_tests::workload::number_from_environment;

#[test]
fn worthless_requests_and_held_connections_hinder_no_honest_client() {
    let seed = number_from_environment("SEED", 1);
    let strength = Strength {
        requests: 2_000,
        rate: 1_000,
        connections: 300,
        hold: Duration::from_secs(2),
        peace: Duration::ZERO,
        finals: 4,
        seed,
    };
    let mut stage = Stage::open(seed).unwrap();
    for attack in Attack::ALL {
        let measured = stage.attack(attack, &strength).unwrap();
        println!("{measured}");
        assert_eq!(measured.failures(), Vec::<String>::new());
        assert!(!measured.answers.is_empty());
    }
    stage.close();
}
