//! The ledger's log: an append-only Merkle tree of RFC 6962 with SHA-256.
//!
//! # Shape (RFC 6962 section 2.1, unchanged in RFC 9162 section 2.1.1)
//!
//! ```text
//! leaf  = SHA-256(0x00 ‖ entry)
//! node  = SHA-256(0x01 ‖ left ‖ right)
//! root  = SHA-256("") of no entries, otherwise the node over the largest power of two of entries
//!         that is smaller than their number, and the rest
//! ```
//!
//! Node `(level, index)` is the root over the entries `index · 2^level` up to
//! `(index + 1) · 2^level`, all present: a *perfect* subtree. It never changes once it is complete,
//! so a store writes it once. Roots and proofs of every size are made of such nodes alone.
//!
//! [`LogFrontier`] appends and knows the root; it is a few hashes, cloned to execute a block
//! without committing it. Proofs read completed nodes through [`NodeReader`]. A store may keep
//! every node, or only those of [`Tile`] rows (levels 0, 8, 16 …, C2SP `tlog-tiles`) and
//! recompute the others with [`TileRows`].

mod consistency;
mod frontier;
mod hash;
mod inclusion;
mod nodes;
#[cfg(test)]
mod tests;
mod tile;

pub use consistency::{ConsistencyProof, consistency_proof, verify_consistency};
pub use frontier::{FrontierError, LOG_ENTRIES_MAX, LogFrontier, LogNode};
pub use hash::{LogHash, empty_root, leaf_hash, node_hash};
pub use inclusion::{LogProof, inclusion_proof, verify_inclusion};
pub use nodes::{LogError, LogProofError, NodeReader, root_at};
pub use tile::{ENTRIES_PER_BUNDLE, TILE_HEIGHT, TILE_WIDTH, Tile, TileRows};
