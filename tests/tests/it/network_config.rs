//! What `cets network init` writes is what `cetsd` reads.

use std::collections::BTreeSet;

use cets_cli::keys::Passphrase;
use cets_cli::network::{
    CardPlan, JoinPlan, NetworkPlan, join_cards, make_card, peer_id, write_network, write_node,
};
use cets_contracts::genesis::ClockRule;
use cets_contracts::types::{BlockTime, PublicKey};
use cets_node::config::{self, NodeConfig, NodeKeys};
use cets_tests::workspace;

fn plan(folder: &std::path::Path) -> NetworkPlan {
    let nodes = ["registry:registry", "exchange:exchange", "ccer:ccer-registry", "hubei:province"];
    NetworkPlan {
        folder: folder.join("net"),
        network: "training".to_owned(),
        time: BlockTime::from_millis(1_626_393_600_000),
        business_date: "2021-07-16".parse().unwrap(),
        clock: ClockRule::ByOrder,
        block_interval_millis: 500,
        nodes: nodes.iter().map(|one| one.parse().unwrap()).collect(),
        accounts: vec!["bank:settlement".parse().unwrap()],
        parameters: Vec::new(),
        host: "127.0.0.1".parse().unwrap(),
        base_port: Some(27_000),
        passphrase: Some(Passphrase::new("correct horse battery")),
    }
}

#[test]
fn every_written_configuration_is_read_by_the_node_with_its_keys_and_genesis() {
    let folder = tempfile::tempdir().unwrap();
    let network = write_network(&plan(folder.path())).unwrap();
    assert_eq!(network.nodes.len(), 4);
    let mut public_keys = BTreeSet::new();
    for (index, node) in network.nodes.iter().enumerate() {
        let config = NodeConfig::read(&node.config_path).unwrap();
        assert_eq!(config.name, node.name);
        assert_eq!(config.api.listen, node.api);
        assert_eq!(config.read_genesis().unwrap(), network.genesis);
        assert_eq!(config.consensus.peers.len(), 3);
        assert_eq!(config.gossip_config().unwrap().peers.len(), 3);
        let keys = NodeKeys::read(&config).unwrap();
        let validator = network
            .genesis
            .validators
            .iter()
            .find(|validator| validator.name == node.name)
            .unwrap();
        let consensus = keys.consensus.as_ref().unwrap().verifying_key().to_bytes();
        let cosigner = keys.cosigner.as_ref().unwrap().verifying_key().to_bytes();
        assert_eq!(validator.consensus_key.as_bytes(), &consensus, "node {index}");
        assert_eq!(validator.cosigner_key.as_bytes(), &cosigner, "node {index}");
        public_keys.extend([consensus, cosigner, keys.network.verifying_key().to_bytes()]);
    }
    assert_eq!(public_keys.len(), 12, "every key serves one purpose of one node");
}

#[test]
fn a_node_that_was_joined_from_cards_is_read_with_its_keys_and_genesis() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, role: &str, seed: u8| {
        let representatives = [seed, seed + 1].map(|seed| {
            let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
            PublicKey::new(key.verifying_key().to_bytes())
        });
        let plan = CardPlan {
            folder: folder.path().join(name),
            institution: format!("{name}:{role}").parse().unwrap(),
            representatives: representatives.into(),
            node: Some(("10.0.0.1".parse().unwrap(), 26_000 + 10 * u16::from(seed))),
            passphrase: None,
        };
        make_card(&plan).unwrap()
    };
    let cards = vec![make("registry", "registry", 1), make("hubei", "province", 3)];
    let joined = JoinPlan {
        folder: folder.path().join("joined"),
        network: "training".to_owned(),
        time: BlockTime::from_millis(1_626_393_600_000),
        business_date: "2021-07-16".parse().unwrap(),
        clock: ClockRule::ByOrder,
        block_interval_millis: 500,
        cards,
        parameters: Vec::new(),
    };
    let (genesis, peers) = join_cards(&joined).unwrap();
    for (index, name) in ["registry", "hubei"].into_iter().enumerate() {
        let path = write_node(&folder.path().join(name), &genesis, &peers, None).unwrap();
        let config = NodeConfig::read(&path).unwrap();
        assert_eq!(config.read_genesis().unwrap(), genesis);
        assert_eq!(config.gossip_config().unwrap().peers.len(), 1);
        assert_eq!(config.consensus.peers.len(), 1);
        let keys = NodeKeys::read(&config).unwrap();
        let consensus = keys.consensus.unwrap().verifying_key().to_bytes();
        assert_eq!(genesis.validators[index].consensus_key.as_bytes(), &consensus);
        let own = config::peer_id(&keys.network).to_string();
        assert!(peers.nodes[index].consensus.ends_with(&own), "{name}");
        assert!(!config.consensus.peers[0].contains(&own), "no node calls itself");
    }
}

