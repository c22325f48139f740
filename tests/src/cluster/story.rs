//! One story: a network under load, something that happens to it, and what holds in the end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eyre::OptionExt as _;
use tempfile::TempDir;

use super::check::check;
use super::figures::Figures;
use super::load::Load;
use super::machine::{Clock, SmallDisk};
use super::market::Market;
use super::nodes::{Nodes, PATIENCE, program};
use super::proxy::Wiring;
use super::record::{Record, Way};
use super::stories::byzantine::PROGRAM as BYZANTINE_PROGRAM;
use super::stories::{byzantine, clock, disk_full, kills, links, restarts};
use crate::workload::Chooser;

/// What happens to the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// One node after the other is killed and started again.
    KillOne,
    /// All nodes are killed at one moment and started again.
    KillAll,
    /// The node whose turn it is to propose is killed and started again.
    KillProposer,
    /// A node loses its disk while it is down.
    EmptyDisk,
    /// A node is stopped for some seconds and goes on as if nothing had been.
    StopContinue,
    /// All nodes are restarted in good order, one after the other.
    Rolling,
    /// The network is cut at random sides and healed.
    Cut,
    /// Links are slow, lossy and narrow.
    Delay,
    /// The disk of a node is filled up while it runs.
    DiskFull,
    /// The clock of a node is stepped while it runs.
    Clock,
    /// A validator signs two things, or nothing.
    Byzantine,
}

impl Kind {
    /// All stories.
    pub const ALL: [Self; 11] = [
        Self::KillOne,
        Self::KillAll,
        Self::KillProposer,
        Self::EmptyDisk,
        Self::StopContinue,
        Self::Rolling,
        Self::Cut,
        Self::Delay,
        Self::DiskFull,
        Self::Clock,
        Self::Byzantine,
    ];

    /// Name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KillOne => "kill-one",
            Self::KillAll => "kill-all",
            Self::KillProposer => "kill-proposer",
            Self::EmptyDisk => "empty-disk",
            Self::StopContinue => "stop-continue",
            Self::Rolling => "rolling",
            Self::Cut => "cut",
            Self::Delay => "delay",
            Self::DiskFull => "disk-full",
            Self::Clock => "clock",
            Self::Byzantine => "byzantine",
        }
    }

    /// Rounds when none are asked for.
    pub const fn rounds(self) -> u32 {
        match self {
            Self::KillOne | Self::KillAll | Self::KillProposer => 20,
            Self::Cut => 12,
            Self::Delay | Self::Clock => 6,
            Self::EmptyDisk | Self::StopContinue | Self::Byzantine => 4,
            Self::Rolling | Self::DiskFull => 2,
        }
    }

    /// Whether the nodes call each other through the proxy.
    const fn is_wired(self) -> bool {
        matches!(self, Self::Cut | Self::Delay)
    }

    /// Why this machine cannot tell the story, if it cannot.
    pub fn obstacle(self) -> Option<String> {
        match self {
            Self::DiskFull => {
                let folder = TempDir::with_prefix("cets-disk-").ok()?;
                let refused = SmallDisk::mount(folder.path(), 1 << 20).err()?;
                Some(format!("{refused:#}"))
            }
            Self::Clock if Clock::library().is_none() => {
                Some("libfaketime is not installed; Debian's package is `faketime`".to_owned())
            }
            Self::Byzantine => program(BYZANTINE_PROGRAM).err().map(|_| {
                format!(
                    "{BYZANTINE_PROGRAM} is not built: `cargo build --release --workspace \
                     --features cets-node/byzantine --bin {BYZANTINE_PROGRAM}`"
                )
            }),
            _ => None,
        }
    }
}

/// How a story is told.
#[derive(Clone, Copy, Debug)]
pub struct Telling {
    /// Seed of moments, nodes and orders.
    pub seed: u64,
    /// How often it happens.
    pub rounds: u32,
    /// Validators of the network.
    pub validators: usize,
}

/// How a story ended.
#[derive(Debug)]
pub struct Ending {
    /// What was measured.
    pub figures: Figures,
    /// What must not have happened.
    pub violations: Vec<String>,
    /// The folder of the network, kept when there are violations.
    pub folder: Option<PathBuf>,
}

/// The network while things happen to it.
#[derive(Debug)]
pub struct Stage {
    /// The processes.
    pub nodes: Nodes,
    /// The network and its holders.
    pub market: Arc<Market>,
    /// The orders.
    pub load: Load,
    /// Choices of the story.
    pub chooser: Chooser,
    /// What was measured.
    pub figures: Figures,
    /// What must not have happened.
    pub violations: Vec<String>,
    /// Disks of nodes; they last until the last audit.
    pub disks: Vec<SmallDisk>,
    /// Whether a validator lies, so that the others may keep evidence.
    pub one_lies: bool,
    wiring: Option<Wiring>,
}

