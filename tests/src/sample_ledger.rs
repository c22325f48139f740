//! A small ledger of real blocks, made from fixed keys and times: what proofs, documentation and
//! foreign verifiers are tried on.

use std::collections::BTreeMap;
use std::path::Path;

use cets_contracts::audit::{Frame, HISTORY_MAGIC, HistoryRecord, StoredBlock};
use cets_contracts::block::{
    Block, BlockExecutor, Certificate, CommitSignature, Header, Outcome, Validator, ValidatorSet,
    VoteStep, commit_block, vote_sign_bytes,
};
use cets_contracts::codec;
use cets_contracts::genesis::{ClockRule, Genesis, GenesisAccount, GenesisParameter};
use cets_contracts::log::{LogHash, LogNode, LogProof, NodeReader, Tile, inclusion_proof, root_at};
use cets_contracts::proof::{
    Anchor, BlockInclusion, ProvenanceHop, ReceiptInclusion, RecordInclusion, ValidatorChain,
    ValidatorChange,
};
use cets_contracts::rules::Payload;
use cets_contracts::rules::allowances::issue::{Issue, IssueLine};
use cets_contracts::rules::allowances::transfer::Transfer;
use cets_contracts::rules::governance::set_validators::SetValidators;
use cets_contracts::state::{Key, ParameterName, State, StoredRecord};
use cets_contracts::transparency::{
    Checkpoint, Cosignature, Note, Policy, TlogProof, bundle_path, encode_bundle, origin,
};
use cets_contracts::tx::{
    SignedTransaction, Transaction, TxBody, VerifiedTransaction, signer_list,
};
use cets_contracts::types::{
    AccountId, BlockTime, Digest, Height, Instrument, PublicKey, Representative, Right, Role,
    Selection, SerialRange, Signature, Thresholds, Tonnes, Vintage,
};
use ed25519_dalek::{Signer as _, SigningKey};

/// Block time of height 0: 2021-07-16 09:30 in UTC+8.
const GENESIS_MILLIS: u64 = 1_626_399_000_000;
/// Time between blocks.
const BLOCK_MILLIS: u64 = 1_500;

/// A key of this ledger: 32 times the seed is its secret.
pub fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// The public half of [`signing_key`].
pub fn public_key(seed: u8) -> PublicKey {
    PublicKey::new(signing_key(seed).verifying_key().to_bytes())
}

/// Signs with [`signing_key`].
pub fn sign(seed: u8, message: &[u8]) -> Signature {
    Signature::new(signing_key(seed).sign(message).to_bytes())
}

/// The vintage that is issued.
pub fn vintage() -> Vintage {
    Vintage::new(2021).unwrap()
}

/// The instrument that is issued.
pub fn instrument() -> Instrument {
    Instrument::Cea(vintage())
}

/// Serials `first` to `last`.
pub fn range(first: u64, last: u64) -> SerialRange {
    SerialRange::inclusive(instrument(), first, last).unwrap()
}

/// An entity of the ledger, by its number from 1.
pub fn entity(number: u64) -> AccountId {
    AccountId::new(Role::KeyEmittingEntity, number).unwrap()
}

/// Validator whose consensus key has seed `n`, its cosigner key seed `n + 100`.
fn validator(n: u8) -> Validator {
    let names = ["registry", "exchange", "ccer-registry", "hubei", "guangdong"];
    Validator {
        name: names[usize::from(n) - 1].to_owned(),
        consensus_key: public_key(n),
        cosigner_key: public_key(n + 100),
        power: 1,
    }
}

fn set(members: &[u8]) -> ValidatorSet {
    ValidatorSet::new(members.iter().map(|n| validator(*n)).collect()).unwrap()
}

/// Consensus seeds of a set, in canonical order.
fn seeds(set: &ValidatorSet) -> Vec<u8> {
    let seed = |key: &PublicKey| (1..=5).find(|seed| public_key(*seed) == *key).unwrap();
    set.members().iter().map(|member| seed(&member.consensus_key)).collect()
}

fn account(role: Role, name: &str, seeds: &[u8]) -> GenesisAccount {
    let person =
        |seed: &u8| Representative { key: public_key(*seed), right: Right::InitiateAndApprove };
    GenesisAccount {
        role,
        name: name.to_owned(),
        credit_code: None,
        province: None,
        representatives: seeds.iter().map(person).collect(),
        thresholds: Thresholds::uniform(1),
    }
}

