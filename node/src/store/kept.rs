//! States of past heights that an operator keeps, so that they can be proven later.
//!
//! One file per height, beside the database: magic, frames of records in the order of their keys,
//! the end with the height; the frames are those of an exported history. Only records that have a
//! place in the state tree are kept. A file is trusted no further than its root: whoever loads it
//! holds the root of its records against the header of the height.
//!
//! A file is written under another name, synced, then renamed: a crash leaves no half file under
//! a name that counts. What a crash prevented is made up for by `cetsd keep`.
//!
//! States that are kept for a time only have `passing` in their names; the others stay until the
//! operator deletes them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use cets_contracts::audit::{FRAME_BYTES_MAX, Frame, HistoryRecord, RECORDS_PER_FRAME_MAX};
use cets_contracts::state::StoredRecord;
use cets_contracts::tree::Slot;
use cets_contracts::types::Height;

use super::StoreError;

/// First bytes of a kept state.
const MAGIC: &[u8; 16] = b"cets-state-v1\n\0\0";
/// Ending of the names of kept states.
const ENDING: &str = "state";
/// What stands before the ending of states that are kept for a time only.
const PASSING: &str = ".passing";
/// Name of the folder beside the database.
const FOLDER: &str = "kept";

/// The records of one state, as the tree commits to them.
pub type KeptRecords = BTreeMap<Vec<u8>, StoredRecord>;

/// How long a state is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptFor {
    /// Until the operator deletes it.
    Good,
    /// Until so many newer states were kept for a time; for good when it is 0.
    Newest(usize),
}

/// The folder of kept states.
#[derive(Clone, Debug)]
pub struct KeptStates {
    folder: PathBuf,
}

impl KeptStates {
    /// The kept states beside a database.
    pub fn beside(database: &Path) -> Self {
        Self { folder: database.with_file_name(FOLDER) }
    }

    /// Where they lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Heights whose state is kept, ascending.
    ///
    /// # Errors
    /// [`StoreError::Disk`].
    pub fn heights(&self) -> Result<Vec<Height>, StoreError> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed("list kept states", &error)),
        };
        let mut heights = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| self.failed("list kept states", &error))?.path();
            heights.extend(height_of(&path).map(|(height, _)| height));
        }
        heights.sort_unstable();
        heights.dedup();
        Ok(heights)
    }

    /// Deletes the oldest states that are kept for a time only, all but so many.
    fn drop_passing(&self, newest: usize) -> Result<(), StoreError> {
        let failed = |error: std::io::Error| self.failed("drop a kept state", &error);
        let mut passing = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            passing.extend(height_of(&path).filter(|(_, passing)| *passing).map(|_| path));
        }
        passing.sort_unstable();
        passing.truncate(passing.len().saturating_sub(newest));
        passing.iter().try_for_each(|path| std::fs::remove_file(path).map_err(failed))
    }

    /// Keeps the records of the state after a height; those without a slot are left out.
    ///
    /// # Errors
    /// [`StoreError::Disk`], or what reading the records says.
    pub fn write(
        &self,
        height: Height,
        kept_for: KeptFor,
        records: impl Iterator<Item = Result<HistoryRecord, StoreError>>,
    ) -> Result<PathBuf, StoreError> {
        let failed = |error: std::io::Error| self.failed("keep a state", &error);
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        let path = match kept_for {
            KeptFor::Good | KeptFor::Newest(0) => self.path(height),
            KeptFor::Newest(_) => self.passing_path(height),
        };
        let unfinished = path.with_extension("tmp");
        let mut file =
            BufWriter::with_capacity(1 << 20, File::create(&unfinished).map_err(failed)?);
        file.write_all(MAGIC).map_err(failed)?;
        let mut chunk = Vec::with_capacity(RECORDS_PER_FRAME_MAX);
        for record in records {
            let record = record?;
            if record.slot.is_none() {
                continue;
            }
            chunk.push(record);
            if chunk.len() == RECORDS_PER_FRAME_MAX {
                let frame = Frame::Records(std::mem::take(&mut chunk));
                file.write_all(&frame.encode()).map_err(failed)?;
            }
        }
        file.write_all(&Frame::Records(chunk).encode()).map_err(failed)?;
        file.write_all(&Frame::End(height).encode()).map_err(failed)?;
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        std::fs::rename(&unfinished, &path).map_err(failed)?;
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        if let KeptFor::Newest(newest @ 1..) = kept_for {
            self.drop_passing(newest)?;
        }
        Ok(path)
    }

    /// The records of the state after a height; none when it is not kept.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] or [`StoreError::Disk`].
    pub fn read(&self, height: Height) -> Result<Option<KeptRecords>, StoreError> {
        let failed = |error: std::io::Error| self.failed("read a kept state", &error);
        let opened = [self.path(height), self.passing_path(height)].into_iter().find_map(|path| {
            let opened = File::open(path);
            let missing =
                matches!(&opened, Err(error) if error.kind() == std::io::ErrorKind::NotFound);
            (!missing).then_some(opened)
        });
        let Some(opened) = opened else { return Ok(None) };
        let file = opened.map_err(failed)?;
        let mut file = BufReader::with_capacity(1 << 20, file);
        let mut magic = [0u8; MAGIC.len()];
        file.read_exact(&mut magic).map_err(|_| self.damaged(height, "it is cut off"))?;
        if magic != *MAGIC {
            return Err(self.damaged(height, "it is no kept state"));
        }
        let mut kept = KeptRecords::new();
        loop {
            match self.next_frame(height, &mut file)? {
                Frame::Records(records) => {
                    for HistoryRecord { key, slot, value } in records {
                        let slot = slot.and_then(|slot| Slot::new(slot).ok());
                        if slot.is_none() {
                            return Err(self.damaged(height, "a record has no slot"));
                        }
                        kept.insert(key, StoredRecord { slot, value: value.into() });
                    }
                }
                Frame::End(said) if said == height => return Ok(Some(kept)),
                _ => return Err(self.damaged(height, "it is of another height")),
            }
        }
    }

    fn next_frame(&self, height: Height, file: &mut impl Read) -> Result<Frame, StoreError> {
        let cut = |_| self.damaged(height, "it is cut off");
        let mut length = [0u8; 4];
        file.read_exact(&mut length).map_err(cut)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > FRAME_BYTES_MAX {
            return Err(self.damaged(height, "a frame is too long"));
        }
        let mut body = vec![0u8; length];
        file.read_exact(&mut body).map_err(cut)?;
        Frame::decode(&body).map_err(|error| self.damaged(height, &error.to_string()))
    }

    fn path(&self, height: Height) -> PathBuf {
        self.folder.join(format!("{:012}.{ENDING}", height.get()))
    }

    fn passing_path(&self, height: Height) -> PathBuf {
        self.folder.join(format!("{:012}{PASSING}.{ENDING}", height.get()))
    }

    /// A kept state that says something else than its header.
    pub fn damaged(&self, height: Height, reason: &str) -> StoreError {
        StoreError::Kept { file: self.path(height), reason: reason.to_owned() }
    }

    fn failed(&self, action: &'static str, error: &std::io::Error) -> StoreError {
        StoreError::Disk { action, folder: self.folder.clone(), reason: error.to_string() }
    }
}

