//! Cosigned checkpoints, and the rows of the log that are served as tiles.

use cets_contracts::block::Header;
use cets_contracts::codec;
use cets_contracts::log::{Tile, root_at};
use cets_contracts::transparency::Cosignature;
use cets_contracts::types::{Height, LogRoot, PublicKey};
use serde::{Deserialize, Serialize};

use super::database::{Durability, Writes};
use super::nodes::LogNodes;
use super::{Column, Store, StoreError};

/// Key of the newest checkpoint with a quorum.
const SERVED_KEY: &[u8] = b"served";
/// Key of what this node cosigned last.
const COSIGNED_KEY: &[u8] = b"cosigned";
/// Beginning of the keys of forks; the cosigner's key and the size follow.
const FORK_PREFIX: &[u8] = b"fork/";
/// Forks kept of one validator: one proves as much as many, and who forges without end shall not
/// fill the disk.
pub const FORKS_PER_COSIGNER_MAX: usize = 16;

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

/// A root that a validator cosigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CosignedRoot {
    /// The root.
    pub root: LogRoot,
    /// The cosignature on the checkpoint with it.
    pub cosignature: Cosignature,
}

/// Two checkpoints of one size that one validator cosigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointFork {
    /// Entries that both cover.
    pub size: u64,
    /// The one with the smaller root, so that all nodes keep the same pair.
    pub first: CosignedRoot,
    /// The other.
    pub second: CosignedRoot,
}

impl CheckpointFork {
    /// The fork of two roots for one size.
    pub fn new(size: u64, one: CosignedRoot, other: CosignedRoot) -> Self {
        let (first, second) =
            if one.root.as_bytes() <= other.root.as_bytes() { (one, other) } else { (other, one) };
        Self { size, first, second }
    }
}

fn forks_of(cosigner: &PublicKey) -> Vec<u8> {
    [FORK_PREFIX, cosigner.as_bytes()].concat()
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

    /// Keeps two contradicting cosignatures, once per validator and size; whether they were new
    /// and not beyond [`FORKS_PER_COSIGNER_MAX`]. Synced before it returns.
    pub fn save_checkpoint_fork(&self, fork: &CheckpointFork) -> Result<bool, StoreError> {
        let of_cosigner = forks_of(&fork.first.cosignature.cosigner);
        let key = [&of_cosigner[..], &fork.size.to_be_bytes()].concat();
        if self.get(Column::Checkpoints, &key)?.is_some()
            || self.forks_under(&of_cosigner)?.len() >= FORKS_PER_COSIGNER_MAX
        {
            return Ok(false);
        }
        let mut writes = Writes::default();
        self.put(&mut writes, Column::Checkpoints, &key, &codec::encode(fork));
        self.write(writes, Durability::Synced, "keep contradicting cosignatures")?;
        Ok(true)
    }

    /// All contradicting cosignatures, by validator and size.
    pub fn checkpoint_forks(&self) -> Result<Vec<CheckpointFork>, StoreError> {
        self.forks_under(FORK_PREFIX)
    }

    fn forks_under(&self, prefix: &[u8]) -> Result<Vec<CheckpointFork>, StoreError> {
        let mut forks = Vec::new();
        let mut cursor = self.cursor(Column::Checkpoints);
        cursor.seek(prefix);
        while let Some((key, value)) = cursor.item().filter(|(key, _)| key.starts_with(prefix)) {
            forks.push(codec::decode(value).map_err(|error| {
                StoreError::damaged(Column::Checkpoints, hex::encode(key), error)
            })?);
            cursor.next();
        }
        self.check_cursor(&cursor)?;
        Ok(forks)
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
