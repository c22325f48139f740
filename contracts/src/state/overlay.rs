//! The overlay: reads see the committed state under everything written since; nothing written
//! here reaches the state until the block is committed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::by_table::ByTable;
use super::write::{Found, Write, decode};
use super::{Account, Key, Record, RecordBytes, State, Table, keys};
use crate::codec;
use crate::fault::Fault;
use crate::rules::{Abort, Effects};
use crate::types::AccountId;

/// Writes of an attempt among which an account is looked for: those of one movement of units and
/// its payment.
const WRITES_LOOKED_AT: usize = 32;

/// Writes of a block.
pub(super) type Writes = ByTable<Write>;

/// What a transaction sees and writes.
///
/// Writes of a block lie over the state. A transaction, and an attempt within one, notes what it
/// overwrites; an error puts all of it back, so that each is all or nothing.
#[derive(Debug)]
pub struct Overlay<'a> {
    base: &'a State,
    block: Writes,
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

    /// All writes, in the order of their keys.
    pub(crate) fn into_writes(self) -> Writes {
        self.block
    }

    fn set(&mut self, key: Key, write: Write) {
        let before = self.block.insert(key, write);
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
        if let Some(account) = record.as_account() {
            self.set(key, Write::Account(Arc::new(account.clone())));
            return Ok(());
        }
        let mut scratch = core::mem::take(&mut self.scratch);
        codec::encode_into(&mut scratch, record);
        self.set(key, Write::Bytes(RecordBytes::from_slice(&scratch)));
        self.scratch = scratch;
        Ok(())
    }

    /// Deletes a record; no error when there is none.
    pub fn delete<R: Record>(&mut self, key: Key) -> Result<(), Fault> {
        self.check_table::<R>()?;
        self.set(key, Write::Delete);
        Ok(())
    }

    fn check_table<R: Record>(&self) -> Result<(), Fault> {
        if self.allowed.contains(&R::TABLE) || !R::TABLE.is_committed() {
            Ok(())
        } else {
            Err(Fault::UndeclaredWrite { table: R::TABLE.name() })
        }
    }

    /// The first record at or after `from` whose key starts with `prefix`.
    pub fn first_from<R: Record>(
        &self,
        prefix: &Key,
        from: &Key,
    ) -> Result<Option<(Key, R)>, Fault> {
        let mut lower = Bound::Included(from);
        loop {
            let found = self.neighbour(|writes| writes.next_after(lower), Order::Ascending);
            let Some((key, value)) = found else { return Ok(None) };
            if !key.starts_with(prefix.as_bytes()) {
                return Ok(None);
            }
            match value {
                Some(found) => return Ok(Some((*key, found.read(key)?))),
                None => lower = Bound::Excluded(key),
            }
        }
    }

    /// The last record at or before `to` whose key starts with `prefix`.
    pub fn last_to<R: Record>(&self, prefix: &Key, to: &Key) -> Result<Option<(Key, R)>, Fault> {
        let mut upper = Bound::Included(to);
        loop {
            let found = self.neighbour(|writes| writes.last_before(upper), Order::Descending);
            let Some((key, value)) = found else { return Ok(None) };
            if !key.starts_with(prefix.as_bytes()) {
                return Ok(None);
            }
            match value {
                Some(found) => return Ok(Some((*key, found.read(key)?))),
                None => upper = Bound::Excluded(key),
            }
        }
    }

    /// All records whose key starts with `prefix`, in order.
    pub fn scan<'s, R: Record>(
        &'s self,
        prefix: &'s Key,
    ) -> impl Iterator<Item = Result<(Key, R), Fault>> + 's {
        let mut from = Some(*prefix);
        core::iter::from_fn(move || {
            let start = from.take()?;
            let found = self.first_from::<R>(prefix, &start).transpose()?;
            if let Ok((key, _)) = &found {
                from = key.next();
            }
            Some(found)
        })
    }

    /// The nearest entry of writes and state; of equal keys the write.
    fn neighbour<'s>(
        &'s self,
        find: impl Fn(Layer<'s>) -> Option<Entry<'s>>,
        order: Order,
    ) -> Option<Entry<'s>> {
        let mut best: Option<Entry<'s>> = None;
        for layer in [Layer::Writes(&self.block), Layer::Base(self.base)] {
            let Some((key, value)) = find(layer) else { continue };
            let better = match &best {
                None => true,
                Some((other, _)) => match order {
                    Order::Ascending => key < *other,
                    Order::Descending => key > *other,
                },
            };
            if better {
                best = Some((key, value));
            }
        }
        best
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

/// A key and its value, `None` when deleted.
type Entry<'s> = (&'s Key, Option<Found<'s>>);

#[derive(Clone, Copy)]
enum Order {
    Ascending,
    Descending,
}

/// One source of entries.
#[derive(Clone, Copy)]
enum Layer<'s> {
    Writes(&'s Writes),
    Base(&'s State),
}

impl<'s> Layer<'s> {
    fn next_after(self, lower: Bound<&Key>) -> Option<Entry<'s>> {
        match self {
            Self::Writes(writes) => {
                let (key, write) = writes.first_from(lower)?;
                Some((key, write.found()))
            }
            Self::Base(state) => state.first_from(lower).map(in_state),
        }
    }

    fn last_before(self, upper: Bound<&Key>) -> Option<Entry<'s>> {
        match self {
            Self::Writes(writes) => {
                let (key, write) = writes.last_to(upper)?;
                Some((key, write.found()))
            }
            Self::Base(state) => state.last_to(upper).map(in_state),
        }
    }
}

const fn in_state<'s>((key, value): (&'s Key, &'s [u8])) -> Entry<'s> {
    (key, Some(Found::Bytes(value)))
}
