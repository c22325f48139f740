//! One attack: before, during and after it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cets_node::config::NodeConfig;
use cets_node::rpc::RpcLimits;
use eyre::{OptionExt as _, eyre};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::attacks::{Answers, Attack, Target, carry_out};
use super::gauges::Gauges;
use super::honest::{Honest, Latency, PATIENCE};
use crate::cluster::load::Load;
use crate::cluster::market::Market;
use crate::cluster::nodes::Nodes;

/// Bytes of caches and buffers that fill once, whoever uses a node.
const CACHES_BYTES: usize = 64 * 1024 * 1024;
/// How much longer honest clients may wait under attack.
pub const LATENCY_FACTOR_MAX: f64 = 2.0;

/// Growth of memory that attackers of one address may cause, in bytes: what the limits of a node
/// let them make it hold.
pub fn memory_growth_max() -> u64 {
    let held = RpcLimits::default().bytes_per_address_max();
    u64::try_from(held.saturating_add(CACHES_BYTES)).unwrap_or(u64::MAX)
}

/// The attacked node.
pub const ATTACKED: usize = 0;

/// How much of an attack there is.
#[derive(Clone, Copy, Debug)]
pub struct Strength {
    /// Requests.
    pub requests: u64,
    /// Requests a second at most.
    pub rate: u64,
    /// Connections.
    pub connections: usize,
    /// How long they are held.
    pub hold: Duration,
    /// How long honest clients are timed before and after.
    pub peace: Duration,
    /// Honest orders that become final before, during and after it, at least: the attack goes on
    /// until they did.
    pub finals: usize,
    /// Seed.
    pub seed: u64,
}

/// What was measured of an attack.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The attack.
    pub attack: Attack,
    /// Honest orders that had to become final in each part of it.
    pub finals: usize,
    /// How long it lasted.
    pub lasted: Duration,
    /// What the attacker got.
    pub answers: Answers,
    /// Honest clients before, during and after it.
    pub latency: [Latency; 3],
    /// Memory before it, its peak and after it, in bytes.
    pub memory: [u64; 3],
    /// Share of one core that the node used before and during it.
    pub processor: [f64; 2],
    /// Growth of the folder during it, in bytes.
    pub disk: u64,
    /// Open files and connections at its end.
    pub descriptors: u64,
}

impl Measured {
    /// How much longer honest clients waited, at the median.
    pub fn factor(&self) -> f64 {
        let [before, during, _] = self.latency.map(|latency| latency.median.as_secs_f64());
        during / before.max(0.001)
    }

    /// What must not have happened.
    pub fn violations(&self) -> Vec<String> {
        let mut violations = Vec::new();
        let name = self.attack.name();
        let [before, peak, _] = self.memory;
        let (grown, allowed) = (peak.saturating_sub(before), memory_growth_max());
        if grown > allowed {
            violations.push(format!("{name}: memory grew by {grown} bytes, {allowed} allowed"));
        }
        if self.factor() > LATENCY_FACTOR_MAX {
            violations.push(format!("{name}: honest clients waited {:.2} times", self.factor()));
        }
        violations.extend(self.failures());
        violations
    }

    /// What must not have happened on any machine, however busy: honest orders that fail, worthless
    /// requests that are taken.
    pub fn failures(&self) -> Vec<String> {
        let name = self.attack.name();
        let mut failures = Vec::new();
        for (when, latency) in ["before", "during", "after"].into_iter().zip(self.latency) {
            let Latency { count, failed, .. } = latency;
            if failed > 0 {
                failures.push(format!("{name}: {failed} honest orders failed {when} it"));
            }
            if count < self.finals {
                failures.push(format!("{name}: {count} honest orders became final {when} it"));
            }
        }
        let wrong = self.answers.iter().filter(|(answer, _)| answer.contains(": taken"));
        failures.extend(wrong.map(|(answer, count)| format!("{name}: {answer}, {count} times")));
        failures
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({:.1} s)", self.attack.name(), self.lasted.as_secs_f64())?;
        for (answer, count) in &self.answers {
            writeln!(f, "  attacker: {answer:<40} {count:>9}")?;
        }
        let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
        for (when, latency) in ["before", "during", "after"].iter().zip(self.latency) {
            let Latency { count, failed, median, p99 } = latency;
            let (median, p99) = (millis(median), millis(p99));
            write!(f, "  honest {when:<7} {count:>6} final, {failed} failed, ")?;
            writeln!(f, "median {median:>7.1} ms, p99 {p99:>7.1} ms")?;
        }
        writeln!(f, "  factor of the median {:.2}", self.factor())?;
        let [before, peak, after] = self.memory.map(|bytes| bytes / (1024 * 1024));
        let allowed = memory_growth_max() / (1024 * 1024);
        write!(f, "  memory {before} MiB before, {peak} MiB peak, {after} MiB after")?;
        writeln!(f, "; {allowed} MiB more are allowed")?;
        let [before, during] = self.processor;
        writeln!(f, "  processor {before:.2} cores before, {during:.2} during")?;
        writeln!(f, "  disk {} KiB, {} descriptors", self.disk / 1024, self.descriptors)
    }
}

