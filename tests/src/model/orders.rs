//! What each order asks for: first its shape, then its checks in the documented order.

use cets_contracts::block::{Validator, ValidatorSet};
use cets_contracts::rules::Payload;
use cets_contracts::rules::accounts::open_account::NewAccount;
use cets_contracts::rules::compliance::record_verified_emissions::RecordVerifiedEmissions;
use cets_contracts::rules::enforcement::freeze::Freeze;
use cets_contracts::rules::enforcement::unfreeze::Unfreeze;
use cets_contracts::rules::governance::propose::{Propose, task_id};
use cets_contracts::rules::governance::set_validators::SetValidators;
use cets_contracts::rules::reductions::issue_ccer::IssueCcer;
use cets_contracts::state::{ParameterName, UnitPlace, UnitStatus};
use cets_contracts::types::{AccountId, Instrument, Role, Selection, SerialRange, TaskId, Vintage};

use super::{
    Debt, HOLDERS, Ice, Model, ModelAccount, ModelProject, Picked, Seen, Standing, Units, Waiting,
    Wants, answers_for, keeps, may_hold, people_suffice, who_signs,
};

const MONTH_MILLIS: u64 = 30 * 24 * 3_600_000;

/// A text that people can read.
fn check_text(text: &str, longest: usize) -> Result<(), u16> {
    let readable = !text.is_empty() && text.len() <= longest;
    if readable && !text.chars().any(char::is_control) { Ok(()) } else { Err(1016) }
}

fn check_lines(lines: usize, most: usize) -> Result<(), u16> {
    if (1..=most).contains(&lines) { Ok(()) } else { Err(1015) }
}

/// Every unit named is of the kind that the order is about.
fn check_kind(selection: &Selection, reductions: bool) -> Result<(), u16> {
    Units::check_shape(selection)?;
    let fits = selection.instruments().iter().all(|instrument| instrument.is_ccer() == reductions);
    if fits { Ok(()) } else { Err(1018) }
}

fn refuse_if(condition: bool, number: u16) -> Result<(), u16> {
    if condition { Err(number) } else { Ok(()) }
}

impl Model {
    /// What can be said about an order without looking at the ledger.
    pub(super) fn check_shape(&self, account: AccountId, order: &Payload) -> Result<(), u16> {
        match order {
            Payload::OpenAccount(order) => {
                check_lines(order.accounts.len(), 200)?;
                order.accounts.iter().try_for_each(|line| {
                    check_text(&line.name, 200)?;
                    let suffice =
                        people_suffice(line.role, &line.representatives, &line.thresholds);
                    refuse_if(!suffice, 3003)
                })
            }
            Payload::SetRepresentatives(order) => {
                let role = order.account.role();
                let suffice = people_suffice(role, &order.representatives, &order.thresholds);
                refuse_if(!suffice, 3101)
            }
            Payload::Issue(order) => {
                check_lines(order.lines.len(), 1_000)?;
                refuse_if(order.lines.iter().any(|line| line.tonnes.is_zero()), 1006)
            }
            Payload::IssueCcer(order) => {
                check_lines(order.lines.len(), 1_000)?;
                refuse_if(order.lines.iter().any(|line| line.tonnes.is_zero()), 1006)
            }
            Payload::Transfer(order) => {
                Units::check_shape(&order.units)?;
                refuse_if(order.to == account, 1019)?;
                let kinds = order.units.instruments();
                let fits = kinds.iter().all(|kind| may_hold(order.to.role(), kind.is_ccer()));
                refuse_if(!fits, 1020)
            }
            Payload::Cancel(order) => Units::check_shape(&order.units),
            Payload::Surrender(order) => check_kind(&order.units, false),
            Payload::Offset(order) => check_kind(&order.units, true),
            Payload::Freeze(order) => order.units.as_ref().map_or(Ok(()), Units::check_shape),
            Payload::SetParameter(order) => {
                check_text(&order.article, 200)?;
                let (min, max) = order.name.limits();
                refuse_if(order.value < min || order.value > max, 2101)
            }
            Payload::SetValidators(order) => {
                refuse_if(ValidatorSet::new(order.validators.clone()).is_err(), 2201)
            }
            Payload::ConfirmFunds(order) => Self::check_funds_shape(order),
            Payload::SettleTrades(order) => Self::check_trades_shape(order),
            Payload::RecordVerifiedEmissions(order) => Self::check_emissions_shape(order),
            Payload::RegisterProject(order) => {
                refuse_if(order.owner.role() != Role::ProjectOwner, 7001)
            }
            Payload::Propose(order) => self.check_proposal_shape(account, order),
            Payload::Reject(order) => check_text(&order.reason, 200),
            Payload::AdvanceBusinessDate(_)
            | Payload::CloseAccount(_)
            | Payload::Unfreeze(_)
            | Payload::Approve(_) => Ok(()),
        }
    }

