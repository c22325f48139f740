//! Accusations: two signed statements of one validator that no honest one makes.
//!
//! An accusation needs no node: with the genesis document, the changes of the validator set that
//! it carries, and the two statements, anybody verifies it. It is complete evidence of the fact,
//! not of the reason: a stolen key signs as well as its owner.
//!
//! Accusable are two different statements of one step (proposal, prevote, precommit) for one height
//! and round, and two cosigned checkpoints of one size with different roots. Precommits for two
//! blocks in *different* rounds are no proof by themselves: a validator may rightly change its vote
//! when a later round shows it a quorum.

use serde::{Deserialize, Serialize};

use crate::block::{Certificate, Validator, ValidatorSet, VoteStep, vote_sign_bytes};
use crate::codec;
use crate::crypto::{self, SignedMessage};
use crate::domains;
use crate::genesis::Genesis;
use crate::proof::{ArmourError, ProofError, ValidatorChain, ValidatorHistory, armour};
use crate::transparency::{Checkpoint, Note, cosignature_message, origin, witness_key};
use crate::types::{BlockId, ChainId, Height, LogRoot, PublicKey, Signature, ValidatorAddress};

/// Label of the file's lines of dashes.
const LABEL: &str = "CETS ACCUSATION";
/// Most bytes of a statement.
pub const STATEMENT_BYTES_MAX: usize = 1_024;

/// Bytes that were signed, and the signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedBytes {
    /// The message.
    pub message: Vec<u8>,
    /// Ed25519 signature over it.
    pub signature: Signature,
}

/// Two statements that contradict each other. Variants are append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Accusation {
    /// Two statements of one consensus step.
    Statements {
        /// Address of the accused.
        validator: ValidatorAddress,
        /// One statement: domain, chain, height, round and what was said.
        first: SignedBytes,
        /// The other.
        second: SignedBytes,
    },
    /// Two cosigned checkpoints of one size.
    Checkpoints {
        /// Cosigner key of the accused.
        cosigner: PublicKey,
        /// One cosignature's message.
        first: SignedBytes,
        /// The other's.
        second: SignedBytes,
    },
}

/// What an accusation proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Charge {
    /// The ledger.
    pub chain_id: ChainId,
    /// Name of the accused validator.
    pub name: String,
    /// Its address.
    pub validator: ValidatorAddress,
    /// The key that signed both.
    pub key: PublicKey,
    /// What was signed twice.
    pub act: Act,
}

/// What was signed twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Two statements of a consensus step.
    Statements {
        /// `proposal`, `prevote` or `precommit`.
        step: &'static str,
        /// Height of both.
        height: Height,
        /// Round of both.
        round: u32,
        /// Block of the first; none for nil.
        first: Option<BlockId>,
        /// Block of the second; none for nil.
        second: Option<BlockId>,
    },
    /// Two checkpoints.
    Checkpoints {
        /// Size of both.
        size: u64,
        /// Root of the first.
        first: LogRoot,
        /// Root of the second.
        second: LogRoot,
    },
}

