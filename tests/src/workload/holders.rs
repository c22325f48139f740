//! Orders of entities, project owners, traders and the government account.

use cets_contracts::rules::Payload;
use cets_contracts::rules::accounts::set_representatives::SetRepresentatives;
use cets_contracts::rules::allowances::cancel::{Cancel, CancelReason};
use cets_contracts::rules::allowances::transfer::Transfer;
use cets_contracts::rules::compliance::offset::Offset;
use cets_contracts::rules::compliance::surrender::Surrender;
use cets_contracts::types::{
    AccountId, Digest, Instrument, Representative, Right, Role, Selection, SerialRange, Thresholds,
    Tonnes, Vintage,
};

use super::Workload;
use crate::model::{HOLDERS, Model};

impl Workload {
    pub(super) fn order_of_a_holder(&mut self, model: &Model) -> (AccountId, Payload) {
        let kind = self.chooser.below(100);
        if (48..88).contains(&kind) {
            return self.compliance_order(model, kind < 74);
        }
        let account = self.holder(model);
        let payload = match kind {
            0..48 => {
                let instrument = self.instrument_of(model, account);
                let units = self.selection(model, account, instrument, 60);
                Transfer { to: self.receiver(model, account, instrument), units }.into()
            }
            88..96 => {
                let instrument = self.instrument_of(model, account);
                let units = self.selection(model, account, instrument, 12);
                let reason = CancelReason::PublicWelfare;
                Cancel { units, reason, statement: None }.into()
            }
            _ => self.new_people(model, account),
        };
        (account, payload)
    }

    /// Surrender (or offset) of an entity that owes something, mostly with units that suit.
    fn compliance_order(&mut self, model: &Model, surrender: bool) -> (AccountId, Payload) {
        let owing: Vec<(AccountId, Vintage)> =
            model.debts.iter().filter(|(_, debt)| debt.open() > 0).map(|(key, _)| *key).collect();
        let owes = self.chooser.one(&owing).copied();
        let (account, year) = match owes {
            Some(found) if self.chooser.percent(95) => found,
            _ => (self.someone(model, Role::KeyEmittingEntity), self.year(model)),
        };
        let reductions = !surrender ^ (self.chooser.below(100) == 0);
        let instruments: Vec<Instrument> = model
            .units
            .instruments()
            .filter(|it| it.is_ccer() == reductions && model.units.free(*it, account) > 0)
            .collect();
        let instrument = match self.chooser.one(&instruments) {
            Some(instrument) => *instrument,
            None => self.instrument(model),
        };
        let debt = model.debts.get(&(account, year)).copied().unwrap_or_default();
        let most = match (surrender, self.chooser.percent(90)) {
            (true, true) => debt.open().min(120),
            (false, true) => (debt.due / 20).saturating_sub(debt.offset).min(debt.open()),
            _ => debt.open().min(200) + 5,
        };
        let units = self.selection(model, account, instrument, most);
        let payload = if surrender {
            Surrender { year, units }.into()
        } else {
            Offset { year, units }.into()
        };
        (account, payload)
    }

    /// A holder, mostly one that can act.
    fn holder(&mut self, model: &Model) -> AccountId {
        let role = match self.chooser.below(100) {
            0..60 => Role::KeyEmittingEntity,
            60..80 => Role::Trader,
            80..92 => Role::ProjectOwner,
            92..98 => Role::Government,
            _ => Role::Auditor,
        };
        self.someone(model, role)
    }

    fn receiver(&mut self, model: &Model, from: AccountId, instrument: Instrument) -> AccountId {
        match self.chooser.below(100) {
            0 => from,
            1 => self.someone(model, Role::Exchange),
            2..6 => self.someone(model, Role::ProjectOwner),
            _ if instrument.is_ccer() && self.chooser.percent(10) => {
                self.someone(model, Role::ProjectOwner)
            }
            _ => {
                let role = if self.chooser.percent(75) { HOLDERS[0] } else { Role::Trader };
                self.someone(model, role)
            }
        }
    }

    /// An instrument that the account holds free, if any.
    pub(super) fn instrument_of(&mut self, model: &Model, account: AccountId) -> Instrument {
        let held: Vec<Instrument> =
            model.units.instruments().filter(|it| model.units.free(*it, account) > 0).collect();
        match self.chooser.one(&held) {
            Some(instrument) if self.chooser.percent(97) => *instrument,
            _ => self.instrument(model),
        }
    }

