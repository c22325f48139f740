//! Writes the folder of a new network.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use cets_contracts::block::Validator;
use cets_contracts::genesis::{ClockRule, Genesis, GenesisAccount, GenesisParameter};
use cets_contracts::types::{
    AccountId, BlockTime, BusinessDate, PublicKey, Representative, Right, Thresholds,
};
use ed25519_dalek::SigningKey;
use rayon::prelude::*;

use super::ports::{NodePorts, ports};
use super::{Api, Institution, KeyPaths, NodeConfig, Swarm, peer_id};
use crate::config::{Config, Context};
use crate::error::CliError;
use crate::files::write_new_json;
use crate::keys::{
    KeyStore, Passphrase, PublicHalf, create_private_folder, encrypt_key, generate_key, key_error,
    write_new_file,
};
use crate::text;

/// People of institutions per class of operation: one runs the day, two do everything else.
pub const INSTITUTION_THRESHOLDS: Thresholds =
    Thresholds { operation: 1, administration: 2, transfer: 2, compliance: 2 };
/// Representatives that every institution starts with.
pub const REPRESENTATIVES: usize = 2;

/// Names of other things in the folder of a network.
const RESERVED_NAMES: [&str; 3] = ["client", "genesis.json", "passphrase"];

/// What network to make.
#[derive(Clone, Debug)]
pub struct NetworkPlan {
    /// Folder to write; must not exist or be empty.
    pub folder: PathBuf,
    /// Name of the network.
    pub network: String,
    /// Genesis time.
    pub time: BlockTime,
    /// First business date.
    pub business_date: BusinessDate,
    /// Whether the business date follows the clock.
    pub clock: ClockRule,
    /// Least time between blocks in milliseconds.
    pub block_interval_millis: u32,
    /// Institutions that run a node and have an account.
    pub nodes: Vec<Institution>,
    /// Institutions that have an account only.
    pub accounts: Vec<Institution>,
    /// First parameters.
    pub parameters: Vec<GenesisParameter>,
    /// Address on which all nodes listen.
    pub host: IpAddr,
    /// First port; free ports when missing.
    pub base_port: Option<u16>,
    /// Opens all keys; generated when missing.
    pub passphrase: Option<Passphrase>,
}

/// A network that was written.
#[derive(Clone, Debug)]
pub struct Network {
    /// The genesis document.
    pub genesis: Genesis,
    /// Its file.
    pub genesis_path: PathBuf,
    /// Nodes in the order of the plan.
    pub nodes: Vec<NodeFiles>,
    /// Home directory for `cets`.
    pub client_home: PathBuf,
    /// File whose first line opens all keys.
    pub passphrase_path: PathBuf,
    /// Opens all keys.
    pub passphrase: Passphrase,
    /// Account of each institution, in the order of the plan: nodes, then accounts.
    pub accounts: Vec<(String, AccountId)>,
    /// Keys of the representatives, in the same order.
    pub representatives: Vec<Vec<SigningKey>>,
}

/// One node of a new network.
#[derive(Clone, Debug)]
pub struct NodeFiles {
    /// Name.
    pub name: String,
    /// `node.toml`.
    pub config_path: PathBuf,
    /// Where clients call it.
    pub api: SocketAddr,
}

impl NodeFiles {
    /// Address for `--node`.
    pub fn address(&self) -> String {
        format!("http://{}", self.api)
    }
}

/// Keys of one node.
struct NodeKeys {
    consensus: SigningKey,
    network: SigningKey,
    cosigner: SigningKey,
}

/// Writes genesis, keys and configurations.
///
/// All keys are made here and open with one passphrase: whoever runs this could sign for everybody.
/// A network of institutions that need not trust each other is joined from cards instead
/// ([`super::join_cards`]).
pub fn write_network(plan: &NetworkPlan) -> Result<Network, CliError> {
    check(plan)?;
    create_private_folder(&plan.folder)?;
    let institutions: Vec<&Institution> = plan.nodes.iter().chain(&plan.accounts).collect();
    let node_keys = make(plan.nodes.len(), || {
        Ok(NodeKeys { consensus: key()?, network: key()?, cosigner: key()? })
    })?;
    let representatives = make(institutions.len(), || make(REPRESENTATIVES, key))?;
    let genesis = genesis(plan, &node_keys, &institutions, &representatives);
    genesis.state().map_err(|error| {
        CliError::user(text!("the genesis is not sound: {error}", "创世文件不成立：{error}"))
    })?;
    let names = institutions.iter().map(|one| one.name.clone());
    let accounts: Vec<(String, AccountId)> = names.zip(genesis.account_ids()).collect();
    let ports = ports(plan.nodes.len(), plan.base_port)?;
    let nodes = node_files(plan, &ports);
    let network = Network {
        genesis_path: plan.folder.join("genesis.json"),
        client_home: plan.folder.join("client"),
        passphrase_path: plan.folder.join("passphrase"),
        passphrase: plan.passphrase.clone().map_or_else(fresh_passphrase, Ok)?,
        genesis,
        nodes,
        accounts,
        representatives,
    };
    write(&network.passphrase_path, &[network.passphrase.as_bytes(), b"\n"].concat())?;
    write_new_json(&network.genesis_path, &network.genesis)?;
    write_nodes(plan, &network, &node_keys, &ports)?;
    write_client(plan, &network)?;
    Ok(network)
}

