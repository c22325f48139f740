//! The state tree: a dense binary Merkle tree over allocated slots.
//!
//! Every record of a committed table of the state (an account, a range of units, a task, a
//! parameter and so on) holds one [`Slot`].
//! The tree commits to what each slot holds; its root is the header's state root.
//!
//! # Shape
//!
//! ```text
//! depth  = ceil(log2(highest used slot + 1)), 0 for no slot or only slot 0
//! leaf   = keyed(derive_key("cets/v1/state-leaf"), u32-BE key length ‖ key ‖ value)
//! empty  = 32 zero bytes
//! node   = keyed(derive_key("cets/v1/state-node"), left ‖ right)
//! root   = blake3("cets/v1/state-root" ‖ depth as one byte ‖ top node)
//! ```
//!
//! `keyed` is the keyed mode of BLAKE3, `derive_key` its key derivation over no key material.
//! Everything follows from the content: the same slots with the same leaves have the same root
//! however they were reached, so the tree lives in memory and is rebuilt from the state table
//! when a node starts. A tree of `n` slots takes about `64 · n` bytes.
//!
//! # Slots
//!
//! [`SlotAllocator`] gives out the lowest unused slot first. A block first frees the slots of the
//! objects it ended and then allocates for those it created, in the order asked.
//!
//! # Use
//!
//! ```
//! use cets_contracts::tree::{LeafHash, SlotAllocator, SlotChange, StateTree};
//!
//! let (mut tree, mut slots) = (StateTree::new(), SlotAllocator::new());
//! let plan = slots.plan(&[], 1)?;
//! let slot = plan.allocated()[0];
//! let update = tree.prepare(&[SlotChange { slot, leaf: Some(LeafHash::of(b"key", b"value")) }])?;
//! let root = update.root(); // goes into the header; the tree is as it was
//! tree.apply(update)?; // once the block is decided
//! slots.apply(plan)?;
//! tree.prove(slot)?.verify(b"key", b"value", &root)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod allocator;
mod hash;
mod proof;
mod slot;
mod state_tree;
#[cfg(test)]
mod tests;

pub use allocator::{SlotAllocator, SlotError, SlotPlan};
pub use hash::LeafHash;
pub use proof::{StateProof, StateProofError};
pub use slot::{DEPTH_MAX, Slot, SlotTooHigh};
pub use state_tree::{SlotChange, StateTree, TreeError, TreeUpdate};
