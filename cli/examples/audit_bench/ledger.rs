//! A ledger of many signed transfers, made quickly and always the same.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use cets_cli::orders::{public_key, sign_all};
use cets_contracts::audit::{Frame, HISTORY_MAGIC, HistoryRecord, StoredBlock};
use cets_contracts::block::{
    Block, BlockExecutor, Certificate, CommitSignature, Validator, VoteStep, commit_block,
    vote_sign_bytes,
};
use cets_contracts::codec;
use cets_contracts::genesis::{ClockRule, Genesis, GenesisAccount, GenesisParameter};
use cets_contracts::rules::Payload;
use cets_contracts::rules::allowances::issue::{Issue, IssueLine};
use cets_contracts::rules::allowances::transfer::Transfer;
use cets_contracts::state::{ParameterName, State};
use cets_contracts::tree::Slot;
use cets_contracts::tx::{Transaction, TxBody, VerifiedTransaction, signer_list};
use cets_contracts::types::{
    AccountId, BlockId, BlockTime, Digest, Instrument, Representative, Right, Role, Selection,
    Signature, Thresholds, Tonnes, Vintage,
};
use ed25519_dalek::{Signer as _, SigningKey};
use rayon::prelude::*;

/// 2021-07-16 08:00 in UTC+8.
const START_MILLIS: u64 = 1_626_393_600_000;
const HOLDERS: u64 = 990;
const TONNES_EACH: u64 = 2_000_000;
/// Life of a transaction, as `cets transfer` sets it.
const LIFE_MILLIS: u64 = 600_000;

