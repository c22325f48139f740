//! Secret keys on disk: PKCS#8, encrypted, written once.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use cets_api::key_cost::{KeyCostError, check_key_cost};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes, spki};
use pkcs8::pkcs5::{pbes2, scrypt};
use zeroize::Zeroizing;

use super::Passphrase;

/// Largest key file that is read, in bytes.
pub const KEY_FILE_BYTES_MAX: u64 = 16 * 1024;

/// scrypt cost of new key files: N = 2^14, r = 8, p = 1.
///
/// 16 MiB, within the 32 MiB that OpenSSL allows without being asked.
const SCRYPT_LOG_N: u8 = 14;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 1;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The passphrase does not open it.
    #[error("the passphrase does not open the key")]
    WrongPassphrase,
    /// No PEM of a private key, or a key of another kind than Ed25519.
    #[error("the file is no PKCS#8 private key (Ed25519, PEM)")]
    NotAKey,
    /// Opening it would take all memory, or days.
    #[error(transparent)]
    Cost(#[from] KeyCostError),
    /// The file exists; keys are never overwritten.
    #[error("{0} exists and is never overwritten")]
    Exists(PathBuf),
    /// The encryption failed: no randomness.
    #[error("the system gave no random numbers")]
    NoRandomness,
    /// The file system refused.
    #[error("{path}: {error}")]
    Io {
        /// File or directory.
        path: PathBuf,
        /// Its answer.
        error: std::io::Error,
    },
}

fn io_error(path: &Path, error: std::io::Error) -> KeyFileError {
    KeyFileError::Io { path: path.to_owned(), error }
}

/// Makes a new signing key from the system's randomness.
pub fn generate_key() -> Result<SigningKey, KeyFileError> {
    let mut seed = Zeroizing::new([0u8; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(|_| KeyFileError::NoRandomness)?;
    Ok(SigningKey::from_bytes(&seed))
}

/// The PEM text of a key, encrypted under a passphrase.
pub fn encrypt_key(
    key: &SigningKey,
    passphrase: &Passphrase,
) -> Result<Zeroizing<String>, KeyFileError> {
    let mut salt = [0u8; 16];
    let mut iv = [0u8; 16];
    getrandom::fill(&mut salt).map_err(|_| KeyFileError::NoRandomness)?;
    getrandom::fill(&mut iv).map_err(|_| KeyFileError::NoRandomness)?;
    let cost =
        scrypt::Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P).map_err(|_| KeyFileError::NotAKey)?;
    let parameters = pbes2::Parameters::generate_scrypt_aes256cbc(cost, &salt, iv)
        .map_err(|_| KeyFileError::NotAKey)?;
    // Without the optional public key: OpenSSL 3 refuses the version 2 structure that carries it.
    let pair = KeypairBytes { secret_key: key.to_bytes(), public_key: None };
    pair.to_pkcs8_der()
        .and_then(|der| {
            let info = pkcs8::PrivateKeyInfoRef::try_from(der.as_bytes())?;
            info.encrypt_with_params(parameters, passphrase.as_bytes())
        })
        .and_then(|encrypted| {
            let label = "ENCRYPTED PRIVATE KEY";
            Ok(encrypted.to_pem(label, spki::der::pem::LineEnding::LF)?)
        })
        .map_err(|_| KeyFileError::NotAKey)
}

/// Whether a PEM text holds an encrypted key.
pub fn is_encrypted(pem: &str) -> bool {
    pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
}

/// The key of an encrypted PEM text.
pub fn decrypt_key(pem: &str, passphrase: &Passphrase) -> Result<SigningKey, KeyFileError> {
    if !is_encrypted(pem) {
        return Err(KeyFileError::NotAKey);
    }
    let (_, document) =
        spki::der::SecretDocument::from_pem(pem).map_err(|_| KeyFileError::NotAKey)?;
    let info = pkcs8::EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
        .map_err(|_| KeyFileError::NotAKey)?;
    check_key_cost(&info)?;
    let opened = info.decrypt(passphrase.as_bytes()).map_err(|_| KeyFileError::WrongPassphrase)?;
    // A wrong passphrase passes the padding check once in 256 tries and then gives no structure.
    pkcs8::PrivateKeyInfoRef::try_from(opened.as_bytes())
        .map_err(|_| KeyFileError::WrongPassphrase)?;
    SigningKey::from_pkcs8_der(opened.as_bytes()).map_err(|_| KeyFileError::NotAKey)
}

/// The key of an unencrypted PEM text, for import only.
pub fn plain_key(pem: &str) -> Result<SigningKey, KeyFileError> {
    SigningKey::from_pkcs8_pem(pem).map_err(|_| KeyFileError::NotAKey)
}

/// The text of a key file.
pub fn read_key_text(path: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    let length = fs::metadata(path).map_err(|error| io_error(path, error))?.len();
    if length > KEY_FILE_BYTES_MAX {
        return Err(KeyFileError::NotAKey);
    }
    fs::read_to_string(path).map(Zeroizing::new).map_err(|error| io_error(path, error))
}

/// Writes a file of mode 0600 that must not exist yet, whole or not at all.
///
/// The content goes to a temporary file that is synced and then linked to its name: a link never
/// replaces a file, and a crash leaves at most the temporary file behind.
pub fn write_new_file(path: &Path, content: &[u8]) -> Result<(), KeyFileError> {
    let temporary = write_temporary(path, content)?;
    let linked = fs::hard_link(&temporary, path);
    let removed = fs::remove_file(&temporary);
    match linked {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(KeyFileError::Exists(path.to_owned()));
        }
        other => other.map_err(|error| io_error(path, error))?,
    }
    removed.map_err(|error| io_error(&temporary, error))?;
    sync_folder(path)
}

