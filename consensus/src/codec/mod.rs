//! The bytes of everything the engine sends, logs or fetches.
//!
//! Every message starts with [`WIRE_VERSION`]. Integers are big-endian, options and choices are a
//! tag byte, lists and byte strings have a u32 length and a named limit. One value has one
//! encoding: decoding refuses another version, unknown tags, over-long lists and trailing bytes.

mod certificates;
mod fields;
mod messages;
mod sync;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
mod tests;

use bytes::{Bytes, BytesMut};
use malachitebft_app_channel::app::types::codec::{Codec, HasEncodedLen};
use malachitebft_app_channel::app::types::sync::Response;

pub(crate) use fields::{Input, Sink, Wire};
pub(crate) use sync::SyncedBlock;

use crate::context::EngineContext;

/// First byte of every message; another one is refused.
pub const WIRE_VERSION: u8 = 1;

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes end within a field.
    #[error("the message ends within {what}")]
    Short {
        /// The field.
        what: &'static str,
    },
    /// Bytes follow the message.
    #[error("{count} bytes follow the message")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// Another version.
    #[error("the message has version {found}, this node speaks version {WIRE_VERSION}")]
    Version {
        /// Its version.
        found: u8,
    },
    /// A tag that is not known.
    #[error("{what} has no kind {found}")]
    Tag {
        /// The field.
        what: &'static str,
        /// The tag.
        found: u8,
    },
    /// A list or byte string over its limit.
    #[error("{what} has length {length}, at most {max} is allowed")]
    TooLong {
        /// The field.
        what: &'static str,
        /// Its length.
        length: usize,
        /// The limit.
        max: usize,
    },
    /// A value outside of its range.
    #[error("{what} is out of range")]
    Range {
        /// The field.
        what: &'static str,
    },
}

/// Encodes and decodes every message of the engine.
#[derive(Clone, Copy, Debug)]
pub struct WireCodec;

impl<T: Wire> Codec<T> for WireCodec {
    type Error = WireError;

    fn decode(&self, bytes: Bytes) -> Result<T, WireError> {
        let mut input = Input::new(bytes);
        match input.u8("version")? {
            WIRE_VERSION => {}
            found => return Err(WireError::Version { found }),
        }
        let message = T::read(&mut input)?;
        input.finish()?;
        Ok(message)
    }

    fn encode(&self, message: &T) -> Result<Bytes, WireError> {
        let mut bytes = BytesMut::new();
        bytes.put(&[WIRE_VERSION]);
        message.put(&mut bytes);
        Ok(bytes.freeze())
    }
}

impl HasEncodedLen<Response<EngineContext>> for WireCodec {
    fn encoded_len(&self, response: &Response<EngineContext>) -> Result<usize, WireError> {
        let mut length = 1usize;
        response.put(&mut length);
        Ok(length)
    }
}
