//! Walking a whole log from its files, from the checkpoint down: the first wrong file is named.

use std::collections::BTreeMap;

use super::{BundleError, Checkpoint, LogPath, decode_bundle};
use crate::log::{
    LogFrontier, LogHash, NodeReader, TILE_HEIGHT, TILE_WIDTH, Tile, TileRows, leaf_hash, root_at,
};
use crate::types::LogRoot;

const HASH_BYTES: usize = 32;

/// Where the files of a log are read from.
pub trait LogFiles {
    /// What reading fails with.
    type Error;

    /// The bytes of a file; none when there is no such file.
    ///
    /// # Errors
    /// [`Self::Error`].
    fn read(&mut self, path: &LogPath) -> Result<Option<Vec<u8>>, Self::Error>;
}

/// Why files are not the log of a checkpoint; each names the first wrong file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalkError<E> {
    /// Reading failed.
    #[error("{0}")]
    Read(E),
    /// A file is not there.
    #[error("{path} is missing")]
    Missing {
        /// The file.
        path: String,
    },
    /// A tile has another number of hashes than its name says.
    #[error("{path} has {found} bytes, {expected} were expected")]
    Length {
        /// The file.
        path: String,
        /// Bytes found.
        found: usize,
        /// Bytes of so many hashes.
        expected: usize,
    },
    /// The tiles of the right edge do not lead to the root.
    #[error("the hashes of {paths} do not lead to the root of the checkpoint of size {size}")]
    Edge {
        /// The files.
        paths: String,
        /// Size of the checkpoint.
        size: u64,
    },
    /// A tile does not hash to what the tile above it holds.
    #[error("{path} does not hash to hash {position} of {above}")]
    Tile {
        /// The file.
        path: String,
        /// Position of its hash above, from 0.
        position: u64,
        /// The verified file above.
        above: String,
    },
    /// A bundle cannot be read.
    #[error("{path}: {error}")]
    Bundle {
        /// The file.
        path: String,
        /// Why.
        error: BundleError,
    },
    /// A bundle has another number of entries than its name says.
    #[error("{path} has {found} entries, {expected} were expected")]
    EntryCount {
        /// The file.
        path: String,
        /// Entries found.
        found: usize,
        /// Entries of the name.
        expected: usize,
    },
    /// An entry is not the one whose hash the tile holds.
    #[error("{path}: entry {index} is not the one that the log has")]
    Entry {
        /// The file.
        path: String,
        /// Index of the entry in the log.
        index: u64,
    },
}

/// What was walked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Tiles of hashes.
    pub tiles: u64,
    /// Bundles of entries.
    pub bundles: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// The last entry, when entries were walked.
    pub last_entry: Option<Vec<u8>>,
}

/// Reads every file of the log of a checkpoint and holds it against the checkpoint's root.
///
/// The tiles of the right edge lead to the root; every other tile hashes to a hash of the tile
/// above it; every entry, when entries are walked, to a hash of level 0. `progress` is told how
/// many entries are covered so far.
///
/// # Errors
/// [`WalkError`], with the first wrong file: all above it are right.
pub fn walk_log<F: LogFiles>(
    checkpoint: &Checkpoint,
    files: &mut F,
    with_entries: bool,
    progress: &mut dyn FnMut(u64),
) -> Result<Walked, WalkError<F::Error>> {
    let mut walk =
        Walk { files, size: checkpoint.size, with_entries, walked: Walked::default(), progress };
    let edge = walk.edge(&checkpoint.root)?;
    // The highest level covers the oldest entries.
    for row in edge.iter().rev() {
        walk.below(row)?;
    }
    Ok(walk.walked)
}

/// The root of the first `size` entries, from tiles that were walked at that size or a larger one.
///
/// None when a tile is missing or too short.
///
/// # Errors
/// What reading fails with.
pub fn root_of_files<F: LogFiles>(files: &mut F, size: u64) -> Result<Option<LogRoot>, F::Error> {
    let mut rows = BTreeMap::new();
    for tile in edge_tiles(size) {
        let whole = LogPath::Tile(Tile { width: 256, ..tile });
        let bytes = match files.read(&LogPath::Tile(tile))? {
            Some(bytes) => Some(bytes),
            // Once the tile is full, the partial one may be gone.
            None => files.read(&whole)?,
        };
        let Some(bytes) = bytes else { return Ok(None) };
        rows.insert(tile.level, (tile.index, hashes_of(&bytes)));
    }
    Ok(root_at(&TileRows(Edge(rows)), size).ok())
}

/// The partial tiles of a log, by level: their hashes are its perfect subtrees.
fn edge_tiles(size: u64) -> Vec<Tile> {
    let at_level = |level: u8| {
        let nodes = size.checked_shr(u32::from(level.saturating_mul(TILE_HEIGHT)))?;
        let tile = Tile::at(level, nodes / TILE_WIDTH, size)?;
        (!tile.is_full()).then_some(tile)
    };
    (0..=Tile::LEVEL_MAX).filter_map(at_level).collect()
}

