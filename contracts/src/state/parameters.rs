//! Parameters: what the law leaves to an authority, versioned by first day and compliance year.

use serde::{Deserialize, Serialize};

use super::{Key, Overlay, ParameterVersion, Table, keys};
use crate::fault::Fault;
use crate::rules::{Abort, common};
use crate::types::{BusinessDate, Role, Vintage};

macro_rules! parameter_names {
    ($($(#[$doc:meta])* $tag:literal $name:ident $text:literal $unit:literal
        [$min:literal, $max:literal] by $role:ident, $article:literal),+ $(,)?) => {
        /// Parameters of the rules. Numbers are append-only.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum ParameterName { $($(#[$doc])* $name),+ }

        impl ParameterName {
            /// All parameters.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Number in state keys.
            pub const fn tag(self) -> u16 {
                match self { $(Self::$name => $tag),+ }
            }

            /// Name in snake case.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// Unit of the value.
            pub const fn unit(self) -> &'static str {
                match self { $(Self::$name => $unit),+ }
            }

            /// Smallest and largest value.
            pub const fn limits(self) -> (i64, i64) {
                match self { $(Self::$name => ($min, $max)),+ }
            }

            /// Role that the law lets set it.
            pub const fn authority(self) -> Role {
                match self { $(Self::$name => Role::$role),+ }
            }

            /// Article that names it.
            pub const fn article(self) -> &'static str {
                match self { $(Self::$name => $article),+ }
            }
        }
    };
}

parameter_names! {
    /// Largest part of an obligation that reductions may offset.
    1 OffsetCap "offset_cap" "basis points of the obligation" [0, 10_000]
        by Ministry, "Measures (Trial) art. 29",
    /// Largest number of tonnes that may be issued of an allowance vintage.
    2 IssueCap "issue_cap" "tonnes of the vintage" [0, 999_999_999_999]
        by Ministry, "Interim Regulations art. 9",
    /// Smallest quantity of a block trade; listing trades are smaller.
    3 BlockTradeMin "block_trade_min" "tonnes" [1, 999_999_999_999]
        by Ministry, "Exchange announcement of June 2021",
    /// First registration day of reductions that may offset a compliance year, as days since
    /// 1970-01-01.
    4 OffsetRegisteredFrom "offset_registered_from" "days since 1970-01-01" [0, 2_932_896]
        by Ministry, "Allocation plan 2025-2026, CCER clause",
    /// Last registration day of reductions that may offset a compliance year, as days since
    /// 1970-01-01.
    5 OffsetRegisteredUntil "offset_registered_until" "days since 1970-01-01" [0, 2_932_896]
        by Ministry, "Notice on old CCER, October 2023",
    /// Day of the surrender deadline of a compliance year, as days since 1970-01-01.
    6 SurrenderDeadline "surrender_deadline" "days since 1970-01-01" [0, 2_932_896]
        by Ministry, "Interim Regulations art. 14",
    /// Latest vintage whose allowances may be surrendered for a compliance year.
    7 SurrenderVintageMax "surrender_vintage_max" "vintage" [1_920, 2_999]
        by Ministry, "Allocation plan 2023-2024, surrender clause",
    /// Earliest vintage whose allowances may be surrendered for a compliance year.
    8 SurrenderVintageMin "surrender_vintage_min" "vintage" [1_920, 2_999]
        by Ministry, "Allocation plan 2025-2026, vintage clause",
    /// Smallest quantity of a block trade of reductions.
    9 CcerBlockTradeMin "ccer_block_trade_min" "tonnes" [1, 999_999_999_999]
        by Ministry, "CCER trading rules, notice on block trades",
}

impl Overlay<'_> {
    /// The version of a parameter in force on a business date: for the compliance year if there
    /// is one, else for all years.
    pub fn parameter(
        &self,
        name: ParameterName,
        year: Option<Vintage>,
        on: BusinessDate,
    ) -> Result<Option<ParameterVersion>, Fault> {
        if let Some(year) = year
            && let Some(version) = self.parameter_of_year(name, year.get(), on)?
        {
            return Ok(Some(version));
        }
        self.parameter_of_year(name, 0, on)
    }

    fn parameter_of_year(
        &self,
        name: ParameterName,
        year: u16,
        on: BusinessDate,
    ) -> Result<Option<ParameterVersion>, Fault> {
        let to = keys::parameter(name.tag(), year, on);
        let bytes = to.as_bytes();
        let length = bytes.len().saturating_sub(4);
        let found =
            self.last_to::<ParameterVersion>(&keys::table_prefix(Table::Parameters), &to)?;
        Ok(found.filter(|(key, _)| key.get(..length) == bytes.get(..length)).map(|(_, v)| v))
    }

    /// The value of a parameter that a rule cannot do without.
    pub fn required_parameter(
        &self,
        name: ParameterName,
        year: Option<Vintage>,
        on: BusinessDate,
    ) -> Result<i64, Abort> {
        match self.parameter(name, year, on)? {
            Some(version) => Ok(version.value),
            None => {
                let facts = vec![name.into(), on.into()];
                Err(common::PARAMETER_UNSET.reject(facts).into())
            }
        }
    }
}

/// Key of a parameter version: `year` 0 means every compliance year.
pub fn parameter_key(name: ParameterName, year: Option<Vintage>, from: BusinessDate) -> Key {
    keys::parameter(name.tag(), year.map_or(0, Vintage::get), from)
}
