//! Decides whether this node may vote after a start.

use cets_contracts::types::Height;

/// Last height at which this node may have signed something that its log no longer knows.
///
/// `guard` is the height of the newest mark, `logged` the height of the log, and `is_withheld` says
/// that the ledger knows of neither.
pub fn must_abstain_until(
    guard: Option<Height>,
    logged: Option<Height>,
    is_withheld: bool,
    tip: Height,
) -> Option<Height> {
    let next = tip.next();
    // A log ahead of the ledger: the ledger is an older copy.
    let ahead = logged.filter(|logged| *logged > next);
    let lost = guard.filter(|guard| *guard > tip && !(*guard == next && logged == Some(next)));
    // A block must come that says for certain what this node may have signed before.
    ahead.max(lost).max(is_withheld.then_some(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn height(height: u64) -> Height {
        Height::new(height)
    }

    #[test]
    fn a_node_votes_when_its_log_holds_what_it_signed() {
        assert_eq!(must_abstain_until(None, None, false, height(0)), None);
        assert_eq!(must_abstain_until(Some(height(5)), Some(height(5)), false, height(4)), None);
        assert_eq!(must_abstain_until(Some(height(5)), Some(height(5)), false, height(5)), None);
        assert_eq!(must_abstain_until(Some(height(5)), Some(height(6)), false, height(5)), None);
        assert_eq!(must_abstain_until(Some(height(5)), None, false, height(5)), None);
    }

    #[test]
    fn a_node_abstains_while_its_log_may_have_lost_what_it_signed() {
        let five = Some(height(5));
        assert_eq!(must_abstain_until(five, None, false, height(4)), five);
        assert_eq!(must_abstain_until(five, Some(height(4)), false, height(4)), five);
        assert_eq!(must_abstain_until(five, five, false, height(2)), five);
        assert_eq!(must_abstain_until(None, five, false, height(2)), five);
        assert_eq!(must_abstain_until(Some(height(3)), five, false, height(2)), five);
        assert_eq!(must_abstain_until(None, None, true, height(4)), five);
        assert_eq!(must_abstain_until(five, five, true, height(4)), five);
    }
}
