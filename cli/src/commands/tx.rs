//! `cets tx`: transactions of every kind, step by step and offline.

use std::path::PathBuf;

use cets_contracts::rules::{Payload, RULES, RuleEntry};
use cets_contracts::types::{ChainId, TxId};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::clock::duration_millis;
use crate::error::CliError;
use crate::files::read_json;
use crate::network::role_name;
use crate::orders::{
    OrderArgs, TransactionDocument, WaitArgs, body_facts, carry_out, chain_id, document_report,
    finalised_report, new_body, open_keys, send, signers, signing_keys,
};
use crate::output::{Cell, OutputForm, Report, left, right};
use crate::session::Session;
use crate::text;

/// What to do with transactions.
#[derive(Debug, Subcommand)]
pub enum TxCommand {
    /// Builds an unsigned transaction file from an order; needs no node when the chain is known
    Build(BuildArgs),
    /// Adds signatures to a transaction file; shows what is signed
    Sign {
        /// Transaction file
        file: PathBuf,
        /// Key that signs: name or file; may be given several times [default: the account's]
        #[arg(long, value_name = "KEY")]
        key: Vec<String>,
        /// New file for the signed transaction [default: the file itself]
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Signs without asking
        #[arg(long, short)]
        yes: bool,
    },
    /// Sends a signed transaction file and waits for its final answer
    Submit {
        /// Transaction file
        file: PathBuf,
        /// How to wait for the answer.
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Builds, signs and sends an order from a file in one step
    Send {
        /// File with the order as JSON; `-` for standard input
        payload: PathBuf,
        /// Who acts, and how far to go.
        #[command(flatten)]
        order: OrderArgs,
    },
    /// Shows a transaction file, or a transaction of the ledger by its identifier
    Show {
        /// Transaction file or identifier
        transaction: String,
    },
    /// Lists the rules: every kind of transaction, who may send it, how many people sign
    ListRules,
    /// Prints an example order of a rule, to be edited
    Example {
        /// Name of the rule
        rule: String,
    },
}

/// Arguments of `cets tx build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// File with the order as JSON; `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "rule", required_unless_present = "rule")]
    payload: Option<PathBuf>,
    /// Takes the example order of a rule
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Account that acts: number or name [default: the context's]
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Key that will sign: name, file or public key; several times for several people [default:
    /// the account's]
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
    /// Chain it is for [default: the context's, else the node's]
    #[arg(long, value_name = "HEX")]
    chain: Option<ChainId>,
    /// How long it may wait to be ordered, at most 24h
    #[arg(long, value_name = "DURATION", default_value = "20h", value_parser = duration_millis)]
    valid_for: u64,
    /// New file for the transaction
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
}

/// Runs `cets tx`.
pub fn run(command: TxCommand, session: &mut Session<'_>) -> Result<Report, CliError> {
    match command {
        TxCommand::Build(args) => build(&args, session),
        TxCommand::Sign { file, key, out, yes } => {
            let mut document = TransactionDocument::read(&file)?;
            sign_document(&mut document, &key, yes, session)?;
            match &out {
                Some(path) => document.write_new(path)?,
                None => document.replace(&file)?,
            }
            Ok(document_report(&document, &out.unwrap_or(file)))
        }
        TxCommand::Submit { file, wait } => {
            let transaction = TransactionDocument::read(&file)?.into_transaction()?;
            let account = transaction.body.account;
            // Whoever holds a key of the account reads the whole answer; others may send, too.
            let own = signing_keys(session, account, &[]).ok();
            let own = own.filter(|_| session.passphrases().is_ready());
            let node = match own {
                Some(keys) => session.node_for(account, &keys)?,
                None => session.node()?,
            };
            send(session, &node, &transaction, &wait)
        }
        TxCommand::Send { payload, order } => carry_out(session, read_json(&payload)?, &order),
        TxCommand::Show { transaction } => show(&transaction, session),
        TxCommand::ListRules => Ok(list_rules()),
        TxCommand::Example { rule } => {
            let payload = (rule_named(&rule)?.example)();
            Ok(Report::raw(crate::output::json_text(&json!(payload))))
        }
    }
}

/// The rule of a name.
pub fn rule_named(name: &str) -> Result<&'static RuleEntry, CliError> {
    let plain = name.replace('-', "_");
    RULES.iter().find(|rule| rule.name == plain).copied().ok_or_else(|| {
        CliError::user(text!("no rule is called `{name}`", "没有名为 `{name}` 的规则"))
            .hint(text!("`cets tx list-rules` shows them", "`cets tx list-rules` 列出全部规则"))
    })
}

fn build(args: &BuildArgs, session: &Session<'_>) -> Result<Report, CliError> {
    let payload: Payload = match (&args.payload, &args.rule) {
        (Some(path), _) => read_json(path)?,
        (None, Some(rule)) => (rule_named(rule)?.example)(),
        (None, None) => {
            return Err(CliError::usage(text!("which order?", "未指明业务")));
        }
    };
    let account = session.acting_account(args.account.as_deref())?;
    let chain = args.chain.map_or_else(|| chain_id(session), Ok)?;
    let signers = signers(session, &signing_keys(session, account, &args.key)?)?;
    let document =
        TransactionDocument::new(new_body(chain, account, signers, payload, args.valid_for)?);
    document.write_new(&args.out)?;
    Ok(document_report(&document, &args.out))
}

fn sign_document(
    document: &mut TransactionDocument,
    given: &[String],
    yes: bool,
    session: &mut Session<'_>,
) -> Result<(), CliError> {
    let keys = signing_keys(session, document.body().account, given)?;
    if session.is_interactive() && !yes {
        let shown = Report::new(json!(null)).facts(body_facts(document.body()));
        session.show(&shown.render(OutputForm::Table, session.lang(), session.width()));
        let id = document.id();
        session.confirm(&text!("Sign transaction {id}?", "签名交易 {id}？"))?;
    }
    for key in open_keys(session, &keys)? {
        document.sign(&key)?;
    }
    Ok(())
}

fn show(transaction: &str, session: &Session<'_>) -> Result<Report, CliError> {
    let path = PathBuf::from(transaction);
    if path.exists() {
        return Ok(document_report(&TransactionDocument::read(&path)?, &path));
    }
    let id: TxId = transaction.parse().map_err(|_| {
        CliError::usage(text!(
            "`{transaction}` is neither a file nor a transaction number of 64 hexadecimal digits",
            "`{transaction}` 既不是文件，也不是 64 位十六进制的交易号"
        ))
    })?;
    Ok(finalised_report(&session.node()?.transaction(id)?, session.lang()))
}

fn list_rules() -> Report {
    let columns = vec![
        right(text!("tag", "编号")),
        left(text!("rule", "规则")),
        left(text!("module", "模块")),
        left(text!("who may send it", "可发起角色")),
        right(text!("people", "最少人数")),
    ];
    let roles = |rule: &RuleEntry| {
        let names: Vec<&str> = rule.authority.roles.iter().map(|role| role_name(*role)).collect();
        names
    };
    let rows = RULES.iter().map(|rule| {
        vec![
            Cell::number(rule.tag),
            Cell::same(rule.name),
            Cell::same(rule.module),
            Cell::same(roles(rule).join(", ")),
            Cell::number(rule.authority.people_min),
        ]
    });
    let json: Vec<_> = RULES
        .iter()
        .map(|rule| {
            json!({
                "tag": rule.tag,
                "name": rule.name,
                "module": rule.module,
                "roles": roles(rule),
                "people_min": rule.authority.people_min,
                "example": (rule.example)(),
            })
        })
        .collect();
    Report::new(json!({ "rules": json })).rows(columns, rows.collect())
}
