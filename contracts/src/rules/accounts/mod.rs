//! Accounts: opening, representatives.

pub mod open_account;