/// The genesis document: four validators, a ministry, a registry and three entities.
pub fn genesis() -> Genesis {
    Genesis {
        network: "sample".to_owned(),
        time: BlockTime::from_millis(GENESIS_MILLIS),
        business_date: "2021-07-16".parse().unwrap(),
        clock: ClockRule::ByOrder,
        block_interval_millis: 1_000,
        validators: (1..=4).map(validator).collect(),
        accounts: vec![
            account(Role::Ministry, "Ministry of Ecology and Environment", &[11, 12]),
            account(Role::Registry, "China Hubei registry", &[21, 22]),
            account(Role::KeyEmittingEntity, "Power plant A", &[31]),
            account(Role::KeyEmittingEntity, "Power plant B", &[32]),
            account(Role::KeyEmittingEntity, "\u{53d1}\u{7535}\u{5382} C", &[33]),
        ],
        parameters: vec![GenesisParameter {
            name: ParameterName::IssueCap,
            year: Some(vintage()),
            valid_from: "2021-01-01".parse().unwrap(),
            value: 5_000_000_000,
            article: "Allocation plan 2021-2022".to_owned(),
        }],
    }
}

/// A block as it was decided, with what execution left.
#[derive(Clone, Debug)]
pub struct SampleBlock {
    /// Header and a certificate of exactly the quorum.
    pub anchor: Anchor,
    /// The block.
    pub block: Block,
    /// Validators that decided it.
    pub validators: ValidatorSet,
    /// Position of its header entry in the log.
    pub header_index: u64,
    stored: StoredBlock,
}

/// The ledger.
#[derive(Debug)]
pub struct SampleLedger {
    /// Its genesis document.
    pub genesis: Genesis,
    /// State after the last block.
    pub state: State,
    /// Blocks from height 1.
    pub blocks: Vec<SampleBlock>,
    /// Log entries.
    pub entries: Vec<Vec<u8>>,
    /// Changes of the validator set.
    pub validators: ValidatorChain,
    nodes: BTreeMap<(u8, u64), LogHash>,
    events: BTreeMap<u64, Vec<u8>>,
    salt: u64,
}

impl NodeReader for SampleLedger {
    fn node(&self, level: u8, index: u64) -> Option<LogHash> {
        self.nodes.get(&(level, index)).copied()
    }
}

impl SampleLedger {
    /// A ledger without blocks.
    pub fn new() -> Self {
        let genesis = genesis();
        Self {
            state: genesis.state().unwrap(),
            genesis,
            blocks: vec![],
            entries: vec![],
            validators: ValidatorChain::default(),
            nodes: BTreeMap::new(),
            events: BTreeMap::new(),
            salt: 0,
        }
    }

    /// Four blocks: issue; a transfer and a refused one; new validators; two more transfers.
    ///
    /// Unit 150 goes from entity 1 to 2 (height 2), to 3 and back to 2 (height 4).
    pub fn story() -> Self {
        let mut ledger = Self::new();
        let lines = vec![
            IssueLine { account: entity(1), tonnes: Tonnes::new(1_000) },
            IssueLine { account: entity(2), tonnes: Tonnes::new(500) },
        ];
        let document = Digest::new([7; 32]);
        let issue = Payload::Issue(Issue { vintage: vintage(), lines, document });
        let registry = AccountId::new(Role::Registry, 1).unwrap();
        let issue = ledger.transaction(registry, &[21, 22], issue);
        ledger.block(&[issue]);
        let first = ledger.transfer(1, 2, Selection::Ranges(vec![range(101, 200)]));
        let too_much = Selection::Quantity { instrument: instrument(), tonnes: Tonnes::new(9_999) };
        let refused = ledger.transfer(1, 3, too_much);
        ledger.block(&[first, refused]);
        let ministry = AccountId::new(Role::Ministry, 1).unwrap();
        let next = SetValidators { validators: set(&[1, 2, 3, 4, 5]).members().to_vec() };
        let change = ledger.transaction(ministry, &[11, 12], Payload::SetValidators(next));
        ledger.block(&[change]);
        let second = ledger.transfer(2, 3, Selection::Ranges(vec![range(140, 160)]));
        let third = ledger.transfer(3, 2, Selection::Ranges(vec![range(150, 155)]));
        ledger.block(&[second, third]);
        ledger
    }

    /// The story, then blocks of 40 transfers of one tonne until the log has `size` entries or
    /// more.
    pub fn long(size: usize) -> Self {
        let mut ledger = Self::story();
        while ledger.entries.len() < size {
            let one = || Selection::Quantity { instrument: instrument(), tonnes: Tonnes::new(1) };
            let batch: Vec<_> = (0..40).map(|n| ledger.transfer(1 + n % 2, 3, one())).collect();
            ledger.block(&batch);
        }
        ledger
    }

