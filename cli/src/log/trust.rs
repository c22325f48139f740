//! Whose cosignatures count: from the genesis document and the changes of validators.

use cets_contracts::block::{Header, LogEntry, ValidatorSet};
use cets_contracts::codec;
use cets_contracts::genesis::Genesis;
use cets_contracts::proof::{ValidatorChain, ValidatorHistory};
use cets_contracts::transparency::{
    Checkpoint, Cosigned, Note, NoteSignature, Policy, PolicyError, VerifierKey, log_key, origin,
    witness_key,
};
use cets_contracts::types::Height;

use crate::error::CliError;
use crate::text;

/// Name of the genesis document in a folder.
pub const GENESIS_FILE: &str = "genesis.json";
/// Name of the changes of validators in a folder.
pub const CHANGES_FILE: &str = "validator-changes";

/// Everything that a checkpoint is judged by.
#[derive(Clone, Debug)]
pub struct Trust {
    origin: String,
    validators: ValidatorHistory,
}

/// A checkpoint that a quorum cosigned.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The checkpoint and who cosigned it.
    pub cosigned: Cosigned,
    /// Validators of the policy.
    pub validators: usize,
    /// First height that they decided.
    pub since: Height,
    /// Signature lines of the checkpoint that none of their keys made.
    pub unknown_lines: usize,
}

impl Trust {
    /// Verifies the changes of validators from the genesis document on.
    pub fn new(genesis: &Genesis, changes: &[u8]) -> Result<Self, CliError> {
        let chain: ValidatorChain = codec::decode(changes).map_err(|error| {
            broken(text!(
                "{CHANGES_FILE} holds no changes of validators: {error}",
                "{CHANGES_FILE} 不是验证者变更：{error}"
            ))
        })?;
        let validators = ValidatorHistory::verify(genesis, &chain)
            .map_err(|error| broken(text!("{CHANGES_FILE}: {error}", "{CHANGES_FILE}：{error}")))?;
        Ok(Self { origin: origin(&genesis.network, genesis.chain_id()), validators })
    }

    /// Name of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Judges a checkpoint: by the validators of its height, or, when that is not known, by each
    /// set in turn, the newest first.
    pub fn judge(&self, note: &str, height: Option<Height>) -> Result<Judged, CliError> {
        let note: Note = note
            .parse()
            .map_err(|error| broken(text!("checkpoint: {error}", "checkpoint：{error}")))?;
        let until = |since: Height| height.is_none_or(|height| since <= height);
        let mut sets: Vec<_> = self.validators.sets().filter(|(since, _)| until(*since)).collect();
        if height.is_some() {
            sets = sets.pop().into_iter().collect();
        }
        let mut refused = None;
        for (since, set) in sets.into_iter().rev() {
            let policy = Policy::of_validators(&self.origin, set).map_err(|error| {
                CliError::bug(text!("no policy: {error}", "无法生成策略：{error}"))
            })?;
            match policy.verify(&note) {
                Ok(cosigned) => {
                    let validators = set.members().len();
                    let unknown_lines = self.unknown_lines(&note, set);
                    return Ok(Judged { cosigned, validators, since, unknown_lines });
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.map_or_else(
            || {
                broken(text!(
                    "checkpoint: no validators decided its height",
                    "checkpoint：其高度没有验证者"
                ))
            },
            |error: PolicyError| broken(text!("checkpoint: {error}", "checkpoint：{error}")),
        ))
    }

    /// Signature lines of a note that are by no key of these validators.
    fn unknown_lines(&self, note: &Note, set: &ValidatorSet) -> usize {
        let keys = set
            .members()
            .iter()
            .flat_map(|member| [witness_key(&self.origin, member), log_key(&self.origin, member)]);
        let keys: Vec<VerifierKey> = keys.flatten().collect();
        let unknown = |line: &&NoteSignature| keys.iter().all(|key| !line.is_by(key));
        note.signatures().iter().filter(unknown).count()
    }

    /// The policy of the validators of a height, as text.
    pub fn policy_at(&self, height: Height) -> Option<String> {
        let policy = Policy::of_validators(&self.origin, self.validators.at(height)?).ok()?;
        Some(policy.to_string())
    }

    /// The last entry of a checkpoint must be the header of a block of this ledger that covers
    /// all entries before it; gives that header.
    pub fn last_header(&self, checkpoint: &Checkpoint, entry: &[u8]) -> Result<Header, CliError> {
        let last = checkpoint.size.saturating_sub(1);
        match codec::decode(entry) {
            Ok(LogEntry::Header(header))
                if header.log_size == last && header.chain_id == self.validators.chain_id() =>
            {
                Ok(header)
            }
            _ => Err(broken(text!(
                "entry {last}, the last of the checkpoint, is no header of a block that ends there",
                "检查点的最后一条（{last}）不是在此结束的区块头"
            ))),
        }
    }
}

/// A log that does not hold.
pub fn broken(sentence: text::Text) -> CliError {
    CliError::user(sentence).fact("log", "broken").hint(text!(
        "keep the folder as evidence, and export the log from another node into a new one \
         (`cets log export`)",
        "请保留该目录作为证据，并从其他节点导出日志到新目录（`cets log export`）"
    ))
}
