//! Cancels units for good, of the holder's own will.
//!
//! # Purpose
//! A holder may give units up (Measures (Trial) art. 19): the cancelled amount leaves the total
//! and is never issued again. Reductions are cancelled the same way for public welfare or to
//! declare an event or a product neutral. The units stay on record with their last holder.
//!
//! # Who signs
//! The holder, under its threshold for compliance.
//!
//! # Checks in order
//! 1. Shape: something, no overlap, not too many ranges.
//! 2. The units are held free.
//!
//! # Writes
//! Accounts, units, supplies.
//!
//! # Event
//! The ranges, the reason and the statement.

use serde::{Deserialize, Serialize};

use crate::rules::{Abort, Authority, Reject, RejectCode, Rule, TxContext, common};
use crate::state::{Overlay, Table, UnitPlace, UnitStatus};
use crate::types::{Digest, Instrument, OperationClass, Selection, SerialRange, Tonnes, Vintage};

/// Why units are cancelled; printed on the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// For the climate, without another purpose.
    PublicWelfare,
    /// To compensate the emissions of an event.
    Event,
    /// To compensate the emissions of an organisation.
    Organisation,
    /// To compensate the emissions of a product or a service.
    Product,
    /// Another purpose, named in the statement.
    Other,
}

/// Order: cancel units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// Which units.
    pub units: Selection,
    /// Why.
    pub reason: CancelReason,
    /// Digest of the holder's statement that the certificate refers to.
    pub statement: Option<Digest>,
}

/// Units were cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    /// Which units.
    pub ranges: Vec<SerialRange>,
    /// Why.
    pub reason: CancelReason,
    /// Digest of the holder's statement.
    pub statement: Option<Digest>,
}

impl Rule for Cancel {
    type Event = Cancelled;
    const NAME: &'static str = "cancel";
    const AUTHORITY: Authority =
        Authority::quorum(common::HOLDER_ROLES, OperationClass::Compliance, 1);
    const WRITES: &'static [Table] = &[Table::Accounts, Table::Units, Table::Supplies];
    const REJECTS: &'static [&'static RejectCode] = &[];

    fn check(&self, _tx: &TxContext) -> Result<(), Reject> {
        common::check_selection(&self.units)
    }

    fn apply(&self, tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        let ranges = state.select_free_units(tx.account, &self.units)?;

        let from = UnitPlace { holder: tx.account, status: UnitStatus::Free };
        let to = UnitPlace { holder: tx.account, status: UnitStatus::Cancelled };
        for range in &ranges {
            state.move_units(*range, from, to)?;
        }

        Ok(Cancelled { ranges, reason: self.reason, statement: self.statement })
    }

    fn example() -> Self {
        Self {
            units: Selection::Quantity {
                instrument: Instrument::Cea(Vintage::CYCLE_2019_2020),
                tonnes: Tonnes::new(10),
            },
            reason: CancelReason::PublicWelfare,
            statement: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{Market, ccer, cea, digest, entity, first, quantity, range};
    use crate::state::StatusKind;
    use crate::types::Role;

    fn cancel(units: Selection) -> Cancel {
        Cancel { units, reason: CancelReason::Event, statement: Some(digest(1)) }
    }

    #[test]
    fn cancelled_units_stay_on_record_and_never_move_again() {
        let mut market = Market::new();
        market.issue(entity(1), 1920, 100);
        let event = market.accept(entity(1), cancel(quantity(cea(1920), 40)));
        let ranges = vec![range(cea(1920), 1, 40)];
        let (reason, statement) = (CancelReason::Event, Some(digest(1)));
        assert_eq!(event, Cancelled { ranges: ranges.clone(), reason, statement }.into());
        assert_eq!(market.total(entity(1), cea(1920), StatusKind::Cancelled), 40);
        assert_eq!(market.free(entity(1), cea(1920)), 60);
        let again = cancel(Selection::Ranges(ranges));
        assert_eq!(market.refusal(entity(1), again), "RANGE_NOT_HELD");
    }

    #[test]
    fn reductions_are_cancelled_too_and_frozen_units_are_not() {
        use crate::rules::enforcement::freeze::Freeze;
        let mut market = Market::new();
        market.reduce("2017-03-01", 2016, 10);
        let owner = first(Role::ProjectOwner);
        market.accept(owner, cancel(quantity(ccer(2016), 4)));
        let units = Some(quantity(ccer(2016), 6));
        let freeze = Freeze { account: owner, units, order: digest(2) };
        market.accept(first(Role::CcerRegistry), freeze);
        let code = market.refusal(owner, cancel(quantity(ccer(2016), 1)));
        assert_eq!(code, "HOLDING_INSUFFICIENT");
    }

    #[test]
    fn what_is_not_held_is_not_cancelled() {
        let mut market = Market::new();
        let code = market.refusal(entity(1), cancel(quantity(cea(1920), 0)));
        assert_eq!(code, "QUANTITY_ZERO");
        let code = market.refusal(entity(1), cancel(quantity(cea(1920), 1)));
        assert_eq!(code, "HOLDING_INSUFFICIENT");
        let code = market.refusal(first(Role::Registry), cancel(quantity(cea(1920), 1)));
        assert_eq!(code, "ROLE_NOT_ALLOWED");
    }
}
