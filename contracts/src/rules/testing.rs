//! A small market for the tests of rules: every institution, a few holders, and a way to send
//! orders through the real executor.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]

use std::sync::Arc;

use super::{Effects, Event, Language, Payload, Reject};
use crate::block::{
    BlockExecutor, EventRecord, LOG_ENTRY_BYTES_MAX, Outcome, Validator, commit_block,
    execute_block,
};
use crate::genesis::{ClockRule, Genesis, GenesisAccount, GenesisParameter};
use crate::invariants;
use crate::state::{Account, Obligation, Overlay, ParameterName, State, StatusKind, keys};
use crate::tx::{SignedTransaction, Transaction, TxBody, VerifiedTransaction, signer_list};
use crate::types::*;

pub use super::example_account as account;

/// The ministry.
pub const MINISTRY: Role = Role::Ministry;
/// First day of the market.
pub const FIRST_DAY: &str = "2021-07-16";

/// Allowances of a vintage.
pub fn cea(vintage: u16) -> Instrument {
    Instrument::Cea(Vintage::new(vintage).unwrap())
}

/// Reductions of the project of the tests.
pub fn ccer(vintage: u16) -> Instrument {
    Instrument::Ccer("A210008".parse().unwrap(), Vintage::new(vintage).unwrap())
}

/// A compliance year.
pub fn year(number: u16) -> Vintage {
    Vintage::new(number).unwrap()
}

/// A day.
pub fn day(text: &str) -> BusinessDate {
    text.parse().unwrap()
}

/// So many tonnes of an instrument, lowest serials first.
pub fn quantity(instrument: Instrument, tonnes: u64) -> Selection {
    Selection::Quantity { instrument, tonnes: Tonnes::new(tonnes) }
}

/// Serials `first` to `last` of an instrument.
pub fn range(instrument: Instrument, first: u64, last: u64) -> SerialRange {
    SerialRange::inclusive(instrument, first, last).unwrap()
}

/// The first account of a role.
pub fn first(role: Role) -> AccountId {
    account(role, 1)
}

/// Key emitting entity `number`: 1 and 2 are in Hubei, 3 in Guangdong.
pub fn entity(number: u64) -> AccountId {
    account(Role::KeyEmittingEntity, number)
}

/// Key of person 1 to 5 of an account: 1 and 2 initiate and approve, 3 initiates, 4 approves,
/// 5 reads.
pub fn key(account: AccountId, person: u8) -> PublicKey {
    let mut bytes = [person; 32];
    bytes[..8].copy_from_slice(&account.to_key());
    PublicKey::new(bytes)
}

/// The people of an account.
pub fn people(account: AccountId) -> Vec<Representative> {
    [
        Right::InitiateAndApprove,
        Right::InitiateAndApprove,
        Right::Initiate,
        Right::Approve,
        Right::Read,
    ]
    .into_iter()
    .zip(1u8..)
    .map(|(right, person)| Representative { key: key(account, person), right })
    .collect()
}

/// A digest that differs by number.
pub fn digest(number: u64) -> Digest {
    Digest::new(domain_hash(b"test", &[&number.to_be_bytes()]))
}

/// Validator `number` of power `power`.
pub fn validator(number: u8, power: u64) -> Validator {
    Validator {
        name: format!("validator-{number}"),
        consensus_key: PublicKey::new([number; 32]),
        cosigner_key: PublicKey::new([number + 100; 32]),
        power,
    }
}

/// The genesis of the test market.
pub fn genesis() -> Genesis {
    let mut accounts = Vec::new();
    let mut add = |role: Role, number: u64, province: Option<u8>| {
        accounts.push(GenesisAccount {
            role,
            name: format!("{} {number}", role.english()),
            credit_code: None,
            province: province.map(|code| ProvinceCode::new(code).unwrap()),
            representatives: people(account(role, number)),
            thresholds: Thresholds::uniform(1),
        });
    };
    for role in Role::ALL {
        match role {
            Role::Province => [42, 44].into_iter().zip(1..).for_each(|(code, number)| {
                add(*role, number, Some(code));
            }),
            Role::KeyEmittingEntity => [42, 42, 44].into_iter().zip(1..).for_each(|(code, n)| {
                add(*role, n, Some(code));
            }),
            _ => add(*role, 1, None),
        }
    }
    let parameter = |name, year: Option<u16>, value| GenesisParameter {
        name,
        year: year.map(|number| Vintage::new(number).unwrap()),
        valid_from: day("2021-01-01"),
        value,
        article: "test".to_owned(),
    };
    let days = |text| i64::from(day(text).as_days());
    Genesis {
        network: "test market".to_owned(),
        time: BlockTime::from_millis(1_626_393_600_000),
        business_date: day(FIRST_DAY),
        clock: ClockRule::ByOrder,
        block_interval_millis: 0,
        validators: (1..=4).map(|number| validator(number, 1)).collect(),
        accounts,
        parameters: vec![
            parameter(ParameterName::IssueCap, Some(1920), 1_000_000),
            parameter(ParameterName::IssueCap, Some(2021), 1_000_000),
            parameter(ParameterName::BlockTradeMin, None, 100_000),
            parameter(ParameterName::CcerBlockTradeMin, None, 10_000),
            parameter(ParameterName::OffsetCap, None, 500),
            parameter(ParameterName::SurrenderVintageMin, Some(1920), 1920),
            parameter(ParameterName::SurrenderVintageMax, Some(1920), 1920),
            parameter(ParameterName::OffsetRegisteredFrom, Some(1920), 0),
            parameter(ParameterName::OffsetRegisteredUntil, Some(1920), days("2017-03-13")),
        ],
    }
}

