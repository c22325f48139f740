//! Putting together proofs that are checked offline, from what a node answers.

use std::time::Duration;

use cets_contracts::block::LogEntry;
use cets_contracts::codec;
use cets_contracts::genesis::Genesis;
use cets_contracts::log::LogProof;
use cets_contracts::proof::{
    Anchor, BlockInclusion, DossierProof, Proof, ProofFile, ProvenanceHop, ProvenanceProof,
    ReceiptInclusion, ReceiptProof, RecordProof, StatementProof, UnitProof, ValidatorChain,
    ValidatorHistory,
};
use cets_contracts::state::{Key, UnitRange, keys, range_of_key};
use cets_contracts::transparency::{Note, Policy, TlogProof, origin};
use cets_contracts::types::{AccountId, Height, LogIndex, Serial, SerialRange, TxId};

use super::Node;
use crate::error::{CliError, ErrorKind};
use crate::text;

/// How often a node is asked for a checkpoint that covers a transaction, and how often per second.
const CHECKPOINT_QUESTIONS_MAX: usize = 20;
const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(250);
/// How often a proof is started again because the ledger moved on while it was put together.
const ATTEMPTS_MAX: usize = 5;

impl Node {
    /// Proof of records of one state: the newest, or the one after a height that the node keeps.
    pub fn record_proof(
        &self,
        keys: &[Key],
        height: Option<Height>,
    ) -> Result<ProofFile, CliError> {
        let (records, anchor) = self.prove(keys, height)?;
        self.proof_file(Proof::Records(RecordProof { records, anchor }))
    }

    /// Proof of an account and of every range of units of it: now, or after a height whose state
    /// the node keeps.
    pub fn statement_proof(
        &self,
        id: AccountId,
        height: Option<Height>,
    ) -> Result<ProofFile, CliError> {
        again(|| {
            let (mut ranges, found): (Vec<SerialRange>, _) = match height {
                None => {
                    let (holdings, found) = self.holdings(id, None, true)?;
                    (holdings.into_iter().map(|holding| holding.range).collect(), found)
                }
                Some(_) => {
                    let (found, held) = self.stored_units(Some(id), height)?;
                    (held.into_iter().map(|(range, _)| range).collect(), found)
                }
            };
            ranges.sort();
            let mut asked = vec![keys::account(id)];
            asked.extend(ranges.iter().map(range_key));
            let (records, anchor) = self.prove(&asked, height)?;
            if anchor.height() != found {
                return Ok(None);
            }
            self.proof_file(Proof::Statement(StatementProof { records, anchor })).map(Some)
        })
    }

    /// Proof of whose a range of units is now.
    pub fn unit_proof(&self, range: SerialRange) -> Result<ProofFile, CliError> {
        again(|| {
            let trace = self.trace(range)?;
            let parts: Vec<SerialRange> = trace.parts.iter().map(|part| part.range).collect();
            let Some(first) = trace.parts.first().filter(|_| covers(&parts, &range)) else {
                return Err(CliError::user(text!(
                    "not all units of {range} are issued and shown to this reader",
                    "{range} 中部分单位未发放或对该读者不公开"
                )));
            };
            let holder = first.place.holder;
            if let Some(other) = trace.parts.iter().find(|part| part.place.holder != holder) {
                let (part, other) = (other.range, other.place.holder);
                return Err(several_holders(range, part, other, holder));
            }
            let (stored, _, _) = self.serial(range.instrument(), range.start())?;
            let rest = parts.iter().skip(1).map(range_key);
            let asked: Vec<Key> = std::iter::once(range_key(&stored.range)).chain(rest).collect();
            let (records, anchor) = self.prove(&asked, None)?;
            if anchor.height() != trace.height {
                return Ok(None);
            }
            let proof = UnitProof { range, holder, records, anchor };
            self.proof_file(Proof::Units(proof)).map(Some)
        })
    }

    /// Proof of whose a range of units was after a height whose state the node keeps.
    pub fn unit_proof_at(&self, range: SerialRange, height: Height) -> Result<ProofFile, CliError> {
        let (mut asked, mut holder, mut next) = (Vec::new(), None, range.start());
        while next < range.end() {
            let key = keys::unit_range(&range.instrument(), next);
            let (records, _) = self.prove_found(&[key], Some(height))?;
            let found = records.first().and_then(|record| {
                let held: UnitRange = codec::decode(&record.value).ok()?;
                let stored = range_of_key(range.instrument(), &record.key, held.end).ok()?;
                Some((stored, held.place))
            });
            let covering = found.filter(|(stored, _)| stored.end() > next);
            let (stored, place) = covering.ok_or_else(|| self.nonsense("state proof"))?;
            let first = *holder.get_or_insert(place.holder);
            if first != place.holder {
                return Err(several_holders(range, stored, place.holder, first));
            }
            asked.push(range_key(&stored));
            next = stored.end();
        }
        let holder = holder.ok_or_else(|| self.nonsense("state proof"))?;
        let (records, anchor) = self.prove(&asked, Some(height))?;
        self.proof_file(Proof::Units(UnitProof { range, holder, records, anchor }))
    }