/// Height of a file, and whether it is kept for a time only; none when it is no kept state.
fn height_of(path: &Path) -> Option<(Height, bool)> {
    let stem =
        path.file_stem()?.to_str().filter(|_| path.extension().is_some_and(|e| e == ENDING))?;
    let (number, passing) = match stem.strip_suffix(PASSING) {
        Some(number) => (number, true),
        None => (stem, false),
    };
    number.parse().ok().map(|height| (Height::new(height), passing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: u8, slot: Option<u64>) -> HistoryRecord {
        HistoryRecord { key: vec![3, key], slot, value: vec![key; 40] }
    }

    #[test]
    fn a_kept_state_reads_back_without_what_the_tree_does_not_hold() {
        let folder = tempfile::tempdir().unwrap();
        let kept = KeptStates::beside(&folder.path().join("ledger"));
        assert_eq!(kept.heights().unwrap(), []);
        let records = || (0..9).map(|key| Ok(record(key, (key != 4).then_some(key.into()))));
        kept.write(Height::new(17), KeptFor::Good, records()).unwrap();
        kept.write(Height::new(5), KeptFor::Good, std::iter::empty()).unwrap();
        assert_eq!(kept.heights().unwrap(), [Height::new(5), Height::new(17)]);
        let read = kept.read(Height::new(17)).unwrap().unwrap();
        assert_eq!(read.len(), 8);
        assert_eq!(read[&vec![3, 8]].slot, Slot::new(8).ok());
        assert_eq!(kept.read(Height::new(6)).unwrap(), None);
    }

    #[test]
    fn of_states_kept_for_a_time_the_newest_stay_and_those_for_good_all() {
        let folder = tempfile::tempdir().unwrap();
        let kept = KeptStates::beside(&folder.path().join("ledger"));
        let write = |height, kept_for| {
            let one = std::iter::once(Ok(record(1, Some(0))));
            kept.write(Height::new(height), kept_for, one).unwrap();
        };
        write(4, KeptFor::Good);
        for height in [2, 4, 6, 8, 10] {
            write(height, KeptFor::Newest(2));
        }
        assert_eq!(kept.heights().unwrap(), [4, 8, 10].map(Height::new));
        for height in [4, 8, 10] {
            assert!(kept.read(Height::new(height)).unwrap().is_some(), "{height}");
        }
        assert_eq!(kept.read(Height::new(6)).unwrap(), None);
        write(12, KeptFor::Newest(0));
        write(14, KeptFor::Newest(1));
        assert_eq!(kept.heights().unwrap(), [4, 12, 14].map(Height::new));
    }

    #[test]
    fn a_cut_off_foreign_or_renamed_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let kept = KeptStates::beside(&folder.path().join("ledger"));
        let one = std::iter::once(Ok(record(1, Some(0))));
        let path = kept.write(Height::new(7), KeptFor::Good, one).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let error = kept.read(Height::new(7)).unwrap_err();
            assert!(matches!(error, StoreError::Kept { .. }), "{length}: {error}");
        }
        std::fs::write(kept.path(Height::new(8)), &whole).unwrap();
        let error = kept.read(Height::new(8)).unwrap_err().to_string();
        assert!(error.contains("another height") && error.contains("cetsd keep"), "{error}");
    }
}
