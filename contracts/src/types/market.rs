//! The two markets, each with a registration and a trading institution of its own.

use super::{Instrument, Role};

/// A market and its registry. The numbers are part of state keys and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Market {
    /// Allowances (CEA).
    Allowances,
    /// Certified voluntary reductions (CCER).
    Reductions,
}

impl Market {
    /// The market whose registry keeps accounts of a role.
    pub const fn of_role(role: Role) -> Self {
        match role {
            Role::ProjectOwner | Role::CcerRegistry | Role::CcerExchange => Self::Reductions,
            _ => Self::Allowances,
        }
    }

    /// The market of an instrument.
    pub const fn of_instrument(instrument: &Instrument) -> Self {
        match instrument {
            Instrument::Cea(_) => Self::Allowances,
            Instrument::Ccer(..) => Self::Reductions,
        }
    }

    /// Number in state keys.
    pub const fn tag(self) -> u8 {
        match self {
            Self::Allowances => 0,
            Self::Reductions => 1,
        }
    }

    /// The market of a number.
    pub const fn from_tag(tag: u8) -> Option<Self> {
        match tag {
            0 => Some(Self::Allowances),
            1 => Some(Self::Reductions),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markets_are_found_again_by_their_numbers() {
        for market in [Market::Allowances, Market::Reductions] {
            assert_eq!(Market::from_tag(market.tag()), Some(market));
        }
        assert_eq!(Market::from_tag(2), None);
    }
}
