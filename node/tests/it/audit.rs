//! The audit of a data folder.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use cets_contracts::audit::{AuditReport, InvariantSchedule};
use cets_contracts::types::Height;
use cets_node::audit::{FolderAuditError, FolderAuditPlan, audit_folder};
use cets_node::store::Column;

use crate::vandal::Disk;
use crate::world::{Desk, genesis, issued, transfer};

const OFTEN: FolderAuditPlan<'_> = FolderAuditPlan::whole(InvariantSchedule { every_blocks: 2 });

async fn some_history(folder: &Path) -> Desk {
    let desk = Desk::open(folder, 0);
    issued(&desk, &[]).await;
    for salt in 0..6 {
        desk.submit(vec![transfer(&desk.genesis, desk.now(), salt, 1, 2 + salt % 3, 7)]).await;
        desk.decide(&[]);
    }
    desk
}

#[tokio::test]
async fn a_sound_ledger_passes_also_beside_its_running_node() {
    let folder = tempfile::tempdir().unwrap();
    let desk = some_history(folder.path()).await;
    let mut heights = Vec::new();
    let report =
        audit_folder(folder.path(), Some(&genesis()), &OFTEN, |height, _| heights.push(height))
            .unwrap();
    assert_eq!(heights.len(), 7);
    assert_eq!((report.height, report.transactions, report.accepted), (Height::new(7), 7, 7));
    assert_eq!(report.signatures, 8);
    assert_eq!(report.state_root, desk.root());
}

#[tokio::test]
async fn another_genesis_and_an_empty_folder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(some_history(folder.path()).await);
    let mut other = genesis();
    other.network = "another".into();
    let error = audit_folder(folder.path(), Some(&other), &OFTEN, |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("expected is chain"), "{error}");
    let empty = tempfile::tempdir().unwrap();
    let error = audit_folder(empty.path(), None, &OFTEN, |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("there is no ledger"), "{error}");
}

/// Runs an audit with a file and asks it to stop once a height was checked.
fn until(folder: &Path, file: &Path, height: u64, save_every: u64) -> FolderAuditError {
    let stop = AtomicBool::new(false);
    let schedule = InvariantSchedule { every_blocks: 0 };
    let plan = FolderAuditPlan { schedule, resume: Some(file), save_every, stop: Some(&stop) };
    let reached = |found: Height, _| {
        if found >= Height::new(height) {
            stop.store(true, Ordering::Relaxed);
        }
    };
    audit_folder(folder, None, &plan, reached).expect_err("it was asked to stop")
}

fn going_on(folder: &Path, file: &Path) -> Result<AuditReport, FolderAuditError> {
    let schedule = InvariantSchedule { every_blocks: 0 };
    let plan = FolderAuditPlan { schedule, resume: Some(file), save_every: 1_000, stop: None };
    audit_folder(folder, None, &plan, |_, _| {})
}

/// A ledger that takes more than one window of blocks to check.
async fn long_history(folder: &Path) {
    let desk = some_history(folder).await;
    for salt in 10..140 {
        if salt % 9 == 0 {
            desk.submit(vec![transfer(&desk.genesis, desk.now(), salt, 1, 2 + salt % 3, 7)]).await;
        }
        desk.decide(&[]);
    }
}

#[tokio::test]
async fn an_interrupted_audit_goes_on_and_gives_the_same_report() {
    let folder = tempfile::tempdir().unwrap();
    long_history(folder.path()).await;
    let whole = audit_folder(folder.path(), None, &OFTEN, |_, _| {}).unwrap();
    let file = folder.path().join("progress");
    let error = until(folder.path(), &file, 1, u64::MAX);
    assert!(matches!(error, FolderAuditError::Interrupted { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("after block 64: nothing is wrong so far; the same command"), "{text}");
    let report = going_on(folder.path(), &file).unwrap();
    assert_eq!(report.resumed_after, Height::new(64));
    assert_eq!(AuditReport { resumed_after: Height::GENESIS, ..report }, whole);
    // The end is saved, too: what comes later is checked from there.
    let desk = Desk::open(folder.path(), 0);
    desk.submit(vec![transfer(&desk.genesis, desk.now(), 500, 1, 2, 1)]).await;
    desk.decide(&[]);
    let report = going_on(folder.path(), &file).unwrap();
    assert_eq!(report.resumed_after, whole.height);
    assert_eq!(report.height, whole.height.next());
}

#[tokio::test]
async fn an_audit_goes_on_from_no_damaged_or_foreign_file_and_sees_what_changed_since() {
    let folder = tempfile::tempdir().unwrap();
    long_history(folder.path()).await;
    let file = folder.path().join("progress");
    until(folder.path(), &file, 1, u64::MAX);
    let saved = std::fs::read(&file).unwrap();
    for at in (0..saved.len()).step_by(saved.len() / 50) {
        let mut flipped = saved.clone();
        flipped[at] ^= 1;
        std::fs::write(&file, flipped).unwrap();
        let error = going_on(folder.path(), &file).unwrap_err().to_string();
        assert!(error.contains("cannot go on from") && error.contains("move the file"), "{error}");
    }
    std::fs::write(&file, &saved).unwrap();
    let other = tempfile::tempdir().unwrap();
    drop(some_history(other.path()).await);
    let error = going_on(other.path(), &file).unwrap_err().to_string();
    assert!(error.contains("the folder has another block 64, or none"), "{error}");
    // An entry that the earlier run saw, changed afterwards.
    let disk = Disk::open(folder.path());
    let (key, value) = disk.rows(Column::Entries)[3].clone();
    let mut changed = value.clone();
    changed[60] ^= 1;
    disk.put(Column::Entries, &key, &changed);
    drop(disk);
    let error = going_on(folder.path(), &file).unwrap_err().to_string();
    assert!(error.contains("not what an earlier run of this audit checked"), "{error}");
    Disk::open(folder.path()).put(Column::Entries, &key, &value);
    going_on(folder.path(), &file).unwrap();
}
