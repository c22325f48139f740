//! Domain types: each quantity and identifier is its own type and cannot be mixed up.

mod account;
mod hash;
mod height;
mod market;
mod quantity;
mod selection;
mod serial;
mod time;

pub use account::*;
pub use hash::*;
pub use height::*;
pub use market::*;
pub use quantity::*;
pub use selection::*;
pub use serial::*;
pub use time::*;
