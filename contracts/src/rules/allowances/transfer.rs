//! Moves units from the acting account to another.
//!
//! # Purpose
//! Transfer of title without trade: between accounts of one holder, succession, corrections by
//! agreement. The register's record is the title (Measures (Trial) art. 22).
//!
//! # Who signs
//! The holder.
//!
//! # Checks in order
//! 1. Shape: something, no overlap, not too many ranges; two different accounts.
//! 2. The receiver may hold units of their kind.
//! 3. The receiver exists and is open.
//! 4. The units are held free.
//!
//! # Writes
//! Accounts, units.
//!
//! # Event
//! Receiver, ranges and tonnes.

use serde::{Deserialize, Serialize};

use crate::rules::{Abort, Authority, Reject, RejectCode, Rule, TxContext, common};
use crate::state::{Overlay, Table, UnitPlace, UnitStatus};
use crate::types::{
    AccountId, Instrument, OperationClass, Role, Selection, SerialRange, Tonnes, Vintage,
};

/// Order: move units to `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Who receives.
    pub to: AccountId,
    /// Which units.
    pub units: Selection,
}

/// Units moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transferred {
    /// Who received.
    pub to: AccountId,
    /// Which units.
    pub ranges: Vec<SerialRange>,
}

impl Rule for Transfer {
    type Event = Transferred;
    const NAME: &'static str = "transfer";
    const AUTHORITY: Authority =
        Authority::quorum(common::HOLDER_ROLES, OperationClass::Transfer, 1);
    const WRITES: &'static [Table] = &[Table::Accounts, Table::Units];
    const REJECTS: &'static [&'static RejectCode] = &[];

    fn check(&self, tx: &TxContext) -> Result<(), Reject> {
        common::check_selection(&self.units)?;
        if self.to == tx.account {
            return Err(common::SAME_ACCOUNT.reject(vec![self.to.into()]));
        }
        let mut instruments = self.units.instruments().into_iter();
        instruments.try_for_each(|instrument| common::check_may_hold(self.to, instrument))
    }

    fn apply(&self, tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        common::open_account(state, self.to)?;
        let ranges = state.select_free_units(tx.account, &self.units)?;
        let from = UnitPlace { holder: tx.account, status: UnitStatus::Free };
        let to = UnitPlace { holder: self.to, status: UnitStatus::Free };
        for range in &ranges {
            state.move_units(*range, from, to)?;
        }

        Ok(Transferred { to: self.to, ranges })
    }

    fn example() -> Self {
        Self {
            to: crate::rules::example_account(Role::KeyEmittingEntity, 2),
            units: Selection::Quantity {
                instrument: Instrument::Cea(Vintage::CYCLE_2019_2020),
                tonnes: Tonnes::new(1_000),
            },
        }
    }
}