#[test]
fn both_programs_derive_the_same_peer_id_from_a_key() {
    for seed in 0..20u8 {
        let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
        let ours = peer_id(&key.verifying_key().to_bytes());
        assert_eq!(ours, config::peer_id(&key).to_string());
    }
}

#[test]
fn the_compose_file_starts_the_nodes_that_its_comment_writes() {
    let text = std::fs::read_to_string(workspace::root().join("network-config/compose.yaml"));
    let text = text.unwrap();
    let institutions = text.split('"').nth(3).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let nodes = institutions.split(',').map(|one| one.trim().parse().unwrap()).collect();
    let network = write_network(&NetworkPlan { nodes, ..plan(folder.path()) }).unwrap();
    for node in &network.nodes {
        let inside = node.config_path.strip_prefix(folder.path().join("net")).unwrap();
        let command = format!("\"/network/{}\"", inside.display());
        assert!(text.contains(&command), "{command} is not started");
    }
    assert_eq!(text.matches("node.toml").count(), network.nodes.len());
}

fn unit_file() -> String {
    std::fs::read_to_string(workspace::root().join("network-config/cetsd@.service")).unwrap()
}

#[test]
fn the_unit_file_names_every_file_that_a_node_reads_outside_of_its_folder() {
    let unit = unit_file();
    let instruction: String = unit.lines().take_while(|line| line.starts_with('#')).collect();
    let folder = tempfile::tempdir().unwrap();
    let network = write_network(&plan(folder.path())).unwrap();
    let text = std::fs::read_to_string(&network.nodes[0].config_path).unwrap();
    let outside: Vec<&str> =
        text.split('"').filter_map(|value| value.strip_prefix("../")).collect();
    assert_eq!(outside.len(), 2, "{outside:?}");
    for file in outside {
        assert!(instruction.contains(file), "{file} is not named: {instruction}");
    }
}

#[test]
fn the_unit_file_allows_the_sockets_that_a_node_opens() {
    let unit = unit_file();
    let families = unit.lines().find_map(|line| line.strip_prefix("RestrictAddressFamilies="));
    let families: BTreeSet<&str> = families.unwrap().split(' ').collect();
    // libp2p lists the addresses of the machine through netlink when it listens on all of them.
    assert_eq!(families, BTreeSet::from(["AF_INET", "AF_INET6", "AF_NETLINK", "AF_UNIX"]));
}

#[test]
fn the_node_that_is_shipped_knows_no_misbehaviour() {
    let folder = tempfile::tempdir().unwrap();
    let network = write_network(&plan(folder.path())).unwrap();
    let path = &network.nodes[0].config_path;
    let text = std::fs::read_to_string(path).unwrap();
    assert!(NodeConfig::parse(&text, path).is_ok());
    let told = text.replace("[consensus]\n", "[consensus]\nbyzantine = \"votes\"\n");
    assert_ne!(told, text);
    let refused = NodeConfig::parse(&told, path).unwrap_err().to_string();
    assert!(refused.contains("byzantine"), "{refused}");
}
