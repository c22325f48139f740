//! The check of a folder names what is damaged, and the repair moves it aside safely.

use std::path::{Path, PathBuf};

use cets_consensus::{GuardMark, Ledger as _, SignedStep};
use cets_contracts::rules::Language;
use cets_contracts::types::{BlockTime, Digest, Height};
use cets_node::check::{CheckPlan, CheckReport, Trouble, check_folder};
use cets_node::ledger::NodeLedger;
use cets_node::repair::move_aside;
use cets_node::store::{Column, Store};

use crate::vandal::{Disk, history};
use crate::world::{Desk, genesis};

/// A data folder with a ledger of five blocks.
async fn sound() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    history(&data.join("ledger")).await;
    (folder, data)
}

fn check(data: &Path, deep: bool) -> CheckReport {
    let genesis = genesis();
    let plan = CheckPlan { data, config: None, genesis: Some(&genesis), deep };
    check_folder(&plan, |_| {}).unwrap()
}

fn troubles(report: &CheckReport) -> Vec<Trouble> {
    report.findings.iter().map(|finding| finding.trouble).collect()
}

fn files(data: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data.join("ledger")).unwrap();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(ending))
        .collect();
    files.sort();
    files
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_sound_folder_is_sound_and_its_figures_are_those_of_the_ledger() {
    let (_folder, data) = sound().await;
    for deep in [false, true] {
        let report = check(&data, deep);
        assert_eq!(report.findings, []);
        assert!(report.is_sound() && !report.wants_repair());
        let height = Some(Height::new(5));
        assert_eq!((report.height, report.headers, report.certificates), (height, 5, 5));
        assert_eq!(report.executed > 0, deep);
        let store = Store::open_read_only(&data.join("ledger")).unwrap();
        let header = store.header(Height::new(5)).unwrap().unwrap();
        assert_eq!(report.state_root, Some(header.state_root));
        assert_eq!(report.log_size, header.log_size + 1);
        assert!(report.text(Language::English).contains("The folder is sound."));
        assert!(report.text(Language::Chinese).contains("数据目录完好。"));
    }
}

#[tokio::test]
async fn a_flipped_bit_anywhere_in_a_sorted_file_is_named_with_the_file() {
    let (_folder, data) = sound().await;
    // Opening again writes the rows of the log of writes into sorted files.
    drop(Store::open(&data.join("ledger")).unwrap());
    let sorted = files(&data, ".sst");
    assert!(sorted.len() > 10);
    for path in sorted {
        let good = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        for at in (0..good.len()).step_by(good.len() / 7) {
            flip(&path, at);
            let report = check(&data, false);
            let named = report.findings.iter().any(|finding| finding.file.ends_with(&name));
            assert!(named, "{name}, byte {at} of {}: {:?}", good.len(), report.findings);
            std::fs::write(&path, &good).unwrap();
        }
    }
    assert!(check(&data, false).is_sound());
}

#[tokio::test]
async fn a_damaged_length_in_the_write_ahead_log_stops_the_start_and_is_named() {
    let (_folder, data) = sound().await;
    let logs = files(&data, ".log");
    let path = logs.iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let bytes = std::fs::read(path).unwrap();
    // The records of the last block of the file begin where it begins.
    let at = bytes.len() / 32_768 * 32_768;
    let good = bytes.clone();
    flip(path, at + 5);
    let message = Store::open(&data.join("ledger")).unwrap_err().to_string();
    assert!(message.contains("damaged") && message.contains(".log"), "{message}");
    assert!(troubles(&check(&data, false)).contains(&Trouble::WriteAheadLog));
    std::fs::write(path, good).unwrap();
    assert!(check(&data, false).is_sound());
}

