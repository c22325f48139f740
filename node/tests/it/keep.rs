//! States that a node keeps by itself, and that they are proven later.

use std::path::Path;
use std::time::{Duration, Instant};

use cets_contracts::genesis::{Genesis, GenesisParameter};
use cets_contracts::proof::{
    Anchor, Claim, Proof, ProofFile, RecordInclusion, RecordProof, ValidatorChain,
};
use cets_contracts::rules::governance::advance_business_date::AdvanceBusinessDate;
use cets_contracts::state::{Account, ParameterName, StatusKind, Table, keys};
use cets_contracts::types::{BusinessDate, Height, Vintage};
use cets_node::ledger::KeepRules;
use cets_node::mempool::MempoolLimits;
use cets_node::read::ProveError;

use crate::world::{
    Desk, body, genesis, holder, instrument, issued, registry, registry_keys, sign, transfer,
};

/// Longest wait for a file; far more than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

fn day(text: &str) -> BusinessDate {
    text.parse().unwrap()
}

/// A genesis of 2021-07-16 whose surrender deadline is three days later.
fn with_deadline() -> Genesis {
    let mut genesis = genesis();
    let name = ParameterName::SurrenderDeadline;
    genesis.parameters.push(GenesisParameter {
        name,
        year: Some(Vintage::new(2021).unwrap()),
        valid_from: day("2021-01-01"),
        value: i64::from(day("2021-07-19").as_days()),
        article: name.article().to_owned(),
    });
    genesis
}

fn open(folder: &Path, keep: KeepRules) -> Desk {
    // The kept states lie beside the database.
    let limits = MempoolLimits::default();
    let mut desk = Desk::open_of(with_deadline(), &folder.join("ledger"), 0, limits);
    desk.ledger = desk.ledger.keeping(keep);
    desk
}

async fn pay(desk: &Desk, salt: u64, tonnes: u64) {
    desk.submit(vec![transfer(&desk.genesis, desk.now(), salt, 1, 2, tonnes)]).await;
    desk.decide(&[]);
}

async fn advance(desk: &Desk, salt: u64, date: &str) {
    let order = AdvanceBusinessDate { date: day(date) };
    let order = body(&desk.genesis, desk.now(), registry(), salt, order.into());
    desk.submit(vec![sign(order, &registry_keys()[..1])]).await;
    desk.decide(&[]);
}