    /// Any instrument; sometimes one that was never issued.
    pub(super) fn instrument(&mut self, model: &Model) -> Instrument {
        let all: Vec<Instrument> = model.units.instruments().collect();
        match self.chooser.one(&all) {
            Some(instrument) if self.chooser.percent(95) => *instrument,
            _ if self.chooser.percent(50) => Instrument::Cea(self.year(model)),
            _ => Instrument::Ccer("Z999999".parse().unwrap(), self.year(model)),
        }
    }

    /// A compliance year or vintage near the business date.
    pub(super) fn year(&mut self, model: &Model) -> Vintage {
        let this = u64::from(model.today.ymd().0);
        let year = match self.chooser.below(20) {
            0 => 1920,
            1 => this + 1,
            _ => this - self.chooser.below(4),
        };
        Vintage::new(year as u16).unwrap()
    }

    /// A quantity or named ranges, mostly free, at most so many tonnes; now and then nonsense.
    pub(super) fn selection(
        &mut self,
        model: &Model,
        account: AccountId,
        instrument: Instrument,
        most: u64,
    ) -> Selection {
        if self.chooser.percent(60) {
            let free = model.units.free(instrument, account);
            let tonnes = match self.chooser.below(100) {
                0 => 0,
                1 => u64::MAX,
                2 => free + 1,
                _ => self.chooser.within(1, free.min(most).max(1)),
            };
            return Selection::Quantity { instrument, tonnes: Tonnes::new(tonnes) };
        }
        let free = model.units.free_numbers(instrument, account);
        let mut ranges: Vec<SerialRange> = Vec::new();
        let mut left = most;
        for _ in 0..self.chooser.within(1, 4) {
            let Some(start) = self.chooser.one(&free).copied() else { break };
            let at = free.partition_point(|number| *number < start);
            let run = (0u64..).zip(&free[at..]).take_while(|(i, n)| **n == start + i).count();
            let length = self.chooser.within(1, (run as u64).min(left).max(1));
            let range = SerialRange::new(instrument, start, start + length).unwrap();
            let overlaps = ranges.iter().any(|other| other.overlaps(&range));
            if overlaps && !self.chooser.percent(3) || left < length {
                continue;
            }
            left -= length;
            ranges.push(range);
        }
        if self.chooser.percent(2) {
            let start = self.chooser.within(1, model.units.issued(instrument) + 3);
            ranges.push(SerialRange::new(instrument, start, start + 2).unwrap());
        }
        if self.chooser.below(1_000) == 0 {
            let many = (0..300).map(|at| SerialRange::new(instrument, 2 * at + 1, 2 * at + 2));
            ranges = many.map(Result::unwrap).collect();
        }
        Selection::Ranges(ranges)
    }

    /// Other representatives, mostly able to act.
    pub(super) fn new_people(&mut self, model: &Model, account: AccountId) -> Payload {
        let target = if self.chooser.percent(95) { account } else { self.anyone(model) };
        let mut representatives = self.desk();
        match self.chooser.below(30) {
            0 => representatives.truncate(1),
            1 => representatives[1] = representatives[0],
            2 => representatives.clear(),
            _ => {}
        }
        SetRepresentatives {
            account: target,
            representatives,
            thresholds: self.thresholds(),
            material: Digest::new([3; 32]),
        }
        .into()
    }

    /// A desk of new people; some with a reader and a second approver.
    pub(super) fn desk(&mut self) -> Vec<Representative> {
        self.counter += 1;
        let label = format!("desk-{}", self.counter % 500);
        let mut desk = self.people.desk(&label);
        if self.chooser.percent(30) {
            let key = self.people.meet(&format!("{label}/4"));
            let right = if self.chooser.percent(50) { Right::Read } else { Right::Approve };
            desk.push(Representative { key, right });
        }
        desk
    }

    /// One or two people per class; rarely nobody.
    pub(super) fn thresholds(&mut self) -> Thresholds {
        let mut people = || match self.chooser.below(60) {
            0 => 0,
            1..20 => 2,
            20 => 3,
            _ => 1,
        };
        Thresholds {
            operation: people(),
            administration: people(),
            transfer: people(),
            compliance: people(),
        }
    }
}
