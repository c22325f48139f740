//! Opens accounts.
//!
//! # Purpose
//! One subject, one registry account, under its real name and unified social credit code
//! (Registration rules (Trial), account opening). The registry checked the material; only public
//! facts and the digest of the material are on the ledger.
//!
//! # Who signs
//! Two people at least of the institution that answers for the kind of account: the registration
//! institution of allowances for entities, traders and the government account; that of reductions
//! for project owners; the ministry for provincial authorities and auditors, who act by public
//! power (Interim Regulations arts. 4, 5).
//!
//! # Checks in order
//! 1. One to [`OPEN_ACCOUNT_LINES_MAX`] lines; names printable; representatives can act.
//! 2. The role may be opened by this institution.
//! 3. No account of the same registry has the credit code.
//! 4. A province has no other open account of a provincial authority.
//!
//! # Writes
//! Ledger (account numbers), accounts, holders.
//!
//! # Event
//! The new account numbers, in the order of the lines.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::rules::{
    Abort, Authority, Reject, RejectCode, Rule, TxContext, common, representatives_suffice,
};
use crate::state::{
    Account, AccountStatus, CreditCode, Funds, HolderEntry, KeyParts, Overlay, Table, keys,
};
use crate::types::{
    AccountId, Digest, Market, OperationClass, ProvinceCode, PublicKey, Representative, Right,
    Role, Thresholds,
};

/// Most accounts of one order.
pub const OPEN_ACCOUNT_LINES_MAX: usize = 200;

/// One account to open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAccount {
    /// What the holder is.
    pub role: Role,
    /// Registered name.
    pub name: String,
    /// Unified social credit code.
    pub credit_code: CreditCode,
    /// Province that supervises the holder.
    pub province: ProvinceCode,
    /// Who acts for it.
    pub representatives: Vec<Representative>,
    /// People needed per class of operation.
    pub thresholds: Thresholds,
    /// Digest of the material that the registry checked.
    pub material: Digest,
}

/// Order: open accounts; all or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenAccount {
    /// The accounts.
    pub accounts: Vec<NewAccount>,
}

/// Accounts were opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountsOpened {
    /// Their numbers, in the order of the lines.
    pub accounts: Vec<AccountId>,
}

crate::reject_codes! { REJECTS:
    3001 HOLDER_HAS_ACCOUNT "Registration rules (Trial), one subject one account" [account]
        en "The unified social credit code already has account {account}."
        zh "该统一社会信用代码已开立账户 {account}。"
        hint "Use that account; a holder has one account per registry."
        hint_zh "请使用该账户；每个主体在同一登记系统只能开立一个账户。";
    3002 ROLE_NOT_OPENED_HERE "Registration rules (Trial) art. 3" [role]
        en "This institution does not open accounts of the role {role}."
        zh "本机构不能为角色 {role} 开立账户。"
        hint "Ask the registration institution of the other market."
        hint_zh "请向另一市场的注册登记机构申请。";
    3003 REPRESENTATIVES_INSUFFICIENT "Four-eyes rule of the ledger" [line]
        en "Line {line}: the representatives cannot act."
        zh "第 {line} 行：代表无法履职。"
        hint "Name different keys, one who may initiate, and enough people; an institution has two."
        hint_zh "须使用不同密钥，至少一人可发起，人数不少于各阈值；机构须有两人可共同办理。";
    3004 PROVINCE_HAS_AUTHORITY "Interim Regulations art. 5" [account]
        en "The province already has its authority: account {account}."
        zh "该省份已有主管部门账户 {account}。"
        hint "Change that account's representatives, or close it first."
        hint_zh "请变更该账户的代表，或先注销该账户。";
}

/// Roles that open and close accounts.
pub const OPENING_ROLES: &[Role] = &[Role::Ministry, Role::Registry, Role::CcerRegistry];

/// Roles whose accounts each institution opens.
pub const fn opened_by(institution: Role, role: Role) -> bool {
    match institution {
        Role::Ministry => matches!(role, Role::Province | Role::Auditor),
        Role::Registry => {
            matches!(role, Role::KeyEmittingEntity | Role::Trader | Role::Government)
        }
        Role::CcerRegistry => matches!(role, Role::ProjectOwner),
        _ => false,
    }
}

/// The authority of each province that has one.
fn authorities(state: &Overlay<'_>) -> Result<BTreeMap<ProvinceCode, AccountId>, Abort> {
    let mut authorities = BTreeMap::new();
    for found in state.scan::<Account>(&keys::accounts_of(Role::Province)) {
        let (key, account) = found?;
        let province = account.province.filter(|_| account.status != AccountStatus::Closed);
        if let (Some(province), Some(KeyParts::Account(id))) = (province, KeyParts::of(&key)) {
            authorities.entry(province).or_insert(id);
        }
    }
    Ok(authorities)
}

