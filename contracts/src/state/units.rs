//! Moving units: the only code that writes ranges, their index and the totals that mirror them.

use super::{
    Key, KeyParts, Overlay, RangeEnd, StatusKind, Supply, UnitPlace, UnitRange, UnitStatus, keys,
};
use crate::fault::Fault;
use crate::rules::{Abort, common};
use crate::types::{
    AccountId, Instrument, SERIAL_NUMBER_MAX, SERIAL_RANGES_MOVED_MAX, Selection, SerialRange,
    Tonnes,
};

/// A record of ranges as it stands in state.
type Stored = (SerialRange, UnitPlace);

impl Overlay<'_> {
    /// Issues the next serials of an instrument into a place.
    pub fn issue_units(
        &mut self,
        instrument: Instrument,
        tonnes: Tonnes,
        place: UnitPlace,
    ) -> Result<SerialRange, Abort> {
        let key = keys::supply(&instrument);
        let mut supply: Supply = self.get(&key)?.unwrap_or_default();
        let issued = supply.issued.try_add(tonnes)?;
        if issued.get() > SERIAL_NUMBER_MAX {
            return Err(common::SERIALS_EXHAUSTED.reject(vec![instrument.into()]).into());
        }
        let start = supply.issued.get().saturating_add(1);
        let range = SerialRange::inclusive(instrument, start, issued.get())
            .map_err(|_| common::QUANTITY_ZERO.reject(vec![]))?;
        supply.issued = issued;
        add_total(&mut supply.totals, place.status.kind(), tonnes)?;
        self.put(key, &supply)?;
        self.change_account(place.holder, |account| {
            add_total(&mut account.totals, (instrument, place.status.kind()), tonnes)
        })?;
        self.insert_merged(range, place)?;
        self.effects_mut().moved_units(range, None, place);
        Ok(range)
    }

    /// The ranges that a selection names among a holder's free units, lowest serials first.
    pub fn select_free_units(
        &self,
        holder: AccountId,
        selection: &Selection,
    ) -> Result<Vec<SerialRange>, Abort> {
        match selection {
            Selection::Quantity { instrument, tonnes } => {
                self.lowest_free_units(holder, *instrument, *tonnes, SERIAL_RANGES_MOVED_MAX)
            }
            Selection::Ranges(ranges) => {
                for range in ranges {
                    let (stored, place) = self
                        .range_at(&range.instrument(), range.start())?
                        .ok_or_else(|| common::RANGE_NOT_HELD.reject(vec![(*range).into()]))?;
                    let free = place.holder == holder && place.status == UnitStatus::Free;
                    if !free || stored.end() < range.end() {
                        return Err(common::RANGE_NOT_HELD.reject(vec![(*range).into()]).into());
                    }
                }
                Ok(ranges.clone())
            }
        }
    }

    /// The lowest free units of a holder, in at most so many ranges; looks at no more.
    pub fn lowest_free_units(
        &self,
        holder: AccountId,
        instrument: Instrument,
        tonnes: Tonnes,
        ranges_max: usize,
    ) -> Result<Vec<SerialRange>, Abort> {
        let mut missing = tonnes;
        let mut ranges = Vec::new();
        let prefix = keys::units_by_holder(holder, StatusKind::Free.tag(), &instrument);
        let mut entries = self.scan::<RangeEnd>(&prefix);
        while !missing.is_zero()
            && let Some(found) = entries.next()
        {
            let (key, RangeEnd { end }) = found?;
            if ranges.len() >= ranges_max {
                let facts = vec![common::number(SERIAL_RANGES_MOVED_MAX)];
                return Err(common::RANGES_TOO_MANY.reject(facts).into());
            }
            let range = range_of_key(instrument, &key, end)?;
            let taken = front(range, missing);
            missing = missing.saturating_sub(taken.tonnes());
            ranges.push(taken);
        }
        if missing.is_zero() {
            return Ok(ranges);
        }
        let available = tonnes.saturating_sub(missing);
        let facts = vec![instrument.into(), available.into(), tonnes.into()];
        Err(common::HOLDING_INSUFFICIENT.reject(facts).into())
    }

    /// The stored range that contains a serial number.
    pub fn range_at(&self, instrument: &Instrument, number: u64) -> Result<Option<Stored>, Fault> {
        let key = keys::unit_range(instrument, number);
        // Most questions are about the first unit of a range, which needs no search.
        match self.get::<UnitRange>(&key)? {
            Some(range) => Ok(Some((range_of_key(*instrument, &key, range.end)?, range.place))),
            None => self.range_around(instrument, number),
        }
    }

    /// The stored range that contains a serial number, found from the one that starts before it.
    fn range_around(&self, instrument: &Instrument, number: u64) -> Result<Option<Stored>, Fault> {
        let key = keys::unit_range(instrument, number);
        let prefix = keys::unit_ranges(instrument);
        let Some((key, range)) = self.last_to::<UnitRange>(&prefix, &key)? else {
            return Ok(None);
        };
        let stored = range_of_key(*instrument, &key, range.end)?;
        Ok((number < stored.end()).then_some((stored, range.place)))
    }

    /// Moves a range that lies in one place to another place, splitting and merging records.
    ///
    /// The caller has checked that the units are where it says; if not, state is inconsistent.
    pub fn move_units(
        &mut self,
        range: SerialRange,
        from: UnitPlace,
        to: UnitPlace,
    ) -> Result<(), Abort> {
        let instrument = range.instrument();
        let found = self.range_at(&instrument, range.start())?;
        let Some((stored, _)) =
            found.filter(|(stored, place)| *place == from && stored.end() >= range.end())
        else {
            let what = format!("{range} is not where a rule found it");
            return Err(Fault::Inconsistent { what }.into());
        };
        self.remove_range(stored, from)?;
        if let Ok(left) = SerialRange::new(instrument, stored.start(), range.start()) {
            self.insert_range(left, from)?;
        }
        if let Ok(right) = SerialRange::new(instrument, range.end(), stored.end()) {
            self.insert_range(right, from)?;
        }
        self.insert_merged(range, to)?;
        self.move_totals(range, from, to)?;
        self.effects_mut().moved_units(range, Some(from), to);
        Ok(())
    }

    fn move_totals(
        &mut self,
        range: SerialRange,
        from: UnitPlace,
        to: UnitPlace,
    ) -> Result<(), Abort> {
        let (instrument, tonnes) = (range.instrument(), range.tonnes());
        let (old, new) = (from.status.kind(), to.status.kind());
        self.change_account(from.holder, |account| {
            subtract_total(&mut account.totals, (instrument, old), tonnes)
        })?;
        self.change_account(to.holder, |account| {
            add_total(&mut account.totals, (instrument, new), tonnes)
        })?;
        if old != new {
            let key = keys::supply(&instrument);
            let mut supply: Supply = self.get(&key)?.ok_or_else(|| Fault::Inconsistent {
                what: format!("{instrument} has units and no supply"),
            })?;
            subtract_total(&mut supply.totals, old, tonnes)?;
            add_total(&mut supply.totals, new, tonnes)?;
            self.put(key, &supply)?;
        }
        Ok(())
    }

    /// Inserts a range, joined with neighbours that are in the same place.
    fn insert_merged(&mut self, range: SerialRange, place: UnitPlace) -> Result<(), Abort> {
        let instrument = range.instrument();
        let mut merged = range;
        if let Some(before) = range.start().checked_sub(1)
            && let Some((left, left_place)) = self.range_around(&instrument, before)?
            && left_place == place
            && left.end() == range.start()
        {
            self.remove_range(left, place)?;
            merged = join(left, merged)?;
        }
        if let Some((right, right_place)) = self.range_at(&instrument, range.end())?
            && right_place == place
        {
            self.remove_range(right, place)?;
            merged = join(merged, right)?;
        }
        self.insert_range(merged, place)?;
        Ok(())
    }

    fn insert_range(&mut self, range: SerialRange, place: UnitPlace) -> Result<(), Fault> {
        let end = range.end();
        self.put(record_key(&range), &UnitRange { end, place })?;
        self.put_index(index_key(&range, &place), &RangeEnd { end });
        Ok(())
    }

    /// Removes a stored range that lies in a place.
    fn remove_range(&mut self, range: SerialRange, place: UnitPlace) -> Result<(), Fault> {
        let (record, index) = (record_key(&range), index_key(&range, &place));
        // A range that the block has not written lies in the state below, and its index with it.
        if self.is_unwritten(&record) {
            self.delete_below::<UnitRange>(record)?;
            self.delete_index_below(index);
        } else {
            self.delete::<UnitRange>(record)?;
            self.delete_index(index);
        }
        Ok(())
    }
}

