//! `cets network`: new networks.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use cets_contracts::genesis::{ClockRule, Genesis, GenesisParameter};
use cets_contracts::types::{BlockTime, BusinessDate};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::network_cards::{self, JoinArgs, KeysArgs, NodeArgs};
use crate::clock::now;
use crate::error::CliError;
use crate::files::read_json;
use crate::network::{Institution, Network, NetworkPlan, NodeFiles, role_name, write_network};
use crate::output::{Cell, Report, left};
use crate::session::Session;
use crate::text;

/// What to do with networks.
#[derive(Debug, Subcommand)]
pub enum NetworkCommand {
    /// Makes the keys of an institution's node and its public card
    Keys(KeysArgs),
    /// Joins public cards into a genesis and a list of the nodes
    Join(JoinArgs),
    /// Writes the configuration of the own node, after its card was found in the genesis
    Node(NodeArgs),
    /// Writes a whole network into one folder, for training and tests: one person has all keys
    Init(InitArgs),
    /// Shows what a genesis file starts, and its chain id
    Genesis {
        /// Genesis file
        file: PathBuf,
    },
}

/// How the business date moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Clock {
    /// It is the civil date (UTC+8) of block time
    CivilDate,
    /// It is set by order: replays, training, tests
    ByOrder,
}

impl Clock {
    /// The rule of a genesis.
    pub const fn rule(self) -> ClockRule {
        match self {
            Self::CivilDate => ClockRule::CivilDate,
            Self::ByOrder => ClockRule::ByOrder,
        }
    }
}

/// Arguments of `cets network init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Folder to write; must not exist or be empty
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
    /// Institutions with a node and an account: NAME:ROLE or NAME:province:PROVINCE
    #[arg(long, value_name = "LIST", value_delimiter = ',', required = true)]
    institutions: Vec<Institution>,
    /// Institutions with an account and no node
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    accounts: Vec<Institution>,
    /// Name of the network
    #[arg(long, value_name = "NAME", default_value = "cets")]
    network: String,
    /// How the business date moves; decided once and for ever
    #[arg(long, value_name = "RULE", default_value = "civil-date")]
    clock: Clock,
    /// First business date [default: today in UTC+8]
    #[arg(long, value_name = "DATE")]
    business_date: Option<BusinessDate>,
    /// File with the first parameters, as JSON
    #[arg(long, value_name = "FILE")]
    parameters: Option<PathBuf>,
    /// Least time between blocks in milliseconds
    #[arg(long, value_name = "MILLIS", default_value_t = 500)]
    block_interval: u32,
    /// Address on which all nodes listen
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    host: IpAddr,
    /// First port; nodes are ten apart [default: free ports]
    #[arg(long, value_name = "PORT")]
    base_port: Option<u16>,
}

/// Runs `cets network`.
pub fn run(command: NetworkCommand, session: &mut Session<'_>) -> Result<Report, CliError> {
    match command {
        NetworkCommand::Keys(args) => network_cards::keys(&args, session),
        NetworkCommand::Join(args) => network_cards::join(&args),
        NetworkCommand::Node(args) => network_cards::node(&args),
        NetworkCommand::Init(args) => init(&args, session),
        NetworkCommand::Genesis { file } => genesis(&file),
    }
}

fn init(args: &InitArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let time = now()?;
    let parameters: Vec<GenesisParameter> = match &args.parameters {
        Some(path) => read_json(path)?,
        None => Vec::new(),
    };
    let given = session.password_file_argument().is_some() || session.has_password_descriptor();
    let passphrase = match given {
        true => Some(session.passphrases().fresh(&args.network, session.lang())?),
        false => None,
    };
    let plan = NetworkPlan {
        folder: std::path::absolute(&args.folder)
            .map_err(|error| CliError::file(&args.folder, &error))?,
        network: args.network.clone(),
        time,
        business_date: args.business_date.unwrap_or_else(|| time.civil_date()),
        clock: args.clock.rule(),
        block_interval_millis: args.block_interval,
        nodes: args.institutions.clone(),
        accounts: args.accounts.clone(),
        parameters,
        host: args.host,
        base_port: args.base_port,
        passphrase,
    };
    let network = write_network(&plan)?;
    let path = network.passphrase_path.display();
    session.notice(&text!(
        "All keys of all institutions are here and opened by the first line of {path}: for \
         training and tests. In a real network every institution runs `cets network keys`.",
        "全部机构的密钥均在此处，由 {path} 首行的口令打开：仅供培训与测试。\
         正式网络由各机构自行运行 `cets network keys`。"
    ));
    Ok(written(&plan, &network))
}

