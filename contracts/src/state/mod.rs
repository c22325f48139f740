//! State: tables of records, the overlay that rules write to, and the committed whole.

mod by_table;
mod commit;
mod funds;
mod key_parts;
pub mod keys;
mod known_accounts;
mod numbered;
mod overlay;
mod parameters;
mod records;
mod remembered_ids;
mod units;
mod write;

pub use commit::*;
pub use key_parts::*;
pub use keys::{Key, Table};
pub use overlay::*;
pub use parameters::*;
pub use records::*;
pub use units::*;
