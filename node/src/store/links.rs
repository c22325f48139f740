//! The life of every unit: which movement moved it last, and which before that.
//!
//! [`Column::Hops`] divides the units of each instrument into intervals that share their last
//! movement; a movement cuts them at its ends and never joins them. With each movement stand
//! links: its range cut into the intervals it found, each with the movement found there. So the
//! whole life of one unit is read by walking back, one step per movement.

use std::collections::BTreeMap;

use cets_contracts::codec;
use cets_contracts::rules::UnitMovement;
use cets_contracts::state::keys;
use cets_contracts::types::{Instrument, LogIndex, Serial, SerialRange};
use serde::{Deserialize, Serialize};

use super::backend::Cursor;
use super::database::Writes;
use super::history::StoredOutcome;
use super::{Column, Store, StoreError};

/// A movement of units: the log index of its transaction and its place among the movements there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MovementId {
    /// Log index of the transaction.
    pub log_index: LogIndex,
    /// Position among its movements, from 0.
    pub position: u32,
}

impl MovementId {
    /// Bytes of [`Self::to_bytes`].
    pub const BYTES: usize = 12;

    /// Log index and position, big-endian.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.log_index.to_be_bytes());
        bytes[8..].copy_from_slice(&self.position.to_be_bytes());
        bytes
    }

    /// The movement that [`Self::to_bytes`] wrote; none when the length is another.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (log_index, position) = bytes.split_first_chunk::<8>()?;
        let position = u32::from_be_bytes(position.try_into().ok()?);
        Some(Self { log_index: u64::from_be_bytes(*log_index), position })
    }
}

/// Some units of a movement and the movement before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// First serial number.
    pub start: u64,
    /// Serial number after the last.
    pub end: u64,
    /// What moved them before.
    pub previous: MovementId,
}

/// The links of one movement, by serial number; none for an issue.
pub type MovementLinks = Vec<Link>;

/// Bytes of an interval's value: end, log index, position.
const INTERVAL_BYTES: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interval {
    start: u64,
    end: u64,
    last: MovementId,
}

/// Intervals as they are in the store, under what the block being committed changes; or intervals
/// in memory alone, to work them out again from the first block on.
pub(super) struct HopMap<'a> {
    store: &'a Store,
    /// None when what the store holds does not count.
    cursor: Option<Cursor<'a>>,
    changes: BTreeMap<Vec<u8>, Option<Interval>>,
}

