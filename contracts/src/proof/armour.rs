//! The text envelope of proofs: RFC 7468 in its strict form, with the label `CETS PROOF`.
//!
//! Text before the first line of dashes is for people. It follows from the bytes, and whoever reads
//! a proof file compares it ([`super::ProofFile::from_text`]), so that no character of a file can
//! change unnoticed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::types::Digest;

/// Most bytes of the text of a proof file.
pub const PROOF_TEXT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Label of proof files.
const PROOF_LABEL: &str = "CETS PROOF";
const LINE_CHARACTERS: usize = 64;

/// Why a text is no proof file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArmourError {
    /// More than [`PROOF_TEXT_BYTES_MAX`].
    #[error("the text has {bytes} bytes, at most {PROOF_TEXT_BYTES_MAX} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// A line of dashes is missing, or there are two proofs.
    #[error("the text must hold one \"-----BEGIN …-----\" line and its END line after it")]
    Frame,
    /// Something stands after the proof.
    #[error("line {line}: nothing may stand after the proof")]
    Trailing {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A line has another length than 64 characters, or is no base64.
    #[error("line {line}: every line but the last has {LINE_CHARACTERS} characters of base64")]
    Line {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A line before the proof is not the one that follows from it.
    #[error("line {line}, for people, is not what the proof below it says")]
    Comment {
        /// Number of the line, from 1.
        line: usize,
    },
    /// The digest before the proof is not that of its bytes.
    #[error(
        "the proof was changed: its digest is {found}, line {line} says another; ask for it again"
    )]
    Digest {
        /// Number of the line, from 1.
        line: usize,
        /// BLAKE3 of the bytes.
        found: Digest,
    },
    /// The content is no canonical base64.
    #[error("the proof is no canonical base64 with padding")]
    Base64,
    /// The bytes are no proof.
    #[error("the bytes are no proof: {reason}")]
    Content {
        /// What the decoder met.
        reason: String,
    },
}

/// The line before the bytes of a label.
pub(crate) fn begin(label: &str) -> String {
    format!("-----BEGIN {label}-----")
}

fn end(label: &str) -> String {
    format!("-----END {label}-----")
}

/// Writes a proof as armoured text after a comment of whole lines.
pub(super) fn write(comment: &str, bytes: &[u8]) -> String {
    write_labelled(PROOF_LABEL, comment, bytes)
}

/// Writes bytes as armoured text of any label after a comment of whole lines.
pub(crate) fn write_labelled(label: &str, comment: &str, bytes: &[u8]) -> String {
    let encoded = STANDARD.encode(bytes);
    let mut text = String::with_capacity(encoded.len().saturating_mul(66) / 64);
    for line in comment.lines() {
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(&begin(label));
    text.push('\n');
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE_CHARACTERS));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&end(label));
    text.push('\n');
    text
}

/// Reads the bytes of an armoured proof. Lines may end in CR LF.
pub(super) fn read(text: &str) -> Result<Vec<u8>, ArmourError> {
    read_labelled(PROOF_LABEL, text)
}

/// Reads the bytes of armoured text of any label. Lines may end in CR LF.
pub(crate) fn read_labelled(label: &str, text: &str) -> Result<Vec<u8>, ArmourError> {
    if text.len() > PROOF_TEXT_BYTES_MAX {
        return Err(ArmourError::TooLarge { bytes: text.len() });
    }
    let (begin, end) = (begin(label), end(label));
    let mut lines = text.lines().zip(1usize..);
    if !lines.any(|(line, _)| line == begin) {
        return Err(ArmourError::Frame);
    }
    let mut encoded = String::with_capacity(text.len());
    let mut last_is_short = false;
    loop {
        let Some((line, number)) = lines.next() else { return Err(ArmourError::Frame) };
        if line == end {
            break;
        }
        if line.is_empty() || line.len() > LINE_CHARACTERS || last_is_short {
            return Err(ArmourError::Line { line: number });
        }
        last_is_short = line.len() < LINE_CHARACTERS;
        encoded.push_str(line);
    }
    if let Some((_, line)) = lines.find(|(line, _)| !line.trim().is_empty()) {
        return Err(ArmourError::Trailing { line });
    }
    STANDARD.decode(encoded).map_err(|_| ArmourError::Base64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn armour_round_trips_every_length_and_ignores_the_comment() {
        for length in 0..200u8 {
            let bytes: Vec<u8> = (0..length).collect();
            let text = write("a proof\nfor people", &bytes);
            assert!(text.lines().all(|line| line.len() <= LINE_CHARACTERS));
            assert_eq!(read(&text), Ok(bytes.clone()));
            assert_eq!(read(&text.replace('\n', "\r\n")), Ok(bytes));
        }
    }

    #[test]
    fn armour_refuses_every_other_form() {
        let text = write("", &[7; 100]);
        let (begin, rest) = text.split_once('\n').unwrap();
        assert_eq!(read(""), Err(ArmourError::Frame));
        assert_eq!(read(rest), Err(ArmourError::Frame));
        assert_eq!(
            read(text.trim_end().trim_end_matches(end(PROOF_LABEL).as_str())),
            Err(ArmourError::Frame)
        );
        assert_eq!(read(&format!("{text}x")), Err(ArmourError::Trailing { line: 6 }));
        assert_eq!(read(&format!("{text}{text}")), Err(ArmourError::Trailing { line: 6 }));
        assert_eq!(read(&text.replace("\nBwc", "\nBw\nc")), Err(ArmourError::Line { line: 3 }));
        assert_eq!(read(&text.replace("Bw==", "Bw=")), Err(ArmourError::Base64));
        assert_eq!(read(&text.replace("Bw==", "Bx==")), Err(ArmourError::Base64));
        assert_eq!(read(&format!("{begin}\n\n{rest}")), Err(ArmourError::Line { line: 2 }));
        assert!(read(&text.replace('B', "*")).is_err());
    }
}
