//! Transactions that were ordered and have not expired: none of them may be ordered again.
//!
//! They are asked for several times for each transaction, by the mempool and by every block, and
//! a busy ledger remembers millions. So they lie beside the records, in sets of their identifiers
//! by the moment at which they expire, and are forgotten a moment at a time.

use std::collections::{BTreeMap, BTreeSet};

use super::{Key, Remembered, StoredRecord, keys};
use crate::types::{BlockTime, TxId};

/// An identifier that is compared eight bytes at a time, in the order of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Id([u64; 4]);

impl Id {
    fn of(id: &TxId) -> Self {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(id.as_bytes().as_chunks::<8>().0) {
            *word = u64::from_be_bytes(*bytes);
        }
        Self(words)
    }

    fn tx_id(self) -> TxId {
        let mut id = [0; 32];
        for (bytes, word) in id.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *bytes = word.to_be_bytes();
        }
        TxId::new(id)
    }
}

/// A set of transactions with the moments at which they expire.
#[derive(Clone, Debug)]
pub(super) struct RememberedIds {
    by_expiry: BTreeMap<BlockTime, BTreeSet<Id>>,
    /// What the table holds for each of them: they are records in derived form.
    record: StoredRecord,
}

impl Default for RememberedIds {
    fn default() -> Self {
        let value = crate::codec::encode(&Remembered).into();
        Self { by_expiry: BTreeMap::new(), record: StoredRecord { slot: None, value } }
    }
}

impl RememberedIds {
    pub(super) fn contains(&self, valid_until: BlockTime, id: &TxId) -> bool {
        self.by_expiry.get(&valid_until).is_some_and(|ids| ids.contains(&Id::of(id)))
    }

    pub(super) fn insert(&mut self, valid_until: BlockTime, id: &TxId) {
        self.by_expiry.entry(valid_until).or_default().insert(Id::of(id));
    }

    /// Adds those of another set.
    pub(super) fn extend(&mut self, other: Self) {
        for (valid_until, ids) in other.by_expiry {
            self.by_expiry.entry(valid_until).or_default().extend(ids);
        }
    }

    /// Forgets those that expired before a moment.
    pub(super) fn forget_before(&mut self, moment: BlockTime) {
        while let Some(first) = self.by_expiry.first_entry().filter(|first| *first.key() < moment) {
            first.remove();
        }
    }

    pub(super) fn count(&self) -> usize {
        self.by_expiry.values().fold(0, |sum, ids| sum.saturating_add(ids.len()))
    }

    /// The record of a key of the table, if the transaction is among them.
    pub(super) fn record(&self, key: &Key) -> Option<&StoredRecord> {
        let (valid_until, id) = keys::replay_of(key)?;
        self.contains(valid_until, &id).then_some(&self.record)
    }

    /// All as records, in the order of their keys.
    pub(super) fn records(&self) -> impl Iterator<Item = (Key, &StoredRecord)> {
        self.by_expiry.iter().flat_map(|(valid_until, ids)| {
            ids.iter().map(|id| (keys::replay(*valid_until, &id.tx_id()), &self.record))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(first: u8, last: u8) -> TxId {
        let mut bytes = [7; 32];
        (bytes[0], bytes[31]) = (first, last);
        TxId::new(bytes)
    }

    #[test]
    fn they_are_remembered_until_they_expire() {
        let at = BlockTime::from_millis;
        let mut ids = RememberedIds::default();
        ids.insert(at(20), &id(200, 1));
        ids.insert(at(20), &id(3, 2));
        let mut of_block = RememberedIds::default();
        of_block.insert(at(10), &id(1, 1));
        of_block.insert(at(20), &id(3, 1));
        ids.extend(of_block);
        assert_eq!(ids.count(), 4);
        assert!(ids.contains(at(20), &id(3, 2)));
        assert!(!ids.contains(at(21), &id(3, 2)), "another expiry is another transaction");
        assert!(!ids.contains(at(20), &id(3, 3)));

        let keys = [(10, id(1, 1)), (20, id(3, 1)), (20, id(3, 2)), (20, id(200, 1))];
        let keys = keys.map(|(millis, id)| keys::replay(at(millis), &id));
        assert!(ids.records().map(|(key, _)| key).eq(keys));
        assert!(keys.is_sorted());
        assert!(keys.iter().all(|key| ids.record(key).is_some_and(|one| one.slot.is_none())));

        ids.forget_before(at(10));
        assert_eq!(ids.count(), 4, "what expires at the moment itself has not expired before it");
        ids.forget_before(at(11));
        assert!(!ids.contains(at(10), &id(1, 1)));
        assert_eq!(ids.count(), 3);
        ids.forget_before(at(21));
        assert_eq!(ids.count(), 0);
    }
}
