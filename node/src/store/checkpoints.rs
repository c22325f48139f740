//! Cosigned checkpoints, and the rows of the log that are served as tiles.

use cets_contracts::block::Header;
use cets_contracts::codec;
use cets_contracts::log::{Tile, root_at};
use cets_contracts::transparency::Cosignature;
use cets_contracts::types::{Height, LogRoot};
use serde::{Deserialize, Serialize};

use super::database::{Durability, Writes};
use super::nodes::LogNodes;
use super::{Column, Store, StoreError};

/// Key of the newest checkpoint with a quorum.
const SERVED_KEY: &[u8] = b"served";
/// Key of what this node cosigned last.
const COSIGNED_KEY: &[u8] = b"cosigned";

/// A checkpoint with the cosignatures of a quorum or more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCheckpoint {
    /// Height of its block.
    pub height: Height,
    /// Entries that it covers, the header of its block included.
    pub size: u64,
    /// Root over them.
    pub root: LogRoot,
    /// Cosignatures, by key.
    pub cosignatures: Vec<Cosignature>,
}

/// The newest checkpoint that this node cosigned; it never signs a smaller one, nor another root
/// for this size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CosignedMark {
    /// Entries.
    pub size: u64,
    /// Root over them.
    pub root: LogRoot,
}

impl Store {
    /// The newest checkpoint with a quorum.
    pub fn served_checkpoint(&self) -> Result<Option<StoredCheckpoint>, StoreError> {
        self.get_decoded(Column::Checkpoints, SERVED_KEY)
    }

    /// Keeps the newest checkpoint with a quorum. Not synced.
    pub fn save_served_checkpoint(&self, served: &StoredCheckpoint) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        self.put(&mut writes, Column::Checkpoints, SERVED_KEY, &codec::encode(served));
        self.write(writes, Durability::Buffered, "keep a checkpoint")
    }

    /// What this node cosigned last.
    pub fn cosigned_mark(&self) -> Result<Option<CosignedMark>, StoreError> {
        self.get_decoded(Column::Checkpoints, COSIGNED_KEY)
    }

    /// Keeps what this node is about to cosign. Synced before it returns.
    pub fn save_cosigned_mark(&self, mark: &CosignedMark) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        self.put(&mut writes, Column::Checkpoints, COSIGNED_KEY, &codec::encode(mark));
        self.write(writes, Durability::Synced, "keep what was cosigned")
    }

    /// Root of the log of the first `size` entries.
    pub fn log_root(&self, size: u64) -> Result<LogRoot, StoreError> {
        let nodes = LogNodes::new(self);
        let root = root_at(&nodes, size);
        match nodes.into_error() {
            Some(error) => Err(error),
            None => root.map_err(|error| StoreError::damaged(Column::LogNodes, size, error)),
        }
    }

    /// The hashes of a tile, one after the other; none when the log is too short for it.
    pub fn log_tile(&self, tile: &Tile) -> Result<Option<Vec<u8>>, StoreError> {
        let Some((level, first)) = tile.nodes().next() else { return Ok(None) };
        self.log_row(level, first, tile.width.into())
    }

    /// The header of the block whose header entry is the last of the first `size` entries.
    pub fn header_ending(&self, size: u64) -> Result<Option<Header>, StoreError> {
        let Some(last) = size.checked_sub(1) else { return Ok(None) };
        let position = self.position_of(last)?;
        Ok(position.map(|position| position.header).filter(|header| header.log_size == last))
    }
}
