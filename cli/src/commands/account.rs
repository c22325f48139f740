//! `cets account`: accounts as the ledger knows them.

use cets_api::PublicAccount;
use cets_contracts::state::{Account, AccountStatus, StatusKind};
use cets_contracts::types::{AccountId, ProvinceCode, Right};
use clap::Subcommand;
use serde_json::{Value, json};

use super::account_open::OpenArgs;
use crate::client::{Finalised, outcome_text};
use crate::clock::time_text;
use crate::error::CliError;
use crate::network::{role_name, role_named};
use crate::orders::outcome_json;
use crate::output::{Cell, Report, left, right};
use crate::session::Session;
use crate::text;
use crate::text::{Lang, Text};

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Opens an account for a holder; a registration institution does that
    Open(Box<OpenArgs>),
    /// Shows an account: holder, status, representatives, money, totals
    Show {
        /// Number or name [default: the context's account]
        account: Option<String>,
    },
    /// Lists the transactions that touch an account
    History {
        /// Number or name [default: the context's account]
        account: Option<String>,
    },
    /// Lists accounts
    List {
        /// Only of this role
        #[arg(long, value_name = "ROLE")]
        role: Option<String>,
    },
}

/// Runs `cets account`.
pub fn run(command: AccountCommand, session: &mut Session<'_>) -> Result<Report, CliError> {
    match command {
        AccountCommand::Open(args) => super::account_open::run(&args, session),
        AccountCommand::Show { account } => {
            let id = session.acting_account(account.as_deref())?;
            let node = session.node()?;
            match node.account(id) {
                Ok((account, height)) => Ok(one(id, &account, height.get())),
                Err(error) if hides(&error) => Ok(public(&[node.public_account(id)?])),
                Err(error) => Err(error),
            }
        }
        AccountCommand::History { account } => {
            let id = session.acting_account(account.as_deref())?;
            let found = session.node()?.transactions_of(id)?;
            Ok(history(id, &found, session.lang()))
        }
        AccountCommand::List { role } => {
            let letters = match role.as_deref() {
                None => None,
                Some(name) => Some(role_named(name).ok_or_else(|| {
                    CliError::usage(text!("no role is called `{name}`", "没有名为 `{name}` 的角色"))
                })?),
            };
            let letters = letters.map(|role| role.letters());
            let node = session.node()?;
            match node.accounts(letters) {
                Ok(accounts) => Ok(list(&accounts)),
                Err(error) if hides(&error) => Ok(public(&node.public_accounts(letters)?)),
                Err(error) => Err(error),
            }
        }
    }
}

/// Whether a node refused to show something: not allowed, or it wants to know who reads.
fn hides(error: &CliError) -> bool {
    matches!(error.number(), Some(103 | 105))
}

/// What everyone may know of accounts.
fn public(accounts: &[PublicAccount]) -> Report {
    let columns = vec![
        left(text!("account", "账户")),
        left(text!("holder", "主体")),
        left(text!("province", "省份")),
        left(text!("status", "状态")),
        left(text!("compliance", "履约")),
    ];
    let compliance = |account: &PublicAccount| {
        let years = account.compliance.iter().map(|one| match one.completed_on.as_str() {
            "" => format!("{}: -", one.year),
            date => format!("{}: {date}", one.year),
        });
        years.collect::<Vec<_>>().join(", ")
    };
    let rows = accounts.iter().map(|account| {
        let code = u8::try_from(account.province).ok();
        let province = code.and_then(|code| ProvinceCode::new(code).ok());
        vec![
            Cell::same(&account.account),
            Cell::same(&account.name),
            province_text(province).into(),
            Cell::same(&account.status),
            Cell::same(compliance(account)),
        ]
    });
    let json: Vec<Value> = accounts
        .iter()
        .map(|account| {
            let years: Vec<Value> = account
                .compliance
                .iter()
                .map(|one| json!({ "year": one.year, "completed_on": one.completed_on }))
                .collect();
            json!({
                "account": account.account,
                "name": account.name,
                "role": account.role,
                "province": account.province,
                "status": account.status,
                "compliance": years,
            })
        })
        .collect();
    Report::new(json!({ "public": true, "accounts": json })).rows(columns, rows.collect()).line(
        text!(
            "Only what is public; --as ACCOUNT reads as a holder or an authority.",
            "仅为公开信息；--as 账户 可以持有者或主管部门身份读取。"
        ),
    )
}

/// Name of an account's status.
pub fn account_status(status: &AccountStatus) -> Text {
    match status {
        AccountStatus::Open => text!("open", "正常"),
        AccountStatus::Frozen { .. } => text!("frozen", "冻结"),
        AccountStatus::Closed => text!("closed", "已注销"),
    }
}

/// Name of a kind of status.
pub fn status_kind_text(kind: StatusKind) -> Text {
    match kind {
        StatusKind::Free => text!("free", "可用"),
        StatusKind::LockedForTrade => text!("locked for trade", "交易锁定"),
        StatusKind::Pledged => text!("pledged", "质押"),
        StatusKind::Frozen => text!("frozen", "冻结"),
        StatusKind::Pending => text!("pending", "待处理"),
        StatusKind::Surrendered => text!("surrendered", "已清缴"),
        StatusKind::Offset => text!("offset", "已抵销"),
        StatusKind::Cancelled => text!("cancelled", "已注销"),
        StatusKind::CarriedOver => text!("carried over", "已结转"),
        StatusKind::Deducted => text!("deducted", "已扣减"),
    }
}

