//! A small market: institutions of genesis, four holders, units, money and obligations.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use cets_api::{FinalTransaction, SubmitAndWaitRequest};
use cets_contracts::block::{LogEntry, Outcome, Validator};
use cets_contracts::codec;
use cets_contracts::genesis::{ClockRule, Genesis, GenesisAccount, GenesisParameter};
use cets_contracts::rules::Payload;
use cets_contracts::rules::accounts::open_account::{NewAccount, OpenAccount};
use cets_contracts::rules::allowances::issue::{Issue, IssueLine};
use cets_contracts::rules::allowances::transfer::Transfer;
use cets_contracts::rules::compliance::record_verified_emissions::{
    EmissionLine, RecordVerifiedEmissions,
};
use cets_contracts::rules::governance::propose::Propose;
use cets_contracts::rules::reductions::issue_ccer::{IssueCcer, IssueCcerLine};
use cets_contracts::rules::reductions::register_project::RegisterProject;
use cets_contracts::rules::settlement::confirm_funds::{ConfirmFunds, FundDirection, FundLine};
use cets_contracts::rules::settlement::settle_trades::{SettleTrades, Trade, TradeMethod};
use cets_contracts::state::{CreditCode, ParameterName};
use cets_contracts::tx::{SignedTransaction, TxBody, signer_list};
use cets_contracts::types::{
    AccountId, BlockTime, BusinessDate, ChainId, Digest, Fen, Instrument, ProvinceCode,
    Representative, Right, Role, Selection, Signature, Thresholds, Tonnes, Vintage,
};
use ed25519_dalek::Signer as _;

use super::rpc_network::{Client, Network, START, VALIDATOR, public, secret};

/// Seeds of the representatives of each account: one initiates, one approves, one only reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    pub account: AccountId,
    pub seed: u8,
}

impl Party {
    fn new(role: Role, number: u64, seed: u8) -> Self {
        Self { account: AccountId::new(role, number).unwrap(), seed }
    }

    /// Seeds of the two who act.
    pub fn people(&self) -> [u8; 2] {
        [self.seed, self.seed + 1]
    }

    /// Seed of the one who only reads.
    pub fn reader(&self) -> u8 {
        self.seed + 2
    }

    fn representatives(&self) -> Vec<Representative> {
        let person = |seed, right| Representative { key: public(seed), right };
        vec![
            person(self.seed, Right::InitiateAndApprove),
            person(self.seed + 1, Right::InitiateAndApprove),
            person(self.seed + 2, Right::Read),
        ]
    }
}

/// Who takes part.
pub struct Market {
    pub network: Network,
    pub ministry: Party,
    pub registry: Party,
    pub exchange: Party,
    pub ccer_registry: Party,
    pub settlement: Party,
    pub hubei: Party,
    pub hebei: Party,
    pub auditor: Party,
    /// Key emitting entity in Hubei: 10,000 t due, of which 5 % may be offset.
    pub mill: Party,
    /// Key emitting entity in Hebei; two people must sign a transfer.
    pub plant: Party,
    /// Another trading entity in Hubei.
    pub trader: Party,
    /// Owner of a project.
    pub owner: Party,
}

pub const YEAR: u16 = 2021;
/// Units issued to the mill and to the plant.
pub const ISSUED: u64 = 20_000;
/// Owed by the mill.
pub const DUE: u64 = 10_000;
/// Transferred from the mill to the trader at the start.
pub const TRADED_BY_TRANSFER: u64 = 1_000;

pub fn year() -> Vintage {
    Vintage::new(YEAR).unwrap()
}

pub fn cea() -> Instrument {
    Instrument::Cea(year())
}

pub fn ccer() -> Instrument {
    Instrument::Ccer("A210008".parse().unwrap(), year())
}

pub fn digest(seed: u8) -> Digest {
    Digest::new([seed; 32])
}

pub fn quantity(instrument: Instrument, tonnes: u64) -> Selection {
    Selection::Quantity { instrument, tonnes: Tonnes::new(tonnes) }
}

pub fn today() -> BusinessDate {
    "2022-06-01".parse().unwrap()
}

fn province(code: u8) -> ProvinceCode {
    ProvinceCode::new(code).unwrap()
}

fn credit_code(number: u8) -> CreditCode {
    let mut bytes = *b"91420000MA00000000";
    bytes[16] = CreditCode::ALPHABET[usize::from(number)];
    bytes[17] = CreditCode::check_character(&bytes[..17]).unwrap();
    CreditCode::new(bytes).unwrap()
}

