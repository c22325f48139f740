//! All lines of the comparison.

use super::{Line, Outcome, compliance, trading};
use crate::demo::quotes::Market;
use crate::demo::totals::Totals;

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