/// Replaces a file of mode 0600, whole or not at all.
pub fn replace_file(path: &Path, content: &[u8]) -> Result<(), KeyFileError> {
    let temporary = write_temporary(path, content)?;
    fs::rename(&temporary, path).map_err(|error| io_error(path, error))?;
    sync_folder(path)
}

fn write_temporary(path: &Path, content: &[u8]) -> Result<PathBuf, KeyFileError> {
    let mut suffix = [0u8; 8];
    getrandom::fill(&mut suffix).map_err(|_| KeyFileError::NoRandomness)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}", hex::encode(suffix)));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()));
    written.map_err(|error| io_error(&temporary, error))?;
    Ok(temporary)
}

fn sync_folder(path: &Path) -> Result<(), KeyFileError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| io_error(folder, error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_with_its_passphrase_only() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let pem = encrypt_key(&key, &Passphrase::new("correct horse")).unwrap();
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        assert_eq!(decrypt_key(&pem, &Passphrase::new("correct horse")).unwrap(), key);
        let wrong = decrypt_key(&pem, &Passphrase::new("correct horsf"));
        assert!(matches!(wrong, Err(KeyFileError::WrongPassphrase)));
    }

    #[test]
    fn two_files_of_one_key_share_no_salt() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let passphrase = Passphrase::new("correct horse");
        let pem = encrypt_key(&key, &passphrase).unwrap();
        assert_ne!(*pem, *encrypt_key(&key, &passphrase).unwrap());
    }

    #[test]
    fn damaged_files_are_refused_without_panic() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let passphrase = Passphrase::new("correct horse");
        let pem = encrypt_key(&key, &passphrase).unwrap();
        for cut in (0..pem.len()).step_by(7) {
            assert!(decrypt_key(&pem[..cut], &passphrase).is_err());
        }
        assert!(matches!(plain_key(&pem), Err(KeyFileError::NotAKey)));
    }

    #[test]
    fn new_files_are_private_and_never_overwrite() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pem");
        write_new_file(&path, b"one").unwrap();
        assert!(matches!(write_new_file(&path, b"two"), Err(KeyFileError::Exists(_))));
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        replace_file(&path, b"three").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "no temporary file is left");
    }
}