/// Why a file accuses nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccusationError {
    /// The text is no accusation file.
    #[error("the file: {0}")]
    File(#[from] ArmourError),
    /// The lines for people are not what the bytes say.
    #[error("the lines for people are not what the accusation says")]
    Comment,
    /// The changes of the validator set do not verify.
    #[error("{0}")]
    Validators(#[from] ProofError),
    /// A statement is of no known form.
    #[error("the {which} statement is no statement of a validator of this chain: {what}")]
    Form {
        /// `first` or `second`.
        which: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The statements do not contradict each other.
    #[error("the statements do not contradict each other: {what}")]
    NoConflict {
        /// Why not.
        what: &'static str,
    },
    /// The accused was no validator.
    #[error("the accused is no validator of {place}")]
    NotAValidator {
        /// The height, or the whole history.
        place: String,
    },
    /// A signature does not verify.
    #[error("the {which} signature is not the accused's")]
    Signature {
        /// `first` or `second`.
        which: &'static str,
    },
}

/// A consensus statement taken apart.
struct Statement {
    step: &'static str,
    height: Height,
    round: u32,
    block: Option<BlockId>,
}

impl Statement {
    fn parse(message: &[u8], chain_id: ChainId) -> Result<Self, &'static str> {
        let steps = [
            ("proposal", domains::PROPOSAL),
            ("prevote", domains::PREVOTE),
            ("precommit", domains::PRECOMMIT),
        ];
        if message.len() > STATEMENT_BYTES_MAX {
            return Err("it is too long");
        }
        let found = steps
            .iter()
            .find_map(|(step, domain)| message.strip_prefix(*domain).map(|rest| (*step, rest)));
        let (step, rest) = found.ok_or("it is of no known kind")?;
        let rest = rest.strip_prefix(chain_id.as_bytes()).ok_or("it is of another chain")?;
        let cut = "it is cut off";
        let (height, rest) = rest.split_first_chunk::<8>().ok_or(cut)?;
        let (round, said) = rest.split_first_chunk::<4>().ok_or(cut)?;
        let block = match (step, said) {
            ("proposal", [0, id @ ..]) => Some(id),
            ("proposal", [1, _, _, _, _, id @ ..]) => Some(id),
            ("prevote" | "precommit", [0]) => None,
            ("prevote" | "precommit", [1, id @ ..]) => Some(id),
            _ => return Err(cut),
        };
        let block = block.map(|id| id.try_into().map(BlockId::new).map_err(|_| cut)).transpose()?;
        Ok(Self {
            step,
            height: Height::new(u64::from_be_bytes(*height)),
            round: u32::from_be_bytes(*round),
            block,
        })
    }
}

impl Accusation {
    /// Checks both statements against the validators of their height.
    ///
    /// # Errors
    /// [`AccusationError`].
    pub fn verify(
        &self,
        validators: &ValidatorHistory,
        network: &str,
    ) -> Result<Charge, AccusationError> {
        match self {
            Self::Statements { validator, first, second } => {
                verify_statements(validators, validator, first, second)
            }
            Self::Checkpoints { cosigner, first, second } => {
                verify_checkpoints(validators, network, cosigner, first, second)
            }
        }
    }

    /// Everybody who signed two certificates of one height and round for different blocks.
    pub fn from_certificates(
        chain_id: ChainId,
        first: &Certificate,
        second: &Certificate,
    ) -> Vec<Self> {
        let same = first.height == second.height && first.round == second.round;
        if !same || first.block_id == second.block_id {
            return Vec::new();
        }
        let message = |certificate: &Certificate| {
            let Certificate { height, round, block_id, .. } = certificate;
            vote_sign_bytes(chain_id, VoteStep::Precommit, *height, *round, Some(*block_id))
        };
        let both = first.signatures.iter().filter_map(|one| {
            let other = second.signatures.iter().find(|other| other.validator == one.validator)?;
            Some(Self::Statements {
                validator: one.validator,
                first: SignedBytes { message: message(first), signature: one.signature },
                second: SignedBytes { message: message(second), signature: other.signature },
            })
        });
        both.collect()
    }

    /// Every validator of these sets that cosigned both checkpoints, when their roots differ at
    /// one size.
    pub fn from_notes<'s>(
        sets: impl IntoIterator<Item = &'s ValidatorSet>,
        first: &Note,
        second: &Note,
    ) -> Vec<Self> {
        let parse = |note: &Note| note.text().parse::<Checkpoint>().ok();
        let (Some(a), Some(b)) = (parse(first), parse(second)) else { return Vec::new() };
        if a.size != b.size || a.root == b.root || a.origin != b.origin {
            return Vec::new();
        }
        let mut found: Vec<Self> = Vec::new();
        for validator in sets.into_iter().flat_map(ValidatorSet::members) {
            let signed = |note| cosignature_of(note, &a.origin, validator);
            let (Some(first), Some(second)) = (signed(first), signed(second)) else { continue };
            let cosigner = validator.cosigner_key;
            let accusation = Self::Checkpoints { cosigner, first, second };
            if !found.contains(&accusation) {
                found.push(accusation);
            }
        }
        found
    }
}

/// The cosignature line of a validator as signed bytes.
fn cosignature_of(note: &Note, origin: &str, validator: &Validator) -> Option<SignedBytes> {
    let key = witness_key(origin, validator).ok()?;
    let line = note.signatures().iter().find(|line| line.is_by(&key))?;
    let (seconds, signature) = line.bytes.split_first_chunk::<8>()?;
    let message = cosignature_message(note.text(), u64::from_be_bytes(*seconds));
    Some(SignedBytes { message, signature: Signature::new(signature.try_into().ok()?) })
}

fn verify_statements(
    validators: &ValidatorHistory,
    accused: &ValidatorAddress,
    first: &SignedBytes,
    second: &SignedBytes,
) -> Result<Charge, AccusationError> {
    let chain_id = validators.chain_id();
    let parse = |which, signed: &SignedBytes| {
        Statement::parse(&signed.message, chain_id)
            .map_err(|what| AccusationError::Form { which, what })
    };
    let (a, b) = (parse("first", first)?, parse("second", second)?);
    let conflict = |what| Err(AccusationError::NoConflict { what });
    if a.step != b.step {
        return conflict("they are of different steps");
    }
    if (a.height, a.round) != (b.height, b.round) {
        return conflict("they are of different heights or rounds");
    }
    if first.message == second.message {
        return conflict("they say the same");
    }
    let Statement { step, height, round, .. } = a;
    let set = validators.at(height);
    let member = set.and_then(|set| set.by_address(accused));
    let place = || format!("height {height}");
    let member = member.ok_or_else(|| AccusationError::NotAValidator { place: place() })?;
    check_signatures(&member.consensus_key, first, second)?;
    Ok(Charge {
        chain_id,
        name: member.name.clone(),
        validator: *accused,
        key: member.consensus_key,
        act: Act::Statements { step, height, round, first: a.block, second: b.block },
    })
}

