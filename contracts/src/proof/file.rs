//! The file in which a proof leaves a node, and the one door through which it is verified.

use serde::{Deserialize, Serialize};

use super::{
    Anchor, ArmourError, DossierProof, ProofError, ProvedRecord, ProvenanceProof, ReceiptProof,
    RecordProof, StatementProof, UnitProof, ValidatorChain, ValidatorHistory, VerifiedDossier,
    VerifiedProvenance, VerifiedReceipt, VerifiedStatement, VerifiedUnits, armour,
};
use crate::codec;
use crate::genesis::Genesis;
use crate::types::{BlockId, BlockTime, Digest, Height};

/// A proof of any kind. Variants are append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Proof {
    /// See [`ReceiptProof`].
    Receipt(ReceiptProof),
    /// See [`RecordProof`].
    Records(RecordProof),
    /// See [`UnitProof`].
    Units(UnitProof),
    /// See [`StatementProof`].
    Statement(StatementProof),
    /// See [`ProvenanceProof`].
    Provenance(ProvenanceProof),
    /// See [`DossierProof`].
    Dossier(DossierProof),
}

impl Proof {
    /// Name of the kind, in comments of files and for programs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Receipt(_) => "receipt",
            Self::Records(_) => "records",
            Self::Units(_) => "units",
            Self::Statement(_) => "statement",
            Self::Provenance(_) => "provenance",
            Self::Dossier(_) => "dossier",
        }
    }

    /// Header and certificate of the block that it speaks of.
    pub const fn anchor(&self) -> &Anchor {
        match self {
            Self::Receipt(proof) => &proof.anchor,
            Self::Records(proof) => &proof.anchor,
            Self::Units(proof) => &proof.anchor,
            Self::Statement(proof) => &proof.anchor,
            Self::Provenance(proof) => &proof.anchor,
            Self::Dossier(proof) => &proof.anchor,
        }
    }

    /// Checks the proof against the validators of its height.
    ///
    /// # Errors
    /// As `verify` of its kind.
    pub fn verify(&self, validators: &ValidatorHistory) -> Result<Claim, ProofError> {
        Ok(match self {
            Self::Receipt(proof) => Claim::Receipt(Box::new(proof.verify(validators)?)),
            Self::Records(proof) => Claim::Records(proof.verify(validators)?),
            Self::Units(proof) => Claim::Units(proof.verify(validators)?),
            Self::Statement(proof) => Claim::Statement(Box::new(proof.verify(validators)?)),
            Self::Provenance(proof) => Claim::Provenance(proof.verify(validators)?),
            Self::Dossier(proof) => Claim::Dossier(proof.verify(validators)?),
        })
    }
}

/// What a proof showed.
#[derive(Clone, Debug)]
pub enum Claim {
    /// Of a [`ReceiptProof`].
    Receipt(Box<VerifiedReceipt>),
    /// Of a [`RecordProof`].
    Records(Vec<ProvedRecord>),
    /// Of a [`UnitProof`].
    Units(VerifiedUnits),
    /// Of a [`StatementProof`].
    Statement(Box<VerifiedStatement>),
    /// Of a [`ProvenanceProof`].
    Provenance(VerifiedProvenance),
    /// Of a [`DossierProof`].
    Dossier(VerifiedDossier),
}

/// What a proof file showed, and of which block.
#[derive(Clone, Debug)]
pub struct VerifiedProof {
    /// Height of the block that the proof speaks of.
    pub height: Height,
    /// Its block time.
    pub time: BlockTime,
    /// Its identifier.
    pub block_id: BlockId,
    /// What was shown.
    pub claim: Claim,
}

/// A proof with the changes of the validator set that its anchor needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofFile {
    /// Changes of the validator set since genesis, at least those below the anchor.
    pub validators: ValidatorChain,
    /// The proof.
    pub proof: Proof,
}

impl ProofFile {
    /// Canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// [`ArmourError::Content`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ArmourError> {
        codec::decode(bytes).map_err(|error| ArmourError::Content { reason: error.reason })
    }

    /// The file as text: three lines for people, then the armoured bytes.
    ///
    /// The digest is BLAKE3 of the bytes; it is there for people who compare two files, and shows
    /// damage, not origin.
    pub fn to_text(&self) -> String {
        let anchor = self.proof.anchor();
        let (kind, chain, height) = (self.proof.kind(), anchor.header.chain_id, anchor.height());
        let bytes = self.encode();
        let digest = blake3::hash(&bytes);
        let comment = format!(
            "cets-proof v1: {kind}, chain {chain}, height {height}\n\
             blake3 {digest}\n\
             Only verification against the genesis document shows what this file proves.\n"
        );
        armour::write(&comment, &bytes)
    }

    /// Reads a file of text, in which the lines for people are those that follow from the bytes.
    ///
    /// # Errors
    /// [`ArmourError`].
    pub fn from_text(text: &str) -> Result<Self, ArmourError> {
        let file = Self::decode(&armour::read(text)?)?;
        let expected = file.to_text();
        if let Some((_, line)) = changed_digest(text, &expected) {
            let found = Digest::new(*blake3::hash(&file.encode()).as_bytes());
            return Err(ArmourError::Digest { line, found });
        }
        // Bytes have one armour, so that only lines before it or white space after it may differ.
        let mut lines = text.lines().zip(1..);
        for expected in expected.lines() {
            match lines.next() {
                Some((found, _)) if found == expected => {}
                Some((_, line)) => return Err(ArmourError::Comment { line }),
                None => return Err(ArmourError::Frame),
            }
        }
        Ok(file)
    }

    /// Verifies everything, from the genesis document to the claim.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn verify(&self, genesis: &Genesis) -> Result<VerifiedProof, ProofError> {
        let validators = ValidatorHistory::verify(genesis, &self.validators)?;
        let claim = self.proof.verify(&validators)?;
        let anchor = self.proof.anchor();
        let (height, time) = (anchor.height(), anchor.time());
        Ok(VerifiedProof { height, time, block_id: anchor.header.id(), claim })
    }
}

/// The line of the digest and its number, when it is not as expected. Changed bytes show here
/// first, whatever else they change.
fn changed_digest<'t>(text: &'t str, expected: &str) -> Option<(&'t str, usize)> {
    let is_digest = |line: &str| line.starts_with("blake3 ");
    let expected = expected.lines().find(|line| is_digest(line))?;
    let (found, line) = text.lines().zip(1..).find(|(line, _)| is_digest(line))?;
    (found != expected).then_some((found, line))
}
