//! Clients: they order, wait, ask elsewhere, and remember what they were told.

use cets_contracts::tx::SignedTransaction;
use cets_contracts::types::TxId;
use cets_node::mempool::{Origin, WaitEnd};

use super::machine::Waiting;
use super::network::Event;
use super::plan::SECOND;
use super::template::draft;
use super::world::World;

/// How often a client asks at most.
const TURNS_MAX: u32 = 4;
/// How long it waits before it asks another node, in microseconds.
const PATIENCE: u64 = 2 * SECOND;

impl World<'_> {
    /// A client makes an order of some rule.
    pub(super) fn order(&mut self) {
        let chain_id = self.template.genesis.chain_id();
        let draft = draft(&mut self.workload, &self.oracle.model, chain_id);
        let known = draft.body.signers.iter().all(|key| self.workload.people.knows(key));
        if known {
            let signed = self.workload.people.sign(draft.body);
            let id = signed.body.id();
            self.submit(&signed, id, 0);
        }
        let pause = self.chooser.within(1, 2 * self.plan.order_every);
        self.network.at(self.now + pause, Event::Order);
    }

    /// Submits at some node, and asks again later.
    pub(super) fn submit(&mut self, order: &SignedTransaction, id: TxId, turns: u32) {
        if turns >= TURNS_MAX || self.oracle.acknowledged.contains_key(&id) {
            return;
        }
        let node = self.chooser.below(self.machines.len() as u64) as usize;
        if let Some(running) = &mut self.machines[node].node {
            let answer = running.mempool.wait_for(id);
            let bytes = order.encode();
            let verdicts = running.mempool.submit_in_place(vec![bytes], Origin::Client);
            if verdicts.into_iter().all(|verdict| verdict.is_ok()) {
                running.waiting.push(Waiting { id, answer });
                self.orders += 1;
            } else {
                drop(answer);
                running.mempool.stop_waiting(&id);
            }
            self.gossip(node as u16);
        }
        let order = Box::new(order.clone());
        let again = Event::Retry { order, id, turns: turns + 1 };
        self.network.at(self.now + PATIENCE, again);
    }

    /// Passes fresh transactions of a node on to its peers.
    pub(super) fn gossip(&mut self, node: u16) {
        let Some(running) = &mut self.machines[usize::from(node)].node else { return };
        let fresh = running.fresh.take(usize::MAX);
        let batch: Vec<_> = fresh.iter().map(|transaction| transaction.bytes().to_vec()).collect();
        if batch.is_empty() {
            return;
        }
        for to in 0..self.machines.len() as u16 {
            if to != node {
                let push = Event::Push { to, batch: batch.clone() };
                let dice = (&self.plan, &mut self.chooser);
                self.network.send(dice, self.now, (node, to), &push);
            }
        }
    }

    /// Hears the answers that waited at a node.
    pub(super) fn hear_answers(&mut self, node: u16) {
        let machine = &mut self.machines[usize::from(node)];
        let (name, lies) = (machine.name(), machine.is_byzantine);
        let Some(running) = &mut machine.node else { return };
        let mut still = Vec::with_capacity(running.waiting.len());
        for mut waiting in std::mem::take(&mut running.waiting) {
            match waiting.answer.try_recv() {
                Ok(WaitEnd::Final(answer)) if !lies => {
                    self.oracle.acknowledge(&name, waiting.id, &answer);
                    self.acknowledged += 1;
                }
                Ok(_) | Err(tokio::sync::oneshot::error::TryRecvError::Closed) => {}
                Err(tokio::sync::oneshot::error::TryRecvError::Empty) => still.push(waiting),
            }
        }
        if let Some(running) = &mut self.machines[usize::from(node)].node {
            running.waiting = still;
        }
    }
}
