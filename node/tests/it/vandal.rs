//! Somebody with access to the disk changes what is stored; the audit finds each.

use std::path::Path;

use cets_contracts::audit::InvariantSchedule;
use cets_contracts::block::{Block, Certificate};
use cets_contracts::codec;
use cets_contracts::state::{Account, StatusKind, keys};
use cets_contracts::types::Tonnes;
use cets_node::audit::{FolderAuditPlan, audit_folder};
use cets_node::ledger::NodeLedger;
use cets_node::store::{Column, Store};

use crate::world::{Desk, genesis, holder, instrument, issued, transfer};

/// The database, opened past every check of the store.
pub struct Disk(rocksdb::DB);

impl Disk {
    pub fn open(folder: &Path) -> Self {
        let names = Column::ALL.iter().map(|column| column.name());
        Self(rocksdb::DB::open_cf(&rocksdb::Options::default(), folder, names).unwrap())
    }

    pub fn rows(&self, column: Column) -> Vec<(Vec<u8>, Vec<u8>)> {
        let handle = self.0.cf_handle(column.name()).unwrap();
        let rows = self.0.iterator_cf(handle, rocksdb::IteratorMode::Start);
        rows.map(|row| row.unwrap()).map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
    }

    pub fn put(&self, column: Column, key: &[u8], value: &[u8]) {
        self.0.put_cf(self.0.cf_handle(column.name()).unwrap(), key, value).unwrap();
    }

    pub fn delete(&self, column: Column, key: &[u8]) {
        self.0.delete_cf(self.0.cf_handle(column.name()).unwrap(), key).unwrap();
    }
}

pub async fn history(folder: &Path) {
    let desk = Desk::open(folder, 0);
    issued(&desk, &[]).await;
    for salt in 0..4 {
        let orders = [1, 2].map(|from| transfer(&desk.genesis, desk.now(), salt, from, 3, 7));
        desk.submit(orders.to_vec()).await;
        desk.decide(&[]);
    }
}

pub fn audit(folder: &Path) -> Result<(), String> {
    let schedule = InvariantSchedule { every_blocks: 1 };
    audit_folder(folder, Some(&genesis()), &FolderAuditPlan::whole(schedule), |_, _| {})
        .map(|_| ())
        .map_err(|error| error.to_string())
}

/// Vandalises a sound ledger and returns what the audit says.
async fn found(vandalise: impl FnOnce(&Disk)) -> String {
    let folder = tempfile::tempdir().unwrap();
    history(folder.path()).await;
    audit(folder.path()).unwrap();
    vandalise(&Disk::open(folder.path()));
    audit(folder.path()).expect_err("the audit finds it")
}

/// Demands that a message names a place: a table with its row, a block, or a record.
fn require_place(message: &str, row: &str) {
    let table = |column: &Column| message.contains(&format!("{}, ", column.name()));
    let numbered = |word: &&str| {
        let mut after = message.match_indices(*word).map(|(at, _)| &message[at + word.len()..]);
        after.any(|after| after.starts_with(|first: char| first.is_ascii_hexdigit()))
    };
    let mut words = ["block ", "height ", "header of ", "record "].iter();
    assert!(Column::ALL.iter().any(table) || words.any(numbered), "{row}: {message}");
}

#[tokio::test]
async fn a_flipped_bit_in_any_stored_entry_is_found() {
    let folder = tempfile::tempdir().unwrap();
    history(folder.path()).await;
    let disk = Disk::open(folder.path());
    let rows = disk.rows(Column::Entries);
    drop(disk);
    assert_eq!(rows.len(), 5);
    for (key, value) in &rows {
        // Every byte would take long; a prime step meets every part of every entry.
        for at in (4..value.len()).step_by(41) {
            let disk = Disk::open(folder.path());
            let mut flipped = value.clone();
            flipped[at] ^= 4;
            disk.put(Column::Entries, key, &flipped);
            drop(disk);
            let row = format!("entries, {}, byte {at}", hex::encode(key));
            require_place(&audit(folder.path()).expect_err(&row), &row);
            let disk = Disk::open(folder.path());
            disk.put(Column::Entries, key, value);
        }
    }
    audit(folder.path()).unwrap();
}

/// Every table that a block leaves rows in, records and certificates included.
const OF_BLOCKS: [Column; 12] = [
    Column::Records,
    Column::Headers,
    Column::BlockStarts,
    Column::Certificates,
    Column::ValidatorSets,
    Column::Entries,
    Column::Outcomes,
    Column::LogNodes,
    Column::Transactions,
    Column::Histories,
    Column::Remembered,
    Column::Hops,
];

