//! Ed25519 verification with ZIP-215 semantics, single and batched; nothing else decides validity.
//!
//! Single and batch verification agree by definition under ZIP-215, also on keys and signatures
//! with small-order components: a batch holds when its cofactored equation does, and a signature
//! that is refused alone was refused by `ed25519-zebra`. The random factors of a batch come from a
//! generator seeded with the digest of the whole batch, so that this crate needs no entropy and no
//! signer can choose a batch after its factors are known.

mod batch;
mod known;
mod single;

pub use self::batch::{verify_all, verify_each};
pub use self::known::KnownKeys;
pub use self::single::{SignedMessage, verify};