/// What is sent: account, people who sign, order.
pub type Sent = (AccountId, Vec<u8>, Payload);

/// The ledger of the test market.
pub struct Market {
    /// Committed state.
    pub state: State,
    salt: u64,
}

impl Market {
    /// The market on its first day.
    pub fn new() -> Self {
        Self::of(&genesis())
    }

    /// A market of its own genesis.
    pub fn of(genesis: &Genesis) -> Self {
        Self { state: genesis.state().unwrap(), salt: 0 }
    }

    /// Block time of the next block.
    pub fn next_time(&self) -> BlockTime {
        self.state.tip.time.saturating_add_millis(1_000)
    }

    /// Sends one order, signed by persons 1 and 2.
    pub fn send(&mut self, account: AccountId, order: impl Into<Payload>) -> Result<Event, Reject> {
        self.send_by(account, &[1, 2], order)
    }

    /// Sends one order in a block of its own; a refusal must leave no trace.
    pub fn send_by(
        &mut self,
        account: AccountId,
        people: &[u8],
        order: impl Into<Payload>,
    ) -> Result<Event, Reject> {
        let root = self.state.root();
        let answer = self.block(vec![(account, people.to_vec(), order.into())]).remove(0);
        if answer.is_err() {
            assert_eq!(self.state.root(), root, "a refusal changed the state");
        }
        answer.map(|record| record.event)
    }

    /// Sends an order that must be accepted.
    #[track_caller]
    pub fn accept(&mut self, account: AccountId, order: impl Into<Payload>) -> Event {
        match self.send(account, order) {
            Ok(event) => event,
            Err(reject) => panic!("{:?}", reject.explain(Language::English)),
        }
    }