fn province_text(province: Option<ProvinceCode>) -> Text {
    let known = province
        .and_then(|code| ProvinceCode::ALL.iter().find(|(number, _, _)| *number == code.get()));
    match known {
        Some((_, english, chinese)) => Text::new((*english).to_owned(), (*chinese).to_owned()),
        None => Text::same(""),
    }
}

/// An account for programs; totals become a list, because JSON has no composite keys.
pub fn account_json(id: AccountId, account: &Account) -> Value {
    let totals: Vec<Value> = account
        .totals
        .iter()
        .map(|((instrument, status), tonnes)| {
            json!({ "instrument": instrument, "status": status, "tonnes": tonnes })
        })
        .collect();
    json!({
        "account": id,
        "role": role_name(id.role()),
        "name": account.name,
        "credit_code": account.credit_code,
        "province": account.province,
        "status": account.status,
        "representatives": account.representatives,
        "thresholds": account.thresholds,
        "funds_fen": { "free": account.funds.free, "locked": account.funds.locked },
        "totals": totals,
    })
}

fn right_text(right: Right) -> Text {
    match right {
        Right::Read => text!("reads", "查询"),
        Right::Initiate => text!("initiates", "发起"),
        Right::Approve => text!("approves", "复核"),
        Right::InitiateAndApprove => text!("initiates and approves", "发起和复核"),
    }
}

fn one(id: AccountId, account: &Account, height: u64) -> Report {
    let mut json = account_json(id, account);
    if let Some(fields) = json.as_object_mut() {
        fields.insert("height".to_owned(), json!(height));
    }
    let as_of = vec![(text!("as of block", "截至区块"), Cell::number(height))];
    with_account(Report::new(json).facts(as_of), id, account)
}

/// Adds what an account's record says.
pub fn with_account(report: Report, id: AccountId, account: &Account) -> Report {
    let thresholds = &account.thresholds;
    let credit_code = account.credit_code.map(String::from).unwrap_or_default();
    let role = id.role();
    let facts = vec![
        (text!("account", "账户"), Cell::same(id)),
        (text!("holder", "主体"), Cell::same(&account.name)),
        (
            text!("role", "角色"),
            Text::new(role.english().to_owned(), role.chinese().to_owned()).into(),
        ),
        (text!("credit code", "统一社会信用代码"), Cell::same(credit_code)),
        (text!("province", "省份"), province_text(account.province).into()),
        (text!("status", "状态"), account_status(&account.status).into()),
        (text!("free money, CNY", "可用资金（元）"), Cell::number(account.funds.free)),
        (text!("locked money, CNY", "锁定资金（元）"), Cell::number(account.funds.locked)),
        (
            text!(
                "people for operation / administration / transfer / compliance",
                "所需人数：运行 / 管理 / 转移 / 履约"
            ),
            Cell::same(format!(
                "{} / {} / {} / {}",
                thresholds.operation,
                thresholds.administration,
                thresholds.transfer,
                thresholds.compliance
            )),
        ),
    ];
    let people = account
        .representatives
        .iter()
        .map(|person| vec![Cell::same(person.key), right_text(person.right).into()])
        .collect();
    let totals = account
        .totals
        .iter()
        .map(|((instrument, kind), tonnes)| {
            vec![Cell::same(instrument), status_kind_text(*kind).into(), Cell::number(tonnes)]
        })
        .collect();
    report
        .facts(facts)
        .rows(
            vec![
                left(text!("instrument", "品种")),
                left(text!("status", "状态")),
                right(text!("tonnes", "吨")),
            ],
            totals,
        )
        .rows(vec![left(text!("representative", "代表")), left(text!("right", "权限"))], people)
}

fn history(id: AccountId, found: &[Finalised], lang: Lang) -> Report {
    let columns = vec![
        left(text!("block time", "区块时间")),
        right(text!("log index", "日志序号")),
        left(text!("order", "业务")),
        left(text!("acting account", "经办账户")),
        left(text!("outcome", "结果")),
        left(text!("transaction", "交易")),
    ];
    let body = |one: &Finalised| one.transaction.as_ref().map(|signed| signed.body.clone());
    let rows = found.iter().map(|one| {
        let body = body(one);
        vec![
            Cell::same(time_text(one.block_time)),
            Cell::number(one.log_index),
            Cell::same(body.as_ref().map_or("", |body| body.payload.rule().name)),
            Cell::same(body.map(|body| body.account.to_string()).unwrap_or_default()),
            outcome_text(&one.receipt.outcome).into(),
            Cell::same(one.receipt.tx_id),
        ]
    });
    let json: Vec<Value> = found
        .iter()
        .map(|one| {
            let effects = one.events.as_ref().map(|record| &record.effects);
            json!({
                "tx_id": one.receipt.tx_id,
                "height": one.receipt.height,
                "log_index": one.log_index,
                "block_time_millis": one.block_time,
                "outcome": outcome_json(&one.receipt.outcome, lang),
                "body": body(one),
                "effects": effects.or(one.own_effects.as_ref()),
            })
        })
        .collect();
    Report::new(json!({ "account": id, "transactions": json })).rows(columns, rows.collect())
}

fn list(accounts: &[(AccountId, Account)]) -> Report {
    let columns = vec![
        left(text!("account", "账户")),
        left(text!("holder", "主体")),
        left(text!("province", "省份")),
        left(text!("status", "状态")),
    ];
    let rows = accounts
        .iter()
        .map(|(id, account)| {
            vec![
                Cell::same(id),
                Cell::same(&account.name),
                province_text(account.province).into(),
                account_status(&account.status).into(),
            ]
        })
        .collect();
    let json: Vec<Value> =
        accounts.iter().map(|(id, account)| account_json(*id, account)).collect();
    Report::new(json!({ "accounts": json })).rows(columns, rows)
}
