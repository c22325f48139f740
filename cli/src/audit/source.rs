//! Where a history comes from.

use cets_contracts::audit::{HistoryRecord, StoredBlock};
use cets_contracts::genesis::Genesis;
use cets_contracts::state::Tip;
use cets_contracts::types::Height;

use crate::error::CliError;
use crate::text;

/// A history that is read from its beginning to its end: genesis, blocks, records.
pub trait HistorySource: Send {
    /// The genesis document.
    fn genesis(&self) -> &Genesis;

    /// Height of the last block, when it is known beforehand; for progress.
    fn height_expected(&self) -> Option<Height>;

    /// The next block; none after the last.
    fn next_block(&mut self) -> Result<Option<StoredBlock>, CliError>;

    /// Passes over the blocks up to a tip that was checked before; refuses a history that has
    /// another block there.
    fn skip(&mut self, tip: &Tip) -> Result<(), CliError>;

    /// The next records of the state, after the last block; none after the last, and none at all
    /// when the history carries none.
    fn next_records(&mut self) -> Result<Option<Vec<HistoryRecord>>, CliError>;

    /// Height at which the history says that it ends, after the last record.
    fn end(&mut self) -> Result<Height, CliError>;
}

/// The history is not the one that an earlier run of the audit read.
pub(super) fn other_history(tip: &Tip) -> CliError {
    let height = tip.height;
    CliError::user(text!(
        "the history has another block {height} than the saved state of the audit, or none",
        "该历史的区块 {height} 与已保存的审计状态不同，或不存在"
    ))
    .hint(text!(
        "audit it from genesis: leave --resume away, or name another file",
        "请自创世起审计：去掉 --resume，或另指定文件"
    ))
    .fact("audit", "broken")
}
