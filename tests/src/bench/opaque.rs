//! A ledger that orders bytes and nothing else: what remains of a node without signatures of
//! holders, rules and state.
//!
//! It keeps the same promises to the engine as a node: a block is on the disk before it is
//! proposed or voted for, a decision before the next height, a mark before a signature leaves.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cets_consensus::{
    BlockSource, BlockVerdict, BuildLimits, DecidedBlock, Evidence, GuardMark, Ledger, LedgerFault,
    ProposedBlock,
};
use cets_contracts::block::{Block, Certificate, Header, ValidatorSet};
use cets_contracts::codec;
use cets_contracts::types::{
    BlockId, BlockTime, ChainId, Digest, Height, LogRoot, StateRoot, ValidatorAddress,
};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// Identity of the chain.
const CHAIN: ChainId = ChainId::new([0xB7; 16]);
/// Bytes of a transaction.
pub const TRANSACTION_BYTES: usize = 256;
/// Committed blocks that others may still ask for.
const KEPT: u64 = 64;

/// A committed block.
#[derive(Clone, Copy, Debug)]
pub struct Ordered {
    /// When it was on the disk.
    pub at: Instant,
    /// Transactions in it.
    pub transactions: u64,
}

#[derive(Debug)]
struct Disk {
    file: File,
    tip: Height,
    parent: BlockId,
    decided: BTreeMap<u64, DecidedBlock>,
    proposed: BTreeMap<u32, ProposedBlock>,
    undecided: BTreeMap<BlockId, (Bytes, u64)>,
    guard: Vec<GuardMark>,
    ordered: Vec<Ordered>,
    random: ChaCha8Rng,
}

impl Disk {
    /// Appends to the file; durable when it returns.
    fn append(&mut self, action: &'static str, bytes: &[u8]) -> Result<(), LedgerFault> {
        let written = self.file.write_all(bytes).and_then(|()| self.file.sync_data());
        written.map_err(|error| LedgerFault::new(action, error))
    }
}

/// The ledger of one node.
#[derive(Debug)]
pub struct OpaqueLedger {
    disk: Mutex<Disk>,
    marks: Mutex<File>,
    validators: ValidatorSet,
    per_block: usize,
}

impl OpaqueLedger {
    /// An empty ledger whose blocks hold so many transactions of bytes drawn from a seed.
    pub fn new(
        folder: &Path,
        validators: ValidatorSet,
        per_block: usize,
        seed: u64,
    ) -> std::io::Result<Self> {
        let disk = Disk {
            file: File::create_new(folder.join("blocks"))?,
            tip: Height::GENESIS,
            parent: BlockId::new([0; 32]),
            decided: BTreeMap::new(),
            proposed: BTreeMap::new(),
            undecided: BTreeMap::new(),
            guard: Vec::new(),
            ordered: Vec::new(),
            random: ChaCha8Rng::seed_from_u64(seed),
        };
        let marks = Mutex::new(File::create_new(folder.join("marks"))?);
        Ok(Self { disk: Mutex::new(disk), marks, validators, per_block })
    }

    /// The blocks committed so far.
    pub fn ordered(&self) -> Vec<Ordered> {
        self.disk().ordered.clone()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn build(&self, disk: &mut Disk, height: Height, proposer: ValidatorAddress) -> Block {
        let transaction = |_| {
            let mut bytes = vec![0; TRANSACTION_BYTES];
            disk.random.fill_bytes(&mut bytes);
            bytes
        };
        let transactions: Vec<Vec<u8>> = (0..self.per_block).map(transaction).collect();
        let header = Header {
            chain_id: CHAIN,
            height,
            time: BlockTime::from_millis(height.get()),
            proposer,
            parent: disk.parent,
            transactions: Block::transactions_digest(&transactions),
            log_size: height.get(),
            log_root: LogRoot::new([0; 32]),
            state_root: StateRoot::new([0; 32]),
            next_validators: self.validators.digest(),
            parameters: Digest::new([0; 32]),
        };
        Block { header, transactions }
    }
}

impl Ledger for OpaqueLedger {
    fn chain_id(&self) -> ChainId {
        CHAIN
    }