fn record_key(range: &SerialRange) -> Key {
    keys::unit_range(&range.instrument(), range.start())
}

fn index_key(range: &SerialRange, place: &UnitPlace) -> Key {
    let status = place.status.kind().tag();
    keys::unit_by_holder(place.holder, status, &range.instrument(), range.start())
}

/// The entry of the index by holder that belongs to a record of ranges.
pub(super) fn index_entry(key: &[u8], value: &[u8]) -> Result<(Key, Vec<u8>), Fault> {
    let UnitRange { end, place } = super::write::decode(key, value)?;
    let Some(KeyParts::UnitRange(instrument, _)) = KeyParts::of(key) else {
        let reason = "it is no key of a range of units".to_owned();
        return Err(Fault::CorruptRecord { key: hex::encode(key), reason });
    };
    let range = range_of_key(instrument, key, end)?;
    Ok((index_key(&range, &place), crate::codec::encode(&RangeEnd { end })))
}

/// The range of a key whose last eight bytes are the first serial.
pub fn range_of_key(instrument: Instrument, key: &[u8], end: u64) -> Result<SerialRange, Fault> {
    let corrupt = || Fault::CorruptRecord {
        key: hex::encode(key),
        reason: "the key and the end are no range of serials".to_owned(),
    };
    let start = key.last_chunk::<8>().ok_or_else(corrupt)?;
    SerialRange::new(instrument, u64::from_be_bytes(*start), end).map_err(|_| corrupt())
}

