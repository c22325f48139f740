//! Which accounts a transaction touched: whoever its order and its events name.
//!
//! The accounts are collected from the serialised form, so that a new rule needs no list of its
//! own: every account number counts.

use core::fmt::Display;
use std::collections::BTreeSet;

use serde::ser::{self, Serialize, Serializer};

use super::EventRecord;
use crate::rules::Signing;
use crate::tx::TxBody;
use crate::types::{ACCOUNT_ID_NAME, AccountId};

/// Accounts that an ordered transaction touched: the one that acted and, unless it was refused,
/// all that its order and its events name. An order that is only proposed touches nobody else.
pub fn touched_accounts(body: &TxBody, events: Option<&EventRecord>) -> BTreeSet<AccountId> {
    let mut accounts = BTreeSet::from([body.account]);
    if let Some(record) = events {
        // What one person initiates waits for the approval of others.
        if body.payload.rule().authority.signing != Signing::Initiator {
            collect(&body.payload, &mut accounts);
        }
        collect(record, &mut accounts);
    }
    accounts
}

fn collect(value: &impl Serialize, accounts: &mut BTreeSet<AccountId>) {
    value.serialize(Collector { accounts, inside: false }).expect("the collector refuses nothing");
}

/// A serialiser that keeps account numbers and nothing else.
struct Collector<'a> {
    accounts: &'a mut BTreeSet<AccountId>,
    /// Whether the next number is that of an account.
    inside: bool,
}

#[derive(Debug)]
struct Never;

impl Display for Never {
    fn fmt(&self, _: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        Ok(())
    }
}

impl core::error::Error for Never {}

impl ser::Error for Never {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

impl Collector<'_> {
    fn collect<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
        value.serialize(Collector { accounts: &mut *self.accounts, inside: false })
    }
}

macro_rules! ignored {
    ($($method:ident: $type:ty),+ $(,)?) => {
        $(fn $method(self, _: $type) -> Result<(), Never> {
            Ok(())
        })+
    };
}

impl<'a> Serializer for Collector<'a> {
    type Ok = ();
    type Error = Never;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fn is_human_readable(&self) -> bool {
        false
    }

    ignored! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_i128: i128, serialize_u8: u8, serialize_u16: u16,
        serialize_u32: u32, serialize_u128: u128, serialize_f32: f32,
        serialize_f64: f64, serialize_char: char, serialize_bytes: &[u8], serialize_str: &str,
        serialize_unit_struct: &'static str,
    }

    fn serialize_u64(self, number: u64) -> Result<(), Never> {
        if self.inside
            && let Ok(account) = AccountId::from_key(number.to_be_bytes())
        {
            self.accounts.insert(account);
        }
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Never> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(mut self, value: &T) -> Result<(), Never> {
        self.collect(value)
    }

    fn serialize_unit(self) -> Result<(), Never> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Never> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        value.serialize(Collector { inside: name == ACCOUNT_ID_NAME, ..self })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        self.collect(value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Never> {
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Never> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Never> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Never> {
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, Never> {
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Never> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Never> {
        Ok(self)
    }
}

macro_rules! elements {
    ($($trait:ident $method:ident),+ $(,)?) => {
        $(impl ser::$trait for Collector<'_> {
            type Ok = ();
            type Error = Never;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
                self.collect(value)
            }

            fn end(self) -> Result<(), Never> {
                Ok(())
            }
        })+
    };
}

macro_rules! fields {
    ($($trait:ident),+ $(,)?) => {
        $(impl ser::$trait for Collector<'_> {
            type Ok = ();
            type Error = Never;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                _: &'static str,
                value: &T,
            ) -> Result<(), Never> {
                self.collect(value)
            }

            fn end(self) -> Result<(), Never> {
                Ok(())
            }
        })+
    };
}

elements! {
    SerializeSeq serialize_element, SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field,
}

fields! { SerializeStruct, SerializeStructVariant }

impl ser::SerializeMap for Collector<'_> {
    type Ok = ();
    type Error = Never;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Never> {
        self.collect(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
        self.collect(value)
    }

    fn end(self) -> Result<(), Never> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::accounts::open_account::AccountsOpened;
    use crate::rules::allowances::transfer::{Transfer, Transferred};
    use crate::rules::governance::propose::Propose;
    use crate::rules::{Effects, Event, FundMovement, Payload, UnitMovement, example_account};
    use crate::state::{UnitPlace, UnitStatus};
    use crate::types::{
        BlockTime, ChainId, Fen, Instrument, Role, Selection, SerialRange, Tonnes, Vintage,
    };

    fn account(number: u64) -> AccountId {
        example_account(Role::KeyEmittingEntity, number)
    }

    fn transfer(to: u64) -> Transfer {
        let instrument = Instrument::Cea(Vintage::new(2021).unwrap());
        let units = Selection::Quantity { instrument, tonnes: Tonnes::new(1) };
        Transfer { to: account(to), units }
    }

    fn body(payload: impl Into<Payload>) -> TxBody {
        TxBody {
            chain_id: ChainId::new([0; 16]),
            account: account(1),
            signers: Vec::new(),
            valid_until: BlockTime::from_millis(1),
            // Looks like an account number and is none.
            salt: u64::from_be_bytes(account(99).to_key()),
            payload: payload.into(),
        }
    }

    fn numbers(accounts: BTreeSet<AccountId>) -> Vec<u64> {
        accounts.into_iter().map(AccountId::number).collect()
    }

    #[test]
    fn everybody_named_by_order_events_and_effects_is_touched_and_no_other_number_counts() {
        let place = |number| UnitPlace { holder: account(number), status: UnitStatus::Free };
        let cea = Instrument::Cea(Vintage::new(2021).unwrap());
        let range = SerialRange::new(cea, 1, 9).unwrap();
        let record = EventRecord {
            effects: Effects {
                units: vec![
                    UnitMovement { range, from: None, to: place(3) },
                    UnitMovement { range, from: Some(place(4)), to: place(3) },
                ],
                funds: vec![FundMovement {
                    from: Some(account(5)),
                    to: None,
                    amount: Fen::new(u64::from_be_bytes(account(98).to_key())),
                }],
            },
            event: Event::Transfer(Transferred { to: account(6), ranges: vec![range] }),
        };
        let touched = touched_accounts(&body(transfer(2)), Some(&record));
        assert_eq!(numbers(touched), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_refused_transaction_touches_its_own_account_alone() {
        assert_eq!(numbers(touched_accounts(&body(transfer(2)), None)), [1]);
    }

    #[test]
    fn a_proposed_order_touches_nobody_else_before_it_is_approved() {
        let order = Box::new(Payload::from(transfer(2)));
        let proposed = body(Propose { order, valid_until: BlockTime::from_millis(2) });
        let record = EventRecord {
            effects: Effects::default(),
            event: Event::OpenAccount(AccountsOpened { accounts: vec![] }),
        };
        assert_eq!(numbers(touched_accounts(&proposed, Some(&record))), [1]);
    }
}
