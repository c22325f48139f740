//! Joining cards of institutions into a genesis and a list of peers.

use std::collections::BTreeSet;
use std::path::PathBuf;

use cets_contracts::block::Validator;
use cets_contracts::genesis::{ClockRule, Genesis, GenesisAccount, GenesisParameter};
use cets_contracts::types::{BlockTime, BusinessDate, ChainId, PublicKey, Representative, Right};
use serde::{Deserialize, Serialize};

use super::{Card, INSTITUTION_THRESHOLDS};
use crate::error::CliError;
use crate::files::write_new_json;
use crate::keys::create_private_folder;
use crate::text;

/// Name of the file format.
const FORMAT: &str = "cets-peers/1";
/// The genesis document in a folder.
pub const GENESIS_FILE: &str = "genesis.json";
/// The list of peers beside it.
pub const PEERS_FILE: &str = "peers.json";

/// Where the nodes of a network call each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peers {
    format: String,
    /// The chain that they keep.
    pub chain: ChainId,
    /// One line for each node.
    pub nodes: Vec<Peer>,
}

/// Where one node is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Multiaddr of the consensus network with its peer id.
    pub consensus: String,
    /// Multiaddr of the gossip network with its peer id.
    pub gossip: String,
}

impl Peers {
    /// Refuses a list in another form, or of another chain.
    pub fn check(&self, chain: ChainId) -> Result<(), CliError> {
        if self.format == FORMAT && self.chain == chain {
            return Ok(());
        }
        let (found, format) = (self.chain, &self.format);
        Err(CliError::user(text!(
            "the list of peers ({format}) is of chain {found}, the genesis starts chain {chain}",
            "节点列表（{format}）属于链 {found}，而创世文件启动的是链 {chain}"
        ))
        .hint(text!(
            "take both from the same run of `cets network join`",
            "两者须取自同一次 `cets network join`"
        )))
    }
}

/// What network to join.
#[derive(Clone, Debug)]
pub struct JoinPlan {
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
    /// Cards in the order of the genesis.
    pub cards: Vec<Card>,
    /// First parameters.
    pub parameters: Vec<GenesisParameter>,
}

/// Writes the genesis and the list of peers that follow from cards. No secret passes here.
pub fn join_cards(plan: &JoinPlan) -> Result<(Genesis, Peers), CliError> {
    super::write::check_empty(&plan.folder)?;
    check_different(&plan.cards)?;
    let genesis = genesis(plan)?;
    genesis.state().map_err(|error| {
        CliError::user(text!("the genesis is not sound: {error}", "创世文件不成立：{error}"))
    })?;
    let peers = peers(&plan.cards, genesis.chain_id())?;
    create_private_folder(&plan.folder)?;
    write_new_json(&plan.folder.join(GENESIS_FILE), &genesis)?;
    write_new_json(&plan.folder.join(PEERS_FILE), &peers)?;
    Ok((genesis, peers))
}

/// Every institution has a name of its own, every key one purpose, every node an address.
fn check_different(cards: &[Card]) -> Result<(), CliError> {
    let (mut names, mut keys) = (BTreeSet::new(), BTreeSet::new());
    let mut addresses = BTreeSet::new();
    for card in cards {
        let name = card.institution()?.name;
        let mut addresses_of = card
            .node
            .iter()
            .flat_map(|node| [(node.host, node.consensus_port), (node.host, node.gossip_port)]);
        let keys_differ = card.public_keys().all(|key| keys.insert(key));
        if !keys_differ || !addresses_of.all(|address| addresses.insert(address)) {
            return Err(CliError::user(text!(
                "the card of {name} has a key or an address that stands on a card already",
                "{name} 的名片中有密钥或地址已出现在其他名片上"
            ))
            .hint(text!(
                "every institution makes its own: `cets network keys`",
                "各机构须自行生成：`cets network keys`"
            )));
        }
        if !names.insert(name.clone()) {
            return Err(CliError::user(text!(
                "two cards bear the name {name}",
                "有两张名片使用名称 {name}"
            )));
        }
    }
    Ok(())
}

fn genesis(plan: &JoinPlan) -> Result<Genesis, CliError> {
    let mut validators = Vec::new();
    let mut accounts = Vec::new();
    for card in &plan.cards {
        let institution = card.institution()?;
        if let Some(node) = &card.node {
            validators.push(Validator {
                name: institution.name.clone(),
                consensus_key: node.consensus_key,
                cosigner_key: node.cosigner_key,
                power: 1,
            });
        }
        accounts.push(GenesisAccount {
            role: institution.role,
            name: institution.name,
            credit_code: None,
            province: institution.province,
            representatives: card.representatives.iter().map(person).collect(),
            thresholds: INSTITUTION_THRESHOLDS,
        });
    }
    Ok(Genesis {
        network: plan.network.clone(),
        time: plan.time,
        business_date: plan.business_date,
        clock: plan.clock,
        block_interval_millis: plan.block_interval_millis,
        validators,
        accounts,
        parameters: plan.parameters.clone(),
    })
}

fn person(key: &PublicKey) -> Representative {
    Representative { key: *key, right: Right::InitiateAndApprove }
}

fn peers(cards: &[Card], chain: ChainId) -> Result<Peers, CliError> {
    let mut nodes = Vec::new();
    for card in cards {
        if let Some(node) = &card.node {
            nodes.push(Peer {
                name: card.institution()?.name,
                consensus: node.consensus_address(),
                gossip: node.gossip_address(),
            });
        }
    }
    Ok(Peers { format: FORMAT.to_owned(), chain, nodes })
}