/// Refuses a second authority of a province.
fn check_authorities(
    lines: &[NewAccount],
    ids: &[AccountId],
    state: &Overlay<'_>,
) -> Result<(), Abort> {
    if lines.iter().all(|line| line.role != Role::Province) {
        return Ok(());
    }
    let mut authorities = authorities(state)?;
    for (line, id) in lines.iter().zip(ids).filter(|(line, _)| line.role == Role::Province) {
        if let Some(known) = authorities.insert(line.province, *id) {
            return Err(PROVINCE_HAS_AUTHORITY.reject(vec![known.into()]).into());
        }
    }
    Ok(())
}

impl Rule for OpenAccount {
    type Event = AccountsOpened;
    const NAME: &'static str = "open_account";
    const AUTHORITY: Authority =
        Authority::quorum(OPENING_ROLES, OperationClass::Administration, 2);
    const WRITES: &'static [Table] = &[Table::Ledger, Table::Accounts, Table::Holders];
    const REJECTS: &'static [&'static RejectCode] = REJECTS;

    fn check(&self, _tx: &TxContext) -> Result<(), Reject> {
        common::check_lines(self.accounts.len(), OPEN_ACCOUNT_LINES_MAX)?;
        for (line, account) in (1u64..).zip(&self.accounts) {
            common::check_text(&account.name, common::ACCOUNT_NAME_BYTES_MAX)?;
            let NewAccount { role, representatives, thresholds, .. } = account;
            if !representatives_suffice(*role, representatives, thresholds) {
                return Err(REPRESENTATIVES_INSUFFICIENT.reject(vec![line.into()]));
            }
        }
        Ok(())
    }

    fn apply(&self, tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        let mut ledger = state.ledger()?;

        let mut codes: BTreeMap<(Market, CreditCode), AccountId> = BTreeMap::new();
        let mut ids = Vec::with_capacity(self.accounts.len());
        for line in &self.accounts {
            if !opened_by(tx.account.role(), line.role) {
                return Err(ROLE_NOT_OPENED_HERE.reject(vec![line.role.into()]).into());
            }
            let market = Market::of_role(line.role);
            let key = keys::holder(market, line.credit_code.as_bytes());
            let number = ledger.account_numbers.entry(line.role).or_insert(0);
            *number = number.saturating_add(1);
            let id = AccountId::new(line.role, *number)
                .map_err(|_| common::AMOUNT_TOO_LARGE.reject(vec![]))?;
            let holder = state
                .get::<HolderEntry>(&key)?
                .map(|entry| entry.account)
                .or_else(|| codes.insert((market, line.credit_code), id));
            if let Some(account) = holder {
                return Err(HOLDER_HAS_ACCOUNT.reject(vec![account.into()]).into());
            }
            ids.push(id);
        }

        check_authorities(&self.accounts, &ids, state)?;

        for (line, id) in self.accounts.iter().zip(&ids) {
            let key = keys::holder(Market::of_role(line.role), line.credit_code.as_bytes());
            state.put(key, &HolderEntry { account: *id })?;
            state.put(keys::account(*id), &new_account(line))?;
        }
        state.put_ledger(&ledger)?;

        Ok(AccountsOpened { accounts: ids })
    }

    fn example() -> Self {
        let person = |byte, right| Representative { key: PublicKey::new([byte; 32]), right };
        Self {
            accounts: vec![NewAccount {
                role: Role::KeyEmittingEntity,
                name: "Example Power Co., Ltd.".to_owned(),
                credit_code: CreditCode::new(*b"91350100M000100Y43").expect("a published code"),
                province: ProvinceCode::new(42).expect("Hubei"),
                representatives: vec![person(7, Right::Initiate), person(8, Right::Approve)],
                thresholds: Thresholds::uniform(1),
                material: Digest::new([2; 32]),
            }],
        }
    }
}

