//! The stored ranges of units at one height, streamed for comparisons.

use cets_api::{StreamUnitsRequest, UnitsChunk};
use cets_contracts::Fault;
use cets_contracts::audit::{HistoryRecord, RECORDS_PER_FRAME_MAX};
use cets_contracts::codec;
use cets_contracts::state::{Table, UnitRange};
use cets_contracts::types::{AccountId, Height};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::access::{Sight, Subject};
use super::desk::{Asker, Desk, read_failed};
use super::prove::failure;
use super::shares::Taken;
use super::{RpcError, argument};

/// Chunks that wait for a slow reader.
const CHUNKS_BUFFERED_MAX: usize = 4;

/// What is streamed of the units.
pub struct UnitsQuery {
    place: Taken,
    holder: Option<AccountId>,
    height: Option<Height>,
}

impl UnitsQuery {
    /// Refuses what the caller may not see.
    pub fn open(desk: &Desk, asker: &Asker, query: &StreamUnitsRequest) -> Result<Self, RpcError> {
        let caller = &asker.caller;
        caller.require_some(Subject::Units)?;
        let holder = argument::optional_account("account", &query.account)?;
        match holder {
            Some(holder) => desk.require(caller, Subject::Units, holder)?,
            None if caller.sight(Subject::Units) == Sight::All => {}
            None => return Err(RpcError::NotAllowed { what: Subject::Units.name() }),
        }
        let height = (query.height != 0).then(|| Height::new(query.height));
        Ok(Self { place: desk.open_stream(asker.share.as_ref())?, holder, height })
    }

    /// Reads on a thread of its own, no faster than the reader takes; commits are not held up.
    pub fn stream(self, desk: Desk, asker: Asker) -> ReceiverStream<Result<UnitsChunk, Status>> {
        let (sender, receiver) = mpsc::channel(CHUNKS_BUFFERED_MAX);
        tokio::task::spawn_blocking(move || {
            let Self { place, holder, height } = self;
            let _place = place;
            if let Err(error) = send_all(&desk, holder, height, &sender) {
                // The reader may be gone, then nobody needs to know.
                drop(sender.blocking_send(Err(error.into_status(asker.language))));
            }
        });
        ReceiverStream::new(receiver)
    }
}

type Sender = mpsc::Sender<Result<UnitsChunk, Status>>;

fn send_all(
    desk: &Desk,
    holder: Option<AccountId>,
    height: Option<Height>,
    sender: &Sender,
) -> Result<(), RpcError> {
    let mut records = Vec::with_capacity(RECORDS_PER_FRAME_MAX);
    let chunk = |height: Height, records: &[HistoryRecord]| UnitsChunk {
        height: height.get(),
        records: codec::encode(records),
    };
    let stopping = desk.stop();
    let mut visit = |height: Height, key: &[u8], slot: Option<u64>, value: &[u8]| {
        if let Some(holder) = holder {
            let range: UnitRange = codec::decode(value).map_err(|error| Fault::CorruptRecord {
                key: hex::encode(key),
                reason: error.to_string(),
            })?;
            if range.place.holder != holder {
                return Ok(true);
            }
        }
        records.push(HistoryRecord { key: key.to_vec(), slot, value: value.to_vec() });
        if records.len() < RECORDS_PER_FRAME_MAX {
            return Ok(true);
        }
        let full = chunk(height, &records);
        records.clear();
        Ok(!stopping.is_cancelled() && sender.blocking_send(Ok(full)).is_ok())
    };
    let height = match height {
        None => desk.reader().stored_table(Table::Units, visit).map_err(read_failed)?,
        Some(height) => {
            let visit_at =
                |key: &[u8], slot: Option<u64>, value: &[u8]| visit(height, key, slot, value);
            desk.reader().table_at(Table::Units, height, visit_at).map_err(failure)?;
            height
        }
    };
    // The last chunk is sent even when it is empty: it says at which height there was nothing.
    drop(sender.blocking_send(Ok(chunk(height, &records))));
    Ok(())
}
