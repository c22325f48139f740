//! The overlay: reads see the committed state under everything written since; nothing written
//! here reaches the state until the block is committed.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::{Account, Key, Record, State, Table, keys};
use crate::codec;
use crate::fault::Fault;
use crate::rules::{Abort, Effects};
use crate::types::AccountId;

/// Writes of one layer: a value, or `None` for a deleted record.
pub(super) type Writes = BTreeMap<Key, Option<Vec<u8>>>;

/// What a transaction sees and writes.
///
/// Layers lie on each other: the block, the transaction, and attempts within it. An error drops
/// the topmost layer, so that each is all or nothing.
#[derive(Debug)]
pub struct Overlay<'a> {
    base: &'a State,
    block: Writes,
    attempts: Vec<(Writes, Effects)>,
    allowed: &'static [Table],
    effects: Effects,
}

impl<'a> Overlay<'a> {
    /// An overlay without writes.
    pub fn new(base: &'a State) -> Self {
        Self {
            base,
            block: Writes::new(),
            attempts: Vec::new(),
            allowed: &[],
            effects: Effects::default(),
        }
    }

    /// The state below.
    pub const fn base(&self) -> &'a State {
        self.base
    }

    /// Runs `work` so that its writes and effects count only if it succeeds.
    pub fn attempt<T, E>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let effects = core::mem::take(&mut self.effects);
        self.attempts.push((Writes::new(), effects));
        let outcome = work(self);
        let Some((writes, effects_before)) = self.attempts.pop() else { return outcome };
        let effects_of_work = core::mem::replace(&mut self.effects, effects_before);
        if outcome.is_ok() {
            self.effects.append(effects_of_work);
            self.top().extend(writes);
        }
        outcome
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

    fn top(&mut self) -> &mut Writes {
        match self.attempts.last_mut() {
            Some((writes, _)) => writes,
            None => &mut self.block,
        }
    }

    fn layers(&self) -> impl Iterator<Item = &Writes> {
        self.attempts.iter().rev().map(|(writes, _)| writes).chain(core::iter::once(&self.block))
    }

    fn raw(&self, key: &[u8]) -> Option<&[u8]> {
        for layer in self.layers() {
            if let Some(write) = layer.get(key) {
                return write.as_deref();
            }
        }
        self.base.raw(key)
    }

    /// The record of a key.
    pub fn get<R: Record>(&self, key: &Key) -> Result<Option<R>, Fault> {
        self.raw(key.as_bytes()).map(|bytes| decode(key.as_bytes(), bytes)).transpose()
    }

    /// Whether there is a record of a key.
    pub fn contains(&self, key: &Key) -> bool {
        self.raw(key.as_bytes()).is_some()
    }

    /// Writes a record; a rule may write only tables that it declares.
    pub fn put<R: Record>(&mut self, key: Key, record: &R) -> Result<(), Fault> {
        self.check_table::<R>()?;
        self.top().insert(key, Some(codec::encode(record)));
        Ok(())
    }

    /// Deletes a record; no error when there is none.
    pub fn delete<R: Record>(&mut self, key: Key) -> Result<(), Fault> {
        self.check_table::<R>()?;
        self.top().insert(key, None);
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
        from: &[u8],
    ) -> Result<Option<(Key, R)>, Fault> {
        let mut lower = Bound::Included(from);
        loop {
            let found = self.neighbour(|writes| writes.next_after(lower), Order::Ascending);
            let Some((key, value)) = found else { return Ok(None) };
            if !key.starts_with(prefix.as_bytes()) {
                return Ok(None);
            }
            match value {
                Some(bytes) => return Ok(Some((*key, decode(key, bytes)?))),
                None => lower = Bound::Excluded(key.as_bytes()),
            }
        }
    }

    /// The last record at or before `to` whose key starts with `prefix`.
    pub fn last_to<R: Record>(&self, prefix: &Key, to: &[u8]) -> Result<Option<(Key, R)>, Fault> {
        let mut upper = Bound::Included(to);
        loop {
            let found = self.neighbour(|writes| writes.last_before(upper), Order::Descending);
            let Some((key, value)) = found else { return Ok(None) };
            if !key.starts_with(prefix.as_bytes()) {
                return Ok(None);
            }
            match value {
                Some(bytes) => return Ok(Some((*key, decode(key, bytes)?))),
                None => upper = Bound::Excluded(key.as_bytes()),
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

    /// The nearest entry over all layers; of equal keys the topmost layer's.
    fn neighbour<'s>(
        &'s self,
        find: impl Fn(Layer<'s>) -> Option<Entry<'s>>,
        order: Order,
    ) -> Option<Entry<'s>> {
        let mut best: Option<Entry<'s>> = None;
        let layers =
            self.layers().map(Layer::Writes).chain(core::iter::once(Layer::Base(self.base)));
        for layer in layers {
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
    pub fn account(&self, id: AccountId) -> Result<Option<Account>, Fault> {
        self.get(&keys::account(id))
    }

    /// Changes an account that exists.
    pub(super) fn change_account(
        &mut self,
        id: AccountId,
        change: impl FnOnce(&mut Account) -> Result<(), Abort>,
    ) -> Result<(), Abort> {
        let key = keys::account(id);
        let mut account: Account = self.get(&key)?.ok_or_else(|| Fault::Inconsistent {
            what: format!("account {id} is named by a record and does not exist"),
        })?;
        change(&mut account)?;
        self.put(key, &account)?;
        Ok(())
    }
}

/// A key and its value, `None` when deleted.
type Entry<'s> = (&'s Key, Option<&'s [u8]>);

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
    fn next_after(self, lower: Bound<&[u8]>) -> Option<Entry<'s>> {
        let range = (lower, Bound::Unbounded);
        match self {
            Self::Writes(writes) => {
                let (key, value) = writes.range::<[u8], _>(range).next()?;
                Some((key, value.as_deref()))
            }
            Self::Base(state) => state.range(range).next().map(|(key, value)| (key, Some(value))),
        }
    }

    fn last_before(self, upper: Bound<&[u8]>) -> Option<Entry<'s>> {
        let range = (Bound::Unbounded, upper);
        match self {
            Self::Writes(writes) => {
                let (key, value) = writes.range::<[u8], _>(range).next_back()?;
                Some((key, value.as_deref()))
            }
            Self::Base(state) => {
                state.range(range).next_back().map(|(key, value)| (key, Some(value)))
            }
        }
    }
}

pub(super) fn decode<R: Record>(key: &[u8], bytes: &[u8]) -> Result<R, Fault> {
    codec::decode(bytes)
        .map_err(|error| Fault::CorruptRecord { key: hex::encode(key), reason: error.to_string() })
}
