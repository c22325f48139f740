//! Invariants of the ledger (rule book 11): run after every block in tests and in the audit,
//! never as a transaction and never as a halt.
//!
//! [`check`] reads the whole state once, table by table:
//! - units: the ranges of an instrument cover 1 to the issued amount without gap or overlap, and
//!   no two neighbours are in one place (INV-1, INV-2, INV-6);
//! - supplies and account totals are the sums of the ranges; the index by holder mirrors them;
//! - obligations: surrendered and offset are what the units say, not more than is due, the offset
//!   within a cap that was ever set for the year; the day of completion stands exactly when nothing
//!   is owed (INV-5);
//! - freezes: whatever is frozen names a freeze in force of the same account, and all that a freeze
//!   in force names is frozen;
//! - reductions: their project is registered;
//! - money: the funds of all accounts are what was deposited less what was withdrawn (INV-4).

mod violation;

use std::collections::{BTreeMap, BTreeSet};

pub use violation::Violation;

use crate::fault::Fault;
use crate::rules::compliance::offset::share_of;
use crate::state::{
    Account, AccountStatus, Freeze, FundOrder, Key, KeyParts, Obligation, Overlay, ParameterName,
    ParameterVersion, RangeEnd, Record, State, StatusKind, Supply, UnitPlace, UnitRange,
    UnitStatus, keys,
};
use crate::types::{AccountId, Digest, Instrument, SerialRange, Tonnes, Vintage};

type Totals = BTreeMap<(AccountId, Instrument, StatusKind), Tonnes>;
type Settled = BTreeMap<(AccountId, Vintage, bool), Tonnes>;

/// What the ranges say, summed up.
#[derive(Default)]
struct Units {
    totals: Totals,
    settled: Settled,
    issued: BTreeMap<Instrument, u64>,
    frozen: BTreeSet<(AccountId, Digest)>,
}