fn written(plan: &NetworkPlan, network: &Network) -> Report {
    let chain = network.genesis.chain_id();
    let institutions = plan.nodes.iter().chain(&plan.accounts);
    let lines = institutions.zip(&network.accounts).enumerate();
    let rows = lines.clone().map(|(index, (one, (name, account)))| {
        let node = network.nodes.get(index);
        vec![
            Cell::same(name),
            Cell::same(role_name(one.role)),
            Cell::same(account),
            Cell::same(node.map(NodeFiles::address).unwrap_or_default()),
            Cell::same(node.map(|node| node.config_path.display().to_string()).unwrap_or_default()),
        ]
    });
    let json = lines.map(|(index, (one, (name, account)))| {
        let node = network.nodes.get(index);
        json!({
            "name": name,
            "role": role_name(one.role),
            "account": account,
            "node": node.map(NodeFiles::address),
            "config": node.map(|node| node.config_path.clone()),
        })
    });
    let columns = vec![
        left(text!("institution", "机构")),
        left(text!("role", "角色")),
        left(text!("account", "账户")),
        left(text!("node", "节点")),
        left(text!("configuration", "配置")),
    ];
    let home = network.client_home.display();
    Report::new(json!({
        "network": plan.network,
        "chain": chain,
        "genesis": network.genesis_path,
        "client_home": network.client_home,
        "passphrase_file": network.passphrase_path,
        "institutions": json.collect::<Vec<_>>(),
    }))
    .line(text!("Chain {chain}", "链 {chain}"))
    .rows(columns, rows.collect())
    .line(text!(
        "Start a node: cetsd run --config CONFIGURATION. Talk to it: cets --home {home} status",
        "启动节点：cetsd run --config 配置。连接节点：cets --home {home} status"
    ))
}

/// Reads a genesis file and checks that it starts a ledger.
pub fn read_genesis(path: &Path) -> Result<Genesis, CliError> {
    let genesis: Genesis = read_json(path)?;
    genesis.state().map_err(|error| {
        let path = path.display();
        CliError::user(text!("{path} starts no ledger: {error}", "{path} 无法启动账本：{error}"))
    })?;
    Ok(genesis)
}

fn genesis(path: &Path) -> Result<Report, CliError> {
    let genesis = read_genesis(path)?;
    let chain = genesis.chain_id();
    let facts = vec![
        (text!("network", "网络"), Cell::same(&genesis.network)),
        (text!("chain", "链"), Cell::same(chain)),
        (text!("time", "时间"), Cell::same(time_text(genesis.time))),
        (text!("business date", "业务日期"), Cell::same(genesis.business_date)),
        (
            text!("clock", "日期规则"),
            match genesis.clock {
                ClockRule::CivilDate => text!("civil date", "自然日"),
                ClockRule::ByOrder => text!("by order", "按指令"),
            }
            .into(),
        ),
        (text!("parameters", "参数"), Cell::number(genesis.parameters.len())),
    ];
    let columns = vec![
        left(text!("institution", "机构")),
        left(text!("role", "角色")),
        left(text!("account", "账户")),
        left(text!("validator", "验证节点")),
    ];
    let rows = genesis.accounts.iter().zip(genesis.account_ids()).map(|(account, id)| {
        let votes = genesis.validators.iter().any(|one| one.name == account.name);
        let validator = if votes { text!("yes", "是") } else { text!("no", "否") };
        vec![
            Cell::same(&account.name),
            Cell::same(role_name(account.role)),
            Cell::same(id),
            validator.into(),
        ]
    });
    let rows = rows.collect();
    Ok(Report::new(json!({ "chain": chain, "genesis": genesis })).facts(facts).rows(columns, rows))
}

fn time_text(time: BlockTime) -> String {
    crate::clock::time_text(time)
}
