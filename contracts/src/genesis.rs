//! The genesis document: what every node starts from, and what names the ledger.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::block::{Validator, ValidatorSet, ValidatorSetError};
use crate::codec;
use crate::domains;
use crate::fault::Fault;
use crate::rules::common::{self, ACCOUNT_NAME_BYTES_MAX, ARTICLE_BYTES_MAX};
use crate::rules::representatives_suffice;
use crate::state::{
    Account, AccountStatus, CreditCode, Funds, HolderEntry, Ledger, Overlay, ParameterName,
    ParameterVersion, State, Table, Tip, keys, parameter_key,
};
use crate::types::{
    AccountId, BlockId, BlockTime, BusinessDate, ChainId, Height, Market, ProvinceCode,
    Representative, Role, Thresholds, Vintage, domain_hash,
};

/// Most accounts in a genesis document.
pub const GENESIS_ACCOUNTS_MAX: usize = 1_000;

/// Whether the business date follows the clock; chosen once and for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockRule {
    /// It must be the civil date (UTC+8) of block time: a production network.
    CivilDate,
    /// It is set by order: a replay of past years, training, tests.
    ByOrder,
}

/// An account that exists from the start: an institution's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisAccount {
    /// What it is; numbers are given per role in the order of the list.
    pub role: Role,
    /// Public name.
    pub name: String,
    /// Unified social credit code, if it has one.
    pub credit_code: Option<CreditCode>,
    /// Province that an authority governs.
    pub province: Option<ProvinceCode>,
    /// Who acts for it.
    pub representatives: Vec<Representative>,
    /// People needed per class of operation.
    pub thresholds: Thresholds,
}

/// A parameter that is set from the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisParameter {
    /// Which.
    pub name: ParameterName,
    /// Compliance year; none for all.
    pub year: Option<Vintage>,
    /// First day of validity.
    pub valid_from: BusinessDate,
    /// Value in the parameter's unit.
    pub value: i64,
    /// Article or notice it comes from.
    pub article: String,
}

/// The genesis document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// Name of the network.
    pub network: String,
    /// Genesis time; the first block is later.
    pub time: BlockTime,
    /// First business date.
    pub business_date: BusinessDate,
    /// Whether the business date follows the clock.
    pub clock: ClockRule,
    /// Least time between blocks in milliseconds; 0 for as fast as possible.
    pub block_interval_millis: u32,
    /// First validators.
    pub validators: Vec<Validator>,
    /// First accounts.
    pub accounts: Vec<GenesisAccount>,
    /// First parameters.
    pub parameters: Vec<GenesisParameter>,
}

