//! What a validator that lies makes of what its engine wants to say.

use bytes::Bytes;
use cets_consensus::simulation::{Channel, Forger, Packet};
use cets_contracts::block::{BLOCK_BYTES_MAX, Block, VoteStep};
use cets_contracts::types::{BlockId, BlockTime, Height, StateRoot};

use super::network::Event;
use super::plan::SECOND;
use super::world::World;

/// Packets kept to be sent again.
const KEPT_MAX: usize = 40;

/// A block id that nothing has.
fn other(chooser: &mut crate::workload::Chooser) -> BlockId {
    BlockId::new(chooser.bytes())
}

impl World<'_> {
    /// Sends a packet of a lying node, or something else.
    pub(super) fn publish_lies(&mut self, from: u16, packet: &Packet) {
        let lies = self.plan.lies;
        if lies.replays && self.kept.len() < KEPT_MAX {
            self.kept.push(packet.clone());
        }
        let forger = self.machines[usize::from(from)].forger(self.template);
        if let Some((height, round, id)) = Forger::proposes(packet) {
            if lies.votes_for_all {
                self.vote_for(from, &forger, height, round, id);
            }
            if lies.proposes_badly && self.chooser.percent(60) {
                return self.propose_badly(from, &forger, height, round, id);
            }
        }
        for to in 0..self.machines.len() as u16 {
            if to == from || (lies.is_silent && self.chooser.percent(50)) {
                continue;
            }
            let mut sent = packet.clone();
            if lies.equivocates && packet.channel == Channel::Votes && self.chooser.percent(40) {
                let block = self.chooser.percent(60).then(|| other(&mut self.chooser));
                sent = forger.contradict(packet, block).unwrap_or(sent);
            }
            self.transmit(from, to, sent);
        }
    }

    /// Votes of its own, and now and then in the name of another validator.
    fn vote_for(&mut self, from: u16, forger: &Forger, height: Height, round: u32, id: BlockId) {
        let another = self.chooser.below(self.machines.len() as u64) as usize;
        let another = self.machines[another].forger(self.template).address();
        for step in [VoteStep::Prevote, VoteStep::Precommit] {
            for to in 0..self.machines.len() as u16 {
                let block = self.chooser.percent(80).then_some(id);
                if let Some(vote) = forger.vote(step, height, round, block).filter(|_| to != from) {
                    self.transmit(from, to, vote);
                }
                let forged = forger.vote_as(another, (step, height, round), Some(id));
                if let Some(vote) = forged.filter(|_| to != from && self.chooser.percent(50)) {
                    self.transmit(from, to, vote);
                }
            }
        }
    }

    /// A block that is no good, with a proposal that names it.
    fn propose_badly(
        &mut self,
        from: u16,
        forger: &Forger,
        height: Height,
        round: u32,
        id: BlockId,
    ) {
        let Some(running) = &self.machines[usize::from(from)].node else { return };
        let kept = cets_consensus::Ledger::undecided_block(running.ledger.as_ref(), id);
        let Ok(Some(bytes)) = kept else { return };
        let Ok(mut block) = Block::decode(&bytes) else { return };
        let mut announced = None;
        match self.chooser.below(7) {
            0 => block.header.state_root = StateRoot::new(self.chooser.bytes()),
            1 => block.header.time = BlockTime::from_millis(block.header.time.as_millis() + 9_000),
            2 => {
                // A transaction that was ordered before, or twice in one block.
                let again = block.transactions.first().cloned();
                block.transactions.extend(again);
                block.header.transactions =
                    cets_contracts::block::Block::transactions_digest(&block.transactions);
            }
            3 => block.transactions.clear(),
            4 => announced = Some(BLOCK_BYTES_MAX as u64 + 1),
            5 => announced = Some(bytes.len() as u64 / 2),
            _ => block.header.height = Height::new(height.get() + 1),
        }
        let bad = Bytes::from(block.encode());
        let bad_id = block.header.id();
        let size = announced.unwrap_or(bad.len() as u64);
        let number = self.chooser.below(1 << 30);
        let mut packets = forger.stream((height, round), bad_id, &bad, size, number);
        packets.extend(forger.proposal(height, round, bad_id));
        for packet in packets {
            for to in 0..self.machines.len() as u16 {
                if to != from {
                    self.transmit(from, to, packet.clone());
                }
            }
        }
        self.vote_for(from, forger, height, round, bad_id);
    }

    /// What a lying node does without being asked.
    pub(super) fn lie(&mut self, node: u16) {
        let pause = self.chooser.within(1, SECOND / 2);
        self.network.at(self.now + pause, Event::Lie { node });
        let to = self.chooser.below(self.machines.len() as u64) as u16;
        if to == node || self.machines[usize::from(node)].node.is_none() {
            return;
        }
        if self.plan.lies.replays
            && let Some(packet) = self.chooser.one(&self.kept).cloned()
        {
            self.transmit(node, to, packet);
        }
        if self.plan.lies.babbles {
            let channels = [
                Channel::Votes,
                Channel::Liveness,
                Channel::Parts,
                Channel::Status,
                Channel::Request,
                Channel::Response,
            ];
            let channel = *self.chooser.one(&channels).unwrap();
            let bytes = match self.chooser.one(&self.kept) {
                Some(packet) if !packet.bytes.is_empty() => {
                    let mut bytes = packet.bytes.to_vec();
                    let at = self.chooser.below(bytes.len() as u64) as usize;
                    bytes[at] ^= 1 << self.chooser.below(8);
                    bytes
                }
                _ => self.chooser.bytes().to_vec(),
            };
            self.transmit(node, to, Packet { channel, bytes: bytes.into() });
        }
    }
}
