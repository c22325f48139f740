//! What a target is: a function of bytes that asserts properties, within stated bounds.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use cets_contracts::codec;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A kibibyte.
pub const KIB: usize = 1024;
/// A mebibyte.
pub const MIB: usize = 1024 * KIB;

/// Something that reads bytes from outside.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Short name, also of its folder of inputs.
    pub name: &'static str,
    /// What it decodes.
    pub reads: &'static str,
    /// What must hold, beside that it neither panics nor runs long.
    pub holds: &'static str,
    /// Longest input in bytes.
    pub bytes_max: usize,
    /// Most memory that one execution may hold at a time, in bytes.
    pub memory_max: usize,
    /// Share of the executions over all targets.
    pub weight: u32,
    /// Whether inputs are text.
    pub is_text: bool,
    /// Reads bytes and says whether they were accepted; panics where a property does not hold.
    pub run: fn(&[u8]) -> bool,
    /// Inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

impl Target {
    /// A target of binary input with the usual bounds.
    pub const fn of_bytes(name: &'static str, run: fn(&[u8]) -> bool) -> Self {
        Self {
            name,
            reads: "",
            holds: "what decodes encodes to the same bytes",
            bytes_max: 4 * KIB,
            memory_max: 4 * MIB,
            weight: 100,
            is_text: false,
            run,
            seeds: Vec::new,
        }
    }

    /// A target of text with the usual bounds.
    pub const fn of_text(name: &'static str, run: fn(&[u8]) -> bool) -> Self {
        Self { is_text: true, ..Self::of_bytes(name, run) }
    }

    /// With what it reads.
    #[must_use]
    pub const fn reading(self, reads: &'static str) -> Self {
        Self { reads, ..self }
    }

    /// With what must hold.
    #[must_use]
    pub const fn holding(self, holds: &'static str) -> Self {
        Self { holds, ..self }
    }

    /// With a longest input.
    #[must_use]
    pub const fn up_to(self, bytes_max: usize) -> Self {
        Self { bytes_max, ..self }
    }

    /// With a bound of memory.
    #[must_use]
    pub const fn within(self, memory_max: usize) -> Self {
        Self { memory_max, ..self }
    }

    /// With a share of the executions.
    #[must_use]
    pub const fn weighing(self, weight: u32) -> Self {
        Self { weight, ..self }
    }

    /// With inputs to start from.
    #[must_use]
    pub const fn from_seeds(self, seeds: fn() -> Vec<Vec<u8>>) -> Self {
        Self { seeds, ..self }
    }
}

/// The value of canonical bytes: when they decode, the value encodes to them.
///
/// # Panics
/// When it does not.
pub fn canonical<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let value: T = codec::decode(bytes).ok()?;
    assert!(codec::encode(&value) == bytes, "accepted bytes that are not canonical");
    Some(value)
}

/// A value survives JSON.
///
/// # Panics
/// When it does not.
pub fn survives_json<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let json = serde_json::to_string(value).expect("a value has a JSON form");
    let again: T = serde_json::from_str(&json).expect("its JSON form is read");
    assert_eq!(&again, value, "{json}");
}

/// A text that is read in only one form is written in that form.
///
/// # Panics
/// When it is not.
pub fn one_form<T: FromStr + Display>(text: &str) -> Option<T> {
    let value: T = text.parse().ok()?;
    assert_eq!(value.to_string(), text, "accepted in another form");
    Some(value)
}

/// A text that people write in several forms: what is written reads back.
///
/// # Panics
/// When it does not.
pub fn reads_back<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Option<T>
where
    T::Err: Debug,
{
    let value: T = text.parse().ok()?;
    let written = value.to_string();
    assert_eq!(written.parse::<T>().as_ref().ok(), Some(&value), "{text:?} {written:?}");
    Some(value)
}

/// The bytes as text.
pub fn text(bytes: &[u8]) -> Option<&str> {
    core::str::from_utf8(bytes).ok()
}
