//! Ports of the nodes of a network on one machine.

use std::net::{Ipv4Addr, TcpListener};

use crate::error::CliError;
use crate::text;

/// Ports between the first ports of two nodes.
const PORTS_PER_NODE: u16 = 10;

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
        let found = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
        let (port, listener) = found.map_err(|error| {
            CliError::user(text!("no free port: {error}", "没有空闲端口：{error}"))
        })?;
        held.push(listener);
        Ok::<u16, CliError>(port)
    };
    (0..nodes)
        .map(|_| Ok(NodePorts { consensus: take()?, gossip: take()?, api: take()? }))
        .collect()
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
