//! `cets parameter`: what the law leaves to an authority.

use cets_contracts::rules::governance::set_parameter::SetParameter;
use cets_contracts::state::ParameterName;
use cets_contracts::types::{BusinessDate, Vintage};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::error::CliError;
use crate::network::role_name;
use crate::orders::{OrderArgs, carry_out};
use crate::output::{Cell, Report, left, right};
use crate::session::Session;
use crate::text;

/// What to do with parameters.
#[derive(Debug, Subcommand)]
pub enum ParameterCommand {
    /// Lists all versions of all parameters
    List,
    /// Lists the parameters that exist: unit, limits, who sets them, article
    Names,
    /// Sets a parameter from a day on
    Set(SetArgs),
}

/// Arguments of `cets parameter set`.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// Name, for example issue_cap
    name: String,
    /// Value in the parameter's unit
    #[arg(value_parser = whole_number)]
    value: i64,
    /// Compliance year [default: all years without a version of their own]
    #[arg(long, value_name = "YEAR")]
    year: Option<Vintage>,
    /// First day of validity [default: the ledger's business date]
    #[arg(long, value_name = "DATE")]
    valid_from: Option<BusinessDate>,
    /// Article or notice that it comes from
    #[arg(long, value_name = "TEXT")]
    article: String,
    /// Who acts, and how far to go.
    #[command(flatten)]
    order: OrderArgs,
}

/// A whole number, with or without commas between its groups.
fn whole_number(text: &str) -> Result<i64, String> {
    text.replace(',', "").parse().map_err(|_| "not a whole number; 5,000,000, for example".into())
}

/// Runs `cets parameter`.
pub fn run(command: ParameterCommand, session: &mut Session<'_>) -> Result<Report, CliError> {
    match command {
        ParameterCommand::List => list(session),
        ParameterCommand::Names => Ok(names()),
        ParameterCommand::Set(args) => {
            let name = parameter_named(&args.name)?;
            let valid_from = match args.valid_from {
                Some(date) => date,
                None => business_date(session)?,
            };
            let order = SetParameter {
                name,
                year: args.year,
                valid_from,
                value: args.value,
                article: args.article.clone(),
            };
            carry_out(session, order.into(), &args.order)
        }
    }
}

fn business_date(session: &Session<'_>) -> Result<BusinessDate, CliError> {
    let date = session.node()?.status().business_date.clone();
    date.parse().map_err(|_| {
        CliError::user(text!("the node's business date is `{date}`", "节点的业务日期为 `{date}`"))
    })
}

/// The parameter of a name.
pub fn parameter_named(name: &str) -> Result<ParameterName, CliError> {
    let plain = name.replace('-', "_");
    ParameterName::ALL.iter().find(|known| known.name() == plain).copied().ok_or_else(|| {
        CliError::usage(text!("no parameter is called `{name}`", "没有名为 `{name}` 的参数"))
            .hint(text!("`cets parameter names` lists them", "`cets parameter names` 列出全部参数"))
    })
}

fn list(session: &Session<'_>) -> Result<Report, CliError> {
    let lines = session.node()?.parameters()?;
    let columns = vec![
        left(text!("parameter", "参数")),
        left(text!("year", "年度")),
        left(text!("valid from", "生效日")),
        right(text!("value", "取值")),
        left(text!("unit", "单位")),
        left(text!("article", "依据")),
    ];
    let name = |line: &crate::client::ParameterLine| {
        line.name().map_or_else(|| line.tag.to_string(), |name| name.name().to_owned())
    };
    let rows = lines.iter().map(|line| {
        let year = line.year.map_or_else(|| text!("all", "全部"), crate::text::Text::same);
        vec![
            Cell::same(name(line)),
            year.into(),
            Cell::same(line.valid_from),
            Cell::number(line.version.value),
            Cell::same(line.name().map_or("", ParameterName::unit)),
            Cell::same(&line.version.article),
        ]
    });
    let json: Vec<_> = lines
        .iter()
        .map(|line| {
            json!({
                "name": name(line),
                "year": line.year,
                "valid_from": line.valid_from,
                "value": line.version.value,
                "article": line.version.article,
                "set_by": line.version.set_by,
            })
        })
        .collect();
    Ok(Report::new(json!({ "parameters": json })).rows(columns, rows.collect()))
}

fn names() -> Report {
    let columns = vec![
        left(text!("parameter", "参数")),
        left(text!("unit", "单位")),
        right(text!("from", "下限")),
        right(text!("to", "上限")),
        left(text!("set by", "设定者")),
        left(text!("article", "依据")),
    ];
    let all = ParameterName::ALL;
    let rows = all.iter().map(|name| {
        let (min, max) = name.limits();
        vec![
            Cell::same(name.name()),
            Cell::same(name.unit()),
            Cell::number(min),
            Cell::number(max),
            Cell::same(role_name(name.authority())),
            Cell::same(name.article()),
        ]
    });
    let json: Vec<_> = all
        .iter()
        .map(|name| {
            let (min, max) = name.limits();
            json!({
                "name": name.name(),
                "unit": name.unit(),
                "min": min,
                "max": max,
                "set_by": role_name(name.authority()),
                "article": name.article(),
            })
        })
        .collect();
    Report::new(json!({ "parameters": json })).rows(columns, rows.collect())
}
