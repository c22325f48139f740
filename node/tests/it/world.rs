//! A small market: a registry, holders, validators, and ledgers to drive without an engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cets_consensus::{BlockSource, BlockVerdict, BuildLimits, Ledger, ProposedBlock};
use cets_contracts::block::{Certificate, CommitSignature, Validator, VoteStep, vote_sign_bytes};
use cets_contracts::genesis::{ClockRule, Genesis, GenesisAccount, GenesisParameter};
use cets_contracts::rules::Payload;
use cets_contracts::rules::allowances::issue::{Issue, IssueLine};
use cets_contracts::rules::allowances::transfer::Transfer;
use cets_contracts::state::ParameterName;
use cets_contracts::tx::{SignedTransaction, TxBody, signer_list};
use cets_contracts::types::{
    AccountId, BlockId, BlockTime, Digest, Height, Instrument, PublicKey, Representative, Right,
    Role, Selection, Signature, StateRoot, Thresholds, Tonnes, ValidatorAddress, Vintage,
};
use cets_node::checkpoints::Checkpoints;
use cets_node::clock::SetClock;
use cets_node::ledger::{LedgerSettings, NodeLedger};
use cets_node::mempool::{Fresh, Mempool, MempoolLimits};
use cets_node::read::Reader;
use cets_node::store::Store;
use cets_node::{Health, NodeHandle, NodeParts};
use ed25519_dalek::{Signer as _, SigningKey};

/// 2021-07-16 08:00 in UTC+8, the first trading day.
pub const START: u64 = 1_626_393_600_000;
pub const VALIDATORS: u8 = 4;
pub const HOLDERS: u64 = 6;

pub fn key(kind: u8, number: u8) -> SigningKey {
    SigningKey::from_bytes(&[
        kind, number, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
        7, 7, 7, 7,
    ])
}

pub fn public(key: &SigningKey) -> PublicKey {
    PublicKey::new(key.verifying_key().to_bytes())
}

pub fn consensus_key(number: u8) -> SigningKey {
    key(1, number)
}

pub fn registry_keys() -> [SigningKey; 2] {
    [key(2, 0), key(2, 1)]
}

pub fn registry() -> AccountId {
    AccountId::new(Role::Registry, 1).unwrap()
}

pub fn holder(number: u64) -> AccountId {
    AccountId::new(Role::KeyEmittingEntity, number).unwrap()
}

pub fn holder_key(number: u64) -> SigningKey {
    key(3, number as u8)
}

pub fn instrument() -> Instrument {
    Instrument::Cea(Vintage::new(2021).unwrap())
}

pub fn genesis_at(time: u64) -> Genesis {
    let person =
        |key: &SigningKey| Representative { key: public(key), right: Right::InitiateAndApprove };
    let account = |role, name: String, keys: &[SigningKey]| GenesisAccount {
        role,
        name,
        credit_code: None,
        province: None,
        representatives: keys.iter().map(person).collect(),
        thresholds: Thresholds::uniform(1),
    };
    let mut accounts = vec![account(Role::Registry, "Registry".into(), &registry_keys())];
    accounts.extend((1..=HOLDERS).map(|number| {
        account(Role::KeyEmittingEntity, format!("Plant {number}"), &[holder_key(number)])
    }));
    Genesis {
        network: "test".into(),
        time: BlockTime::from_millis(time),
        business_date: BlockTime::from_millis(time).civil_date(),
        clock: ClockRule::ByOrder,
        block_interval_millis: 0,
        validators: (0..VALIDATORS)
            .map(|number| Validator {
                name: format!("validator-{number}"),
                consensus_key: public(&consensus_key(number)),
                cosigner_key: public(&key(4, number)),
                power: 1,
            })
            .collect(),
        accounts,
        parameters: vec![GenesisParameter {
            name: ParameterName::IssueCap,
            year: Some(Vintage::new(2021).unwrap()),
            valid_from: "2021-01-01".parse().unwrap(),
            value: 5_000_000_000,
            article: "test".into(),
        }],
    }
}

pub fn genesis() -> Genesis {
    genesis_at(START)
}

/// A body with the signatures of these people, whom it lists.
pub fn sign(body: TxBody, keys: &[SigningKey]) -> Vec<u8> {
    let body = TxBody { signers: signer_list(keys.iter().map(public)), ..body };
    SignedTransaction::new(body, |signer, message| {
        let key = keys.iter().find(|key| public(key) == *signer).unwrap();
        Signature::new(key.sign(message).to_bytes())
    })
    .encode()
}

/// A body valid for an hour after a time; whoever signs is listed then.
pub fn body(
    genesis: &Genesis,
    now: u64,
    account: AccountId,
    salt: u64,
    payload: Payload,
) -> TxBody {
    let valid_until = BlockTime::from_millis(now + 3_600_000);
    TxBody {
        chain_id: genesis.chain_id(),
        account,
        signers: Vec::new(),
        valid_until,
        salt,
        payload,
    }
}

pub fn issue(genesis: &Genesis, now: u64, salt: u64, lines: &[(u64, u64)]) -> Vec<u8> {
    let lines = lines
        .iter()
        .map(|(to, tonnes)| IssueLine { account: holder(*to), tonnes: Tonnes::new(*tonnes) })
        .collect();
    let vintage = Vintage::new(2021).unwrap();
    let order = Issue { vintage, lines, document: Digest::new([1; 32]) };
    sign(body(genesis, now, registry(), salt, order.into()), &registry_keys())
}

pub fn transfer_of(
    genesis: &Genesis,
    now: u64,
    salt: u64,
    from: u64,
    to: u64,
    units: Selection,
) -> Vec<u8> {
    let order = Transfer { to: holder(to), units };
    sign(body(genesis, now, holder(from), salt, order.into()), &[holder_key(from)])
}

