//! Ports of the nodes of a network on one machine.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::CliError;
use crate::text;

/// Ports between the first ports of two nodes.
const PORTS_PER_NODE: u16 = 10;

/// Free ports are looked for below those that systems give to outgoing connections: one of those
/// could take a port before its node listens.
const FREE_FROM: u16 = 12_000;
const FREE_PORTS: u16 = 20_000;

/// Ports of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodePorts {
    pub consensus: u16,
    pub gossip: u16,
    pub api: u16,
}

/// Ports of so many nodes: ten apart from a base, else free ones.
pub(super) fn ports(nodes: usize, base: Option<u16>) -> Result<Vec<NodePorts>, CliError> {
    match base {
        Some(base) => (0..nodes).map(|index| from_base(base, index)).collect(),
        None => free(nodes),
    }
}

fn from_base(base: u16, index: usize) -> Result<NodePorts, CliError> {
    let port = |offset: u16| {
        u16::try_from(index)
            .ok()
            .and_then(|index| index.checked_mul(PORTS_PER_NODE))
            .and_then(|ports| ports.checked_add(offset))
            .and_then(|ports| base.checked_add(ports))
    };
    match (port(0), port(1), port(2)) {
        (Some(consensus), Some(gossip), Some(api)) => Ok(NodePorts { consensus, gossip, api }),
        _ => Err(CliError::usage(text!(
            "the ports of all nodes do not fit above {base}",
            "自 {base} 起的端口不足以分配给全部节点"
        ))),
    }
}

/// Holds all ports open until every one is found, so that none is given twice.
fn free(nodes: usize) -> Result<Vec<NodePorts>, CliError> {
    let mut held = Vec::new();
    let mut take = || {
        let found = (0..FREE_PORTS).find_map(|_| {
            let port = next_port();
            Some((port, TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?))
        });
        let (port, listener) = found.ok_or_else(|| {
            let (first, last) = (FREE_FROM, FREE_FROM.saturating_add(FREE_PORTS));
            CliError::user(text!(
                "no free port from {first} to {last}: end other programs, or name a base port",
                "{first} 至 {last} 之间没有空闲端口：请结束其他程序，或指定起始端口"
            ))
        })?;
        held.push(listener);
        Ok::<u16, CliError>(port)
    };
    (0..nodes)
        .map(|_| Ok(NodePorts { consensus: take()?, gossip: take()?, api: take()? }))
        .collect()
}

/// A port that this program has not looked at yet; programs begin at different ones.
fn next_port() -> u16 {
    static LOOKED_AT: AtomicU32 = AtomicU32::new(0);
    let number = LOOKED_AT.fetch_add(1, Ordering::Relaxed);
    let number = std::process::id().wrapping_mul(7_919).wrapping_add(number);
    let offset = number.checked_rem(u32::from(FREE_PORTS)).unwrap_or(0);
    FREE_FROM.saturating_add(u16::try_from(offset).unwrap_or(0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ports_from_a_base_are_ten_apart() {
        let all = ports(4, Some(27_000)).unwrap();
        assert_eq!(all[3], NodePorts { consensus: 27_030, gossip: 27_031, api: 27_032 });
        assert!(ports(4, Some(65_510)).is_err());
    }

    #[test]
    fn free_ports_are_all_different() {
        let all = ports(8, None).unwrap();
        let different: std::collections::BTreeSet<u16> =
            all.iter().flat_map(|node| [node.consensus, node.gossip, node.api]).collect();
        assert_eq!(different.len(), 24);
    }
}
