//! Sets the totals of a ledger beside the published figures, line by line.
//!
//! Every figure of rule book 8.2 to 8.5 that concerns 2021 to 2023 has a line: it holds, differs,
//! or is not applicable with the reason. Rounded figures are compared at their printed precision.

mod compliance;
mod line;
mod trading;

pub use line::{Line, Outcome};

use super::quotes::Market;
use super::totals::Totals;

/// All lines, in the order of the rule book.
pub fn compare(totals: &Totals, market: &Market) -> Vec<Line> {
    let mut lines = trading::lines(totals, market);
    lines.extend(compliance::lines(totals));
    lines
}

/// Whether no line differs.
pub fn all_hold(lines: &[Line]) -> bool {
    !lines.iter().any(|line| matches!(line.outcome, Outcome::Differs(_)))
}
