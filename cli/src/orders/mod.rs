//! Orders: from what somebody wants to a signed transaction and its receipt.

mod arguments;
mod carry_out;
mod digest;
mod document;
mod receipt;
mod sign;

pub use arguments::*;
pub use carry_out::*;
pub use digest::*;
pub use document::*;
pub use receipt::*;
pub use sign::*;