    /// Proof of a transaction, its receipt and what it moved.
    pub fn receipt_proof(&self, id: TxId) -> Result<ProofFile, CliError> {
        again(|| {
            let (header, certificate) = self.header(None)?;
            let anchor = Anchor { header, certificate };
            if self.raw_transaction(id)?.log_index >= anchor.header.log_size {
                return Ok(None);
            }
            let receipt = self.receipt_inclusion(id, &anchor)?;
            self.proof_file(Proof::Receipt(ReceiptProof { receipt, anchor })).map(Some)
        })
    }

    /// Proof that a transaction is in the log, under a checkpoint that the validators cosigned.
    ///
    /// Who the validators are follows from the genesis document, not from the node. A transaction
    /// that was ordered just now waits for the next checkpoint.
    pub fn tlog_proof(&self, id: TxId, genesis: &Genesis) -> Result<(TlogProof, Policy), CliError> {
        let found = self.raw_transaction(id)?;
        if found.entry.is_empty() {
            return Err(hidden(id));
        }
        let mut failure = None;
        for _ in 0..CHECKPOINT_QUESTIONS_MAX {
            let (note, height) = match self.checkpoint_note() {
                Ok(served) => served,
                // No checkpoint has a quorum of cosignatures yet.
                Err(error) if error.kind() == ErrorKind::Rejected => {
                    failure = Some(error);
                    std::thread::sleep(CHECKPOINT_INTERVAL);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let policy = self.policy(genesis, height)?;
            let forged = |error: &dyn std::fmt::Display| {
                let address = self.address();
                CliError::new(
                    ErrorKind::Rejected,
                    text!(
                        "the checkpoint of node {address} proves nothing: {error}",
                        "节点 {address} 的检查点不能证明任何事项：{error}"
                    ),
                )
            };
            let checkpoint = policy.verify(&note).map_err(|error| forged(&error))?.checkpoint;
            if found.log_index < checkpoint.size {
                let path = self.log_path(found.log_index, checkpoint.size)?;
                let checkpoint = policy.least(&note).map_err(|error| forged(&error))?;
                let (entry, index) = (Some(found.entry), found.log_index);
                return Ok((TlogProof { entry, index, path, checkpoint }, policy));
            }
            std::thread::sleep(CHECKPOINT_INTERVAL);
        }
        Err(failure.unwrap_or_else(|| {
            CliError::user(text!(
                "no checkpoint covers transaction {id} yet",
                "尚无检查点涵盖交易 {id}"
            ))
            .hint(text!("try again in a second", "请稍后重试"))
        }))
    }

    /// The newest checkpoint that a quorum cosigned, and the height of the block that it ends with.
    pub fn checkpoint_note(&self) -> Result<(Note, Height), CliError> {
        let served = self.checkpoint()?;
        let note = served.checkpoint.parse().map_err(|_| self.nonsense("checkpoint"))?;
        Ok((note, served.height))
    }

    /// The policy of the validators of a height, from the genesis document.
    pub fn policy(&self, genesis: &Genesis, height: Height) -> Result<Policy, CliError> {
        let chain = self.validator_chain()?;
        let history = ValidatorHistory::verify(genesis, &chain)
            .map_err(|_| self.nonsense("chain of validators"))?;
        let set = history.at(height).ok_or_else(|| self.nonsense("checkpoint"))?;
        Policy::of_validators(&origin(&genesis.network, genesis.chain_id()), set)
            .map_err(|_| self.nonsense("validator set"))
    }

    /// Proof of the whole life of a unit.
    pub fn provenance_proof(&self, serial: Serial) -> Result<ProofFile, CliError> {
        again(|| {
            let (holding, hops, height) = self.serial(serial.instrument, serial.number)?;
            let (mut records, anchor) = self.prove(&[range_key(&holding.range)], None)?;
            let Some(last) = records.pop().filter(|_| anchor.height() == height) else {
                return Ok(None);
            };
            let mut proven: Vec<ProvenanceHop> = Vec::with_capacity(hops.len());
            let mut previous = None;
            for hop in &hops {
                // Several movements of one transaction are one hop of the proof.
                if previous != Some(hop.log_index) {
                    proven.push(self.timed_inclusion(hop.tx_id, hop.height, &anchor)?);
                }
                previous = Some(hop.log_index);
            }
            let proof = ProvenanceProof { serial, hops: proven, last, anchor };
            self.proof_file(Proof::Provenance(proof)).map(Some)
        })
    }

    /// Proof of transactions and of records of the newest state, which `keys` names.
    ///
    /// `keys` gives none when the ledger moved on and it must be asked again.
    pub fn dossier_proof(
        &self,
        ids: &[TxId],
        keys: impl Fn() -> Result<Vec<Key>, CliError>,
    ) -> Result<ProofFile, CliError> {
        again(|| {
            let before = self.header(None)?.0.height;
            let (records, anchor) = self.prove(&keys()?, None)?;
            if anchor.height() != before {
                return Ok(None);
            }
            let mut transactions = Vec::with_capacity(ids.len());
            for id in ids {
                let height = Height::new(self.raw_transaction(*id)?.height);
                transactions.push(self.timed_inclusion(*id, height, &anchor)?);
            }
            let proof = DossierProof { transactions, records, anchor };
            self.proof_file(Proof::Dossier(proof)).map(Some)
        })
    }

    /// A proof with the changes of the validator set that lead to its anchor.
    fn proof_file(&self, proof: Proof) -> Result<ProofFile, CliError> {
        let mut validators: ValidatorChain = self.validator_chain()?;
        let height = proof.anchor().height();
        validators.changes.retain(|change| change.anchor.height() < height);
        Ok(ProofFile { validators, proof })
    }

    /// Path of an entry to the log root of an anchor.
    fn path(&self, index: LogIndex, anchor: &Anchor) -> Result<LogProof, CliError> {
        let size = anchor.header.log_size;
        let path = self.log_path(index, size)?;
        Ok(LogProof { index, size, path })
    }

    /// A transaction of the log under an anchor.
    fn receipt_inclusion(&self, id: TxId, anchor: &Anchor) -> Result<ReceiptInclusion, CliError> {
        let answer = self.raw_transaction(id)?;
        if answer.entry.is_empty() {
            return Err(hidden(id));
        }
        Ok(ReceiptInclusion {
            log: self.path(answer.log_index, anchor)?,
            entry: answer.entry,
            events: Some(answer.events).filter(|events| !events.is_empty()),
        })
    }

    /// A transaction of the log with the header of its block, which gives its time.
    fn timed_inclusion(
        &self,
        id: TxId,
        height: Height,
        anchor: &Anchor,
    ) -> Result<ProvenanceHop, CliError> {
        let receipt = self.receipt_inclusion(id, anchor)?;
        let block = match height == anchor.height() {
            true => None,
            false => {
                let (header, _) = self.header(Some(height))?;
                let log = self.path(header.log_size, anchor)?;
                Some(BlockInclusion { entry: LogEntry::Header(header).encode(), log })
            }
        };
        Ok(ProvenanceHop { receipt, block })
    }
}

/// Tries until the ledger stands still long enough for one answer.
///
fn again(attempt: impl Fn() -> Result<Option<ProofFile>, CliError>) -> Result<ProofFile, CliError> {
    let mut failure = None;
    for _ in 0..ATTEMPTS_MAX {
        match attempt() {
            Ok(Some(proof)) => return Ok(proof),
            Ok(None) => {}
            // What was asked for may have changed just now.
            Err(error) if error.kind() == ErrorKind::Rejected => failure = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(failure.unwrap_or_else(|| {
        CliError::user(text!(
            "the ledger moved on each time the proof was put together",
            "每次生成证明时账本都已更新"
        ))
        .hint(text!("try again", "请重试"))
    }))
}

/// Key of the record of a range.
pub fn range_key(range: &SerialRange) -> Key {
    keys::unit_range(&range.instrument(), range.start())
}

/// Whether parts, in the order of their serials, make up a range.
fn covers(parts: &[SerialRange], range: &SerialRange) -> bool {
    let end =
        parts.iter().try_fold(range.start(), |at, part| (part.start() == at).then_some(part.end()));
    end == Some(range.end())
}

fn several_holders(
    range: SerialRange,
    part: SerialRange,
    other: AccountId,
    holder: AccountId,
) -> CliError {
    CliError::user(text!(
        "{range} has several holders: {part} is with {other}, not with {holder}",
        "{range} 有多个持有者：{part} 属于 {other}，不属于 {holder}"
    ))
    .hint(text!("prove each part by itself", "请分别证明各部分"))
}

fn hidden(id: TxId) -> CliError {
    CliError::new(
        ErrorKind::Rejected,
        text!(
            "this account may not see all of transaction {id}",
            "该账户无权查看交易 {id} 的全部内容"
        ),
    )
    .hint(text!(
        "read as a party to it or as an authority: --as ACCOUNT",
        "请以当事方或主管部门身份读取：--as 账户"
    ))
}
