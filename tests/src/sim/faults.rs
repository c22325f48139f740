//! What breaks, and what is mended.

use cets_consensus::simulation::Moment;
use cets_contracts::types::Height;
use cets_node::store::Column;

use super::Shape;
use super::machine::{OldDisk, SKEW_ZERO};
use super::network::Event;
use super::plan::SECOND;
use super::world::World;

/// Why a node may stop: nothing can be written.
pub(super) const FULL: &str = "its disk is full";
/// Why a node may stop: something stored is not what was written.
pub(super) const ROTS: &str = "its disk rots";
/// Writes among which the power goes.
const WRITES: u64 = 120;
/// Tables whose values rot.
const ROTTING: &[Column] = &[
    Column::Meta,
    Column::Records,
    Column::Headers,
    Column::Certificates,
    Column::Entries,
    Column::Outcomes,
    Column::LogNodes,
    Column::Undecided,
    Column::Proposals,
    Column::Guard,
];

impl World<'_> {
    /// One fault of those that the seed drew.
    pub(super) fn fault(&mut self) {
        if self.now >= self.plan.until {
            return;
        }
        let pause = self.chooser.within(1, 2 * self.plan.pause);
        self.network.at(self.now + pause, Event::Fault);
        let node = self.chooser.below(self.machines.len() as u64) as u16;
        let plan = self.plan;
        match self.chooser.below(9) {
            0 if plan.partitions => self.cut_network(),
            1 if plan.crashes => self.cut_power(node),
            2 if plan.blackouts => {
                for node in 0..self.machines.len() as u16 {
                    self.machines[usize::from(node)].device.cut();
                    self.after(node);
                }
            }
            3 if plan.slow_disks => self.slow_disk(node),
            4 if plan.full_disks => self.fill_disk(node),
            5 if plan.rot => self.rot(node),
            6 if plan.lost_disks => self.lose_disk(node),
            7 if plan.lost_logs => self.lose_log(node),
            8 if plan.skew > 0 => {
                let off = self.chooser.within(0, 2 * plan.skew);
                self.machines[usize::from(node)].skew = (SKEW_ZERO + off).saturating_sub(plan.skew);
            }
            _ => {}
        }
    }

    fn cut_network(&mut self) {
        for side in 0..self.network.sides.len() {
            self.network.sides[side] = self.chooser.below(2) as u8;
        }
        let mended = self.now + self.chooser.within(SECOND / 10, 5 * SECOND);
        self.network.at(mended, Event::Mend);
    }

    fn cut_power(&mut self, node: u16) {
        let moment = match self.chooser.below(3) {
            0 => Moment::Before,
            1 => Moment::Within,
            _ => Moment::After,
        };
        let writes = self.chooser.below(WRITES);
        self.machines[usize::from(node)].device.cut_after(writes, moment);
    }

    fn slow_disk(&mut self, node: u16) {
        let micros = self.chooser.within(1_000, 300_000);
        self.machines[usize::from(node)].device.set_sync_micros(micros);
        let mended = self.now + self.chooser.within(SECOND / 5, 4 * SECOND);
        self.network.at(mended, Event::DiskMends { node });
    }

    fn fill_disk(&mut self, node: u16) {
        let machine = &mut self.machines[usize::from(node)];
        machine.device.set_full(true);
        machine.excuse.get_or_insert(FULL);
        let mended = self.now + self.chooser.within(SECOND / 5, 4 * SECOND);
        self.network.at(mended, Event::DiskMends { node });
    }

    /// Validators that may contradict themselves now.
    fn faulty(&self) -> usize {
        let lying = |machine: &&super::machine::Machine| {
            machine.is_byzantine || machine.forgot_until.is_some()
        };
        self.machines.iter().filter(lying).count()
    }

    /// Whether one more node may lose what it signed.
    fn is_tolerable(&self, node: u16) -> bool {
        let machine = &self.machines[usize::from(node)];
        let members = self.oracle.validators.members().len();
        !machine.is_byzantine
            && (machine.forgot_until.is_some() || self.faulty() < Shape::tolerated(members))
    }

    /// A node may contradict itself up to the height it works on, and one more that it may have
    /// begun.
    pub(super) fn forgets(&mut self, node: u16) {
        let machine = &mut self.machines[usize::from(node)];
        let until = Height::new(machine.reached + 1);
        machine.forgot_until = machine.forgot_until.max(Some(until));
    }

    fn rot(&mut self, node: u16) {
        if !self.is_tolerable(node) {
            return;
        }
        self.forgets(node);
        let column = *self.chooser.one(ROTTING).unwrap();
        let (place, silent) = (self.chooser.below(1 << 40), self.chooser.percent(40));
        let machine = &mut self.machines[usize::from(node)];
        machine.disk.rot(column, place, silent);
        machine.excuse = Some(ROTS);
        if self.chooser.percent(20) {
            self.machines[usize::from(node)].log.rot(place);
        }
        if self.chooser.percent(60) {
            self.machines[usize::from(node)].device.cut();
            self.after(node);
        }
    }

    /// A machine comes back with nothing, or with what it had earlier.
    fn lose_disk(&mut self, node: u16) {
        let keeps = self.chooser.percent(40);
        let machine = &mut self.machines[usize::from(node)];
        if keeps || machine.is_byzantine {
            let disk = machine.disk.copy_to(machine.device.clone(), std::path::Path::new("old"));
            let rots = machine.excuse == Some(ROTS);
            machine.old = Some(OldDisk { disk, log: machine.log.copy(), rots });
            return;
        }
        if !self.is_tolerable(node) {
            return;
        }
        self.forgets(node);
        let is_old = self.chooser.percent(50);
        self.machines[usize::from(node)].device.cut();
        self.after(node);
        let machine = &mut self.machines[usize::from(node)];
        match machine.old.take().filter(|_| is_old) {
            Some(old) => {
                machine.disk.restore(&old.disk);
                machine.log.restore(&old.log);
                // What rots now is what rotted when the copy was made.
                let other = machine.excuse.filter(|excuse| *excuse != ROTS);
                machine.excuse = if old.rots { Some(ROTS) } else { other };
            }
            None => {
                machine.disk.erase();
                machine.log.erase();
                machine.excuse = machine.excuse.filter(|excuse| *excuse != ROTS);
            }
        }
    }

    /// Only the log is lost: the guard must keep the node from contradicting itself.
    ///
    /// It does not vote before the height is decided, so it is no help while others fail.
    fn lose_log(&mut self, node: u16) {
        if !self.is_tolerable(node) {
            return;
        }
        self.forgets(node);
        self.machines[usize::from(node)].device.cut();
        self.after(node);
        self.machines[usize::from(node)].log.erase();
    }

    /// A machine without power: what was not synced is lost from some write on.
    pub(super) fn power_is_gone(&mut self, node: u16) {
        self.crashes += 1;
        let back = self.now + self.chooser.within(SECOND / 50, 3 * SECOND);
        let machine = &mut self.machines[usize::from(node)];
        machine.node = None;
        let kept = self.chooser.below(machine.disk.unsynced() as u64 + 1) as usize;
        machine.disk.lose_power(kept);
        let kept = self.chooser.below(machine.log.unsynced() as u64 + 1) as usize;
        let torn = self.chooser.below(200) as usize;
        machine.log.lose_power(kept, torn);
        self.network.at(back, Event::Start { node });
    }

    /// A disk is as it was.
    pub(super) fn mend_disk(&mut self, node: u16) {
        let machine = &mut self.machines[usize::from(node)];
        machine.device.set_full(false);
        if machine.excuse == Some(FULL) {
            machine.excuse = None;
        }
        machine.device.set_sync_micros(0);
    }

    /// Faults are over: everything is mended and every node is started.
    pub(super) fn mend_all(&mut self) {
        self.network.mend();
        self.plan.loss = 0;
        self.plan.duplicates = 0;
        self.plan.latency = (500, 20_000);
        for node in 0..self.machines.len() as u16 {
            self.mend_disk(node);
            let off = self.chooser.below(200_000);
            let machine = &mut self.machines[usize::from(node)];
            machine.skew = SKEW_ZERO + off;
            if machine.node.is_none() {
                self.network.at(self.now + 1, Event::Start { node });
            } else if machine.device.is_off() {
                self.after(node);
            } else {
                // A cut that was planned does not come any more.
                machine.device.switch_on();
            }
        }
    }
}
