//! Putting together proofs that are checked offline, from what a node answers.

use cets_api::BlockResponse;
use cets_contracts::block::{Block, Header, LogEntry, ValidatorSet};
use cets_contracts::log::LogProof;
use cets_contracts::proof::{
    Anchor, BlockInclusion, Proof, ProofFile, ProvenanceHop, ProvenanceProof, ReceiptInclusion,
    ReceiptProof, RecordInclusion, RecordProof, UnitProof, ValidatorChain, ValidatorChange,
};
use cets_contracts::rules::Payload;
use cets_contracts::state::{Key, keys};
use cets_contracts::tx::Transaction;
use cets_contracts::types::{AccountId, Digest, Height, LogIndex, Serial, TxId};

use super::Node;
use crate::error::CliError;
use crate::text;

/// How often a proof is started again because the ledger moved on while it was put together.
const ATTEMPTS_MAX: usize = 5;

impl Node {
    /// A record under the newest header, with that header's anchor.
    fn inclusion(&self, key: &Key) -> Result<(RecordInclusion, Anchor), CliError> {
        let proven = self.prove(key)?;
        let anchor = Anchor { header: proven.header, certificate: proven.certificate };
        let key = key.as_bytes().to_vec();
        Ok((RecordInclusion { key, value: proven.value, state: proven.proof }, anchor))
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
            return Err(CliError::new(
                crate::error::ErrorKind::Rejected,
                text!(
                    "this account may not see all of transaction {id}",
                    "该账户无权查看交易 {id} 的全部内容"
                ),
            ));
        }
        Ok(ReceiptInclusion {
            log: self.path(answer.log_index, anchor)?,
            entry: answer.entry,
            events: Some(answer.events).filter(|events| !events.is_empty()),
        })
    }

    /// The newest header as an anchor.
    fn newest_anchor(&self) -> Result<Anchor, CliError> {
        let (header, certificate) = self.header(None)?;
        Ok(Anchor { header, certificate })
    }

    /// Proof of a transaction, its receipt and what it moved.
    pub fn receipt_proof(&self, id: TxId) -> Result<ProofFile, CliError> {
        self.transaction(id)?;
        for _ in 0..ATTEMPTS_MAX {
            let anchor = self.newest_anchor()?;
            if self.raw_transaction(id)?.log_index >= anchor.header.log_size {
                continue;
            }
            let receipt = self.receipt_inclusion(id, &anchor)?;
            return self.proof_file(Proof::Receipt(ReceiptProof { receipt, anchor }));
        }
        Err(moving())
    }

    /// Proof of one record of the state.
    pub fn record_proof(&self, key: &Key) -> Result<ProofFile, CliError> {
        let (record, anchor) = self.inclusion(key)?;
        self.proof_file(Proof::Records(RecordProof { records: vec![record], anchor }))
    }

    /// Proof of an account with its totals.
    pub fn account_proof(&self, id: AccountId) -> Result<ProofFile, CliError> {
        self.record_proof(&keys::account(id))
    }

    /// Proof of whose a unit is now.
    pub fn unit_proof(&self, serial: Serial) -> Result<ProofFile, CliError> {
        let (holding, _, _) = self.serial(serial.instrument, serial.number)?;
        let key = keys::unit_range(&serial.instrument, holding.range.start());
        let (record, anchor) = self.inclusion(&key)?;
        let proof = UnitProof {
            range: holding.range,
            holder: holding.place.holder,
            records: vec![record],
            anchor,
        };
        self.proof_file(Proof::Units(proof))
    }

    /// Proof of the whole life of a unit.
    pub fn provenance_proof(&self, serial: Serial) -> Result<ProofFile, CliError> {
        for _ in 0..ATTEMPTS_MAX {
            let (holding, hops, _) = self.serial(serial.instrument, serial.number)?;
            let key = keys::unit_range(&serial.instrument, holding.range.start());
            let (last, anchor) = self.inclusion(&key)?;
            if hops.iter().any(|hop| hop.height > anchor.height()) {
                continue;
            }
            let (again, _, _) = self.serial(serial.instrument, serial.number)?;
            if again.range != holding.range || again.place != holding.place {
                continue;
            }
            let mut proven: Vec<ProvenanceHop> = Vec::with_capacity(hops.len());
            let mut previous = None;
            for hop in &hops {
                // Several movements of one transaction are one hop of the proof.
                if previous == Some(hop.log_index) {
                    continue;
                }
                previous = Some(hop.log_index);
                let receipt = self.receipt_inclusion(hop.tx_id, &anchor)?;
                let block = match hop.height == anchor.height() {
                    true => None,
                    false => Some(self.block_inclusion(hop.height, &anchor)?),
                };
                proven.push(ProvenanceHop { receipt, block });
            }
            let proof = ProvenanceProof { serial, hops: proven, last, anchor };
            return self.proof_file(Proof::Provenance(proof));
        }
        Err(moving())
    }

    fn block_inclusion(&self, height: Height, anchor: &Anchor) -> Result<BlockInclusion, CliError> {
        let (header, _) = self.header(Some(height))?;
        let log = self.path(header.log_size, anchor)?;
        Ok(BlockInclusion { entry: LogEntry::Header(header).encode(), log })
    }
}

impl Node {
    /// A proof with the changes of the validator set since genesis.
    fn proof_file(&self, proof: Proof) -> Result<ProofFile, CliError> {
        let genesis = self.genesis()?;
        let first = ValidatorSet::new(genesis.validators)
            .map_err(|_| self.nonsense("genesis document"))?
            .digest();
        let anchor = proof.anchor();
        let mut changes = Vec::new();
        let mut digest = first;
        // The header of a height names the set of the next. While it is the first set's, nothing
        // changed, unless a set came back: then the anchor's certificate is of the first set too.
        if anchor.header.next_validators != first {
            let end = anchor.height();
            let mut blocks = self.stream_blocks(Height::new(1), end)?;
            while let Some(answer) = self.next_block(&mut blocks)? {
                let header: Header = self.decode("header", &answer.header)?;
                if header.next_validators == digest || header.height >= end {
                    continue;
                }
                digest = header.next_validators;
                let certificate = self.decode("certificate", &answer.certificate)?;
                let validators = self.set_of_block(&answer, digest)?;
                changes
                    .push(ValidatorChange { anchor: Anchor { header, certificate }, validators });
            }
        }
        Ok(ProofFile { validators: ValidatorChain { changes }, proof })
    }

    /// The set that a block of a change ordered.
    fn set_of_block(
        &self,
        answer: &BlockResponse,
        digest: Digest,
    ) -> Result<ValidatorSet, CliError> {
        let block = Block::decode(&answer.block).map_err(|_| self.nonsense("block"))?;
        let sets = block.transactions.into_iter().filter_map(|bytes| {
            let transaction = Transaction::decode(bytes).ok()?;
            sets_ordered(&transaction.body().payload)
        });
        let mut fitting = sets.filter(|set| set.digest() == digest);
        fitting.next().ok_or_else(|| {
            CliError::user(text!(
                "the change of validators at block {} is not shown to this account",
                "区块 {} 的验证者变更对该账户不公开",
                answer.height
            ))
        })
    }
}

/// The validator set that an order names.
fn sets_ordered(payload: &Payload) -> Option<ValidatorSet> {
    match payload {
        Payload::SetValidators(order) => ValidatorSet::new(order.validators.clone()).ok(),
        _ => None,
    }
}

fn moving() -> CliError {
    CliError::user(text!(
        "the ledger moved on each time the proof was put together",
        "每次生成证明时账本都已更新"
    ))
    .hint(text!("try again", "请重试"))
}
