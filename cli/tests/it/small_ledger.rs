//! A ledger of a few blocks, made in memory by the executor and signed by four validators.

use std::collections::BTreeMap;
use std::path::Path;

use cets_cli::keys::{decrypt_key, read_key_text};
use cets_cli::network::{Network, NetworkPlan, write_network};
use cets_cli::orders::{public_key, sign_all};
use cets_contracts::audit::{Frame, HISTORY_MAGIC, HistoryRecord, StoredBlock};
use cets_contracts::block::{
    Block, BlockExecutor, Certificate, CommitSignature, EventRecord, Header, LogEntry, VoteStep,
    commit_block, vote_sign_bytes,
};
use cets_contracts::codec;
use cets_contracts::genesis::{ClockRule, GenesisParameter};
use cets_contracts::log::{LogHash, LogProof, NodeReader};
use cets_contracts::proof::{
    Anchor, BlockInclusion, Proof, ProofFile, ProvenanceHop, ReceiptInclusion, RecordInclusion,
    ValidatorChain,
};
use cets_contracts::rules::accounts::open_account::{NewAccount, OpenAccount};
use cets_contracts::rules::allowances::cancel::{Cancel, CancelReason};
use cets_contracts::rules::allowances::issue::{Issue, IssueLine};
use cets_contracts::rules::allowances::transfer::Transfer;
use cets_contracts::rules::compliance::record_verified_emissions::{
    EmissionLine, RecordVerifiedEmissions,
};
use cets_contracts::rules::compliance::surrender::Surrender;
use cets_contracts::rules::enforcement::freeze::Freeze;
use cets_contracts::rules::enforcement::unfreeze::Unfreeze;
use cets_contracts::rules::{Payload, Rule as _};
use cets_contracts::state::{
    CreditCode, Key, KeyParts, ParameterName, State, UnitPlace, UnitRange, keys,
};
use cets_contracts::transparency::{
    Checkpoint, Note, NoteSignature, Policy, cosignature_message, log_key, origin, witness_key,
};
use cets_contracts::tree::Slot;
use cets_contracts::tx::{Transaction, TxBody, VerifiedTransaction, signer_list};
use cets_contracts::types::{
    AccountId, BlockId, BlockTime, Digest, Height, Instrument, PublicKey, Representative, Right,
    Role, Selection, Serial, SerialRange, Signature, Thresholds, Tonnes, TxId, Vintage,
};
use ed25519_dalek::{Signer, SigningKey};

/// The only vintage and compliance year.
pub const YEAR: Vintage = Vintage::CYCLE_2019_2020;
/// Genesis time of the ledger in milliseconds.
const GENESIS_MILLIS: u64 = 1_626_393_600_000;

pub struct SmallLedger {
    pub network: Network,
    pub blocks: Vec<StoredBlock>,
    consensus: Vec<SigningKey>,
    state: State,
    entries: Vec<Vec<u8>>,
    nodes: BTreeMap<(u8, u64), LogHash>,
    events: BTreeMap<u64, Vec<u8>>,
    headers: Vec<Header>,
}

impl NodeReader for SmallLedger {
    fn node(&self, level: u8, index: u64) -> Option<LogHash> {
        self.nodes.get(&(level, index)).copied()
    }
}

fn plan(folder: &Path) -> NetworkPlan {
    let business_date = "2021-07-16".parse().unwrap();
    NetworkPlan {
        folder: folder.to_owned(),
        network: "small".to_owned(),
        time: BlockTime::from_millis(GENESIS_MILLIS),
        business_date,
        clock: ClockRule::ByOrder,
        block_interval_millis: 0,
        nodes: ["reg:registry", "exc:exchange", "ccer:ccer-registry", "hubei:province:42"]
            .iter()
            .map(|one| one.parse().unwrap())
            .collect(),
        accounts: Vec::new(),
        parameters: vec![
            parameter(ParameterName::IssueCap, None, 10_000_000_000),
            parameter(ParameterName::SurrenderVintageMin, Some(YEAR), 1_920),
            parameter(ParameterName::SurrenderVintageMax, Some(YEAR), 1_920),
            parameter(ParameterName::SurrenderDeadline, Some(YEAR), 18_992),
        ],
        host: "127.0.0.1".parse().unwrap(),
        base_port: Some(27_000),
        passphrase: None,
    }
}

