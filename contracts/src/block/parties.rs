//! Which accounts a transaction touched: whoever its events name.
//!
//! The accounts are collected from the serialised form, so that an event of a new rule needs no
//! list of its own: every account number in it counts.

use core::fmt::Display;
use std::collections::BTreeSet;

use serde::ser::{self, Serialize, Serializer};

use super::EventRecord;
use crate::types::AccountId;

impl EventRecord {
    /// Every account that the events name, and whose units or money moved.
    pub fn accounts(&self) -> BTreeSet<AccountId> {
        let mut accounts = BTreeSet::new();
        self.serialize(Collector(&mut accounts)).expect("the collector refuses nothing");
        accounts
    }
}

struct Collector<'a>(&'a mut BTreeSet<AccountId>);

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
        value.serialize(Collector(&mut *self.0))
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

    ignored! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_i128: i128, serialize_u8: u8, serialize_u16: u16,
        serialize_u32: u32, serialize_u64: u64, serialize_u128: u128, serialize_f32: f32,
        serialize_f64: f64, serialize_char: char, serialize_bytes: &[u8],
        serialize_unit_struct: &'static str,
    }

    fn serialize_str(self, text: &str) -> Result<(), Never> {
        if let Ok(account) = text.parse() {
            self.0.insert(account);
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
        mut self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        self.collect(value)
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
    use crate::rules::allowances::issue::Issued;
    use crate::rules::{Effects, Event, FundMovement, UnitMovement, example_account};
    use crate::state::{UnitPlace, UnitStatus};
    use crate::types::{Fen, Instrument, Role, SerialRange, Vintage};

    #[test]
    fn everybody_whose_units_or_money_moved_is_found() {
        let account = |number| example_account(Role::KeyEmittingEntity, number);
        let place = |number| UnitPlace { holder: account(number), status: UnitStatus::Free };
        let cea = Instrument::Cea(Vintage::new(2021).unwrap());
        let range = SerialRange::new(cea, 1, 9).unwrap();
        let record = EventRecord {
            event: Event::Issue(Issued { ranges: vec![range] }),
            effects: Effects {
                units: vec![
                    UnitMovement { range, from: None, to: place(1) },
                    UnitMovement { range, from: Some(place(1)), to: place(2) },
                ],
                funds: vec![FundMovement { from: Some(account(3)), to: None, amount: Fen::new(1) }],
            },
        };
        let expected: BTreeSet<_> = [1, 2, 3].map(account).into_iter().collect();
        assert_eq!(record.accounts(), expected);
    }

    #[test]
    fn accounts_named_by_an_event_alone_are_found() {
        let opened = example_account(Role::Trader, 7);
        let record = EventRecord {
            event: Event::OpenAccount(AccountsOpened { accounts: vec![opened] }),
            effects: Effects::default(),
        };
        assert_eq!(record.accounts(), [opened].into_iter().collect());
    }
}
