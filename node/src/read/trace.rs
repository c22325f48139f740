//! Where the units of a range are, and every movement that brought them there.

use std::collections::BTreeMap;

use cets_contracts::block::{EventRecord, LogEntry};
use cets_contracts::codec;
use cets_contracts::state::{UnitRange, keys, range_of_key};
use cets_contracts::types::{LogIndex, SerialRange};

use super::{At, HeldRange, Hop, PAGE_RECORDS_MAX, RangeTrace, ReadError, Reader};
use crate::store::{MovementId, StoreError, decode_entry};

/// Most movements of one answer.
pub const TRACE_MOVEMENTS_MAX: usize = 10_000;

impl Reader {
    /// Where the units of a range are, at most [`PAGE_RECORDS_MAX`] parts, and the newest
    /// [`TRACE_MOVEMENTS_MAX`] movements of them; no part when none was ever issued.
    pub fn trace(&self, range: SerialRange) -> Result<At<RangeTrace>, ReadError> {
        let (height, log_size, parts, next) = self.parts_of(range)?;
        let mut trace = RangeTrace { parts, hops: Vec::new(), next, older_left_out: false };
        let (Some(first), Some(last)) = (trace.parts.first(), trace.parts.last()) else {
            return Ok(At { height, answer: trace });
        };
        let reached = SerialRange::new(range.instrument(), first.range.start(), last.range.end());
        let reached = reached.unwrap_or(range);
        let (mut movements, older_left_out) =
            self.store().movements_in(&reached, TRACE_MOVEMENTS_MAX)?;
        // A block may have been committed since; its movements are not of this height.
        movements.retain(|id| id.log_index < log_size);
        trace.hops = self.hops(&movements)?;
        trace.older_left_out = older_left_out;
        Ok(At { height, answer: trace })
    }

    fn parts_of(
        &self,
        range: SerialRange,
    ) -> Result<(cets_contracts::types::Height, u64, Vec<HeldRange>, Option<u64>), ReadError> {
        let instrument = range.instrument();
        let committed = self.state().read();
        let (height, log_size) = (committed.state.tip.height, committed.state.log.size());
        let mut parts = Vec::new();
        let first = committed.state.view().range_at(&instrument, range.start())?;
        // Units are issued from 1 on without a gap, so that an unissued first unit has no issued
        // one after it.
        let Some((stored, place)) = first else { return Ok((height, log_size, parts, None)) };
        let clip = |stored: SerialRange| stored.intersection(&range);
        parts.extend(clip(stored).map(|range| HeldRange { range, place }));
        let after = keys::unit_range(&instrument, stored.start());
        let prefix = keys::unit_ranges(&instrument);
        for (key, record) in committed.state.records_of(&prefix, Some(after.as_bytes())) {
            let UnitRange { end, place } = codec::decode(&record.value).map_err(|error| {
                cets_contracts::Fault::CorruptRecord {
                    key: hex::encode(&*key),
                    reason: error.to_string(),
                }
            })?;
            let Some(part) = clip(range_of_key(instrument, &key, end)?) else { break };
            if parts.len() >= PAGE_RECORDS_MAX {
                return Ok((height, log_size, parts, Some(part.start())));
            }
            parts.push(HeldRange { range: part, place });
        }
        Ok((height, log_size, parts, None))
    }

    /// Movements with their transactions and blocks; each transaction is read once.
    fn hops(&self, movements: &[MovementId]) -> Result<Vec<Hop>, ReadError> {
        let mut by_transaction: BTreeMap<LogIndex, Vec<u32>> = BTreeMap::new();
        for id in movements {
            by_transaction.entry(id.log_index).or_default().push(id.position);
        }
        let mut hops = Vec::with_capacity(movements.len());
        for (log_index, positions) in by_transaction {
            self.hops_of(log_index, &positions, &mut hops)?;
        }
        Ok(hops)
    }

    /// Movements of one transaction by their positions.
    pub(super) fn hops_of(
        &self,
        log_index: LogIndex,
        positions: &[u32],
        hops: &mut Vec<Hop>,
    ) -> Result<(), ReadError> {
        let damaged = |reason: &str| StoreError::Damaged {
            table: "outcomes",
            key: log_index.to_string(),
            reason: reason.to_owned(),
        };
        let block = self.block_position(log_index)?;
        let outcome = self.store().outcome(log_index)?.ok_or_else(|| damaged("it is missing"))?;
        let events: EventRecord =
            codec::decode(&outcome.events).map_err(|error| damaged(&error.to_string()))?;
        let entry = self.store().entry(log_index)?;
        let entry = entry.ok_or_else(|| damaged("its entry is missing"))?;
        let LogEntry::Transaction { receipt, .. } = decode_entry(log_index, &entry)? else {
            return Err(damaged("its entry is a header").into());
        };
        for position in positions {
            let movement = usize::try_from(*position)
                .ok()
                .and_then(|position| events.effects.units.get(position))
                .ok_or_else(|| damaged("a movement is missing"))?;
            hops.push(Hop {
                log_index,
                height: block.header.height,
                block_time: block.header.time,
                tx_id: receipt.tx_id,
                movement: movement.clone(),
            });
        }
        Ok(())
    }
}
