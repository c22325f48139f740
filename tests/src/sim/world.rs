//! The nodes of a seed, and what happens to them until the end.

use std::time::Duration;

use cets_consensus::Ledger as _;
use cets_consensus::simulation::{Ending, Output, Packet};
use cets_contracts::types::Height;
use cets_node::mempool::Origin;

use super::faults::ROTS;
use super::machine::Machine;
use super::network::{Event, Network};
use super::oracle::Oracle;
use super::plan::{Plan, SECOND, Shape};
use super::template::Template;
use crate::workload::{Chooser, Workload};

/// Heights that every node commits once faults are over.
const HEIGHTS_AFTER: u64 = 4;
/// Virtual time in which it does, in microseconds.
pub const LIVENESS_BOUND: u64 = 150 * SECOND;

/// A network of nodes, clients and faults.
pub struct World<'t> {
    pub(super) template: &'t Template,
    pub(super) shape: Shape,
    pub(super) plan: Plan,
    pub(super) chooser: Chooser,
    pub(super) workload: Workload,
    pub(super) network: Network,
    pub(super) machines: Vec<Machine>,
    /// Looks at every commit.
    pub oracle: Oracle,
    pub(super) now: u64,
    pub(super) kept: Vec<Packet>,
    trace: blake3::Hasher,
    /// Events so far.
    pub events: u64,
    /// Orders that a node took.
    pub orders: u64,
    /// Orders that clients were told are final.
    pub acknowledged: u64,
    /// Machines that lost power.
    pub crashes: u64,
    /// Virtual time from the end of faults to the end, in microseconds.
    pub recovery: u64,
    /// Prints every event.
    pub is_loud: bool,
}

