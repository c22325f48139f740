//! Orders of the ministry, the registries, the exchanges, the settlement institution and the
//! provinces.

use cets_contracts::rules::Payload;
use cets_contracts::rules::accounts::close_account::CloseAccount;
use cets_contracts::rules::accounts::open_account::{NewAccount, OpenAccount};
use cets_contracts::rules::allowances::issue::{Issue, IssueLine};
use cets_contracts::rules::compliance::record_verified_emissions::{
    EmissionLine, RecordVerifiedEmissions,
};
use cets_contracts::rules::enforcement::freeze::Freeze;
use cets_contracts::rules::enforcement::unfreeze::Unfreeze;
use cets_contracts::rules::governance::advance_business_date::AdvanceBusinessDate;
use cets_contracts::rules::governance::set_parameter::SetParameter;
use cets_contracts::rules::governance::set_validators::SetValidators;
use cets_contracts::rules::reductions::issue_ccer::{IssueCcer, IssueCcerLine};
use cets_contracts::rules::reductions::register_project::RegisterProject;
use cets_contracts::rules::settlement::confirm_funds::{ConfirmFunds, FundDirection, FundLine};
use cets_contracts::rules::settlement::settle_trades::{SettleTrades, Trade, TradeMethod};
use cets_contracts::state::ParameterName;
use cets_contracts::types::{
    AccountId, BusinessDate, Digest, Fen, Instrument, ProjectCode, ProvinceCode, Role, Tonnes,
    Vintage,
};

use super::Workload;
use crate::fixture::{account, credit_code, validator};
use crate::model::{Model, answers_for};

/// Holders of each role, at most; more are not opened.
const HOLDERS_MAX: u64 = 40;

impl Workload {
    pub(super) fn order_of_an_institution(&mut self, model: &Model) -> (AccountId, Payload) {
        let registry = account(Role::Registry, 1);
        let reductions = account(Role::CcerRegistry, 1);
        let ministry = account(Role::Ministry, 1);
        let (usual, payload) = match self.chooser.below(1_000) {
            0..8 => (registry, self.next_date(model)),
            8..150 => (registry, self.issue(model)),
            150..240 => (reductions, self.issue_reductions(model)),
            240..252 => (reductions, self.register_project(model)),
            252..420 => (account(Role::Settlement, 1), self.confirm_funds(model)),
            420..690 => self.settle_trades(model),
            690..800 => self.record_emissions(model),
            800..860 => self.freeze(model),
            860..920 => self.unfreeze(model),
            920..940 => (registry, self.open_accounts(model, Role::KeyEmittingEntity)),
            940..948 => (reductions, self.open_accounts(model, Role::ProjectOwner)),
            948..951 => (ministry, self.open_accounts(model, Role::Province)),
            951..966 => (registry, self.close_account(model)),
            966..974 => {
                let target = self.anyone(model);
                let sender = self.who_answers_for(target);
                (sender, self.new_people(model, target))
            }
            974..986 => {
                // Now and then by the registry, which sets none of the parameters.
                let is_other = model.today.as_days().is_multiple_of(20);
                let caller = if is_other { registry } else { ministry };
                (caller, self.set_parameter(model))
            }
            _ => (ministry, self.set_validators(model)),
        };
        let usual = if self.chooser.percent(98) { usual } else { self.anyone(model) };
        (usual, payload)
    }

    fn digest(&mut self) -> Digest {
        Digest::new(self.chooser.bytes())
    }

    fn next_date(&mut self, model: &Model) -> Payload {
        let days = model.today.as_days();
        let date = BusinessDate::from_days(days + self.chooser.below(6) as u32).unwrap();
        AdvanceBusinessDate { date }.into()
    }

    /// A table of allowances, mostly within the cap.
    fn issue(&mut self, model: &Model) -> Payload {
        let vintage = self.year(model);
        let lines = self.chooser.within(1, 4);
        let lines = (0..lines)
            .map(|_| {
                let tonnes = match self.chooser.below(200) {
                    0 => 0,
                    1 => 20_000,
                    2 => u64::MAX,
                    _ => self.chooser.within(1, 120),
                };
                let role = match self.chooser.below(100) {
                    0 => Role::Trader,
                    1..4 => Role::Government,
                    _ => Role::KeyEmittingEntity,
                };
                IssueLine { account: self.someone(model, role), tonnes: Tonnes::new(tonnes) }
            })
            .collect();
        let lines = if self.chooser.below(300) == 0 { Vec::new() } else { lines };
        Issue { vintage, lines, document: Digest::new([1; 32]) }.into()
    }

