//! Which part of a transaction a caller sees.
//!
//! A transaction is seen whole by its acting account, and by the other side when it has one: a
//! transfer, a record of verified emissions. A batch names many accounts; each of them sees the
//! receipt and its own movements, not the lines of the others.

use std::collections::BTreeSet;

use cets_contracts::block::EventRecord;
use cets_contracts::rules::Effects;
use cets_contracts::types::AccountId;

/// What a caller sees of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// Nothing.
    Nothing,
    /// The receipt, and of the effects what concerns the caller.
    Part(Effects),
    /// Everything.
    Whole,
}

/// What a caller sees of an ordered transaction.
///
/// `parties` are the accounts that the transaction touched; `sees` says whether the caller sees
/// transactions of an account.
pub fn view(
    acting: AccountId,
    parties: &BTreeSet<AccountId>,
    events: Option<&EventRecord>,
    sees: impl Fn(AccountId) -> bool,
) -> View {
    if sees(acting) {
        return View::Whole;
    }
    let mut others = parties.iter().filter(|account| **account != acting).peekable();
    if others.peek().is_none() {
        return View::Nothing;
    }
    let (seen, hidden): (Vec<AccountId>, Vec<AccountId>) = others.partition(|other| sees(**other));
    match (seen.is_empty(), hidden.is_empty()) {
        (true, _) => View::Nothing,
        (false, true) => View::Whole,
        (false, false) => View::Part(own_effects(events, sees)),
    }
}

fn own_effects(events: Option<&EventRecord>, sees: impl Fn(AccountId) -> bool) -> Effects {
    let Some(record) = events else { return Effects::default() };
    let mut effects = record.effects.clone();
    effects.units.retain(|movement| {
        sees(movement.to.holder) || movement.from.is_some_and(|from| sees(from.holder))
    });
    effects
        .funds
        .retain(|movement| movement.from.is_some_and(&sees) || movement.to.is_some_and(&sees));
    effects
}
