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
    9 confirm_funds => settlement::confirm_funds::ConfirmFunds,
    10 settle_trades => settlement::settle_trades::SettleTrades,
    11 record_verified_emissions =>
        compliance::record_verified_emissions::RecordVerifiedEmissions,
    12 surrender => compliance::surrender::Surrender,
    13 offset => compliance::offset::Offset,
    14 register_project => reductions::register_project::RegisterProject,
    15 issue_ccer => reductions::issue_ccer::IssueCcer,
    16 cancel => allowances::cancel::Cancel,
    17 propose => governance::propose::Propose,
    18 approve => governance::approve::Approve,
    19 reject => governance::reject::Reject,
    20 close_account => accounts::close_account::CloseAccount,
}

#[cfg(test)]
pub(crate) mod testing;
