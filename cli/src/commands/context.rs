//! `cets context`: which ledger, which nodes, which account.

use std::path::PathBuf;

use cets_contracts::types::{AccountId, ChainId};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::config::{Config, Context, ContextChange};
use crate::error::CliError;
use crate::output::{Cell, Report, left};
use crate::session::Session;
use crate::text;

/// What to do with contexts.
#[derive(Debug, Subcommand)]
pub enum ContextCommand {
    /// Lists the contexts; the current one is marked
    List,
    /// Makes a context current
    Use {
        /// Name of the context
        name: String,
    },
    /// Makes or changes a context; what is not given stays as it is
    Set(SetArgs),
    /// Shows a context, else the current one
    Show {
        /// Name of the context
        name: Option<String>,
    },
    /// Removes a context
    Remove {
        /// Name of the context
        name: String,
    },
    /// Gives an account a name that can be used wherever its number can
    NameAccount {
        /// The name
        name: String,
        /// The account
        account: AccountId,
    },
}

/// Arguments of `cets context set`; `--node` is the global option.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// Name of the context
    name: String,
    /// Chain that the nodes must be of
    #[arg(long, value_name = "HEX")]
    chain: Option<ChainId>,
    /// Genesis file of the chain
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Account that acts unless another is named
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Key that signs unless others are named; may be given several times
    #[arg(long, value_name = "NAME")]
    key: Vec<String>,
    /// Certificate authority (PEM) of the nodes' TLS certificates
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
}

/// Runs `cets context`.
pub fn run(command: ContextCommand, session: &mut Session<'_>) -> Result<Report, CliError> {
    let home = session.home();
    match command {
        ContextCommand::List => Ok(list(session.config())),
        ContextCommand::Use { name } => Ok(list(&home.use_context(&name)?)),
        ContextCommand::Set(args) => {
            let change = change_of(&args, session)?;
            let config = home.set_context(&args.name, &change)?;
            one(&config, Some(&args.name))
        }
        ContextCommand::Show { name } => {
            one(session.config(), name.as_deref().or(session.context_name()))
        }
        ContextCommand::Remove { name } => Ok(list(&home.remove_context(&name)?)),
        ContextCommand::NameAccount { name, account } => {
            let config = home.name_account(&name, &account.to_string())?;
            let columns = vec![left(text!("name", "名称")), left(text!("account", "账户"))];
            let rows = config
                .accounts
                .iter()
                .map(|(name, account)| vec![Cell::same(name), Cell::same(account)])
                .collect();
            Ok(Report::new(json!({ "accounts": config.accounts })).rows(columns, rows))
        }
    }
}

/// The change that the arguments ask for; files are kept with absolute paths.
fn change_of(args: &SetArgs, session: &Session<'_>) -> Result<ContextChange, CliError> {
    let file = |path: &PathBuf| {
        let path = std::path::absolute(path).map_err(|error| CliError::file(path, &error))?;
        Ok(path.display().to_string())
    };
    let mut entries = Vec::new();
    if let Some(chain) = args.chain {
        entries.push(("chain", chain.to_string()));
    }
    if let Some(account) = &args.account {
        entries.push(("account", account.clone()));
    }
    if let Some(genesis) = &args.genesis {
        entries.push(("genesis", file(genesis)?));
    }
    if let Some(authority) = &args.tls_ca {
        entries.push(("tls_ca", file(authority)?));
    }
    if let Some(password_file) = session.password_file_argument() {
        entries.push(("password_file", file(&password_file)?));
    }
    Ok(ContextChange {
        nodes: session.node_arguments(),
        keys: (!args.key.is_empty()).then(|| args.key.clone()),
        entries,
    })
}

fn list(config: &Config) -> Report {
    let columns = vec![
        left(text!("current", "当前")),
        left(text!("name", "名称")),
        left(text!("nodes", "节点")),
        left(text!("account", "账户")),
    ];
    let rows = config
        .contexts
        .iter()
        .map(|(name, context)| {
            let current = config.current.as_ref() == Some(name);
            vec![
                Cell::same(if current { "*" } else { "" }),
                Cell::same(name),
                Cell::same(context.nodes.join(" ")),
                Cell::same(context.account.as_deref().unwrap_or_default()),
            ]
        })
        .collect();
    Report::new(json!({ "current": config.current, "contexts": config.contexts }))
        .rows(columns, rows)
}

fn one(config: &Config, name: Option<&str>) -> Result<Report, CliError> {
    let (name, context) = config.context(name)?;
    let Some(name) = name else {
        return Err(CliError::user(text!("no context is current", "尚未选择当前上下文")).hint(
            text!(
                "`cets context set NAME --node ADDRESS` makes one",
                "`cets context set 名称 --node 地址` 可新建上下文"
            ),
        ));
    };
    let Context { nodes, chain, genesis, account, keys, tls_ca, password_file, plaintext } =
        &context;
    let path = |path: &Option<PathBuf>| {
        Cell::same(path.as_ref().map(|path| path.display().to_string()).unwrap_or_default())
    };
    let mut facts = vec![
        (text!("name", "名称"), Cell::same(&name)),
        (text!("nodes", "节点"), Cell::same(nodes.join(" "))),
        (
            text!("chain", "链"),
            Cell::same(chain.map(|chain| chain.to_string()).unwrap_or_default()),
        ),
        (text!("genesis", "创世文件"), path(genesis)),
        (text!("account", "账户"), Cell::same(account.as_deref().unwrap_or_default())),
        (text!("keys", "密钥"), Cell::same(keys.join(" "))),
        (text!("TLS authority", "TLS 证书机构"), path(tls_ca)),
        (text!("passphrase file", "口令文件"), path(password_file)),
    ];
    if *plaintext {
        let trusted = text!("trusted with tokens", "可传递令牌");
        facts.push((text!("plaintext", "明文连接"), trusted.into()));
    }
    Ok(Report::new(json!({ "name": name, "context": context })).facts(facts))
}
