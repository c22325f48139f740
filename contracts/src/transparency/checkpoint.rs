//! Checkpoints: origin, size and root of the log (C2SP `tlog-checkpoint`).

use core::fmt;
use core::fmt::Write as _;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::log::LogFrontier;
use crate::types::{ChainId, LogRoot};

/// First part of every origin.
const ORIGIN_PREFIX: &str = "cets-ledger";

/// The origin of a ledger's log, for ever: `cets-ledger/<network>/<chain id>`.
///
/// The network's name is written with every byte except ASCII letters, digits, `-`, `.` and `_`
/// as `%` and two capital hexadecimal digits, so that an origin has no space and no plus sign.
pub fn origin(network: &str, chain_id: ChainId) -> String {
    format!("{ORIGIN_PREFIX}/{}/{chain_id}", escaped(network))
}

/// The name under which a validator cosigns: origin, `/validator/`, and its escaped name.
pub fn cosigner_name(origin: &str, validator: &str) -> String {
    format!("{origin}/validator/{}", escaped(validator))
}

/// A name with every byte but ASCII letters, digits, `-`, `.` and `_` percent-encoded.
pub(super) fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("writing to a string never fails");
        }
    }
    text
}

/// Why a text is no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The text has other lines than origin, size and root.
    #[error("a checkpoint has three lines: origin, size and root")]
    Shape,
    /// The size is no decimal number without leading zeros.
    #[error("line 2 of the checkpoint is no size")]
    Size,
    /// The root is no base64 of 32 bytes.
    #[error("line 3 of the checkpoint is no root: base64 of 32 bytes")]
    Root,
}

/// The head of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root over them.
    pub root: LogRoot,
}

impl Checkpoint {
    /// The checkpoint of a log as it stands after a block, header entry included.
    pub fn of(origin: String, log: &LogFrontier) -> Self {
        Self { origin, size: log.size(), root: log.root() }
    }
}

/// The text of the note: three lines.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.origin)?;
        writeln!(f, "{}", self.size)?;
        writeln!(f, "{}", STANDARD.encode(self.root.as_bytes()))
    }
}

/// Reads the text of a note. Extension lines are refused: this ledger writes none.
impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let text = text.strip_suffix('\n').ok_or(CheckpointError::Shape)?;
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Shape);
        };
        if origin.is_empty() {
            return Err(CheckpointError::Shape);
        }
        let size = decimal(size).ok_or(CheckpointError::Size)?;
        let root = STANDARD.decode(root).map_err(|_| CheckpointError::Root)?;
        let root = root.try_into().map_err(|_| CheckpointError::Root)?;
        Ok(Self { origin: origin.to_owned(), size, root: LogRoot::new(root) })
    }
}

/// A decimal number in its only form: digits without leading zeros.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}
