//! Putting together proofs that are checked offline, from what a node answers.

use cets_contracts::block::LogEntry;
use cets_contracts::log::LogProof;
use cets_contracts::proof::{
    Anchor, BlockInclusion, DossierProof, Proof, ProofFile, ProvenanceHop, ProvenanceProof,
    ReceiptInclusion, ReceiptProof, RecordProof, StatementProof, UnitProof, ValidatorChain,
};
use cets_contracts::state::{Key, keys};
use cets_contracts::types::{AccountId, Height, LogIndex, Serial, SerialRange, TxId};

use super::Node;
use crate::error::{CliError, ErrorKind};
use crate::text;

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

    /// Proof of an account and of every range of units of it.
    pub fn statement_proof(&self, id: AccountId) -> Result<ProofFile, CliError> {
        again(|| {
            let (mut holdings, height) = self.holdings(id, None, true)?;
            holdings.sort_by_key(|holding| holding.range);
            let mut asked = vec![keys::account(id)];
            asked.extend(holdings.iter().map(|holding| range_key(&holding.range)));
            let (records, anchor) = self.prove(&asked, None)?;
            if anchor.height() != height {
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
                return Err(CliError::user(text!(
                    "{range} has several holders: {part} is with {other}, not with {holder}",
                    "{range} 有多个持有者：{part} 属于 {other}，不属于 {holder}"
                ))
                .hint(text!("prove each part by itself", "请分别证明各部分")));
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
