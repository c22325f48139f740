//! Pages of lists.

use cets_api::{ListRecordsResponse, Record};
use cets_contracts::state::Key;
use cets_contracts::types::Height;

use super::RpcError;
use super::config::{PAGE_BYTES_MAX, PAGE_RECORDS_SCANNED_MAX, PAGE_SIZE_DEFAULT};
use crate::read::{RawRecord, Reader};

/// Records on a page of which so many were asked for; 0 is the default.
pub fn page_size(asked: u32, max: u32) -> usize {
    let size = if asked == 0 { PAGE_SIZE_DEFAULT } else { asked };
    usize::try_from(size.min(max).max(1)).unwrap_or(usize::MAX)
}

/// A page that is being filled.
#[derive(Debug)]
pub struct RecordPage {
    /// Records kept.
    pub records: Vec<RawRecord>,
    /// Where to go on; empty at the end.
    pub next: Vec<u8>,
    /// Height of the state that gave the last of them.
    pub height: Height,
}

/// Records under a prefix that `keep` accepts, after a page token, at most `size`.
///
/// A page ends early when it has looked at [`PAGE_RECORDS_SCANNED_MAX`] records or holds
/// [`PAGE_BYTES_MAX`]. `keep` runs outside of the lock of the state.
pub fn page_of(
    reader: &Reader,
    prefix: &Key,
    page: &[u8],
    size: usize,
    keep: impl Fn(&RawRecord) -> Result<bool, RpcError>,
) -> Result<RecordPage, RpcError> {
    let mut filled =
        RecordPage { records: Vec::new(), next: page.to_vec(), height: Height::GENESIS };
    let (mut scanned, mut bytes) = (0usize, 0usize);
    loop {
        let wanted = size.saturating_sub(filled.records.len());
        let after = (!filled.next.is_empty()).then_some(filled.next.as_slice());
        let found = reader.list(prefix, after, wanted);
        filled.height = found.height;
        let more = found.answer.next.is_some();
        for record in found.answer.items {
            scanned = scanned.saturating_add(1);
            let key = record.key.clone();
            if keep(&record)? {
                let length = record.key.len().saturating_add(record.value.len());
                bytes = bytes.saturating_add(length);
                if bytes > PAGE_BYTES_MAX && !filled.records.is_empty() {
                    return Ok(filled);
                }
                filled.records.push(record);
            }
            filled.next = key;
        }
        if !more {
            filled.next.clear();
            return Ok(filled);
        }
        if filled.records.len() >= size || scanned >= PAGE_RECORDS_SCANNED_MAX {
            return Ok(filled);
        }
    }
}

impl From<RecordPage> for ListRecordsResponse {
    fn from(page: RecordPage) -> Self {
        let records = page.records.into_iter();
        Self {
            records: records.map(|raw| Record { key: raw.key, value: raw.value }).collect(),
            next_page: page.next,
            height: page.height.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_the_default_size_when_none_is_asked_for_and_never_more_than_the_limit() {
        assert_eq!(page_size(0, 1_000), 100);
        assert_eq!(page_size(7, 1_000), 7);
        assert_eq!(page_size(u32::MAX, 1_000), 1_000);
        assert_eq!(page_size(0, 10), 10);
    }
}