fn parameters() -> Vec<GenesisParameter> {
    let days = |date: &str| i64::from(date.parse::<BusinessDate>().unwrap().as_days());
    let values = BTreeMap::from([
        (ParameterName::OffsetCap, 500),
        (ParameterName::IssueCap, 1_000_000),
        (ParameterName::BlockTradeMin, 100_000),
        (ParameterName::OffsetRegisteredFrom, days("2012-01-01")),
        (ParameterName::OffsetRegisteredUntil, days("2025-12-31")),
        (ParameterName::SurrenderVintageMin, 1_920),
        (ParameterName::SurrenderVintageMax, i64::from(YEAR)),
    ]);
    let one = |(name, value): (ParameterName, i64)| GenesisParameter {
        name,
        year: None,
        valid_from: "2021-01-01".parse().unwrap(),
        value,
        article: name.article().to_owned(),
    };
    values.into_iter().map(one).collect()
}

fn genesis_account(party: Party, name: &str, governs: Option<u8>) -> GenesisAccount {
    GenesisAccount {
        role: party.account.role(),
        name: name.to_owned(),
        credit_code: None,
        province: governs.map(province),
        representatives: party.representatives(),
        thresholds: Thresholds::uniform(1),
    }
}

impl Market {
    /// Starts the network and fills the ledger through the interface.
    pub async fn open() -> Self {
        Self::open_on(Network::start).await
    }

    pub async fn open_on<F: Future<Output = Network>>(start: impl FnOnce(Genesis) -> F) -> Self {
        let party = Party::new;
        let (ministry, registry) = (party(Role::Ministry, 1, 1), party(Role::Registry, 1, 5));
        let (exchange, ccer_registry) =
            (party(Role::Exchange, 1, 9), party(Role::CcerRegistry, 1, 13));
        let (settlement, auditor) = (party(Role::Settlement, 1, 17), party(Role::Auditor, 1, 21));
        let (hubei, hebei) = (party(Role::Province, 1, 25), party(Role::Province, 2, 29));
        let genesis = Genesis {
            network: "test market".to_owned(),
            time: START,
            business_date: today(),
            clock: ClockRule::ByOrder,
            block_interval_millis: 0,
            validators: vec![validator()],
            accounts: vec![
                genesis_account(ministry, "Ministry", None),
                genesis_account(registry, "Registry", None),
                genesis_account(exchange, "Exchange", None),
                genesis_account(ccer_registry, "CCER registry", None),
                genesis_account(settlement, "Settlement", None),
                genesis_account(auditor, "Auditor", None),
                genesis_account(hubei, "Hubei", Some(42)),
                genesis_account(hebei, "Hebei", Some(13)),
            ],
            parameters: parameters(),
        };
        let market = Self {
            network: start(genesis).await,
            ministry,
            registry,
            exchange,
            ccer_registry,
            settlement,
            hubei,
            hebei,
            auditor,
            mill: party(Role::KeyEmittingEntity, 1, 33),
            plant: party(Role::KeyEmittingEntity, 2, 37),
            trader: party(Role::Trader, 1, 41),
            owner: party(Role::ProjectOwner, 1, 45),
        };
        market.open_accounts().await;
        market.fill().await;
        market
    }

    async fn open_accounts(&self) {
        let line = |party: Party, name: &str, code: u8, transfer: u8, number: u8| NewAccount {
            role: party.account.role(),
            name: name.to_owned(),
            credit_code: credit_code(number),
            province: province(code),
            representatives: party.representatives(),
            thresholds: Thresholds { transfer, ..Thresholds::uniform(1) },
            material: digest(number),
        };
        let accounts = vec![
            line(self.mill, "Mill", 42, 1, 1),
            line(self.plant, "Plant", 13, 2, 2),
            line(self.trader, "Trader", 42, 1, 3),
        ];
        self.must(self.registry, OpenAccount { accounts }).await;
        let accounts = vec![line(self.owner, "Owner", 42, 1, 4)];
        self.must(self.ccer_registry, OpenAccount { accounts }).await;
    }

