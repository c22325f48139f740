//! A folder with the files of a log.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use cets_contracts::transparency::{LogFiles, LogPath};

use crate::error::CliError;

/// Largest file that is read: a bundle of 256 entries of the greatest length fits.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// A folder with the files of a log.
#[derive(Clone, Debug)]
pub struct LogFolder {
    root: PathBuf,
}

impl LogFolder {
    /// The folder of a path, which need not exist yet.
    pub const fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The bytes of a file by its name within the folder; none when there is no such file.
    pub fn read_named(&self, name: &str) -> Result<Option<Vec<u8>>, CliError> {
        let path = self.root.join(name);
        let length = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CliError::file(&path, &error)),
        };
        if length > FILE_BYTES_MAX {
            let error = std::io::Error::new(ErrorKind::FileTooLarge, "the file is too large");
            return Err(CliError::file(&path, &error));
        }
        fs::read(&path).map(Some).map_err(|error| CliError::file(&path, &error))
    }

    /// Whether a file of the log is there.
    pub fn has(&self, path: &LogPath) -> bool {
        self.root.join(path.to_string()).exists()
    }

    /// Removes a file of the log.
    pub fn remove(&self, path: &LogPath) -> Result<(), CliError> {
        let path = self.root.join(path.to_string());
        fs::remove_file(&path).map_err(|error| CliError::file(&path, &error))
    }

    /// Writes a file whole or not at all: readers of the folder never see a part of it.
    pub fn write_named(&self, name: &str, bytes: &[u8]) -> Result<(), CliError> {
        let path = self.root.join(name);
        let failed = |error: std::io::Error| CliError::file(&path, &error);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut part = path.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        let mut file = fs::File::create(&part).map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        // The checkpoint vouches for the others, which are found damaged or missing if they were
        // lost with the machine; it is written last.
        if name == LogPath::Checkpoint.to_string() {
            file.sync_all().map_err(failed)?;
        }
        drop(file);
        fs::rename(&part, &path).map_err(failed)
    }
}

impl LogFiles for LogFolder {
    type Error = CliError;

    fn read(&mut self, path: &LogPath) -> Result<Option<Vec<u8>>, CliError> {
        self.read_named(&path.to_string())
    }
}
