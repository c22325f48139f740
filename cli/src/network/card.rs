//! Public cards: what an institution tells the others before there is a network.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use cets_contracts::types::{Digest, PublicKey};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use super::write::{fresh_passphrase, key, multiaddr, public, write};
use super::{Institution, REPRESENTATIVES, peer_id};
use crate::error::CliError;
use crate::files::{json_pretty, read_json, write_new_json};
use crate::keys::{Passphrase, create_private_folder, encrypt_key, key_error};
use crate::text;

/// Name of the file format.
const FORMAT: &str = "cets-institution/1";

/// File of the card in the folder of an institution.
pub const CARD_FILE: &str = "card.json";
/// File whose first line opens the keys of the folder.
pub const PASSPHRASE_FILE: &str = "passphrase";
/// Key files of a node in its folder, and what they are for.
pub const CONSENSUS_KEY_FILE: &str = "consensus.pem";
/// Authenticates connections between nodes.
pub const NETWORK_KEY_FILE: &str = "network.pem";
/// Cosigns checkpoints of the log.
pub const COSIGNER_KEY_FILE: &str = "cosigner.pem";

/// What an institution shows of itself: nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    format: String,
    /// `NAME:ROLE[:PROVINCE]`.
    institution: String,
    /// Public keys of the people who act for its account.
    pub representatives: Vec<PublicKey>,
    /// Its node; none for an institution with an account only.
    pub node: Option<NodeCard>,
}

/// Public keys of a node, and where the other nodes call it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeCard {
    /// Signs votes and proposals.
    pub consensus_key: PublicKey,
    /// Cosigns checkpoints of the log.
    pub cosigner_key: PublicKey,
    /// Authenticates connections between nodes.
    pub network_key: PublicKey,
    /// Address.
    pub host: IpAddr,
    /// TCP port of the consensus network.
    pub consensus_port: u16,
    /// TCP port of the gossip network.
    pub gossip_port: u16,
}

impl NodeCard {
    /// Multiaddr of the consensus network with the peer id.
    pub fn consensus_address(&self) -> String {
        self.address(self.consensus_port)
    }

    /// Multiaddr of the gossip network with the peer id.
    pub fn gossip_address(&self) -> String {
        self.address(self.gossip_port)
    }

    fn address(&self, port: u16) -> String {
        let id = peer_id(self.network_key.as_bytes());
        format!("{}/p2p/{id}", multiaddr(self.host, port))
    }
}

impl Card {
    /// Reads a card and checks that it can stand in a genesis.
    pub fn read(path: &Path) -> Result<Self, CliError> {
        let card: Self = read_json(path)?;
        let shown = path.display();
        if card.format != FORMAT {
            let format = &card.format;
            return Err(CliError::user(text!(
                "{shown} has the format `{format}`, expected `{FORMAT}`",
                "{shown} 的格式为 `{format}`，应为 `{FORMAT}`"
            )));
        }
        card.institution()?;
        check_representatives(&card.representatives)?;
        Ok(card)
    }

    /// Who it is.
    pub fn institution(&self) -> Result<Institution, CliError> {
        self.institution.parse().map_err(|error| {
            let institution = &self.institution;
            CliError::user(text!(
                "the card names no institution (`{institution}`): {error}",
                "名片未写明机构（`{institution}`）：{error}"
            ))
        })
    }

    /// Digest by which people compare a card, for example on the telephone.
    pub fn digest(&self) -> Result<Digest, CliError> {
        Ok(Digest::new(*blake3::hash(json_pretty(self)?.as_bytes()).as_bytes()))
    }

    /// All public keys on the card.
    pub fn public_keys(&self) -> impl Iterator<Item = PublicKey> {
        let node = self.node.iter();
        let of_node = node.flat_map(|one| [one.consensus_key, one.cosigner_key, one.network_key]);
        of_node.chain(self.representatives.iter().copied())
    }
}

/// What card to make.
#[derive(Clone, Debug)]
pub struct CardPlan {
    /// Folder for the keys of the node and the card; must not exist or be empty.
    pub folder: PathBuf,
    /// Who it is.
    pub institution: Institution,
    /// Public keys of the people who will act for its account.
    pub representatives: Vec<PublicKey>,
    /// Address and first port on which other nodes call its node; none without a node.
    pub node: Option<(IpAddr, u16)>,
    /// Opens the keys; made when missing.
    pub passphrase: Option<Passphrase>,
}

/// Makes the keys of an institution's node and its card. Secret keys never leave the folder.
pub fn make_card(plan: &CardPlan) -> Result<Card, CliError> {
    check_representatives(&plan.representatives)?;
    super::write::check_empty(&plan.folder)?;
    create_private_folder(&plan.folder)?;
    let node = match plan.node {
        None => None,
        Some((host, base_port)) => Some(make_node(plan, host, base_port)?),
    };
    let card = Card {
        format: FORMAT.to_owned(),
        institution: plan.institution.to_string(),
        representatives: plan.representatives.clone(),
        node,
    };
    write_new_json(&plan.folder.join(CARD_FILE), &card)?;
    Ok(card)
}

fn make_node(plan: &CardPlan, host: IpAddr, base_port: u16) -> Result<NodeCard, CliError> {
    let gossip_port = base_port.checked_add(1).filter(|port| *port < u16::MAX);
    let gossip_port = gossip_port.ok_or_else(|| {
        CliError::usage(text!(
            "no ports are left above {base_port}",
            "{base_port} 之后没有可用端口"
        ))
    })?;
    if host.is_unspecified() {
        return Err(CliError::usage(text!(
            "{host} is no address that other nodes can call",
            "其他节点无法连接地址 {host}"
        )));
    }
    let passphrase = plan.passphrase.clone().map_or_else(fresh_passphrase, Ok)?;
    let line = [passphrase.as_bytes(), b"\n"].concat();
    write(&plan.folder.join(PASSPHRASE_FILE), &line)?;
    let make = |file: &str| {
        let key: SigningKey = key()?;
        let path = plan.folder.join(file);
        let pem = encrypt_key(&key, &passphrase)
            .map_err(|error| key_error(&path.display().to_string(), error))?;
        write(&path, pem.as_bytes())?;
        Ok::<PublicKey, CliError>(public(&key))
    };
    Ok(NodeCard {
        consensus_key: make(CONSENSUS_KEY_FILE)?,
        cosigner_key: make(COSIGNER_KEY_FILE)?,
        network_key: make(NETWORK_KEY_FILE)?,
        host,
        consensus_port: base_port,
        gossip_port,
    })
}

fn check_representatives(keys: &[PublicKey]) -> Result<(), CliError> {
    let different: BTreeSet<&PublicKey> = keys.iter().collect();
    if different.len() == keys.len() && keys.len() >= REPRESENTATIVES {
        return Ok(());
    }
    Err(CliError::usage(text!(
        "an institution has at least {REPRESENTATIVES} representatives with different keys",
        "每个机构至少须有 {REPRESENTATIVES} 名密钥互不相同的代表"
    ))
    .hint(text!(
        "each of them runs `cets key new NAME` and hands in what `cets key show NAME` prints",
        "请各自运行 `cets key new 名称`，并提交 `cets key show 名称` 显示的公钥"
    )))
}
