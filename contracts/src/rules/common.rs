//! Reject codes that several rules share, and checks that raise them.

use std::sync::Arc;

use super::{Abort, Fact, Reject};
use crate::state::{Account, AccountStatus, Obligation, Overlay, keys};
use crate::types::{
    AccountId, Fen, Instrument, Role, Selection, SelectionError, SerialRange, Tonnes, Vintage,
};

crate::reject_codes! { REJECTS:
    1001 ACCOUNT_UNKNOWN "Registration rules (Trial) art. 7" [account]
        en "Account {account} does not exist."
        zh "账户 {account} 不存在。"
        hint "Check the account number; its last two digits are check digits."
        hint_zh "请核对账户号，最后两位为校验码。";
    1002 ACCOUNT_NOT_OPEN "Registration rules (Trial) art. 22" [account]
        en "Account {account} is frozen or closed."
        zh "账户 {account} 已冻结或已注销。"
        hint "Ask the registry: a freeze ends with its order, a closed account stays closed."
        hint_zh "请向注册登记机构查询：冻结在文书解除后恢复，已注销的账户不再恢复。";
    1003 ROLE_NOT_ALLOWED "Interim Regulations art. 5" [role]
        en "A holder of the role {role} may not do this."
        zh "角色 {role} 无权进行此操作。"
        hint "Use the account of the institution that the article names."
        hint_zh "请使用法规指定机构的账户办理。";
    1004 SIGNER_NOT_REPRESENTATIVE "Registration rules (Trial) art. 7" [key]
        en "Key {key} does not represent the account, or its right does not cover this."
        zh "密钥 {key} 不是该账户的代表，或其权限不足。"
        hint "Sign with a representative's key that may initiate or approve."
        hint_zh "请使用具有发起或复核权限的代表密钥签名。";
    1005 SIGNATURES_INSUFFICIENT "Four-eyes rule of the ledger" [have, needed]
        en "{needed} people must sign, {have} did."
        zh "须 {needed} 人签名，现有 {have} 人。"
        hint "Let another representative sign too, or use propose and let them approve."
        hint_zh "请由其他代表共同签名，或先提交待办再由他人复核。";
    1006 QUANTITY_ZERO "Trading rules (Trial): unit 1 t" []
        en "The quantity is zero."
        zh "数量为零。"
        hint "Name at least one tonne (or one fen)."
        hint_zh "数量至少为一吨（或一分）。";
    1007 RANGES_OVERLAP "Rule book 11, INV-2" [first, second]
        en "The ranges {first} and {second} share units."
        zh "编码区间 {first} 与 {second} 重叠。"
        hint "Name every unit once."
        hint_zh "每个单位只能列出一次。";
    1008 RANGES_TOO_MANY "Limit of the ledger" [limit]
        en "More than {limit} ranges are named, or the holding is in more pieces than that."
        zh "编码区间超过 {limit} 个，或持有过于分散。"
        hint "Split the order into several transactions of smaller quantities."
        hint_zh "请拆分为多笔数量较小的交易。";
    1009 HOLDING_INSUFFICIENT "Rule book 11, INV-3" [instrument, available, asked]
        en "{available} t of {instrument} are free, {asked} t were asked for."
        zh "{instrument} 可用 {available} 吨，申请 {asked} 吨。"
        hint "Lower the quantity, or acquire units first."
        hint_zh "请减少数量或先取得配额。";
    1010 RANGE_NOT_HELD "Rule book 11, INV-3" [range]
        en "Not every unit of {range} is held free by the account."
        zh "编码 {range} 中有单位并非该账户的可用持有。"
        hint "List your holdings and name free ranges only."
        hint_zh "请查询持有并仅列出可用编码。";
    1011 FUNDS_INSUFFICIENT "Settlement rules (Trial) arts. 7-10" [account, free, asked]
        en "Account {account} has {free} CNY free, {asked} CNY are needed."
        zh "账户 {account} 可用资金 {free} 元，需要 {asked} 元。"
        hint "Deposit money first, or lower the amount."
        hint_zh "请先入金或减少金额。";
    1012 PARAMETER_UNSET "Rule book 3.7" [parameter, date]
        en "Parameter {parameter} has no value on {date}."
        zh "参数 {parameter} 在 {date} 没有取值。"
        hint "The authority must set it first; see set_parameter."
        hint_zh "须由主管部门先设定该参数，参见 set_parameter。";
    1013 AMOUNT_TOO_LARGE "Limit of the ledger" []
        en "A sum exceeds what the ledger can count."
        zh "合计超出账本可表示范围。"
        hint "Use smaller amounts."
        hint_zh "请使用较小的数额。";
    1014 SERIALS_EXHAUSTED "Rule book 7.2" [instrument]
        en "{instrument} would exceed 999,999,999,999 units."
        zh "{instrument} 将超过 999,999,999,999 个单位。"
        hint "Serial numbers have twelve digits; check the quantity."
        hint_zh "编码为十二位，请核对数量。";
    1015 LINES_COUNT "Limit of the ledger" [limit]
        en "The batch has no line or more than {limit}."
        zh "批次没有明细或超过 {limit} 行。"
        hint "Send 1 to {limit} lines per transaction."
        hint_zh "每笔交易须有 1 至 {limit} 行。";
    1016 TEXT_INVALID "Limit of the ledger" [limit]
        en "A text is empty, longer than {limit} bytes or has control characters."
        zh "文本为空、超过 {limit} 字节或含控制字符。"
        hint "Shorten the text."
        hint_zh "请缩短文本。";
    1017 PROVINCE_OUT_OF_SCOPE "Interim Regulations art. 5" [account]
        en "Account {account} is not supervised by this province."
        zh "账户 {account} 不属于本省监管范围。"
        hint "The province of the entity must act."
        hint_zh "须由该主体所在省级主管部门办理。";
    1018 INSTRUMENT_NOT_ALLOWED "Interim Regulations art. 30" [instrument]
        en "{instrument} cannot be used for this."
        zh "{instrument} 不能用于此业务。"
        hint "Choose the other kind of units (CEA or CCER)."
        hint_zh "请选择另一类单位（CEA 或 CCER）。";
    1019 SAME_ACCOUNT "Limit of the ledger" [account]
        en "Account {account} stands on both sides."
        zh "账户 {account} 同时为双方。"
        hint "Name two different accounts."
        hint_zh "请填写两个不同的账户。";
    1020 INSTRUMENT_NOT_HELD "Interim Regulations art. 7"
        [account, instrument]
        en "Account {account} may not hold {instrument}."
        zh "账户 {account} 不得持有 {instrument}。"
        hint "Entities, traders and the government hold both kinds; project owners hold CCER only."
        hint_zh "重点排放单位、其他交易主体和政府账户可持有两类单位，项目业主仅可持有 CCER。";
    1021 OBLIGATION_UNKNOWN "Interim Regulations art. 14" [account, year]
        en "No verified emissions of {year} are recorded for account {account}."
        zh "账户 {account} 尚无 {year} 年度核查排放量记录。"
        hint "The province records them first (record_verified_emissions)."
        hint_zh "须先由省级主管部门记录核查排放量（record_verified_emissions）。";
    1022 OBLIGATION_EXCEEDED "Interim Regulations art. 14; rule book 11, INV-5" [outstanding, asked]
        en "{outstanding} t are still owed, {asked} t were offered."
        zh "尚应清缴 {outstanding} 吨，申请 {asked} 吨。"
        hint "Surrender or offset at most what is still owed."
        hint_zh "清缴或抵销数量不得超过尚欠数量。";
}