/// A network of four under honest load.
pub struct Stage {
    nodes: Nodes,
    market: Arc<Market>,
    load: Load,
    honest: Honest,
    gauges: Gauges,
    peers: Vec<SocketAddr>,
    _folder: TempDir,
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stage({:?})", self.nodes)
    }
}

impl Stage {
    /// Starts the network and its honest clients.
    ///
    /// # Errors
    /// When the network does not start.
    pub fn open(seed: u64) -> eyre::Result<Self> {
        let folder = TempDir::with_prefix("cets-hostile-")?;
        let market = Arc::new(Market::write(folder.path().join("network"), 4, seed)?);
        let mut nodes = Nodes::new(market.network.clone())?;
        let all = nodes.all();
        let started = nodes.start(&all)?;
        nodes.answer(&all, started)?;
        let load = Load::open(&market, seed)?;
        let files = nodes.files(ATTACKED);
        let config = NodeConfig::read(&files.config_path)?;
        let peers = [&config.consensus.listen, &config.gossip.listen];
        let peers =
            peers.into_iter().map(|address| socket(address)).collect::<eyre::Result<_>>()?;
        let process = nodes.process_id(ATTACKED).ok_or_eyre("the node does not run")?;
        let gauges = Gauges::new(process, &nodes.data_folder(ATTACKED));
        let honest = Honest::start(load.runtime(), &market, &files.address(), seed)?;
        Ok(Self { nodes, market, load, honest, gauges, peers, _folder: folder })
    }

    /// Carries an attack out and measures.
    ///
    /// # Errors
    /// When the node ends.
    pub fn attack(&mut self, attack: Attack, strength: &Strength) -> eyre::Result<Measured> {
        let target = Target {
            api: self.nodes.files(ATTACKED).api,
            peers: self.peers.clone(),
            market: Arc::clone(&self.market),
            requests: strength.requests,
            connections: strength.connections,
            hold: strength.hold,
            rate: strength.rate,
            seed: strength.seed,
        };
        let used = || self.gauges.processor_seconds();
        let (peace, at_peace) = (Instant::now(), used()?);
        self.keep_peace(strength);
        let (begun, at_begin) = (Instant::now(), used()?);
        let (memory, disk) = (self.gauges.memory()?, self.gauges.disk()?);
        let watch = self.gauges.watch();
        let attackers =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let answers = self.attack_until(&attackers, attack, &target, strength.finals)?;
        let (ended, at_end) = (Instant::now(), used()?);
        let descriptors = self.gauges.descriptors()?;
        drop(attackers);
        self.keep_peace(strength);
        let latency = [(peace, begun), (begun, ended), (ended, Instant::now())]
            .map(|(from, to)| self.honest.between(from, to));
        let share = |used: f64, time: Duration| used / time.as_secs_f64();
        let measured = Measured {
            attack,
            finals: strength.finals,
            lasted: ended - begun,
            answers,
            latency,
            memory: [memory, watch.peak(), self.gauges.memory()?],
            processor: [
                share(at_begin - at_peace, begun - peace),
                share(at_end - at_begin, ended - begun),
            ],
            disk: self.gauges.disk()?.saturating_sub(disk),
            descriptors,
        };
        let all = self.nodes.all();
        self.nodes.still_wait(&all, Instant::now() + PATIENCE, "survive")?;
        Ok(measured)
    }

    /// Leaves honest clients alone for some time, until enough of their orders are final.
    fn keep_peace(&self, strength: &Strength) {
        let begun = Instant::now();
        std::thread::sleep(strength.peace);
        self.honest.wait_for_finals(begun, strength.finals);
    }

    /// Repeats an attack until so many honest orders became final under it, or patience is over.
    fn attack_until(
        &self,
        attackers: &Runtime,
        attack: Attack,
        target: &Target,
        finals: usize,
    ) -> eyre::Result<Answers> {
        let (begun, mut all) = (Instant::now(), Answers::new());
        loop {
            for (answer, count) in attackers.block_on(carry_out(attack, target))? {
                *all.entry(answer).or_default() += count;
            }
            if self.honest.finals_since(begun) >= finals || begun.elapsed() >= PATIENCE {
                return Ok(all);
            }
        }
    }

    /// Ends the honest clients.
    pub fn close(self) {
        self.honest.stop(self.load.runtime());
        drop(self.nodes);
    }
}

/// The socket of a multiaddr `/ip4/A/tcp/P`.
fn socket(address: &str) -> eyre::Result<SocketAddr> {
    let parts: Vec<&str> = address.split('/').collect();
    match parts.as_slice() {
        ["", "ip4", ip, "tcp", port, ..] => Ok(format!("{ip}:{port}").parse()?),
        _ => Err(eyre!("{address} is no address of TCP")),
    }
}
