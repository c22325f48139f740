//! What a new store takes over from a damaged one, so that its node stays safe.
//!
//! A node whose store is replaced may have signed what its new store does not know. It signed
//! before the replacement, at heights whose parent was decided then; block times are at most a
//! little ahead of the clocks of validators. So no block up to the one it may have signed last, as
//! first proposed, has a time far beyond that moment; and once a block with such a time is
//! committed, everything this node may have signed is decided. Until then it follows.

use cets_consensus::{Evidence, GuardMark};
use cets_contracts::types::BlockTime;

use super::database::{Durability, Writes};
use super::{Column, Store, StoreError};

const VOTES_AFTER_KEY: &[u8] = b"votes_after";

/// What could still be read of a damaged store.
#[derive(Clone, Debug, Default)]
pub struct Carried {
    /// Marks of the double-sign guard.
    pub marks: Vec<GuardMark>,
    /// Evidence of double signatures.
    pub evidence: Vec<Evidence>,
    /// Time of the newest block.
    pub newest: Option<BlockTime>,
}

impl Carried {
    /// Reads what can be read.
    pub fn from(store: &Store) -> Self {
        let newest = store.tip().ok().flatten().map(|tip| tip.time);
        let marks = store.guard_marks().unwrap_or_default();
        Self { marks, evidence: store.evidence().unwrap_or_default(), newest }
    }
}

impl Store {
    /// Takes over what a damaged store still knew, and withholds votes until a block is committed
    /// whose time is after this one. Synced before it returns.
    pub fn take_over(&self, carried: &Carried, votes_after: BlockTime) -> Result<(), StoreError> {
        let votes_after = carried.newest.map_or(votes_after, |newest| newest.max(votes_after));
        self.save_guard_marks(&carried.marks)?;
        // The height of a proof is in it; the key only keeps proofs apart.
        for evidence in &carried.evidence {
            self.save_evidence(evidence.height, std::slice::from_ref(evidence))?;
        }
        let mut writes = Writes::default();
        let millis = votes_after.as_millis().to_be_bytes();
        self.put(&mut writes, Column::Meta, VOTES_AFTER_KEY, &millis);
        self.write(writes, Durability::Synced, "withhold votes")
    }

    /// Time after which a committed block must be before this node votes.
    pub fn votes_after(&self) -> Result<Option<BlockTime>, StoreError> {
        let Some(bytes) = self.get(Column::Meta, VOTES_AFTER_KEY)? else { return Ok(None) };
        let damaged = || StoreError::damaged(Column::Meta, "votes_after", "it is no time");
        let millis = bytes.as_ref().try_into().map(u64::from_be_bytes).map_err(|_| damaged())?;
        Ok(Some(BlockTime::from_millis(millis)))
    }

    /// Whether a node with a newest block of this time must not vote yet.
    pub fn withholds_votes(&self, newest: BlockTime) -> Result<bool, StoreError> {
        Ok(self.votes_after()?.is_some_and(|after| newest <= after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_are_withheld_until_a_block_is_after_the_moment_and_after_the_newest_known() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let at = BlockTime::from_millis;
        assert!(!store.withholds_votes(at(0)).unwrap());
        store.take_over(&Carried::default(), at(5_000)).unwrap();
        assert!(store.withholds_votes(at(5_000)).unwrap());
        assert!(!store.withholds_votes(at(5_001)).unwrap());
        let newest = Some(at(9_000));
        store.take_over(&Carried { newest, ..Carried::default() }, at(5_000)).unwrap();
        assert!(store.withholds_votes(at(9_000)).unwrap());
        drop(store);
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.votes_after().unwrap(), newest);
        assert!(store.tip().unwrap().is_none());
    }
}
