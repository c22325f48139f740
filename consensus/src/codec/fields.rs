//! Fields that all messages share, and the two ends they are written to and read from.

use bytes::{Buf as _, Bytes, BytesMut};
use cets_contracts::types::{BlockId, Height, PublicKey, Signature, ValidatorAddress};
use malachitebft_app_channel::app::types::core::{NilOrVal, Round};

use super::WireError;
use crate::context::{BlockValue, EngineAddress, EngineHeight};

/// Largest round that is accepted; rounds never get near it.
pub const ROUND_MAX: u32 = 1 << 24;

/// Where a message is written to; a `usize` only counts.
pub trait Sink {
    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for BytesMut {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Sink for usize {
    fn put(&mut self, bytes: &[u8]) {
        *self = self.saturating_add(bytes.len());
    }
}

/// Where a message is read from.
pub struct Input(Bytes);

impl Input {
    /// Reads from the start of the bytes.
    pub fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The next `count` bytes, without a copy.
    pub fn bytes(&mut self, count: usize, what: &'static str) -> Result<Bytes, WireError> {
        if self.0.remaining() < count {
            return Err(WireError::Short { what });
        }
        Ok(self.0.split_to(count))
    }

    /// The next bytes as an array.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], WireError> {
        let mut array = [0u8; N];
        array.copy_from_slice(&self.bytes(N, what)?);
        Ok(array)
    }

    /// The next byte.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, WireError> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    /// The next four bytes as a length within a limit.
    pub fn length(&mut self, max: usize, what: &'static str) -> Result<usize, WireError> {
        let length = u32::from_be_bytes(self.array(what)?);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > max {
            return Err(WireError::TooLong { what, length, max });
        }
        Ok(length)
    }

    /// A byte string within a limit.
    pub fn string(&mut self, max: usize, what: &'static str) -> Result<Bytes, WireError> {
        let length = self.length(max, what)?;
        self.bytes(length, what)
    }

    /// A list within a limit.
    pub fn list<T: Wire>(&mut self, max: usize, what: &'static str) -> Result<Vec<T>, WireError> {
        let length = self.length(max, what)?;
        // Grows with what is really there: a length alone allocates nothing.
        let mut list = Vec::new();
        for _ in 0..length {
            list.push(T::read(self)?);
        }
        Ok(list)
    }

    /// All bytes that are left.
    pub fn rest(&mut self) -> Bytes {
        self.0.split_off(0)
    }

    /// Refuses bytes that are left.
    pub fn finish(self) -> Result<(), WireError> {
        match self.0.remaining() {
            0 => Ok(()),
            count => Err(WireError::Trailing { count }),
        }
    }
}

/// A value with one encoding.
pub trait Wire: Sized {
    /// Writes the value.
    fn put(&self, sink: &mut impl Sink);
    /// Reads a value.
    fn read(input: &mut Input) -> Result<Self, WireError>;
}

/// Writes a length.
pub fn put_length(length: usize, sink: &mut impl Sink) {
    // Everything that is sent is below its limit and every limit is below 4 GiB.
    sink.put(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

/// Writes a byte string.
pub fn put_string(bytes: &[u8], sink: &mut impl Sink) {
    put_length(bytes.len(), sink);
    sink.put(bytes);
}

/// Writes a list.
pub fn put_list<T: Wire>(list: &[T], sink: &mut impl Sink) {
    put_length(list.len(), sink);
    for item in list {
        item.put(sink);
    }
}

impl Wire for u64 {
    fn put(&self, sink: &mut impl Sink) {
        sink.put(&self.to_be_bytes());
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        Ok(Self::from_be_bytes(input.array("a number")?))
    }
}

impl Wire for Height {
    fn put(&self, sink: &mut impl Sink) {
        self.get().put(sink);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        Ok(Self::new(u64::from_be_bytes(input.array("the height")?)))
    }
}

/// A round that is defined.
impl Wire for u32 {
    fn put(&self, sink: &mut impl Sink) {
        sink.put(&self.to_be_bytes());
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        let round = Self::from_be_bytes(input.array("the round")?);
        if round > ROUND_MAX { Err(WireError::Range { what: "the round" }) } else { Ok(round) }
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, sink: &mut impl Sink) {
        match self {
            None => sink.put(&[0]),
            Some(value) => {
                sink.put(&[1]);
                value.put(sink);
            }
        }
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        match input.u8("an option")? {
            0 => Ok(None),
            1 => T::read(input).map(Some),
            found => Err(WireError::Tag { what: "an option", found }),
        }
    }
}

/// A round that may be nil.
impl Wire for Round {
    fn put(&self, sink: &mut impl Sink) {
        self.as_u32().put(sink);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        Option::<u32>::read(input).map(Self::from)
    }
}

/// Writes a round that is defined in every message that carries it.
pub fn put_round(round: Round, sink: &mut impl Sink) {
    round.as_u32().unwrap_or(0).put(sink);
}

/// Reads a round that is defined.
pub fn read_round(input: &mut Input) -> Result<Round, WireError> {
    u32::read(input).map(Round::new)
}

/// Byte arrays that are written as they are.
macro_rules! wire_array {
    ($($type:ty, $what:literal);+ $(;)?) => { $(
        impl Wire for $type {
            fn put(&self, sink: &mut impl Sink) {
                sink.put(self.as_bytes());
            }

            fn read(input: &mut Input) -> Result<Self, WireError> {
                input.array($what).map(Self::new)
            }
        }
    )+ };
}

wire_array!(
    BlockId, "the block id";
    ValidatorAddress, "the validator address";
    PublicKey, "the public key";
    Signature, "the signature";
);

/// Wrappers that are written as what they wrap.
macro_rules! wire_wrapper {
    ($($type:ident);+ $(;)?) => { $(
        impl Wire for $type {
            fn put(&self, sink: &mut impl Sink) {
                self.0.put(sink);
            }

            fn read(input: &mut Input) -> Result<Self, WireError> {
                Wire::read(input).map(Self)
            }
        }
    )+ };
}

wire_wrapper!(EngineHeight; EngineAddress; BlockValue);

impl Wire for NilOrVal<BlockValue> {
    fn put(&self, sink: &mut impl Sink) {
        match self {
            Self::Nil => sink.put(&[0]),
            Self::Val(value) => {
                sink.put(&[1]);
                value.put(sink);
            }
        }
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        match input.u8("the vote")? {
            0 => Ok(Self::Nil),
            1 => BlockValue::read(input).map(Self::Val),
            found => Err(WireError::Tag { what: "the vote", found }),
        }
    }
}
