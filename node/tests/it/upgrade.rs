//! A folder of the first layout becomes one of the newest when it is opened.

use cets_contracts::codec;
use cets_contracts::state::{KeyParts, RangeEnd, Table, UnitRange, keys};
use cets_contracts::types::{BlockTime, TxId};
use cets_node::store::{Column, Store};

use crate::vandal::{Disk, audit, history};

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

fn all_rows(disk: &Disk) -> Vec<(Column, Rows)> {
    Column::ALL.iter().map(|column| (*column, disk.rows(*column))).collect()
}

/// Rewrites rows as the first layout had them.
fn downgrade(disk: &Disk) {
    disk.put(Column::Meta, b"schema", &1u32.to_be_bytes());
    for (key, row) in disk.rows(Column::Remembered) {
        disk.delete(Column::Remembered, &key);
        for item in row.chunks(40) {
            let (valid_until, id) = item.split_first_chunk::<8>().unwrap();
            let valid_until = BlockTime::from_millis(u64::from_be_bytes(*valid_until));
            let key = keys::replay(valid_until, &TxId::new(id.try_into().unwrap()));
            disk.put(Column::Records, &key, &[0]);
        }
    }
    for (key, value) in disk.rows(Column::Histories) {
        let last = u64::from_be_bytes(*key.last_chunk().unwrap());
        for distance in value.chunks(4) {
            let index = last - u64::from(u32::from_be_bytes(distance.try_into().unwrap()));
            disk.put(Column::Histories, &[&key[..8], &index.to_be_bytes()].concat(), &[]);
        }
        disk.put(Column::Histories, &key, &[]);
    }
    for (key, record) in disk.rows(Column::Records) {
        let Some(KeyParts::UnitRange(instrument, start)) = KeyParts::of(&key) else { continue };
        let UnitRange { end, place } = codec::decode(&record[9..]).unwrap();
        let tag = place.status.kind().tag();
        let key = keys::unit_by_holder(place.holder, tag, &instrument, start);
        let value = [&[0][..], &codec::encode(&RangeEnd { end })].concat();
        disk.put(Column::Records, &key, &value);
    }
}

#[tokio::test]
async fn a_folder_of_the_first_layout_is_brought_to_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    history(folder.path()).await;
    let disk = Disk::open(folder.path());
    let before = all_rows(&disk);
    downgrade(&disk);
    let records = disk.rows(Column::Records);
    let old = |table: Table| records.iter().any(|(key, _)| Table::of(key) == Some(table));
    assert!(old(Table::Replays) && old(Table::UnitsByHolder));
    assert_ne!(all_rows(&disk), before);
    drop(disk);
    assert!(audit(folder.path()).unwrap_err().contains("schema version 1"));

    drop(Store::open(folder.path()).unwrap());
    assert_eq!(all_rows(&Disk::open(folder.path())), before);
    audit(folder.path()).unwrap();
}