/// Hashes of the right edge as nodes: level of tiles -> index of the tile and its hashes.
struct Edge(BTreeMap<u8, (u64, Vec<LogHash>)>);

impl NodeReader for Edge {
    fn node(&self, level: u8, index: u64) -> Option<LogHash> {
        let (tile, hashes) = self.0.get(&(level / TILE_HEIGHT))?;
        let first = tile.checked_mul(TILE_WIDTH)?;
        let position = usize::try_from(index.checked_sub(first)?).ok()?;
        hashes.get(position).copied()
    }
}

/// A tile that was read.
struct Row {
    tile: Tile,
    hashes: Vec<LogHash>,
}

struct Walk<'a, F> {
    files: &'a mut F,
    size: u64,
    with_entries: bool,
    walked: Walked,
    progress: &'a mut dyn FnMut(u64),
}

impl<F: LogFiles> Walk<'_, F> {
    /// Reads the right edge and holds it against the root; by level.
    fn edge(&mut self, root: &LogRoot) -> Result<Vec<Row>, WalkError<F::Error>> {
        let mut edge = Vec::new();
        for tile in edge_tiles(self.size) {
            edge.push(self.tile(tile)?);
        }
        let rows = edge.iter().map(|row| (row.tile.level, (row.tile.index, row.hashes.clone())));
        if root_at(&TileRows(Edge(rows.collect())), self.size) == Ok(*root) {
            return Ok(edge);
        }
        let paths: Vec<String> = edge.iter().map(|row| row.tile.to_string()).collect();
        Err(WalkError::Edge { paths: paths.join(", "), size: self.size })
    }

    /// Walks what lies under a tile whose hashes are right.
    fn below(&mut self, row: &Row) -> Result<(), WalkError<F::Error>> {
        let Row { tile, hashes } = row;
        let Some(level) = tile.level.checked_sub(1) else {
            return self.entries(tile, hashes);
        };
        let first = tile.index.saturating_mul(TILE_WIDTH);
        for (position, hash) in (0u64..).zip(hashes) {
            let index = first.saturating_add(position);
            let child = Tile { level, index, width: 256 };
            let below = self.tile(child)?;
            if subtree(&below.hashes) != *hash {
                let (path, above) = (child.to_string(), tile.to_string());
                return Err(WalkError::Tile { path, position, above });
            }
            self.below(&below)?;
        }
        Ok(())
    }

    fn tile(&mut self, tile: Tile) -> Result<Row, WalkError<F::Error>> {
        let bytes = self.read(&LogPath::Tile(tile))?;
        let expected = usize::from(tile.width).saturating_mul(HASH_BYTES);
        if bytes.len() != expected {
            let (path, found) = (tile.to_string(), bytes.len());
            return Err(WalkError::Length { path, found, expected });
        }
        self.walked.tiles = self.walked.tiles.saturating_add(1);
        Ok(Row { tile, hashes: hashes_of(&bytes) })
    }

    /// Holds the entries of a tile of level 0 against its hashes.
    fn entries(&mut self, tile: &Tile, hashes: &[LogHash]) -> Result<(), WalkError<F::Error>> {
        let first = tile.index.saturating_mul(TILE_WIDTH);
        if self.with_entries {
            let path = LogPath::Entries(*tile);
            let bytes = self.read(&path)?;
            let path = path.to_string();
            let entries = match decode_bundle(&bytes) {
                Ok(entries) => entries,
                Err(error) => return Err(WalkError::Bundle { path, error }),
            };
            if entries.len() != hashes.len() {
                let (found, expected) = (entries.len(), hashes.len());
                return Err(WalkError::EntryCount { path, found, expected });
            }
            for (index, (entry, hash)) in (first..).zip(entries.iter().zip(hashes)) {
                if leaf_hash(entry) != *hash {
                    return Err(WalkError::Entry { path, index });
                }
            }
            self.walked.bundles = self.walked.bundles.saturating_add(1);
            self.walked.last_entry = entries.last().map(|entry| entry.to_vec());
        }
        (self.progress)(first.saturating_add(tile.width.into()));
        Ok(())
    }

    fn read(&mut self, path: &LogPath) -> Result<Vec<u8>, WalkError<F::Error>> {
        let bytes = self.files.read(path).map_err(WalkError::Read)?;
        let bytes = bytes.ok_or_else(|| WalkError::Missing { path: path.to_string() })?;
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.walked.bytes = self.walked.bytes.saturating_add(count);
        Ok(bytes)
    }
}

fn hashes_of(bytes: &[u8]) -> Vec<LogHash> {
    bytes.as_chunks::<HASH_BYTES>().0.to_vec()
}

/// Root over the hashes of a full tile: one hash of the tile above.
fn subtree(hashes: &[LogHash]) -> LogHash {
    let mut row = LogFrontier::new();
    for hash in hashes {
        row.append(*hash);
    }
    *row.root().as_bytes()
}
