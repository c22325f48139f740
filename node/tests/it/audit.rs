//! The audit of a data folder.

use cets_contracts::audit::InvariantSchedule;
use cets_contracts::types::Height;
use cets_node::audit::audit_folder;

use crate::world::{Desk, genesis, issued, transfer};

const OFTEN: InvariantSchedule = InvariantSchedule { every_blocks: 2 };

async fn some_history(folder: &std::path::Path) -> Desk {
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
        audit_folder(folder.path(), Some(&genesis()), OFTEN, |height, _| heights.push(height))
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
    let error = audit_folder(folder.path(), Some(&other), OFTEN, |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("expected is chain"), "{error}");
    let empty = tempfile::tempdir().unwrap();
    let error = audit_folder(empty.path(), None, OFTEN, |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("there is no ledger"), "{error}");
}
