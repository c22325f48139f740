//! What is on its way, and when it arrives.

use std::collections::BTreeMap;

use cets_consensus::simulation::Packet;
use cets_contracts::tx::SignedTransaction;
use cets_contracts::types::TxId;

use super::plan::Plan;
use crate::workload::Chooser;

/// Something that happens at a moment.
#[derive(Clone, Debug)]
pub enum Event {
    /// A packet arrives.
    Packet {
        /// Receiver.
        to: u16,
        /// Sender.
        from: u16,
        /// What.
        packet: Packet,
    },
    /// Gossip of transactions arrives.
    Push {
        /// Receiver.
        to: u16,
        /// The envelopes.
        batch: Vec<Vec<u8>>,
    },
    /// A timer of a node's engine.
    Wake {
        /// Node.
        node: u16,
        /// Its life.
        life: u64,
        /// Which timer.
        ticket: u64,
    },
    /// A node's application has time.
    Work {
        /// Node.
        node: u16,
        /// Its life.
        life: u64,
    },
    /// Power is back, or somebody starts the node again.
    Start {
        /// Node.
        node: u16,
    },
    /// A client makes an order.
    Order,
    /// A client that got no answer asks another node.
    Retry {
        /// What it ordered.
        order: Box<SignedTransaction>,
        /// Its identifier.
        id: TxId,
        /// How often it asked.
        turns: u32,
    },
    /// Something breaks.
    Fault,
    /// A network that was cut is whole again.
    Mend,
    /// A disk is as it was.
    DiskMends {
        /// Node.
        node: u16,
    },
    /// The ministry thinks about the validators.
    Govern,
    /// A Byzantine node does something by itself.
    Lie {
        /// Node.
        node: u16,
    },
}

/// Everything that is to happen, and the links between nodes.
pub struct Network {
    queue: BTreeMap<(u64, u64), Event>,
    numbers: u64,
    /// The side of each node; only those of one side hear each other.
    pub sides: Vec<u8>,
    /// Packets sent.
    pub sent: u64,
}

impl Network {
    /// A network of so many nodes.
    pub fn new(nodes: u16) -> Self {
        Self { queue: BTreeMap::new(), numbers: 0, sides: vec![0; usize::from(nodes)], sent: 0 }
    }

    /// Something happens at a time.
    pub fn at(&mut self, time: u64, event: Event) {
        self.numbers += 1;
        self.queue.insert((time, self.numbers), event);
    }

    /// The next thing that happens.
    pub fn next(&mut self) -> Option<(u64, Event)> {
        self.queue.pop_first().map(|((time, _), event)| (time, event))
    }

    /// Sends something: it arrives, twice, late or never.
    pub fn send(
        &mut self,
        (plan, chooser): (&Plan, &mut Chooser),
        now: u64,
        (from, to): (u16, u16),
        event: &Event,
    ) {
        self.sent += 1;
        let cut = self.sides[usize::from(from)] != self.sides[usize::from(to)];
        let copies = 1 + u64::from(chooser.below(1_000) < plan.duplicates);
        for _ in 0..copies {
            let lost = chooser.below(1_000) < plan.loss;
            let late = chooser.within(plan.latency.0, plan.latency.1);
            if !lost && !cut {
                self.at(now + late, event.clone());
            }
        }
    }

    /// All nodes hear each other.
    pub fn mend(&mut self) {
        self.sides.fill(0);
    }
}
