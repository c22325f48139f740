//! The overlay: reads see the committed state under everything written since; nothing written
//! here reaches the state until the block is committed.

use core::cmp::Ordering;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::by_table::ByTable;
use super::remembered_ids::RememberedIds;
use super::write::{Found, Write, decode};
use super::{Account, Key, RangeEnd, Record, RecordBytes, State, Table, keys};
use crate::codec;
use crate::fault::Fault;
use crate::rules::{Abort, Effects};
use crate::types::{AccountId, BlockTime, TxId};

/// Writes of an attempt among which an account is looked for: those of one movement of units and
/// its payment.
const WRITES_LOOKED_AT: usize = 32;

/// Records that a block writes.
pub(super) type Writes = ByTable<Write>;

/// What a block writes: records by key, and its transactions.
#[derive(Debug)]
pub(crate) struct BlockWrites {
    pub(super) records: Writes,
    pub(super) remembered: RememberedIds,
}

/// What a transaction sees and writes.
///
/// Writes of a block lie over the state. A transaction, and an attempt within one, notes what it
/// overwrites; an error puts all of it back, so that each is all or nothing.
#[derive(Debug)]
pub struct Overlay<'a> {
    base: &'a State,
    block: Writes,
    /// Transactions of the block.
    remembered: RememberedIds,
    /// What the attempts under way overwrote, in order: the write before, if there was one.
    undo: Vec<(Key, Option<Write>)>,
    /// Attempts under way, one within the other: where in `undo` each began.
    attempts: Vec<usize>,
    allowed: &'static [Table],
    effects: Effects,
    /// Accounts of the state that were read, decoded.
    read: RefCell<BTreeMap<AccountId, Arc<Account>>>,
    /// Records are encoded here first, so that each takes the memory it needs at once.
    scratch: Vec<u8>,
}

impl<'a> Overlay<'a> {
    /// An overlay without writes.
    pub fn new(base: &'a State) -> Self {
        Self {
            base,
            block: Writes::default(),
            remembered: RememberedIds::default(),
            undo: Vec::new(),
            attempts: Vec::new(),
            allowed: &[],
            effects: Effects::default(),
            read: RefCell::default(),
            scratch: Vec::new(),
        }
    }