/// One part of the invariants.
type Part = fn(&Overlay<'_>, &mut Vec<Violation>) -> Result<(), Fault>;

/// Parts of the invariants that need nothing of each other: whoever has threads may check them
/// side by side.
pub const PARTS: [Invariants; 2] = [Invariants(check_sums), Invariants(check_index_entries)];

/// A part of the invariants.
#[derive(Clone, Copy, Debug)]
pub struct Invariants(Part);

impl Invariants {
    /// Everything of this part that is wrong with a state.
    pub fn check(self, state: &State) -> Vec<Violation> {
        let mut violations = Vec::new();
        if let Err(fault) = (self.0)(&state.view(), &mut violations) {
            violations.push(Violation::Unreadable(fault.to_string()));
        }
        violations
    }
}

/// Everything that is wrong with a state; empty when all invariants hold.
pub fn check(state: &State) -> Vec<Violation> {
    PARTS.into_iter().flat_map(|part| part.check(state)).collect()
}

/// All that follows from walking the ranges.
fn check_sums(state: &Overlay<'_>, violations: &mut Vec<Violation>) -> Result<(), Fault> {
    let mut units = check_ranges(state, violations)?;
    check_supplies(state, &units, violations)?;
    check_accounts(state, &mut units, violations)?;
    check_obligations(state, &units, violations)?;
    check_freezes(state, &units, violations)
}

/// Walks all ranges: coverage, merging, the index, and sums.
fn check_ranges(state: &Overlay<'_>, violations: &mut Vec<Violation>) -> Result<Units, Fault> {
    let mut units = Units::default();
    let mut before: Option<(SerialRange, UnitPlace)> = None;
    for found in all::<UnitRange>(state) {
        let (key, record) = found?;
        let instrument = keys::instrument_of(&key)
            .ok_or_else(|| corrupt(&key, "the key names no instrument"))?;
        let range = crate::state::range_of_key(instrument, &key, record.end)?;
        let place = record.place;
        let previous = before.filter(|(previous, _)| previous.instrument() == instrument);
        let next = previous.map_or(1, |(previous, _)| previous.end());
        if range.start() > next {
            violations.push(Violation::SerialLost { instrument, number: next });
        } else if range.start() < next {
            violations.push(Violation::SerialDoubled { instrument, number: range.start() });
        } else if previous.is_some_and(|(_, other)| other == place) {
            violations.push(Violation::RangeNotMerged { instrument, number: range.start() });
        }
        check_index(state, range, place, violations)?;
        units.count(range, place);
        before = Some((range, place));
    }
    Ok(units)
}

/// Walks the index by holder: each entry has its range.
fn check_index_entries(state: &Overlay<'_>, violations: &mut Vec<Violation>) -> Result<(), Fault> {
    for found in all::<RangeEnd>(state) {
        let (key, RangeEnd { end }) = found?;
        let Some(KeyParts::UnitByHolder(account, status, instrument, _)) = KeyParts::of(&key)
        else {
            return Err(corrupt(&key, "the key names no range of a holder"));
        };
        let range = crate::state::range_of_key(instrument, &key, end)?;
        let stored: Option<UnitRange> = state.get(&keys::unit_range(&instrument, range.start()))?;
        let mirrors = stored.is_some_and(|stored| {
            stored.place.holder == account && stored.place.status.kind().tag() == status
        });
        if !mirrors {
            violations.push(Violation::IndexWrong { account, range });
        }
    }
    Ok(())
}

impl Units {
    fn count(&mut self, range: SerialRange, place: UnitPlace) {
        let tonnes = range.tonnes();
        let instrument = range.instrument();
        add(&mut self.totals, (place.holder, instrument, place.status.kind()), tonnes);
        match place.status {
            UnitStatus::Surrendered { year } => {
                add(&mut self.settled, (place.holder, year, false), tonnes);
            }
            UnitStatus::Offset { year } => {
                add(&mut self.settled, (place.holder, year, true), tonnes);
            }
            UnitStatus::Frozen { order } => {
                self.frozen.insert((place.holder, order));
            }
            _ => {}
        }
        let issued = self.issued.entry(instrument).or_insert(0);
        *issued = range.last().max(*issued);
    }
}

fn check_index(
    state: &Overlay<'_>,
    range: SerialRange,
    place: UnitPlace,
    violations: &mut Vec<Violation>,
) -> Result<(), Fault> {
    let status = place.status.kind().tag();
    let key = keys::unit_by_holder(place.holder, status, &range.instrument(), range.start());
    let indexed: Option<RangeEnd> = state.get(&key)?;
    if indexed.map(|entry| entry.end) != Some(range.end()) {
        violations.push(Violation::IndexWrong { account: place.holder, range });
    }
    Ok(())
}

fn check_supplies(
    state: &Overlay<'_>,
    units: &Units,
    violations: &mut Vec<Violation>,
) -> Result<(), Fault> {
    let mut found: BTreeMap<(Instrument, StatusKind), Tonnes> = BTreeMap::new();
    for ((_, instrument, status), tonnes) in &units.totals {
        add(&mut found, (*instrument, *status), *tonnes);
    }
    for entry in all::<Supply>(state) {
        let (key, supply) = entry?;
        let instrument = keys::instrument_of(&key)
            .ok_or_else(|| corrupt(&key, "the key names no instrument"))?;
        if let Instrument::Ccer(project, _) = instrument
            && !state.contains(&keys::project(&project))
        {
            violations.push(Violation::ProjectMissing { instrument });
        }
        let last = units.issued.get(&instrument).copied().unwrap_or(0);
        if last < supply.issued.get() {
            let number = last.saturating_add(1);
            violations.push(Violation::SerialLost { instrument, number });
        } else if last > supply.issued.get() {
            violations.push(Violation::SerialDoubled { instrument, number: last });
        }
        for status in StatusKind::ALL {
            let counted = supply.totals.get(&status).copied().unwrap_or(Tonnes::ZERO);
            let found = found.remove(&(instrument, status)).unwrap_or(Tonnes::ZERO);
            if counted != found {
                let status = format!("{status:?}");
                violations.push(Violation::SupplyWrong { instrument, status, counted, found });
            }
        }
    }
    for ((instrument, status), found) in found {
        let (status, counted) = (format!("{status:?}"), Tonnes::ZERO);
        violations.push(Violation::SupplyWrong { instrument, status, counted, found });
    }
    Ok(())
}

fn check_accounts(
    state: &Overlay<'_>,
    units: &mut Units,
    violations: &mut Vec<Violation>,
) -> Result<(), Fault> {
    let mut expected = core::mem::take(&mut units.totals);
    let mut money = 0i128;
    for entry in all::<Account>(state) {
        let (key, account) = entry?;
        let id = key
            .last_chunk::<8>()
            .and_then(|bytes| AccountId::from_key(*bytes).ok())
            .ok_or_else(|| corrupt(&key, "the key names no account"))?;
        if let AccountStatus::Frozen { order } = account.status {
            units.frozen.insert((id, order));
        }
        for fen in [account.funds.free, account.funds.locked] {
            money = money.saturating_add(i128::from(fen.get()));
        }
        for ((instrument, status), counted) in account.totals {
            let found = expected.remove(&(id, instrument, status)).unwrap_or(Tonnes::ZERO);
            if counted != found {
                violations.push(total_wrong(id, instrument, status, counted, found));
            }
        }
    }
    for ((id, instrument, status), found) in expected {
        violations.push(total_wrong(id, instrument, status, Tonnes::ZERO, found));
    }
    let mut counted = 0i128;
    for entry in all::<FundOrder>(state) {
        let (_, order) = entry?;
        let amount = i128::from(order.amount.get());
        counted = if order.deposit {
            counted.saturating_add(amount)
        } else {
            counted.saturating_sub(amount)
        };
    }
    if counted != money {
        violations.push(Violation::MoneyWrong { counted, found: money });
    }
    Ok(())
}

fn total_wrong(
    account: AccountId,
    instrument: Instrument,
    status: StatusKind,
    counted: Tonnes,
    found: Tonnes,
) -> Violation {
    Violation::TotalWrong { account, instrument, status: format!("{status:?}"), counted, found }
}

fn check_obligations(
    state: &Overlay<'_>,
    units: &Units,
    violations: &mut Vec<Violation>,
) -> Result<(), Fault> {
    let mut settled = units.settled.clone();
    let caps = largest_caps(state)?;
    for entry in all::<Obligation>(state) {
        let (key, obligation) = entry?;
        let (account, year) = keys::obligation_of(&key)
            .ok_or_else(|| corrupt(&key, "the key names no obligation"))?;
        let sides = [("surrendered", obligation.surrendered), ("offset", obligation.offset)];
        for ((what, counted), is_offset) in sides.into_iter().zip([false, true]) {
            let found = settled.remove(&(account, year, is_offset)).unwrap_or(Tonnes::ZERO);
            if counted != found {
                violations.push(Violation::ObligationWrong { account, year, what, counted, found });
            }
        }
        let sum = obligation.surrendered.try_add(obligation.offset);
        let sum = sum.unwrap_or(Tonnes::new(u64::MAX));
        if sum > obligation.due {
            let due = obligation.due;
            violations.push(Violation::ObligationExceeded { account, year, settled: sum, due });
        }
        let share = [Some(year), None].iter().filter_map(|of| caps.get(of)).max();
        let cap = share.map_or(Ok(Tonnes::ZERO), |share| share_of(obligation.due, *share));
        let (offset, cap) = (obligation.offset, cap.unwrap_or(Tonnes::ZERO));
        if offset > cap {
            violations.push(Violation::OffsetExceeded { account, year, offset, cap });
        }
        let outstanding = obligation.due.saturating_sub(sum);
        if outstanding.is_zero() != obligation.completed_on.is_some() {
            violations.push(Violation::CompletionWrong { account, year, outstanding });
        }
    }
    for ((account, year, is_offset), found) in settled {
        let what = if is_offset { "offset" } else { "surrendered" };
        let counted = Tonnes::ZERO;
        violations.push(Violation::ObligationWrong { account, year, what, counted, found });
    }
    Ok(())
}

/// The largest cap of offsets ever set, in basis points, by compliance year (none for all).
fn largest_caps(state: &Overlay<'_>) -> Result<BTreeMap<Option<Vintage>, i64>, Fault> {
    let mut caps = BTreeMap::new();
    for entry in all::<ParameterVersion>(state) {
        let (key, version) = entry?;
        if let Some(KeyParts::Parameter(tag, year, _)) = KeyParts::of(&key)
            && tag == ParameterName::OffsetCap.tag()
        {
            let cap = caps.entry(year).or_insert(version.value);
            *cap = version.value.max(*cap);
        }
    }
    Ok(caps)
}

/// Whatever is frozen names a freeze in force of the same account, and all that a freeze in force
/// names is frozen.
fn check_freezes(
    state: &Overlay<'_>,
    units: &Units,
    violations: &mut Vec<Violation>,
) -> Result<(), Fault> {
    let mut in_force = BTreeSet::new();
    for entry in all::<Freeze>(state) {
        let (key, freeze) = entry?;
        let Some(KeyParts::Freeze(account, order, _)) = KeyParts::of(&key) else {
            return Err(corrupt(&key, "the key names no freeze"));
        };
        if freeze.lifted_on.is_some() {
            continue;
        }
        in_force.insert((account, order));
        if freeze.account != account || !is_frozen(state, &freeze, order)? {
            violations.push(Violation::FreezeWithoutEffect { account, order });
        }
    }
    for (account, order) in units.frozen.difference(&in_force) {
        violations.push(Violation::FreezeMissing { account: *account, order: *order });
    }
    Ok(())
}

/// Whether all that a freeze names is frozen by its order.
fn is_frozen(state: &Overlay<'_>, freeze: &Freeze, order: Digest) -> Result<bool, Fault> {
    let holder = freeze.account;
    if freeze.ranges.is_empty() {
        let account = state.account(holder)?;
        return Ok(account.is_some_and(|it| it.status == AccountStatus::Frozen { order }));
    }
    let frozen = UnitPlace { holder, status: UnitStatus::Frozen { order } };
    for range in &freeze.ranges {
        let found = state.range_at(&range.instrument(), range.start())?;
        if !found.is_some_and(|(stored, at)| at == frozen && stored.end() >= range.end()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// All records of a table, in the order of their keys.
fn all<'s, R: Record + 's>(
    state: &'s Overlay<'_>,
) -> impl Iterator<Item = Result<(Key, R), Fault>> + 's {
    let prefix = keys::table_prefix(R::TABLE);
    state.base().scan_table(prefix)
}

fn add<K: Ord>(totals: &mut BTreeMap<K, Tonnes>, key: K, tonnes: Tonnes) {
    let total = totals.entry(key).or_insert(Tonnes::ZERO);
    *total = total.try_add(tonnes).unwrap_or(Tonnes::new(u64::MAX));
}

fn corrupt(key: &[u8], reason: &str) -> Fault {
    Fault::CorruptRecord { key: hex::encode(key), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;
    use crate::genesis::{ClockRule, Genesis, GenesisAccount};
    use crate::log::LogFrontier;
    use crate::state::{StoredRecord, Table};
    use crate::types::*;

    /// A state with one account that holds units 1 to 100, of which 40 were surrendered.
    fn sound_state() -> State {
        let person = |byte, right| Representative { key: PublicKey::new([byte; 32]), right };
        let key = |byte: u8| PublicKey::new([byte; 32]);
        let genesis = Genesis {
            network: "test".to_owned(),
            time: BlockTime::from_millis(1),
            business_date: "2021-12-31".parse().unwrap(),
            clock: ClockRule::ByOrder,
            block_interval_millis: 0,
            validators: vec![crate::block::Validator {
                name: "a".to_owned(),
                consensus_key: key(1),
                cosigner_key: key(2),
                power: 1,
            }],
            accounts: vec![GenesisAccount {
                role: Role::KeyEmittingEntity,
                name: "entity".to_owned(),
                credit_code: None,
                province: None,
                representatives: vec![person(7, Right::InitiateAndApprove)],
                thresholds: Thresholds::uniform(1),
            }],
            parameters: vec![],
        };
        let mut state = genesis.state().unwrap();
        let update = {
            let mut overlay = Overlay::new(&state);
            overlay.with_tables(Table::ALL, write_units).unwrap();
            state.prepare(overlay.into_writes()).unwrap()
        };
        state.apply(update).unwrap();
        state
    }

    fn write_units(overlay: &mut Overlay<'_>) -> Result<(), crate::rules::Abort> {
        let holder = AccountId::new(Role::KeyEmittingEntity, 1).unwrap();
        let year = Vintage::CYCLE_2019_2020;
        let free = UnitPlace { holder, status: UnitStatus::Free };
        let surrendered = UnitPlace { holder, status: UnitStatus::Surrendered { year } };
        let range = overlay.issue_units(Instrument::Cea(year), Tonnes::new(100), free)?;
        let (front, _) = range.split_at(41).unwrap();
        overlay.move_units(front, free, surrendered)?;
        let obligation = Obligation {
            verified: Tonnes::new(50),
            due: Tonnes::new(50),
            surrendered: Tonnes::new(40),
            offset: Tonnes::ZERO,
            recorded_by: holder,
            report: Digest::new([0; 32]),
            completed_on: None,
        };
        overlay.put(keys::obligation(holder, year), &obligation)?;
        overlay.deposit(holder, Fen::new(5))?;
        let order = FundOrder { account: holder, amount: Fen::new(5), deposit: true };
        overlay.put(keys::fund_order(&Digest::new([3; 32])), &order)?;
        Ok(())
    }

    /// The state with one record changed behind the ledger's back.
    fn damaged<R: Record>(table: Table, position: usize, damage: impl FnOnce(&mut R)) -> State {
        let state = sound_state();
        let mut records: BTreeMap<Vec<u8>, StoredRecord> =
            state.records().map(|(key, record)| (key.to_vec(), record.clone())).collect();
        let (_, record) = records
            .iter_mut()
            .filter(|(key, _)| Table::of(key) == Some(table))
            .nth(position)
            .unwrap();
        let mut value: R = codec::decode(&record.value).unwrap();
        damage(&mut value);
        record.value = codec::encode(&value).into();
        State::rebuild(records, LogFrontier::new(), state.tip).unwrap()
    }

    #[test]
    fn a_sound_state_has_no_violation() {
        assert_eq!(check(&sound_state()), vec![]);
    }

    #[test]
    fn lost_and_doubled_serials_are_found() {
        let lost = damaged::<UnitRange>(Table::Units, 0, |range| range.end = 40);
        assert!(check(&lost).iter().any(|v| matches!(v, Violation::SerialLost { number: 40, .. })));
        let doubled = damaged::<UnitRange>(Table::Units, 0, |range| range.end = 50);
        let violations = check(&doubled);
        assert!(
            violations.iter().any(|v| matches!(v, Violation::SerialDoubled { number: 41, .. }))
        );
        let beyond = damaged::<UnitRange>(Table::Units, 1, |range| range.end = 200);
        let violations = check(&beyond);
        assert!(violations.iter().any(|v| matches!(v, Violation::SerialDoubled { .. })));
    }

    #[test]
    fn unmerged_neighbours_are_found() {
        let state = damaged::<UnitRange>(Table::Units, 0, |range| {
            range.place.status = UnitStatus::Free;
        });
        let violations = check(&state);
        assert!(
            violations.iter().any(|v| matches!(v, Violation::RangeNotMerged { number: 41, .. }))
        );
        assert!(violations.iter().any(|v| matches!(v, Violation::ObligationWrong { .. })));
    }

    #[test]
    fn wrong_totals_supplies_and_obligations_are_found() {
        let state = damaged::<Account>(Table::Accounts, 0, |account| {
            for total in account.totals.values_mut() {
                *total = Tonnes::new(1);
            }
        });
        assert!(check(&state).iter().any(|v| matches!(v, Violation::TotalWrong { .. })));
        let state = damaged::<Supply>(Table::Supplies, 0, |supply| supply.totals.clear());
        assert!(check(&state).iter().any(|v| matches!(v, Violation::SupplyWrong { .. })));
        let state = damaged::<Obligation>(Table::Obligations, 0, |obligation| {
            obligation.due = Tonnes::new(39);
        });
        assert!(check(&state).iter().any(|v| matches!(v, Violation::ObligationExceeded { .. })));
    }

    #[test]
    fn an_entry_of_the_index_without_its_range_is_found() {
        let mut state = sound_state();
        let other = AccountId::new(Role::KeyEmittingEntity, 2).unwrap();
        let cea = Instrument::Cea(Vintage::CYCLE_2019_2020);
        let key = keys::unit_by_holder(other, StatusKind::Free.tag(), &cea, 41);
        let update = {
            let mut overlay = state.view();
            let entry = RangeEnd { end: 101 };
            overlay.with_tables(Table::ALL, |overlay| overlay.put(key, &entry)).unwrap();
            state.prepare(overlay.into_writes()).unwrap()
        };
        state.apply(update).unwrap();
        let range = SerialRange::new(cea, 41, 101).unwrap();
        assert_eq!(check(&state), vec![Violation::IndexWrong { account: other, range }]);
    }

    #[test]
    fn a_range_without_its_entry_in_the_index_is_found() {
        let mut state = sound_state();
        let (key, _) = state
            .scan_table::<RangeEnd>(keys::table_prefix(Table::UnitsByHolder))
            .next()
            .unwrap()
            .unwrap();
        let update = {
            let mut overlay = state.view();
            overlay.with_tables(Table::ALL, |overlay| overlay.delete::<RangeEnd>(key)).unwrap();
            state.prepare(overlay.into_writes()).unwrap()
        };
        state.apply(update).unwrap();
        assert!(matches!(check(&state)[..], [Violation::IndexWrong { .. }]));
    }

    #[test]
    fn a_committed_record_without_slot_is_no_state() {
        let state = sound_state();
        let records = state.records().map(|(key, record)| {
            (key.to_vec(), StoredRecord { slot: None, value: record.value.clone() })
        });
        let rebuilt = State::rebuild(records.collect(), LogFrontier::new(), state.tip);
        assert!(matches!(rebuilt, Err(Fault::CorruptRecord { .. })));
    }

    #[test]
    fn offsets_beyond_the_cap_and_false_completions_are_found() {
        let state = damaged::<Obligation>(Table::Obligations, 0, |obligation| {
            obligation.offset = Tonnes::new(1);
        });
        assert!(check(&state).iter().any(|v| matches!(v, Violation::OffsetExceeded { .. })));
        let day = "2021-12-31".parse().unwrap();
        let state = damaged::<Obligation>(Table::Obligations, 0, |obligation| {
            obligation.completed_on = Some(day);
        });
        assert!(matches!(check(&state)[..], [Violation::CompletionWrong { .. }]));
        let state = damaged::<Obligation>(Table::Obligations, 0, |obligation| {
            obligation.due = Tonnes::new(40);
        });
        assert!(matches!(check(&state)[..], [Violation::CompletionWrong { .. }]));
    }

    #[test]
    fn frozen_units_and_accounts_without_freeze_are_found() {
        let order = Digest::new([9; 32]);
        let state = damaged::<Account>(Table::Accounts, 0, |account| {
            account.status = AccountStatus::Frozen { order };
        });
        assert!(matches!(check(&state)[..], [Violation::FreezeMissing { .. }]));
        let state = damaged::<UnitRange>(Table::Units, 1, |range| {
            range.place.status = UnitStatus::Frozen { order };
        });
        assert!(check(&state).iter().any(|v| matches!(v, Violation::FreezeMissing { .. })));
    }

    /// The state with a freeze on record, and nothing frozen.
    fn with_freeze(ranges: Vec<SerialRange>, lifted_on: Option<BusinessDate>) -> State {
        let mut state = sound_state();
        let account = AccountId::new(Role::KeyEmittingEntity, 1).unwrap();
        let since = "2021-12-31".parse().unwrap();
        let freeze = Freeze { account, ranges, executed_by: account, since, lifted_on };
        let update = {
            let mut overlay = Overlay::new(&state);
            let key = keys::freeze(account, &Digest::new([9; 32]), Market::Allowances);
            overlay.with_tables(Table::ALL, |overlay| overlay.put(key, &freeze)).unwrap();
            state.prepare(overlay.into_writes()).unwrap()
        };
        state.apply(update).unwrap();
        state
    }

    #[test]
    fn freezes_in_force_without_effect_are_found() {
        let cea = Instrument::Cea(Vintage::CYCLE_2019_2020);
        let range = SerialRange::new(cea, 51, 61).unwrap();
        for ranges in [vec![], vec![range]] {
            let found = check(&with_freeze(ranges.clone(), None));
            assert!(matches!(found[..], [Violation::FreezeWithoutEffect { .. }]), "{found:?}");
            let lifted = with_freeze(ranges, Some("2021-12-31".parse().unwrap()));
            assert_eq!(check(&lifted), vec![]);
        }
    }

    #[test]
    fn reductions_without_project_are_found() {
        let mut state = sound_state();
        let code = "A210008".parse().unwrap();
        let instrument = Instrument::Ccer(code, Vintage::new(2021).unwrap());
        let update = {
            let mut overlay = Overlay::new(&state);
            let holder = AccountId::new(Role::KeyEmittingEntity, 1).unwrap();
            let place = UnitPlace { holder, status: UnitStatus::Free };
            let issue =
                |overlay: &mut Overlay<'_>| overlay.issue_units(instrument, Tonnes::new(1), place);
            overlay.with_tables(Table::ALL, issue).unwrap();
            state.prepare(overlay.into_writes()).unwrap()
        };
        state.apply(update).unwrap();
        assert_eq!(check(&state), vec![Violation::ProjectMissing { instrument }]);
    }

    #[test]
    fn money_from_nowhere_is_found() {
        let state = damaged::<Account>(Table::Accounts, 0, |account| {
            account.funds.free = Fen::new(6);
        });
        let wrong = Violation::MoneyWrong { counted: 5, found: 6 };
        assert_eq!(check(&state), vec![wrong]);
    }
}
