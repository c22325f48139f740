//! What everything else hangs on: a header and the certificate that decided it.

use serde::{Deserialize, Serialize};

use super::{ProofError, ValidatorHistory};
use crate::block::{Certificate, Header};
use crate::types::{BlockTime, Height};

/// A header and the certificate of the validators of its height.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The header.
    pub header: Header,
    /// Its certificate.
    pub certificate: Certificate,
}

impl Anchor {
    /// Height of the header.
    pub const fn height(&self) -> Height {
        self.header.height
    }

    /// Block time of the header.
    pub const fn time(&self) -> BlockTime {
        self.header.time
    }

    /// Checks that validators of more than two thirds of the power of its height decided it.
    ///
    /// # Errors
    /// [`ProofError::OtherChain`], [`ProofError::NoValidators`],
    /// [`ProofError::CertificateHeight`] or [`ProofError::Certificate`].
    pub fn verify(&self, validators: &ValidatorHistory) -> Result<(), ProofError> {
        let (found, expected) = (self.header.chain_id, validators.chain_id());
        if found != expected {
            return Err(ProofError::OtherChain { found, expected });
        }
        let height = self.header.height;
        let set = validators.at(height).ok_or(ProofError::NoValidators { height })?;
        if self.certificate.height != height {
            let found = self.certificate.height;
            return Err(ProofError::CertificateHeight { height, found });
        }
        self.certificate
            .verify(expected, self.header.id(), set)
            .map_err(|error| ProofError::Certificate { error })
    }

    /// Refuses an anchor below a height that the reader knows of.
    ///
    /// # Errors
    /// [`ProofError::NotNewest`].
    pub fn require_height(&self, newest: Height) -> Result<(), ProofError> {
        let height = self.header.height;
        if height < newest { Err(ProofError::NotNewest { height, newest }) } else { Ok(()) }
    }
}