    fn check_emissions_shape(order: &RecordVerifiedEmissions) -> Result<(), u16> {
        check_lines(order.lines.len(), 2_000)?;
        for (at, line) in order.lines.iter().enumerate() {
            refuse_if(order.lines[..at].iter().any(|other| other.account == line.account), 6002)?;
            refuse_if(line.due > line.verified, 6001)?;
        }
        Ok(())
    }

    fn check_proposal_shape(&self, account: AccountId, order: &Propose) -> Result<(), u16> {
        let nested =
            matches!(*order.order, Payload::Propose(_) | Payload::Approve(_) | Payload::Reject(_));
        refuse_if(nested, 2003)?;
        let (until, now) = (order.valid_until.as_millis(), self.now.as_millis());
        refuse_if(until <= now || until - now > MONTH_MILLIS, 2004)?;
        self.check_shape(account, &order.order)
    }

    /// The checks against the ledger, in the documented order, and then what changes.
    pub(super) fn carry_out(&mut self, tx: Seen<'_>, order: &Payload) -> Result<(), u16> {
        let account = tx.body.account;
        match order {
            Payload::AdvanceBusinessDate(order) => {
                refuse_if(order.date <= self.today, 2001)?;
                self.today = order.date;
                Ok(())
            }
            Payload::OpenAccount(order) => self.open_accounts(account, &order.accounts),
            Payload::CloseAccount(order) => self.close_account(account, order.account),
            Payload::SetRepresentatives(order) => {
                self.living_account(order.account)?;
                refuse_if(order.account != account && !answers_for(account, order.account), 3102)?;
                let holder = self.accounts.get_mut(&order.account).unwrap();
                holder.people.clone_from(&order.representatives);
                holder.thresholds = order.thresholds;
                Ok(())
            }
            Payload::Issue(order) => self.issue(order.vintage, &order.lines),
            Payload::IssueCcer(order) => self.issue_reductions(order),
            Payload::RegisterProject(order) => {
                refuse_if(order.registered_on > self.today, 7002)?;
                refuse_if(self.projects.contains_key(&order.project), 7003)?;
                self.open_account(order.owner)?;
                let (owner, registered_on) = (order.owner, order.registered_on);
                self.projects.insert(order.project, ModelProject { owner, registered_on });
                Ok(())
            }
            Payload::Transfer(order) => {
                self.open_account(order.to)?;
                let picked = self.units.pick(account, &order.units)?;
                self.units.put(&picked, UnitPlace { holder: order.to, status: UnitStatus::Free });
                Ok(())
            }
            Payload::Cancel(order) => {
                let picked = self.units.pick(account, &order.units)?;
                let status = UnitStatus::Cancelled;
                self.units.put(&picked, UnitPlace { holder: account, status });
                Ok(())
            }
            Payload::Surrender(order) => self.surrender(account, order.year, &order.units),
            Payload::Offset(order) => self.offset(account, order.year, &order.units),
            Payload::RecordVerifiedEmissions(order) => self.record_emissions(account, order),
            Payload::Freeze(order) => self.freeze(account, order),
            Payload::Unfreeze(order) => self.unfreeze(account, order),
            Payload::SetParameter(order) => {
                refuse_if(order.name.authority() != account.role(), 2102)?;
                refuse_if(order.valid_from < self.today, 2103)?;
                let same = (order.name, order.year, order.valid_from);
                let mut versions = self.parameters.iter();
                let known = versions.any(|(name, year, from, _)| (*name, *year, *from) == same);
                refuse_if(known && order.valid_from <= self.today, 2104)?;
                self.parameters.retain(|(name, year, from, _)| (*name, *year, *from) != same);
                self.parameters.push((order.name, order.year, order.valid_from, order.value));
                Ok(())
            }
            Payload::SetValidators(order) => self.set_validators(order),
            Payload::ConfirmFunds(order) => self.confirm_funds(order),
            Payload::SettleTrades(order) => self.settle_trades(account, order),
            Payload::Propose(order) => self.propose(tx, order),
            Payload::Approve(order) => self.approve(tx, order.task),
            Payload::Reject(order) => {
                self.tasks.remove(&(account, order.task)).map(|_| ()).ok_or(2007)
            }
        }
    }

