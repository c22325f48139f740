//! Where the units of a range went.

use cets_api::{Hop, TraceRangeRequest, TraceRangeResponse};
use cets_contracts::codec;
use cets_contracts::types::AccountId;

use super::access::{Caller, Subject};
use super::desk::{Desk, read_failed};
use super::ledger::holding;
use super::{RpcError, argument};
use crate::read;

/// Parts of a range and their movements, as far as the caller sees them: a part when it sees its
/// holder, a movement when it sees either side of it.
pub(super) fn trace_range(
    desk: &Desk,
    caller: &Caller,
    query: TraceRangeRequest,
) -> Result<TraceRangeResponse, RpcError> {
    caller.require_some(Subject::Units)?;
    let range = argument::range("range", &query.range)?;
    let found = desk.reader().trace(range).map_err(read_failed)?;
    let trace = found.answer;
    if trace.parts.is_empty() {
        return Err(RpcError::NotFound { what: format!("units of {range}") });
    }
    let holders = trace.parts.iter().map(|part| part.place.holder).chain(holders_of(&trace.hops));
    let seen = desk.seen(caller, Subject::Units, holders.collect())?;
    let sees = |holder| seen.contains(&holder);
    let parts = trace.parts.iter().filter(|part| sees(part.place.holder)).map(holding);
    let parts: Vec<_> = parts.collect();
    let visible = |found: &&read::Hop| {
        let from = found.movement.from.map(|place| place.holder);
        sees(found.movement.to.holder) || from.is_some_and(sees)
    };
    let hops: Vec<_> = trace.hops.iter().filter(visible).map(hop).collect();
    if parts.is_empty() && hops.is_empty() {
        return Err(caller.refusal(Subject::Units));
    }
    Ok(TraceRangeResponse {
        parts,
        hops,
        next_number: trace.next.unwrap_or_default(),
        older_left_out: trace.older_left_out,
        height: found.height.get(),
    })
}

/// The holders on both sides of movements.
pub(super) fn holders_of(hops: &[read::Hop]) -> impl Iterator<Item = AccountId> {
    hops.iter().flat_map(|hop| {
        let from = hop.movement.from.map(|place| place.holder);
        from.into_iter().chain([hop.movement.to.holder])
    })
}

/// A movement as it is sent.
pub(super) fn hop(hop: &read::Hop) -> Hop {
    Hop {
        log_index: hop.log_index,
        height: hop.height.get(),
        block_time_millis: hop.block_time.as_millis(),
        tx_id: hop.tx_id.as_bytes().to_vec(),
        movement: codec::encode(&hop.movement),
    }
}
