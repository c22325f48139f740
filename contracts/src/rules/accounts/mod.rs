//! Accounts: opening, representatives, closing.

pub mod close_account;
pub mod open_account;
pub mod set_representatives;