/// Longest name of an account in bytes.
pub const ACCOUNT_NAME_BYTES_MAX: usize = 200;
/// Longest name of an article in bytes.
pub const ARTICLE_BYTES_MAX: usize = 200;
/// Roles whose accounts hold units and money.
pub const HOLDER_ROLES: &[Role] =
    &[Role::KeyEmittingEntity, Role::ProjectOwner, Role::Trader, Role::Government];

/// Whether accounts of a role may hold units of an instrument.
pub const fn may_hold(role: Role, instrument: Instrument) -> bool {
    match role {
        Role::KeyEmittingEntity | Role::Trader | Role::Government => true,
        Role::ProjectOwner => instrument.is_ccer(),
        _ => false,
    }
}

/// Refuses a holder that may not hold units of an instrument.
pub fn check_may_hold(account: AccountId, instrument: Instrument) -> Result<(), Reject> {
    if may_hold(account.role(), instrument) {
        return Ok(());
    }
    Err(INSTRUMENT_NOT_HELD.reject(vec![account.into(), instrument.into()]))
}

/// Refuses a selection that names units of the other kind.
pub fn check_kind(selection: &Selection, ccer: bool) -> Result<(), Reject> {
    let other = selection.instruments().into_iter().find(|it| it.is_ccer() != ccer);
    match other {
        Some(instrument) => Err(INSTRUMENT_NOT_ALLOWED.reject(vec![instrument.into()])),
        None => Ok(()),
    }
}

