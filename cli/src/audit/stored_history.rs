//! Histories in files.

use std::fs::File;
use std::io::{BufReader, ErrorKind as IoErrorKind, Read};
use std::path::{Path, PathBuf};

use cets_contracts::audit::{
    FRAME_BYTES_MAX, Frame, HISTORY_MAGIC, HistoryRecord, RECORDS_PER_FRAME_MAX, StoredBlock,
};
use cets_contracts::block::Block;
use cets_contracts::genesis::Genesis;
use cets_contracts::state::Tip;
use cets_contracts::types::Height;

use super::source::other_history;
use super::{HistorySource, broken_text};
use crate::error::CliError;
use crate::text;
use crate::text::Text;

/// A history file, read frame by frame.
pub struct StoredHistory {
    path: PathBuf,
    file: BufReader<File>,
    place: Place,
    genesis: Genesis,
    /// A frame that was read too early.
    pending: Option<Frame>,
}

impl StoredHistory {
    /// Opens a history: a file, or a folder that holds exactly one.
    pub fn open(path: &Path) -> Result<Self, CliError> {
        let path = if path.is_dir() { only_history(path)? } else { path.to_owned() };
        let file = File::open(&path).map_err(|error| CliError::file(&path, &error))?;
        let mut file = BufReader::with_capacity(1 << 20, file);
        let mut magic = [0u8; HISTORY_MAGIC.len()];
        let read = file.read_exact(&mut magic);
        if read.is_err() || magic != *HISTORY_MAGIC {
            return Err(broken(&path, text!("it is no history of a ledger", "不是账本历史文件")));
        }
        let mut place = Place { number: 0, offset: HISTORY_MAGIC.len() };
        let Some(Frame::Genesis(json)) = read_frame(&path, &mut file, &mut place)? else {
            return Err(broken(&path, text!("it has no genesis", "缺少创世文件")));
        };
        let genesis = serde_json::from_str(&json)
            .map_err(|error| broken(&path, text!("its genesis: {error}", "其创世文件：{error}")))?;
        Ok(Self { path, file, place, genesis, pending: None })
    }

    fn next_frame(&mut self) -> Result<Frame, CliError> {
        if let Some(frame) = self.pending.take() {
            return Ok(frame);
        }
        read_frame(&self.path, &mut self.file, &mut self.place)?
            .ok_or_else(|| broken(&self.path, text!("it ends before its end", "文件提前结束")))
    }
}

impl HistorySource for StoredHistory {
    fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    fn height_expected(&self) -> Option<Height> {
        None
    }

    fn next_block(&mut self) -> Result<Option<StoredBlock>, CliError> {
        match self.next_frame()? {
            Frame::Block(block) => Ok(Some(block)),
            other => {
                self.pending = Some(other);
                Ok(None)
            }
        }
    }

    fn skip(&mut self, tip: &Tip) -> Result<(), CliError> {
        let mut last = None;
        for _ in 0..tip.height.get() {
            last = self.next_block()?;
            if last.is_none() {
                return Err(other_history(tip));
            }
        }
        let block = last.and_then(|stored| Block::decode(&stored.block).ok());
        match block {
            Some(block) if block.header.id() == tip.block_id => Ok(()),
            _ => Err(other_history(tip)),
        }
    }

    fn next_records(&mut self) -> Result<Option<Vec<HistoryRecord>>, CliError> {
        match self.next_frame()? {
            Frame::Records(records) if records.len() <= RECORDS_PER_FRAME_MAX => Ok(Some(records)),
            Frame::Records(_) => {
                Err(broken(&self.path, text!("a frame is too long", "数据帧过长")))
            }
            other => {
                self.pending = Some(other);
                Ok(None)
            }
        }
    }

    fn end(&mut self) -> Result<Height, CliError> {
        let Frame::End(height) = self.next_frame()? else {
            let what = text!("its frames are out of order", "数据帧次序有误");
            return Err(broken(&self.path, what));
        };
        let mut more = [0u8; 1];
        match self.file.read(&mut more) {
            Ok(0) => Ok(height),
            Ok(_) => Err(broken(&self.path, text!("it goes on after its end", "结尾之后仍有内容"))),
            Err(error) => Err(CliError::file(&self.path, &error)),
        }
    }
}

/// A history that cannot be read is as bad as one that does not hold.
fn broken(path: &Path, what: Text) -> CliError {
    let (english, chinese) = (what.get(crate::text::Lang::En), what.get(crate::text::Lang::Zh));
    let path = path.display();
    broken_text(Text::new(format!("{path}: {english}"), format!("{path}：{chinese}")))
}

/// Where the next frame of a file begins.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Number of the frame, from 0; block `n` is frame `n`.
    number: u64,
    /// Bytes before it.
    offset: usize,
}

/// One frame; none at the end of the file.
fn read_frame(
    path: &Path,
    file: &mut impl Read,
    place: &mut Place,
) -> Result<Option<Frame>, CliError> {
    let mut length = [0u8; 4];
    match file.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == IoErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(CliError::file(path, &error)),
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    let Place { number, offset } = *place;
    if length > FRAME_BYTES_MAX {
        return Err(broken(
            path,
            text!(
                "frame {number} at byte {offset} is too long: {length} bytes",
                "位于第 {offset} 字节的数据帧 {number} 过长：{length} 字节"
            ),
        ));
    }
    // Grows as bytes arrive: a false length costs no memory.
    let mut body = Vec::new();
    let limit = u64::try_from(length).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut body).map_err(|error| CliError::file(path, &error))?;
    if body.len() != length {
        return Err(broken(
            path,
            text!(
                "it is cut off in frame {number}, which begins at byte {offset}",
                "文件不完整：在始于第 {offset} 字节的数据帧 {number} 处中断"
            ),
        ));
    }
    let frame = Frame::decode(&body).map_err(|error| {
        broken(
            path,
            text!(
                "frame {number} at byte {offset} cannot be read: {error}",
                "位于第 {offset} 字节的数据帧 {number} 无法读取：{error}"
            ),
        )
    })?;
    place.number = number.saturating_add(1);
    place.offset = offset.saturating_add(length).saturating_add(4);
    Ok(Some(frame))
}

/// The only history in a folder.
fn only_history(folder: &Path) -> Result<PathBuf, CliError> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).map_err(|error| CliError::file(folder, &error))?;
    for entry in entries {
        let path = entry.map_err(|error| CliError::file(folder, &error))?.path();
        let mut magic = [0u8; HISTORY_MAGIC.len()];
        let read = File::open(&path).and_then(|mut file| file.read_exact(&mut magic));
        if read.is_ok() && magic == *HISTORY_MAGIC {
            found.push(path);
        }
    }
    match <[PathBuf; 1]>::try_from(found) {
        Ok([path]) => Ok(path),
        Err(found) => {
            let (count, folder) = (found.len(), folder.display());
            Err(CliError::user(text!(
                "{folder} holds {count} histories, expected one",
                "{folder} 中有 {count} 个历史文件，应为一个"
            ))
            .hint(text!("name the file", "请指定文件")))
        }
    }
}
