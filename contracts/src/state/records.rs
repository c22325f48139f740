//! Records of the state tables.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::genesis::ClockRule;
use crate::types::{
    AccountId, ArithmeticError, BlockTime, BusinessDate, Digest, Fen, Instrument, ProvinceCode,
    PublicKey, Representative, Right, Role, Thresholds, Tonnes, Vintage,
};

/// A value of a state table.
pub trait Record: Serialize + serde::de::DeserializeOwned {
    /// Table the record lives in.
    const TABLE: super::Table;

    /// The record as an account, which a block keeps decoded; none of any other.
    fn as_account(&self) -> Option<&Account> {
        None
    }

    /// The record that an account is; none of any other.
    fn of_account(_account: &Account) -> Option<Self> {
        None
    }
}

macro_rules! record {
    ($name:ident in $table:ident) => {
        impl Record for $name {
            const TABLE: super::Table = super::Table::$table;
        }
    };
}

/// The ledger's own variables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Civil day in UTC+8 that deadlines and trading days are judged by.
    pub business_date: BusinessDate,
    /// Whether the business date must be the civil date of block time; fixed by genesis.
    pub clock: ClockRule,
    /// Last account number given out, per role.
    pub account_numbers: BTreeMap<Role, u64>,
}
record!(Ledger in Ledger);

/// Whether an account may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountStatus {
    /// Everything its role allows.
    Open,
    /// Nothing leaves it until the freeze ends; see [`Freeze`].
    Frozen {
        /// Digest of the order.
        order: Digest,
    },
    /// Nothing any more.
    Closed,
}

/// Money of an account at the settlement institution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funds {
    /// Free to pay with or to withdraw.
    pub free: Fen,
    /// Locked for bids.
    pub locked: Fen,
}

/// An account of the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Name of the institution or entity (public).
    pub name: String,
    /// Unified social credit code (GB 32100), 18 characters; institutions of genesis may lack it.
    pub credit_code: Option<CreditCode>,
    /// Province that supervises the holder, or that an authority governs.
    pub province: Option<ProvinceCode>,
    /// Whether it may act.
    pub status: AccountStatus,
    /// Who acts for it, each key once.
    pub representatives: Vec<Representative>,
    /// People needed per class of operation.
    pub thresholds: Thresholds,
    /// Money.
    pub funds: Funds,
    /// Tonnes per instrument and status; only what is not zero.
    pub totals: BTreeMap<(Instrument, StatusKind), Tonnes>,
}

impl Record for Account {
    const TABLE: super::Table = super::Table::Accounts;

    fn as_account(&self) -> Option<&Account> {
        Some(self)
    }

    fn of_account(account: &Account) -> Option<Self> {
        Some(account.clone())
    }
}

impl Account {
    /// The right of a key, if it represents the account.
    pub fn right_of(&self, key: &PublicKey) -> Option<Right> {
        self.representatives.iter().find(|person| person.key == *key).map(|person| person.right)
    }

    /// Tonnes of an instrument in a status.
    pub fn total(&self, instrument: Instrument, status: StatusKind) -> Tonnes {
        self.totals.get(&(instrument, status)).copied().unwrap_or(Tonnes::ZERO)
    }
}

/// Unified social credit code of GB 32100-2015: 18 characters, the last a check character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CreditCode([u8; 18]);

/// A text that is no unified social credit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreditCodeError {
    /// Wrong length or a character outside the alphabet (I, O, Z, S, V are not used).
    #[error("a unified social credit code has 18 digits and capitals without I, O, S, V and Z")]
    Shape,
    /// The last character does not fit the rest.
    #[error("the check character of the unified social credit code should be {expected}")]
    CheckCharacter {
        /// The character that would fit.
        expected: char,
    },
}

impl CreditCode {
    /// Alphabet of GB 32100, by value.
    pub const ALPHABET: &'static [u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    const WEIGHTS: [u32; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];

    /// Checks shape and check character.
    pub fn new(bytes: [u8; 18]) -> Result<Self, CreditCodeError> {
        let expected = Self::check_character(&bytes[..17])?;
        if bytes[17] == expected {
            Ok(Self(bytes))
        } else if Self::ALPHABET.contains(&bytes[17]) {
            Err(CreditCodeError::CheckCharacter { expected: char::from(expected) })
        } else {
            Err(CreditCodeError::Shape)
        }
    }

    /// Check character of the first 17 characters.
    pub fn check_character(body: &[u8]) -> Result<u8, CreditCodeError> {
        if body.len() != 17 {
            return Err(CreditCodeError::Shape);
        }
        let mut sum = 0u32;
        for (byte, weight) in body.iter().zip(Self::WEIGHTS) {
            let value = Self::ALPHABET
                .iter()
                .position(|known| known == byte)
                .and_then(|value| u32::try_from(value).ok())
                .ok_or(CreditCodeError::Shape)?;
            sum = sum.saturating_add(value.saturating_mul(weight));
        }
        let value = 31u32.saturating_sub(sum % 31) % 31;
        usize::try_from(value)
            .ok()
            .and_then(|value| Self::ALPHABET.get(value).copied())
            .ok_or(CreditCodeError::Shape)
    }

