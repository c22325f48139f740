//! Tiles of the log (C2SP `tlog-tiles`): rows of up to 256 hashes that web servers can cache.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::frontier::LogNode;
use super::hash::{LogHash, node_hash};
use super::nodes::{LogError, NodeReader};

/// Levels of the log that one level of tiles spans.
pub const TILE_HEIGHT: u8 = 8;
/// Hashes in a full tile.
pub const TILE_WIDTH: u64 = 256;
/// Entries in a full entry bundle.
pub const ENTRIES_PER_BUNDLE: u64 = TILE_WIDTH;

/// A row of consecutive nodes of one level of the log.
///
/// Hash `i` of tile `(level, index)` is the node of level `8 · level` and index
/// `256 · index + i`. A tile with fewer than 256 hashes is partial: it is the right edge of its
/// level for one size of the log, and has a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tile {
    /// Level of the tile: the level of its nodes divided by 8; at most 7.
    pub level: u8,
    /// Index of the tile in its level.
    pub index: u64,
    /// Number of hashes, 1 to 256.
    pub width: u16,
}

impl Tile {
    /// Highest level of tiles.
    pub const LEVEL_MAX: u8 = 7;

    /// The tile `(level, index)` as it is in a log of `size` entries; none when it is empty then.
    pub fn at(level: u8, index: u64, size: u64) -> Option<Self> {
        let nodes = nodes_of_level(level, size)?;
        let first = index.checked_mul(TILE_WIDTH)?;
        let width = nodes.checked_sub(first)?.min(TILE_WIDTH);
        let width = u16::try_from(width).ok().filter(|width| *width > 0)?;
        Some(Self { level, index, width })
    }

    /// The tiles that a log has when it grows from `old` to `new` entries and that it had not
    /// before: those completed and the partial ones of the new right edge.
    pub fn added(old: u64, new: u64) -> impl Iterator<Item = Self> {
        (0..=Self::LEVEL_MAX).flat_map(move |level| {
            let before = nodes_of_level(level, old).unwrap_or(0);
            let after = nodes_of_level(level, new).unwrap_or(0);
            let first = before / TILE_WIDTH;
            let end = if after > before { after.div_ceil(TILE_WIDTH) } else { first };
            (first..end).filter_map(move |index| Self::at(level, index, new))
        })
    }

    /// Level and index of the nodes that are the hashes of this tile, in order.
    pub fn nodes(&self) -> impl Iterator<Item = (u8, u64)> + use<> {
        let level = self.level.saturating_mul(TILE_HEIGHT);
        let first = self.index.saturating_mul(TILE_WIDTH);
        (first..first.saturating_add(self.width.into())).map(move |index| (level, index))
    }

    /// The bytes of the tile: its hashes, one after the other.
    ///
    /// # Errors
    /// [`LogError::NodeMissing`].
    pub fn read(&self, reader: &impl NodeReader) -> Result<Vec<u8>, LogError> {
        let mut bytes = Vec::with_capacity(usize::from(self.width).saturating_mul(32));
        for (level, index) in self.nodes() {
            let hash = reader.node(level, index);
            bytes.extend_from_slice(&hash.ok_or(LogError::NodeMissing { level, index })?);
        }
        Ok(bytes)
    }

    /// Whether all 256 hashes are there; a full tile never changes.
    pub fn is_full(&self) -> bool {
        u64::from(self.width) == TILE_WIDTH
    }
}

/// The resource path of C2SP `tlog-tiles`: `tile/<level>/<index>[.p/<width>]`.
impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        write_index(f, self.index)?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// An index in groups of three digits, each but the last marked by `x`: 1234067 is x001/x234/067.
fn write_index(f: &mut fmt::Formatter<'_>, index: u64) -> fmt::Result {
    let mut groups = vec![index % 1000];
    let mut rest = index / 1000;
    while rest > 0 {
        groups.push(rest % 1000);
        rest /= 1000;
    }
    for group in groups.iter().skip(1).rev() {
        write!(f, "x{group:03}/")?;
    }
    write!(f, "{:03}", groups.first().copied().unwrap_or(0))
}

/// Complete nodes at the level of a tile's hashes; none above the highest level.
fn nodes_of_level(level: u8, size: u64) -> Option<u64> {
    if level > Tile::LEVEL_MAX {
        return None;
    }
    size.checked_shr(u32::from(level.saturating_mul(TILE_HEIGHT)))
}

impl LogNode {
    /// Whether the node is a hash of a tile: its level is a multiple of 8.
    pub fn is_in_tile(&self) -> bool {
        self.level.is_multiple_of(TILE_HEIGHT)
    }
}

/// Reads any node from a store that keeps only the nodes of tiles (levels 0, 8, 16 …).
///
/// Such a store holds 32 bytes per entry instead of 64; a node between two tile levels costs up to
/// 128 reads and 127 hashes.
#[derive(Clone, Copy, Debug)]
pub struct TileRows<R>(pub R);

impl<R: NodeReader> NodeReader for TileRows<R> {
    fn node(&self, level: u8, index: u64) -> Option<LogHash> {
        let above = level % TILE_HEIGHT;
        if above == 0 {
            return self.0.node(level, index);
        }
        Row { reader: &self.0, level: level.saturating_sub(above) }.node(above, index)
    }
}

/// One row of hashes seen as the leaves of a log; nodes above it are computed.
struct Row<'a, R> {
    reader: &'a R,
    level: u8,
}

impl<R: NodeReader> NodeReader for Row<'_, R> {
    fn node(&self, level: u8, index: u64) -> Option<LogHash> {
        if level == 0 {
            return self.reader.node(self.level, index);
        }
        let left = self.node(level.checked_sub(1)?, index.checked_mul(2)?)?;
        let right = self.node(level.checked_sub(1)?, index.checked_mul(2)?.checked_add(1)?)?;
        Some(node_hash(&left, &right))
    }
}
