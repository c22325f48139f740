//! Runs scenarios through the real executor.

use std::collections::BTreeMap;
use std::sync::Arc;

use cets_contracts::block::{
    BlockExecutor, EventRecord, Header, Outcome, PushError, Receipt, commit_block,
};
use cets_contracts::invariants;
use cets_contracts::rules::{Event, Payload, RULES, Signing};
use cets_contracts::state::{Account, Obligation, State, StatusKind, Supply, keys};
use cets_contracts::tx::{Transaction, TxBody, VerifiedTransaction, signer_list};
use cets_contracts::types::{AccountId, PublicKey, Role, Tonnes};
use serde_json::{Value, json};

use super::{Words, order, parse, parse_ranges};
use crate::fixture::{self, People, credit_code, validator};

/// Seconds that a transaction stays valid in scenarios.
const LIFE_SECONDS: u64 = 600;

/// What a transaction of a scenario left behind.
#[derive(Clone, Debug)]
pub struct Step {
    /// Line in the file, from 1.
    pub line: usize,
    /// Verb.
    pub verb: String,
    /// Whether it was accepted.
    pub accepted: bool,
    /// Signed bytes.
    pub transaction: Vec<u8>,
    /// The receipt; none for an envelope error.
    pub receipt: Option<Receipt>,
    /// What happened.
    pub events: Option<EventRecord>,
    /// The header of its block.
    pub header: Header,
}

/// A scenario while it runs.
#[derive(Debug)]
pub struct Scenario {
    state: State,
    people: People,
    names: BTreeMap<String, AccountId>,
    now: u64,
    salt: u64,
    task: Value,
    last: Option<EventRecord>,
    replayable: Option<Vec<u8>>,
    /// All transactions so far.
    pub steps: Vec<Step>,
}

/// Institutions as scenarios call them.
const INSTITUTIONS: &[(&str, Role, u64)] = &[
    ("Ministry", Role::Ministry, 1),
    ("Registry", Role::Registry, 1),
    ("Exchange", Role::Exchange, 1),
    ("CcerRegistry", Role::CcerRegistry, 1),
    ("CcerExchange", Role::CcerExchange, 1),
    ("Settlement", Role::Settlement, 1),
    ("Hubei", Role::Province, 1),
    ("Shanghai", Role::Province, 2),
    ("Government", Role::Government, 1),
    ("Auditor", Role::Auditor, 1),
];

/// Runs a whole file; the error names the line.
pub fn run(text: &str) -> Result<Scenario, String> {
    let mut scenario = Scenario::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split("# ").next().unwrap_or_default().trim();
        if !line.is_empty() && line != "#" {
            scenario.line(number, line).map_err(|error| format!("line {number}: {error}"))?;
        }
    }
    Ok(scenario)
}

impl Words for Scenario {
    fn name(&self, word: &str) -> Option<Value> {
        if word == "$task" {
            return Some(self.task.clone());
        }
        if let Some((letters, number)) = word.split_once('#') {
            let role = Role::ALL.iter().find(|role| role.letters() == letters)?;
            return Some(json!(AccountId::new(*role, number.parse().ok()?).ok()?));
        }
        self.names.get(word).map(|id| json!(id))
    }

    fn call(&self, function: &str, arguments: &[String]) -> Option<Value> {
        let first = arguments.first()?;
        match function {
            "people" => Some(json!(People::default().desk(first))),
            "code" => Some(json!(credit_code(first.parse().ok()?))),
            "validators" => {
                let numbers = arguments.iter().map(|text| text.parse().ok());
                let set: Option<Vec<_>> = numbers.map(|number| number.map(validator)).collect();
                Some(json!(set?))
            }
            _ => None,
        }
    }

    fn now(&self) -> u64 {
        self.now + 1_000
    }
}

