//! Key files of a node.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cets_api::key_cost::{KeyCostError, check_key_cost};
use cets_contracts::types::PublicKey;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::DecodePrivateKey;
use libp2p::PeerId;
use libp2p::identity::{Keypair, ed25519};
use pkcs8::spki::der;
use zeroize::Zeroizing;

use super::NodeConfig;

/// Largest key file that is read, in bytes.
const KEY_FILE_BYTES_MAX: u64 = 16 * 1024;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read the key file {file}: {error}")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Others than the owner may read the file.
    #[error(
        "the key file {file} has mode {mode:03o}; others must not read it: run chmod 600 {file}"
    )]
    Permissions {
        /// The file.
        file: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file is too large for a key.
    #[error("the key file {file} has more than {KEY_FILE_BYTES_MAX} bytes: is it another file?")]
    TooLarge {
        /// The file.
        file: PathBuf,
    },
    /// The file holds no Ed25519 key.
    #[error("{file} is no PKCS#8 private key (Ed25519, PEM)")]
    NotAKey {
        /// The file.
        file: PathBuf,
    },
    /// Opening the file would take all memory, or days.
    #[error("{file}: {error}")]
    Cost {
        /// The file.
        file: PathBuf,
        /// What is too much.
        error: KeyCostError,
    },
    /// The file is encrypted and nothing opens it.
    #[error("{file} is encrypted: name its password in `keys.password_file`")]
    NoPassword {
        /// The file.
        file: PathBuf,
    },
    /// The password does not open the file.
    #[error("the password in {password_file} does not open {file}")]
    WrongPassword {
        /// The file.
        file: PathBuf,
        /// The file of the password.
        password_file: PathBuf,
    },
    /// Two roles share one key.
    #[error("{first} and {second} hold the same key; every role needs a key of its own")]
    Shared {
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
}

/// The keys of a node.
pub struct NodeKeys {
    /// Signs votes and proposals.
    pub consensus: Option<SigningKey>,
    /// Authenticates connections of the consensus network.
    pub network: SigningKey,
    /// Authenticates connections of the gossip network.
    pub gossip: Keypair,
    /// Cosigns checkpoints of the log.
    pub cosigner: Option<SigningKey>,
}

impl std::fmt::Debug for NodeKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let public = |key: &SigningKey| PublicKey::new(key.verifying_key().to_bytes());
        f.debug_struct("NodeKeys")
            .field("consensus", &self.consensus.as_ref().map(public))
            .field("network", &public(&self.network))
            .field("gossip", &self.gossip.public().to_peer_id())
            .field("cosigner", &self.cosigner.as_ref().map(public))
            .finish()
    }
}

impl NodeKeys {
    /// Reads the keys that a configuration names.
    pub fn read(config: &NodeConfig) -> Result<Self, KeyError> {
        let files = &config.keys;
        let password = files.password_file.as_deref();
        let read = |file: &PathBuf| read_key(file, password);
        let network = read(&files.network)?;
        let gossip = files.gossip.as_ref().map(read).transpose()?;
        let keys = Self {
            consensus: files.consensus.as_ref().map(read).transpose()?,
            gossip: keypair(gossip.as_ref().unwrap_or(&network), &files.network)?,
            network,
            cosigner: files.cosigner.as_ref().map(read).transpose()?,
        };
        let named = [
            (files.consensus.as_ref(), keys.consensus.as_ref()),
            (Some(&files.network), Some(&keys.network)),
            (files.gossip.as_ref(), gossip.as_ref()),
            (files.cosigner.as_ref(), keys.cosigner.as_ref()),
        ];
        let named: Vec<_> =
            named.into_iter().filter_map(|(file, key)| Some((file?, key?.to_bytes()))).collect();
        for (index, (second, key)) in named.iter().enumerate() {
            let earlier = named.iter().take(index).find(|(_, other)| other == key);
            if let Some((first, _)) = earlier {
                let (first, second) = ((*first).clone(), (*second).clone());
                return Err(KeyError::Shared { first, second });
            }
        }
        Ok(keys)
    }
}

fn keypair(key: &SigningKey, file: &Path) -> Result<Keypair, KeyError> {
    let mut seed = Zeroizing::new(key.to_bytes());
    ed25519::SecretKey::try_from_bytes(seed.as_mut_slice())
        .map(|secret| Keypair::from(ed25519::Keypair::from(secret)))
        .map_err(|_| KeyError::NotAKey { file: file.to_owned() })
}

/// The peer id of a network key.
pub fn peer_id(key: &SigningKey) -> PeerId {
    let public = ed25519::PublicKey::try_from_bytes(key.verifying_key().as_bytes());
    PeerId::from_public_key(&public.expect("an Ed25519 key is one").into())
}

/// Reads one key file, encrypted or not; its mode must let nobody but the owner read it.
pub fn read_key(file: &Path, password_file: Option<&Path>) -> Result<SigningKey, KeyError> {
    let pem = read_private(file)?;
    let not_a_key = || KeyError::NotAKey { file: file.to_owned() };
    if !pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
        return SigningKey::from_pkcs8_pem(&pem).map_err(|_| not_a_key());
    }
    let password_file =
        password_file.ok_or_else(|| KeyError::NoPassword { file: file.to_owned() })?;
    let text = read_private(password_file)?;
    let password = text.lines().next().unwrap_or_default();
    let wrong = || KeyError::WrongPassword {
        file: file.to_owned(),
        password_file: password_file.to_owned(),
    };
    let (_, document) = der::SecretDocument::from_pem(&pem).map_err(|_| not_a_key())?;
    let info = pkcs8::EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
        .map_err(|_| not_a_key())?;
    check_key_cost(&info).map_err(|error| KeyError::Cost { file: file.to_owned(), error })?;
    let opened = info.decrypt(password).map_err(|_| wrong())?;
    SigningKey::from_pkcs8_der(opened.as_bytes()).map_err(|_| wrong())
}

/// Reads a file that nobody but its owner may read.
pub(super) fn read_private(file: &Path) -> Result<Zeroizing<String>, KeyError> {
    let unreadable = |error| KeyError::Unreadable { file: file.to_owned(), error };
    let metadata = std::fs::metadata(file).map_err(unreadable)?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Permissions { file: file.to_owned(), mode });
    }
    if metadata.len() > KEY_FILE_BYTES_MAX {
        return Err(KeyError::TooLarge { file: file.to_owned() });
    }
    std::fs::read_to_string(file).map(Zeroizing::new).map_err(unreadable)
}