#[tokio::test]
async fn a_changed_row_is_named_with_its_table_and_key() {
    let (_folder, data) = sound().await;
    let ledger = data.join("ledger");
    for (column, place) in [
        (Column::Headers, "table headers, 3"),
        (Column::Certificates, "table certificates, 3"),
        (Column::Records, "table records"),
        (Column::Entries, "table entries"),
        (Column::Guard, "table guard"),
    ] {
        let disk = Disk::open(&ledger);
        let rows = disk.rows(column);
        let Some((key, value)) = rows.get(2).or(rows.last()).cloned() else {
            disk.put(column, b"marks", b"no marks");
            drop(disk);
            let report = check(&data, false);
            assert!(report.text(Language::English).contains(place), "{:?}", report.findings);
            Disk::open(&ledger).delete(column, b"marks");
            continue;
        };
        let mut changed = value.clone();
        *changed.last_mut().unwrap() ^= 1;
        disk.put(column, &key, &changed);
        drop(disk);
        let report = check(&data, false);
        assert!(!report.is_sound() && report.wants_repair());
        let text = report.text(Language::English);
        assert!(text.contains(place) && text.contains("cetsd repair"), "{text}");
        Disk::open(&ledger).put(column, &key, &value);
    }
    // The rows are as they were; only the files that were written here are of another format.
    let report = check(&data, true);
    let other = report.findings.iter().filter(|finding| !finding.what.contains("names format"));
    assert_eq!(other.collect::<Vec<_>>(), Vec::<&cets_node::check::Finding>::new());
}

#[tokio::test]
async fn a_consensus_log_far_ahead_of_the_ledger_shows_that_blocks_are_lost() {
    let (_folder, data) = sound().await;
    let log = data.join("consensus/wal");
    std::fs::create_dir_all(log.parent().unwrap()).unwrap();
    let header = |height: u64| [&1u32.to_be_bytes()[..], &height.to_be_bytes()].concat();
    std::fs::write(&log, header(6)).unwrap();
    assert!(check(&data, false).is_sound());
    std::fs::write(&log, header(7)).unwrap();
    assert_eq!(troubles(&check(&data, false)), [Trouble::LedgerShort]);
    std::fs::write(&log, header(3)).unwrap();
    assert_eq!(troubles(&check(&data, false)), [Trouble::ConsensusLogHeight]);
    std::fs::write(&log, [&header(6)[..], &[0; 5]].concat()).unwrap();
    let report = check(&data, false);
    assert_eq!(troubles(&report), [Trouble::TornWrite]);
    assert!(report.is_sound());
}

#[tokio::test]
async fn a_repair_moves_the_ledger_aside_keeps_the_guard_and_withholds_votes() {
    let (_folder, data) = sound().await;
    let ledger = data.join("ledger");
    let mark = GuardMark {
        height: Height::new(6),
        round: 1,
        step: SignedStep::Precommit,
        statement: Digest::new([7; 32]),
    };
    let store = Store::open(&ledger).unwrap();
    store.save_guard_marks(&[mark]).unwrap();
    let newest = store.tip().unwrap().unwrap().time;
    drop(store);
    flip(&files(&data, ".sst")[0], 9);
    let report = check(&data, false);
    assert!(report.wants_repair(), "{:?}", report.findings);
    let now = newest.saturating_add_millis(1_000);
    let moved = move_aside(&data, Some(&report), now).unwrap().unwrap();
    assert_eq!(moved.parts, ["ledger"]);
    assert_eq!(moved.marks, 1);
    assert!(moved.folder.join("ledger/CURRENT").exists(), "nothing is deleted");
    let store = Store::open(&ledger).unwrap();
    assert_eq!(store.guard_marks().unwrap(), [mark]);
    assert!(store.withholds_votes(newest).unwrap());
    assert!(store.withholds_votes(now).unwrap(), "clocks may differ");
    assert!(!store.withholds_votes(now.saturating_add_millis(60_001)).unwrap());
    // The empty ledger begins with genesis and asks nobody to vote.
    NodeLedger::load(&store, &genesis()).unwrap();
    drop(store);
    let desk = Desk::open(&ledger, 0);
    assert!(desk.ledger.withholds_votes().unwrap());
    drop(desk);
    let again = check(&data, false);
    assert_eq!(move_aside(&data, Some(&again), now).unwrap(), None, "{:?}", again.findings);
}

#[tokio::test]
async fn a_damaged_consensus_log_is_moved_aside_and_the_ledger_stays() {
    let (_folder, data) = sound().await;
    let log = data.join("consensus/wal");
    std::fs::create_dir_all(log.parent().unwrap()).unwrap();
    std::fs::write(&log, [9; 40]).unwrap();
    let report = check(&data, false);
    assert_eq!(troubles(&report), [Trouble::ConsensusLog]);
    let moved = move_aside(&data, Some(&report), BlockTime::from_millis(0)).unwrap().unwrap();
    assert_eq!((moved.parts, moved.votes_after), (vec!["consensus/wal"], None));
    assert!(!log.exists() && moved.folder.join("consensus-wal").exists());
    assert!(check(&data, true).is_sound());
}
