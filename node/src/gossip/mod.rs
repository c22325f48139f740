//! Spreading of transactions and cosignatures between nodes, on a libp2p network of its own.
//!
//! Every node pushes what its clients submit to every other node, many transactions at a time: a
//! closed full mesh, as consensus has it. The answer to a push comes when the receiver has
//! verified it, so that a slow node slows its senders down instead of drowning. What was received
//! is not passed on. A node that was away gets what waits when it connects. Cosignatures of
//! checkpoints go the same way by a protocol of their own, so that neither waits for the other.

mod codec;
mod cosignatures;
mod peers;
mod swarm;
mod task;

#[cfg(feature = "simulation")]
pub(crate) use codec::{PushBuilder, split_push};
pub use cosignatures::Cosignatures;
pub use swarm::{GossipConfig, GossipError};
pub use task::{Gossip, GossipView};