    /// Sends an order that must be refused; answers with the name of the code.
    #[track_caller]
    pub fn refusal(&mut self, account: AccountId, order: impl Into<Payload>) -> &'static str {
        self.refusal_by(account, &[1, 2], order)
    }

    /// As [`Self::refusal`], signed by these people.
    #[track_caller]
    pub fn refusal_by(
        &mut self,
        account: AccountId,
        people: &[u8],
        order: impl Into<Payload>,
    ) -> &'static str {
        match self.send_by(account, people, order) {
            Ok(event) => panic!("accepted: {event:?}"),
            Err(reject) => reject.code().expect("the code is listed").name,
        }
    }

    /// Executes, executes again as a validator would, commits and checks all invariants.
    pub fn block(&mut self, sent: Vec<Sent>) -> Vec<Result<EventRecord, Reject>> {
        let time = self.next_time();
        let proposer = self.state.validators().unwrap().members()[0].address();
        let transactions: Vec<VerifiedTransaction> =
            sent.into_iter().map(|sent| self.transaction(sent)).collect();
        let mut executor = BlockExecutor::new(&self.state, time, proposer).unwrap();
        for transaction in &transactions {
            executor.push(transaction).unwrap();
        }
        let (executed, _) = executor.finish().unwrap();
        for entry in &executed.entries {
            assert!(entry.len() <= LOG_ENTRY_BYTES_MAX, "an entry has {} bytes", entry.len());
        }
        let again = execute_block(&self.state, &executed.header, &transactions).unwrap();
        assert_eq!(again.entries, executed.entries);
        let outcomes = executed.outcomes.clone();
        commit_block(&mut self.state, executed).unwrap();
        assert_eq!(invariants::check(&self.state), vec![]);
        self.state.check_known_accounts();
        outcomes
            .into_iter()
            .map(|outcome| match outcome.receipt.outcome {
                Outcome::Accepted => Ok(outcome.events.unwrap()),
                Outcome::Rejected(reject) => Err(reject),
            })
            .collect()
    }

    fn transaction(&mut self, (account, people, payload): Sent) -> VerifiedTransaction {
        self.salt += 1;
        let body = TxBody {
            chain_id: self.state.tip.chain_id,
            account,
            signers: signer_list(people.into_iter().map(|person| key(account, person))),
            valid_until: self.next_time().saturating_add_millis(60_000),
            salt: self.salt,
            payload,
        };
        let bytes = SignedTransaction::unsigned(body).encode();
        VerifiedTransaction::assume_verified(Transaction::decode(bytes).unwrap())
    }

    /// What moved in the only order of a block.
    pub fn effects(&mut self, account: AccountId, order: impl Into<Payload>) -> Effects {
        self.block(vec![(account, vec![1, 2], order.into())]).remove(0).unwrap().effects
    }

    /// A read-only view.
    pub fn view(&self) -> Overlay<'_> {
        self.state.view()
    }

    /// An account.
    pub fn account(&self, id: AccountId) -> Account {
        Arc::unwrap_or_clone(self.view().account(id).unwrap().unwrap())
    }

    /// Free tonnes of an account.
    pub fn free(&self, id: AccountId, instrument: Instrument) -> u64 {
        self.total(id, instrument, StatusKind::Free)
    }

    /// Tonnes of an account in a status.
    pub fn total(&self, id: AccountId, instrument: Instrument, status: StatusKind) -> u64 {
        self.account(id).total(instrument, status).get()
    }

    /// Free money of an account in fen.
    pub fn money(&self, id: AccountId) -> u64 {
        self.account(id).funds.free.get()
    }

    /// The obligation of an account and year.
    pub fn obligation(&self, id: AccountId, of: u16) -> Obligation {
        self.view().get(&keys::obligation(id, year(of))).unwrap().unwrap()
    }

    /// Advances the business date.
    #[track_caller]
    pub fn advance(&mut self, to: &str) {
        use super::governance::advance_business_date::AdvanceBusinessDate;
        self.accept(first(Role::Registry), AdvanceBusinessDate { date: day(to) });
    }

    /// Issues allowances.
    #[track_caller]
    pub fn issue(&mut self, to: AccountId, vintage: u16, tonnes: u64) {
        use super::allowances::issue::{Issue, IssueLine};
        let lines = vec![IssueLine { account: to, tonnes: Tonnes::new(tonnes) }];
        let order = Issue { vintage: year(vintage), lines, document: digest(0) };
        self.accept(first(Role::Registry), order);
    }

    /// Deposits money.
    #[track_caller]
    pub fn deposit(&mut self, to: AccountId, fen: u64) {
        use super::settlement::confirm_funds::{ConfirmFunds, FundDirection, FundLine};
        self.salt += 1;
        let line = FundLine {
            account: to,
            direction: FundDirection::Deposit,
            amount: Fen::new(fen),
            reference: digest(1_000_000 + self.salt),
        };
        self.accept(first(Role::Settlement), ConfirmFunds { lines: vec![line] });
    }

    /// Records an obligation of an entity in Hubei for 2019-2020.
    #[track_caller]
    pub fn oblige(&mut self, entity: AccountId, due: u64) {
        use super::compliance::record_verified_emissions::{EmissionLine, RecordVerifiedEmissions};
        let due = Tonnes::new(due);
        let order = RecordVerifiedEmissions {
            year: Vintage::CYCLE_2019_2020,
            lines: vec![EmissionLine { account: entity, verified: due, due }],
            report: digest(2),
        };
        self.accept(first(Role::Province), order);
    }

    /// Registers the project of the tests on a day and issues its reductions to its owner.
    #[track_caller]
    pub fn reduce(&mut self, registered: &str, vintage: u16, tonnes: u64) {
        use super::reductions::issue_ccer::{IssueCcer, IssueCcerLine};
        use super::reductions::register_project::RegisterProject;
        let registry = first(Role::CcerRegistry);
        let project = "A210008".parse().unwrap();
        if !self.state.view().contains(&keys::project(&project)) {
            let registered_on = day(registered);
            let owner = first(Role::ProjectOwner);
            let document = digest(3);
            self.accept(registry, RegisterProject { project, owner, registered_on, document });
        }
        let line = IssueCcerLine { project, vintage: year(vintage), tonnes: Tonnes::new(tonnes) };
        self.accept(registry, IssueCcer { lines: vec![line], document: digest(4) });
    }
}

#[test]
fn the_readme_lists_every_rule_with_its_tag_and_people() {
    let readme = include_str!("../../README.md");
    for rule in super::RULES {
        let start = format!("| {} | `{}` |", rule.tag, rule.name);
        let end = format!("| {} |", rule.authority.people_min);
        let line = readme.lines().find(|line| line.starts_with(&start));
        assert!(line.is_some_and(|line| line.ends_with(&end)), "{start}");
    }
}