/// The first units of a range, at most so many.
fn front(range: SerialRange, tonnes: Tonnes) -> SerialRange {
    let split = range.split_at(range.start().saturating_add(tonnes.get()));
    split.map_or(range, |(front, _)| front)
}

fn join(left: SerialRange, right: SerialRange) -> Result<SerialRange, Fault> {
    SerialRange::new(left.instrument(), left.start(), right.end())
        .map_err(|_| Fault::Inconsistent { what: format!("{left} and {right} do not join") })
}

fn add_total<K: Ord>(
    totals: &mut std::collections::BTreeMap<K, Tonnes>,
    key: K,
    tonnes: Tonnes,
) -> Result<(), Abort> {
    let total = totals.entry(key).or_insert(Tonnes::ZERO);
    *total = total.try_add(tonnes)?;
    Ok(())
}

fn subtract_total<K: Ord>(
    totals: &mut std::collections::BTreeMap<K, Tonnes>,
    key: K,
    tonnes: Tonnes,
) -> Result<(), Abort> {
    let old = totals.remove(&key).unwrap_or(Tonnes::ZERO);
    let new = old.try_sub(tonnes).map_err(|_| Fault::Inconsistent {
        what: "a total is smaller than the units it counts".to_owned(),
    })?;
    if !new.is_zero() {
        totals.insert(key, new);
    }
    Ok(())
}
