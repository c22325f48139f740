//! A naive ledger, written from the rule book and the rules' specifications only.
//!
//! It keeps one entry per unit in plain vectors and scans them; it knows no ranges, no keys, no
//! overlays and no trees. It says for every transaction whether it is accepted, and with which
//! number it is refused, and it is compared with the real ledger after every block.

mod compare;
mod ledger;
mod orders;
mod people;
mod settlement;
mod units;

pub use ledger::*;
pub use people::*;
pub use units::*;
