//! Sets the totals of a ledger beside the published figures, line by line.
//!
//! Every figure of rule book 8.2 to 8.5 that concerns 2021 to 2023 has a line: it holds, differs,
//! or is not applicable with the reason. Rounded figures are compared at their printed precision.

mod compare;
mod compliance;
mod line;
mod trading;

pub use compare::{all_hold, compare};
pub use line::{Line, Outcome};
