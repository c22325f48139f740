//! The goals in the order in which they leave a network fit for the next.

use std::collections::BTreeSet;
use std::time::Instant;

use super::goal::Goal;
use super::receipts::Verifier;
use super::results::{self, Measured, Results};
use super::scaling::{self, Reach};
use super::throughput::{self, Load};
use super::world::{Scale, World};
use super::{
    against, audit, deadline, faults, fragments, latency, ordering, profile, proofs, reader,
    restore, sizes, sweep, trades,
};

/// Goals that need G1 of the same run.
const COMPARED: &[Goal] =
    &[Goal::G1, Goal::G2, Goal::G3, Goal::G4, Goal::G6, Goal::G7, Goal::G8, Goal::G11, Goal::G15];
/// Goals that need no network of their own, or bring one.
const APART: &[Goal] = &[Goal::G9, Goal::G14, Goal::G16, Goal::ACCOUNTS];

/// What to measure, and how long.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Goals; all when there are none.
    pub goals: BTreeSet<Goal>,
    /// The network that most goals share.
    pub scale: Scale,
    /// How a load is measured.
    pub load: Load,
    /// Most ranges of G14.
    pub ranges_max: u64,
    /// Most accounts of ACCOUNTS.
    pub accounts_max: u64,
    /// Ranges of the fragmented holding of G16.
    pub fragments: u64,
    /// Transfers of the history that G9 audits.
    pub audited: u64,
    /// Leaves the folder of the network.
    pub keep: bool,
}

/// Measures and keeps what was measured.
#[derive(Debug)]
pub struct Course {
    settings: Settings,
    results: Results,
    noise: Option<String>,
    /// When the goal before was kept.
    last: Instant,
    failures: Vec<String>,
}

/// What a course leaves.
#[derive(Debug)]
pub struct Run {
    /// What was measured now, and earlier.
    pub results: Results,
    /// Goals that could not be measured, each with why.
    pub failures: Vec<String>,
}

impl Course {
    /// A course that adds to earlier results; `noise` is said with each goal.
    pub fn new(settings: Settings, noise: Option<String>) -> eyre::Result<Self> {
        let results = Results::of_file()?;
        Ok(Self { settings, results, noise, last: Instant::now(), failures: Vec::new() })
    }

    /// Measures all goals that are asked for. One that fails does not keep the others from being
    /// measured.
    ///
    /// # Errors
    /// When the results cannot be written.
    pub fn run(mut self) -> eyre::Result<Run> {
        let Settings { scale, load, fragments, audited, .. } = self.settings;
        if self.wants(Goal::G16) {
            self.keep(Goal::G16, fragments::measure(fragments, load.runs))?;
        }
        if self.wants(Goal::G9) {
            self.keep(Goal::G9, audit::measure(audited, load.runs))?;
        }
        if Goal::ALL.iter().any(|goal| self.wants(*goal) && !APART.contains(goal)) {
            self.network()?;
        }
        if self.wants(Goal::G2) {
            let measured = against::postgres(&self.results, scale, load.seconds, load.runs);
            self.keep(Goal::G2, measured)?;
        }
        if self.wants(Goal::G3) {
            self.keep(Goal::G3, Ok(against::cometbft(&self.results)))?;
        }
        if self.wants(Goal::G4) {
            self.keep(Goal::G4, ordering::measure(&self.results, load.seconds, load.runs))?;
        }
        let Settings { ranges_max, accounts_max, .. } = self.settings;
        let reach = Reach { ranges: scale.ranges, ranges_max, accounts_max };
        if self.wants(Goal::G14) {
            self.keep(Goal::G14, scaling::ranges(&self.results, reach, &load))?;
        }
        if self.wants(Goal::ACCOUNTS) {
            self.keep(Goal::ACCOUNTS, scaling::accounts(reach, &load))?;
        }
        Ok(Run { results: self.results, failures: self.failures })
    }

    fn wants(&self, goal: Goal) -> bool {
        self.settings.goals.is_empty() || self.settings.goals.contains(&goal)
    }

    fn failed(&mut self, what: &str, error: &eyre::Report) {
        let failure = format!("{what}: {error:#}");
        eprintln!("{failure}");
        self.failures.push(failure);
    }

