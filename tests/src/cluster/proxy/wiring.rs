//! Puts the relay between the nodes of a network, and looks for ways around it.

use std::collections::{BTreeMap, BTreeSet};

use cets_cli::network::Network;
use eyre::{OptionExt as _, WrapErr as _, eyre};
use toml::{Table, Value};

use super::Relay;

/// The networks of nodes, as sections of their configuration.
const NETWORKS: [&str; 2] = ["consensus", "gossip"];
/// Where the kernel lists connections of IPv4.
const CONNECTIONS: &str = "/proc/net/tcp";
/// State of a connection that carries, as it stands there.
const ESTABLISHED: &str = "01";

/// A relay and the nodes that call each other through it.
#[derive(Debug)]
pub struct Wiring {
    /// The links.
    pub relay: Relay,
    /// The ports on which the nodes listen for each other.
    pub listens: BTreeSet<u16>,
}

impl Wiring {
    /// Writes into the configuration of every node that it calls the others through the relay.
    pub fn install(network: &Network, seed: u64) -> eyre::Result<Self> {
        let mut relay = Relay::new(network.nodes.len(), seed)?;
        let mut tables = Vec::new();
        let mut nodes_by_port = BTreeMap::new();
        for (node, files) in network.nodes.iter().enumerate() {
            let path = &files.config_path;
            let table: Table = std::fs::read_to_string(path)?
                .parse()
                .wrap_err_with(|| format!("reading {}", path.display()))?;
            for section in NETWORKS {
                let listen = table[section].get("listen").and_then(Value::as_str);
                let listen = listen.ok_or_eyre("a node that listens nowhere")?;
                nodes_by_port.insert(port_of(listen)?, node);
            }
            tables.push(table);
        }
        for (caller, (files, mut table)) in network.nodes.iter().zip(tables).enumerate() {
            for section in NETWORKS {
                let peers = table[section].get_mut("peers").and_then(Value::as_array_mut);
                for peer in peers.ok_or_eyre("a node without peers")? {
                    let address = peer.as_str().ok_or_eyre("an address that is no text")?;
                    let port = port_of(address)?;
                    let called = nodes_by_port.get(&port).ok_or_eyre("a port of nobody")?;
                    let own = relay.open(caller, *called, port)?;
                    let rewired =
                        address.replace(&format!("/tcp/{port}/"), &format!("/tcp/{own}/"));
                    *peer = Value::String(rewired);
                }
            }
            std::fs::write(&files.config_path, toml::to_string(&table)?)?;
        }
        Ok(Self { relay, listens: nodes_by_port.into_keys().collect() })
    }

    /// Connections between nodes that do not go through the relay; nothing where the kernel does
    /// not list connections.
    pub fn ways_around(&self) -> Vec<String> {
        let Ok(table) = std::fs::read_to_string(CONNECTIONS) else { return Vec::new() };
        // Read after the table: a call of the relay may be listed before it is known.
        strangers(&table, &self.listens, &self.relay.ports())
    }
}

fn port_of(multiaddr: &str) -> eyre::Result<u16> {
    let mut parts = multiaddr.split('/').skip_while(|part| *part != "tcp");
    let port = parts.nth(1).ok_or_else(|| eyre!("{multiaddr} names no port"))?;
    Ok(port.parse()?)
}

/// Established connections of the kernel's table of which one end is a port of `listens` and the
/// other no port of `relay`.
pub fn strangers(table: &str, listens: &BTreeSet<u16>, relay: &BTreeSet<u16>) -> Vec<String> {
    let port = |address: &str| u16::from_str_radix(address.rsplit(':').next()?, 16).ok();
    let mut found = Vec::new();
    for line in table.lines().skip(1) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, local, remote, ESTABLISHED, ..] = words[..] else { continue };
        let (Some(local), Some(remote)) = (port(local), port(remote)) else { continue };
        let direct = |one: u16, other: u16| listens.contains(&one) && !relay.contains(&other);
        if direct(local, remote) || direct(remote, local) {
            found.push(format!("port {local} is connected with port {remote} past the proxy"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the kernel writes it: port 1000 is 03E8, 2000 is 07D0, 3000 is 0BB8.
    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:03E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0
   1: 0100007F:03E8 0100007F:07D0 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0
   2: 0100007F:03E8 0100007F:0BB8 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0
   3: 0100007F:07D0 0100007F:0BB8 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0
";

    #[test]
    fn a_connection_past_the_proxy_is_found() {
        let (listens, relay) = (BTreeSet::from([1_000]), BTreeSet::from([2_000]));
        let found = strangers(TABLE, &listens, &relay);
        assert_eq!(found, ["port 1000 is connected with port 3000 past the proxy"]);
        let both = BTreeSet::from([2_000, 3_000]);
        assert!(strangers(TABLE, &listens, &both).is_empty());
    }

    #[test]
    fn ports_are_read_from_multiaddrs() {
        assert_eq!(port_of("/ip4/127.0.0.1/tcp/26656/p2p/12D3").unwrap(), 26_656);
        assert_eq!(port_of("/ip4/127.0.0.1/tcp/1").unwrap(), 1);
        assert!(port_of("/ip4/127.0.0.1/udp/1").is_err());
    }
}