/// Why a genesis document starts no ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// The validators are no set.
    #[error("validators: {0}")]
    Validators(#[from] ValidatorSetError),
    /// An account cannot act or has no name.
    #[error(
        "account {index} ({name}): it needs a name of 1 to {ACCOUNT_NAME_BYTES_MAX} bytes, \
         representatives with different keys, one who may initiate, and as many people as its \
         thresholds and the rules of its role ask for"
    )]
    Account {
        /// Position in the list, from 0.
        index: usize,
        /// Its name.
        name: String,
    },
    /// Two accounts have one unified social credit code.
    #[error("account {index}: its unified social credit code stands twice")]
    CreditCodeTwice {
        /// Position in the list, from 0.
        index: usize,
    },
    /// A province has two authorities.
    #[error("account {index}: the province already has its authority, account {other}")]
    AuthorityTwice {
        /// Position in the list, from 0.
        index: usize,
        /// Position of the other authority.
        other: usize,
    },
    /// The business date is still to come on a ledger that follows the clock.
    #[error(
        "the business date {business_date} is after {civil}, the civil date (UTC+8) of genesis \
         time, which this ledger follows"
    )]
    DateNotCivil {
        /// The business date.
        business_date: BusinessDate,
        /// Civil date of genesis time.
        civil: BusinessDate,
    },
    /// More than [`GENESIS_ACCOUNTS_MAX`] accounts.
    #[error("at most {GENESIS_ACCOUNTS_MAX} accounts can stand in a genesis document")]
    AccountCount,
    /// A parameter is outside its limits or stands twice.
    #[error("parameter {name}: the value must be from {min} to {max}, and no version stands twice")]
    Parameter {
        /// Its name.
        name: &'static str,
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// The article of a parameter is no short printable text.
    #[error("parameter {name}: its article needs 1 to {ARTICLE_BYTES_MAX} printable bytes")]
    Article {
        /// Name of the parameter.
        name: &'static str,
    },
    /// The state could not be built.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Genesis {
    /// Identifier of the ledger: first 16 bytes of the digest of the document.
    pub fn chain_id(&self) -> ChainId {
        let digest = domain_hash(domains::GENESIS, &[&codec::encode(self)]);
        let mut id = [0u8; ChainId::LEN];
        id.copy_from_slice(&digest[..ChainId::LEN]);
        ChainId::new(id)
    }

    /// Numbers of the accounts, in the order of the list.
    pub fn account_ids(&self) -> Vec<AccountId> {
        let mut numbers: BTreeMap<Role, u64> = BTreeMap::new();
        self.accounts
            .iter()
            .filter_map(|account| {
                let number = numbers.entry(account.role).or_insert(0);
                *number = number.saturating_add(1);
                AccountId::new(account.role, *number).ok()
            })
            .collect()
    }

    /// The state before the first block.
    pub fn state(&self) -> Result<State, GenesisError> {
        let tip = Tip {
            chain_id: self.chain_id(),
            height: Height::GENESIS,
            time: self.time,
            block_id: BlockId::new([0; 32]),
        };
        let mut state = State::empty(tip);
        let update = {
            let mut overlay = Overlay::new(&state);
            overlay.with_tables(
                &[
                    Table::Ledger,
                    Table::Accounts,
                    Table::Holders,
                    Table::Parameters,
                    Table::Validators,
                ],
                |overlay| self.write(overlay),
            )?;
            state.prepare(overlay.into_writes())?
        };
        state.apply(update)?;
        Ok(state)
    }

    fn write(&self, overlay: &mut Overlay<'_>) -> Result<(), GenesisError> {
        if self.accounts.len() > GENESIS_ACCOUNTS_MAX {
            return Err(GenesisError::AccountCount);
        }
        self.check_date()?;
        self.check_authorities()?;
        let validators = ValidatorSet::new(self.validators.clone())?;
        overlay.put(keys::single(Table::Validators), &validators)?;
        let mut account_numbers: BTreeMap<Role, u64> = BTreeMap::new();
        for (index, (account, id)) in self.accounts.iter().zip(self.account_ids()).enumerate() {
            write_account(overlay, index, account, id)?;
            account_numbers.insert(id.role(), id.number());
        }
        let ledger =
            Ledger { business_date: self.business_date, clock: self.clock, account_numbers };
        overlay.put_ledger(&ledger)?;
        self.parameters.iter().try_for_each(|parameter| write_parameter(overlay, parameter))
    }

    /// Refuses a date that the ledger could not have been advanced to.
    fn check_date(&self) -> Result<(), GenesisError> {
        let (business_date, civil) = (self.business_date, self.time.civil_date());
        if self.clock == ClockRule::CivilDate && business_date > civil {
            return Err(GenesisError::DateNotCivil { business_date, civil });
        }
        Ok(())
    }

    /// Refuses a second authority of a province.
    fn check_authorities(&self) -> Result<(), GenesisError> {
        let mut authorities = BTreeMap::new();
        let of_provinces = |(index, account): (usize, &GenesisAccount)| {
            let province = account.province.filter(|_| account.role == Role::Province);
            province.map(|province| (index, province))
        };
        for (index, province) in self.accounts.iter().enumerate().filter_map(of_provinces) {
            if let Some(other) = authorities.insert(province, index) {
                return Err(GenesisError::AuthorityTwice { index, other });
            }
        }
        Ok(())
    }
}