    fn tip(&self) -> Result<Height, LedgerFault> {
        Ok(self.disk().tip)
    }

    fn history_min_height(&self) -> Result<Height, LedgerFault> {
        let least = self.disk().decided.keys().next().copied();
        Ok(Height::new(least.unwrap_or(1)))
    }

    fn validators(&self, _height: Height) -> Result<ValidatorSet, LedgerFault> {
        Ok(self.validators.clone())
    }

    fn target_block_time(&self) -> Option<Duration> {
        None
    }

    fn propose(
        &self,
        height: Height,
        round: u32,
        proposer: ValidatorAddress,
        _limits: BuildLimits,
    ) -> Result<ProposedBlock, LedgerFault> {
        let mut disk = self.disk();
        if let Some(block) = disk.proposed.get(&round) {
            return Ok(block.clone());
        }
        let block = self.build(&mut disk, height, proposer);
        let (id, bytes) = (block.header.id(), Bytes::from(block.encode()));
        disk.append("write the proposed block", &bytes)?;
        let proposed = ProposedBlock { id, bytes: bytes.clone() };
        disk.proposed.insert(round, proposed.clone());
        disk.undecided.insert(id, (bytes, block.transactions.len() as u64));
        Ok(proposed)
    }

    fn validate(
        &self,
        height: Height,
        _round: u32,
        _source: BlockSource,
        bytes: Bytes,
    ) -> Result<BlockVerdict, LedgerFault> {
        let mut disk = self.disk();
        let block = match Block::decode(&bytes) {
            Ok(block) => block,
            Err(error) => return Ok(BlockVerdict::Malformed { reason: error.to_string() }),
        };
        let id = block.header.id();
        if block.header.height != height || block.header.parent != disk.parent {
            return Ok(BlockVerdict::Invalid { id, reason: "it is not the next".to_owned() });
        }
        disk.append("write the block to vote for", &bytes)?;
        disk.undecided.insert(id, (bytes, block.transactions.len() as u64));
        Ok(BlockVerdict::Valid { id })
    }

    fn undecided_block(&self, id: BlockId) -> Result<Option<Bytes>, LedgerFault> {
        Ok(self.disk().undecided.get(&id).map(|(bytes, _)| bytes.clone()))
    }

    fn commit(&self, certificate: &Certificate) -> Result<(), LedgerFault> {
        let id = certificate.block_id;
        certificate
            .verify(CHAIN, id, &self.validators)
            .map_err(|error| LedgerFault::new("commit the block", error))?;
        let mut disk = self.disk();
        let (bytes, transactions) = disk
            .undecided
            .remove(&id)
            .ok_or_else(|| LedgerFault::new("commit the block", "it was never seen"))?;
        disk.append("write the decision", &codec::encode(certificate))?;
        disk.undecided.clear();
        disk.proposed.clear();
        (disk.tip, disk.parent) = (certificate.height, id);
        let height = certificate.height.get();
        disk.decided.insert(height, DecidedBlock { bytes, certificate: certificate.clone() });
        disk.decided.retain(|kept, _| kept + KEPT > height);
        disk.ordered.push(Ordered { at: Instant::now(), transactions });
        Ok(())
    }

    fn decided_block(&self, height: Height) -> Result<Option<DecidedBlock>, LedgerFault> {
        Ok(self.disk().decided.get(&height.get()).cloned())
    }

    fn record_evidence(&self, height: Height, evidence: Vec<Evidence>) -> Result<(), LedgerFault> {
        if evidence.is_empty() {
            return Ok(());
        }
        Err(LedgerFault::new("order", format!("a validator contradicted itself at {height}")))
    }

    fn load_guard(&self) -> Result<Vec<GuardMark>, LedgerFault> {
        Ok(self.disk().guard.clone())
    }

    fn save_guard(&self, marks: &[GuardMark]) -> Result<(), LedgerFault> {
        let written = {
            let mut file = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
            file.write_all(format!("{marks:?}\n").as_bytes()).and_then(|()| file.sync_data())
        };
        written.map_err(|error| LedgerFault::new("write the marks", error))
    }
}
