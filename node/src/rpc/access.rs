//! Who may read what, and how a caller proves who it is.
//!
//! The public sees what the law makes public, a holder its own, an authority its scope, an
//! auditor everything (Interim Regulations arts. 5, 8, 12; Registration rules (Trial) arts. 7,
//! 28-30). [`sight`] is the whole table; the README shows it.

use cets_api::token;
use cets_contracts::state::{Account, AccountStatus};
use cets_contracts::types::{AccountId, ProvinceCode, PublicKey, Role};

use super::RpcError;
use super::error::Words;

/// How much a caller is trusted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Nobody known.
    Public,
    /// A holder: entity, project owner, trader, government account.
    Holder,
    /// A trading or settlement institution.
    Market,
    /// A provincial authority.
    Province,
    /// The registries, the ministry, an auditor.
    Everything,
}

impl Level {
    /// All levels, in the order of the table.
    pub const ALL: [Self; 5] =
        [Self::Public, Self::Holder, Self::Market, Self::Province, Self::Everything];

    /// The level of a role.
    pub const fn of(role: Role) -> Self {
        match role {
            Role::Ministry | Role::Registry | Role::CcerRegistry | Role::Auditor => {
                Self::Everything
            }
            Role::Exchange | Role::CcerExchange | Role::Settlement => Self::Market,
            Role::Province => Self::Province,
            Role::KeyEmittingEntity | Role::ProjectOwner | Role::Trader | Role::Government => {
                Self::Holder
            }
        }
    }

    /// Who has it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Holder => "holder",
            Self::Market => "exchange, settlement",
            Self::Province => "province",
            Self::Everything => "registry, ministry, auditor",
        }
    }
}

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Status, headers, certificates, validators, genesis, supplies, parameters, projects,
    /// settlement totals, proofs without entries; name, role, province, status and compliance of
    /// an account.
    Disclosed,
    /// Account records: representatives, money, totals per instrument.
    Accounts,
    /// Ranges of units and the life of a unit.
    Units,
    /// Verified emissions and what was done about them, freezes, bank orders.
    Obligations,
    /// Orders that wait for approval.
    Tasks,
    /// Transactions, receipts and events; trial runs.
    Transactions,
    /// Blocks with all their transactions.
    Blocks,
}

impl Subject {
    /// All subjects, in the order of the table.
    pub const ALL: [Self; 7] = [
        Self::Disclosed,
        Self::Accounts,
        Self::Units,
        Self::Obligations,
        Self::Tasks,
        Self::Transactions,
        Self::Blocks,
    ];

    /// Name for people.
    pub const fn name(self) -> Words {
        let (en, zh) = match self {
            Self::Disclosed => ("disclosed facts", "公开信息"),
            Self::Accounts => ("account records", "账户记录"),
            Self::Units => ("holdings and serials", "持仓与序列号"),
            Self::Obligations => {
                ("obligations, freezes and bank orders", "履约义务、冻结与银行指令")
            }
            Self::Tasks => ("pending tasks", "待审批业务"),
            Self::Transactions => ("transactions and events", "交易与事件"),
            Self::Blocks => ("blocks with transactions", "含交易的区块"),
        };
        Words { en, zh }
    }
}

/// How far a caller sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// Nothing.
    Nothing,
    /// What is the caller's own.
    Own,
    /// What belongs to holders that its province supervises, and its own.
    OwnProvince,
    /// All of it.
    All,
}

