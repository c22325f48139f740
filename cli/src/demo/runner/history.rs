//! The blocks of the nodes: read back for totals, and compared with each other.

use cets_api::BlockResponse;
use cets_contracts::block::{Block, EventRecord, Header};
use cets_contracts::codec;
use cets_contracts::tx::Transaction;
use cets_contracts::types::{BlockId, Height};

use super::readback::Readback;
use crate::client::Node;
use crate::error::{CliError, ErrorKind};
use crate::text;

/// Reads all blocks of a node up to a height; `progress` is told every height.
pub fn read_back(node: &Node, to: Height, progress: &dyn Fn(u64)) -> Result<Readback, CliError> {
    let mut readback = Readback::default();
    let mut blocks = node.stream_blocks(Height::new(1), to)?;
    while let Some(answer) = node.next_block(&mut blocks)? {
        add_block(node, &answer, &mut readback)?;
        progress(answer.height);
    }
    Ok(readback)
}

fn add_block(node: &Node, answer: &BlockResponse, readback: &mut Readback) -> Result<(), CliError> {
    let block = Block::decode(&answer.block).map_err(|_| node.nonsense("block"))?;
    if block.transactions.len() != answer.events.len() {
        return Err(node.nonsense("list of events"));
    }
    for (bytes, events) in block.transactions.iter().zip(&answer.events) {
        // A refused transaction has no events and changed nothing.
        if events.is_empty() {
            continue;
        }
        let transaction =
            Transaction::decode(bytes.clone()).map_err(|_| node.nonsense("transaction"))?;
        let record: EventRecord =
            codec::decode(events).map_err(|_| node.nonsense("event record"))?;
        readback.add(transaction.body(), &record).map_err(|_| node.nonsense("amount"))?;
    }
    Ok(())
}

/// Compares block identifiers and state roots of all nodes at every height up to one; returns the
/// number of heights.
pub fn compare_nodes(nodes: &[Node], to: Height) -> Result<u64, CliError> {
    let mut streams = Vec::with_capacity(nodes.len());
    for node in nodes {
        streams.push((node, node.stream_blocks(Height::new(1), to)?));
    }
    for height in 1..=to.get() {
        let mut first: Option<(BlockId, &Node)> = None;
        for (node, stream) in &mut streams {
            let answer = node.next_block(stream)?.ok_or_else(|| node.nonsense("block"))?;
            let header: Header = node.decode("header", &answer.header)?;
            let found = header.id();
            match first {
                Some((expected, other)) if expected != found => {
                    let (one, two) = (other.address(), node.address());
                    return Err(CliError::new(
                        ErrorKind::Rejected,
                        text!(
                            "nodes {one} and {two} hold different blocks at height {height}",
                            "节点 {one} 与 {two} 在高度 {height} 的区块不同"
                        ),
                    ));
                }
                _ => first = Some((found, *node)),
            }
        }
    }
    Ok(to.get())
}
