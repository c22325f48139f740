//! One signature.

use ed25519_zebra::{Signature as ZebraSignature, VerificationKey};

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