    fn keep(&mut self, goal: Goal, measured: eyre::Result<Measured>) -> eyre::Result<()> {
        let took = self.last.elapsed().as_secs_f64();
        self.last = Instant::now();
        let mut measured = match measured {
            Ok(measured) => measured,
            Err(error) => {
                self.failed(&goal.name(), &error);
                return Ok(());
            }
        };
        measured.notes.extend(self.noise.clone());
        measured.figure("s that measuring took", took);
        print!("{}", measured.lines(goal));
        self.results.put(goal, measured);
        self.results.write(&results::folder().join("results.json"))
    }

    fn network(&mut self) -> eyre::Result<()> {
        let mut world = match World::open(self.settings.scale) {
            Ok(world) => world,
            Err(error) => {
                self.failed("network", &error);
                return Ok(());
            }
        };
        if let Err(error) = self.on(&mut world) {
            self.failed("network", &error);
        }
        if self.settings.keep {
            println!("the network is in {}", world.keep().display());
        }
        Ok(())
    }

    fn on(&mut self, world: &mut World) -> eyre::Result<()> {
        let load = self.settings.load;
        if self.wants(Goal::G12) {
            let start = world.restart()?;
            self.keep(Goal::G12, Ok(sizes::per_range(world, start)))?;
        }
        let mut verifier = Verifier::new(world)?;
        let founded = world.nodes.height(&world.nodes.all());
        verifier.read_to(world, founded, &BTreeSet::new())?;
        let rate = self.throughput(world, &mut verifier)?;
        self.alone(world)?;
        if let (true, Some(rate)) = (self.wants(Goal::G6), rate) {
            self.keep(Goal::G6, latency::busy(world, rate, load.seconds, load.runs))?;
        }
        if self.wants(Goal::TRADES) {
            let measured = trades::measure(world, &mut verifier, load.seconds, load.runs);
            self.keep(Goal::TRADES, measured)?;
        }
        if self.wants(Goal::DEADLINE) {
            let measured = deadline::measure(world, &mut verifier, load.runs);
            self.keep(Goal::DEADLINE, measured)?;
        }
        if let (true, Some(rate)) = (self.wants(Goal::G7) || self.wants(Goal::G8), rate) {
            match faults::away(world, &mut verifier, &load, rate) {
                Ok(away) => {
                    self.keep(Goal::G7, Ok(away.dead))?;
                    self.keep(Goal::G8, Ok(away.catch_up))?;
                }
                Err(error) => self.keep(Goal::G7, Err(error))?,
            }
        }
        if self.wants(Goal::G13) {
            self.keep(Goal::G13, restore::measure(world, load.runs))?;
        }
        Ok(())
    }

    /// G1, G15 and G11; none when no goal needs them.
    fn throughput(
        &mut self,
        world: &mut World,
        verifier: &mut Verifier,
    ) -> eyre::Result<Option<f64>> {
        if !COMPARED.iter().any(|goal| self.wants(*goal)) {
            return Ok(None);
        }
        let load = self.settings.load;
        if self.wants(Goal::G11) && !self.wants(Goal::G12) {
            world.restart()?;
        }
        let size = |world: &World| world.nodes.status(0).map_or(0, |now| now.log_size - now.height);
        let (before, first) = (sizes::disk(world), size(world));
        let mut measured = throughput::measure(world, verifier, &load)?;
        let rate = measured.ours;
        if self.wants(Goal::G15) {
            self.keep(Goal::G15, Ok(sizes::memory(world)))?;
        }
        if self.wants(Goal::G1) {
            let added = sweep::add_points(world, verifier, &load, &mut measured)
                .and_then(|()| profile::add_parts(world, verifier, &load, &mut measured));
            if let Err(error) = added {
                self.failed("points and parts of G1", &error);
            }
        }
        self.keep(Goal::G1, Ok(measured))?;
        if self.wants(Goal::G11) {
            world.restart()?;
            let transfers = size(world) - first;
            self.keep(Goal::G11, Ok(sizes::per_transfer(world, &before, transfers)))?;
        }
        Ok(Some(rate))
    }

    /// Goals during which nothing else is on its way.
    fn alone(&mut self, world: &mut World) -> eyre::Result<()> {
        let load = self.settings.load;
        if self.wants(Goal::G5) {
            self.keep(Goal::G5, latency::idle(world, load.seconds, load.runs))?;
        }
        if self.wants(Goal::G10) {
            self.keep(Goal::G10, proofs::measure(world, load.runs))?;
        }
        if self.wants(Goal::G17) {
            self.keep(Goal::G17, reader::measure(world, load.seconds, load.runs))?;
        }
        Ok(())
    }
}