fn key(kind: u8, number: u64) -> SigningKey {
    let mut seed = [kind; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    SigningKey::from_bytes(&seed)
}

fn holder(number: u64) -> AccountId {
    AccountId::new(Role::KeyEmittingEntity, number).unwrap()
}

fn vintage() -> Vintage {
    Vintage::new(2021).unwrap()
}

/// Four validators, a registry and holders.
pub fn genesis() -> Genesis {
    let account = |role, name: String, keys: &[SigningKey]| GenesisAccount {
        role,
        name,
        credit_code: None,
        province: None,
        representatives: keys
            .iter()
            .map(|key| Representative { key: public_key(key), right: Right::InitiateAndApprove })
            .collect(),
        thresholds: Thresholds::uniform(1),
    };
    let mut accounts = vec![account(Role::Registry, "Registry".into(), &[key(2, 0), key(2, 1)])];
    accounts.extend((1..=HOLDERS).map(|number| {
        account(Role::KeyEmittingEntity, format!("Plant {number}"), &[key(3, number)])
    }));
    let validator = |number| Validator {
        name: format!("validator-{number}"),
        consensus_key: public_key(&key(1, number)),
        cosigner_key: public_key(&key(4, number)),
        power: 1,
    };
    Genesis {
        network: "audit bench".into(),
        time: BlockTime::from_millis(START_MILLIS),
        business_date: BlockTime::from_millis(START_MILLIS).civil_date(),
        clock: ClockRule::ByOrder,
        block_interval_millis: 0,
        validators: (0..4).map(validator).collect(),
        accounts,
        parameters: vec![GenesisParameter {
            name: ParameterName::IssueCap,
            year: Some(vintage()),
            valid_from: "2021-01-01".parse().unwrap(),
            value: 5_000_000_000,
            article: "bench".into(),
        }],
    }
}

struct Order {
    account: AccountId,
    keys: Vec<SigningKey>,
    payload: Payload,
    salt: u64,
}

/// A number that looks random and is the same on every machine (SplitMix64).
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Nine of ten transfers deliver units of an allocation, one of ten passes received ones back.
///
/// Units that circulate at random would fall into single tonnes and a transfer would move dozens
/// of ranges; an allocation that is delivered in lots, as compliance entities do, does not.
fn transfer(number: u64) -> Order {
    let random = mixed(number);
    let (half, back) = (HOLDERS / 2, number % 10 == 9);
    let giver = 1 + random % half;
    let taker = 1 + half + (random >> 16) % half;
    let (from, to) = if back { (taker, giver) } else { (giver, taker) };
    let tonnes = Tonnes::new(if back { 1 } else { 1 + (random >> 40) % 100 });
    let units = Selection::Quantity { instrument: Instrument::Cea(vintage()), tonnes };
    Order {
        account: holder(from),
        keys: vec![key(3, from)],
        payload: Transfer { to: holder(to), units }.into(),
        salt: number,
    }
}

fn issue() -> Order {
    let lines = (1..=HOLDERS)
        .map(|to| IssueLine { account: holder(to), tonnes: Tonnes::new(TONNES_EACH) })
        .collect();
    Order {
        account: AccountId::new(Role::Registry, 1).unwrap(),
        keys: vec![key(2, 0), key(2, 1)],
        payload: Issue { vintage: vintage(), lines, document: Digest::new([1; 32]) }.into(),
        salt: 0,
    }
}

/// Makes and signs blocks and writes them as an exported history.
pub struct Maker {
    state: State,
    file: BufWriter<File>,
    refused: u64,
}

impl Maker {
    /// Starts a history in a file.
    pub fn start(path: &Path) -> Self {
        let genesis = genesis();
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
        file.write_all(HISTORY_MAGIC).unwrap();
        let json = serde_json::to_string(&genesis).unwrap();
        file.write_all(&Frame::Genesis(json).encode()).unwrap();
        Self { state: genesis.state().unwrap(), file, refused: 0 }
    }

    /// A block that issues to every holder, then blocks of transfers.
    pub fn write_all(mut self, transfers: u64, per_block: u64) {
        self.block(vec![issue()]);
        let mut next = 0;
        while next < transfers {
            let end = transfers.min(next + per_block);
            self.block((next..end).map(transfer).collect());
            next = end;
        }
        self.finish();
    }

    fn block(&mut self, orders: Vec<Order>) {
        let (chain_id, time) = (self.state.tip.chain_id, self.state.tip.time);
        let valid_until = time.saturating_add_millis(LIFE_MILLIS);
        let signed: Vec<VerifiedTransaction> = orders
            .into_par_iter()
            .map(|Order { account, keys, payload, salt }| {
                let signers = signer_list(keys.iter().map(public_key));
                let body = TxBody { chain_id, account, signers, valid_until, salt, payload };
                let bytes = sign_all(body, &keys).encode();
                VerifiedTransaction::assume_verified(Transaction::decode(bytes).unwrap())
            })
            .collect();
        let proposer = self.state.validators().unwrap().members()[0].address();
        let time = time.saturating_add_millis(1_000);
        let mut executor = BlockExecutor::new(&self.state, time, proposer).unwrap();
        for transaction in &signed {
            let outcome = executor.push(transaction).unwrap();
            self.refused += u64::from(!outcome.receipt.outcome.is_accepted());
        }
        let (executed, transactions) = executor.finish().unwrap();
        let block = Block { header: executed.header.clone(), transactions };
        let outcomes = &executed.outcomes;
        let stored = StoredBlock {
            certificate: codec::encode(&self.certificate(block.header.id())),
            block: block.encode(),
            receipts: outcomes.iter().map(|one| codec::encode(&one.receipt)).collect(),
            events: outcomes
                .iter()
                .map(|one| one.events.as_ref().map(codec::encode).unwrap_or_default())
                .collect(),
        };
        self.file.write_all(&Frame::Block(stored).encode()).unwrap();
        commit_block(&mut self.state, executed).unwrap();
    }

    fn certificate(&self, block_id: BlockId) -> Certificate {
        let height = self.state.tip.height.next();
        let chain_id = self.state.tip.chain_id;
        let message = vote_sign_bytes(chain_id, VoteStep::Precommit, height, 0, Some(block_id));
        let validators = self.state.validators().unwrap();
        let sign = |number| {
            let key = key(1, number);
            let mut members = validators.members().iter();
            let member = members.find(|member| member.consensus_key == public_key(&key)).unwrap();
            let signature = Signature::new(key.sign(&message).to_bytes());
            CommitSignature { validator: member.address(), signature }
        };
        Certificate { height, round: 0, block_id, signatures: (0..3).map(sign).collect() }
    }

    fn finish(mut self) {
        let records: Vec<HistoryRecord> = self
            .state
            .committed_records()
            .map(|(key, record)| HistoryRecord {
                key: key.to_vec(),
                slot: record.slot.map(Slot::get),
                value: record.value.to_vec(),
            })
            .collect();
        for chunk in records.chunks(4_096) {
            self.file.write_all(&Frame::Records(chunk.to_vec()).encode()).unwrap();
        }
        self.file.write_all(&Frame::End(self.state.tip.height).encode()).unwrap();
        self.file.flush().unwrap();
        println!("{} records at the end, {} transfers refused", records.len(), self.refused);
    }
}
