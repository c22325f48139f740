//! The ministry: validators join, leave and change their keys while everything breaks.

use cets_contracts::block::Validator;
use cets_contracts::rules::Payload;
use cets_contracts::rules::governance::set_validators::SetValidators;
use cets_contracts::tx::{TxBody, signer_list};
use cets_contracts::types::{BlockTime, PublicKey, Role};

use super::network::Event;
use super::plan::SECOND;
use super::template::key_label;
use super::world::World;
use crate::fixture::{account, public_key};

/// A validator with the present key of a node.
fn member(node: u16, turn: u32) -> Validator {
    Validator {
        name: format!("node-{node}-{turn}"),
        consensus_key: public_key(&key_label(node, turn)),
        cosigner_key: public_key(&format!("cosigner/{}/{turn}", node + 1)),
        power: 1,
    }
}

impl World<'_> {
    /// Orders one change of the validators.
    pub(super) fn govern(&mut self) {
        if self.now >= self.plan.until {
            return;
        }
        let pause = self.chooser.within(SECOND / 2, 4 * SECOND);
        self.network.at(self.now + pause, Event::Govern);
        let mut validators = self.oracle.model.validators.clone();
        let is_in = |validators: &[Validator], node: u16, turn: u32| {
            let key = public_key(&key_label(node, turn));
            validators.iter().any(|member| member.consensus_key == key)
        };
        let node = self.chooser.below(self.machines.len() as u64) as u16;
        let machine = &self.machines[usize::from(node)];
        if machine.is_byzantine || machine.forgot_until.is_some() {
            return;
        }
        let turn = machine.key_turn;
        let key = public_key(&key_label(node, turn));
        if !is_in(&validators, node, turn) {
            validators.push(member(node, turn));
        } else if self.chooser.percent(50) {
            // The node starts with its new key once the change is decided.
            validators.retain(|member| member.consensus_key != key);
            validators.push(member(node, turn + 1));
        } else if validators.len() > usize::from(self.shape.validators) {
            validators.retain(|member| member.consensus_key != key);
        } else {
            return;
        }
        self.order_validators(validators);
    }

    fn order_validators(&mut self, validators: Vec<Validator>) {
        let ministry = account(Role::Ministry, 1);
        let Some(holder) = self.oracle.model.accounts.get(&ministry) else { return };
        let signers: Vec<PublicKey> = holder
            .people
            .iter()
            .filter(|person| person.right.may_initiate() || person.right.may_approve())
            .map(|person| person.key)
            .filter(|key| self.workload.people.knows(key))
            .collect();
        let now = self.oracle.model.now.as_millis();
        let body = TxBody {
            chain_id: self.template.genesis.chain_id(),
            account: ministry,
            signers: signer_list(signers),
            valid_until: BlockTime::from_millis(now + 20_000),
            salt: self.now,
            payload: Payload::SetValidators(SetValidators { validators }),
        };
        let signed = self.workload.people.sign(body);
        let id = signed.body.id();
        self.submit(&signed, id, 0);
    }

    /// Nodes whose new key is in the set start with it.
    pub(super) fn follow_keys(&mut self) {
        for node in 0..self.machines.len() as u16 {
            let machine = &self.machines[usize::from(node)];
            let next = public_key(&key_label(node, machine.key_turn + 1));
            let is_due = self.oracle.model.validators.iter().any(|it| it.consensus_key == next);
            if is_due && !machine.is_byzantine {
                let machine = &mut self.machines[usize::from(node)];
                machine.key_turn += 1;
                machine.node = None;
                let (kept, logged) = (machine.disk.unsynced(), machine.log.unsynced());
                machine.disk.lose_power(kept);
                machine.log.lose_power(logged, 0);
                self.network.at(self.now + SECOND / 10, Event::Start { node });
            }
        }
    }
}
