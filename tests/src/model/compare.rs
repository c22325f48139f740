//! The real ledger beside the model: what differs.

use std::collections::BTreeMap;

use cets_contracts::state::{
    Account, AccountStatus, Obligation, State, StatusKind, Task, UnitRange, keys, range_of_key,
};
use cets_contracts::types::{AccountId, Instrument, Tonnes};

use super::{Model, Standing};

impl Model {
    /// Accounts, obligations, tasks, date and validators that differ from the real ledger.
    pub fn differences(&self, state: &State) -> Vec<String> {
        let view = state.view();
        let mut wrong = Vec::new();
        let mut differ = |what: String, real: String, model: String| {
            if real != model {
                wrong.push(format!("{what}: ledger {real}, model {model}"));
            }
        };
        let date = view.ledger().unwrap().business_date;
        differ("business date".to_owned(), date.to_string(), self.today.to_string());
        let mut totals = self.totals();
        for (id, model) in &self.accounts {
            let real = view.account(*id).unwrap().expect("the model has no account of its own");
            let standing = match real.status {
                AccountStatus::Open => Standing::Open,
                AccountStatus::Frozen { .. } => Standing::Frozen,
                AccountStatus::Closed => Standing::Closed,
            };
            differ(format!("{id} status"), format!("{standing:?}"), format!("{:?}", model.state));
            let fen = (real.funds.free.get(), real.funds.locked.get());
            differ(format!("{id} fen"), format!("{fen:?}"), format!("{:?}", (model.fen, 0)));
            let people = (&real.representatives, real.thresholds);
            let expected = (&model.people, model.thresholds);
            differ(format!("{id} people"), format!("{people:?}"), format!("{expected:?}"));
            let expected = totals.remove(id).unwrap_or_default();
            differ(format!("{id} units"), format!("{:?}", real.totals), format!("{expected:?}"));
        }
        for ((account, year), debt) in &self.debts {
            let real: Option<Obligation> = view.get(&keys::obligation(*account, *year)).unwrap();
            let real = real.map(|it| {
                let numbers = [it.verified, it.due, it.surrendered, it.offset].map(Tonnes::get);
                (numbers, it.completed_on)
            });
            let numbers = [debt.verified, debt.due, debt.surrendered, debt.offset];
            let expected = Some((numbers, debt.completed_on));
            differ(format!("{account} {year}"), format!("{real:?}"), format!("{expected:?}"));
        }
        for ((account, id), waiting) in &self.tasks {
            let real: Option<Task> = view.get(&keys::task(*account, id)).unwrap();
            let signed = real.map(|task| [task.initiators, task.approvers].concat());
            let expected = Some(waiting.signed.clone());
            differ(format!("task {id}"), format!("{signed:?}"), format!("{expected:?}"));
        }
        let mut validators = self.validators.clone();
        validators.sort_by_key(|member| member.consensus_key);
        let real = view.validators().unwrap();
        let real = format!("{:?}", real.members());
        differ("validators".to_owned(), real, format!("{validators:?}"));
        wrong
    }

    /// Tonnes per account, instrument and kind of status, counted unit by unit.
    fn totals(&self) -> BTreeMap<AccountId, BTreeMap<(Instrument, StatusKind), Tonnes>> {
        let mut totals: BTreeMap<AccountId, BTreeMap<_, Tonnes>> = BTreeMap::new();
        for instrument in self.units.instruments() {
            for (place, count) in self.units.tally(instrument) {
                let account = totals.entry(place.holder).or_default();
                let total = account.entry((instrument, place.status.kind())).or_default();
                *total = Tonnes::new(total.get() + count);
            }
        }
        totals
    }

    /// Every serial that the real ledger has elsewhere than the model; and the serials compared.
    pub fn serials_elsewhere(&self, state: &State) -> (Vec<String>, u64) {
        let view = state.view();
        let mut wrong = Vec::new();
        let mut compared = 0;
        for instrument in self.units.instruments() {
            let mut next = 1;
            for found in view.scan::<UnitRange>(&keys::unit_ranges(&instrument)) {
                let (key, record) = found.unwrap();
                let range = range_of_key(instrument, &key, record.end).unwrap();
                for number in range.start()..range.end() {
                    if self.units.place(instrument, number) != Some(record.place) {
                        let model = self.units.place(instrument, number);
                        wrong.push(format!("{instrument} {number}: {:?} {model:?}", record.place));
                    }
                    compared += 1;
                }
                next = range.end();
            }
            if next != self.units.issued(instrument) + 1 {
                wrong.push(format!("{instrument}: ledger ends before {next}"));
            }
        }
        (wrong, compared)
    }

    /// Accounts of the real ledger; the model must have as many.
    pub fn account_count_differs(&self, state: &State) -> bool {
        let prefix = keys::table_prefix(cets_contracts::state::Table::Accounts);
        state.view().scan::<Account>(&prefix).count() != self.accounts.len()
    }
}
