//! Writing a history into a file.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::Path;

use cets_contracts::audit::{Frame, HISTORY_MAGIC};
use cets_contracts::types::Height;

use super::HistorySource;
use crate::error::CliError;
use crate::text;

/// Writes a history into a new file; returns the height of its last block.
///
/// The file is whole only when its last frame, the end, is there: a reader refuses one that was
/// cut off by a crash.
pub fn export(
    source: &mut dyn HistorySource,
    path: &Path,
    progress: &dyn Fn(u64),
) -> Result<Height, CliError> {
    let failed = |error: std::io::Error| CliError::file(path, &error);
    let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    let mut file = BufWriter::with_capacity(1 << 20, file);
    let genesis = serde_json::to_string(source.genesis()).map_err(|error| {
        CliError::bug(text!("the genesis is no JSON: {error}", "创世文件无法写成 JSON：{error}"))
    })?;
    file.write_all(HISTORY_MAGIC).map_err(failed)?;
    file.write_all(&Frame::Genesis(genesis).encode()).map_err(failed)?;
    let mut height = Height::GENESIS;
    while let Some(block) = source.next_block()? {
        height = height.next();
        file.write_all(&Frame::Block(block).encode()).map_err(failed)?;
        progress(height.get());
    }
    while let Some(records) = source.next_records()? {
        file.write_all(&Frame::Records(records).encode()).map_err(failed)?;
    }
    let end = source.end()?;
    if end != height {
        return Err(CliError::user(text!(
            "the history stopped at block {height}, expected {end}",
            "历史止于区块 {height}，应至 {end}"
        )));
    }
    file.write_all(&Frame::End(end).encode()).map_err(failed)?;
    let file: File = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    Ok(height)
}
