//! The database itself: options, reads and writes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ChecksumType, ColumnFamily,
    ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode, LiveFile, Options, WriteBatch,
    WriteOptions,
};

use super::backend::{Cursor, Value};
use super::files::{FileDamage, newest_log_damage};
#[cfg(feature = "simulation")]
use super::simulated::{Change, SimulatedDisk};
use super::{Column, StoreError, migrations};

/// Memory for blocks read back, shared by all tables.
const BLOCK_CACHE_BYTES: usize = 64 * 1024 * 1024;
/// Size of what is read at once from a table.
const BLOCK_BYTES: usize = 16 * 1024;
/// The same for a table whose rows are read one here and one there.
const SMALL_BLOCK_BYTES: usize = 4 * 1024;
/// Memory for writes of all tables before they go to sorted files.
const WRITE_BUFFERS_BYTES: usize = 64 * 1024 * 1024;
/// Memory for writes of one table.
const WRITE_BUFFER_BYTES: usize = 24 * 1024 * 1024;
/// Size of write-ahead logs at which old write buffers are flushed; what a start reads at most.
const WAL_BYTES_MAX: u64 = 96 * 1024 * 1024;
/// New files of a table that are sorted into its older ones together: each time the older ones are
/// written anew.
const NEW_FILES_SORTED_AT: i32 = 8;
/// Open files, so that four nodes on one machine stay below common limits.
const OPEN_FILES_MAX: i32 = 512;

/// The ledger on disk.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    folder: PathBuf,
    /// Block time in milliseconds up to which remembered transactions were deleted since start.
    forgotten: AtomicU64,
}

enum Database {
    Rocks(DB),
    #[cfg(feature = "simulation")]
    Simulated(SimulatedDisk),
}

impl From<DB> for Database {
    fn from(db: DB) -> Self {
        Self::Rocks(db)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.inner.folder.display())
    }
}

/// Writes that become durable together or not at all.
#[derive(Default)]
pub(super) struct Writes {
    batch: WriteBatch,
    #[cfg(feature = "simulation")]
    simulated: Vec<Change>,
}

/// Whether a write returns only when it is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// Synced before it returns.
    Synced,
    /// May be lost by a crash of the machine.
    Buffered,
}

impl Store {
    /// Opens the ledger of a folder, making it when there is none, and migrates it.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let open_error = |reason: String| StoreError::Open { folder: folder.to_owned(), reason };
        std::fs::create_dir_all(folder).map_err(|error| open_error(error.to_string()))?;
        refuse_damaged_log(folder)?;
        let cache = Cache::new_lru_cache(BLOCK_CACHE_BYTES);
        let columns = Column::ALL.iter().map(|column| {
            ColumnFamilyDescriptor::new(column.name(), column_options(*column, &cache))
        });
        let db = DB::open_cf_descriptors(&database_options(), folder, columns)
            .map_err(|error| StoreError::open(folder, error.into_string()))?;
        let store = Self::over(db, folder);
        migrations::run(&store)?;
        Ok(store)
    }

    /// Opens the ledger on a disk in memory.
    #[cfg(feature = "simulation")]
    pub fn simulated(disk: SimulatedDisk) -> Result<Self, StoreError> {
        let folder = disk.folder().to_owned();
        let store = Self::over(Database::Simulated(disk), &folder);
        migrations::run(&store)?;
        Ok(store)
    }

    fn over(database: impl Into<Database>, folder: &Path) -> Self {
        let (database, folder) = (database.into(), folder.to_owned());
        let forgotten = AtomicU64::new(0);
        Self { inner: Arc::new(Inner { database, folder, forgotten }) }
    }

    /// Opens the ledger of a folder for reading, also while a node writes to it: what was
    /// committed before is seen, what comes later is not.
    pub fn open_read_only(folder: &Path) -> Result<Self, StoreError> {
        let store = Self::open_damaged(folder)?;
        migrations::check(&store)?;
        Ok(store)
    }

    /// The same, whatever its version row says: to save what a damaged ledger still knows.
    pub(crate) fn open_damaged(folder: &Path) -> Result<Self, StoreError> {
        if !folder.join("CURRENT").exists() {
            return Err(StoreError::NoLedger { folder: folder.to_owned() });
        }
        let cache = Cache::new_lru_cache(BLOCK_CACHE_BYTES);
        let columns = Column::ALL.iter().map(|column| {
            ColumnFamilyDescriptor::new(column.name(), column_options(*column, &cache))
        });
        let options = database_options();
        let db = DB::open_cf_descriptors_read_only(&options, folder, columns, false)
            .map_err(|error| StoreError::open(folder, error.into_string()))?;
        Ok(Self::over(db, folder))
    }

    /// Sorted files that belong to the ledger.
    pub(super) fn live_files(&self) -> Result<Vec<LiveFile>, StoreError> {
        match &self.inner.database {
            Database::Rocks(db) => {
                db.live_files().map_err(|error| self.failed("list files", error.into_string()))
            }
            #[cfg(feature = "simulation")]
            Database::Simulated(_) => Ok(Vec::new()),
        }
    }

    /// Block time up to which remembered transactions were deleted since start.
    pub(super) fn forgotten(&self) -> &AtomicU64 {
        &self.inner.forgotten
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    pub(super) fn get(&self, column: Column, key: &[u8]) -> Result<Option<Value<'_>>, StoreError> {
        match &self.inner.database {
            Database::Rocks(db) => db
                .get_pinned_cf(handle(db, column), key)
                .map(|found| found.map(Value::Pinned))
                .map_err(|error| self.failed("read", error.into_string())),
            #[cfg(feature = "simulation")]
            Database::Simulated(disk) => disk
                .get(column, key)
                .map(|found| found.map(Value::Kept))
                .map_err(|reason| self.failed("read", reason)),
        }
    }

    pub(super) fn get_decoded<T: serde::de::DeserializeOwned>(
        &self,
        column: Column,
        key: &[u8],
    ) -> Result<Option<T>, StoreError> {
        let Some(bytes) = self.get(column, key)? else { return Ok(None) };
        cets_contracts::codec::decode(&bytes)
            .map(Some)
            .map_err(|error| StoreError::damaged(column, hex::encode(key), error))
    }

    /// A cursor over a table; after use ask [`Self::check_cursor`].
    pub(super) fn cursor(&self, column: Column) -> Cursor<'_> {
        match &self.inner.database {
            Database::Rocks(db) => Cursor::Rocks(db.raw_iterator_cf(handle(db, column))),
            #[cfg(feature = "simulation")]
            Database::Simulated(disk) => Cursor::Simulated(disk.cursor(column)),
        }
    }

    /// Whether the cursor stopped because of an error.
    pub(super) fn check_cursor(&self, cursor: &Cursor<'_>) -> Result<(), StoreError> {
        match cursor {
            Cursor::Rocks(cursor) => {
                cursor.status().map_err(|error| self.failed("read", error.into_string()))
            }
            #[cfg(feature = "simulation")]
            Cursor::Simulated(cursor) if cursor.is_rotten() => {
                Err(self.failed("read", "Corruption: block checksum mismatch".to_owned()))
            }
            #[cfg(feature = "simulation")]
            Cursor::Simulated(_) => Ok(()),
        }
    }

    pub(super) fn put(&self, writes: &mut Writes, column: Column, key: &[u8], value: &[u8]) {
        match &self.inner.database {
            Database::Rocks(db) => writes.batch.put_cf(handle(db, column), key, value),
            #[cfg(feature = "simulation")]
            Database::Simulated(_) => {
                writes.simulated.push((column, key.into(), Some(value.into())));
            }
        }
    }

    pub(super) fn delete(&self, writes: &mut Writes, column: Column, key: &[u8]) {
        match &self.inner.database {
            Database::Rocks(db) => writes.batch.delete_cf(handle(db, column), key),
            #[cfg(feature = "simulation")]
            Database::Simulated(_) => writes.simulated.push((column, key.into(), None)),
        }
    }

    pub(super) fn write(
        &self,
        writes: Writes,
        durability: Durability,
        action: &'static str,
    ) -> Result<(), StoreError> {
        let is_synced = durability == Durability::Synced;
        match &self.inner.database {
            Database::Rocks(db) => {
                let mut options = WriteOptions::default();
                options.set_sync(is_synced);
                db.write_opt(writes.batch, &options)
                    .map_err(|error| self.failed(action, error.into_string()))
            }
            #[cfg(feature = "simulation")]
            Database::Simulated(disk) => disk
                .write(&writes.simulated, is_synced)
                .map_err(|reason| self.failed(action, reason)),
        }
    }

    fn failed(&self, action: &'static str, reason: String) -> StoreError {
        StoreError::disk(action, &self.inner.folder, reason)
    }
}

