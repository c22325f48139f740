//! Stopping at every durable step, and damage to what is stored.

use std::path::Path;

use cets_consensus::{BlockVerdict, Evidence, GuardMark, Ledger, SignedStatement, SignedStep};
use cets_contracts::types::{Digest, Height, Signature};

use crate::world::{Desk, address, issued, transfer};

#[tokio::test]
async fn a_crash_after_proposing_proposes_the_same_block_again() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    issued(&desk, &[]).await;
    desk.submit(vec![transfer(&desk.genesis, desk.now(), 0, 1, 2, 5)]).await;
    let proposed = desk.propose();
    let desk = desk.reopen();
    // The mempool is empty now and the clock is another: the block is the same all the same.
    desk.clock.advance(5_000);
    assert_eq!(desk.propose(), proposed);
    assert_eq!(desk.ledger.undecided_block(proposed.id).unwrap(), Some(proposed.bytes.clone()));
    desk.ledger.commit(&desk.certificate(&proposed)).unwrap();
    assert_eq!(desk.free(2), 5_005);
}

#[tokio::test]
async fn a_crash_after_voting_still_commits_what_the_quorum_decides() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (a, b) = (Desk::open(folders[0].path(), 0), Desk::open(folders[1].path(), 1));
    issued(&a, &[&b]).await;
    a.submit(vec![transfer(&a.genesis, a.now(), 0, 1, 2, 5)]).await;
    let proposed = a.propose();
    b.clock.set(cets_node::clock::Clock::now(&a.clock));
    assert_eq!(b.judge(&a, &proposed), BlockVerdict::Valid { id: proposed.id });
    let b = b.reopen();
    assert_eq!(b.ledger.undecided_block(proposed.id).unwrap(), Some(proposed.bytes.clone()));
    let certificate = a.certificate(&proposed);
    b.ledger.commit(&certificate).unwrap();
    a.ledger.commit(&certificate).unwrap();
    assert_eq!(a.reader().tip().unwrap(), b.reader().tip().unwrap());
}

#[tokio::test]
async fn a_crash_after_committing_finds_the_block_and_commits_it_no_second_time() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    issued(&desk, &[]).await;
    let proposed = desk.propose();
    let certificate = desk.certificate(&proposed);
    desk.ledger.commit(&certificate).unwrap();
    let tip = desk.reader().tip().unwrap();
    let desk = desk.reopen();
    assert_eq!(desk.reader().tip().unwrap(), tip);
    desk.ledger.commit(&certificate).unwrap();
    assert_eq!(desk.reader().tip().unwrap(), tip);
    assert_eq!(desk.ledger.undecided_block(proposed.id).unwrap(), None);
    assert!(desk.store.undecided().unwrap().is_empty());
}

#[tokio::test]
async fn other_blocks_of_a_height_are_forgotten_when_one_is_committed() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (a, b) = (Desk::open(folders[0].path(), 0), Desk::open(folders[1].path(), 1));
    let own = b.propose();
    a.clock.advance(7);
    let decided = a.decide(&[&b]);
    assert_ne!(own.id, decided.id);
    assert!(b.store.undecided().unwrap().is_empty());
    assert_eq!(b.store.proposal(Height::new(1), 0).unwrap(), None);
}

#[tokio::test]
async fn a_torn_last_write_leaves_the_block_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    issued(&desk, &[]).await;
    let before = desk.reader().tip().unwrap();
    desk.submit(vec![transfer(&desk.genesis, desk.now(), 0, 1, 2, 5)]).await;
    let block = desk.decide(&[]);
    let after = desk.reader().tip().unwrap();
    drop(desk);
    // As when the machine loses power while the batch of the block is written.
    let log = newest_log(folder.path());
    let length = std::fs::metadata(&log).unwrap().len();
    let file = std::fs::OpenOptions::new().write(true).open(&log).unwrap();
    file.set_len(length - 10).unwrap();
    drop(file);
    let desk = Desk::open(folder.path(), 0);
    assert_eq!(desk.reader().tip().unwrap(), before);
    // The proposal was synced before: consensus decides it again.
    assert_eq!(desk.propose(), block);
    desk.ledger.commit(&desk.certificate(&block)).unwrap();
    assert_eq!(desk.reader().tip().unwrap(), after);
}

#[tokio::test]
async fn damage_in_the_middle_of_the_store_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    issued(&desk, &[]).await;
    for salt in 0..5 {
        desk.submit(vec![transfer(&desk.genesis, desk.now(), salt, 1, 2, 5)]).await;
        desk.decide(&[]);
    }
    drop(desk);
    let log = newest_log(folder.path());
    let mut bytes = std::fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    let error = cets_node::store::Store::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("damaged") && error.contains("cetsd repair"), "{error}");
}

#[test]
fn a_second_process_cannot_open_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _desk = Desk::open(folder.path(), 0);
    let error = cets_node::store::Store::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("no other cetsd uses it"), "{error}");
}

#[test]
fn guard_marks_of_the_greatest_height_survive_and_lower_ones_go() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    let mark = |height, round, step| GuardMark {
        height: Height::new(height),
        round,
        step,
        statement: Digest::new([round as u8; 32]),
    };
    desk.ledger.save_guard(&[mark(5, 0, SignedStep::Prevote)]).unwrap();
    desk.ledger
        .save_guard(&[mark(6, 0, SignedStep::Proposal), mark(6, 0, SignedStep::Prevote)])
        .unwrap();
    desk.ledger.save_guard(&[mark(6, 1, SignedStep::Precommit)]).unwrap();
    let desk = desk.reopen();
    let mut marks = desk.ledger.load_guard().unwrap();
    marks.sort_by_key(|mark| mark.to_key());
    let expected = [
        mark(6, 0, SignedStep::Proposal),
        mark(6, 0, SignedStep::Prevote),
        mark(6, 1, SignedStep::Precommit),
    ];
    assert_eq!(marks, expected);
}

#[test]
fn evidence_is_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    let statement =
        |byte| SignedStatement { message: vec![byte; 40], signature: Signature::new([byte; 64]) };
    let evidence = Evidence {
        validator: address(&desk.genesis, 2),
        height: Height::new(3),
        round: 1,
        step: SignedStep::Prevote,
        first: statement(1),
        second: statement(2),
    };
    for _ in 0..2 {
        desk.ledger.record_evidence(Height::new(3), vec![evidence.clone()]).unwrap();
    }
    let desk = desk.reopen();
    assert_eq!(desk.store.evidence().unwrap(), [evidence]);
}

/// The write-ahead log that was written last.
fn newest_log(folder: &Path) -> std::path::PathBuf {
    let mut logs: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    logs.pop().unwrap()
}
