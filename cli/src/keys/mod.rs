//! Key files, their passphrases and the names people use for them.
//!
//! A key is two files in `keys/` below the home directory: `NAME.pem`, the secret key as PKCS#8
//! `ENCRYPTED PRIVATE KEY` (PBES2 with scrypt and AES-256-CBC, RFC 8410) that `openssl pkey` reads,
//! and `NAME.pub`, a JSON file with the public key and the account it acts for, so that names can
//! be used without a passphrase.

mod file;
mod passphrase;
mod store;

pub use file::*;
pub use passphrase::*;
pub use store::*;