/// Waits until exactly these heights are kept: files are written while blocks go on.
fn keeps(desk: &Desk, heights: &[u64]) {
    let started = Instant::now();
    let heights: Vec<Height> = heights.iter().copied().map(Height::new).collect();
    loop {
        let kept = desk.reader().kept_heights().unwrap();
        if kept == heights {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{kept:?} are kept, not {heights:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Tonnes that holder 1 has free after a height, from a proof that is verified without the node.
fn proven(desk: &Desk, height: u64) -> u64 {
    let key = keys::account(holder(1)).into_bytes();
    let proven = desk.reader().prove_records(&[key], Some(Height::new(height))).unwrap();
    let records = proven.records.into_iter().map(|(record, state)| RecordInclusion {
        key: record.key,
        value: record.value,
        state,
    });
    let anchor = Anchor { header: proven.header, certificate: proven.certificate };
    let proof = Proof::Records(RecordProof { records: records.collect(), anchor });
    let file = ProofFile { validators: ValidatorChain::default(), proof };
    let verified = ProofFile::from_text(&file.to_text()).unwrap().verify(&desk.genesis).unwrap();
    assert_eq!(verified.height, Height::new(height));
    let Claim::Records(records) = verified.claim else { panic!("another claim") };
    let account: Account = records[0].read().unwrap();
    account.total(instrument(), StatusKind::Free).get()
}

#[tokio::test]
async fn the_last_state_of_a_surrender_deadline_is_kept_and_proven_later() {
    let folder = tempfile::tempdir().unwrap();
    let desk = open(folder.path(), KeepRules::default());
    issued(&desk, &[]).await;
    advance(&desk, 1, "2021-07-19").await;
    pay(&desk, 2, 100).await;
    keeps(&desk, &[]);
    // The deadline is over with the block that moves the date past it.
    advance(&desk, 3, "2021-07-20").await;
    pay(&desk, 4, 1_000).await;
    advance(&desk, 5, "2021-07-21").await;
    keeps(&desk, &[3]);
    assert_eq!(desk.free(1), 10_000 - 1_100);
    assert_eq!(proven(&desk, 3), 10_000 - 100);
    drop(desk);
    let desk = open(folder.path(), KeepRules::default());
    assert_eq!(proven(&desk, 3), 10_000 - 100, "after a restart");
    let key = keys::account(holder(1)).into_bytes();
    let error = desk.reader().prove_records(&[key], Some(Height::new(4))).unwrap_err();
    assert!(error.to_string().contains("keeps no state of height 4, only"), "{error}");
}

#[tokio::test]
async fn the_last_state_of_a_date_of_the_settings_is_kept_also_when_it_is_jumped_over() {
    let folder = tempfile::tempdir().unwrap();
    let keep_dates = vec![day("2021-07-17"), day("2021-08-01")];
    let keep = KeepRules { keep_deadlines: false, keep_dates, ..KeepRules::default() };
    let desk = open(folder.path(), keep);
    issued(&desk, &[]).await;
    pay(&desk, 1, 5).await;
    // From the 16th on, so that the 17th ends with the state of height 2; the deadline does not
    // count.
    advance(&desk, 2, "2021-07-25").await;
    pay(&desk, 3, 7).await;
    advance(&desk, 4, "2021-08-01").await;
    pay(&desk, 5, 11).await;
    keeps(&desk, &[2]);
    advance(&desk, 6, "2021-08-02").await;
    keeps(&desk, &[2, 6]);
    assert_eq!((proven(&desk, 2), proven(&desk, 6)), (9_995, 9_977));
}

#[tokio::test]
async fn every_so_many_states_are_kept_and_the_oldest_of_them_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let keep = KeepRules { keep_every: 2, keep_every_newest: 2, ..KeepRules::default() };
    let desk = open(folder.path(), keep);
    issued(&desk, &[]).await;
    pay(&desk, 1, 1).await;
    keeps(&desk, &[2]);
    // Height 2 ends the deadline, too, and stays for that.
    advance(&desk, 2, "2021-07-22").await;
    for salt in 3..8 {
        pay(&desk, salt, 1).await;
        keeps_newest(&desk);
    }
    keeps(&desk, &[2, 6, 8]);
    assert_eq!((proven(&desk, 2), proven(&desk, 8)), (9_999, 9_994));
}

/// Waits until the newest even height is kept, so that files are written in their order.
fn keeps_newest(desk: &Desk) {
    let newest = desk.next().get() - 1;
    let (even, started) = (Height::new(newest - newest % 2), Instant::now());
    while !desk.reader().kept_heights().unwrap().contains(&even) {
        assert!(started.elapsed() < PATIENCE, "{even} is not kept");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test]
async fn all_units_of_a_kept_state_are_read_and_of_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let desk = open(folder.path(), KeepRules { keep_every: 2, ..KeepRules::default() });
    issued(&desk, &[]).await;
    pay(&desk, 1, 100).await;
    pay(&desk, 2, 100).await;
    keeps(&desk, &[2]);
    let ranges = |height: u64| {
        let mut count = 0;
        let visit = |_: &[u8], _: Option<u64>, _: &[u8]| {
            count += 1;
            Ok(true)
        };
        desk.reader().table_at(Table::Units, Height::new(height), visit).map(|()| count)
    };
    assert_eq!(ranges(2).unwrap(), 3);
    assert_eq!(ranges(3).unwrap(), 3, "the newest");
    for missing in [1, 4] {
        let error = ranges(missing).unwrap_err();
        assert!(matches!(error, ProveError::NotKept { .. }), "{error}");
        assert!(error.to_string().contains(&format!("no state of height {missing}")), "{error}");
    }
}
