//! The consensus log with the guard behind its flush, as in a real node.

use std::io;
use std::sync::Arc;

use cets_contracts::types::Height;
use malachitebft_app_channel::app::consensus::Input;
use malachitebft_app_channel::app::engine::wal::{decode_entry, encode_entry};
use malachitebft_app_channel::app::wal::log::Log;

use super::LogFile;
use crate::codec::WireCodec;
use crate::context::EngineContext;
use crate::guard::Guard;
use crate::wal::header_height;

type Entry = Input<EngineContext>;

/// Height whose messages a log file holds; none when there is no usable log.
pub(super) fn logged_height(file: &LogFile) -> io::Result<Option<Height>> {
    let mut reader = <LogFile as malachitebft_app_channel::app::wal::Storage>::open_with(
        "consensus.wal",
        file.clone(),
    )?;
    let height = header_height(&mut reader)?;
    if height.is_none() {
        file.erase();
    }
    Ok(height)
}

/// All entries of a log up to the first that cannot be read, which is cut off.
pub(super) fn entries_of(log: &mut Log<LogFile>) -> io::Result<Vec<io::Result<Entry>>> {
    let mut entries = Vec::new();
    let mut bad = None;
    for (number, read) in (0u64..).zip(log.iter()?) {
        match read {
            Ok(bytes) => entries.push(decode_entry(&WireCodec, io::Cursor::new(bytes))),
            Err(error) => {
                entries.push(Err(error));
                bad = Some(number);
                break;
            }
        }
    }
    if let Some(number) = bad {
        log.truncate(number)?;
    }
    Ok(entries)
}

/// The engine's log over a file in memory.
pub(super) struct SimulatedLog {
    log: Log<LogFile>,
    guard: Arc<Guard>,
}

impl SimulatedLog {
    pub(super) fn open(file: &LogFile, guard: Arc<Guard>) -> io::Result<Self> {
        Ok(Self { log: Log::open_with("consensus.wal", file.clone())?, guard })
    }

    /// The entries of a height that starts; a log of another height begins anew.
    pub(super) fn started(&mut self, height: Height) -> io::Result<Vec<io::Result<Entry>>> {
        let entries = if self.log.sequence() == height.get() {
            entries_of(&mut self.log)?
        } else {
            self.log.reset(height.get())?;
            Vec::new()
        };
        self.guard.set_replaying(!entries.is_empty());
        Ok(entries)
    }

    pub(super) fn reset(&mut self, height: Height) -> io::Result<()> {
        self.guard.set_replaying(false);
        self.log.reset(height.get())
    }

    pub(super) fn append(&mut self, entry: Entry) -> io::Result<()> {
        self.guard.set_replaying(false);
        let mut bytes = Vec::new();
        encode_entry(entry, &WireCodec, &mut bytes)?;
        if bytes.is_empty() { Ok(()) } else { self.log.append(&bytes) }
    }

    /// Syncs the log, then the marks of the guard.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.log.flush()?;
        self.guard.save().map_err(io::Error::other)
    }
}