fn new_account(line: &NewAccount) -> Account {
    Account {
        name: line.name.clone(),
        credit_code: Some(line.credit_code),
        province: Some(line.province),
        status: AccountStatus::Open,
        representatives: line.representatives.clone(),
        thresholds: line.thresholds,
        funds: Funds::default(),
        totals: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{Market, account, digest, first, people};

    const TAKEN: &str = "PROVINCE_HAS_AUTHORITY";

    fn code(body: &str) -> CreditCode {
        let check = CreditCode::check_character(body.as_bytes()).unwrap();
        CreditCode::try_from(format!("{body}{}", char::from(check))).unwrap()
    }

    fn line(role: Role, number: u64) -> NewAccount {
        NewAccount {
            role,
            name: format!("company {number}"),
            credit_code: code(&format!("9135{number:013}")),
            province: ProvinceCode::new(42).unwrap(),
            representatives: people(account(role, number)),
            thresholds: Thresholds::uniform(2),
            material: digest(number),
        }
    }

    fn open(accounts: Vec<NewAccount>) -> OpenAccount {
        OpenAccount { accounts }
    }

    #[test]
    fn accounts_are_opened_with_the_next_numbers() {
        let mut market = Market::new();
        let (entity, trader) = (Role::KeyEmittingEntity, Role::Trader);
        let order = open(vec![line(entity, 11), line(trader, 12), line(entity, 13)]);
        let event = market.accept(first(Role::Registry), order);
        let accounts = vec![account(entity, 4), account(trader, 2), account(entity, 5)];
        assert_eq!(event, AccountsOpened { accounts }.into());
        assert_eq!(market.account(account(entity, 5)).name, "company 13");
    }

    #[test]
    fn an_order_has_some_lines_and_not_too_many() {
        let mut market = Market::new();
        assert_eq!(market.refusal(first(Role::Registry), open(vec![])), "LINES_COUNT");
        let most = u64::try_from(OPEN_ACCOUNT_LINES_MAX).unwrap();
        let mut few = |count: u64| {
            let lines = (1..=count).map(|number| {
                let mut line = line(Role::Trader, number);
                line.representatives.truncate(2);
                line
            });
            market.send(first(Role::Registry), open(lines.collect())).is_ok()
        };
        assert!(few(most));
        assert!(!few(most + 1));
    }

    #[test]
    fn a_name_is_printable() {
        let mut market = Market::new();
        let wrong = NewAccount { name: "a\tb".to_owned(), ..line(Role::Trader, 1) };
        assert_eq!(market.refusal(first(Role::Registry), open(vec![wrong])), "TEXT_INVALID");
    }

    #[test]
    fn representatives_must_be_able_to_act() {
        let mut market = Market::new();
        let mut wrong = line(Role::Trader, 1);
        wrong.representatives.truncate(1);
        let code = market.refusal(first(Role::Registry), open(vec![wrong]));
        assert_eq!(code, "REPRESENTATIVES_INSUFFICIENT");
        let mut alone = line(Role::Province, 1);
        alone.representatives.truncate(1);
        alone.thresholds = Thresholds::uniform(1);
        let code = market.refusal(first(Role::Ministry), open(vec![alone]));
        assert_eq!(code, "REPRESENTATIVES_INSUFFICIENT");
    }

    #[test]
    fn each_registry_opens_its_own_accounts() {
        let mut market = Market::new();
        for (registry, role) in [
            (Role::Registry, Role::ProjectOwner),
            (Role::Registry, Role::Ministry),
            (Role::Registry, Role::Province),
            (Role::Ministry, Role::KeyEmittingEntity),
            (Role::CcerRegistry, Role::KeyEmittingEntity),
        ] {
            let code = market.refusal(first(registry), open(vec![line(role, 1)]));
            assert_eq!(code, "ROLE_NOT_OPENED_HERE");
        }
        market.accept(first(Role::CcerRegistry), open(vec![line(Role::ProjectOwner, 1)]));
    }

    #[test]
    fn a_province_has_one_authority_that_the_ministry_opens() {
        let mut market = Market::new();
        let beijing = |number| NewAccount {
            province: ProvinceCode::new(11).unwrap(),
            ..line(Role::Province, number)
        };
        let ministry = first(Role::Ministry);
        assert_eq!(market.refusal(ministry, open(vec![beijing(1), beijing(2)])), TAKEN);
        market.accept(ministry, open(vec![beijing(1)]));
        assert_eq!(market.refusal(ministry, open(vec![beijing(2)])), TAKEN);
        assert_eq!(market.refusal(ministry, open(vec![line(Role::Province, 3)])), TAKEN);
    }

    #[test]
    fn a_credit_code_has_one_account_per_registry() {
        let mut market = Market::new();
        market.accept(first(Role::Registry), open(vec![line(Role::Trader, 1)]));
        let again = NewAccount { name: "other".to_owned(), ..line(Role::Trader, 1) };
        let code = market.refusal(first(Role::Registry), open(vec![again]));
        assert_eq!(code, "HOLDER_HAS_ACCOUNT");
        let twice = open(vec![line(Role::Trader, 2), line(Role::KeyEmittingEntity, 2)]);
        assert_eq!(market.refusal(first(Role::Registry), twice), "HOLDER_HAS_ACCOUNT");
        market.accept(first(Role::CcerRegistry), open(vec![line(Role::ProjectOwner, 1)]));
    }
}