fn verify_checkpoints(
    validators: &ValidatorHistory,
    network: &str,
    cosigner: &PublicKey,
    first: &SignedBytes,
    second: &SignedBytes,
) -> Result<Charge, AccusationError> {
    let parse = |which, signed: &SignedBytes| {
        cosigned_checkpoint(&signed.message)
            .ok_or(AccusationError::Form { which, what: "it is no cosigned checkpoint" })
    };
    let (a, b) = (parse("first", first)?, parse("second", second)?);
    let chain_id = validators.chain_id();
    let own = origin(network, chain_id);
    for (which, checkpoint) in [("first", &a), ("second", &b)] {
        if checkpoint.origin != own {
            return Err(AccusationError::Form { which, what: "it is of another log" });
        }
    }
    if a.size != b.size {
        return Err(AccusationError::NoConflict { what: "they are of different sizes" });
    }
    if a.root == b.root {
        return Err(AccusationError::NoConflict { what: "they have the same root" });
    }
    let mut members = validators.sets().flat_map(|(_, set)| set.members());
    let member = members.find(|member| member.cosigner_key == *cosigner);
    let place = || "any height shown".to_owned();
    let member = member.ok_or_else(|| AccusationError::NotAValidator { place: place() })?;
    check_signatures(cosigner, first, second)?;
    Ok(Charge {
        chain_id,
        name: member.name.clone(),
        validator: member.address(),
        key: *cosigner,
        act: Act::Checkpoints { size: a.size, first: a.root, second: b.root },
    })
}

/// The checkpoint in the message of a cosignature.
fn cosigned_checkpoint(message: &[u8]) -> Option<Checkpoint> {
    if message.len() > STATEMENT_BYTES_MAX {
        return None;
    }
    let text = core::str::from_utf8(message).ok()?;
    let (time, checkpoint) = text.strip_prefix("cosignature/v1\ntime ")?.split_once('\n')?;
    time.parse::<u64>().ok()?;
    checkpoint.parse().ok()
}

fn check_signatures(
    key: &PublicKey,
    first: &SignedBytes,
    second: &SignedBytes,
) -> Result<(), AccusationError> {
    for (which, SignedBytes { message, signature }) in [("first", first), ("second", second)] {
        if !crypto::verify(&SignedMessage { key, signature, message }) {
            return Err(AccusationError::Signature { which });
        }
    }
    Ok(())
}

/// An accusation with the changes of the validator set that it needs, as it leaves a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccusationFile {
    /// Changes of the validator set since genesis, at least those below the height accused.
    pub validators: ValidatorChain,
    /// The accusation.
    pub accusation: Accusation,
}

impl AccusationFile {
    /// Whether a text looks like an accusation file: for programs that take files of many kinds.
    pub fn is_text(text: &str) -> bool {
        text.lines().any(|line| line == armour::begin(LABEL))
    }

    /// The file as text: lines for people, then the armoured bytes.
    pub fn to_text(&self) -> String {
        armour::write_labelled(LABEL, &self.comment(), &codec::encode(self))
    }

    fn comment(&self) -> String {
        let accused = match &self.accusation {
            Accusation::Statements { validator, .. } => format!("validator {validator}"),
            Accusation::Checkpoints { cosigner, .. } => format!("cosigner {cosigner}"),
        };
        format!(
            "cets-accusation v1: {accused}\n\
             Only verification against the genesis document shows what this file proves.\n"
        )
    }

    /// Reads a file of text.
    ///
    /// # Errors
    /// [`AccusationError::File`] or [`AccusationError::Comment`].
    pub fn from_text(text: &str) -> Result<Self, AccusationError> {
        let bytes = armour::read_labelled(LABEL, text)?;
        let file: Self =
            codec::decode(&bytes).map_err(|error| ArmourError::Content { reason: error.reason })?;
        if text.replace("\r\n", "\n") != file.to_text() {
            return Err(AccusationError::Comment);
        }
        Ok(file)
    }

    /// Verifies everything, from the genesis document to the charge.
    ///
    /// # Errors
    /// [`AccusationError`].
    pub fn verify(&self, genesis: &Genesis) -> Result<Charge, AccusationError> {
        let validators = ValidatorHistory::verify(genesis, &self.validators)?;
        self.accusation.verify(&validators, &genesis.network)
    }
}
