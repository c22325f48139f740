//! `cets network keys`, `join` and `node`: a network of institutions that keep their own keys.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use cets_contracts::genesis::Genesis;
use cets_contracts::types::{BusinessDate, PublicKey};
use clap::Args;
use serde_json::json;

use super::network::{Clock, read_genesis};
use crate::clock::now;
use crate::error::CliError;
use crate::files::read_json;
use crate::network::{
    CARD_FILE, Card, CardPlan, GENESIS_FILE, Institution, JoinPlan, PEERS_FILE, Peers, join_cards,
    make_card, role_name, write_node,
};
use crate::orders::named_public_key;
use crate::output::{Cell, Report, left};
use crate::session::Session;
use crate::text;

/// Arguments of `cets network keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {
    /// Who it is: NAME:ROLE or NAME:province:PROVINCE
    institution: Institution,
    /// Folder for the keys and the card; must not exist or be empty
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
    /// Who acts for its account: name or file of a key, or a public key; at least two
    #[arg(long = "representative", value_name = "KEY", required = true)]
    representatives: Vec<String>,
    /// IP address on which the other nodes call this institution's node
    #[arg(long, value_name = "IP", required_unless_present = "no_node")]
    host: Option<IpAddr>,
    /// Port of the consensus network; gossip and clients take the two behind it
    #[arg(long, value_name = "PORT", default_value_t = 26_656)]
    base_port: u16,
    /// The institution has an account and no node
    #[arg(long, conflicts_with = "host")]
    no_node: bool,
}

/// Arguments of `cets network join`.
#[derive(Debug, Args)]
pub struct JoinArgs {
    /// Cards of the institutions, in the order of the genesis
    #[arg(required = true, value_name = "CARD")]
    cards: Vec<PathBuf>,
    /// Folder to write; must not exist or be empty
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
    /// Name of the network
    #[arg(long, value_name = "NAME")]
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
}

/// Arguments of `cets network node`.
#[derive(Debug, Args)]
pub struct NodeArgs {
    /// Folder of the keys, as `cets network keys` wrote it
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
    /// Genesis file of the network
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// List of the nodes of the network
    #[arg(long, value_name = "FILE")]
    peers: PathBuf,
    /// Address and port for clients [default: this machine, the third port]
    #[arg(long, value_name = "IP:PORT")]
    api: Option<SocketAddr>,
}

/// Runs `cets network keys`.
pub fn keys(args: &KeysArgs, session: &Session<'_>) -> Result<Report, CliError> {
    let representatives = args.representatives.iter().map(|key| named_public_key(session, key));
    let given = session.password_file_argument().is_some() || session.has_password_descriptor();
    let passphrase = match given && args.host.is_some() {
        true => Some(session.passphrases().fresh(&args.institution.name, session.lang())?),
        false => None,
    };
    let card = make_card(&CardPlan {
        folder: absolute(&args.folder)?,
        institution: args.institution.clone(),
        representatives: representatives.collect::<Result<Vec<PublicKey>, CliError>>()?,
        node: args.host.map(|host| (host, args.base_port)),
        passphrase,
    })?;
    let path = args.folder.join(CARD_FILE);
    let digest = card.digest()?;
    let facts = vec![
        (text!("institution", "机构"), Cell::same(&args.institution)),
        (text!("card", "名片"), Cell::same(path.display())),
        (text!("digest of the card", "名片摘要"), Cell::same(digest)),
    ];
    Ok(Report::new(json!({ "card": card, "file": path, "digest": digest })).facts(facts).line(text!(
        "Send the card to the coordinator and compare its digest on another way. All other files \
         of the folder are secret and stay here.",
        "请将名片交给协调方，并通过另一渠道核对摘要。目录中其他文件均须保密，不得外传。"
    )))
}

/// Runs `cets network join`.
pub fn join(args: &JoinArgs) -> Result<Report, CliError> {
    let time = now()?;
    let cards: Vec<Card> =
        args.cards.iter().map(|path| Card::read(path)).collect::<Result<_, _>>()?;
    let plan = JoinPlan {
        folder: absolute(&args.folder)?,
        network: args.network.clone(),
        time,
        business_date: args.business_date.unwrap_or_else(|| time.civil_date()),
        clock: args.clock.rule(),
        block_interval_millis: args.block_interval,
        parameters: match &args.parameters {
            Some(path) => read_json(path)?,
            None => Vec::new(),
        },
        cards,
    };
    let (genesis, _) = join_cards(&plan)?;
    joined(&plan, &genesis)
}

fn joined(plan: &JoinPlan, genesis: &Genesis) -> Result<Report, CliError> {
    let chain = genesis.chain_id();
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    for (card, account) in plan.cards.iter().zip(genesis.account_ids()) {
        let institution = card.institution()?;
        let digest = card.digest()?;
        let node = card.node.as_ref().map(|node| node.consensus_address());
        lines.push(json!({
            "name": institution.name,
            "role": role_name(institution.role),
            "account": account,
            "node": node,
            "card_digest": digest,
        }));
        rows.push(vec![
            Cell::same(institution.name),
            Cell::same(role_name(institution.role)),
            Cell::same(account),
            Cell::same(card.node.as_ref().map(|node| node.host.to_string()).unwrap_or_default()),
            Cell::same(digest),
        ]);
    }
    let columns = vec![
        left(text!("institution", "机构")),
        left(text!("role", "角色")),
        left(text!("account", "账户")),
        left(text!("node", "节点")),
        left(text!("digest of the card", "名片摘要")),
    ];
    let (genesis_path, peers_path) = (plan.folder.join(GENESIS_FILE), plan.folder.join(PEERS_FILE));
    let shown = (genesis_path.display(), peers_path.display());
    Ok(Report::new(json!({
        "network": plan.network,
        "chain": chain,
        "genesis": genesis_path,
        "peers": peers_path,
        "institutions": lines,
    }))
    .line(text!("Chain {chain}", "链 {chain}"))
    .rows(columns, rows)
    .line(text!(
        "Compare every digest with its institution, then send {0} and {1} to all of them; each \
         runs `cets network node`.",
        "请与各机构核对摘要，再将 {0} 与 {1} 发给全体；各机构运行 `cets network node`。",
        shown.0,
        shown.1
    )))
}

/// Runs `cets network node`.
pub fn node(args: &NodeArgs) -> Result<Report, CliError> {
    let genesis = read_genesis(&args.genesis)?;
    let peers: Peers = read_json(&args.peers)?;
    let path = write_node(&absolute(&args.folder)?, &genesis, &peers, args.api)?;
    let chain = genesis.chain_id();
    let shown = path.display();
    Ok(Report::new(json!({ "config": path, "chain": chain, "nodes": peers.nodes.len() }))
        .facts(vec![
            (text!("chain", "链"), Cell::same(chain)),
            (text!("configuration", "配置"), Cell::same(&shown)),
            (text!("nodes", "节点"), Cell::number(peers.nodes.len())),
        ])
        .line(text!(
            "Compare the chain with the other institutions, then: \
             cetsd check-config --config {shown}",
            "请与其他机构核对链标识，然后运行：cetsd check-config --config {shown}"
        )))
}

fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path).map_err(|error| CliError::file(path, &error))
}