impl<'t> World<'t> {
    /// The world of a seed.
    pub fn new(template: &'t Template, shape: Shape, seed: u64) -> Self {
        let mut chooser = Chooser::new(seed);
        let plan = Plan::draw(&mut chooser);
        let nodes = shape.validators + plan.spares;
        let mut workload = template.workload.clone();
        workload.chooser = Chooser::new(chooser.below(u64::MAX));
        let mut machines: Vec<Machine> =
            (0..nodes).map(|number| Machine::new(number, template)).collect();
        for machine in machines.iter_mut().take(usize::from(shape.byzantine)) {
            machine.is_byzantine = true;
        }
        let mut world = Self {
            template,
            shape,
            plan,
            chooser,
            workload,
            network: Network::new(nodes),
            machines,
            oracle: template.oracle.clone(),
            now: 0,
            kept: Vec::new(),
            trace: blake3::Hasher::new(),
            events: 0,
            orders: 0,
            acknowledged: 0,
            crashes: 0,
            recovery: 0,
            is_loud: false,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for node in 0..self.machines.len() as u16 {
            let at = self.chooser.below(SECOND / 5);
            self.network.at(at, Event::Start { node });
            if self.machines[usize::from(node)].is_byzantine {
                self.network.at(SECOND / 2, Event::Lie { node });
            }
        }
        self.network.at(SECOND / 10, Event::Order);
        self.network.at(SECOND, Event::Fault);
        if self.plan.governance {
            self.network.at(SECOND, Event::Govern);
        }
    }

    /// Runs the seed to its end.
    pub fn run(&mut self) {
        while self.now < self.plan.until && self.oracle.violations.is_empty() && self.step() {}
        if !self.oracle.violations.is_empty() {
            return;
        }
        self.mend_all();
        let (began, acknowledged) = (self.now, self.acknowledged);
        let goal = Height::new(self.oracle.tip().get() + HEIGHTS_AFTER);
        while !self.all_reached(goal) || self.acknowledged == acknowledged {
            if self.now > began + LIVENESS_BOUND {
                self.not_live(goal);
                return;
            }
            if !self.oracle.violations.is_empty() || !self.step() {
                return;
            }
        }
        self.recovery = self.now - began;
        // What is final anywhere by now must come to be final everywhere.
        let last = self.oracle.tip();
        while !self.all_reached(last) {
            if self.now > began + LIVENESS_BOUND {
                self.not_live(last);
                return;
            }
            if !self.oracle.violations.is_empty() || !self.step() {
                return;
            }
        }
        self.look_at_all(last);
    }

    fn all_reached(&self, goal: Height) -> bool {
        self.oracle.tip() >= goal
            && self.machines.iter().all(|machine| machine.is_byzantine || machine.tip() >= goal)
    }

    fn not_live(&mut self, goal: Height) {
        let mut what = format!("LIVENESS: {goal} is not everywhere, or nothing is final");
        for machine in &self.machines {
            let engine = machine.node.as_ref().map(|node| node.engine.describe());
            what.push_str(&format!("\n    {}: {engine:?}", machine.name()));
        }
        self.oracle.violated(what);
    }

    fn look_at_all(&mut self, last: Height) {
        for machine in self.machines.iter().filter(|machine| !machine.is_byzantine) {
            if machine.excuse == Some(ROTS) {
                continue;
            }
            if let Some(node) = &machine.node {
                self.oracle.at_end(&machine.name(), &node.store, &node.state, last);
            }
        }
    }

    /// The digest of everything that happened.
    pub fn digest(&self) -> String {
        self.trace.finalize().to_hex()[..16].to_owned()
    }

    /// The next event; false when nothing happens any more.
    fn step(&mut self) -> bool {
        let Some((time, event)) = self.network.next() else { return false };
        self.now = self.now.max(time);
        if let Some(later) = self.busy_until(&event) {
            self.network.at(later, event);
            return true;
        }
        self.events += 1;
        self.note(&event);
        match event {
            Event::Packet { to, from, packet } => {
                let now = self.virtual_time();
                self.with_engine(to, |engine| engine.receive(now, from, &packet));
            }
            Event::Push { to, batch } => {
                if let Some(node) = &self.machines[usize::from(to)].node {
                    self.machines[usize::from(to)].show(self.template, self.now);
                    node.mempool.submit_in_place(batch, Origin::Peer);
                }
            }
            Event::Wake { node, life, ticket } => {
                let now = self.virtual_time();
                if self.machines[usize::from(node)].life == life {
                    self.with_engine(node, |engine| engine.wake(now, ticket));
                }
            }
            Event::Work { node, life } => {
                let now = self.virtual_time();
                if self.machines[usize::from(node)].life == life {
                    self.with_engine(node, |engine| engine.work(now));
                }
            }
            Event::Start { node } => self.start(node),
            Event::Order => self.order(),
            Event::Retry { order, id, turns } => self.submit(&order, id, turns),
            Event::Fault => self.fault(),
            Event::Mend => self.network.mend(),
            Event::DiskMends { node } => self.mend_disk(node),
            Event::Govern => self.govern(),
            Event::Lie { node } => self.lie(node),
        }
        true
    }

    fn virtual_time(&self) -> Duration {
        Duration::from_micros(self.now)
    }

    /// Until when a node has no time for an event.
    fn busy_until(&self, event: &Event) -> Option<u64> {
        let node = match event {
            Event::Packet { to, .. } | Event::Push { to, .. } => *to,
            Event::Wake { node, .. } | Event::Work { node, .. } => *node,
            _ => return None,
        };
        let until = self.machines[usize::from(node)].busy_until;
        (until > self.now).then_some(until)
    }

    fn note(&mut self, event: &Event) {
        self.trace.update(&self.now.to_be_bytes());
        let (kind, node, bytes): (u8, u16, &[u8]) = match event {
            Event::Packet { to, packet, .. } => (1, *to, &packet.bytes),
            Event::Push { to, batch } => (2, *to, batch.first().map_or(&[], Vec::as_slice)),
            Event::Wake { node, .. } => (3, *node, &[]),
            Event::Work { node, .. } => (4, *node, &[]),
            Event::Start { node } => (5, *node, &[]),
            Event::Order => (6, 0, &[]),
            Event::Retry { id, .. } => (7, 0, id.as_bytes()),
            Event::Fault => (8, 0, &[]),
            Event::Mend => (9, 0, &[]),
            Event::DiskMends { node } => (10, *node, &[]),
            Event::Govern => (11, 0, &[]),
            Event::Lie { node } => (12, *node, &[]),
        };
        if self.is_loud {
            println!("{:>10} {event:?}", self.now);
        }
        self.trace.update(&[kind]);
        self.trace.update(&node.to_be_bytes());
        self.trace.update(bytes);
    }

    fn with_engine(
        &mut self,
        node: u16,
        act: impl FnOnce(&mut cets_consensus::simulation::SimulatedEngine),
    ) {
        let machine = &mut self.machines[usize::from(node)];
        machine.show(self.template, self.now);
        let Some(running) = &mut machine.node else { return };
        act(&mut running.engine);
        machine.reached = machine.reached.max(running.engine.place().0);
        self.after(node);
    }

    fn start(&mut self, node: u16) {
        let machine = &mut self.machines[usize::from(node)];
        if machine.node.is_some() {
            return;
        }
        match machine.boot(self.template, self.now) {
            Ok(()) => self.after(node),
            Err(reason) => self.does_not_start(node, &reason),
        }
    }

    /// A node that refuses to start: an operator mends what the message says.
    fn does_not_start(&mut self, node: u16, reason: &str) {
        let again = self.now + self.chooser.within(SECOND / 10, SECOND);
        let machine = &mut self.machines[usize::from(node)];
        if machine.device.is_off() {
            return self.power_is_gone(node);
        }
        match machine.excuse {
            // An emptied disk may have no room either.
            None if machine.device.is_full() => {}
            None => {
                let name = machine.name();
                self.oracle.violated(format!("{name} does not start: {reason}"));
            }
            Some(ROTS) => {
                machine.disk.erase();
                machine.log.erase();
                machine.excuse = None;
                self.forgets(node);
            }
            Some(_) => {}
        }
        self.network.at(again, Event::Start { node });
    }

    /// What follows from anything that a node did.
    pub(super) fn after(&mut self, node: u16) {
        self.send_outputs(node);
        self.look(node);
        if self.machines[usize::from(node)].device.is_off() {
            return self.power_is_gone(node);
        }
        let machine = &mut self.machines[usize::from(node)];
        let ending = machine.node.as_ref().and_then(|running| running.engine.ending());
        let Some(ending) = ending.cloned() else { return };
        machine.node = None;
        if machine.excuse == Some(ROTS) {
            // The message says to move the folder away and to fetch the ledger again.
            machine.excuse = None;
            machine.disk.erase();
            machine.log.erase();
            self.forgets(node);
        } else if machine.excuse.is_none() && !machine.is_byzantine {
            let name = machine.name();
            let (Ending::Stopped(reason) | Ending::Held(reason)) = ending;
            self.oracle.violated(format!("{name} stops by itself: {reason}"));
        }
        let (kept, logged) = (
            self.machines[usize::from(node)].disk.unsynced(),
            self.machines[usize::from(node)].log.unsynced(),
        );
        self.machines[usize::from(node)].disk.lose_power(kept);
        self.machines[usize::from(node)].log.lose_power(logged, 0);
        let again = self.now + self.chooser.within(SECOND / 10, SECOND);
        self.network.at(again, Event::Start { node });
    }

    fn send_outputs(&mut self, node: u16) {
        let machine = &mut self.machines[usize::from(node)];
        let spent = machine.device.take_spent_micros();
        machine.busy_until = self.now + spent;
        let (life, lies) = (machine.life, machine.is_byzantine);
        let Some(running) = &mut machine.node else { return };
        let (outputs, empty) = (running.engine.take_outputs(), running.mempool.size().transactions);
        for output in outputs {
            match output {
                Output::Publish(packet) if lies => self.publish_lies(node, &packet),
                Output::Publish(packet) => {
                    for to in 0..self.machines.len() as u16 {
                        if to != node {
                            self.transmit(node, to, packet.clone());
                        }
                    }
                }
                Output::Send { to, packet } => self.transmit(node, to, packet),
                Output::Wake { after, ticket } => {
                    let after = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
                    let at = self.now + spent + after;
                    self.network.at(at, Event::Wake { node, life, ticket });
                }
                Output::Work { builds } => {
                    let idle = if builds && empty == 0 { self.plan.idle } else { 0 };
                    let at = self.now + spent + idle + self.chooser.within(10, 3_000);
                    self.network.at(at, Event::Work { node, life });
                }
            }
        }
    }

    pub(super) fn transmit(&mut self, from: u16, to: u16, packet: Packet) {
        let busy = self.machines[usize::from(from)].busy_until.max(self.now);
        let event = Event::Packet { to, from, packet };
        self.network.send((&self.plan, &mut self.chooser), busy, (from, to), &event);
    }

    /// The oracle looks at what a node committed, clients hear their answers.
    fn look(&mut self, node: u16) {
        let machine = &mut self.machines[usize::from(node)];
        let name = machine.name();
        let Some(running) = &mut machine.node else { return };
        let Ok(tip) = running.ledger.tip() else { return };
        if tip == running.seen || machine.device.is_off() {
            return;
        }
        if !machine.is_byzantine {
            let mut height = running.seen;
            while height < tip {
                height = height.next();
                self.oracle.observe(&name, &running.store, &running.state, height);
            }
        }
        running.seen = tip;
        if machine.forgot_until.is_some_and(|until| tip >= until) {
            machine.forgot_until = None;
        }
        self.hear_answers(node);
        self.follow_keys();
    }
}