fn write_account(
    overlay: &mut Overlay<'_>,
    index: usize,
    account: &GenesisAccount,
    id: AccountId,
) -> Result<(), GenesisError> {
    let GenesisAccount { role, name, representatives, thresholds, .. } = account;
    let named = common::check_text(name, ACCOUNT_NAME_BYTES_MAX).is_ok();
    if !named || !representatives_suffice(*role, representatives, thresholds) {
        return Err(GenesisError::Account { index, name: account.name.clone() });
    }
    if let Some(code) = &account.credit_code {
        let key = keys::holder(Market::of_role(account.role), code.as_bytes());
        if overlay.contains(&key) {
            return Err(GenesisError::CreditCodeTwice { index });
        }
        overlay.put(key, &HolderEntry { account: id })?;
    }
    let record = Account {
        name: account.name.clone(),
        credit_code: account.credit_code,
        province: account.province,
        status: AccountStatus::Open,
        representatives: account.representatives.clone(),
        thresholds: account.thresholds,
        funds: Funds::default(),
        totals: BTreeMap::new(),
    };
    overlay.put(keys::account(id), &record)?;
    Ok(())
}

fn write_parameter(
    overlay: &mut Overlay<'_>,
    parameter: &GenesisParameter,
) -> Result<(), GenesisError> {
    let name = parameter.name;
    if common::check_text(&parameter.article, ARTICLE_BYTES_MAX).is_err() {
        return Err(GenesisError::Article { name: name.name() });
    }
    let (min, max) = name.limits();
    let key = parameter_key(name, parameter.year, parameter.valid_from);
    if !(min..=max).contains(&parameter.value) || overlay.contains(&key) {
        return Err(GenesisError::Parameter { name: name.name(), min, max });
    }
    let version = ParameterVersion {
        value: parameter.value,
        article: parameter.article.clone(),
        set_by: None,
    };
    overlay.put(key, &version)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::genesis;

    #[test]
    fn an_institution_has_two_people_who_can_act_together() {
        let mut alone = genesis();
        alone.accounts[0].representatives.truncate(1);
        let name = alone.accounts[0].name.clone();
        let error = alone.state().unwrap_err();
        assert_eq!(error, GenesisError::Account { index: 0, name });
    }

    #[test]
    fn a_province_has_one_authority() {
        let mut twice = genesis();
        let provinces = twice.accounts.iter_mut().enumerate();
        let mut provinces = provinces.filter(|(_, account)| account.role == Role::Province);
        let (other, first) = provinces.next().unwrap();
        let (index, second) = provinces.next().unwrap();
        second.province = first.province;
        assert_eq!(twice.state().unwrap_err(), GenesisError::AuthorityTwice { index, other });
    }

    #[test]
    fn a_ledger_that_follows_the_clock_does_not_begin_on_a_day_to_come() {
        let civil = genesis().time.civil_date();
        let begun = |days: u32, clock| {
            let business_date = BusinessDate::from_days(civil.as_days() + days).unwrap();
            Genesis { business_date, clock, ..genesis() }.state().map(|_| ())
        };
        assert_eq!(begun(0, ClockRule::CivilDate), Ok(()));
        assert_eq!(begun(1, ClockRule::ByOrder), Ok(()));
        let business_date = BusinessDate::from_days(civil.as_days() + 1).unwrap();
        let error = GenesisError::DateNotCivil { business_date, civil };
        assert_eq!(begun(1, ClockRule::CivilDate), Err(error));
    }

    #[test]
    fn names_and_articles_are_short_printable_texts() {
        for text in [String::new(), "a\nb".to_owned(), "x".repeat(ARTICLE_BYTES_MAX + 1)] {
            let mut wrong = genesis();
            wrong.parameters[0].article.clone_from(&text);
            let name = wrong.parameters[0].name.name();
            assert_eq!(wrong.state().unwrap_err(), GenesisError::Article { name });
            let mut wrong = genesis();
            wrong.accounts[1].name.clone_from(&text);
            let error = GenesisError::Account { index: 1, name: text };
            assert_eq!(wrong.state().unwrap_err(), error);
        }
    }
}