pub fn transfer(
    genesis: &Genesis,
    now: u64,
    salt: u64,
    from: u64,
    to: u64,
    tonnes: u64,
) -> Vec<u8> {
    let units = Selection::Quantity { instrument: instrument(), tonnes: Tonnes::new(tonnes) };
    transfer_of(genesis, now, salt, from, to, units)
}

/// A certificate signed by all validators.
pub fn certify(genesis: &Genesis, height: Height, block_id: BlockId) -> Certificate {
    let chain_id = genesis.chain_id();
    let message = vote_sign_bytes(chain_id, VoteStep::Precommit, height, 0, Some(block_id));
    let signatures = (0..VALIDATORS)
        .map(|number| CommitSignature {
            validator: address(genesis, number),
            signature: Signature::new(consensus_key(number).sign(&message).to_bytes()),
        })
        .collect();
    Certificate { height, round: 0, block_id, signatures }
}

pub fn address(genesis: &Genesis, number: u8) -> ValidatorAddress {
    genesis.validators[usize::from(number)].address()
}

/// A ledger without an engine, opened on a folder.
pub struct Desk {
    pub genesis: Genesis,
    pub clock: SetClock,
    pub store: Store,
    pub ledger: NodeLedger,
    pub handle: NodeHandle,
    pub mempool: Mempool,
    pub fresh: Fresh,
    pub folder: PathBuf,
    number: u8,
}

impl Desk {
    pub fn open(folder: &Path, number: u8) -> Self {
        Self::open_with(folder, number, MempoolLimits::default())
    }

    pub fn open_with(folder: &Path, number: u8, limits: MempoolLimits) -> Self {
        Self::open_of(genesis(), folder, number, limits)
    }

    /// Opens a ledger of another genesis.
    pub fn open_of(genesis: Genesis, folder: &Path, number: u8, limits: MempoolLimits) -> Self {
        let clock = SetClock::new(BlockTime::from_millis(START + 1_000));
        let store = Store::open(folder).unwrap();
        let state = NodeLedger::load(&store, &genesis).unwrap();
        let shared: Arc<SetClock> = Arc::new(clock.clone());
        let (mempool, fresh) = Mempool::start(limits, state.clone(), shared.clone(), 2).unwrap();
        let ledger = NodeLedger::new(
            LedgerSettings::default(),
            &genesis,
            store.clone(),
            state.clone(),
            mempool.clone(),
            shared.clone(),
        )
        .unwrap();
        let checkpoints = Checkpoints::open(store.clone(), state.clone(), &genesis).unwrap();
        let handle = NodeHandle::new(NodeParts {
            node_name: format!("desk-{number}"),
            genesis: genesis.clone(),
            reader: Reader::new(store.clone(), state),
            checkpoints,
            mempool: mempool.clone(),
            commits: ledger.commits(),
            clock: shared,
            health: Health::default(),
        })
        .unwrap();
        let folder = folder.to_owned();
        Self { genesis, clock, store, ledger, handle, mempool, fresh, folder, number }
    }

    /// Closes everything and opens the folder again, as after a crash.
    pub fn reopen(self) -> Self {
        let (folder, number) = (self.folder.clone(), self.number);
        drop(self);
        Self::open(&folder, number)
    }

    pub fn now(&self) -> u64 {
        cets_node::clock::Clock::now(&self.clock).as_millis()
    }

    pub fn reader(&self) -> &Reader {
        self.handle.reader()
    }

    pub fn next(&self) -> Height {
        self.ledger.tip().unwrap().next()
    }

    pub fn root(&self) -> StateRoot {
        self.reader().tip().unwrap().state_root
    }

    pub fn propose(&self) -> ProposedBlock {
        let proposer = address(&self.genesis, self.number);
        self.ledger.propose(self.next(), 0, proposer, BuildLimits::NO_WAITING).unwrap()
    }

    pub fn judge(&self, from: &Self, block: &ProposedBlock) -> BlockVerdict {
        let proposer = address(&self.genesis, from.number);
        let source = BlockSource::Proposal { proposer };
        self.ledger.validate(self.next(), 0, source, block.bytes.clone()).unwrap()
    }

    pub fn certificate(&self, block: &ProposedBlock) -> Certificate {
        certify(&self.genesis, self.next(), block.id)
    }

    /// Proposes what waits and commits it here and on the others.
    pub fn decide(&self, others: &[&Self]) -> ProposedBlock {
        let block = self.propose();
        let certificate = self.certificate(&block);
        for other in others {
            other.clock.set(cets_node::clock::Clock::now(&self.clock));
            assert_eq!(other.judge(self, &block), BlockVerdict::Valid { id: block.id });
            other.ledger.commit(&certificate).unwrap();
        }
        self.ledger.commit(&certificate).unwrap();
        self.clock.advance(10);
        block
    }

    /// Submits and expects all to be taken.
    pub async fn submit(&self, transactions: Vec<Vec<u8>>) {
        for verdict in self.handle.submit_batch(transactions).await {
            verdict.unwrap();
        }
    }

    /// Tonnes that a holder has free, from the account record.
    pub fn free(&self, number: u64) -> u64 {
        let account = self.reader().account(holder(number)).unwrap().answer.unwrap();
        account.total(instrument(), cets_contracts::state::StatusKind::Free).get()
    }
}

/// Issues to the first two holders on all ledgers.
pub async fn issued(desk: &Desk, others: &[&Desk]) {
    let order = issue(&desk.genesis, desk.now(), 0, &[(1, 10_000), (2, 5_000)]);
    desk.submit(vec![order]).await;
    desk.decide(others);
    assert_eq!(desk.free(1), 10_000);
}