impl<'a> HopMap<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self { store, cursor: Some(store.cursor(Column::Hops)), changes: BTreeMap::new() }
    }

    /// A map that begins empty, whatever the store holds.
    pub(super) fn in_memory(store: &'a Store) -> Self {
        Self { store, cursor: None, changes: BTreeMap::new() }
    }

    /// A map in memory with the intervals of an earlier one; none when a row is no interval.
    pub(super) fn restored(store: &'a Store, rows: Vec<(Vec<u8>, Vec<u8>)>) -> Option<Self> {
        let intervals = rows.into_iter().map(|(key, value)| {
            let interval = decode_interval(&key, &value).ok()?;
            Some((key, Some(interval)))
        });
        let changes = intervals.collect::<Option<_>>()?;
        Some(Self { changes, ..Self::in_memory(store) })
    }

    /// All intervals of a map in memory as rows, in the order of their keys.
    pub(super) fn intervals(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_ {
        self.changes.iter().filter_map(|(key, change)| {
            change.map(|interval| (key.clone(), encode_interval(&interval).to_vec()))
        })
    }

    /// Records a movement and returns its links.
    pub(super) fn record(
        &mut self,
        movement: &UnitMovement,
        id: MovementId,
    ) -> Result<MovementLinks, StoreError> {
        let range = movement.range;
        let instrument = range.instrument();
        let mut links = MovementLinks::new();
        let mut at = range.start();
        while movement.from.is_some() && at < range.end() {
            let found = self.interval_at(&instrument, at)?.ok_or_else(|| {
                let reason = format!("{instrument} {at} moves and was never issued");
                StoreError::damaged(Column::Hops, range, reason)
            })?;
            let end = found.end.min(range.end());
            links.push(Link { start: at, end, previous: found.last });
            self.remove(&instrument, found.start);
            if found.start < at {
                self.put(&instrument, Interval { end: at, ..found });
            }
            if end < found.end {
                self.put(&instrument, Interval { start: end, ..found });
            }
            at = end;
        }
        self.put(&instrument, Interval { start: range.start(), end: range.end(), last: id });
        Ok(links)
    }

    /// Adds everything that changed to a batch.
    pub(super) fn finish(self, writes: &mut Writes) {
        for (key, change) in self.changes {
            match change {
                Some(interval) => {
                    self.store.put(writes, Column::Hops, &key, &encode_interval(&interval));
                }
                None => self.store.delete(writes, Column::Hops, &key),
            }
        }
    }

    fn remove(&mut self, instrument: &Instrument, start: u64) {
        let key = hop_key(instrument, start);
        match self.cursor {
            Some(_) => self.changes.insert(key, None),
            // Nothing lies below that would have to be hidden.
            None => self.changes.remove(&key),
        };
    }

    fn put(&mut self, instrument: &Instrument, interval: Interval) {
        self.changes.insert(hop_key(instrument, interval.start), Some(interval));
    }

    /// The interval that begins with a key: units mostly move from where they were cut before,
    /// and a row of a known key is found at a tenth of the cost of the row before it.
    fn interval_from(&self, key: &[u8]) -> Result<Option<Interval>, StoreError> {
        match self.changes.get(key) {
            Some(change) => Ok(*change),
            None if self.cursor.is_none() => Ok(None),
            None => {
                let stored = self.store.get(Column::Hops, key)?;
                stored.map(|value| decode_interval(key, &value)).transpose()
            }
        }
    }

    /// The interval that holds a number.
    fn interval_at(
        &mut self,
        instrument: &Instrument,
        number: u64,
    ) -> Result<Option<Interval>, StoreError> {
        let (prefix, key) = (hop_prefix(instrument), hop_key(instrument, number));
        if let Some(interval) = self.interval_from(&key)? {
            return Ok(Some(interval));
        }
        let changed = self
            .changes
            .range(..=key.clone())
            .rev()
            .find_map(|(key, change)| change.map(|interval| (key.clone(), interval)));
        if let Some(cursor) = &mut self.cursor {
            cursor.seek_for_prev(&key);
            while cursor.key().is_some_and(|key| self.changes.contains_key(key)) {
                cursor.prev();
            }
            self.store.check_cursor(cursor)?;
        }
        let stored = self.cursor.as_ref().and_then(|cursor| cursor.item());
        let stored = stored.map(|(key, value)| (key.to_vec(), value));
        let newest = match (changed, stored) {
            (Some((changed_key, interval)), Some((stored_key, _))) if changed_key > stored_key => {
                Some((changed_key, interval))
            }
            (Some(changed), None) => Some(changed),
            (_, Some((key, value))) => {
                let interval = decode_interval(&key, value)?;
                Some((key, interval))
            }
            (None, None) => None,
        };
        Ok(newest
            .filter(|(key, interval)| key.starts_with(&prefix) && number < interval.end)
            .map(|(_, interval)| interval))
    }
}

impl Store {
    /// Movements of one unit, newest first: from `begin` on, which must be one of them, or from the
    /// newest; at most `limit`, and the one after them, if any.
    pub fn movements_of(
        &self,
        serial: &Serial,
        begin: Option<MovementId>,
        limit: usize,
    ) -> Result<(Vec<MovementId>, Option<MovementId>), StoreError> {
        let mut movements = Vec::new();
        let mut next = match begin {
            Some(begin) => Some(begin),
            None => {
                let last = HopMap::new(self).interval_at(&serial.instrument, serial.number)?;
                last.map(|interval| interval.last)
            }
        };
        while let Some(id) = next {
            if movements.len() >= limit {
                return Ok((movements, next));
            }
            movements.push(id);
            let damaged = |reason| StoreError::damaged(Column::Outcomes, id.log_index, reason);
            next = self
                .links_of(id)?
                .iter()
                .find(|link| (link.start..link.end).contains(&serial.number))
                .map(|link| link.previous);
            if next.is_some_and(|previous| previous >= id) {
                return Err(damaged("a link leads forward"));
            }
        }
        Ok((movements, None))
    }
}

