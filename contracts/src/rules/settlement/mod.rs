//! Settlement: confirmed money, and delivery versus payment of a day's trades.

pub mod confirm_funds;
pub mod settle_trades;
