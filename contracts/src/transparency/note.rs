//! Signed notes: text, an empty line, and lines of signatures (C2SP `signed-note`).

use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::types::PublicKey;

/// Most bytes of a note that is read.
pub const NOTE_BYTES_MAX: usize = 1_000_000;
/// Most signature lines of a note, written or read; common verifiers stop there too.
pub const NOTE_SIGNATURES_MAX: usize = 100;

const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// Why a text is no signed note or no verifier key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// More than [`NOTE_BYTES_MAX`] bytes or [`NOTE_SIGNATURES_MAX`] signatures.
    #[error("the note has more than {NOTE_BYTES_MAX} bytes or {NOTE_SIGNATURES_MAX} signatures")]
    TooLarge,
    /// A control character stands in it.
    #[error("the note has a control character")]
    ControlCharacter,
    /// There is no empty line between text and signatures, or no final newline.
    #[error("the note is not text, an empty line and signature lines")]
    Shape,
    /// A signature line is malformed.
    #[error("signature line {line} of the note is not \"\u{2014} name base64\"")]
    SignatureLine {
        /// Number of the line among the signatures, from 1.
        line: usize,
    },
    /// A key name is empty or has spaces or a plus sign.
    #[error("the name of a key is empty or has a space or a plus sign")]
    Name,
    /// A verifier key is malformed.
    #[error("a verifier key is \"name+id+base64\" and its id must fit its name and key")]
    VerifierKey,
    /// A verifier key is of a type that is not supported.
    #[error("keys of signature type {kind:#04x} are not supported, only Ed25519 (1 and 4)")]
    Kind {
        /// The type.
        kind: u8,
    },
}

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignatureKind {
    /// Ed25519 over the text of the note (type 0x01).
    Note,
    /// Timestamped Ed25519 cosignature of a checkpoint (type 0x04).
    Cosignature,
}

impl SignatureKind {
    /// Identifier byte of the specification.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Note => 0x01,
            Self::Cosignature => 0x04,
        }
    }
}

/// A public key with the name under which it signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: SignatureKind,
    key: PublicKey,
}

impl VerifierKey {
    /// A key with its name.
    ///
    /// # Errors
    /// [`NoteError::Name`].
    pub fn new(name: String, kind: SignatureKind, key: PublicKey) -> Result<Self, NoteError> {
        if !is_name(&name) {
            return Err(NoteError::Name);
        }
        Ok(Self { name, kind, key })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub const fn kind(&self) -> SignatureKind {
        self.kind
    }

    /// The public key.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Key id: the first four bytes of SHA-256 of name, newline, type and key.
    pub fn id(&self) -> u32 {
        let hash = Sha256::new()
            .chain_update(self.name.as_bytes())
            .chain_update([b'\n', self.kind.byte()])
            .chain_update(self.key.as_bytes())
            .finalize();
        let first = hash.first_chunk::<4>().expect("a SHA-256 hash has 32 bytes");
        u32::from_be_bytes(*first)
    }
}

/// The text form (vkey): `name+id+base64(type ‖ key)`.
impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let material = [&[self.kind.byte()], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{:08x}+{}", self.name, self.id(), STANDARD.encode(material))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(NoteError::VerifierKey);
        };
        let material = STANDARD.decode(material).map_err(|_| NoteError::VerifierKey)?;
        let (kind, key) = material.split_first().ok_or(NoteError::VerifierKey)?;
        let kind = match *kind {
            0x01 => SignatureKind::Note,
            0x04 => SignatureKind::Cosignature,
            kind => return Err(NoteError::Kind { kind }),
        };
        let key = PublicKey::new(key.try_into().map_err(|_| NoteError::VerifierKey)?);
        let verifier = Self::new(name.to_owned(), kind, key)?;
        if format!("{:08x}", verifier.id()) != id {
            return Err(NoteError::VerifierKey);
        }
        Ok(verifier)
    }
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key.
    pub name: String,
    /// Id of the key.
    pub id: u32,
    /// Signature, in the form of its type.
    pub bytes: Vec<u8>,
}

impl NoteSignature {
    /// The line of a key's signature.
    pub fn by(key: &VerifierKey, bytes: Vec<u8>) -> Self {
        Self { name: key.name.clone(), id: key.id(), bytes }
    }

    /// Whether it says that it is by this key.
    pub fn is_by(&self, key: &VerifierKey) -> bool {
        self.name == key.name && self.id == key.id()
    }
}

/// Text with signatures. Nothing is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// A note of text that ends in a newline.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn new(text: String, signatures: Vec<NoteSignature>) -> Result<Self, NoteError> {
        if !text.ends_with('\n') {
            return Err(NoteError::Shape);
        }
        if text.chars().any(|character| character < ' ' && character != '\n') {
            return Err(NoteError::ControlCharacter);
        }
        if signatures.len() > NOTE_SIGNATURES_MAX || text.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge);
        }
        if signatures.iter().any(|signature| !is_name(&signature.name)) {
            return Err(NoteError::Name);
        }
        Ok(Self { text, signatures })
    }

    /// The signed text, with its final newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The note without one of its signature lines.
    pub(super) fn without(&self, position: usize) -> Self {
        let mut signatures = self.signatures.clone();
        if position < signatures.len() {
            signatures.remove(position);
        }
        Self { text: self.text.clone(), signatures }
    }

    /// The signature lines in order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for NoteSignature { name, id, bytes } in &self.signatures {
            let encoded = STANDARD.encode([&id.to_be_bytes(), bytes.as_slice()].concat());
            writeln!(f, "{SIGNATURE_PREFIX}{name} {encoded}")?;
        }
        Ok(())
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge);
        }
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Shape)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Shape)?;
        let mut signatures = Vec::new();
        for (line, number) in lines.split('\n').zip(1..) {
            if number > NOTE_SIGNATURES_MAX {
                return Err(NoteError::TooLarge);
            }
            let signature = parse_signature(line);
            signatures.push(signature.ok_or(NoteError::SignatureLine { line: number })?);
        }
        Self::new(format!("{text}\n"), signatures)
    }
}

fn parse_signature(line: &str) -> Option<NoteSignature> {
    let (name, encoded) = line.strip_prefix(SIGNATURE_PREFIX)?.split_once(' ')?;
    let material = STANDARD.decode(encoded).ok()?;
    let (id, bytes) = material.split_first_chunk::<4>()?;
    let shape = is_name(name) && !bytes.is_empty();
    let id = u32::from_be_bytes(*id);
    shape.then(|| NoteSignature { name: name.to_owned(), id, bytes: bytes.to_vec() })
}

/// Whether a text may be the name of a key: not empty, no Unicode space, no plus, no control.
fn is_name(name: &str) -> bool {
    let bad =
        |character: char| character.is_whitespace() || character.is_control() || character == '+';
    !name.is_empty() && !name.contains(bad)
}