/// Refuses a folder that holds something.
pub(super) fn check_empty(folder: &Path) -> Result<(), CliError> {
    let empty = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if empty {
        return Ok(());
    }
    let folder = folder.display();
    Err(CliError::user(text!("{folder} is not empty", "{folder} 不是空目录"))
        .hint(text!("name a new folder", "请指定新目录")))
}

fn check(plan: &NetworkPlan) -> Result<(), CliError> {
    check_empty(&plan.folder)?;
    if plan.nodes.is_empty() {
        return Err(CliError::usage(text!(
            "a network has at least one node",
            "网络至少需要一个节点"
        )));
    }
    let mut names = std::collections::BTreeSet::from(RESERVED_NAMES);
    match plan.nodes.iter().chain(&plan.accounts).find(|one| !names.insert(one.name.as_str())) {
        Some(Institution { name, .. }) => Err(CliError::usage(text!(
            "the name {name} is taken: every institution needs its own",
            "名称 {name} 已被占用：各机构名称须互不相同"
        ))),
        None => Ok(()),
    }
}

fn make<T>(count: usize, one: impl Fn() -> Result<T, CliError>) -> Result<Vec<T>, CliError> {
    (0..count).map(|_| one()).collect()
}

pub(super) fn key() -> Result<SigningKey, CliError> {
    generate_key().map_err(|error| key_error("new", error))
}

pub(super) fn fresh_passphrase() -> Result<Passphrase, CliError> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|_| key_error("new", crate::keys::KeyFileError::NoRandomness))?;
    Ok(Passphrase::new(&hex::encode(bytes)))
}

pub(super) fn public(key: &SigningKey) -> PublicKey {
    PublicKey::new(key.verifying_key().to_bytes())
}

fn genesis(
    plan: &NetworkPlan,
    node_keys: &[NodeKeys],
    institutions: &[&Institution],
    representatives: &[Vec<SigningKey>],
) -> Genesis {
    let validators = plan.nodes.iter().zip(node_keys).map(|(node, keys)| Validator {
        name: node.name.clone(),
        consensus_key: public(&keys.consensus),
        cosigner_key: public(&keys.cosigner),
        power: 1,
    });
    let person =
        |key: &SigningKey| Representative { key: public(key), right: Right::InitiateAndApprove };
    let accounts = institutions.iter().zip(representatives).map(|(one, keys)| GenesisAccount {
        role: one.role,
        name: one.name.clone(),
        credit_code: None,
        province: one.province,
        representatives: keys.iter().map(person).collect(),
        thresholds: INSTITUTION_THRESHOLDS,
    });
    Genesis {
        network: plan.network.clone(),
        time: plan.time,
        business_date: plan.business_date,
        clock: plan.clock,
        block_interval_millis: plan.block_interval_millis,
        validators: validators.collect(),
        accounts: accounts.collect(),
        parameters: plan.parameters.clone(),
    }
}

fn node_folder(plan: &NetworkPlan, name: &str) -> PathBuf {
    plan.folder.join(name)
}

fn node_files(plan: &NetworkPlan, ports: &[NodePorts]) -> Vec<NodeFiles> {
    let files = plan.nodes.iter().zip(ports).map(|(node, ports)| NodeFiles {
        name: node.name.clone(),
        config_path: node_folder(plan, &node.name).join("node.toml"),
        api: SocketAddr::new(plan.host, ports.api),
    });
    files.collect()
}

/// Multiaddr of a port of a host.
pub(super) fn multiaddr(host: IpAddr, port: u16) -> String {
    match host {
        IpAddr::V4(host) => format!("/ip4/{host}/tcp/{port}"),
        IpAddr::V6(host) => format!("/ip6/{host}/tcp/{port}"),
    }
}