impl Scenario {
    /// The institutions with the published parameters, at genesis.
    fn new() -> Self {
        let mut people = People::default();
        let genesis = fixture::genesis(&mut people, fixture::published_parameters());
        let names = INSTITUTIONS
            .iter()
            .map(|(name, role, number)| ((*name).to_owned(), fixture::account(*role, *number)));
        Self {
            state: genesis.state().expect("the fixed genesis is well-formed"),
            people,
            names: names.collect(),
            now: fixture::GENESIS_MILLIS,
            salt: 0,
            task: Value::Null,
            last: None,
            replayable: None,
            steps: Vec::new(),
        }
    }

    /// The state as it is now.
    pub const fn state(&self) -> &State {
        &self.state
    }

    fn line(&mut self, number: usize, line: &str) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["open", name, role] => self.open(number, name, role, "42"),
            ["open", name, role, province] => self.open(number, name, role, province),
            ["wait", seconds] => {
                let seconds: u64 = seconds.parse().map_err(|_| "wait needs seconds")?;
                self.now += seconds * 1_000;
                Ok(())
            }
            ["again", "=>", expected] => self.again(number, expected),
            ["balance", name, instrument, totals @ ..] => self.balance(name, instrument, totals),
            ["supply", instrument, totals @ ..] => self.supply(instrument, totals),
            ["money", name, yuan] => {
                let fen = self.account(name)?.funds.free;
                same("money", &fen.to_string(), yuan)
            }
            ["owes", name, year, tonnes] => self.owes(name, year, tonnes),
            ["people", name, count] => {
                let people = self.account(name)?.representatives.len();
                same("people", &people.to_string(), count)
            }
            ["date", date] => {
                let today = self.state.view().ledger().map_err(|fault| fault.to_string())?;
                same("business date", &today.business_date.to_string(), date)
            }
            ["last", fact] => self.fact(fact),
            [who, verb, ..] => {
                let (order, expected) = line
                    .split_once(verb)
                    .and_then(|(_, rest)| rest.rsplit_once("=>"))
                    .ok_or("a transaction ends with => and its result")?;
                self.transaction(number, who, verb, order, expected.trim())
            }
            _ => Err("one word says nothing".to_owned()),
        }
    }

    fn id(&self, name: &str) -> Result<AccountId, String> {
        self.names.get(name).copied().ok_or_else(|| format!("nobody is called {name}"))
    }

    fn account(&self, name: &str) -> Result<Account, String> {
        let found = self.state.view().account(self.id(name)?).map_err(|fault| fault.to_string())?;
        found.map(Arc::unwrap_or_clone).ok_or_else(|| format!("{name} has no account"))
    }

    /// Opens an account at its registry; its desk are the people `name/1` to `name/3`.
    fn open(&mut self, line: usize, name: &str, role: &str, province: &str) -> Result<(), String> {
        let role: Role =
            serde_json::from_value(json!(role)).map_err(|error| format!("{role}: {error}"))?;
        self.people.desk(name);
        let registry = if role == Role::ProjectOwner { "CcerRegistry" } else { "Registry" };
        let code = self.names.len();
        let fields = format!(
            "accounts=[(role={role:?} name=\"{name}\" credit_code=code({code}) \
             province={province} representatives=people({name}) thresholds=each(1))]"
        );
        self.transaction(line, registry, "open_account", &fields, "accepted")?;
        let Some(Event::OpenAccount(opened)) = self.last.as_ref().map(|record| &record.event)
        else {
            return Err("no account was opened".to_owned());
        };
        self.names.insert(name.to_owned(), opened.accounts[0]);
        Ok(())
    }

    /// Signs, executes and commits one transaction in a block of its own.
    fn transaction(
        &mut self,
        line: usize,
        who: &str,
        verb: &str,
        fields: &str,
        expected: &str,
    ) -> Result<(), String> {
        let (name, people) = match who.split_once('[') {
            Some((name, people)) => (name, Some(people.trim_end_matches(']'))),
            None => (who, None),
        };
        let account = self.id(name)?;
        let json = order(verb, fields, self)?;
        let payload: Payload =
            serde_json::from_value(json).map_err(|error| format!("{verb}: {error}"))?;
        self.salt += 1;
        let body = TxBody {
            chain_id: self.state.tip.chain_id,
            account,
            signers: signer_list(self.signers(name, people, verb)?),
            valid_until: fixture_time(self.now + LIFE_SECONDS * 1_000),
            salt: self.salt,
            payload,
        };
        let signed = self.people.sign(body);
        self.execute(line, verb, signed.encode(), expected)
    }

    /// The named people of the desk, or all whose right suits the rule.
    fn signers(
        &mut self,
        name: &str,
        people: Option<&str>,
        verb: &str,
    ) -> Result<Vec<PublicKey>, String> {
        if let Some(people) = people {
            let label = name.to_lowercase();
            return people
                .split(',')
                .map(|person| {
                    let (label, person) = match person.split_once('/') {
                        Some((label, person)) => (label.to_owned(), person),
                        None if INSTITUTIONS.iter().any(|(known, ..)| *known == name) => {
                            (label_of(&label), person)
                        }
                        None => (name.to_owned(), person),
                    };
                    Ok(self.people.meet(&format!("{label}/{person}")))
                })
                .collect();
        }
        let rule = RULES.iter().find(|rule| rule.name == verb);
        let signing = rule.map(|rule| rule.authority.signing);
        let desk = self.account(name)?.representatives;
        let first = desk.iter().find(|person| person.right.may_initiate()).map(|p| p.key);
        let both = desk.iter().filter(|person| {
            person.right.may_approve()
                && (signing != Some(Signing::Quorum) || Some(person.key) != first)
        });
        Ok(match signing {
            Some(Signing::Quorum) => {
                first.into_iter().chain(both.map(|person| person.key)).collect()
            }
            Some(Signing::Approver) => both.map(|person| person.key).collect(),
            _ => first.into_iter().collect(),
        })
    }

    fn again(&mut self, line: usize, expected: &str) -> Result<(), String> {
        let bytes = self.replayable.clone().ok_or("nothing was sent yet")?;
        self.execute(line, "again", bytes, expected)
    }

    fn execute(
        &mut self,
        line: usize,
        verb: &str,
        bytes: Vec<u8>,
        expected: &str,
    ) -> Result<(), String> {
        self.now += 1_000;
        let state = &self.state;
        let proposer = validator(1).address();
        let mut executor = BlockExecutor::new(state, fixture_time(self.now), proposer)
            .map_err(|error| error.to_string())?;
        let verified = Transaction::decode(bytes.clone())
            .and_then(VerifiedTransaction::verify)
            .map_err(PushError::Envelope);
        let pushed = verified.and_then(|transaction| executor.push(&transaction).cloned());
        let found = match &pushed {
            Ok(outcome) => match &outcome.receipt.outcome {
                Outcome::Accepted => "accepted".to_owned(),
                Outcome::Rejected(reject) => {
                    reject.code().map_or("a code without name", |code| code.name).to_owned()
                }
            },
            Err(PushError::Envelope(error)) => format!("envelope-{}", error.number()),
            Err(PushError::Fault(fault)) => return Err(fault.to_string()),
        };
        let (executed, _) = executor.finish().map_err(|error| error.to_string())?;
        let header = executed.header.clone();
        commit_block(&mut self.state, executed).map_err(|fault| fault.to_string())?;
        let violations = invariants::check(&self.state);
        if !violations.is_empty() {
            return Err(format!("invariants are broken: {violations:?}"));
        }
        same("result", &found, expected)?;
        let outcome = pushed.ok();
        let events = outcome.as_ref().and_then(|outcome| outcome.events.clone());
        if let Some(record) = &events {
            let json = serde_json::to_value(&record.event).map_err(|error| error.to_string())?;
            let inner = &json[verb];
            if verb == "propose" {
                self.task = inner["task"].clone();
            }
            self.last = events.clone();
        }
        self.replayable = Some(bytes.clone());
        self.steps.push(Step {
            line,
            verb: verb.to_owned(),
            accepted: events.is_some(),
            transaction: bytes,
            receipt: outcome.map(|outcome| outcome.receipt),
            events,
            header,
        });
        Ok(())
    }

    fn balance(&self, name: &str, instrument: &str, totals: &[&str]) -> Result<(), String> {
        let account = self.account(name)?;
        let instrument = parse(instrument)?;
        for total in totals {
            let (kind, tonnes) = total.split_once('=').ok_or("write free=70")?;
            let found = account.total(instrument, kind_of(kind)?);
            same(&format!("{name} {kind}"), &found.get().to_string(), tonnes)?;
        }
        Ok(())
    }

    fn supply(&self, instrument: &str, totals: &[&str]) -> Result<(), String> {
        let key = keys::supply(&parse(instrument)?);
        let supply = self.state.view().get::<Supply>(&key).map_err(|fault| fault.to_string())?;
        let supply = supply.unwrap_or_default();
        for total in totals {
            let (kind, tonnes) = total.split_once('=').ok_or("write issued=100")?;
            let found = match kind {
                "issued" => supply.issued,
                kind => supply.totals.get(&kind_of(kind)?).copied().unwrap_or(Tonnes::ZERO),
            };
            same(&format!("{instrument} {kind}"), &found.get().to_string(), tonnes)?;
        }
        Ok(())
    }

    fn owes(&self, name: &str, year: &str, tonnes: &str) -> Result<(), String> {
        let year = year.parse().map_err(|error| format!("{year}: {error}"))?;
        let key = keys::obligation(self.id(name)?, year);
        let found = self.state.view().get::<Obligation>(&key).map_err(|fault| fault.to_string())?;
        let owed = found.ok_or("no obligation is recorded")?.outstanding();
        let owed = owed.map_err(|fault| format!("{fault:?}"))?;
        same("owed", &owed.get().to_string(), tonnes)
    }

    /// `path.to.0.field=value` within the last event.
    fn fact(&self, fact: &str) -> Result<(), String> {
        let (path, expected) = fact.split_once('=').ok_or("write path=value")?;
        let event = &self.last.as_ref().ok_or("nothing happened yet")?.event;
        let json = serde_json::to_value(event).map_err(|error| error.to_string())?;
        let inner = json.as_object().and_then(|object| object.values().next());
        let inner = inner.ok_or("the event has no fields")?;
        let found = inner.pointer(&format!("/{}", path.replace('.', "/")));
        let found = found.ok_or_else(|| format!("{path} is not in {inner}"))?;
        let text = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
        let expected = match (expected.split_once(':'), self.name(expected)) {
            (Some((instrument, ranges)), _) => {
                let ranges = parse_ranges(parse(instrument)?, ranges)?;
                ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join("+")
            }
            (None, Some(Value::String(account))) => account,
            _ => expected.to_owned(),
        };
        same(path, &text, &expected)
    }
}

/// Labels of institutions' desks in the fixture.
fn label_of(name: &str) -> String {
    match name {
        "ccerregistry" => "ccer-registry".to_owned(),
        "ccerexchange" => "ccer-exchange".to_owned(),
        name => name.to_owned(),
    }
}

fn fixture_time(millis: u64) -> cets_contracts::types::BlockTime {
    cets_contracts::types::BlockTime::from_millis(millis)
}

fn kind_of(name: &str) -> Result<StatusKind, String> {
    let found = StatusKind::ALL.into_iter().find(|kind| {
        let text = format!("{kind:?}").to_lowercase();
        text == name.replace('_', "")
    });
    found.ok_or_else(|| format!("{name} is no status of units"))
}

fn same(what: &str, found: &str, expected: &str) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what} is {found}, the scenario says {expected}"))
}