    fn project(&mut self, known: u64) -> ProjectCode {
        let number = self.chooser.below(known);
        format!("A{number:06}").parse().unwrap()
    }

    fn issue_reductions(&mut self, model: &Model) -> Payload {
        let lines = self.chooser.within(1, 3);
        let lines = (0..lines)
            .map(|_| {
                let tonnes = match self.chooser.below(200) {
                    0 => 0,
                    1 => 1_000_000_000_000,
                    _ => self.chooser.within(1, 25),
                };
                IssueCcerLine {
                    project: self.project(13),
                    vintage: self.year(model),
                    tonnes: Tonnes::new(tonnes),
                }
            })
            .collect();
        IssueCcer { lines, document: Digest::new([1; 32]) }.into()
    }

    fn register_project(&mut self, model: &Model) -> Payload {
        let today = u64::from(model.today.as_days());
        let late = u64::from(self.chooser.percent(5));
        let day = self.chooser.within(today - 3_000, today) + 3_000 * late;
        let role = if self.chooser.percent(97) { Role::ProjectOwner } else { Role::Trader };
        RegisterProject {
            project: self.project(12),
            owner: self.someone(model, role),
            registered_on: BusinessDate::from_days(day as u32).unwrap(),
            document: Digest::new([1; 32]),
        }
        .into()
    }

    fn confirm_funds(&mut self, model: &Model) -> Payload {
        let lines = self.chooser.within(1, 4);
        let mut lines: Vec<FundLine> = (0..lines)
            .map(|_| {
                let role = match self.chooser.below(100) {
                    0 => Role::Province,
                    1..30 => Role::Trader,
                    _ => Role::KeyEmittingEntity,
                };
                let account = self.someone(model, role);
                let fen = model.accounts.get(&account).map_or(0, |holder| holder.fen);
                let (direction, amount) = match self.chooser.below(100) {
                    0 => (FundDirection::Deposit, 0),
                    1 => (FundDirection::Deposit, u64::MAX),
                    2..30 => (FundDirection::Withdrawal, self.chooser.within(1, fen / 2 + 2)),
                    _ => (FundDirection::Deposit, self.chooser.within(1, 400_000)),
                };
                FundLine { account, direction, amount: Fen::new(amount), reference: self.digest() }
            })
            .collect();
        if self.chooser.below(60) == 0 {
            let used: Vec<Digest> = model.references.iter().take(50).copied().collect();
            lines[0].reference = self.chooser.one(&used).copied().unwrap_or(lines[0].reference);
        }
        if self.chooser.below(60) == 0 {
            let last = lines.len() - 1;
            lines[last].reference = lines[0].reference;
        }
        ConfirmFunds { lines }.into()
    }

    /// A batch of an exchange; numbers sometimes repeat earlier ones.
    fn settle_trades(&mut self, model: &Model) -> (AccountId, Payload) {
        let role = if self.chooser.percent(70) { Role::Exchange } else { Role::CcerExchange };
        let exchange = account(role, 1);
        let today: Vec<_> = model
            .batches
            .iter()
            .filter(|((who, day, _), _)| *who == exchange && *day == model.today)
            .collect();
        let last_batch = today.iter().map(|((_, _, number), _)| *number).max().unwrap_or(0);
        let last_trade = today.iter().map(|(_, (_, last))| *last).max().unwrap_or(0);
        let mut failed = model.failed_trades.iter();
        let failed = failed
            .find(|(who, day, _)| *who == exchange && *day == model.today)
            .map(|(_, _, number)| *number);
        let mut number = match self.chooser.below(12) {
            0 => self.chooser.below(last_trade + 2),
            1 | 2 => failed.unwrap_or(last_trade + 1),
            _ => last_trade + 1,
        };
        let count = if self.chooser.percent(8) { 1 } else { self.chooser.within(1, 8) };
        let trades = (0..count)
            .map(|_| {
                let trade = self.trade(model, role == Role::CcerExchange, number);
                number += if self.chooser.below(300) == 0 { 0 } else { self.chooser.within(1, 2) };
                trade
            })
            .collect();
        let late = u32::from(self.chooser.below(80) == 0);
        let order = SettleTrades {
            trading_day: BusinessDate::from_days(model.today.as_days() + late).unwrap(),
            batch: if self.chooser.below(50) == 0 { last_batch } else { last_batch + 1 },
            trades,
        };
        (exchange, order.into())
    }