    /// A transaction signed by these seeds.
    pub fn transaction(&mut self, account: AccountId, seeds: &[u8], payload: Payload) -> Vec<u8> {
        self.salt += 1;
        let valid_until = self.state.tip.time.saturating_add_millis(3_600_000);
        let chain_id = self.state.tip.chain_id;
        let signers = signer_list(seeds.iter().map(|seed| public_key(*seed)));
        let body = TxBody { chain_id, account, signers, valid_until, salt: self.salt, payload };
        SignedTransaction::new(body, |key, message| {
            let seed = seeds.iter().find(|seed| public_key(**seed) == *key).unwrap();
            sign(*seed, message)
        })
        .encode()
    }

    /// A transfer from one entity to another.
    pub fn transfer(&mut self, from: u64, to: u64, units: Selection) -> Vec<u8> {
        let seed = 30 + u8::try_from(from).unwrap();
        let payload = Payload::Transfer(Transfer { to: entity(to), units });
        self.transaction(entity(from), &[seed], payload)
    }

    /// Executes, certifies and commits the next block.
    pub fn block(&mut self, transactions: &[Vec<u8>]) {
        let validators = self.state.validators().unwrap();
        let time = self.state.tip.time.saturating_add_millis(BLOCK_MILLIS);
        let proposer = validators.members()[0].address();
        let mut executor = BlockExecutor::new(&self.state, time, proposer).unwrap();
        for bytes in transactions {
            let transaction = Transaction::decode(bytes.clone()).unwrap();
            executor.push(&VerifiedTransaction::verify(transaction).unwrap()).unwrap();
        }
        let (executed, carried) = executor.finish().unwrap();
        let block = Block { header: executed.header.clone(), transactions: carried };
        let anchor = certify(&executed.header, &validators);
        let first = self.entries.len() as u64;
        let mut stored = StoredBlock {
            block: block.encode(),
            certificate: codec::encode(&anchor.certificate),
            receipts: vec![],
            events: vec![],
        };
        for (index, outcome) in (first..).zip(&executed.outcomes) {
            let events = outcome.events.as_ref().map(codec::encode);
            stored.receipts.push(codec::encode(&outcome.receipt));
            stored.events.push(events.clone().unwrap_or_default());
            self.events.extend(events.map(|bytes| (index, bytes)));
        }
        let node = |node: &LogNode| ((node.level, node.index), node.hash);
        self.nodes.extend(executed.log_nodes.iter().map(node));
        self.entries.extend(executed.entries.iter().cloned());
        commit_block(&mut self.state, executed).unwrap();
        let next = self.state.validators().unwrap();
        if next != validators {
            let change = ValidatorChange { anchor: anchor.clone(), validators: next };
            self.validators.changes.push(change);
        }
        let header_index = self.entries.len() as u64 - 1;
        self.blocks.push(SampleBlock { anchor, block, validators, header_index, stored });
    }

    /// The block of a height.
    pub fn at(&self, height: u64) -> &SampleBlock {
        &self.blocks[usize::try_from(height).unwrap() - 1]
    }

    /// The newest block.
    pub fn newest(&self) -> &SampleBlock {
        self.blocks.last().unwrap()
    }

    /// The newest record of a key with its path.
    pub fn record(&self, key: &Key) -> RecordInclusion {
        RecordInclusion::of(&self.state, key).unwrap()
    }

    /// An entry's path under the newest header.
    fn log_proof(&self, index: u64) -> LogProof {
        LogProof::read(self, index, self.newest().anchor.header.log_size).unwrap()
    }

    /// A transaction entry with its path under the newest header and its events.
    pub fn receipt(&self, index: u64) -> ReceiptInclusion {
        let entry = self.entries[usize::try_from(index).unwrap()].clone();
        ReceiptInclusion { entry, log: self.log_proof(index), events: self.events(index) }
    }

    /// The event record of an accepted transaction.
    pub fn events(&self, index: u64) -> Option<Vec<u8>> {
        self.events.get(&index).cloned()
    }

    /// A hop with the header entry of its block, unless that is the newest.
    pub fn hop(&self, index: u64) -> ProvenanceHop {
        let block = self.blocks.iter().find(|block| block.header_index > index).unwrap();
        let header = block.header_index;
        let inclusion = || BlockInclusion {
            entry: self.entries[usize::try_from(header).unwrap()].clone(),
            log: self.log_proof(header),
        };
        let newest = block.anchor.height() == self.newest().anchor.height();
        ProvenanceHop { receipt: self.receipt(index), block: (!newest).then(inclusion) }
    }

    /// Name of the log.
    pub fn origin(&self) -> String {
        origin(&self.genesis.network, self.genesis.chain_id())
    }