#[tokio::test]
async fn a_flipped_bit_in_the_value_of_any_row_is_found() {
    let folder = tempfile::tempdir().unwrap();
    history(folder.path()).await;
    for column in OF_BLOCKS {
        let rows = Disk::open(folder.path()).rows(column);
        assert!(!rows.is_empty(), "{column:?}");
        // A prime step meets every kind of row and every part of a value.
        for (key, value) in rows.iter().step_by(3).filter(|(_, value)| !value.is_empty()) {
            for at in (0..value.len()).step_by(59) {
                let mut flipped = value.clone();
                flipped[at] ^= 1;
                Disk::open(folder.path()).put(column, key, &flipped);
                let row = format!("{column:?}, {}, byte {at}", hex::encode(key));
                require_place(&audit(folder.path()).expect_err(&row), &row);
            }
            Disk::open(folder.path()).put(column, key, value);
        }
    }
    audit(folder.path()).unwrap();
}

#[tokio::test]
async fn a_removed_and_an_added_row_of_any_table_are_found_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    history(folder.path()).await;
    for column in OF_BLOCKS {
        let rows = Disk::open(folder.path()).rows(column);
        for at in [0, rows.len() / 2, rows.len() - 1] {
            let (key, value) = &rows[at];
            Disk::open(folder.path()).delete(column, key);
            let row = format!("{column:?}, {}, removed", hex::encode(key));
            require_place(&audit(folder.path()).expect_err(&row), &row);
            Disk::open(folder.path()).put(column, key, value);
        }
        let (key, value) = rows.last().unwrap();
        let mut more = key.clone();
        *more.last_mut().unwrap() ^= 0x80;
        Disk::open(folder.path()).put(column, &more, value);
        let row = format!("{column:?}, {}, added", hex::encode(&more));
        require_place(&audit(folder.path()).expect_err(&row), &row);
        Disk::open(folder.path()).delete(column, &more);
    }
    audit(folder.path()).unwrap();
}

#[tokio::test]
async fn a_deleted_last_block_is_found() {
    let message = found(|disk| {
        let (key, _) = disk.rows(Column::Headers).pop().unwrap();
        disk.delete(Column::Headers, &key);
        let (key, _) = disk.rows(Column::Certificates).pop().unwrap();
        disk.delete(Column::Certificates, &key);
        let (key, _) = disk.rows(Column::Entries).pop().unwrap();
        disk.delete(Column::Entries, &key);
    })
    .await;
    assert!(message.contains("headers, 5: the block is missing"), "{message}");
}

#[tokio::test]
async fn a_removed_block_is_found() {
    let message = found(|disk| {
        let (key, _) = disk.rows(Column::Headers)[2].clone();
        disk.delete(Column::Headers, &key);
    })
    .await;
    assert!(message.contains("headers, 3: the block is missing"), "{message}");
    let message = found(|disk| {
        let (key, _) = disk.rows(Column::Entries)[2].clone();
        disk.delete(Column::Entries, &key);
    })
    .await;
    assert!(message.contains("block 3 has lost transactions"), "{message}");
}

fn change_certificate(disk: &Disk, change: impl FnOnce(&mut Certificate)) {
    let (key, value) = disk.rows(Column::Certificates)[1].clone();
    let mut certificate: Certificate = codec::decode(&value).unwrap();
    change(&mut certificate);
    disk.put(Column::Certificates, &key, &codec::encode(&certificate));
}

#[tokio::test]
async fn a_forged_certificate_and_one_short_of_the_quorum_are_found() {
    let message = found(|disk| {
        change_certificate(disk, |certificate| {
            let mut bytes = *certificate.signatures[0].signature.as_bytes();
            bytes[5] ^= 1;
            certificate.signatures[0].signature = cets_contracts::types::Signature::new(bytes);
        });
    })
    .await;
    assert!(message.contains("forged or damaged"), "{message}");
    let message = found(|disk| {
        change_certificate(disk, |certificate| certificate.signatures.truncate(2));
    })
    .await;
    assert!(message.contains("needs 3"), "{message}");
}

