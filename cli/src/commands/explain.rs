//! `cets explain`: what codes and words mean.

use clap::Args;
use serde_json::json;

use crate::error::{CliError, ErrorKind};
use crate::output::{Cell, Report, left, right};
use crate::session::Session;
use crate::text;

/// Arguments of `cets explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// What to explain: exit-codes
    topic: String,
}

/// Runs `cets explain`.
pub fn run(args: &ExplainArgs, session: &Session<'_>) -> Result<Report, CliError> {
    match args.topic.as_str() {
        "exit-codes" => Ok(exit_codes(session)),
        topic => Err(CliError::user(text!(
            "nothing is known about `{topic}`",
            "没有关于 `{topic}` 的说明"
        ))
        .hint(text!("topics: exit-codes", "可用主题：exit-codes"))),
    }
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
