//! Numbered migrations: each brings the schema from the version before it to its own.

use super::database::{Durability, Writes};
use super::{Column, Store, StoreError};

const SCHEMA_KEY: &[u8] = b"schema";

/// One step of the schema.
struct Migration {
    /// Version after it.
    version: u32,
    /// Adds its writes; they become durable together with the new version.
    run: fn(&Store, &mut Writes) -> Result<(), StoreError>,
}

/// All migrations, by version. Append-only; a released migration never changes.
const MIGRATIONS: &[Migration] = &[
    // The first layout: empty tables, made when the database is opened.
    Migration { version: 1, run: |_, _| Ok(()) },
    // Rows per block instead of rows per transaction, no indexes among the records.
    Migration { version: 2, run: |store, _| store.upgrade_to_rows_per_block() },
];

/// Newest schema version.
pub(super) const SCHEMA_VERSION: u32 = 2;

/// Refuses a store that was not brought to the newest version; for readers, who change nothing.
pub(super) fn check(store: &Store) -> Result<(), StoreError> {
    let (found, folder) = (schema_version(store)?, store.folder().to_owned());
    match found {
        SCHEMA_VERSION => Ok(()),
        0 => Err(StoreError::NoLedger { folder }),
        older if older < SCHEMA_VERSION => {
            Err(StoreError::TooOld { folder, found, known: SCHEMA_VERSION })
        }
        _ => Err(StoreError::TooNew { folder, found, known: SCHEMA_VERSION }),
    }
}

/// Brings the schema to the newest version, one synced write per step.
pub(super) fn run(store: &Store) -> Result<(), StoreError> {
    let found = schema_version(store)?;
    if found > SCHEMA_VERSION {
        let folder = store.folder().to_owned();
        return Err(StoreError::TooNew { folder, found, known: SCHEMA_VERSION });
    }
    for migration in MIGRATIONS.iter().filter(|migration| migration.version > found) {
        let mut writes = Writes::default();
        (migration.run)(store, &mut writes)?;
        store.put(&mut writes, Column::Meta, SCHEMA_KEY, &migration.version.to_be_bytes());
        store.write(writes, Durability::Synced, "migrate the schema")?;
    }
    Ok(())
}

/// The schema version of a store; 0 when it was just made.
pub(super) fn schema_version(store: &Store) -> Result<u32, StoreError> {
    let Some(bytes) = store.get(Column::Meta, SCHEMA_KEY)? else { return Ok(0) };
    let bytes: [u8; 4] = bytes.as_ref().try_into().map_err(|_| {
        StoreError::damaged(Column::Meta, "schema", "the schema version has not four bytes")
    })?;
    Ok(u32::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_without_gaps_up_to_the_schema_version() {
        let versions: Vec<u32> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        assert_eq!(versions, (1..=SCHEMA_VERSION).collect::<Vec<_>>());
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(schema_version(&store).unwrap(), SCHEMA_VERSION);
        let mut writes = Writes::default();
        store.put(&mut writes, Column::Meta, SCHEMA_KEY, &9u32.to_be_bytes());
        store.write(writes, Durability::Synced, "write").unwrap();
        drop(store);
        let error = Store::open(folder.path()).unwrap_err();
        assert!(matches!(error, StoreError::TooNew { found: 9, known: SCHEMA_VERSION, .. }));
        assert!(error.to_string().contains("start a newer cetsd"), "{error}");
    }
}
