//! Histories from nodes.

use cets_api::BlockResponse;
use cets_contracts::audit::{HistoryRecord, StoredBlock};
use cets_contracts::genesis::Genesis;
use cets_contracts::state::Tip;
use cets_contracts::types::Height;

use super::HistorySource;
use super::source::other_history;
use crate::client::Node;
use crate::error::{CliError, ErrorKind};
use crate::text;

/// The history of a node, streamed up to the height that it had at the start.
pub struct NodeHistory {
    node: Node,
    genesis: Genesis,
    blocks: tonic::Streaming<BlockResponse>,
    to: Height,
    /// Height of the next block.
    next: Height,
}

impl NodeHistory {
    /// Starts to read; `genesis` is the auditor's own copy, else the node's is taken.
    ///
    /// A genesis of another chain than the node's is refused.
    pub fn open(node: Node, genesis: Option<Genesis>) -> Result<Self, CliError> {
        let genesis = genesis.map_or_else(|| node.genesis(), Ok)?;
        let (own, found) = (genesis.chain_id(), node.chain_id()?);
        if own != found {
            let address = node.address();
            return Err(CliError::user(text!(
                "the genesis is of chain {own}, node {address} of chain {found}",
                "创世文件属于链 {own}，节点 {address} 属于链 {found}"
            )));
        }
        let to = Height::new(node.status().height);
        let blocks = node.stream_blocks(Height::new(1), to)?;
        Ok(Self { node, genesis, blocks, to, next: Height::new(1) })
    }
}

impl HistorySource for NodeHistory {
    fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    fn height_expected(&self) -> Option<Height> {
        Some(self.to)
    }

    fn next_block(&mut self) -> Result<Option<StoredBlock>, CliError> {
        if self.next > self.to {
            return Ok(None);
        }
        self.next = self.next.next();
        let Some(answer) = self.node.next_block(&mut self.blocks)? else { return Ok(None) };
        if answer.block.is_empty() {
            return Err(CliError::new(
                ErrorKind::Rejected,
                text!(
                    "the node does not show its transactions to this account",
                    "节点未向该账户提供交易内容"
                ),
            )
            .hint(text!(
                "audit as an auditor or an authority: --as ACCOUNT; or audit an exported history",
                "请以审计机构或主管部门身份审计：--as 账户；或审计导出的历史文件"
            )));
        }
        let BlockResponse { block, certificate, receipts, events, .. } = answer;
        Ok(Some(StoredBlock { block, certificate, receipts, events }))
    }

    fn skip(&mut self, tip: &Tip) -> Result<(), CliError> {
        if tip.height > self.to {
            return Err(other_history(tip));
        }
        let (header, _) = self.node.header(Some(tip.height))?;
        if header.id() != tip.block_id {
            return Err(other_history(tip));
        }
        self.next = tip.height.next();
        if self.next <= self.to {
            self.blocks = self.node.stream_blocks(self.next, self.to)?;
        }
        Ok(())
    }

    fn next_records(&mut self) -> Result<Option<Vec<HistoryRecord>>, CliError> {
        Ok(None)
    }

    fn end(&mut self) -> Result<Height, CliError> {
        Ok(self.to)
    }
}
