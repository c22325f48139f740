//! The model's ledger: envelope, signers, and what it remembers.

use std::collections::{BTreeMap, BTreeSet};

use cets_contracts::block::Validator;
use cets_contracts::genesis::Genesis;
use cets_contracts::rules::Payload;
use cets_contracts::state::ParameterName;
use cets_contracts::tx::TxBody;
use cets_contracts::types::{
    AccountId, BlockTime, BusinessDate, ChainId, Digest, ProjectCode, PublicKey, Role, SerialRange,
    TaskId, TxId, Vintage,
};

use super::{ModelAccount, Standing, Units, Wants, who_signs};

/// What the model says about a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may not stand in the block; the number of the envelope error.
    Envelope(u16),
    /// Its rule refuses it; the number of the code.
    Refused(u16),
    /// Its rule applied.
    Accepted,
}

/// What an entity owes for a year.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Debt {
    /// Verified emissions.
    pub verified: u64,
    /// To be surrendered.
    pub due: u64,
    /// Surrendered.
    pub surrendered: u64,
    /// Offset.
    pub offset: u64,
    /// Day on which nothing was owed any more.
    pub completed_on: Option<BusinessDate>,
}

impl Debt {
    /// Still owed.
    pub fn open(&self) -> u64 {
        self.due - self.surrendered - self.offset
    }
}

/// An order that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Whose.
    pub account: AccountId,
    /// The order.
    pub order: Payload,
    /// Who signed so far.
    pub signed: Vec<PublicKey>,
    /// Last block time.
    pub valid_until: BlockTime,
}

/// A freeze.
#[derive(Clone, Debug)]
pub struct Ice {
    /// Units; none for the whole account.
    pub units: Option<Vec<SerialRange>>,
    /// Whether it was lifted.
    pub lifted: bool,
}

/// A project.
#[derive(Clone, Copy, Debug)]
pub struct ModelProject {
    /// Its owner.
    pub owner: AccountId,
    /// Day of registration.
    pub registered_on: BusinessDate,
}

/// One version of a parameter: name, year, first day, value.
pub type Version = (ParameterName, Option<Vintage>, BusinessDate, i64);

/// The model.
#[derive(Clone, Debug)]
pub struct Model {
    pub(super) chain_id: ChainId,
    /// Business date.
    pub today: BusinessDate,
    /// Block time of the block that is being built.
    pub now: BlockTime,
    /// Accounts.
    pub accounts: BTreeMap<AccountId, ModelAccount>,
    /// Last account number of each role.
    pub numbers: BTreeMap<Role, u64>,
    /// Units.
    pub units: Units,
    /// Parameters.
    pub parameters: Vec<Version>,
    /// Validators.
    pub validators: Vec<Validator>,
    pub(super) validators_of_block: Vec<Validator>,
    /// Obligations.
    pub debts: BTreeMap<(AccountId, Vintage), Debt>,
    /// Waiting tasks.
    pub tasks: BTreeMap<(AccountId, TaskId), Waiting>,
    /// Freezes by their order.
    pub ice: BTreeMap<(AccountId, Digest, AccountId), Ice>,
    /// First and last trade of the settled batches, by exchange, day and number.
    pub batches: BTreeMap<(AccountId, BusinessDate, u32), (u64, u64)>,
    /// Trades that failed and were not settled since, by exchange, day and number.
    pub failed_trades: BTreeSet<(AccountId, BusinessDate, u64)>,
    /// Projects.
    pub projects: BTreeMap<ProjectCode, ModelProject>,
    /// Bank references.
    pub references: BTreeSet<Digest>,
    seen: BTreeSet<TxId>,
}

/// A transaction as the model sees it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Its identifier.
    pub id: TxId,
    /// Its body.
    pub body: &'a TxBody,
    /// Who signed.
    pub signers: &'a [PublicKey],
}