fn parameter(name: ParameterName, year: Option<Vintage>, value: i64) -> GenesisParameter {
    let valid_from = "2021-07-16".parse().unwrap();
    GenesisParameter { name, year, valid_from, value, article: "test".to_owned() }
}

/// Key of the only representative of entity 1 or 2.
pub fn entity_key(entity: u8) -> SigningKey {
    SigningKey::from_bytes(&[entity; 32])
}

pub fn entity(number: u64) -> AccountId {
    AccountId::new(Role::KeyEmittingEntity, number).unwrap()
}

impl SmallLedger {
    /// Opens two accounts, issues to the first, transfers to the second, refuses an overdraft.
    pub fn new(folder: &Path) -> Self {
        let network = write_network(&plan(folder)).unwrap();
        let consensus = network.nodes.iter().map(|node| {
            let path = node.config_path.with_file_name("consensus.pem");
            decrypt_key(&read_key_text(&path).unwrap(), &network.passphrase).unwrap()
        });
        let consensus = consensus.collect();
        let state = network.genesis.state().unwrap();
        let mut ledger = Self {
            network,
            blocks: Vec::new(),
            consensus,
            state,
            entries: Vec::new(),
            nodes: BTreeMap::new(),
            events: BTreeMap::new(),
            headers: Vec::new(),
        };
        ledger.run();
        ledger
    }

    fn run(&mut self) {
        let registry = self.network.accounts[0].1;
        let people = self.network.representatives[0].clone();
        let cea = Instrument::Cea(Vintage::CYCLE_2019_2020);
        let open = self.transaction(registry, &people, open_two().into());
        let issue = Issue {
            vintage: Vintage::CYCLE_2019_2020,
            lines: vec![IssueLine { account: entity(1), tonnes: Tonnes::new(1_000) }],
            document: Digest::new([1; 32]),
        };
        let issue = self.transaction(registry, &people, issue.into());
        let transfer = |tonnes: u64| {
            let units = Selection::Quantity { instrument: cea, tonnes: Tonnes::new(tonnes) };
            Payload::from(Transfer { to: entity(2), units })
        };
        let first = self.transaction(entity(1), &[entity_key(1)], transfer(400));
        let second = self.transaction(entity(1), &[entity_key(1)], transfer(700));
        self.block(vec![open]);
        self.block(vec![issue]);
        self.block(vec![first, second]);
        self.block(vec![]);
    }

    /// Goes on: entity 1 meets an obligation of 500 t, freezes and cancels what else it holds.
    ///
    /// Gives the transaction that cancelled.
    pub fn comply(&mut self) -> TxId {
        let cea = Instrument::Cea(YEAR);
        let quantity =
            |tonnes| Selection::Quantity { instrument: cea, tonnes: Tonnes::new(tonnes) };
        let (hubei, people) = self.institution(3);
        let line =
            EmissionLine { account: entity(1), verified: Tonnes::new(520), due: Tonnes::new(500) };
        let record =
            RecordVerifiedEmissions { year: YEAR, lines: vec![line], report: Digest::new([2; 32]) };
        let record = self.transaction(hubei, &people, record.into());
        self.block(vec![record]);
        let own = [entity_key(1)];
        let part = |tonnes| Surrender { year: YEAR, units: quantity(tonnes) };
        let first = self.transaction(entity(1), &own, part(300).into());
        let second = self.transaction(entity(1), &own, part(200).into());
        self.block(vec![first, second]);
        let (registry, people) = self.institution(0);
        let order = Digest::new([3; 32]);
        let range = SerialRange::inclusive(cea, 951, 1_000).unwrap();
        let freeze =
            Freeze { account: entity(1), units: Some(Selection::Ranges(vec![range])), order };
        let freeze = self.transaction(registry, &people, freeze.into());
        self.block(vec![freeze]);
        let unfreeze = Unfreeze { account: entity(1), order, lifted_by: Digest::new([4; 32]) };
        let unfreeze = self.transaction(registry, &people, unfreeze.into());
        self.block(vec![unfreeze]);
        let statement = Some(Digest::new([5; 32]));
        let cancel = Cancel { units: quantity(60), reason: CancelReason::Event, statement };
        let cancel = self.transaction(entity(1), &own, cancel.into());
        let id = cancel.id();
        self.block(vec![cancel]);
        self.block(vec![]);
        id
    }

