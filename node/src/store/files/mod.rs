//! The files of the database, read byte by byte without the database.
//!
//! RocksDB protects what it stores with checksums, and leaves three kinds of bytes to whoever looks
//! at its files: filters, properties and the like, which it passes over when their checksum does
//! not hold; the last piece of a write-ahead log, whose damaged length looks like a torn write; and
//! padding. Here every byte is accounted for.

mod crc32c;
mod database_files;
mod log_records;
mod sorted;

pub use database_files::{
    CheckedFile, FileDamage, FileKind, check_file, database_files, newest_log_damage,
};