/// The access table: what each level sees of each subject.
pub const fn sight(level: Level, subject: Subject) -> Sight {
    match (subject, level) {
        (Subject::Disclosed, _) | (_, Level::Everything) => Sight::All,
        (_, Level::Public) | (Subject::Blocks, _) => Sight::Nothing,
        // An exchange judges an order, and the settlement institution a payment, by what is free.
        (Subject::Accounts, Level::Market) => Sight::All,
        // Tasks are a matter between the people of one account.
        (Subject::Tasks, _) => Sight::Own,
        (_, Level::Province) => Sight::OwnProvince,
        (_, Level::Holder | Level::Market) => Sight::Own,
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody known.
    Public,
    /// A representative of an account.
    Known {
        /// The account.
        account: AccountId,
        /// The representative's key.
        key: PublicKey,
        /// Province that the account governs, of a provincial authority.
        province: Option<ProvinceCode>,
    },
}

impl Caller {
    /// Its level.
    pub const fn level(&self) -> Level {
        match self {
            Self::Public => Level::Public,
            Self::Known { account, .. } => Level::of(account.role()),
        }
    }

    /// How far it sees.
    pub const fn sight(&self, subject: Subject) -> Sight {
        sight(self.level(), subject)
    }

    /// Whether it sees this subject of a holder.
    ///
    /// `province` looks up which province supervises the holder; it is asked only if that decides.
    pub fn sees(
        &self,
        subject: Subject,
        holder: AccountId,
        province: impl FnOnce(AccountId) -> Result<Option<ProvinceCode>, RpcError>,
    ) -> Result<bool, RpcError> {
        let own = matches!(self, Self::Known { account, .. } if *account == holder);
        Ok(match self.sight(subject) {
            Sight::Nothing => false,
            Sight::Own => own,
            Sight::All => true,
            Sight::OwnProvince => match self {
                Self::Known { province: Some(governed), .. } if !own => {
                    province(holder)? == Some(*governed)
                }
                _ => own,
            },
        })
    }

    /// The error for a subject that it does not see.
    pub const fn refusal(&self, subject: Subject) -> RpcError {
        let what = subject.name();
        match self {
            Self::Public => RpcError::TokenRequired { what },
            Self::Known { .. } => RpcError::NotAllowed { what },
        }
    }

    /// Refuses a caller that does not see a subject of a holder.
    pub fn require(
        &self,
        subject: Subject,
        holder: AccountId,
        province: impl FnOnce(AccountId) -> Result<Option<ProvinceCode>, RpcError>,
    ) -> Result<(), RpcError> {
        if self.sees(subject, holder, province)? { Ok(()) } else { Err(self.refusal(subject)) }
    }

    /// Refuses a caller that sees nothing of a subject.
    pub fn require_some(&self, subject: Subject) -> Result<(), RpcError> {
        if self.sight(subject) == Sight::Nothing { Err(self.refusal(subject)) } else { Ok(()) }
    }

    /// Whether its key still represents its account, which may have changed since.
    pub fn still_holds(&self, account: Option<&Account>) -> bool {
        match self {
            Self::Public => true,
            Self::Known { key, .. } => account.is_some_and(|account| represents(account, key)),
        }
    }
}

/// A token whose signature, ledger and times are right; the account is not looked up yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProvenToken {
    /// Account it reads for.
    pub account: AccountId,
    /// Key that signed it.
    pub key: PublicKey,
}

/// Checks the value of the `authorization` metadata; `now` is in seconds since the Unix epoch.
///
/// The token itself never goes to a log or into an error.
pub fn check_bearer(value: &str, chain_id: &str, now: u64) -> Result<ProvenToken, RpcError> {
    let invalid = |reason: &str| RpcError::TokenInvalid { reason: reason.to_owned() };
    let (scheme, token) = value.split_once(' ').ok_or_else(|| invalid("it is no bearer token"))?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(invalid("it is no bearer token"));
    }
    let claims = token::verify(token.trim(), chain_id, now)
        .map_err(|error| RpcError::TokenInvalid { reason: error.to_string() })?;
    let account = claims.account.parse().map_err(|_| invalid("it names no account"))?;
    let key = claims.key.parse().map_err(|_| invalid("it names no key"))?;
    Ok(ProvenToken { account, key })
}

impl ProvenToken {
    /// The caller, when the key represents the account in any capacity.
    ///
    /// Unknown account, closed account and foreign key give the same answer.
    pub fn caller(&self, account: Option<&Account>) -> Result<Caller, RpcError> {
        let account =
            account.filter(|account| represents(account, &self.key)).ok_or_else(|| {
                let reason = "the key does not represent an open account of this ledger".to_owned();
                RpcError::TokenInvalid { reason }
            })?;
        let province = match self.account.role() {
            Role::Province => account.province,
            _ => None,
        };
        Ok(Caller::Known { account: self.account, key: self.key, province })
    }
}