    fn institution(&self, index: usize) -> (AccountId, Vec<SigningKey>) {
        (self.network.accounts[index].1, self.network.representatives[index].clone())
    }

    fn transaction(
        &self,
        account: AccountId,
        keys: &[SigningKey],
        payload: Payload,
    ) -> VerifiedTransaction {
        let body = TxBody {
            chain_id: self.network.genesis.chain_id(),
            account,
            signers: signer_list(keys.iter().map(public_key)),
            valid_until: BlockTime::from_millis(GENESIS_MILLIS + 3_600_000),
            salt: 1,
            payload,
        };
        let bytes = sign_all(body, keys).encode();
        VerifiedTransaction::verify(Transaction::decode(bytes).unwrap()).unwrap()
    }

    fn block(&mut self, transactions: Vec<VerifiedTransaction>) {
        let validators = self.state.validators().unwrap();
        let proposer = validators.members()[0].address();
        let time = self.state.tip.time.saturating_add_millis(1_000);
        let mut executor = BlockExecutor::new(&self.state, time, proposer).unwrap();
        for transaction in &transactions {
            executor.push(transaction).unwrap();
        }
        let (executed, bytes) = executor.finish().unwrap();
        let block = Block { header: executed.header.clone(), transactions: bytes };
        let certificate = self.certificate(block.header.id(), 4);
        self.blocks.push(StoredBlock {
            block: block.encode(),
            certificate: codec::encode(&certificate),
            receipts: executed.outcomes.iter().map(|one| codec::encode(&one.receipt)).collect(),
            events: executed
                .outcomes
                .iter()
                .map(|one| one.events.as_ref().map(codec::encode).unwrap_or_default())
                .collect(),
        });
        let first = self.entries.len() as u64;
        for (index, outcome) in (first..).zip(&executed.outcomes) {
            assert_eq!(outcome.events.is_none(), self.blocks.len() == 3 && index > first);
            self.events
                .extend(outcome.events.as_ref().map(|events| (index, codec::encode(events))));
        }
        self.nodes.extend(executed.log_nodes.iter().map(|one| ((one.level, one.index), one.hash)));
        self.entries.extend(executed.entries.iter().cloned());
        self.headers.push(executed.header.clone());
        commit_block(&mut self.state, executed).unwrap();
    }

    /// A proof file of the newest block.
    pub fn proof_file(&self, proof: impl FnOnce(Anchor) -> Proof) -> ProofFile {
        let header = self.headers.last().unwrap().clone();
        let certificate = self.certificate_at(header.height, header.id(), 3, header.chain_id);
        let proof = proof(Anchor { header, certificate });
        ProofFile { validators: ValidatorChain::default(), proof }
    }

    pub fn record(&self, key: &Key) -> RecordInclusion {
        RecordInclusion::of(&self.state, key).unwrap()
    }

    fn log_proof(&self, index: u64) -> LogProof {
        LogProof::read(self, index, self.headers.last().unwrap().log_size).unwrap()
    }