#[tokio::test]
async fn a_changed_balance_is_found_by_the_audit_and_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    history(folder.path()).await;
    let disk = Disk::open(folder.path());
    let key = keys::account(holder(3)).into_bytes();
    let rows = disk.rows(Column::Records);
    let (_, value) = rows.into_iter().find(|(found, _)| *found == key).unwrap();
    // One byte and eight bytes of slot stand before the record.
    let mut account: Account = codec::decode(&value[9..]).unwrap();
    account.totals.insert((instrument(), StatusKind::Free), Tonnes::new(1_000_000));
    disk.put(Column::Records, &key, &[&value[..9], &codec::encode(&account)].concat());
    drop(disk);
    let message = audit(folder.path()).unwrap_err();
    assert!(message.contains("the stored value is not what execution gives"), "{message}");
    let store = Store::open(folder.path()).unwrap();
    let message = NodeLedger::load(&store, &genesis()).unwrap_err().to_string();
    assert!(message.contains("the header of 5 says"), "{message}");
}

#[tokio::test]
async fn a_removed_and_an_added_record_are_found() {
    let message = found(|disk| {
        let rows = disk.rows(Column::Records);
        disk.delete(Column::Records, &rows[rows.len() / 2].0);
    })
    .await;
    assert!(message.contains("missing from the stored state"), "{message}");
    let message = found(|disk| disk.put(Column::Records, &[64, 1, 2, 3], &[0, 1])).await;
    assert!(message.contains("does not belong to the state"), "{message}");
}

#[tokio::test]
async fn nodes_and_entries_beyond_the_end_of_the_log_are_found() {
    // One more node at the end of the last run of leaves, and a run of its own after it.
    let message = found(|disk| {
        let rows = disk.rows(Column::LogNodes);
        let (key, value) = rows.iter().rfind(|(key, _)| key[0] == 0).unwrap();
        disk.put(Column::LogNodes, key, &[&value[..], &[7; 32]].concat());
    })
    .await;
    assert!(message.contains("beyond the end of the log at 14"), "{message}");
    let message = found(|disk| {
        let key = [&[0][..], &14u64.to_be_bytes()].concat();
        disk.put(Column::LogNodes, &key, &[7; 32]);
    })
    .await;
    assert!(message.contains("log_nodes, 00000000000000000e: it lies beyond"), "{message}");
    let message = found(|disk| {
        let (_, value) = disk.rows(Column::Entries).pop().unwrap();
        disk.put(Column::Entries, &14u64.to_be_bytes(), &value);
    })
    .await;
    assert!(message.contains("entries, 14: it lies beyond the last block"), "{message}");
}

#[tokio::test]
async fn a_changed_block_that_waits_for_its_decision_is_found_at_the_next_start() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [a, b] = [0, 1].map(|number| Desk::open(folders[usize::from(number)].path(), number));
    issued(&a, &[&b]).await;
    let proposed = a.propose();
    b.clock.set(cets_node::clock::Clock::now(&a.clock));
    b.judge(&a, &proposed);
    drop(b);
    let folder = folders[1].path();
    assert_eq!(Store::open(folder).unwrap().undecided().unwrap().len(), 1);
    let disk = Disk::open(folder);
    let (key, value) = disk.rows(Column::Undecided).pop().unwrap();
    let mut block = Block::decode(&value[8..]).unwrap();
    // It still executes to the same roots, but is another block than the quorum decides.
    block.header.time = block.header.time.saturating_add_millis(1);
    disk.put(Column::Undecided, &key, &[&value[..8], &block.encode()].concat());
    drop(disk);
    let message = Store::open(folder).unwrap().undecided().unwrap_err().to_string();
    assert!(message.contains("table undecided"), "{message}");
}

#[tokio::test]
async fn a_flipped_bit_in_a_file_of_the_database_is_found_with_the_file_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    history(folder.path()).await;
    // Opening again writes the rows of the log of writes into sorted files.
    drop(Store::open(folder.path()).unwrap());
    let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let mut sorted: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|end| end == "sst")).collect();
    sorted.sort();
    let mut found = 0;
    for path in &sorted {
        let good = std::fs::read(path).unwrap();
        let mut bad = good.clone();
        // Rows stand at the front; what follows them may be of no use to an audit.
        bad[9] ^= 1;
        std::fs::write(path, bad).unwrap();
        if let Err(message) = audit(folder.path()) {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(message.contains(name) && message.contains("cetsd repair"), "{message}");
            found += 1;
        }
        std::fs::write(path, good).unwrap();
    }
    assert!(found >= OF_BLOCKS.len(), "{found} of {} files", sorted.len());
    audit(folder.path()).unwrap();
}
