//! The rules of the market, one file per transaction type, and the one table that lists them.
//!
//! A new transaction type is a file in a module, its line in the table below and its scenario.

pub mod accounts;
pub mod allowances;
pub mod common;
pub mod compliance;
pub mod enforcement;
pub mod governance;
pub mod reductions;
pub mod settlement;

mod authorize;
mod reject;
mod rule;
mod table;

pub use authorize::*;
pub use reject::*;
pub use rule::*;
pub use table::*;

table::rules! {
    0 advance_business_date => governance::advance_business_date::AdvanceBusinessDate,
    1 open_account => accounts::open_account::OpenAccount,
    2 issue => allowances::issue::Issue,
    3 transfer => allowances::transfer::Transfer,
    4 set_representatives => accounts::set_representatives::SetRepresentatives,
    5 set_parameter => governance::set_parameter::SetParameter,
    6 set_validators => governance::set_validators::SetValidators,
    7 freeze => enforcement::freeze::Freeze,
    8 unfreeze => enforcement::unfreeze::Unfreeze,
}
