//! Trust policies: whose signatures make a checkpoint valid (C2SP `tlog-policy`).

use std::collections::BTreeSet;

use super::checkpoint::escaped;
use super::{
    Checkpoint, CheckpointError, Note, NoteError, SignatureKind, VerifierKey, cosignature_message,
    log_key, witness_key,
};
use crate::block::ValidatorSet;
use crate::crypto::{self, SignedMessage};
use crate::types::Signature;

/// Name of the group that a written policy asks for.
const VALIDATORS_GROUP: &str = "validators";

/// Why a note does not satisfy a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The text is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// No log of the policy has this origin.
    #[error("the checkpoint is of {found}, which is no log of the policy")]
    OtherOrigin {
        /// Origin of the checkpoint.
        found: String,
    },
    /// No log of the policy signed.
    #[error("no log key of the policy signed the checkpoint of {origin}")]
    NoLogSignature {
        /// Origin of the checkpoint.
        origin: String,
    },
    /// A signature by a key of the policy is wrong.
    #[error("the signature of {name} on the checkpoint of size {size} is forged or damaged")]
    BadSignature {
        /// Name of the key.
        name: String,
        /// Size in the checkpoint.
        size: u64,
    },
    /// Too few witnesses cosigned.
    #[error(
        "{cosigned} known witnesses cosigned the checkpoint of size {size}; \
         that is no quorum ({quorum})"
    )]
    NoQuorum {
        /// Witnesses of the policy that cosigned.
        cosigned: usize,
        /// Size in the checkpoint.
        size: u64,
        /// What the policy asks for.
        quorum: String,
    },
}

/// A witness, or a group of witnesses and groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyMember {
    /// One cosigner.
    Witness {
        /// Name within the policy.
        name: String,
        /// Its key.
        key: VerifierKey,
    },
    /// So many of its members.
    Group {
        /// Name within the policy.
        name: String,
        /// Members that suffice, from 1.
        threshold: usize,
        /// Positions of the members in the policy's list, all before the group's own.
        members: Vec<usize>,
    },
}

impl PolicyMember {
    /// Name within the policy.
    pub fn name(&self) -> &str {
        match self {
            Self::Witness { name, .. } | Self::Group { name, .. } => name,
        }
    }
}

/// Which logs are known and which cosigners suffice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Keys of known logs; when there is none, every origin is accepted.
    pub logs: Vec<VerifierKey>,
    /// Witnesses and groups in the order of their definition.
    pub members: Vec<PolicyMember>,
    /// Position of the member that is the quorum; none when no cosignature is asked for.
    pub quorum: Option<usize>,
}

/// A checkpoint that satisfied a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Witnesses that cosigned, by their name in the policy, and the time in seconds each states.
    pub witnesses: Vec<(String, u64)>,
}

/// The least number of validators of which any choice has more than two thirds of the power.
pub fn quorum_count(validators: &ValidatorSet) -> usize {
    let mut powers: Vec<u64> = validators.members().iter().map(|member| member.power).collect();
    powers.sort_unstable();
    let needed = validators.power_quorum();
    let mut power = 0u64;
    let enough = powers.iter().position(|own| {
        power = power.saturating_add(*own);
        power >= needed
    });
    enough.map_or(powers.len(), |position| position.saturating_add(1))
}

impl Policy {
    /// The policy of a validator set: each a log key and a witness, a quorum of them suffices.
    ///
    /// # Errors
    /// [`NoteError::Name`].
    pub fn of_validators(origin: &str, validators: &ValidatorSet) -> Result<Self, NoteError> {
        let mut logs = Vec::new();
        let mut members = Vec::new();
        for validator in validators.members() {
            logs.push(log_key(origin, validator)?);
            // The prefix keeps names apart from the group's and from the reserved "none".
            let name = format!("validator/{}", escaped(&validator.name));
            members.push(PolicyMember::Witness { name, key: witness_key(origin, validator)? });
        }
        let quorum = members.len();
        let (name, threshold) = (VALIDATORS_GROUP.to_owned(), quorum_count(validators));
        members.push(PolicyMember::Group { name, threshold, members: (0..quorum).collect() });
        Ok(Self { logs, members, quorum: Some(quorum) })
    }

