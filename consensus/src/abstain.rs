//! Decides whether this node may vote after a start.

use cets_contracts::types::Height;

/// Last height at which this node may have signed something that its log no longer knows.
///
/// `guard` is the height of the newest mark, `logged` the height of the log.
pub fn must_abstain_until(
    guard: Option<Height>,
    logged: Option<Height>,
    tip: Height,
) -> Option<Height> {
    let next = tip.next();
    // A log ahead of the ledger: the ledger is an older copy.
    let ahead = logged.filter(|logged| *logged > next);
    let lost = guard.filter(|guard| *guard > tip && !(*guard == next && logged == Some(next)));
    ahead.max(lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn height(height: u64) -> Height {
        Height::new(height)
    }

    #[test]
    fn a_node_votes_when_its_log_holds_what_it_signed() {
        assert_eq!(must_abstain_until(None, None, height(0)), None);
        assert_eq!(must_abstain_until(Some(height(5)), Some(height(5)), height(4)), None);
        assert_eq!(must_abstain_until(Some(height(5)), Some(height(5)), height(5)), None);
        assert_eq!(must_abstain_until(Some(height(5)), Some(height(6)), height(5)), None);
        assert_eq!(must_abstain_until(Some(height(5)), None, height(5)), None);
    }

    #[test]
    fn a_node_abstains_while_its_log_may_have_lost_what_it_signed() {
        let five = Some(height(5));
        assert_eq!(must_abstain_until(five, None, height(4)), five);
        assert_eq!(must_abstain_until(five, Some(height(4)), height(4)), five);
        assert_eq!(must_abstain_until(five, five, height(2)), five);
        assert_eq!(must_abstain_until(None, five, height(2)), five);
        assert_eq!(must_abstain_until(Some(height(3)), five, height(2)), five);
    }
}