impl Model {
    /// The model of a genesis document.
    pub fn new(genesis: &Genesis) -> Self {
        let mut model = Self {
            chain_id: genesis.chain_id(),
            today: genesis.business_date,
            now: genesis.time,
            accounts: BTreeMap::new(),
            numbers: BTreeMap::new(),
            units: Units::default(),
            parameters: Vec::new(),
            validators: genesis.validators.clone(),
            validators_of_block: Vec::new(),
            debts: BTreeMap::new(),
            tasks: BTreeMap::new(),
            ice: BTreeMap::new(),
            batches: BTreeMap::new(),
            failed_trades: BTreeSet::new(),
            projects: BTreeMap::new(),
            references: BTreeSet::new(),
            seen: BTreeSet::new(),
        };
        for account in &genesis.accounts {
            let number = model.numbers.entry(account.role).or_insert(0);
            *number += 1;
            let id = AccountId::new(account.role, *number).unwrap();
            let entry = ModelAccount {
                state: Standing::Open,
                province: account.province,
                credit_code: account.credit_code.map(String::from),
                people: account.representatives.clone(),
                thresholds: account.thresholds,
                fen: 0,
            };
            model.accounts.insert(id, entry);
        }
        for parameter in &genesis.parameters {
            let version = (parameter.name, parameter.year, parameter.valid_from, parameter.value);
            model.parameters.push(version);
        }
        model
    }

    /// Starts a block.
    pub fn start_block(&mut self, now: BlockTime) {
        self.now = now;
        self.validators_of_block.clone_from(&self.validators);
    }

    /// Takes a transaction in.
    pub fn take(&mut self, tx: Seen<'_>) -> Verdict {
        if let Err(number) = self.check_envelope(tx) {
            return Verdict::Envelope(number);
        }
        self.seen.insert(tx.id);
        let shape = self.check_shape(tx.body.account, &tx.body.payload);
        let verdict = shape.and_then(|()| {
            let (roles, wants) = who_signs(&tx.body.payload);
            self.check_caller(tx.body.account, tx.signers, roles, wants)?;
            self.carry_out(tx, &tx.body.payload)
        });
        match verdict {
            Ok(()) => Verdict::Accepted,
            Err(number) => Verdict::Refused(number),
        }
    }

    /// A transaction is for this chain, lives at most a day and comes once.
    fn check_envelope(&self, tx: Seen<'_>) -> Result<(), u16> {
        let until = tx.body.valid_until;
        if tx.body.chain_id != self.chain_id {
            Err(5)
        } else if until < self.now {
            Err(6)
        } else if until.as_millis() - self.now.as_millis() > 24 * 3_600_000 {
            Err(7)
        } else if self.seen.contains(&tx.id) {
            Err(8)
        } else {
            Ok(())
        }
    }

    /// The account exists, has the role, is open, and the signers are who the rule wants.
    pub(super) fn check_caller(
        &self,
        account: AccountId,
        signers: &[PublicKey],
        roles: &[Role],
        wants: Wants,
    ) -> Result<(), u16> {
        let holder = self.account(account)?;
        if !roles.contains(&account.role()) {
            return Err(1003);
        }
        if holder.state != Standing::Open {
            return Err(1002);
        }
        holder.check_signers(wants, signers)
    }

    /// An account that exists.
    pub(super) fn account(&self, id: AccountId) -> Result<&ModelAccount, u16> {
        self.accounts.get(&id).ok_or(1001)
    }

    /// An account that exists and is open.
    pub(super) fn open_account(&self, id: AccountId) -> Result<&ModelAccount, u16> {
        let account = self.account(id)?;
        if account.state == Standing::Open { Ok(account) } else { Err(1002) }
    }

    /// An account that exists and is not closed.
    pub(super) fn living_account(&self, id: AccountId) -> Result<&ModelAccount, u16> {
        let account = self.account(id)?;
        if account.state == Standing::Closed { Err(1002) } else { Ok(account) }
    }

    /// The value of a parameter today: the year's own version if there is one, else that of all
    /// years; the latest that has begun.
    pub fn parameter(&self, name: ParameterName, year: Option<Vintage>) -> Result<i64, u16> {
        let latest = |year: Option<Vintage>| {
            let versions = self.parameters.iter();
            let begun =
                versions.filter(|(n, y, from, _)| *n == name && *y == year && *from <= self.today);
            begun.max_by_key(|(_, _, from, _)| *from).map(|(_, _, _, value)| *value)
        };
        year.and_then(|year| latest(Some(year))).or_else(|| latest(None)).ok_or(1012)
    }
}