    fn open_accounts(&mut self, registry: AccountId, lines: &[NewAccount]) -> Result<(), u16> {
        let market = |role: Role| role == Role::ProjectOwner;
        for (at, line) in lines.iter().enumerate() {
            let new = AccountId::new(line.role, 0).unwrap();
            refuse_if(!keeps(registry, new), 3002)?;
            let code = String::from(line.credit_code);
            let holds = |(id, account): (&AccountId, &ModelAccount)| {
                market(id.role()) == market(line.role) && account.credit_code == Some(code.clone())
            };
            let in_table = lines[..at].iter().any(|other| {
                market(other.role) == market(line.role) && other.credit_code == line.credit_code
            });
            refuse_if(self.accounts.iter().any(holds) || in_table, 3001)?;
        }
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.role == Role::Province) {
            let acts = |(id, account): (&AccountId, &ModelAccount)| {
                let open = !matches!(account.state, Standing::Closed);
                id.role() == Role::Province && open && account.province == Some(line.province)
            };
            let in_table = lines[..at]
                .iter()
                .any(|other| other.role == Role::Province && other.province == line.province);
            refuse_if(self.accounts.iter().any(acts) || in_table, 3004)?;
        }
        for line in lines {
            let number = self.numbers.entry(line.role).or_insert(0);
            *number += 1;
            let account = ModelAccount {
                state: Standing::Open,
                province: Some(line.province),
                credit_code: Some(String::from(line.credit_code)),
                people: line.representatives.clone(),
                thresholds: line.thresholds,
                fen: 0,
            };
            self.accounts.insert(AccountId::new(line.role, *number).unwrap(), account);
        }
        Ok(())
    }

    fn close_account(&mut self, registry: AccountId, account: AccountId) -> Result<(), u16> {
        let holder = self.open_account(account)?;
        refuse_if(!keeps(registry, account), 3102)?;
        let holds = |place: &UnitPlace| place.holder == account && place.status.kind().is_held();
        let mut instruments = self.units.instruments();
        let units =
            instruments.any(|it| self.units.tally(it).iter().any(|(place, _)| holds(place)));
        refuse_if(units || holder.fen > 0, 3201)?;
        let mut debts = self.debts.iter();
        refuse_if(debts.any(|((owner, _), debt)| *owner == account && debt.open() > 0), 3202)?;
        let now = self.now;
        let waits = |task: &Waiting| task.valid_until >= now;
        let mut tasks = self.tasks.iter();
        refuse_if(tasks.any(|((owner, _), task)| *owner == account && waits(task)), 3203)?;
        self.tasks.retain(|(owner, _), _| *owner != account);
        let holder = self.accounts.get_mut(&account).unwrap();
        holder.state = Standing::Closed;
        holder.credit_code = None;
        Ok(())
    }

    fn issue(
        &mut self,
        vintage: Vintage,
        lines: &[cets_contracts::rules::allowances::issue::IssueLine],
    ) -> Result<(), u16> {
        let instrument = Instrument::Cea(vintage);
        let cap = self.parameter(ParameterName::IssueCap, Some(vintage))?;
        let mut issued = self.units.issued(instrument);
        for line in lines {
            issued = issued.checked_add(line.tonnes.get()).ok_or(1013u16)?;
        }
        refuse_if(i128::from(issued) > i128::from(cap), 5001)?;
        for line in lines {
            self.open_account(line.account)?;
            let role = line.account.role();
            refuse_if(!matches!(role, Role::KeyEmittingEntity | Role::Government), 5002)?;
        }
        for line in lines {
            self.units.issue(instrument, line.tonnes.get(), line.account);
        }
        Ok(())
    }

    fn issue_reductions(&mut self, order: &IssueCcer) -> Result<(), u16> {
        let mut table = Vec::new();
        for line in &order.lines {
            let project = *self.projects.get(&line.project).ok_or(7004u16)?;
            let year = u32::from(line.vintage.get());
            refuse_if(year == 1920 || year > self.today.ymd().0, 7005)?;
            self.open_account(project.owner)?;
            let instrument = Instrument::Ccer(line.project, line.vintage);
            table.push((instrument, line.tonnes.get(), project.owner));
        }
        let total = |instrument| {
            let same = table.iter().filter(|(it, _, _)| *it == instrument);
            same.fold(0u64, |sum, (_, tonnes, _)| sum.saturating_add(*tonnes))
        };
        for (instrument, _, _) in &table {
            refuse_if(self.units.would_exhaust(*instrument, total(*instrument)), 1014)?;
        }
        for (instrument, tonnes, owner) in table {
            self.units.issue(instrument, tonnes, owner);
        }
        Ok(())
    }

    fn debt(&self, account: AccountId, year: Vintage) -> Result<Debt, u16> {
        self.debts.get(&(account, year)).copied().ok_or(1021)
    }

    fn surrender(
        &mut self,
        account: AccountId,
        year: Vintage,
        units: &Selection,
    ) -> Result<(), u16> {
        let debt = self.debt(account, year)?;
        let first = self.parameter(ParameterName::SurrenderVintageMin, Some(year))?;
        let last = self.parameter(ParameterName::SurrenderVintageMax, Some(year))?;
        for instrument in units.instruments() {
            let vintage = i64::from(instrument.vintage().get());
            refuse_if(vintage < first || vintage > last, 6007)?;
        }
        let picked = self.units.pick(account, units)?;
        refuse_if(picked.len() as u64 > debt.open(), 1022)?;
        self.units
            .put(&picked, UnitPlace { holder: account, status: UnitStatus::Surrendered { year } });
        self.pay_debt(account, year, picked.len() as u64, 0);
        Ok(())
    }

    fn offset(&mut self, account: AccountId, year: Vintage, units: &Selection) -> Result<(), u16> {
        let debt = self.debt(account, year)?;
        let first = self.parameter(ParameterName::OffsetRegisteredFrom, Some(year))?;
        let last = self.parameter(ParameterName::OffsetRegisteredUntil, Some(year))?;
        for instrument in units.instruments() {
            let Instrument::Ccer(project, _) = instrument else { return Err(1018) };
            let Some(project) = self.projects.get(&project) else { continue }; // Nobody holds any.
            let registered = i64::from(project.registered_on.as_days());
            refuse_if(registered < first || registered > last, 6009)?;
        }
        let picked = self.units.pick(account, units)?;
        let tonnes = picked.len() as u64;
        refuse_if(debt.offset + tonnes > self.offset_max(year, debt.due)?, 6008)?;
        refuse_if(tonnes > debt.open(), 1022)?;
        self.units.put(&picked, UnitPlace { holder: account, status: UnitStatus::Offset { year } });
        self.pay_debt(account, year, 0, tonnes);
        Ok(())
    }

    /// floor(cap × due / 10,000).
    fn offset_max(&self, year: Vintage, due: u64) -> Result<u64, u16> {
        let cap = self.parameter(ParameterName::OffsetCap, Some(year))?;
        Ok((i128::from(due) * i128::from(cap) / 10_000) as u64)
    }

    fn pay_debt(&mut self, account: AccountId, year: Vintage, surrendered: u64, offset: u64) {
        let debt = self.debts.get_mut(&(account, year)).unwrap();
        debt.surrendered += surrendered;
        debt.offset += offset;
        if debt.open() == 0 {
            debt.completed_on = Some(self.today);
        }
    }

    fn record_emissions(
        &mut self,
        province: AccountId,
        order: &RecordVerifiedEmissions,
    ) -> Result<(), u16> {
        let last_year = if order.year.get() == 1920 { 2020 } else { u32::from(order.year.get()) };
        refuse_if(self.today.ymd().0 <= last_year, 6003)?;
        for line in &order.lines {
            refuse_if(line.account.role() != Role::KeyEmittingEntity, 6004)?;
            let entity = self.living_account(line.account)?;
            refuse_if(entity.province != self.account(province)?.province, 1017)?;
        }
        for line in &order.lines {
            let due = line.due.get();
            if let Ok(before) = self.debt(line.account, order.year) {
                refuse_if(before.surrendered + before.offset > due, 6005)?;
                if due < before.due {
                    refuse_if(before.offset > self.offset_max(order.year, due)?, 6006)?;
                }
            }
        }
        for line in &order.lines {
            let before = self.debts.get(&(line.account, order.year)).copied();
            let mut debt = before.unwrap_or_default();
            debt.verified = line.verified.get();
            debt.due = line.due.get();
            debt.completed_on = match (debt.open(), debt.completed_on) {
                (0, before) => before.or(Some(self.today)),
                _ => None,
            };
            self.debts.insert((line.account, order.year), debt);
        }
        Ok(())
    }

    fn freeze(&mut self, registry: AccountId, order: &Freeze) -> Result<(), u16> {
        let name = (order.account, order.order, registry);
        refuse_if(self.ice.contains_key(&name), 8001)?;
        self.open_account(order.account)?;
        let reductions = registry.role() == Role::CcerRegistry;
        let own = match &order.units {
            None => (order.account.role() == Role::ProjectOwner) == reductions,
            Some(units) => units.instruments().iter().all(|it| it.is_ccer() == reductions),
        };
        refuse_if(!own || !HOLDERS.contains(&order.account.role()), 8002)?;
        let units = match &order.units {
            None => {
                self.accounts.get_mut(&order.account).unwrap().state = Standing::Frozen;
                None
            }
            Some(units) => {
                let picked = self.units.pick(order.account, units)?;
                let status = UnitStatus::Frozen { order: order.order };
                self.units.put(&picked, UnitPlace { holder: order.account, status });
                let runs = Units::runs(&picked).into_iter();
                Some(
                    runs.map(|(it, start, end)| SerialRange::new(it, start, end).unwrap())
                        .collect(),
                )
            }
        };
        self.ice.insert(name, Ice { units, lifted: false });
        Ok(())
    }

    fn unfreeze(&mut self, registry: AccountId, order: &Unfreeze) -> Result<(), u16> {
        let holder = order.account;
        let ice = self.ice.get_mut(&(holder, order.order, registry)).ok_or(8011u16)?;
        refuse_if(ice.lifted, 8012)?;
        ice.lifted = true;
        match ice.units.clone() {
            None => self.accounts.get_mut(&holder).unwrap().state = Standing::Open,
            Some(ranges) => {
                let picked: Picked = ranges
                    .iter()
                    .flat_map(|range| (range.start()..range.end()).map(|n| (range.instrument(), n)))
                    .collect();
                self.units.put(&picked, UnitPlace { holder, status: UnitStatus::Free });
            }
        }
        Ok(())
    }

    fn set_validators(&mut self, order: &SetValidators) -> Result<(), u16> {
        let total = |set: &[Validator]| set.iter().map(|member| member.power).sum::<u64>();
        let quorum = |set: &[Validator]| total(set) * 2 / 3 + 1;
        let (old, new) = (&self.validators_of_block, &order.validators);
        let mut staying = 0;
        for before in old {
            let keys = (before.consensus_key, before.cosigner_key);
            let after = new.iter().find(|it| (it.consensus_key, it.cosigner_key) == keys);
            staying += after.map_or(0, |after| after.power.min(before.power));
        }
        refuse_if(staying < quorum(old) || staying < quorum(new), 2202)?;
        self.validators.clone_from(new);
        Ok(())
    }

    fn propose(&mut self, tx: Seen<'_>, order: &Propose) -> Result<(), u16> {
        let account = tx.body.account;
        let (roles, wants) = who_signs(&order.order);
        refuse_if(!roles.contains(&account.role()), 1003)?;
        let Wants::People(class, least) = wants else { return Err(2003) };
        let holder = self.account(account)?;
        let people = holder.acting(tx.signers)?;
        refuse_if(people >= holder.needed(class, least), 2005)?;
        let now = self.now;
        let expired = |owner: AccountId, task: &Waiting| owner == account && task.valid_until < now;
        let waiting = self
            .tasks
            .iter()
            .filter(|((owner, _), task)| *owner == account && !expired(*owner, task));
        refuse_if(waiting.count() >= 64, 2006)?;
        self.tasks.retain(|(owner, _), task| !expired(*owner, task));
        let waiting = Waiting {
            account,
            order: (*order.order).clone(),
            signed: tx.signers.to_vec(),
            valid_until: order.valid_until,
        };
        self.tasks.insert((account, task_id(&tx.id)), waiting);
        Ok(())
    }

    fn approve(&mut self, tx: Seen<'_>, id: TaskId) -> Result<(), u16> {
        let account = tx.body.account;
        let mut task = self.tasks.get(&(account, id)).cloned().ok_or(2007u16)?;
        refuse_if(task.valid_until < self.now, 2008)?;
        refuse_if(tx.signers.iter().any(|key| task.signed.contains(key)), 2009)?;
        task.signed.extend(tx.signers);
        let (roles, wants) = who_signs(&task.order);
        let Wants::People(class, least) = wants else { return Err(2003) };
        let holder = self.account(account)?;
        // Whoever left, or lost the right, does not count any more.
        let signed: Vec<_> = task.signed.iter().copied().filter(|key| holder.acts(key)).collect();
        if holder.acting(&signed)? < holder.needed(class, least) {
            self.tasks.insert((account, id), task);
            return Ok(());
        }
        self.check_shape(account, &task.order)?;
        self.check_caller(account, &signed, roles, wants)?;
        self.carry_out(tx, &task.order)?;
        self.tasks.remove(&(account, id));
        Ok(())
    }
}
