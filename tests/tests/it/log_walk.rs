//! Walking a log from its files: whatever bit is wrong, the file is named.

use std::collections::BTreeMap;
use std::convert::Infallible;

use cets_contracts::transparency::{
    Checkpoint, LogFiles, LogPath, WalkError, decode_bundle, root_of_files, walk_log,
};
use cets_tests::sample_ledger::SampleLedger;

/// Files in memory, by path.
#[derive(Clone)]
struct Files(BTreeMap<String, Vec<u8>>);

impl LogFiles for Files {
    type Error = Infallible;

    fn read(&mut self, path: &LogPath) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.0.get(&path.to_string()).cloned())
    }
}

fn files(ledger: &SampleLedger, height: u64) -> (Checkpoint, Files) {
    let folder = tempfile::tempdir().unwrap();
    ledger.write_log(folder.path(), height, 4);
    let checkpoint = ledger.checkpoint(height);
    let read = |path: LogPath| {
        let name = path.to_string();
        let bytes = std::fs::read(folder.path().join(&name)).unwrap();
        (name, bytes)
    };
    let files = LogPath::added(0, checkpoint.size).map(read).collect();
    (checkpoint, Files(files))
}

fn walk(checkpoint: &Checkpoint, files: &Files) -> Result<u64, WalkError<Infallible>> {
    let mut covered = 0;
    let walked = walk_log(checkpoint, &mut files.clone(), true, &mut |entries| covered = entries)?;
    assert_eq!(walked.tiles + walked.bundles, u64::try_from(files.0.len()).unwrap());
    Ok(covered)
}

#[test]
fn every_size_of_a_log_is_walked_and_its_last_entry_is_given() {
    let ledger = SampleLedger::long(600);
    let newest = ledger.newest().anchor.height().get();
    for height in [1, newest / 2, newest - 1, newest] {
        let (checkpoint, files) = files(&ledger, height);
        assert_eq!(walk(&checkpoint, &files), Ok(checkpoint.size));
        let walked = walk_log(&checkpoint, &mut files.clone(), true, &mut |_| {}).unwrap();
        let last = usize::try_from(checkpoint.size).unwrap() - 1;
        assert_eq!(walked.last_entry.as_ref(), ledger.entries.get(last));
        assert_eq!(root_of_files(&mut files.clone(), checkpoint.size), Ok(Some(checkpoint.root)));
    }
}

#[test]
fn a_wrong_bit_anywhere_names_its_file() {
    let ledger = SampleLedger::long(600);
    let (checkpoint, good) = files(&ledger, ledger.newest().anchor.height().get());
    for (name, bytes) in &good.0 {
        for at in [0, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
            let mut bad = good.clone();
            bad.0.get_mut(name).unwrap()[at] ^= 0x10;
            let error = walk(&checkpoint, &bad).unwrap_err();
            assert!(error.to_string().contains(name), "{name}, byte {at}: {error}");
        }
        for length in [0, bytes.len() - 1, bytes.len() + 1] {
            let mut bad = good.clone();
            bad.0.get_mut(name).unwrap().resize(length, 0);
            let error = walk(&checkpoint, &bad).unwrap_err();
            assert!(error.to_string().contains(name), "{name}, {length} bytes: {error}");
        }
        let mut bad = good.clone();
        bad.0.remove(name);
        assert_eq!(walk(&checkpoint, &bad), Err(WalkError::Missing { path: name.clone() }));
    }
}

#[test]
fn an_entry_is_named_by_its_index() {
    let ledger = SampleLedger::long(600);
    let (checkpoint, good) = files(&ledger, ledger.newest().anchor.height().get());
    let path = "tile/entries/001".to_owned();
    let bundle = &good.0[&path];
    let entries = decode_bundle(bundle).unwrap();
    let before: usize = entries.iter().take(7).map(|entry| entry.len() + 2).sum();
    let mut bad = good.clone();
    bad.0.get_mut(&path).unwrap()[before + 5] ^= 1;
    assert_eq!(walk(&checkpoint, &bad), Err(WalkError::Entry { path, index: 256 + 7 }));
}

#[test]
fn a_fork_and_a_deleted_block_do_not_lead_to_the_root() {
    let ledger = SampleLedger::long(600);
    let newest = ledger.newest().anchor.height().get();
    let (checkpoint, good) = files(&ledger, newest);
    let earlier = ledger.checkpoint(newest - 1);
    for wrong in [
        Checkpoint { root: earlier.root, ..checkpoint.clone() },
        Checkpoint { size: earlier.size, ..checkpoint.clone() },
        Checkpoint { size: checkpoint.size + 1, ..checkpoint.clone() },
    ] {
        let mut all = good.clone();
        // The partial tiles of the earlier size, as a mirror still has them.
        let (_, older) = files(&ledger, newest - 1);
        all.0.extend(older.0);
        let error = walk_log(&wrong, &mut all, true, &mut |_| {}).unwrap_err();
        assert!(matches!(error, WalkError::Edge { .. } | WalkError::Missing { .. }), "{error}");
    }
}
