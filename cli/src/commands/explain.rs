//! `cets explain`: what codes and words mean.

use cets_contracts::rules::{RULES, RejectCode, RuleEntry, reject_codes};
use cets_contracts::state::ParameterName;
use cets_contracts::tx::ENVELOPE_CODES;
use clap::Args;
use serde_json::json;

use crate::error::{CliError, ErrorKind};
use crate::network::role_name;
use crate::output::{Cell, Report, left, right};
use crate::session::Session;
use crate::text;
use crate::text::Text;

/// Arguments of `cets explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Number or name of a code, name of a rule or of a parameter, or exit-codes
    topic: String,
}

/// Runs `cets explain`.
pub fn run(args: &ExplainArgs, session: &Session<'_>) -> Result<Report, CliError> {
    let topic = args.topic.as_str();
    let plain = topic.replace('-', "_");
    if plain == "exit_codes" {
        return Ok(exit_codes(session));
    }
    let number: Option<u16> = topic.parse().ok();
    let is_topic =
        |code: &&RejectCode| Some(code.number) == number || code.name.eq_ignore_ascii_case(&plain);
    let codes = || ENVELOPE_CODES.iter().copied().chain(reject_codes());
    if let Some(code) = codes().find(is_topic) {
        return Ok(one_code(code));
    }
    if let Some(rule) = RULES.iter().find(|rule| rule.name == plain) {
        return Ok(one_rule(rule));
    }
    if let Some(name) = ParameterName::ALL.iter().find(|name| name.name() == plain) {
        return Ok(one_parameter(*name));
    }
    Err(CliError::user(text!("nothing is known about `{topic}`", "没有关于 `{topic}` 的说明"))
        .hint(text!(
            "topics are numbers and names of codes, rules (`cets tx list-rules`), parameters \
         (`cets parameter names`) and exit-codes; codes from 100 to 199 are explained by the node",
            "可用主题：代码编号或名称、规则（`cets tx list-rules`）、参数（`cets parameter names`）\
         和 exit-codes；100 至 199 的代码由节点说明"
        )))
}

fn one_code(code: &RejectCode) -> Report {
    let both = |english: &str, chinese: &str| Text::new(english.to_owned(), chinese.to_owned());
    Report::new(json!({
        "number": code.number,
        "name": code.name,
        "article": code.article,
        "facts": code.facts,
        "en": { "sentence": code.en, "hint": code.hint_en },
        "zh": { "sentence": code.zh, "hint": code.hint_zh },
    }))
    .facts(vec![
        (text!("number", "编号"), Cell::same(code.number)),
        (text!("name", "名称"), Cell::same(code.name)),
        (text!("article", "依据"), Cell::same(code.article)),
        (text!("meaning", "含义"), both(code.en, code.zh).into()),
        (text!("what to do", "处理建议"), both(code.hint_en, code.hint_zh).into()),
    ])
}

fn one_rule(rule: &RuleEntry) -> Report {
    let roles: Vec<&str> = rule.authority.roles.iter().map(|role| role_name(*role)).collect();
    let tables: Vec<&str> = rule.writes.iter().map(|table| table.name()).collect();
    let columns = vec![
        right(text!("code", "代码")),
        left(text!("name", "名称")),
        left(text!("meaning", "含义")),
    ];
    let codes = rule.rejects.iter().map(|code| {
        let meaning = Text::new(code.en.to_owned(), code.zh.to_owned());
        vec![Cell::same(code.number), Cell::same(code.name), meaning.into()]
    });
    let own: Vec<_> = rule
        .rejects
        .iter()
        .map(|code| json!({ "number": code.number, "name": code.name, "article": code.article }))
        .collect();
    let report = Report::new(json!({
        "rule": rule.name,
        "tag": rule.tag,
        "module": rule.module,
        "roles": roles,
        "people_min": rule.authority.people_min,
        "writes": tables,
        "codes": own,
        "example": (rule.example)(),
    }))
    .facts(vec![
        (text!("rule", "规则"), Cell::same(rule.name)),
        (text!("module", "模块"), Cell::same(rule.module)),
        (text!("who may send it", "可发起角色"), Cell::same(roles.join(", "))),
        (text!("fewest people", "最少人数"), Cell::number(rule.authority.people_min)),
        (text!("tables it may write", "可写入的表"), Cell::same(tables.join(", "))),
    ]);
    if rule.rejects.is_empty() { report } else { report.rows(columns, codes.collect()) }
}

fn one_parameter(name: ParameterName) -> Report {
    let (min, max) = name.limits();
    Report::new(json!({
        "parameter": name.name(),
        "unit": name.unit(),
        "min": min,
        "max": max,
        "set_by": role_name(name.authority()),
        "article": name.article(),
    }))
    .facts(vec![
        (text!("parameter", "参数"), Cell::same(name.name())),
        (text!("unit", "单位"), Cell::same(name.unit())),
        (text!("from", "下限"), Cell::number(min)),
        (text!("to", "上限"), Cell::number(max)),
        (text!("set by", "设定者"), Cell::same(role_name(name.authority()))),
        (text!("article", "依据"), Cell::same(name.article())),
    ])
}

fn exit_codes(session: &Session<'_>) -> Report {
    let codes: Vec<_> = ErrorKind::ALL
        .iter()
        .map(|kind| {
            json!({
                "exit_code": kind.exit_code(),
                "kind": kind.name(),
                "meaning": kind.meaning().get(session.lang()),
            })
        })
        .collect();
    let columns = vec![
        right(text!("exit code", "退出码")),
        left(text!("kind", "类别")),
        left(text!("meaning", "含义")),
    ];
    let success = vec![
        Cell::number(0),
        Cell::same("success"),
        text!("The command did what it was asked to.", "命令已按要求完成。").into(),
    ];
    let rows = std::iter::once(success)
        .chain(ErrorKind::ALL.iter().map(|kind| {
            vec![Cell::number(kind.exit_code()), Cell::same(kind.name()), kind.meaning().into()]
        }))
        .collect();
    Report::new(json!({ "exit_codes": codes })).rows(columns, rows)
}