fn swarm(
    plan: &NetworkPlan,
    own: usize,
    keys: &[NodeKeys],
    ports: &[NodePorts],
    port: impl Fn(&NodePorts) -> u16,
) -> Swarm {
    let address = |ports: &NodePorts| multiaddr(plan.host, port(ports));
    let others = keys.iter().zip(ports).enumerate().filter(|(index, _)| *index != own);
    let peers = others.map(|(_, (keys, ports))| {
        let id = peer_id(public(&keys.network).as_bytes());
        format!("{}/p2p/{id}", address(ports))
    });
    Swarm { listen: ports.get(own).map(address).unwrap_or_default(), peers: peers.collect() }
}

fn write_nodes(
    plan: &NetworkPlan,
    network: &Network,
    node_keys: &[NodeKeys],
    ports: &[NodePorts],
) -> Result<(), CliError> {
    for (index, node) in network.nodes.iter().enumerate() {
        let config = NodeConfig {
            name: node.name.clone(),
            genesis: "../genesis.json".into(),
            data: "data".into(),
            keys: KeyPaths {
                consensus: "consensus.pem".into(),
                network: "network.pem".into(),
                cosigner: "cosigner.pem".into(),
                password_file: "../passphrase".into(),
            },
            consensus: swarm(plan, index, node_keys, ports, |ports| ports.consensus),
            gossip: swarm(plan, index, node_keys, ports, |ports| ports.gossip),
            api: Api { listen: node.api },
        };
        create_private_folder(&node_folder(plan, &node.name))?;
        let name = &plan.network;
        let heading = format!("# Node {} of network {name}.\n\n", node.name);
        write(&node.config_path, (heading + &toml_text(&config)?).as_bytes())?;
    }
    let pairs: Vec<(PathBuf, &SigningKey)> = network
        .nodes
        .iter()
        .zip(node_keys)
        .flat_map(|(node, keys)| {
            let folder = node_folder(plan, &node.name);
            [
                (folder.join("consensus.pem"), &keys.consensus),
                (folder.join("network.pem"), &keys.network),
                (folder.join("cosigner.pem"), &keys.cosigner),
            ]
        })
        .collect();
    pairs.par_iter().try_for_each(|(path, key)| {
        let name = path.display().to_string();
        let pem = encrypt_key(key, &network.passphrase).map_err(|error| key_error(&name, error))?;
        write(path, pem.as_bytes())
    })
}

/// Names of the keys of an institution's representatives.
pub fn representative_key_names(institution: &str) -> [String; REPRESENTATIVES] {
    [format!("{institution}-1"), format!("{institution}-2")]
}

fn write_client(plan: &NetworkPlan, network: &Network) -> Result<(), CliError> {
    let store = KeyStore::new(network.client_home.join("keys"));
    create_private_folder(store.folder())?;
    let people: Vec<(String, AccountId, &SigningKey)> = network
        .accounts
        .iter()
        .zip(&network.representatives)
        .flat_map(|((name, account), keys)| {
            let names = representative_key_names(name);
            names.into_iter().zip(keys).map(|(name, key)| (name, *account, key))
        })
        .collect();
    people.par_iter().try_for_each(|(name, account, key)| {
        store.insert(name, Some(*account), key, &network.passphrase).map(|_: PublicHalf| ())
    })?;
    let addresses: Vec<String> = network.nodes.iter().map(NodeFiles::address).collect();
    let mut config =
        Config { current: plan.nodes.first().map(|node| node.name.clone()), ..Config::default() };
    for (index, (name, account)) in network.accounts.iter().enumerate() {
        // An institution asks its own node first.
        let mut nodes = addresses.clone();
        if index < nodes.len() {
            nodes.rotate_left(index);
        }
        let context = Context {
            nodes,
            chain: Some(network.genesis.chain_id()),
            genesis: Some("../genesis.json".into()),
            account: Some(name.clone()),
            keys: representative_key_names(name).to_vec(),
            tls_ca: None,
            password_file: Some("../passphrase".into()),
            plaintext: false,
        };
        config.contexts.insert(name.clone(), context);
        config.accounts.insert(name.clone(), *account);
    }
    let heading = format!("# Desks of network {}: one context per institution.\n\n", plan.network);
    let text = heading + &toml_text(&config)?;
    write(&network.client_home.join("config.toml"), text.as_bytes())
}

pub(super) fn toml_text(value: &impl serde::Serialize) -> Result<String, CliError> {
    toml::to_string(value).map_err(|error| {
        CliError::bug(text!("a configuration is no TOML: {error}", "配置无法写成 TOML：{error}"))
    })
}

pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), CliError> {
    write_new_file(path, content).map_err(|error| key_error(&path.display().to_string(), error))
}
