//! Certificates as tables.

use cets_contracts::rules::allowances::cancel::CancelReason;
use cets_contracts::types::Vintage;
use serde_json::json;

use super::cancellation::ARTICLE as CANCELLATION_ARTICLE;
use super::compliance::{ARTICLES as COMPLIANCE_ARTICLES, UnitsLine};
use super::{Cancellation, Certificate, Compliance, Subject};
use crate::output::{Cell, Report, left, right};
use crate::text;
use crate::text::Text;

/// A name with its value.
type Fact = (Text, Cell);

/// What a verified certificate says.
pub fn certificate_report(certificate: &Certificate) -> Report {
    let mut json = json!(certificate);
    json["verified"] = true.into();
    let mut report = Report::new(json).line(title(&certificate.certifies));
    report = match &certificate.certifies {
        Subject::Compliance(shown) => {
            let report = report.facts(compliance_facts(shown));
            with_units(report, shown.allowances.iter().chain(&shown.reductions))
        }
        Subject::Cancellation(shown) => {
            with_units(report.facts(cancellation_facts(shown)), shown.units.iter())
        }
    };
    report.facts(ledger_facts(certificate)).fact(
        "digest",
        Cell::same(certificate.digest()),
        text!("digest of the certificate", "证书摘要"),
    )
}

/// Name of a certificate.
pub fn title(subject: &Subject) -> Text {
    match subject {
        Subject::Compliance(_) => {
            text!("Certificate of completed compliance", "碳排放配额清缴履约证明")
        }
        Subject::Cancellation(_) => {
            text!("Certificate of voluntary cancellation", "自愿注销证明")
        }
    }
}

/// What a completion certificate says, in the order of its page.
pub fn compliance_facts(shown: &Compliance) -> Vec<Fact> {
    let optional = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let in_time = match shown.in_time {
        Some(true) => text!("yes", "是"),
        Some(false) => text!("no", "否"),
        None => text!("no deadline is set on the ledger", "账本未设定截止日"),
    };
    vec![
        (text!("entity", "重点排放单位"), Cell::same(&shown.name)),
        (
            text!("unified social credit code", "统一社会信用代码"),
            Cell::same(optional(shown.credit_code.map(String::from))),
        ),
        (text!("account", "账户"), Cell::same(shown.account)),
        (text!("compliance year", "履约年度"), year_text(shown.year).into()),
        (text!("verified emissions, t", "核查排放量（吨）"), Cell::number(shown.verified)),
        (text!("obligation, t", "应清缴量（吨）"), Cell::number(shown.due)),
        (text!("allowances surrendered, t", "清缴配额（吨）"), Cell::number(shown.surrendered)),
        (text!("offset by reductions, t", "减排量抵销（吨）"), Cell::number(shown.offset)),
        (
            text!("deadline", "清缴截止日"),
            Cell::same(optional(shown.deadline.map(|day| day.to_string()))),
        ),
        (text!("completed on", "完成日期"), Cell::same(shown.completed_on)),
        (text!("in time", "是否按期"), in_time.into()),
        (text!("recorded by", "登记核查结果的部门"), Cell::same(shown.recorded_by)),
        (text!("verification report", "核查报告摘要"), Cell::same(shown.report)),
        (text!("articles", "依据"), articles_text(&shown.articles).into()),
    ]
}

/// What a cancellation certificate says, in the order of its page.
pub fn cancellation_facts(shown: &Cancellation) -> Vec<Fact> {
    let optional = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    vec![
        (text!("holder", "注销主体"), Cell::same(&shown.name)),
        (
            text!("unified social credit code", "统一社会信用代码"),
            Cell::same(optional(shown.credit_code.map(String::from))),
        ),
        (text!("account", "账户"), Cell::same(shown.account)),
        (text!("tonnes cancelled", "注销量（吨）"), Cell::number(shown.tonnes)),
        (text!("reason", "注销用途"), reason_text(shown.reason).into()),
        (
            text!("statement", "声明摘要"),
            Cell::same(optional(shown.statement.map(|digest| digest.to_string()))),
        ),
        (text!("cancelled at", "注销时间"), Cell::same(&shown.cancelled_at)),
        (text!("transaction", "交易"), Cell::same(shown.tx_id)),
        (text!("its block", "所在区块"), Cell::number(shown.height)),
        (text!("log index", "日志序号"), Cell::number(shown.log_index)),
        (text!("articles", "依据"), articles_text(&shown.articles).into()),
    ]
}

fn year_text(year: Vintage) -> Text {
    match year {
        Vintage::CYCLE_2019_2020 => text!("2019 and 2020 (1920)", "2019 与 2020 年度（1920）"),
        year => Text::same(year),
    }
}

/// The articles that a certificate names, by their Chinese titles for readers of Chinese.
fn articles_text(articles: &str) -> Text {
    match articles {
        COMPLIANCE_ARTICLES => text!(
            "{articles}",
            "《碳排放权交易管理暂行条例》第十四条；《碳排放权交易管理办法（试行）》第二十八、二十九条"
        ),
        CANCELLATION_ARTICLE => {
            text!("{articles}", "《碳排放权交易管理办法（试行）》第十九条")
        }
        other => Text::same(other),
    }
}

fn reason_text(reason: CancelReason) -> Text {
    match reason {
        CancelReason::PublicWelfare => text!("public welfare", "公益"),
        CancelReason::Event => text!("emissions of an event", "抵消活动排放"),
        CancelReason::Organisation => text!("emissions of an organisation", "抵消组织排放"),
        CancelReason::Product => text!("emissions of a product or service", "抵消产品或服务排放"),
        CancelReason::Other => text!("another purpose, see the statement", "其他用途，见声明"),
    }
}

/// Where the certificate comes from.
pub fn ledger_facts(certificate: &Certificate) -> Vec<Fact> {
    vec![
        (text!("network", "网络"), Cell::same(&certificate.network)),
        (text!("chain", "链"), Cell::same(certificate.chain_id)),
        (text!("as of block", "截至区块"), Cell::number(certificate.height)),
        (text!("its time", "区块时间"), Cell::same(&certificate.block_time)),
        (text!("its number", "区块号"), Cell::same(certificate.block_id)),
    ]
}

fn with_units<'a>(report: Report, lines: impl Iterator<Item = &'a UnitsLine>) -> Report {
    let columns = vec![
        left(text!("instrument", "品种")),
        left(text!("units", "单位")),
        right(text!("tonnes", "吨")),
    ];
    let rows = lines.flat_map(|line| {
        line.ranges.iter().map(|range| {
            vec![Cell::same(line.instrument), Cell::same(range), Cell::number(range.tonnes())]
        })
    });
    report.rows(columns, rows.collect())
}
