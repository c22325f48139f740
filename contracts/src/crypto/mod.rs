//! Ed25519 verification with ZIP-215 semantics, single and batched; nothing else decides validity.
//!
//! Single and batch verification agree by definition under ZIP-215, also on keys and signatures
//! with small-order components: a batch holds when its cofactored equation does, and a signature that
//! is refused alone was refused by `ed25519-zebra`. The random factors of a batch come from a generator seeded with
//! the digest of the whole batch, so that this crate needs no entropy and no signer can choose a
//! batch after its factors are known.

mod batch;
mod known;

use ed25519_zebra::{Signature as ZebraSignature, VerificationKey};

pub use self::known::KnownKeys;
use crate::types::{PublicKey, Signature};

/// A message, who should have signed it, and the signature.
#[derive(Clone, Copy, Debug)]
pub struct SignedMessage<'a> {
    /// Public key of the signer.
    pub key: &'a PublicKey,
    /// The signature.
    pub signature: &'a Signature,
    /// The message.
    pub message: &'a [u8],
}

/// Whether one signature verifies under ZIP-215.
pub fn verify(signed: &SignedMessage<'_>) -> bool {
    let signature = ZebraSignature::from_bytes(signed.signature.as_bytes());
    VerificationKey::try_from(*signed.key.as_bytes())
        .and_then(|key| key.verify(&signature, signed.message))
        .is_ok()
}

/// Whether each signature verifies, in the order given.
///
/// Verifies all in one batch; when the batch fails, halves it until the bad ones are found.
pub fn verify_each(all: &[SignedMessage<'_>], known: &mut KnownKeys) -> Vec<bool> {
    batch::verify_each(all, known)
}

/// Whether all signatures verify; cheaper than [`verify_each`] when one does not.
pub fn verify_all(all: &[SignedMessage<'_>]) -> bool {
    verify_each(all, &mut KnownKeys::none()).into_iter().all(|good| good)
}
