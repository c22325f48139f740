//! The two keys of a node: one signs consensus statements, the other authenticates connections.

use std::sync::Arc;

use cets_contracts::block::Validator;
use cets_contracts::types::{PublicKey, Signature, ValidatorAddress};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use malachitebft_app_channel::app::types::PeerId;

/// The consensus key did not sign.
#[derive(Debug, thiserror::Error)]
#[error("the consensus key does not sign: {reason}")]
pub struct SignerFault {
    /// What happened; for people.
    pub reason: String,
}

/// Holds the consensus key of a validator; an HSM or a remote signer may stand behind it.
pub trait EngineSigner: Send + Sync + 'static {
    /// Public half of the key.
    fn public_key(&self) -> PublicKey;

    /// Ed25519 signature over a message. May block.
    fn sign(&self, message: &[u8]) -> Result<Signature, SignerFault>;
}

/// A consensus key in the memory of this process.
pub struct LocalSigner(SigningKey);

impl LocalSigner {
    /// Wraps a key.
    pub const fn new(key: SigningKey) -> Self {
        Self(key)
    }
}

impl EngineSigner for LocalSigner {
    fn public_key(&self) -> PublicKey {
        PublicKey::new(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignerFault> {
        Ok(Signature::new(self.0.sign(message).to_bytes()))
    }
}

/// The libp2p peer id of a node with a network key, as it stands after `/p2p/` in addresses.
///
/// # Errors
/// When the key is no point of the curve.
pub fn peer_id(network_key: &PublicKey) -> Result<String, ed25519_dalek::SignatureError> {
    VerifyingKey::from_bytes(network_key.as_bytes())?;
    // An identity multihash (code 0, 36 bytes) of the key's protobuf: type 1 (Ed25519), 32 bytes.
    let mut bytes = vec![0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
    bytes.extend_from_slice(network_key.as_bytes());
    let peer_id = PeerId::from_bytes(&bytes).expect("the multihash has the right form");
    Ok(peer_id.to_string())
}

/// Address of the validator with a consensus key.
pub fn validator_address(consensus_key: &PublicKey) -> ValidatorAddress {
    // Only the consensus key is in the address.
    let (consensus_key, cosigner_key) = (*consensus_key, *consensus_key);
    Validator { name: String::new(), consensus_key, cosigner_key, power: 1 }.address()
}

/// The keys of a node.
#[derive(Clone)]
pub struct EngineKeys {
    /// Signs votes and proposals; a node without one follows and never votes.
    pub consensus: Option<Arc<dyn EngineSigner>>,
    /// Secret half of the Ed25519 key that authenticates connections, a key of its own.
    pub network: SigningKey,
}

impl core::fmt::Debug for EngineKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EngineKeys")
            .field("consensus", &self.consensus.as_ref().map(|signer| signer.public_key()))
            .field("network", &PublicKey::new(self.network.verifying_key().to_bytes()))
            .finish()
    }
}
