//! `cets issue`: allowances by an allocation table.

use std::path::{Path, PathBuf};

use cets_contracts::rules::allowances::issue::{Issue, IssueLine};
use cets_contracts::types::{AccountId, Tonnes, Vintage};
use clap::Args;

use crate::error::CliError;
use crate::files::read_text;
use crate::orders::{DocumentDigest, OrderArgs, carry_out};
use crate::output::Report;
use crate::session::Session;
use crate::text;

/// Arguments of `cets issue`.
#[derive(Debug, Args)]
pub struct IssueArgs {
    /// Vintage; 1920 for 2019-2020
    #[arg(long, value_name = "YEAR")]
    vintage: Vintage,
    /// One line of the table: ACCOUNT=TONNES; may be given several times
    #[arg(long = "to", value_name = "LINE", required_unless_present = "table")]
    lines: Vec<String>,
    /// Table as CSV: account and tonnes, one line each
    #[arg(long, value_name = "FILE", conflicts_with = "lines")]
    table: Option<PathBuf>,
    /// Allocation document of the provinces: a file or its digest
    #[arg(long, value_name = "FILE|HEX")]
    document: DocumentDigest,
    /// Who acts, and how far to go.
    #[command(flatten)]
    order: OrderArgs,
}

/// Runs `cets issue`.
pub fn run(args: &IssueArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let lines = match &args.table {
        Some(path) => {
            table_lines(&read_text(path)?, path, |account| session.account_named(account))?
        }
        None => {
            let named = |account: &str| session.account_named(account);
            let lines =
                args.lines.iter().map(|line| issue_line(line, line.split_once('='), &named));
            lines.collect::<Result<_, _>>()?
        }
    };
    let order = Issue { vintage: args.vintage, lines, document: args.document.0 };
    carry_out(session, order.into(), &args.order)
}

/// Lines of a table; a first line that is no order is taken for the heading. `named` finds an
/// account by its number or name.
pub fn table_lines(
    text: &str,
    path: &Path,
    named: impl Fn(&str) -> Result<AccountId, CliError>,
) -> Result<Vec<IssueLine>, CliError> {
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = Vec::new();
    for (number, line) in (1usize..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        match issue_line(line, line.split_once(','), &named) {
            Ok(line) => lines.push(line),
            Err(_) if number == 1 => {}
            Err(error) => {
                let path = path.display();
                let (english, chinese) = (
                    error.sentence().get(crate::text::Lang::En).to_owned(),
                    error.sentence().get(crate::text::Lang::Zh).to_owned(),
                );
                return Err(CliError::user(crate::text::Text::new(
                    format!("{path}, line {number}: {english}"),
                    format!("{path} 第 {number} 行：{chinese}"),
                )));
            }
        }
    }
    Ok(lines)
}

fn issue_line(
    line: &str,
    parts: Option<(&str, &str)>,
    named: &impl Fn(&str) -> Result<AccountId, CliError>,
) -> Result<IssueLine, CliError> {
    let wrong = || {
        CliError::usage(text!(
            "`{line}` is no line of an allocation table",
            "`{line}` 不是分配表的一行"
        ))
        .hint(text!(
            "write ACCOUNT=TONNES; in a file: account, comma, tonnes",
            "请写 账户=吨数；文件中为：账户,吨数"
        ))
    };
    let (account, tonnes) = parts.ok_or_else(wrong)?;
    let tonnes: Tonnes = tonnes.trim().trim_matches('"').parse().map_err(|_| wrong())?;
    Ok(IssueLine { account: named(account.trim())?, tonnes })
}
