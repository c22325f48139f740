//! The TLS identity of the interface for clients, read before anything starts.

use std::path::{Path, PathBuf};

use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

use super::keys::read_private;
use super::{KeyError, NodeConfig};

/// Why the TLS identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The private key cannot be read, or others may read it.
    #[error("`api.tls.key`: {0}")]
    Key(#[from] KeyError),
    /// A certificate cannot be read.
    #[error("`{setting}`: cannot read {}: {error}", file.display())]
    Unreadable {
        /// Full name of the key of the configuration.
        setting: &'static str,
        /// The file.
        file: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Certificate, key and authority are no identity.
    #[error(
        "`api.tls`: {reason}; certificate and key are PEM files and belong together, \
         client_authority is a PEM certificate"
    )]
    Unusable {
        /// What is wrong.
        reason: String,
    },
}

/// Reads the files of `api.tls` and checks that they are an identity; without the section, all is
/// well. The key's mode must let nobody but the owner read it.
///
/// # Errors
/// When a file cannot be read, the key is open to others, or they do not fit together.
pub fn check_tls(config: &NodeConfig) -> Result<(), TlsError> {
    let Some(tls) = &config.api.tls else { return Ok(()) };
    let key = read_private(&tls.key)?;
    let certificate = read("api.tls.certificate", &tls.certificate)?;
    let mut identity =
        ServerTlsConfig::new().identity(Identity::from_pem(certificate, key.as_bytes()));
    if let Some(file) = &tls.client_authority {
        let authority = read("api.tls.client_authority", file)?;
        identity = identity.client_ca_root(Certificate::from_pem(authority));
    }
    Server::builder()
        .tls_config(identity)
        .map(|_| ())
        .map_err(|error| TlsError::Unusable { reason: root_cause(&error) })
}

fn read(setting: &'static str, file: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(file).map_err(|error| TlsError::Unreadable {
        setting,
        file: file.to_owned(),
        error,
    })
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
