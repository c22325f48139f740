//! A ledger of a few blocks, made in memory by the executor and signed by four validators.

use std::path::Path;

use cets_cli::keys::{decrypt_key, read_key_text};
use cets_cli::network::{Network, NetworkPlan, write_network};
use cets_cli::orders::sign;
use cets_contracts::audit::{Frame, HISTORY_MAGIC, HistoryRecord, StoredBlock};
use cets_contracts::block::{
    Block, BlockExecutor, Certificate, CommitSignature, VoteStep, commit_block, vote_sign_bytes,
};
use cets_contracts::codec;
use cets_contracts::genesis::{ClockRule, GenesisParameter};
use cets_contracts::rules::accounts::open_account::{NewAccount, OpenAccount};
use cets_contracts::rules::allowances::issue::{Issue, IssueLine};
use cets_contracts::rules::allowances::transfer::Transfer;
use cets_contracts::rules::{Payload, Rule as _};
use cets_contracts::state::{CreditCode, ParameterName, State};
use cets_contracts::tree::Slot;
use cets_contracts::tx::{SignedTransaction, Transaction, TxBody, VerifiedTransaction};
use cets_contracts::types::{
    AccountId, BlockId, BlockTime, Digest, Instrument, PublicKey, Representative, Right, Role,
    Selection, Signature, Thresholds, Tonnes, Vintage,
};
use ed25519_dalek::{Signer, SigningKey};

/// Genesis time of the ledger in milliseconds.
const GENESIS_MILLIS: u64 = 1_626_393_600_000;

pub struct SmallLedger {
    pub network: Network,
    pub blocks: Vec<StoredBlock>,
    consensus: Vec<SigningKey>,
    state: State,
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
        parameters: vec![GenesisParameter {
            name: ParameterName::IssueCap,
            year: None,
            valid_from: business_date,
            value: 10_000_000_000,
            article: "test".to_owned(),
        }],
        host: "127.0.0.1".parse().unwrap(),
        base_port: Some(27_000),
        passphrase: None,
    }
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
        let mut ledger = Self { network, blocks: Vec::new(), consensus, state };
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

    fn transaction(
        &self,
        account: AccountId,
        keys: &[SigningKey],
        payload: Payload,
    ) -> VerifiedTransaction {
        let body = TxBody {
            chain_id: self.network.genesis.chain_id(),
            account,
            valid_until: BlockTime::from_millis(GENESIS_MILLIS + 3_600_000),
            salt: 1,
            payload,
        };
        let signatures = keys.iter().map(|key| sign(&body, key)).collect();
        let bytes = SignedTransaction { body, signatures }.encode();
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
        commit_block(&mut self.state, executed).unwrap();
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

    pub fn records(&self) -> Vec<HistoryRecord> {
        let records = self.state.records().map(|(key, record)| HistoryRecord {
            key: key.to_vec(),
            slot: record.slot.map(Slot::get),
            value: record.value.clone(),
        });
        records.collect()
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