/// Refuses a selection of units whose shape means nothing.
pub fn check_selection(selection: &Selection) -> Result<(), Reject> {
    selection.check().map_err(|error| match error {
        SelectionError::Zero => QUANTITY_ZERO.reject(vec![]),
        SelectionError::TooManyRanges => {
            let limit = crate::types::SERIAL_RANGES_PER_SELECTION_MAX;
            RANGES_TOO_MANY.reject(vec![number(limit)])
        }
        SelectionError::Overlap(first, second) => {
            RANGES_OVERLAP.reject(vec![first.into(), second.into()])
        }
    })
}

/// Refuses a quantity of zero tonnes.
pub fn check_not_zero(tonnes: Tonnes) -> Result<(), Reject> {
    if tonnes.is_zero() { Err(QUANTITY_ZERO.reject(vec![])) } else { Ok(()) }
}

/// Refuses an amount of zero fen.
pub fn check_amount(amount: Fen) -> Result<(), Reject> {
    if amount.is_zero() { Err(QUANTITY_ZERO.reject(vec![])) } else { Ok(()) }
}

/// Refuses a batch without lines or with too many.
pub fn check_lines(count: usize, limit: usize) -> Result<(), Reject> {
    if count == 0 || count > limit {
        return Err(LINES_COUNT.reject(vec![number(limit)]));
    }
    Ok(())
}

/// Refuses an empty, too long or unprintable text.
pub fn check_text(text: &str, bytes_max: usize) -> Result<(), Reject> {
    if text.is_empty() || text.len() > bytes_max || text.chars().any(char::is_control) {
        return Err(TEXT_INVALID.reject(vec![number(bytes_max)]));
    }
    Ok(())
}

/// A count as the ledger writes it.
pub fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// A count as a fact.
pub fn number(items: usize) -> Fact {
    count(items).into()
}

/// The account of an order, refused when it does not exist.
pub fn account(state: &Overlay<'_>, id: AccountId) -> Result<Arc<Account>, Abort> {
    match state.account(id)? {
        Some(account) => Ok(account),
        None => Err(ACCOUNT_UNKNOWN.reject(vec![id.into()]).into()),
    }
}

/// The account of an order, refused when it does not exist or is not open.
pub fn open_account(state: &Overlay<'_>, id: AccountId) -> Result<Arc<Account>, Abort> {
    let account = account(state, id)?;
    match account.status {
        AccountStatus::Open => Ok(account),
        _ => Err(ACCOUNT_NOT_OPEN.reject(vec![id.into()]).into()),
    }
}

/// The account of an order, refused when it does not exist or is closed; it may be frozen.
pub fn living_account(state: &Overlay<'_>, id: AccountId) -> Result<Arc<Account>, Abort> {
    let account = account(state, id)?;
    match account.status {
        AccountStatus::Closed => Err(ACCOUNT_NOT_OPEN.reject(vec![id.into()]).into()),
        _ => Ok(account),
    }
}

/// The obligation of an account and compliance year, refused when none is recorded.
pub fn obligation(
    state: &Overlay<'_>,
    account: AccountId,
    year: Vintage,
) -> Result<Obligation, Abort> {
    match state.get(&keys::obligation(account, year))? {
        Some(obligation) => Ok(obligation),
        None => Err(OBLIGATION_UNKNOWN.reject(vec![account.into(), year.into()]).into()),
    }
}

/// Refuses more tonnes than an obligation still owes.
pub fn check_owed(obligation: &Obligation, tonnes: Tonnes) -> Result<(), Abort> {
    let outstanding = obligation.outstanding()?;
    if tonnes > outstanding {
        return Err(OBLIGATION_EXCEEDED.reject(vec![outstanding.into(), tonnes.into()]).into());
    }
    Ok(())
}

/// Tonnes of several ranges.
pub fn tonnes_of(ranges: &[SerialRange]) -> Result<Tonnes, Abort> {
    Ok(Tonnes::try_sum(ranges.iter().map(SerialRange::tonnes))?)
}
