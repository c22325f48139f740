//! What counts: transactions whose receipts are entries of the log under a certified header.

use std::collections::{BTreeMap, BTreeSet};

use cets_api::BlockResponse;
use cets_cli::client::Node;
use cets_cli::text::Lang;
use cets_contracts::block::{Block, Certificate, Header, LogEntry, Outcome, Receipt, ValidatorSet};
use cets_contracts::codec;
use cets_contracts::log::{LogFrontier, leaf_hash};
use cets_contracts::rules::{Event, Payload};
use cets_contracts::tx::Transaction;
use cets_contracts::types::{BlockId, Height, Role, TxId};
use eyre::{OptionExt as _, WrapErr as _, ensure};

use super::world::World;

/// Reads a node's history from the first block on and believes nothing that it cannot check.
#[derive(Debug)]
pub struct Verifier {
    validators: ValidatorSet,
    log: LogFrontier,
    parent: BlockId,
    height: u64,
}

/// Accepted transactions among some blocks.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// Of the orders asked for, by height.
    pub by_height: BTreeMap<u64, u64>,
    /// Of the orders asked for, refused by their rule.
    pub refused: u64,
    /// Trades settled, by height.
    pub trades: BTreeMap<u64, u64>,
}

impl Verified {
    /// Accepted transactions after one height up to another; none when the other is not later.
    pub fn between(&self, after: u64, to: u64) -> u64 {
        let later = self.by_height.range(after + 1..).take_while(|(height, _)| **height <= to);
        later.map(|(_, count)| count).sum()
    }
}

impl Verifier {
    /// A verifier that knows nothing but the genesis.
    pub fn new(world: &World) -> eyre::Result<Self> {
        let validators = ValidatorSet::new(world.network.genesis.validators.clone())?;
        let (log, parent) = (LogFrontier::new(), world.network.genesis.state()?.tip.block_id);
        Ok(Self { validators, log, parent, height: 0 })
    }

    /// Reads on to a height and counts the orders of `ours`.
    pub fn read_to(
        &mut self,
        world: &World,
        height: u64,
        ours: &BTreeSet<TxId>,
    ) -> eyre::Result<Verified> {
        let auditor = world.institution(Role::Auditor)?;
        let key = auditor.keys.first().ok_or_eyre("the auditor has no key")?;
        let address = world.addresses().into_iter().next().ok_or_eyre("no node runs")?;
        let node = Node::connect_to(&address, None, Lang::En)?.read_for(auditor.account, key)?;
        let mut verified = Verified::default();
        let mut stream = node.stream_blocks(Height::new(self.height + 1), Height::new(height))?;
        while let Some(answer) = node.next_block(&mut stream)? {
            let at = answer.height;
            self.verify(world, &answer, ours, &mut verified)
                .wrap_err_with(|| format!("block {at} does not verify"))?;
        }
        ensure!(self.height == height, "the history ends at {}, not at {height}", self.height);
        Ok(verified)
    }

    fn verify(
        &mut self,
        world: &World,
        answer: &BlockResponse,
        ours: &BTreeSet<TxId>,
        verified: &mut Verified,
    ) -> eyre::Result<()> {
        let Block { header, transactions } = Block::decode(&answer.block)?;
        let certificate: Certificate = codec::decode(&answer.certificate)?;
        let (id, height) = (header.id(), header.height.get());
        certificate.verify(world.chain_id, id, &self.validators)?;
        ensure!(header.parent == self.parent && height == self.height + 1, "it is not the next");
        ensure!(transactions.len() == answer.receipts.len(), "receipts are missing");
        for (bytes, receipt) in transactions.into_iter().zip(&answer.receipts) {
            let receipt: Receipt = codec::decode(receipt)?;
            let transaction = Transaction::decode(bytes)?;
            ensure!(receipt.tx_id == transaction.id(), "a receipt answers another transaction");
            let accepted = receipt.outcome == Outcome::Accepted;
            if ours.contains(&receipt.tx_id) {
                *verified.by_height.entry(height).or_default() += u64::from(accepted);
                verified.refused += u64::from(!accepted);
            }
            if let (true, Payload::SettleTrades(order)) = (accepted, &transaction.body().payload) {
                *verified.trades.entry(height).or_default() += order.trades.len() as u64;
            }
            let transaction = transaction.bytes().to_vec();
            self.log.append(leaf_hash(&LogEntry::Transaction { transaction, receipt }.encode()));
        }
        self.check_log(&header)?;
        for event in answer.events.iter().filter(|event| !event.is_empty()) {
            verified.uncount_failed_trades(height, event)?;
        }
        self.log.append(leaf_hash(&LogEntry::Header(header).encode()));
        (self.parent, self.height) = (id, height);
        Ok(())
    }

    fn check_log(&self, header: &Header) -> eyre::Result<()> {
        ensure!(self.log.size() == header.log_size, "the log has another size");
        ensure!(self.log.root() == header.log_root, "the entries give another root");
        Ok(())
    }
}

impl Verified {
    /// Takes the trades off that a settled batch names as failed.
    fn uncount_failed_trades(&mut self, height: u64, event: &[u8]) -> eyre::Result<()> {
        use cets_contracts::block::EventRecord;
        use cets_contracts::rules::settlement::settle_trades::TradeOutcome;
        if !self.trades.contains_key(&height) {
            return Ok(());
        }
        let record: EventRecord = codec::decode(event)?;
        if let Event::SettleTrades(settled) = record.event {
            let failed = |outcome: &&TradeOutcome| matches!(outcome, TradeOutcome::Failed(_));
            let failed = settled.outcomes.iter().filter(failed).count() as u64;
            *self.trades.entry(height).or_default() -= failed;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_two_heights_is_none_when_they_are_the_same() {
        let verified = Verified {
            by_height: (3..=6).map(|height| (height, 10)).collect(),
            ..Verified::default()
        };
        assert_eq!(
            [(2, 6), (3, 5), (5, 5), (6, 4)].map(|(a, b)| verified.between(a, b)),
            [40, 20, 0, 0]
        );
    }
}