impl Store {
    /// Movements of the units of a range, oldest first; the newest `limit` of them, and whether
    /// older ones were left out.
    pub fn movements_in(
        &self,
        range: &SerialRange,
        limit: usize,
    ) -> Result<(Vec<MovementId>, bool), StoreError> {
        let instrument = range.instrument();
        // Spans of serial numbers that a movement must still be followed back for. Links lead to
        // older movements only, so that each movement is read once, the newest first.
        let mut waiting: BTreeMap<MovementId, Vec<(u64, u64)>> = BTreeMap::new();
        let mut intervals = HopMap::new(self);
        let mut at = range.start();
        while at < range.end() {
            let Some(found) = intervals.interval_at(&instrument, at)? else { break };
            let end = found.end.min(range.end());
            waiting.entry(found.last).or_default().push((at, end));
            at = end;
        }
        let mut movements = Vec::new();
        while let Some((id, spans)) = waiting.pop_last() {
            if movements.len() >= limit {
                movements.reverse();
                return Ok((movements, true));
            }
            movements.push(id);
            for link in self.links_of(id)? {
                for (start, end) in &spans {
                    let (start, end) = (link.start.max(*start), link.end.min(*end));
                    if start >= end {
                        continue;
                    }
                    if link.previous >= id {
                        let reason = "a link leads forward";
                        return Err(StoreError::damaged(Column::Outcomes, id.log_index, reason));
                    }
                    waiting.entry(link.previous).or_default().push((start, end));
                }
            }
        }
        movements.reverse();
        Ok((movements, false))
    }

    /// The links of one movement.
    fn links_of(&self, id: MovementId) -> Result<MovementLinks, StoreError> {
        let damaged = |reason| StoreError::damaged(Column::Outcomes, id.log_index, reason);
        let outcome =
            self.outcome(id.log_index)?.ok_or_else(|| damaged("a movement is missing"))?;
        usize::try_from(id.position)
            .ok()
            .and_then(|position| outcome.links.into_iter().nth(position))
            .ok_or_else(|| damaged("a movement has no links"))
    }
}

fn hop_prefix(instrument: &Instrument) -> Vec<u8> {
    keys::unit_ranges(instrument).into_bytes()
}

fn hop_key(instrument: &Instrument, start: u64) -> Vec<u8> {
    keys::unit_range(instrument, start).into_bytes()
}

fn encode_interval(interval: &Interval) -> [u8; INTERVAL_BYTES] {
    let mut bytes = [0u8; INTERVAL_BYTES];
    bytes[..8].copy_from_slice(&interval.end.to_be_bytes());
    bytes[8..].copy_from_slice(&interval.last.to_bytes());
    bytes
}

fn decode_interval(key: &[u8], value: &[u8]) -> Result<Interval, StoreError> {
    let decode = || {
        let start = u64::from_be_bytes(*key.last_chunk::<8>()?);
        let (end, rest) = value.split_first_chunk::<8>()?;
        let last = MovementId::from_bytes(rest)?;
        Some(Interval { start, end: u64::from_be_bytes(*end), last })
    };
    decode().ok_or_else(|| {
        StoreError::damaged(Column::Hops, hex::encode(key), "it is no interval of units")
    })
}

/// Events (preceded by their length as u32 big-endian) and links.
pub(super) fn encode_links(links: &[MovementLinks]) -> Vec<u8> {
    if links.is_empty() { Vec::new() } else { codec::encode(links) }
}

/// Events and links of the item of a run of [`Column::Outcomes`].
fn split_outcome(item: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = item.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// Events of the item of a run of [`Column::Outcomes`].
pub(super) fn decode_events(item: &[u8]) -> Option<&[u8]> {
    split_outcome(item).map(|(events, _)| events)
}

/// The item of a run of [`Column::Outcomes`].
pub(super) fn decode_outcome(item: &[u8]) -> Result<StoredOutcome, String> {
    let (events, links) = split_outcome(item).ok_or_else(|| "it ends early".to_owned())?;
    let links = match links {
        [] => Vec::new(),
        links => codec::decode(links).map_err(|error| error.to_string())?,
    };
    Ok(StoredOutcome { events: events.to_vec(), links })
}
