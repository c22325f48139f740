//! States of past heights that an operator keeps, so that they can be proven later.
//!
//! One file per height, beside the database: magic, frames of records in the order of their keys,
//! the end with the height; the frames are those of an exported history. Only records that have a
//! place in the state tree are kept. A file is trusted no further than its root: whoever loads it
//! holds the root of its records against the header of the height.
//!
//! A file is written under another name, synced, then renamed: a crash leaves no half file under
//! a name that counts. What a crash prevented is made up for by `cetsd keep`.

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
/// Name of the folder beside the database.
const FOLDER: &str = "kept";

/// The records of one state, as the tree commits to them.
pub type KeptRecords = BTreeMap<Vec<u8>, StoredRecord>;

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
            let ours = path.extension().is_some_and(|ending| ending == ENDING);
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let height = stem.filter(|_| ours).and_then(|stem| stem.parse::<u64>().ok());
            heights.extend(height.map(Height::new));
        }
        heights.sort_unstable();
        Ok(heights)
    }

    /// Keeps the records of the state after a height; those without a slot are left out.
    ///
    /// # Errors
    /// [`StoreError::Disk`], or what reading the records says.
    pub fn write(
        &self,
        height: Height,
        records: impl Iterator<Item = Result<HistoryRecord, StoreError>>,
    ) -> Result<PathBuf, StoreError> {
        let failed = |error: std::io::Error| self.failed("keep a state", &error);
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        let (path, unfinished) = (self.path(height), self.path(height).with_extension("tmp"));
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
        Ok(path)
    }

    /// The records of the state after a height; none when it is not kept.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] or [`StoreError::Disk`].
    pub fn read(&self, height: Height) -> Result<Option<KeptRecords>, StoreError> {
        let failed = |error: std::io::Error| self.failed("read a kept state", &error);
        let file = match File::open(self.path(height)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
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
                        kept.insert(key, StoredRecord { slot, value });
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

    /// A kept state that says something else than its header.
    pub fn damaged(&self, height: Height, reason: &str) -> StoreError {
        StoreError::Kept { file: self.path(height), reason: reason.to_owned() }
    }

    fn failed(&self, action: &'static str, error: &std::io::Error) -> StoreError {
        StoreError::Disk { action, folder: self.folder.clone(), reason: error.to_string() }
    }
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
        kept.write(Height::new(17), records()).unwrap();
        kept.write(Height::new(5), std::iter::empty()).unwrap();
        assert_eq!(kept.heights().unwrap(), [Height::new(5), Height::new(17)]);
        let read = kept.read(Height::new(17)).unwrap().unwrap();
        assert_eq!(read.len(), 8);
        assert_eq!(read[&vec![3, 8]].slot, Slot::new(8).ok());
        assert_eq!(kept.read(Height::new(6)).unwrap(), None);
    }

    #[test]
    fn a_cut_off_foreign_or_renamed_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let kept = KeptStates::beside(&folder.path().join("ledger"));
        let path = kept.write(Height::new(7), std::iter::once(Ok(record(1, Some(0))))).unwrap();
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
