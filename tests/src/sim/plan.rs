//! What a seed draws: which faults there are, and how strong.

use crate::workload::Chooser;

/// Microseconds of a second.
pub const SECOND: u64 = 1_000_000;

/// How many nodes, and how many of them lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape {
    /// Validators at the start.
    pub validators: u16,
    /// How many of them are Byzantine.
    pub byzantine: u16,
}

impl Shape {
    /// Faulty validators that so many tolerate.
    pub const fn tolerated(validators: usize) -> usize {
        validators.saturating_sub(1) / 3
    }
}

/// What a Byzantine validator does; a seed draws several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lies {
    /// Says one thing to some and another to others.
    pub equivocates: bool,
    /// Says nothing to some.
    pub is_silent: bool,
    /// Proposes blocks that are no good.
    pub proposes_badly: bool,
    /// Sends what was sent before.
    pub replays: bool,
    /// Votes for whatever was proposed.
    pub votes_for_all: bool,
    /// Sends bytes that mean nothing.
    pub babbles: bool,
}

/// The faults of a seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Packets lost, of a thousand.
    pub loss: u64,
    /// Packets that come twice, of a thousand.
    pub duplicates: u64,
    /// Least and most time of a packet on its way, in microseconds.
    pub latency: (u64, u64),
    /// Networks are cut in two.
    pub partitions: bool,
    /// Machines lose power.
    pub crashes: bool,
    /// All machines lose power at once.
    pub blackouts: bool,
    /// Syncing takes long.
    pub slow_disks: bool,
    /// Disks have no room.
    pub full_disks: bool,
    /// Stored bits flip.
    pub rot: bool,
    /// Machines come back with an empty or an old disk.
    pub lost_disks: bool,
    /// Only the consensus log is lost.
    pub lost_logs: bool,
    /// Clocks are off by at most so many microseconds.
    pub skew: u64,
    /// Validators join, leave and change keys.
    pub governance: bool,
    /// Nodes that are no validators at the start.
    pub spares: u16,
    /// Mean time between faults, in microseconds.
    pub pause: u64,
    /// When faults end, in microseconds.
    pub until: u64,
    /// Time between orders, in microseconds.
    pub order_every: u64,
    /// How long a proposer waits for orders, in microseconds.
    pub idle: u64,
    /// What Byzantine validators do.
    pub lies: Lies,
}

impl Plan {
    /// Draws a plan: half of the faults are on, each as strong as it happens.
    pub fn draw(chooser: &mut Chooser) -> Self {
        let on = |chooser: &mut Chooser| chooser.percent(40);
        let least = chooser.within(200, 20_000);
        Self {
            loss: if on(chooser) { chooser.within(1, 250) } else { 0 },
            duplicates: if on(chooser) { chooser.within(1, 200) } else { 0 },
            latency: (least, least + chooser.within(100, 80_000)),
            partitions: on(chooser),
            crashes: chooser.percent(60),
            blackouts: chooser.percent(15),
            slow_disks: on(chooser),
            full_disks: chooser.percent(25),
            rot: chooser.percent(25),
            lost_disks: chooser.percent(30),
            lost_logs: chooser.percent(25),
            skew: if on(chooser) { chooser.within(1, 3 * SECOND) } else { 0 },
            governance: on(chooser),
            spares: chooser.below(3) as u16,
            pause: chooser.within(100_000, 2 * SECOND),
            until: chooser.within(3, 12) * SECOND,
            order_every: chooser.within(15_000, 200_000),
            idle: chooser.within(20_000, 400_000),
            lies: Lies {
                equivocates: chooser.percent(60),
                is_silent: chooser.percent(30),
                proposes_badly: chooser.percent(50),
                replays: chooser.percent(40),
                votes_for_all: chooser.percent(40),
                babbles: chooser.percent(40),
            },
        }
    }
}