/// A frozen account still reads; a closed one does not.
fn represents(account: &Account, key: &PublicKey) -> bool {
    account.status != AccountStatus::Closed && account.right_of(key).is_some()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cets_contracts::state::Funds;
    use cets_contracts::types::{Representative, Right, Thresholds};
    use ed25519_dalek::SigningKey;

    use super::*;

    const NOW: u64 = 1_700_000_000;
    const CHAIN: &str = "00112233445566778899aabbccddeeff";

    fn id(role: Role, number: u64) -> AccountId {
        AccountId::new(role, number).unwrap()
    }

    fn key(seed: u8) -> (SigningKey, PublicKey) {
        let secret = SigningKey::from_bytes(&[seed; 32]);
        let public = PublicKey::new(*secret.verifying_key().as_bytes());
        (secret, public)
    }

    fn account(status: AccountStatus, seed: u8) -> Account {
        Account {
            name: "Example".to_owned(),
            credit_code: None,
            province: Some(ProvinceCode::new(42).unwrap()),
            status,
            representatives: vec![Representative { key: key(seed).1, right: Right::Read }],
            thresholds: Thresholds::uniform(1),
            funds: Funds::default(),
            totals: BTreeMap::new(),
        }
    }

    fn bearer(seed: u8, account: AccountId) -> String {
        let secret = key(seed).0;
        token::bearer(&token::mint(&secret, &account.to_string(), CHAIN, NOW, 300, [0; 16]))
    }

    #[test]
    fn a_read_only_representative_of_an_account_is_known_by_its_token() {
        let holder = id(Role::KeyEmittingEntity, 1);
        let token = check_bearer(&bearer(1, holder), CHAIN, NOW).unwrap();
        let caller = token.caller(Some(&account(AccountStatus::Open, 1))).unwrap();
        assert_eq!(caller.level(), Level::Holder);
        assert_eq!(caller, Caller::Known { account: holder, key: key(1).1, province: None });
    }

    #[test]
    fn a_frozen_account_reads_and_a_closed_one_does_not() {
        let token = check_bearer(&bearer(1, id(Role::Trader, 1)), CHAIN, NOW).unwrap();
        let order = cets_contracts::types::Digest::new([0; 32]);
        assert!(token.caller(Some(&account(AccountStatus::Frozen { order }, 1))).is_ok());
        assert!(token.caller(Some(&account(AccountStatus::Closed, 1))).is_err());
    }

    #[test]
    fn a_key_that_does_not_represent_the_account_is_refused_like_an_unknown_account() {
        let token = check_bearer(&bearer(2, id(Role::Auditor, 1)), CHAIN, NOW).unwrap();
        let foreign = token.caller(Some(&account(AccountStatus::Open, 1)));
        assert!(matches!(foreign, Err(RpcError::TokenInvalid { .. })));
        assert_eq!(foreign, token.caller(None));
    }

    #[test]
    fn other_schemes_and_claims_that_name_nothing_are_refused() {
        let secret = key(1).0;
        for value in ["", "Bearer", "Basic YTpi", "Bearer x"] {
            let refused = check_bearer(value, CHAIN, NOW);
            assert!(matches!(refused, Err(RpcError::TokenInvalid { .. })), "{value}");
        }
        let nobody = token::mint(&secret, "CN-KEE-0000000001-20", CHAIN, NOW, 300, [0; 16]);
        let refused = check_bearer(&token::bearer(&nobody), CHAIN, NOW);
        assert!(matches!(refused, Err(RpcError::TokenInvalid { .. })));
    }

    #[test]
    fn every_level_sees_what_the_level_before_it_sees_of_a_subject_or_more() {
        for subject in Subject::ALL {
            assert_eq!(sight(Level::Everything, subject), Sight::All);
            let expected = if subject == Subject::Disclosed { Sight::All } else { Sight::Nothing };
            assert_eq!(sight(Level::Public, subject), expected);
            assert!(sight(Level::Holder, subject) <= sight(Level::Province, subject));
            assert!(sight(Level::Holder, subject) <= sight(Level::Market, subject));
        }
    }

    #[test]
    fn a_province_sees_the_holders_it_supervises_and_no_other() {
        let hubei = Some(ProvinceCode::new(42).unwrap());
        let hebei = Some(ProvinceCode::new(13).unwrap());
        let province = id(Role::Province, 1);
        let caller = Caller::Known { account: province, key: key(1).1, province: hubei };
        let holder = id(Role::KeyEmittingEntity, 5);
        let sees = |subject, holder, province| caller.sees(subject, holder, |_| province);
        assert_eq!(sees(Subject::Units, holder, Ok(hubei)), Ok(true));
        assert_eq!(sees(Subject::Units, holder, Ok(hebei)), Ok(false));
        assert_eq!(sees(Subject::Tasks, holder, Ok(hubei)), Ok(false));
        assert_eq!(sees(Subject::Tasks, province, Ok(None)), Ok(true));
        // A fault of the state is no statement about rights.
        assert_eq!(sees(Subject::Units, holder, Err(RpcError::Failed)), Err(RpcError::Failed));
        let required = caller.require(Subject::Units, holder, |_| Err(RpcError::Failed));
        assert_eq!(required, Err(RpcError::Failed));
    }

    #[test]
    fn the_readme_shows_the_access_table() {
        let mut table = String::from("| |");
        for level in Level::ALL {
            table.push_str(&format!(" {} |", level.title()));
        }
        table.push_str("\n|---|---|---|---|---|---|\n");
        for subject in Subject::ALL {
            table.push_str(&format!("| {} |", subject.name().en));
            for level in Level::ALL {
                table.push_str(match sight(level, subject) {
                    Sight::Nothing => " - |",
                    Sight::Own => " own |",
                    Sight::OwnProvince => " own province |",
                    Sight::All => " all |",
                });
            }
            table.push('\n');
        }
        let readme = include_str!("../../README.md");
        assert!(readme.contains(&table), "put this table into node/README.md:\n{table}");
    }
}