    async fn fill(&self) {
        let line = |party: Party| IssueLine { account: party.account, tonnes: Tonnes::new(ISSUED) };
        let lines = vec![line(self.mill), line(self.plant)];
        self.must(self.registry, Issue { vintage: year(), lines, document: digest(1) }).await;
        let emissions = |party: Party| EmissionLine {
            account: party.account,
            verified: Tonnes::new(DUE),
            due: Tonnes::new(DUE),
        };
        for (authority, entity) in [(self.hubei, self.mill), (self.hebei, self.plant)] {
            let lines = vec![emissions(entity)];
            let order = RecordVerifiedEmissions { year: year(), lines, report: digest(2) };
            self.must(authority, order).await;
        }
        let project = "A210008".parse().unwrap();
        let registered_on = "2021-03-01".parse().unwrap();
        let owner = self.owner.account;
        let order = RegisterProject { project, owner, registered_on, document: digest(3) };
        self.must(self.ccer_registry, order).await;
        let lines = vec![IssueCcerLine { project, vintage: year(), tonnes: Tonnes::new(2_000) }];
        self.must(self.ccer_registry, IssueCcer { lines, document: digest(4) }).await;
        let order = Transfer { to: self.mill.account, units: quantity(ccer(), 1_000) };
        self.must(self.owner, order).await;
        let order =
            Transfer { to: self.trader.account, units: quantity(cea(), TRADED_BY_TRANSFER) };
        self.must(self.mill, order).await;
        let deposit = |party: Party, seed| FundLine {
            account: party.account,
            direction: FundDirection::Deposit,
            amount: Fen::new(100_000_000),
            reference: digest(seed),
        };
        let lines = vec![deposit(self.trader, 5), deposit(self.mill, 6)];
        self.must(self.settlement, ConfirmFunds { lines }).await;
        let trade = |trade_no, seller: Party, tonnes| Trade {
            trade_no,
            instrument: cea(),
            method: TradeMethod::Listing,
            seller: seller.account,
            buyer: self.trader.account,
            tonnes: Tonnes::new(tonnes),
            price: Fen::new(5_000),
        };
        let trades = vec![trade(1, self.mill, 300), trade(2, self.plant, 400)];
        let order = SettleTrades { trading_day: today(), batch: 1, trades };
        self.must(self.exchange, order).await;
        let units = quantity(cea(), 10);
        let order = Box::new(Payload::from(Transfer { to: self.mill.account, units }));
        let valid_until = self.network.handle.now().saturating_add_millis(86_400_000);
        let proposed = Propose { order, valid_until };
        let signed = self.signed_by(self.plant.account, proposed, &[self.plant.seed]);
        assert_accepted(&self.final_answer(&signed).await);
    }

    /// A client that reads for a party by the key of its reader.
    pub async fn client(&self, party: Party) -> Client {
        self.network.client(party.account, party.reader()).await
    }

    /// What all people of a party will sign.
    pub fn body(&self, party: Party, payload: impl Into<Payload>) -> TxBody {
        let now = self.network.handle.now().as_millis();
        body(self.network.chain(), party.account, &party.people(), now, payload)
    }

    pub fn signed_by(
        &self,
        account: AccountId,
        payload: impl Into<Payload>,
        seeds: &[u8],
    ) -> SignedTransaction {
        let now = self.network.handle.now().as_millis();
        sign(body(self.network.chain(), account, seeds, now, payload), seeds)
    }

    /// A transaction with both signatures of a party.
    pub fn signed(&self, party: Party, payload: impl Into<Payload>) -> SignedTransaction {
        self.signed_by(party.account, payload, &party.people())
    }

    /// Submits through the interface and waits for the final answer.
    pub async fn final_answer(&self, signed: &SignedTransaction) -> FinalTransaction {
        let client = self.network.public().await;
        let request = SubmitAndWaitRequest { transaction: signed.encode(), timeout_millis: 20_000 };
        let answer = client.transactions().submit_and_wait(client.ask(request)).await;
        answer.unwrap().into_inner()
    }

    pub async fn must(&self, party: Party, payload: impl Into<Payload>) -> FinalTransaction {
        let answer = self.final_answer(&self.signed(party, payload)).await;
        assert_accepted(&answer);
        answer
    }
}

/// The only validator of the network.
pub fn validator() -> Validator {
    Validator {
        name: "registry-1".to_owned(),
        consensus_key: public(VALIDATOR),
        cosigner_key: public(VALIDATOR + 1),
        power: 1,
    }
}

pub fn body(
    chain_id: ChainId,
    account: AccountId,
    seeds: &[u8],
    now: u64,
    payload: impl Into<Payload>,
) -> TxBody {
    static SALT: AtomicU64 = AtomicU64::new(0);
    TxBody {
        chain_id,
        account,
        signers: signer_list(seeds.iter().map(|seed| public(*seed))),
        valid_until: BlockTime::from_millis(now + 3_600_000),
        salt: SALT.fetch_add(1, Ordering::SeqCst),
        payload: payload.into(),
    }
}

pub fn sign(body: TxBody, seeds: &[u8]) -> SignedTransaction {
    SignedTransaction::new(body, |key, message| {
        let seed = seeds.iter().find(|seed| public(**seed) == *key).unwrap();
        Signature::new(secret(*seed).sign(message).to_bytes())
    })
}

pub fn outcome(answer: &FinalTransaction) -> Outcome {
    match codec::decode(&answer.entry).unwrap() {
        LogEntry::Transaction { receipt, .. } => receipt.outcome,
        LogEntry::Header(_) => panic!("a header is no transaction"),
    }
}

pub fn assert_accepted(answer: &FinalTransaction) {
    assert_eq!(outcome(answer), Outcome::Accepted);
}