    fn trade(&mut self, model: &Model, reductions: bool, trade_no: u64) -> Trade {
        let roles = [Role::KeyEmittingEntity, Role::Trader, Role::ProjectOwner];
        let role = *self.chooser.one(&roles[..if reductions { 3 } else { 2 }]).unwrap();
        let seller = self.someone(model, role);
        let held: Vec<Instrument> = model
            .units
            .instruments()
            .filter(|it| it.is_ccer() == reductions && model.units.free(*it, seller) > 0)
            .collect();
        let instrument = match self.chooser.one(&held) {
            Some(instrument) => *instrument,
            None => self.instrument(model),
        };
        let free = model.units.free(instrument, seller);
        let least = if reductions { 20 } else { 40 };
        let tonnes = match self.chooser.below(150) {
            0 => 0,
            1 => u64::MAX,
            2..8 => free + 1,
            _ => self.chooser.within(1, free.clamp(1, 80)),
        };
        let method = match self.chooser.below(20) {
            0 => TradeMethod::Block,
            1 => TradeMethod::Listing,
            2 => TradeMethod::Auction,
            _ if tonnes >= least => TradeMethod::Block,
            _ => TradeMethod::Listing,
        };
        let buyer = match self.chooser.below(300) {
            0 => seller,
            1..20 => self.someone(model, Role::ProjectOwner),
            _ => {
                let role = *self.chooser.one(&roles[..2]).unwrap();
                self.someone(model, role)
            }
        };
        let price = match self.chooser.below(300) {
            0 => 0,
            1 => u64::MAX / 2,
            _ => self.chooser.within(3_000, 10_000),
        };
        let (tonnes, price) = (Tonnes::new(tonnes), Fen::new(price));
        Trade { trade_no, instrument, method, seller, buyer, tonnes, price }
    }

    fn record_emissions(&mut self, model: &Model) -> (AccountId, Payload) {
        let province = account(Role::Province, self.chooser.within(1, 2));
        let code = model.accounts[&province].province;
        let own: Vec<AccountId> = model
            .accounts
            .iter()
            .filter(|(id, holder)| id.role() == Role::KeyEmittingEntity && holder.province == code)
            .map(|(id, _)| *id)
            .collect();
        let year = self.year(model);
        let mut lines: Vec<EmissionLine> = Vec::new();
        for _ in 0..self.chooser.within(1, 3) {
            let account = match self.chooser.one(&own) {
                Some(account) if self.chooser.percent(97) => *account,
                _ => self.anyone(model),
            };
            let before = model.debts.get(&(account, year)).map_or(0, |debt| debt.due);
            let verified = self.chooser.within(before / 2, before.max(60) + 60);
            let due = if self.chooser.percent(2) { verified + 1 } else { verified - verified / 10 };
            let twice = lines.iter().any(|line| line.account == account);
            if !twice || self.chooser.percent(2) {
                let (verified, due) = (Tonnes::new(verified), Tonnes::new(due));
                lines.push(EmissionLine { account, verified, due });
            }
        }
        (province, RecordVerifiedEmissions { year, lines, report: Digest::new([4; 32]) }.into())
    }

    fn freeze(&mut self, model: &Model) -> (AccountId, Payload) {
        let role = match self.chooser.below(20) {
            0..12 => Role::KeyEmittingEntity,
            12..16 => Role::Trader,
            16..19 => Role::ProjectOwner,
            _ => Role::Exchange,
        };
        // Sometimes an order that this account was frozen by before.
        let used: Vec<_> = model.ice.keys().take(20).copied().collect();
        let (target, order) = match self.chooser.one(&used) {
            Some((target, order, _)) if self.chooser.percent(4) => (*target, *order),
            _ => (self.someone(model, role), self.digest()),
        };
        let instrument = self.instrument_of(model, target);
        let units = self.chooser.percent(70).then(|| self.selection(model, target, instrument, 40));
        let reductions = if units.is_some() {
            instrument.is_ccer()
        } else {
            target.role() == Role::ProjectOwner
        };
        let registry = if reductions { Role::CcerRegistry } else { Role::Registry };
        (account(registry, 1), Freeze { account: target, units, order }.into())
    }

    /// Mostly an institution that answers for an account, sometimes another.
    fn who_answers_for(&mut self, target: AccountId) -> AccountId {
        let institutions = [Role::Ministry, Role::Registry, Role::CcerRegistry, Role::Exchange]
            .map(|role| account(role, 1));
        let right = institutions.into_iter().find(|one| answers_for(*one, target));
        match right {
            Some(right) if self.chooser.percent(70) => right,
            _ => *self.chooser.one(&institutions).unwrap(),
        }
    }