    /// The 18 ASCII bytes.
    pub const fn as_bytes(&self) -> &[u8; 18] {
        &self.0
    }
}

impl TryFrom<String> for CreditCode {
    type Error = CreditCodeError;

    fn try_from(text: String) -> Result<Self, CreditCodeError> {
        Self::new(text.as_bytes().try_into().map_err(|_| CreditCodeError::Shape)?)
    }
}

impl From<CreditCode> for String {
    fn from(code: CreditCode) -> Self {
        code.0.iter().map(|byte| char::from(*byte)).collect()
    }
}

/// What a unit is: exactly one of these at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnitStatus {
    /// Held and free to move.
    Free,
    /// Held, locked for an order at the exchange.
    LockedForTrade,
    /// Held, pledged.
    Pledged,
    /// Held, frozen by an order.
    Frozen {
        /// Digest of the order.
        order: Digest,
    },
    /// Held, waiting for a task or a delay.
    Pending,
    /// Surrendered for a compliance year; ended.
    Surrendered {
        /// Compliance year.
        year: Vintage,
    },
    /// Cancelled to offset emissions of a compliance year; ended.
    Offset {
        /// Compliance year.
        year: Vintage,
    },
    /// Cancelled voluntarily; ended.
    Cancelled,
    /// Replaced by a later vintage; ended.
    CarriedOver,
    /// Deducted by an authority; ended.
    Deducted,
}

/// The kind of a status, without its facts; numbers are part of keys and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum StatusKind {
    /// See [`UnitStatus::Free`].
    Free,
    /// See [`UnitStatus::LockedForTrade`].
    LockedForTrade,
    /// See [`UnitStatus::Pledged`].
    Pledged,
    /// See [`UnitStatus::Frozen`].
    Frozen,
    /// See [`UnitStatus::Pending`].
    Pending,
    /// See [`UnitStatus::Surrendered`].
    Surrendered,
    /// See [`UnitStatus::Offset`].
    Offset,
    /// See [`UnitStatus::Cancelled`].
    Cancelled,
    /// See [`UnitStatus::CarriedOver`].
    CarriedOver,
    /// See [`UnitStatus::Deducted`].
    Deducted,
}

impl StatusKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Free,
        Self::LockedForTrade,
        Self::Pledged,
        Self::Frozen,
        Self::Pending,
        Self::Surrendered,
        Self::Offset,
        Self::Cancelled,
        Self::CarriedOver,
        Self::Deducted,
    ];

    /// Number in keys.
    pub const fn tag(self) -> u8 {
        match self {
            Self::Free => 0,
            Self::LockedForTrade => 1,
            Self::Pledged => 2,
            Self::Frozen => 3,
            Self::Pending => 4,
            Self::Surrendered => 5,
            Self::Offset => 6,
            Self::Cancelled => 7,
            Self::CarriedOver => 8,
            Self::Deducted => 9,
        }
    }

    /// Whether units of this kind are still held.
    pub const fn is_held(self) -> bool {
        self.tag() <= 4
    }
}

impl UnitStatus {
    /// The kind.
    pub const fn kind(&self) -> StatusKind {
        match self {
            Self::Free => StatusKind::Free,
            Self::LockedForTrade => StatusKind::LockedForTrade,
            Self::Pledged => StatusKind::Pledged,
            Self::Frozen { .. } => StatusKind::Frozen,
            Self::Pending => StatusKind::Pending,
            Self::Surrendered { .. } => StatusKind::Surrendered,
            Self::Offset { .. } => StatusKind::Offset,
            Self::Cancelled => StatusKind::Cancelled,
            Self::CarriedOver => StatusKind::CarriedOver,
            Self::Deducted => StatusKind::Deducted,
        }
    }
}

/// Where a unit is: with whom and in which status. Ended units stay with their last holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitPlace {
    /// Holder, or last holder.
    pub holder: AccountId,
    /// Status.
    pub status: UnitStatus,
}

/// A maximal run of consecutive units in one place; its first serial is in the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitRange {
    /// Serial number after the last.
    pub end: u64,
    /// Where the units are.
    pub place: UnitPlace,
}
record!(UnitRange in Units);

/// Supply of an instrument.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supply {
    /// Units ever issued; the next serial is one more.
    pub issued: Tonnes,
    /// Units per status; only what is not zero.
    pub totals: BTreeMap<StatusKind, Tonnes>,
}
record!(Supply in Supplies);