/// Refuses a write-ahead log with a damaged length, which the database would take for a torn last
/// write: it would drop synced blocks without a word.
fn refuse_damaged_log(folder: &Path) -> Result<(), StoreError> {
    let unreadable =
        |error: std::io::Error| StoreError::disk("read the files", folder, error.to_string());
    match newest_log_damage(folder).map_err(unreadable)? {
        None => Ok(()),
        Some((file, FileDamage { offset, what, .. })) => {
            let reason = format!("{what} in {} offset {offset}", file.display());
            Err(StoreError::Corrupt { folder: folder.to_owned(), reason })
        }
    }
}

fn handle(db: &DB, column: Column) -> &ColumnFamily {
    db.cf_handle(column.name()).expect("every table is opened with the database")
}

/// Settings of the whole database.
///
/// Damage in the middle of a write-ahead log is refused, only a torn last write is dropped: a
/// synced block never disappears without a message.
fn database_options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_paranoid_checks(true);
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_recycle_log_file_num(0);
    options.set_max_total_wal_size(WAL_BYTES_MAX);
    options.set_db_write_buffer_size(WRITE_BUFFERS_BYTES);
    options.set_max_background_jobs(2);
    options.set_bytes_per_sync(1024 * 1024);
    options.set_max_open_files(OPEN_FILES_MAX);
    options.set_keep_log_file_num(4);
    options.set_allow_concurrent_memtable_write(false);
    options
}

/// Settings of one table. Indexes and filters are read in small parts: as a whole, those of a
/// million rows would push each other out of the memory for blocks at every read.
fn column_options(column: Column, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_block_size(if column.is_read_at_random() { SMALL_BLOCK_BYTES } else { BLOCK_BYTES });
    table.set_format_version(5);
    // What `files` verifies without the database.
    table.set_checksum_type(ChecksumType::CRC32c);
    table.set_bloom_filter(10.0, false);
    table.set_cache_index_and_filter_blocks(true);
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_metadata_block_size(SMALL_BLOCK_BYTES);
    table.set_pin_top_level_index_and_filter(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_write_buffer_size(WRITE_BUFFER_BYTES);
    options.set_max_write_buffer_number(3);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_level_zero_file_num_compaction_trigger(NEW_FILES_SORTED_AT);
    options
}
