//! Bytes with a name for every part, for the pages of `docs/formats`.

use std::fmt::Write as _;

/// Bytes on a line of an example.
const BYTES_PER_LINE: usize = 32;

/// Takes bytes apart; each part gets a line with its name.
#[derive(Debug)]
pub struct Layout<'a> {
    rest: &'a [u8],
    text: String,
}

impl<'a> Layout<'a> {
    /// Starts at the first byte.
    pub const fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, text: String::new() }
    }

    /// Names the next bytes.
    pub fn take(mut self, length: usize, name: &str) -> Self {
        let (part, rest) = self.rest.split_at(length);
        self.rest = rest;
        let mut lines = part.chunks(BYTES_PER_LINE);
        let first = lines.next().map(hex::encode).unwrap_or_default();
        writeln!(self.text, "{name:<24} {first}").unwrap();
        for line in lines {
            writeln!(self.text, "{:<24} {}", "", hex::encode(line)).unwrap();
        }
        self
    }

    /// Names the next bytes, which stop before so many last ones.
    pub fn take_all_but(self, last: usize, name: &str) -> Self {
        let length = self.rest.len() - last;
        self.take(length, name)
    }

    /// A line of prose between parts.
    pub fn note(mut self, text: &str) -> Self {
        writeln!(self.text, "-- {text}").unwrap();
        self
    }

    /// The lines; every byte must have been named.
    pub fn done(self) -> String {
        assert!(self.rest.is_empty(), "{} bytes have no name:\n{}", self.rest.len(), self.text);
        self.text
    }
}

/// A line of a name and a value.
pub fn line(name: &str, value: impl std::fmt::Display) -> String {
    format!("{name:<24} {value}\n")
}
