//! The file of a consensus log, in memory: what was not synced may be lost or torn.

use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use malachitebft_app_channel::app::wal::Storage;

use super::Device;

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { length: usize },
}

#[derive(Clone, Debug, Default)]
struct Content {
    /// As programs see it.
    bytes: Vec<u8>,
    /// As it is on the disk for certain.
    synced: Vec<u8>,
    /// From the one to the other.
    changes: Vec<Change>,
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, bytes: written } => {
            let end = offset.saturating_add(written.len());
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            if let Some(place) = bytes.get_mut(*offset..end) {
                place.copy_from_slice(written);
            }
        }
        Change::Truncate { length } => bytes.resize(*length, 0),
    }
}

/// The file; cheap to clone.
#[derive(Clone, Debug)]
pub struct LogFile {
    device: Device,
    content: Arc<Mutex<Content>>,
    position: usize,
}

impl LogFile {
    /// An empty file on a machine.
    pub fn new(device: Device) -> Self {
        Self { device, content: Arc::default(), position: 0 }
    }

    /// A file with a content that is on the disk.
    pub(super) fn with(content: &[u8]) -> Self {
        let file = Self::new(Device::default());
        let (bytes, synced) = (content.to_vec(), content.to_vec());
        *file.lock() = Content { bytes, synced, changes: Vec::new() };
        file
    }

    /// What programs see in it.
    pub(super) fn content(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy that changes no more with this file.
    #[must_use]
    pub fn copy(&self) -> Self {
        let content = Arc::new(Mutex::new(self.lock().clone()));
        Self { device: self.device.clone(), content, position: 0 }
    }

    /// Takes the content of another file.
    pub fn restore(&self, from: &Self) {
        let content = from.lock().clone();
        *self.lock() = content;
    }

    /// Changes that are not synced.
    pub fn unsynced(&self) -> usize {
        self.lock().changes.len()
    }

    /// The machine lost power: of what was not synced the first changes are kept, and so many
    /// bytes of the next.
    pub fn lose_power(&self, kept: usize, torn_bytes: usize) {
        let mut content = self.lock();
        let mut bytes = std::mem::take(&mut content.synced);
        for (number, change) in content.changes.iter().enumerate() {
            match change {
                _ if number < kept => apply(&mut bytes, change),
                Change::Write { offset, bytes: written } if number == kept => {
                    let torn = written.get(..torn_bytes.min(written.len())).unwrap_or_default();
                    apply(&mut bytes, &Change::Write { offset: *offset, bytes: torn.to_vec() });
                }
                _ => break,
            }
        }
        *content = Content { synced: bytes.clone(), bytes, changes: Vec::new() };
    }

    /// The file is gone.
    pub fn erase(&self) {
        *self.lock() = Content::default();
    }

    /// Flips a bit that lies on the disk.
    pub fn rot(&self, place: u64) {
        let mut content = self.lock();
        let count = u64::try_from(content.synced.len()).unwrap_or(u64::MAX);
        let Some(at) = place.checked_rem(count).and_then(|at| usize::try_from(at).ok()) else {
            return;
        };
        let Content { bytes, synced, .. } = &mut *content;
        for place in [bytes.get_mut(at), synced.get_mut(at)].into_iter().flatten() {
            *place ^= 4;
        }
    }

    fn change(&self, change: Change) -> Result<()> {
        self.device.write(false, |_| {
            let mut content = self.lock();
            apply(&mut content.bytes, &change);
            content.changes.push(change.clone());
        })
    }
}

impl Read for LogFile {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.device.read()?;
        let content = self.lock();
        let rest = content.bytes.get(self.position..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        for (place, byte) in buffer.iter_mut().zip(rest) {
            *place = *byte;
        }
        drop(content);
        self.position = self.position.saturating_add(length);
        Ok(length)
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.change(Change::Write { offset: self.position, bytes: bytes.to_vec() })?;
        self.position = self.position.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Seek for LogFile {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let length = i64::try_from(self.lock().bytes.len()).unwrap_or(i64::MAX);
        let position = i64::try_from(self.position).unwrap_or(i64::MAX);
        let target = match to {
            SeekFrom::Start(at) => i64::try_from(at).unwrap_or(i64::MAX),
            SeekFrom::End(by) => length.saturating_add(by),
            SeekFrom::Current(by) => position.saturating_add(by),
        };
        let before = || Error::new(ErrorKind::InvalidInput, "before the start of the file");
        self.position = usize::try_from(target).map_err(|_| before())?;
        u64::try_from(target).map_err(|_| before())
    }
}

impl Storage for LogFile {
    type OpenOptions = Self;

    fn open_with(_path: impl AsRef<Path>, file: Self) -> Result<Self> {
        file.device.read()?;
        Ok(Self { position: 0, ..file })
    }

    fn size_bytes(&self) -> Result<u64> {
        Ok(u64::try_from(self.lock().bytes.len()).unwrap_or(u64::MAX))
    }

    fn truncate_to(&mut self, size: u64) -> Result<()> {
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        if length == self.lock().bytes.len() {
            return Ok(());
        }
        self.change(Change::Truncate { length })
    }

    fn sync_all(&mut self) -> Result<()> {
        self.device.write(true, |is_synced| {
            if is_synced {
                let mut content = self.lock();
                let Content { synced, changes, .. } = &mut *content;
                for change in changes.drain(..) {
                    apply(synced, &change);
                }
            }
        })
    }
}