    /// An ordered transaction with the header of its block, which is not the newest.
    pub fn timed(&self, id: TxId) -> ProvenanceHop {
        let of = |entry: &Vec<u8>| match codec::decode(entry).unwrap() {
            LogEntry::Transaction { receipt, .. } => Some(receipt),
            LogEntry::Header(_) => None,
        };
        let mut found = (0..).zip(&self.entries).filter_map(|(index, entry)| {
            of(entry).filter(|receipt| receipt.tx_id == id).map(|receipt| (index, receipt.height))
        });
        let (index, height): (u64, Height) = found.next().unwrap();
        let entry = |index: u64| self.entries[usize::try_from(index).unwrap()].clone();
        let receipt = ReceiptInclusion {
            entry: entry(index),
            log: self.log_proof(index),
            events: self.events.get(&index).cloned(),
        };
        let header = &self.headers[usize::try_from(height.get()).unwrap().saturating_sub(1)];
        let log = self.log_proof(header.log_size);
        ProvenanceHop {
            receipt,
            block: Some(BlockInclusion { entry: entry(header.log_size), log }),
        }
    }

    /// Every transaction that moved a unit, with the header of its block.
    pub fn hops_of(&self, serial: &Serial) -> Vec<ProvenanceHop> {
        let moved = self.events.iter().filter(|(_, bytes)| {
            let record: EventRecord = codec::decode(bytes).unwrap();
            record.effects.units.iter().any(|moved| moved.range.contains(serial))
        });
        let hops = moved.map(|(index, _)| {
            let entry = &self.entries[usize::try_from(*index).unwrap()];
            let LogEntry::Transaction { receipt, .. } = codec::decode(entry).unwrap() else {
                panic!("an event of a header")
            };
            self.timed(receipt.tx_id)
        });
        hops.collect()
    }

    /// Key of the record that holds a unit.
    pub fn range_of(&self, serial: &Serial) -> Key {
        let found = self.state.view().range_at(&serial.instrument, serial.number).unwrap();
        keys::unit_range(&serial.instrument, found.unwrap().0.start())
    }

    /// The newest checkpoint with so many cosignatures, and the policy.
    pub fn cosigned_checkpoint(&self, count: usize) -> (Note, Policy) {
        let genesis = &self.network.genesis;
        let origin = origin(&genesis.network, genesis.chain_id());
        let validators = self.state.validators().unwrap();
        let checkpoint = Checkpoint::of(origin.clone(), &self.state.log);
        let note = checkpoint.to_string();
        let seconds = self.state.tip.time.as_millis() / 1_000;
        let mut lines = Vec::new();
        for path in self.network.nodes.iter().take(count).map(|node| &node.config_path) {
            let path = path.with_file_name("cosigner.pem");
            let text = read_key_text(&path).unwrap();
            let key = decrypt_key(&text, &self.network.passphrase).unwrap();
            let public = PublicKey::new(key.verifying_key().to_bytes());
            let members = validators.members();
            let member = members.iter().find(|one| one.cosigner_key == public).unwrap();
            let signature = key.sign(&cosignature_message(&note, seconds)).to_bytes();
            let bytes = [seconds.to_be_bytes().as_slice(), &signature].concat();
            lines.push(NoteSignature::by(&witness_key(&origin, member).unwrap(), bytes));
            let bytes = key.sign(note.as_bytes()).to_bytes().to_vec();
            lines.push(NoteSignature::by(&log_key(&origin, member).unwrap(), bytes));
        }
        let policy = Policy::of_validators(&origin, &validators).unwrap();
        (Note::new(note, lines).unwrap(), policy)
    }

    /// Every range of entity 1 and where it is.
    pub fn ranges(&self) -> Vec<(Key, UnitPlace)> {
        let cea = Instrument::Cea(YEAR);
        let prefix = keys::unit_ranges(&cea);
        let found = self.state.records_of(&prefix, None).map(|(key, record)| {
            let range: UnitRange = codec::decode(&record.value).unwrap();
            let Some(KeyParts::UnitRange(_, start)) = KeyParts::of(&key) else { panic!() };
            (keys::unit_range(&cea, start), range.place)
        });
        found.filter(|(_, place)| place.holder == entity(1)).collect()
    }

