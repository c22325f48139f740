//! Where a history comes from.

use cets_contracts::audit::{HistoryRecord, StoredBlock};
use cets_contracts::genesis::Genesis;
use cets_contracts::types::Height;

use crate::error::CliError;

/// A history that is read from its beginning to its end: genesis, blocks, records.
pub trait HistorySource: Send {
    /// The genesis document.
    fn genesis(&self) -> &Genesis;

    /// Height of the last block, when it is known beforehand; for progress.
    fn height_expected(&self) -> Option<Height>;

    /// The next block; none after the last.
    fn next_block(&mut self) -> Result<Option<StoredBlock>, CliError>;

    /// The next records of the state, after the last block; none after the last, and none at all
    /// when the history carries none.
    fn next_records(&mut self) -> Result<Option<Vec<HistoryRecord>>, CliError>;

    /// Height at which the history says that it ends, after the last record.
    fn end(&mut self) -> Result<Height, CliError>;
}