    /// Checks a checkpoint: a known log signed it, and the quorum cosigned it.
    ///
    /// Lines of unknown keys are ignored; a wrong line of a known key spoils the note.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn verify(&self, note: &Note) -> Result<Cosigned, PolicyError> {
        let checkpoint: Checkpoint = note.text().parse()?;
        self.verify_log(note, &checkpoint)?;
        let mut witnesses = Vec::new();
        let mut cosigned = BTreeSet::new();
        for (position, member) in self.members.iter().enumerate() {
            let PolicyMember::Witness { name, key } = member else { continue };
            if let Some(seconds) = verified_cosignature(note, key, &checkpoint)? {
                witnesses.push((name.clone(), seconds));
                cosigned.insert(position);
            }
        }
        match self.quorum {
            Some(quorum) if !self.is_met(quorum, &cosigned) => Err(PolicyError::NoQuorum {
                cosigned: cosigned.len(),
                size: checkpoint.size,
                quorum: self.describe(quorum),
            }),
            _ => Ok(Cosigned { checkpoint, witnesses }),
        }
    }

    /// The note with no more signatures than the policy asks for, so that none of them can be
    /// damaged or left out unnoticed.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn least(&self, note: &Note) -> Result<Note, PolicyError> {
        self.verify(note)?;
        let mut least = note.clone();
        for position in (0..note.signatures().len()).rev() {
            let shorter = least.without(position);
            if self.verify(&shorter).is_ok() {
                least = shorter;
            }
        }
        Ok(least)
    }

    fn verify_log(&self, note: &Note, checkpoint: &Checkpoint) -> Result<(), PolicyError> {
        if self.logs.is_empty() {
            return Ok(());
        }
        let origin = &checkpoint.origin;
        let mut known = self.logs.iter().filter(|log| log.name() == origin).peekable();
        if known.peek().is_none() {
            return Err(PolicyError::OtherOrigin { found: origin.clone() });
        }
        let mut signed = false;
        for key in known {
            for line in note.signatures().iter().filter(|line| line.is_by(key)) {
                if !verifies(key, &line.bytes, note.text().as_bytes()) {
                    let (name, size) = (key.name().to_owned(), checkpoint.size);
                    return Err(PolicyError::BadSignature { name, size });
                }
                signed = true;
            }
        }
        if signed { Ok(()) } else { Err(PolicyError::NoLogSignature { origin: origin.clone() }) }
    }

    fn is_met(&self, position: usize, cosigned: &BTreeSet<usize>) -> bool {
        match self.members.get(position) {
            None => false,
            Some(PolicyMember::Witness { .. }) => cosigned.contains(&position),
            Some(PolicyMember::Group { threshold, members, .. }) => {
                // Members stand before their group, so that this ends.
                let before = members.iter().filter(|member| **member < position);
                before.filter(|member| self.is_met(**member, cosigned)).count() >= *threshold
            }
        }
    }

    fn describe(&self, position: usize) -> String {
        match self.members.get(position) {
            Some(PolicyMember::Group { name, threshold, members }) => {
                format!("{threshold} of the {} {name}", members.len())
            }
            Some(PolicyMember::Witness { name, .. }) => name.clone(),
            None => String::new(),
        }
    }
}

/// The time that a witness states in its cosignature; none when it did not cosign.
fn verified_cosignature(
    note: &Note,
    key: &VerifierKey,
    checkpoint: &Checkpoint,
) -> Result<Option<u64>, PolicyError> {
    let mut newest = None;
    for line in note.signatures().iter().filter(|line| line.is_by(key)) {
        let bad =
            || PolicyError::BadSignature { name: key.name().to_owned(), size: checkpoint.size };
        let (time, signature) = line.bytes.split_first_chunk::<8>().ok_or_else(bad)?;
        let seconds = u64::from_be_bytes(*time);
        let shape = key.kind() == SignatureKind::Cosignature && i64::try_from(seconds).is_ok();
        if !shape || !verifies(key, signature, &cosignature_message(note.text(), seconds)) {
            return Err(bad());
        }
        newest = newest.max(Some(seconds));
    }
    Ok(newest)
}

fn verifies(key: &VerifierKey, signature: &[u8], message: &[u8]) -> bool {
    let Ok(signature) = signature.try_into().map(Signature::new) else { return false };
    crypto::verify(&SignedMessage { key: key.key(), signature: &signature, message })
}