    /// The state below.
    pub const fn base(&self) -> &'a State {
        self.base
    }

    /// Runs `work` so that its writes and effects count only if it succeeds.
    pub fn attempt<T, E>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let effects_before = core::mem::take(&mut self.effects);
        let undo_before = self.undo.len();
        self.attempts.push(undo_before);
        let outcome = work(self);
        self.attempts.pop();
        let effects_of_work = core::mem::replace(&mut self.effects, effects_before);
        if outcome.is_ok() {
            self.effects.append(effects_of_work);
            if self.attempts.is_empty() {
                self.undo.clear();
            }
        } else {
            self.roll_back(undo_before);
        }
        outcome
    }

    /// Puts back what was overwritten since, the newest first.
    fn roll_back(&mut self, undo_before: usize) {
        for (key, before) in self.undo.drain(undo_before..).rev() {
            match before {
                Some(write) => self.block.insert(key, write),
                None => self.block.remove(&key),
            };
        }
    }

    /// Runs `work` with only these tables open for writing.
    pub(crate) fn with_tables<T>(
        &mut self,
        allowed: &'static [Table],
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let before = core::mem::replace(&mut self.allowed, allowed);
        let outcome = work(self);
        self.allowed = before;
        outcome
    }

    /// Takes what moved since the last call.
    pub(crate) fn take_effects(&mut self) -> Effects {
        core::mem::take(&mut self.effects)
    }

    /// What moved so far within this transaction.
    pub(super) const fn effects_mut(&mut self) -> &mut Effects {
        &mut self.effects
    }

    /// All that a block writes.
    pub(crate) fn into_writes(self) -> BlockWrites {
        BlockWrites { records: self.block, remembered: self.remembered }
    }

    fn set(&mut self, key: Key, write: Write) {
        let before = self.block.insert(key, write);
        self.note(key, before);
    }

    /// Notes what an attempt overwrote.
    fn note(&mut self, key: Key, before: Option<Write>) {
        if !self.attempts.is_empty() {
            self.undo.push((key, before));
        }
    }

    fn find(&self, key: &Key) -> Option<Found<'_>> {
        match self.block.get(key) {
            Some(write) => write.found(),
            None => self.base.raw(key).map(Found::Bytes),
        }
    }

    /// The record of a key.
    pub fn get<R: Record>(&self, key: &Key) -> Result<Option<R>, Fault> {
        self.find(key).map(|found| found.read(key.as_bytes())).transpose()
    }

    /// Whether there is a record of a key.
    pub fn contains(&self, key: &Key) -> bool {
        self.find(key).is_some()
    }

    /// Writes a record; a rule may write only tables that it declares.
    pub fn put<R: Record>(&mut self, key: Key, record: &R) -> Result<(), Fault> {
        self.check_table::<R>()?;
        match record.as_account() {
            Some(account) => self.set(key, Write::Account(Arc::new(account.clone()))),
            None => self.put_bytes(key, record),
        }
        Ok(())
    }

    fn put_bytes<R: Record>(&mut self, key: Key, record: &R) {
        let mut scratch = core::mem::take(&mut self.scratch);
        codec::encode_into(&mut scratch, record);
        self.set(key, Write::Bytes(RecordBytes::from_slice(&scratch)));
        self.scratch = scratch;
    }

    /// Deletes a record; no error when there is none.
    pub fn delete<R: Record>(&mut self, key: Key) -> Result<(), Fault> {
        self.check_table::<R>()?;
        self.remove(key);
        Ok(())
    }

    fn remove(&mut self, key: Key) {
        // What is not below needs no trace: a record that moves on many times within a block
        // leaves none, and a scan has nothing to walk over.
        let before = if self.base.raw(&key).is_some() {
            self.block.insert(key, Write::Delete)
        } else {
            self.block.remove(&key)
        };
        self.note(key, before);
    }

    /// Deletes a record that was found in the state below, where no block wrote over it.
    pub(super) fn delete_below<R: Record>(&mut self, key: Key) -> Result<(), Fault> {
        self.check_table::<R>()?;
        self.set(key, Write::Delete);
        Ok(())
    }

    /// Writes an entry of the index by holder, which no rule declares: it follows the ranges.
    pub(super) fn put_index(&mut self, key: Key, entry: &RangeEnd) {
        self.put_bytes(key, entry);
    }

    /// Deletes an entry of the index by holder.
    pub(super) fn delete_index(&mut self, key: Key) {
        self.remove(key);
    }

    /// As [`Self::delete_below`], of an entry of the index by holder.
    pub(super) fn delete_index_below(&mut self, key: Key) {
        self.set(key, Write::Delete);
    }

    /// Whether the block wrote nothing under a key.
    pub(super) fn is_unwritten(&self, key: &Key) -> bool {
        self.block.get(key).is_none()
    }

    /// Remembers a transaction, which may then not be ordered again.
    pub(crate) fn remember(&mut self, valid_until: BlockTime, id: &TxId) {
        self.remembered.insert(valid_until, id);
    }

    /// Whether a transaction was ordered, by this block or an earlier one.
    pub(crate) fn remembers(&self, valid_until: BlockTime, id: &TxId) -> bool {
        self.remembered.contains(valid_until, id) || self.base.remembers(valid_until, id)
    }

    fn check_table<R: Record>(&self) -> Result<(), Fault> {
        if self.allowed.contains(&R::TABLE) {
            Ok(())
        } else {
            Err(Fault::UndeclaredWrite { table: R::TABLE.name() })
        }
    }

    /// The last record at or before `to` whose key starts with `prefix`.
    pub fn last_to<R: Record>(&self, prefix: &Key, to: &Key) -> Result<Option<(Key, R)>, Fault> {
        let mut upto = *to;
        let mut upper = Bound::Included(&upto);
        loop {
            let written = self.block.last_to(upper);
            let stored = self.base.last_to(upper);
            let (key, found) = match (written, stored) {
                (None, None) => return Ok(None),
                (Some((key, write)), None) => (key, write.found()),
                (Some((key, write)), Some((below, _))) if key >= below => (key, write.found()),
                (_, Some((key, bytes))) => (key, Some(Found::Bytes(bytes))),
            };
            if !key.starts_with(prefix.as_bytes()) {
                return Ok(None);
            }
            if let Some(found) = found {
                return Ok(Some((key, found.read(&key)?)));
            }
            upto = key;
            upper = Bound::Excluded(&upto);
        }
    }

    /// All records whose key starts with `prefix`, in order.
    pub fn scan<'s, R: Record>(
        &'s self,
        prefix: &'s Key,
    ) -> impl Iterator<Item = Result<(Key, R), Fault>> + 's {
        let mut written = self.block.range_from(Bound::Included(*prefix)).peekable();
        let mut stored = self.base.range_from(Bound::Included(*prefix)).peekable();
        core::iter::from_fn(move || {
            loop {
                // Of equal keys the write counts.
                let order = match (written.peek(), stored.peek()) {
                    (None, None) => return None,
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (Some((key, _)), Some((below, _))) => key.cmp(below),
                };
                let below = stored.next_if(|_| order != Ordering::Less);
                let (key, found) = match written.next_if(|_| order != Ordering::Greater) {
                    Some((key, write)) => (key, write.found()),
                    None => below.map(|(key, bytes)| (key, Some(Found::Bytes(bytes))))?,
                };
                if !key.starts_with(prefix.as_bytes()) {
                    return None;
                }
                if let Some(found) = found {
                    return Some(found.read(&key).map(|record| (key, record)));
                }
            }
        })
    }

    /// The account, if there is one.
    pub fn account(&self, id: AccountId) -> Result<Option<Arc<Account>>, Fault> {
        let key = keys::account(id);
        match self.block.get(&key) {
            Some(Write::Account(account)) => return Ok(Some(Arc::clone(account))),
            Some(write) => {
                return write.found().map(|found| Ok(Arc::new(found.read(&key)?))).transpose();
            }
            None => {}
        }
        if let Some(account) = self.base.known_account(&key) {
            return Ok(Some(Arc::clone(account)));
        }
        if let Some(account) = self.read.borrow().get(&id) {
            return Ok(Some(Arc::clone(account)));
        }
        let Some(bytes) = self.base.raw(&key) else { return Ok(None) };
        let account: Arc<Account> = Arc::new(decode(&key, bytes)?);
        self.read.borrow_mut().insert(id, Arc::clone(&account));
        Ok(Some(account))
    }

    /// Changes an account that exists. An error leaves it half changed until the attempt, which
    /// every change is part of, puts it back.
    pub(super) fn change_account(
        &mut self,
        id: AccountId,
        change: impl FnOnce(&mut Account) -> Result<(), Abort>,
    ) -> Result<(), Abort> {
        self.check_table::<Account>()?;
        let key = keys::account(id);
        // What this attempt wrote itself needs no second note of what was there before.
        if self.is_written_in_attempt(&key)
            && let Some(Write::Account(account)) = self.block.get_mut(&key)
        {
            return change(Arc::make_mut(account));
        }
        let mut account = self.account(id)?.ok_or_else(|| Fault::Inconsistent {
            what: format!("account {id} is named by a record and does not exist"),
        })?;
        change(Arc::make_mut(&mut account))?;
        self.set(key, Write::Account(account));
        Ok(())
    }

    /// Whether the innermost attempt has written under a key lately.
    fn is_written_in_attempt(&self, key: &Key) -> bool {
        let began = self.attempts.last();
        let own = began.and_then(|began| self.undo.get(*began..)).unwrap_or_default();
        own.iter().rev().take(WRITES_LOOKED_AT).any(|(written, _)| written == key)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Remembered, StatusKind};
    use super::*;
    use crate::rules::testing::{Market, cea, entity};

    #[test]
    fn what_follows_from_other_tables_is_not_written_by_a_rule() {
        let market = Market::new();
        let committed: Vec<Table> =
            Table::ALL.iter().copied().filter(|table| table.is_committed()).collect();
        let mut view = market.view();
        let index = keys::unit_by_holder(entity(1), StatusKind::Free.tag(), &cea(1920), 1);
        let replay = keys::replay(BlockTime::from_millis(1), &TxId::new([1; 32]));
        view.with_tables(committed.leak(), |state| {
            let refused = |table: Table| Err(Fault::UndeclaredWrite { table: table.name() });
            assert_eq!(state.put(index, &RangeEnd { end: 2 }), refused(Table::UnitsByHolder));
            assert_eq!(state.delete::<RangeEnd>(index), refused(Table::UnitsByHolder));
            assert_eq!(state.put(replay, &Remembered), refused(Table::Replays));
            assert!(!state.contains(&index) && !state.contains(&replay));
        });
    }
}
