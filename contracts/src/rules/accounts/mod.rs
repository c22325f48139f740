//! Accounts: opening, representatives.

pub mod open_account;
pub mod set_representatives;