    /// Lifts a freeze: all are lifted sooner or later, so that the market goes on.
    fn unfreeze(&mut self, model: &Model) -> (AccountId, Payload) {
        let frozen: Vec<(AccountId, Digest, AccountId)> = model
            .ice
            .iter()
            .filter(|(_, ice)| !ice.lifted || self.chooser.below(400) == 0)
            .map(|(name, _)| *name)
            .collect();
        let known = self.chooser.one(&frozen).copied();
        let (holder, order, registry) = match known {
            Some(found) if self.chooser.percent(97) => found,
            _ => (self.anyone(model), self.digest(), account(Role::Registry, 1)),
        };
        let order = Unfreeze { account: holder, order, lifted_by: Digest::new([5; 32]) };
        (registry, order.into())
    }

    fn open_accounts(&mut self, model: &Model, usual: Role) -> Payload {
        let lines = self.chooser.within(1, 3);
        let accounts = (0..lines).map(|_| self.new_account(model, usual)).collect();
        OpenAccount { accounts }.into()
    }

    /// A new holder; when there are enough of its role, one that has an account already.
    fn new_account(&mut self, model: &Model, usual: Role) -> NewAccount {
        let role = match self.chooser.below(10) {
            0 => Role::Trader,
            1 if self.chooser.percent(20) => Role::ProjectOwner,
            _ => usual,
        };
        self.counter += 1;
        let full = model.numbers.get(&role).copied().unwrap_or(0) >= HOLDERS_MAX;
        let used = model.accounts.values().find_map(|holder| holder.credit_code.clone());
        let credit_code = match used {
            Some(code) if full || self.chooser.percent(10) => code.try_into().unwrap(),
            _ => credit_code(self.counter % 10_000_000),
        };
        let mut representatives = self.desk();
        if self.chooser.below(50) == 0 {
            representatives.truncate(1);
        }
        let name = if self.chooser.below(50) == 0 { String::new() } else { "Holder".to_owned() };
        let province = match self.chooser.below(100) {
            0..57 => 42,
            57..95 => 31,
            _ => 11,
        };
        NewAccount {
            role,
            name,
            credit_code,
            province: ProvinceCode::new(province).unwrap(),
            representatives,
            thresholds: self.thresholds(),
            material: Digest::new([2; 32]),
        }
    }

    fn close_account(&mut self, model: &Model) -> Payload {
        let account = self.anyone(model);
        CloseAccount { account, document: Digest::new([6; 32]) }.into()
    }

    fn set_parameter(&mut self, model: &Model) -> Payload {
        let name = *self.chooser.one(ParameterName::ALL).unwrap();
        let today = i64::from(model.today.as_days());
        let this = u64::from(model.today.ymd().0);
        let (year, value) = match name {
            ParameterName::OffsetCap => (None, 400 + self.chooser.below(300).cast_signed()),
            ParameterName::IssueCap => {
                (Some(self.year(model)), 3_000 + self.chooser.below(3_000).cast_signed())
            }
            ParameterName::BlockTradeMin => (None, 40),
            ParameterName::CcerBlockTradeMin => (None, 20),
            ParameterName::OffsetRegisteredFrom => {
                (Some(self.year(model)), today - self.chooser.within(1_000, 3_000).cast_signed())
            }
            ParameterName::OffsetRegisteredUntil => (Some(self.year(model)), today),
            ParameterName::SurrenderDeadline => (Some(self.year(model)), today + 90),
            ParameterName::SurrenderVintageMax => {
                (Some(self.year(model)), self.chooser.within(this - 1, this + 2).cast_signed())
            }
            ParameterName::SurrenderVintageMin => {
                let first = if self.chooser.percent(50) { 1_920 } else { this.cast_signed() - 4 };
                (Some(self.year(model)), first)
            }
        };
        let value = if self.chooser.percent(5) { -1 } else { value };
        let from = today - i64::from(self.chooser.percent(5)) + self.chooser.below(4).cast_signed();
        SetParameter {
            name,
            year: year.filter(|year: &Vintage| year.get() > 2_018),
            valid_from: BusinessDate::from_days(from as u32).unwrap(),
            value,
            article: if self.chooser.percent(95) { "Notice".to_owned() } else { String::new() },
        }
        .into()
    }

    /// One validator joins, leaves, or changes power; sometimes too many change at once.
    fn set_validators(&mut self, model: &Model) -> Payload {
        let mut validators = model.validators.clone();
        self.counter += 1;
        match self.chooser.below(10) {
            0..4 if validators.len() < 9 => validators.push(validator(self.counter % 1_000)),
            4..8 if validators.len() > 4 => {
                let at = self.chooser.below(validators.len() as u64) as usize;
                validators.remove(at);
            }
            8 => validators.truncate(1),
            _ => validators[0].power = self.chooser.below(3),
        }
        SetValidators { validators }.into()
    }
}