impl Stage {
    fn open(kind: Kind, telling: &Telling, folder: PathBuf) -> eyre::Result<Self> {
        let market = Arc::new(Market::write(folder, telling.validators, telling.seed)?);
        let wired = kind.is_wired().then(|| Wiring::install(&market.network, telling.seed));
        let wiring = wired.transpose()?;
        let mut nodes = Nodes::new(market.network.clone())?;
        let all = nodes.all();
        let started = nodes.start(&all)?;
        nodes.answer(&all, started)?;
        let load = Load::start(&market, telling.seed)?;
        let chooser = Chooser::new(telling.seed);
        Ok(Self {
            nodes,
            market,
            load,
            chooser,
            figures: Figures::default(),
            violations: Vec::new(),
            disks: Vec::new(),
            one_lies: false,
            wiring,
        })
    }

    /// The links between the nodes.
    pub fn wiring(&self) -> eyre::Result<&Wiring> {
        self.wiring.as_ref().ok_or_eyre("the nodes of this story call each other directly")
    }

    /// Lets the load run for a chosen time, at least until something new is acknowledged.
    pub fn run_on(&mut self, millis_min: u64, millis_max: u64) -> eyre::Result<()> {
        let before = self.load.record().count();
        let pause = Duration::from_millis(self.chooser.within(millis_min, millis_max));
        std::thread::sleep(pause);
        self.served_after(before)
    }

    /// Waits until more than so many transactions are acknowledged.
    pub fn served_after(&mut self, count: usize) -> eyre::Result<()> {
        let (all, deadline) = (self.nodes.all(), Instant::now() + PATIENCE);
        while self.load.record().count() <= count {
            let running = all.iter().copied().filter(|node| self.nodes.runs(*node));
            let running: Vec<usize> = running.collect();
            self.nodes.still_wait(&running, deadline, "make a transaction final")?;
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// One of the nodes.
    pub fn choose_node(&mut self) -> usize {
        self.chooser.below(self.nodes.count() as u64) as usize
    }

    /// All nodes but one.
    pub fn others(&self, node: usize) -> Vec<usize> {
        self.nodes.all().into_iter().filter(|other| *other != node).collect()
    }

    fn close(self) -> eyre::Result<(Figures, Vec<String>)> {
        let Self { mut nodes, market, load, mut figures, mut violations, one_lies, .. } = self;
        let record = load.finish();
        violations.extend(record.violations());
        let checked = check(&mut nodes, &market, &record, one_lies, &mut violations)?;
        count_acknowledged(&record, &mut figures);
        figures.count("heights with one header on all nodes", checked.heights);
        figures.count("transactions with one receipt on all nodes", checked.transactions as u64);
        figures.count("data folders that pass the audit", checked.audited as u64);
        Ok((figures, violations))
    }
}

fn count_acknowledged(record: &Record, figures: &mut Figures) {
    let acknowledged = record.acknowledged();
    let retried = acknowledged.iter().filter(|one| one.way == Way::Retry).count();
    figures.count("acknowledged", acknowledged.len() as u64);
    figures.count("of these final before they were sent again", retried as u64);
}

/// Tells a story from an empty folder to the audit.
pub fn tell(kind: Kind, telling: &Telling) -> eyre::Result<Ending> {
    eyre::ensure!(telling.validators >= 4, "four validators at least go on without one");
    let folder = TempDir::with_prefix("cets-cluster-")?;
    let told = Stage::open(kind, telling, folder.path().join("network")).and_then(|mut stage| {
        let happened = match kind {
            Kind::KillOne => kills::kill_one(&mut stage, telling.rounds),
            Kind::KillAll => kills::kill_all(&mut stage, telling.rounds),
            Kind::KillProposer => kills::kill_proposer(&mut stage, telling.rounds),
            Kind::EmptyDisk => restarts::empty_disk(&mut stage, telling.rounds),
            Kind::StopContinue => restarts::stop_continue(&mut stage, telling.rounds),
            Kind::Rolling => restarts::rolling(&mut stage, telling.rounds),
            Kind::Cut => links::cut(&mut stage, telling.rounds),
            Kind::Delay => links::delay(&mut stage, telling.rounds),
            Kind::DiskFull => disk_full::disk_full(&mut stage, telling.rounds),
            Kind::Clock => clock::clock(&mut stage, telling.rounds),
            Kind::Byzantine => byzantine::byzantine(&mut stage, telling.rounds),
        };
        happened.and_then(|()| stage.close())
    });
    let (figures, violations) = told.unwrap_or_else(|error| {
        (Figures::default(), vec![format!("the story broke off: {error:#}")])
    });
    let folder = (!violations.is_empty()).then(|| folder.keep());
    Ok(Ending { figures, violations, folder })
}
