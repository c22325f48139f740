//! Whole tonnes and whole fen; arithmetic that never wraps.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// A sum or difference left the range of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the result is outside the range of the type")]
pub struct ArithmeticError;

macro_rules! quantity_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize,
            Deserialize,
        )]
        pub struct $name(u64);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// So many whole units.
            pub const fn new(units: u64) -> Self {
                Self(units)
            }

            /// The number of whole units.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// Whether this is nothing.
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// Sum, refused when it does not fit.
            pub const fn try_add(self, other: Self) -> Result<Self, ArithmeticError> {
                match self.0.checked_add(other.0) {
                    Some(sum) => Ok(Self(sum)),
                    None => Err(ArithmeticError),
                }
            }

            /// Difference, refused when it would be negative.
            pub const fn try_sub(self, other: Self) -> Result<Self, ArithmeticError> {
                match self.0.checked_sub(other.0) {
                    Some(rest) => Ok(Self(rest)),
                    None => Err(ArithmeticError),
                }
            }

            /// Difference, nothing when it would be negative.
            pub const fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }

            /// Sum of many, refused when it does not fit.
            pub fn try_sum(all: impl IntoIterator<Item = Self>) -> Result<Self, ArithmeticError> {
                all.into_iter().try_fold(Self::ZERO, Self::try_add)
            }
        }
    };
}

quantity_type!(
    /// Whole tonnes of CO2 equivalent; one tonne is one unit.
    Tonnes
);
quantity_type!(
    /// Money in fen, a hundredth of a yuan (CNY).
    Fen
);

impl fmt::Display for Tonnes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Tonnes {
    type Err = QuantityError;

    /// Reads whole tonnes; `_` and `,` may group digits.
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        grouped_digits(text).map(Self)
    }
}

/// A text that is no whole number of tonnes, or no amount of yuan with at most two decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a whole number.
    #[error("expected a whole number, for example 10,000")]
    NotWhole,
    /// Not an amount of money.
    #[error("expected an amount in yuan with at most two decimals, for example 52.80")]
    NotMoney,
}

fn grouped_digits(text: &str) -> Result<u64, QuantityError> {
    let digits: String = text.chars().filter(|c| *c != '_' && *c != ',').collect();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(QuantityError::NotWhole);
    }
    digits.parse().map_err(|_| QuantityError::NotWhole)
}

impl Fen {
    /// Price per tonne times tonnes.
    pub const fn try_mul(self, tonnes: Tonnes) -> Result<Self, ArithmeticError> {
        match self.0.checked_mul(tonnes.0) {
            Some(product) => Ok(Self(product)),
            None => Err(ArithmeticError),
        }
    }
}

impl fmt::Display for Fen {
    /// Yuan with two decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl FromStr for Fen {
    type Err = QuantityError;

    /// Reads yuan with at most two decimals; `_` and `,` may group digits.
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let (yuan, decimals) = text.split_once('.').unwrap_or((text, ""));
        if decimals.len() > 2 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(QuantityError::NotMoney);
        }
        let yuan = grouped_digits(yuan).map_err(|_| QuantityError::NotMoney)?;
        let fen: u64 = format!("{decimals:0<2}").parse().map_err(|_| QuantityError::NotMoney)?;
        yuan.checked_mul(100)
            .and_then(|whole| whole.checked_add(fen))
            .map(Self)
            .ok_or(QuantityError::NotMoney)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_reads_and_writes_yuan_without_loss() {
        for (text, fen) in [("52.80", 5_280), ("0.01", 1), ("48", 4_800), ("1,000.5", 100_050)] {
            assert_eq!(text.parse(), Ok(Fen::new(fen)), "{text}");
        }
        assert_eq!(Fen::new(5_280).to_string(), "52.80");
        for text in ["", "1.234", "-1", "1.x", "x", "99999999999999999999"] {
            assert!(text.parse::<Fen>().is_err(), "{text}");
        }
    }

    #[test]
    fn sums_and_differences_never_wrap() {
        assert_eq!(Tonnes::new(1).try_sub(Tonnes::new(2)), Err(ArithmeticError));
        assert_eq!(Tonnes::new(u64::MAX).try_add(Tonnes::new(1)), Err(ArithmeticError));
        assert_eq!(Fen::new(u64::MAX).try_mul(Tonnes::new(2)), Err(ArithmeticError));
    }
}