/// A voluntary reduction project, as far as units need it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Account of the project owner.
    pub owner: AccountId,
    /// Day of registration; decides in which years its units may offset.
    pub registered_on: BusinessDate,
    /// Digest of the registration document.
    pub document: Digest,
}
record!(Project in Projects);

/// A version of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterVersion {
    /// The value, in the unit that the parameter's definition states.
    pub value: i64,
    /// Article or notice it comes from.
    pub article: String,
    /// Authority that set it; none for genesis.
    pub set_by: Option<AccountId>,
}
record!(ParameterVersion in Parameters);

impl Record for crate::block::ValidatorSet {
    const TABLE: super::Table = super::Table::Validators;
}

/// An order that waits for other people's approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Account that acts.
    pub account: AccountId,
    /// The order.
    pub payload: crate::rules::Payload,
    /// Representatives who proposed it.
    pub initiators: Vec<PublicKey>,
    /// Representatives who approved it.
    pub approvers: Vec<PublicKey>,
    /// Last block time at which it can be completed.
    pub valid_until: BlockTime,
}
record!(Task in Tasks);

/// Verified emissions of a compliance year and what was done about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obligation {
    /// Emissions verified by the province.
    pub verified: Tonnes,
    /// What must be surrendered (verified emissions after the cap rules of the year).
    pub due: Tonnes,
    /// Allowances surrendered.
    pub surrendered: Tonnes,
    /// Reductions cancelled to offset.
    pub offset: Tonnes,
    /// Province that recorded it.
    pub recorded_by: AccountId,
    /// Digest of the verification report.
    pub report: Digest,
    /// Business date on which it was met in full.
    pub completed_on: Option<BusinessDate>,
}
record!(Obligation in Obligations);

impl Obligation {
    /// What was surrendered and offset together.
    pub const fn met(&self) -> Result<Tonnes, ArithmeticError> {
        self.surrendered.try_add(self.offset)
    }

    /// What is still owed.
    pub fn outstanding(&self) -> Result<Tonnes, ArithmeticError> {
        Ok(self.due.saturating_sub(self.met()?))
    }

    /// Sets or clears the day of completion after a change of the amounts.
    pub fn complete(&mut self, today: BusinessDate) -> Result<(), ArithmeticError> {
        self.completed_on = match (self.outstanding()?.is_zero(), self.completed_on) {
            (true, None) => Some(today),
            (true, before) => before,
            (false, _) => None,
        };
        Ok(())
    }
}

/// A settled batch of trades.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// First trade number of the batch.
    pub trade_first: u64,
    /// Last trade number of the batch.
    pub trade_last: u64,
    /// Trades that failed and may be settled by a later batch of the same day.
    #[serde(deserialize_with = "crate::codec::ascending")]
    pub trades_open: std::collections::BTreeSet<u64>,
    /// Lines that settled.
    pub lines_settled: u32,
    /// Lines that failed.
    pub lines_failed: u32,
    /// Units delivered.
    pub tonnes: Tonnes,
    /// Money paid.
    pub amount: Fen,
}
record!(Settlement in Settlements);

/// A freeze by order of an authority or a court.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// Account that is frozen, or whose units are.
    pub account: AccountId,
    /// Frozen units; empty when the whole account is frozen.
    pub ranges: Vec<crate::types::SerialRange>,
    /// Institution that executed it, and that alone may lift it.
    pub executed_by: AccountId,
    /// Business date of the freeze.
    pub since: BusinessDate,
    /// Business date on which it was lifted.
    pub lifted_on: Option<BusinessDate>,
}
record!(Freeze in Freezes);

/// The account of a unified social credit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderEntry {
    /// The account.
    pub account: AccountId,
}
record!(HolderEntry in Holders);

/// A confirmed movement of money between bank and ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FundOrder {
    /// Account whose money moved.
    pub account: AccountId,
    /// Amount.
    pub amount: Fen,
    /// Whether money came in.
    pub deposit: bool,
}
record!(FundOrder in FundOrders);

/// End of a range in the index by holder; its first serial is in the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeEnd {
    /// Serial number after the last.
    pub end: u64,
}
record!(RangeEnd in UnitsByHolder);

/// A remembered transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered;
record!(Remembered in Replays);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_codes_are_checked_by_gb_32100() {
        // A code that is published as an example.
        let code = |text: &str| CreditCode::try_from(text.to_owned());
        let good = "91350100M000100Y43";
        assert!(code(good).is_ok());
        assert_eq!(
            code("91350100M000100Y44"),
            Err(CreditCodeError::CheckCharacter { expected: '3' })
        );
        assert_eq!(code("91350100M000100I43"), Err(CreditCodeError::Shape));
        assert_eq!(code("9135"), Err(CreditCodeError::Shape));
    }
}