    /// A certificate for a block at the next height, signed by so many validators.
    pub fn certificate(&self, block_id: BlockId, signers: usize) -> Certificate {
        let chain = self.network.genesis.chain_id();
        let height = self.state.tip.height.next();
        self.certificate_at(height, block_id, signers, chain)
    }

    fn certificate_at(
        &self,
        height: cets_contracts::types::Height,
        block_id: BlockId,
        signers: usize,
        chain: cets_contracts::types::ChainId,
    ) -> Certificate {
        let message = vote_sign_bytes(chain, VoteStep::Precommit, height, 0, Some(block_id));
        let validators = self.state.validators().unwrap();
        let signatures = self.consensus.iter().take(signers).map(|key| {
            let public = PublicKey::new(key.verifying_key().to_bytes());
            let validator =
                validators.members().iter().find(|one| one.consensus_key == public).unwrap();
            CommitSignature {
                validator: validator.address(),
                signature: Signature::new(key.sign(&message).to_bytes()),
            }
        });
        Certificate { height, round: 0, block_id, signatures: signatures.collect() }
    }

    /// Signs the certificate of a stored block anew with fewer validators.
    pub fn shorten_certificate(&self, index: usize, signers: usize) -> StoredBlock {
        let stored = self.blocks[index].clone();
        let header = Block::decode(&stored.block).unwrap().header;
        let certificate = self.certificate_at(header.height, header.id(), signers, header.chain_id);
        StoredBlock { certificate: codec::encode(&certificate), ..stored }
    }

    /// A block that differs from a stored one in its time alone, certified by so many validators:
    /// the other side of a fork.
    pub fn forked(&self, index: usize, signers: usize) -> StoredBlock {
        let stored = self.blocks[index].clone();
        let mut block = Block::decode(&stored.block).unwrap();
        block.header.time = block.header.time.saturating_add_millis(1);
        let header = &block.header;
        let certificate = self.certificate_at(header.height, header.id(), signers, header.chain_id);
        StoredBlock { block: block.encode(), certificate: codec::encode(&certificate), ..stored }
    }

    pub fn records(&self) -> Vec<HistoryRecord> {
        let records = self.state.committed_records().map(|(key, record)| HistoryRecord {
            key: key.to_vec(),
            slot: record.slot.map(Slot::get),
            value: record.value.to_vec(),
        });
        records.collect()
    }

    /// The genesis document as the history carries it.
    pub fn genesis_json(&self) -> String {
        serde_json::to_string(&self.network.genesis).unwrap()
    }

    /// The history as a file holds it.
    pub fn history(&self, blocks: &[StoredBlock], records: Vec<HistoryRecord>) -> Vec<u8> {
        let genesis = serde_json::to_string(&self.network.genesis).unwrap();
        let mut bytes = HISTORY_MAGIC.to_vec();
        bytes.extend(Frame::Genesis(genesis).encode());
        for block in blocks {
            bytes.extend(Frame::Block(block.clone()).encode());
        }
        if !records.is_empty() {
            bytes.extend(Frame::Records(records).encode());
        }
        bytes.extend(Frame::End(self.state.tip.height).encode());
        bytes
    }
}

fn open_two() -> OpenAccount {
    let mut order = OpenAccount::example();
    let example = order.accounts.pop().unwrap();
    let codes = ["91350100M000100Y43", "91110000000000001X"];
    for (entity, body) in (1u8..).zip(codes) {
        let mut code: [u8; 18] = body.as_bytes().try_into().unwrap();
        code[17] = CreditCode::check_character(&code[..17]).unwrap();
        let key = PublicKey::new(entity_key(entity).verifying_key().to_bytes());
        order.accounts.push(NewAccount {
            name: format!("Entity {entity}"),
            credit_code: CreditCode::new(code).unwrap(),
            representatives: vec![Representative { key, right: Right::InitiateAndApprove }],
            thresholds: Thresholds::uniform(1),
            ..example.clone()
        });
    }
    order
}
