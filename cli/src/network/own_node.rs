//! The configuration of an institution's own node in a network that was joined from cards.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use cets_contracts::genesis::Genesis;

use super::write::{multiaddr, toml_text, write};
use super::{
    Api, CARD_FILE, CONSENSUS_KEY_FILE, COSIGNER_KEY_FILE, Card, GENESIS_FILE, KeyPaths,
    NETWORK_KEY_FILE, NodeCard, NodeConfig, PASSPHRASE_FILE, Peer, Peers, Swarm,
};
use crate::error::CliError;
use crate::files::write_new_json;
use crate::text;

/// Writes `node.toml` and the genesis into the folder of the keys, after it has found the card of
/// the folder unchanged in the genesis and in the list of peers. Returns the path of `node.toml`.
pub fn write_node(
    folder: &Path,
    genesis: &Genesis,
    peers: &Peers,
    api: Option<SocketAddr>,
) -> Result<PathBuf, CliError> {
    let card = Card::read(&folder.join(CARD_FILE))?;
    let name = card.institution()?.name;
    let node = card.node.as_ref().ok_or_else(|| {
        CliError::user(text!("{name} has no node on its card", "{name} 的名片上没有节点"))
    })?;
    peers.check(genesis.chain_id())?;
    check_genesis(&card, &name, node, genesis)?;
    let own = Peer {
        name: name.clone(),
        consensus: node.consensus_address(),
        gossip: node.gossip_address(),
    };
    if !peers.nodes.contains(&own) {
        return Err(stands_otherwise(&name, text!("the list of peers", "节点列表")));
    }
    let others = || peers.nodes.iter().filter(|peer| **peer != own);
    let config = NodeConfig {
        name: name.clone(),
        genesis: GENESIS_FILE.into(),
        data: "data".into(),
        keys: KeyPaths {
            consensus: CONSENSUS_KEY_FILE.into(),
            network: NETWORK_KEY_FILE.into(),
            cosigner: COSIGNER_KEY_FILE.into(),
            password_file: PASSPHRASE_FILE.into(),
        },
        consensus: Swarm {
            listen: multiaddr(everywhere(node.host), node.consensus_port),
            peers: others().map(|peer| peer.consensus.clone()).collect(),
        },
        gossip: Swarm {
            listen: multiaddr(everywhere(node.host), node.gossip_port),
            peers: others().map(|peer| peer.gossip.clone()).collect(),
        },
        api: Api { listen: api.unwrap_or_else(|| on_this_machine(node)) },
    };
    let path = folder.join("node.toml");
    let network = &genesis.network;
    let heading = format!("# Node {name} of network {network}.\n\n");
    write_new_json(&folder.join(GENESIS_FILE), genesis)?;
    write(&path, (heading + &toml_text(&config)?).as_bytes())?;
    Ok(path)
}

/// All addresses of the machine, of the family of the public one.
const fn everywhere(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// Clients of this machine alone, until the node has a TLS identity.
const fn on_this_machine(node: &NodeCard) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), node.gossip_port.saturating_add(1))
}

/// The genesis must say of this institution what its card says, or somebody else would act for it.
fn check_genesis(
    card: &Card,
    name: &str,
    node: &NodeCard,
    genesis: &Genesis,
) -> Result<(), CliError> {
    let institution = card.institution()?;
    let votes = genesis.validators.iter().any(|one| {
        one.name == name
            && one.consensus_key == node.consensus_key
            && one.cosigner_key == node.cosigner_key
    });
    let acts = genesis.accounts.iter().any(|one| {
        one.name == name
            && one.role == institution.role
            && one.province == institution.province
            && one.representatives.iter().map(|person| &person.key).eq(&card.representatives)
    });
    if votes && acts {
        return Ok(());
    }
    Err(stands_otherwise(name, text!("the genesis", "创世文件")))
}

fn stands_otherwise(name: &str, place: crate::text::Text) -> CliError {
    let (en, zh) = (place.get(crate::text::Lang::En), place.get(crate::text::Lang::Zh));
    CliError::user(crate::text::Text::new(
        format!("{name} does not stand in {en} as on the card of this folder"),
        format!("{zh}中的 {name} 与本目录名片不一致"),
    ))
    .hint(text!(
        "do not start the node; compare the digest of the card with the coordinator",
        "请勿启动节点；请与协调方核对名片摘要"
    ))
}
