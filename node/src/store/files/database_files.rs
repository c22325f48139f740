//! What each file of the database is for, and whether its bytes are as they were written.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::{log_records, sorted};

/// What a file of the database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// Rows of one table.
    Sorted,
    /// Writes that are in no sorted file yet.
    WriteAhead,
    /// Which files belong to the database.
    Manifest,
    /// Name of the newest manifest.
    Current,
    /// Text for people, options as they were and the like: nothing is read from it.
    Text,
    /// Not a file of the database.
    Foreign,
}

impl FileKind {
    /// The kind of a file by its name.
    pub fn of(path: &Path) -> Self {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("sst") => Self::Sorted,
            Some("log") => Self::WriteAhead,
            _ if name.starts_with("MANIFEST-") => Self::Manifest,
            _ if name == "CURRENT" => Self::Current,
            _ if name == "LOCK" || name == "IDENTITY" => Self::Text,
            _ if name.starts_with("LOG") || name.starts_with("OPTIONS-") => Self::Text,
            _ => Self::Foreign,
        }
    }
}

/// Something wrong with the bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDamage {
    /// Where it begins, in bytes from the start of the file.
    pub offset: usize,
    /// What is wrong.
    pub what: String,
    /// Whether nothing is ever read from these bytes.
    pub harmless: bool,
}

/// What one file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedFile {
    /// Its bytes.
    pub bytes: u64,
    /// Table whose rows it holds, for sorted files.
    pub table: Option<String>,
    /// What is wrong with it; rows of sorted files are not looked at.
    pub damage: Vec<FileDamage>,
    /// Bytes of a last write that did not reach the disk whole.
    pub torn: usize,
}

/// All files of a database folder, by name.
///
/// # Errors
/// When the folder cannot be listed.
pub fn database_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files: Vec<PathBuf> = entries.collect::<std::io::Result<_>>()?;
    files.sort();
    Ok(files)
}

/// Looks at a file of the database; at all bytes but those of rows.
///
/// # Errors
/// When it cannot be read.
pub fn check_file(path: &Path) -> std::io::Result<CheckedFile> {
    let bytes = std::fs::read(path)?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let mut checked = CheckedFile { bytes: length, table: None, damage: Vec::new(), torn: 0 };
    match FileKind::of(path) {
        FileKind::Sorted => {
            let sorted = sorted::check(&bytes);
            (checked.table, checked.damage) = (sorted.table, sorted.damage);
        }
        FileKind::WriteAhead | FileKind::Manifest => {
            let records = log_records::check(&bytes);
            (checked.damage, checked.torn) = (records.damage, records.torn);
        }
        FileKind::Current | FileKind::Text | FileKind::Foreign => {}
    }
    Ok(checked)
}

/// Damage of the write-ahead logs that the database would take for a torn last write.
///
/// # Errors
/// When a file cannot be read.
pub fn newest_log_damage(folder: &Path) -> std::io::Result<Option<(PathBuf, FileDamage)>> {
    if !folder.exists() {
        return Ok(None);
    }
    let logs = |path: &PathBuf| FileKind::of(path) == FileKind::WriteAhead;
    for path in database_files(folder)?.into_iter().filter(logs) {
        // All blocks before the last one are held against their checksums by the database.
        let mut file = File::open(&path)?;
        let block = u64::try_from(log_records::BLOCK_BYTES).unwrap_or(u64::MAX);
        let length = file.metadata()?.len();
        let start = length.saturating_sub(length.checked_rem(block).unwrap_or(0));
        file.seek(SeekFrom::Start(start))?;
        let mut last = Vec::new();
        file.read_to_end(&mut last)?;
        let damage = log_records::check(&last).damage;
        if let Some(damage) = damage.into_iter().find(|damage| !damage.harmless) {
            let start = usize::try_from(start).unwrap_or(usize::MAX);
            let offset = damage.offset.saturating_add(start);
            return Ok(Some((path, FileDamage { offset, ..damage })));
        }
    }
    Ok(None)
}