    /// The checkpoint after a block.
    pub fn checkpoint(&self, height: u64) -> Checkpoint {
        let size = self.at(height).header_index + 1;
        Checkpoint { origin: self.origin(), size, root: root_at(self, size).unwrap() }
    }

    /// The checkpoint after a block with the cosignatures of the first so many validators.
    pub fn cosigned(&self, height: u64, count: usize) -> Note {
        let (checkpoint, block) = (self.checkpoint(height), self.at(height));
        let cosign = |seed: &u8| {
            let time = block.anchor.time();
            let sign = |message: &[u8]| sign(seed + 100, message);
            Cosignature::sign(&checkpoint, time, public_key(seed + 100), sign)
        };
        let cosignatures: Vec<_> =
            seeds(&block.validators).iter().take(count).map(cosign).collect();
        checkpoint.cosigned(&block.validators, &cosignatures).unwrap()
    }

    /// The proof of an entry under the checkpoint after a block.
    pub fn tlog_proof(&self, index: u64, height: u64, cosignatures: usize) -> TlogProof {
        let size = self.checkpoint(height).size;
        TlogProof {
            entry: Some(self.entries[usize::try_from(index).unwrap()].clone()),
            index,
            path: inclusion_proof(self, index, size).unwrap(),
            checkpoint: self.cosigned(height, cosignatures),
        }
    }

    /// Writes the log after a block as the files that any web server can serve.
    pub fn write_log(&self, folder: &Path, height: u64, cosignatures: usize) {
        let size = self.checkpoint(height).size;
        let write = |path: &str, bytes: &[u8]| {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        for tile in Tile::added(0, size) {
            write(&tile.to_string(), &tile.read(self).unwrap());
        }
        let entries = &self.entries[..usize::try_from(size).unwrap()];
        for (index, bundle) in (0..).zip(entries.chunks(256)) {
            write(&bundle_path(index, size).unwrap(), &encode_bundle(bundle).unwrap());
        }
        write("checkpoint", self.cosigned(height, cosignatures).to_string().as_bytes());
        write("policy", self.policy(height).to_string().as_bytes());
    }

    /// The policy of the validators that decided a height.
    pub fn policy(&self, height: u64) -> Policy {
        Policy::of_validators(&self.origin(), &self.at(height).validators).unwrap()
    }

    /// The frames of an exported history, after the magic bytes.
    pub fn frames(&self) -> Vec<Frame> {
        let genesis = serde_json::to_string_pretty(&self.genesis).unwrap();
        let mut frames = vec![Frame::Genesis(genesis)];
        frames.extend(self.blocks.iter().map(|block| Frame::Block(block.stored.clone())));
        let record = |(key, record): (Key, &StoredRecord)| HistoryRecord {
            key: key.to_vec(),
            slot: record.slot.map(cets_contracts::tree::Slot::get),
            value: record.value.to_vec(),
        };
        frames.push(Frame::Records(self.state.committed_records().map(record).collect()));
        frames.push(Frame::End(self.newest().anchor.height()));
        frames
    }

    /// An exported history.
    pub fn history(&self) -> Vec<u8> {
        let frames = self.frames();
        HISTORY_MAGIC.iter().copied().chain(frames.iter().flat_map(Frame::encode)).collect()
    }

    /// Outcome of the transaction at a height and position.
    pub fn outcome(&self, height: u64, position: usize) -> Outcome {
        let bytes = &self.at(height).stored.receipts[position];
        codec::decode::<cets_contracts::block::Receipt>(bytes).unwrap().outcome
    }
}

impl Default for SampleLedger {
    fn default() -> Self {
        Self::story()
    }
}

/// The header with precommits of exactly the quorum, in canonical order.
pub fn certify(header: &Header, validators: &ValidatorSet) -> Anchor {
    let quorum = usize::try_from(validators.power_quorum()).unwrap();
    certify_by(header, &seeds(validators)[..quorum])
}

/// The header with precommits of these seeds.
pub fn certify_by(header: &Header, seeds: &[u8]) -> Anchor {
    let (height, round, block_id) = (header.height, 0, header.id());
    let step = VoteStep::Precommit;
    let message = vote_sign_bytes(header.chain_id, step, height, round, Some(block_id));
    let precommit = |seed: &u8| CommitSignature {
        validator: validator(*seed).address(),
        signature: sign(*seed, &message),
    };
    let signatures = seeds.iter().map(precommit).collect();
    let certificate = Certificate { height, round, block_id, signatures };
    Anchor { header: header.clone(), certificate }
}

/// Height as a number of this ledger.
pub const fn height(number: u64) -> Height {
    Height::new(number)
}
