//! Cosignatures of validators on checkpoints (C2SP `tlog-cosignature`, type 0x04).

use serde::{Deserialize, Serialize};

use super::{
    Checkpoint, NOTE_SIGNATURES_MAX, Note, NoteError, NoteSignature, SignatureKind, VerifierKey,
    cosigner_name,
};
use crate::block::{Validator, ValidatorSet};
use crate::crypto::{self, SignedMessage};
use crate::types::{BlockTime, PublicKey, Signature};

/// The message of a cosignature: `cosignature/v1`, the time, and the text of the checkpoint.
pub fn cosignature_message(text: &str, seconds: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes()
}

/// The key with which a validator signs as the log: type 0x01 under the origin.
///
/// # Errors
/// [`NoteError::Name`].
pub fn log_key(origin: &str, validator: &Validator) -> Result<VerifierKey, NoteError> {
    VerifierKey::new(origin.to_owned(), SignatureKind::Note, validator.cosigner_key)
}

/// The key with which a validator cosigns: type 0x04 under its own name.
///
/// # Errors
/// [`NoteError::Name`].
pub fn witness_key(origin: &str, validator: &Validator) -> Result<VerifierKey, NoteError> {
    let name = cosigner_name(origin, &validator.name);
    VerifierKey::new(name, SignatureKind::Cosignature, validator.cosigner_key)
}

/// A validator's two signatures on one checkpoint, as they travel between nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cosignature {
    /// Cosigner key of the validator.
    pub cosigner: PublicKey,
    /// Block time of the checkpoint's block in whole seconds.
    pub seconds: u64,
    /// Signature over [`cosignature_message`].
    pub signature: Signature,
    /// Signature over the text of the checkpoint, as the log.
    pub log_signature: Signature,
}

impl Cosignature {
    /// The time of a cosignature: a block time in whole seconds.
    pub const fn seconds_of(time: BlockTime) -> u64 {
        time.as_millis().wrapping_div(1_000)
    }

    /// Signs a checkpoint with a function that makes an Ed25519 signature of a message.
    pub fn sign(
        checkpoint: &Checkpoint,
        time: BlockTime,
        cosigner: PublicKey,
        sign: impl Fn(&[u8]) -> Signature,
    ) -> Self {
        let (text, seconds) = (checkpoint.to_string(), Self::seconds_of(time));
        let signature = sign(&cosignature_message(&text, seconds));
        Self { cosigner, seconds, signature, log_signature: sign(text.as_bytes()) }
    }

    /// Whether both signatures are the cosigner's and of this checkpoint.
    pub fn verify(&self, checkpoint: &Checkpoint) -> bool {
        let text = checkpoint.to_string();
        let message = cosignature_message(&text, self.seconds);
        let key = &self.cosigner;
        crypto::verify_all(&[
            SignedMessage { key, signature: &self.signature, message: &message },
            SignedMessage { key, signature: &self.log_signature, message: text.as_bytes() },
        ])
    }

    /// The line of the cosignature: 8 bytes of time and 64 of signature.
    fn witness_line(&self, key: &VerifierKey) -> NoteSignature {
        let time = self.seconds.to_be_bytes();
        NoteSignature::by(key, [&time[..], self.signature.as_bytes()].concat())
    }
}

impl Checkpoint {
    /// The note to serve: the checkpoint with the lines of validators in canonical order, first
    /// their cosignatures, then their signatures as the log as long as there is room.
    ///
    /// Cosignatures by other keys are left out; none is verified here.
    ///
    /// # Errors
    /// [`NoteError::Name`].
    pub fn cosigned(
        &self,
        validators: &ValidatorSet,
        cosignatures: &[Cosignature],
    ) -> Result<Note, NoteError> {
        let mut lines = Vec::new();
        let mut log_lines = Vec::new();
        for validator in validators.members() {
            let own = |found: &&Cosignature| found.cosigner == validator.cosigner_key;
            let Some(cosignature) = cosignatures.iter().find(own) else { continue };
            lines.push(cosignature.witness_line(&witness_key(&self.origin, validator)?));
            let log_key = log_key(&self.origin, validator)?;
            let log_signature = cosignature.log_signature.as_bytes().to_vec();
            log_lines.push(NoteSignature::by(&log_key, log_signature));
        }
        let room = NOTE_SIGNATURES_MAX.saturating_sub(lines.len());
        lines.extend(log_lines.into_iter().take(room));
        Note::new(self.to_string(), lines)
    }
}
