//! The text form of policies, read strictly and written in one way.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeSet;

use super::checkpoint::decimal;
use super::{NoteError, Policy, PolicyMember, SignatureKind, VerifierKey};

/// Most bytes of a policy that is read.
pub const POLICY_BYTES_MAX: usize = 256 * 1024;
/// Most logs, and most witnesses and groups together.
const POLICY_LINES_MAX: usize = 1_024;

/// Name that stands for no quorum.
const NONE: &str = "none";

/// Why a text is no policy; lines count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyTextError {
    /// More than [`POLICY_BYTES_MAX`] or too many lines.
    #[error("the policy is too large")]
    TooLarge,
    /// A control character other than tab and newline.
    #[error("line {line} of the policy has a control character")]
    ControlCharacter {
        /// The line.
        line: usize,
    },
    /// A line of another form.
    #[error("line {line} of the policy is no log, witness, group or quorum line")]
    Line {
        /// The line.
        line: usize,
    },
    /// A key is malformed or of the wrong type for its role.
    #[error("line {line} of the policy: {error}")]
    Key {
        /// The line.
        line: usize,
        /// Why.
        error: NoteError,
    },
    /// A name or a key stands twice, or a reserved name is defined.
    #[error("line {line} of the policy names something that stands there already")]
    Twice {
        /// The line.
        line: usize,
    },
    /// A name is used before it is defined, or in two groups.
    #[error("line {line} of the policy uses a name that is undefined or a member already")]
    Undefined {
        /// The line.
        line: usize,
    },
    /// The threshold is not from 1 to the number of members.
    #[error("line {line} of the policy: the threshold must be from 1 to the number of members")]
    Threshold {
        /// The line.
        line: usize,
    },
    /// Not exactly one quorum line.
    #[error("the policy must have exactly one quorum line")]
    QuorumLine,
}

/// One item per line, in the order of definition.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for log in &self.logs {
            writeln!(f, "log {log}")?;
        }
        let name = |position: &usize| self.members.get(*position).map_or(NONE, PolicyMember::name);
        for member in &self.members {
            match member {
                PolicyMember::Witness { name, key } => writeln!(f, "witness {name} {key}")?,
                PolicyMember::Group { name: own, threshold, members } => {
                    write!(f, "group {own} {threshold}")?;
                    for member in members {
                        write!(f, " {}", name(member))?;
                    }
                    writeln!(f)?;
                }
            }
        }
        writeln!(f, "quorum {}", self.quorum.as_ref().map_or(NONE, name))
    }
}

impl FromStr for Policy {
    type Err = PolicyTextError;

    fn from_str(text: &str) -> Result<Self, PolicyTextError> {
        if text.len() > POLICY_BYTES_MAX {
            return Err(PolicyTextError::TooLarge);
        }
        let mut reader = Reader::default();
        for (line, number) in text.split('\n').zip(1..) {
            if line.contains(|character: char| character < ' ' && character != '\t')
                || line.contains('\u{7f}')
            {
                return Err(PolicyTextError::ControlCharacter { line: number });
            }
            let words: Vec<&str> =
                line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
            if words.first().is_some_and(|word| !word.starts_with('#')) {
                reader.line(number, &words)?;
            }
        }
        let quorum = reader.quorum.ok_or(PolicyTextError::QuorumLine)?;
        Ok(Self { logs: reader.logs, members: reader.members, quorum })
    }
}

#[derive(Default)]
struct Reader {
    logs: Vec<VerifierKey>,
    members: Vec<PolicyMember>,
    used: BTreeSet<usize>,
    quorum: Option<Option<usize>>,
}

impl Reader {
    fn line(&mut self, line: usize, words: &[&str]) -> Result<(), PolicyTextError> {
        if self.logs.len().max(self.members.len()) >= POLICY_LINES_MAX {
            return Err(PolicyTextError::TooLarge);
        }
        match words {
            ["log", key] | ["log", key, _] => {
                let key = read_key(line, key, SignatureKind::Note)?;
                if self.logs.iter().any(|log| log.key() == key.key()) {
                    return Err(PolicyTextError::Twice { line });
                }
                self.logs.push(key);
            }
            ["witness", name, key] | ["witness", name, key, _] => {
                let key = read_key(line, key, SignatureKind::Cosignature)?;
                let same_key = |member: &PolicyMember| {
                    matches!(member, PolicyMember::Witness { key: known, .. }
                        if known.key() == key.key())
                };
                if self.members.iter().any(same_key) {
                    return Err(PolicyTextError::Twice { line });
                }
                self.define(line, PolicyMember::Witness { name: (*name).to_owned(), key })?;
            }
            ["group", name, threshold, names @ ..] if !names.is_empty() => {
                let mut members = Vec::with_capacity(names.len());
                for member in names {
                    let position = self.position(line, member)?;
                    if !self.used.insert(position) {
                        return Err(PolicyTextError::Undefined { line });
                    }
                    members.push(position);
                }
                let threshold = match *threshold {
                    "any" => Some(1),
                    "all" => Some(members.len()),
                    number => decimal(number).and_then(|number| usize::try_from(number).ok()),
                };
                let threshold = threshold
                    .filter(|threshold| (1..=members.len()).contains(threshold))
                    .ok_or(PolicyTextError::Threshold { line })?;
                let name = (*name).to_owned();
                self.define(line, PolicyMember::Group { name, threshold, members })?;
            }
            ["quorum", name] => {
                if self.quorum.is_some() {
                    return Err(PolicyTextError::QuorumLine);
                }
                let position = if *name == NONE { None } else { Some(self.position(line, name)?) };
                self.quorum = Some(position);
            }
            _ => return Err(PolicyTextError::Line { line }),
        }
        Ok(())
    }

    fn define(&mut self, line: usize, member: PolicyMember) -> Result<(), PolicyTextError> {
        let name = member.name();
        if name == NONE || self.members.iter().any(|known| known.name() == name) {
            return Err(PolicyTextError::Twice { line });
        }
        self.members.push(member);
        Ok(())
    }

    fn position(&self, line: usize, name: &str) -> Result<usize, PolicyTextError> {
        let position = self.members.iter().position(|member| member.name() == name);
        position.ok_or(PolicyTextError::Undefined { line })
    }
}

fn read_key(line: usize, text: &str, kind: SignatureKind) -> Result<VerifierKey, PolicyTextError> {
    let key: VerifierKey = text.parse().map_err(|error| PolicyTextError::Key { line, error })?;
    if key.kind() != kind {
        let error = NoteError::Kind { kind: key.kind().byte() };
        return Err(PolicyTextError::Key { line, error });
    }
    Ok(key)
}
