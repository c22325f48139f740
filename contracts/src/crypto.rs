//! Ed25519 verification with ZIP-215 semantics, single and batched; nothing else decides validity.
//!
//! Single and batch verification agree by definition under ZIP-215, also on keys and signatures
//! with small-order components. The random factors of a batch come from a generator seeded with
//! the digest of the whole batch, so that this crate needs no entropy and no signer can choose a
//! batch after its factors are known.

use ed25519_zebra::{Signature as ZebraSignature, VerificationKey, VerificationKeyBytes, batch};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

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
pub fn verify_each(all: &[SignedMessage<'_>]) -> Vec<bool> {
    let items: Vec<(batch::Item, [u8; 128])> = all
        .iter()
        .map(|signed| {
            let key = VerificationKeyBytes::from(*signed.key.as_bytes());
            let signature = ZebraSignature::from_bytes(signed.signature.as_bytes());
            let mut id = [0u8; 128];
            id[..32].copy_from_slice(signed.key.as_bytes());
            id[32..96].copy_from_slice(signed.signature.as_bytes());
            id[96..].copy_from_slice(blake3::hash(signed.message).as_bytes());
            (batch::Item::from((key, signature, signed.message)), id)
        })
        .collect();
    let mut verdicts = vec![false; items.len()];
    bisect(&items, &mut verdicts);
    verdicts
}

/// Whether all signatures verify; cheaper than [`verify_each`] when one does not.
pub fn verify_all(all: &[SignedMessage<'_>]) -> bool {
    verify_each(all).into_iter().all(|good| good)
}

fn bisect(items: &[(batch::Item, [u8; 128])], verdicts: &mut [bool]) {
    if let [(item, _)] = items {
        if let [verdict] = verdicts {
            *verdict = item.clone().verify_single().is_ok();
        }
        return;
    }
    if items.is_empty() {
        return;
    }
    let mut verifier = batch::Verifier::new();
    let mut seed = blake3::Hasher::new();
    for (item, id) in items {
        verifier.queue(item.clone());
        seed.update(id);
    }
    if verifier.verify(ChaCha20Rng::from_seed(*seed.finalize().as_bytes())).is_ok() {
        verdicts.fill(true);
        return;
    }
    let middle = items.len() / 2;
    let (left_verdicts, right_verdicts) = verdicts.split_at_mut(middle);
    bisect(&items[..middle], left_verdicts);
    bisect(&items[middle..], right_verdicts);
}
