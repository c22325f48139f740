//! The processes of a cluster: started, killed, stopped, asked.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use cets_api::operations_client::OperationsClient;
use cets_api::{GetStatusRequest, NodeStatus};
use cets_cli::demo::runner::processes::{Processes, log_path};
use cets_cli::network::{Network, NodeFiles};
use eyre::{OptionExt as _, WrapErr as _, ensure, eyre};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tonic::transport::Endpoint;

/// Longest wait for anything that must happen; far more than a busy machine needs.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// Longest wait for one answer about a node's status.
const STATUS_WAIT: Duration = Duration::from_secs(1);
/// Pause between two looks at a node.
const LOOK_PAUSE: Duration = Duration::from_millis(10);
/// Starts a program that is killed when its parent ends.
const TIED_TO_PARENT: [&str; 3] = ["setpriv", "--pdeathsig", "KILL"];

/// The nodes of a network.
pub struct Nodes {
    network: Network,
    processes: Processes,
    runtime: Runtime,
    /// Whether programs can be started so that they end with this one.
    can_tie: bool,
    /// Where data folders are seen from here, when not where the nodes see them.
    seen_at: BTreeMap<usize, PathBuf>,
}

impl std::fmt::Debug for Nodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Nodes({})", self.count())
    }
}

/// A program of the workspace, built before and found in the folders above this one.
///
/// # Errors
/// When it is not there, with what to do.
pub fn program(name: &str) -> eyre::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let found = own.ancestors().skip(1).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.ok_or_else(|| {
        eyre!(
            "{name} is not built: run `make test`, or `cargo build --release --workspace --bin \
             cets --bin cetsd`"
        )
    })
}

impl Nodes {
    /// The nodes of a network; none runs yet.
    pub fn new(network: Network) -> eyre::Result<Self> {
        let can_tie = Command::new(TIED_TO_PARENT[0]).arg("--version").output().is_ok();
        let (first, rest) = command(can_tie, &[], program("cetsd")?);
        let processes = Processes::new(&network, &first, &rest);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { network, processes, runtime, can_tie, seen_at: BTreeMap::new() })
    }

    /// Starts a node by another program, and within a command, from its next start on.
    pub fn start_by(&mut self, node: usize, within: &[OsString], program: PathBuf) {
        let (first, rest) = command(self.can_tie, within, program);
        self.processes.start_by(node, &first, &rest);
    }

    /// Says where the data folder of a node is seen from here.
    pub fn see_data_at(&mut self, node: usize, folder: PathBuf) {
        self.seen_at.insert(node, folder);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.network.nodes.len()
    }

    /// All nodes by number.
    pub fn all(&self) -> Vec<usize> {
        (0..self.count()).collect()
    }

    /// The files of a node.
    pub fn files(&self, node: usize) -> &NodeFiles {
        &self.network.nodes[node]
    }

    /// The data folder of a node.
    pub fn data_folder(&self, node: usize) -> PathBuf {
        let folder = self.files(node).config_path.with_file_name("data");
        self.seen_at.get(&node).cloned().unwrap_or(folder)
    }

    /// What a node wrote to its log.
    pub fn log(&self, node: usize) -> String {
        std::fs::read_to_string(log_path(self.files(node))).unwrap_or_default()
    }

    /// Starts nodes and says when.
    pub fn start(&mut self, nodes: &[usize]) -> eyre::Result<Instant> {
        let started = Instant::now();
        for node in nodes {
            self.processes.start_node(*node)?;
        }
        Ok(started)
    }

    /// Kills nodes at one moment, as a power failure would.
    pub fn kill(&mut self, nodes: &[usize]) -> eyre::Result<()> {
        self.signal(nodes, "KILL")?;
        for node in nodes {
            self.processes.kill_node(*node)?;
        }
        Ok(())
    }

    /// Kills one node without any delay.
    pub fn kill_now(&mut self, node: usize) -> eyre::Result<()> {
        Ok(self.processes.kill_node(node)?)
    }

    /// Waits until a node ended by itself, and says how.
    pub fn end(&mut self, node: usize) -> eyre::Result<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.processes.take_ended(node) {
                return Ok(status);
            }
            ensure!(
                Instant::now() < deadline,
                "{} does not end by itself; its status: {:?}",
                self.files(node).name,
                self.status(node).map(|status| status.problem)
            );
            std::thread::sleep(LOOK_PAUSE);
        }
    }

    /// Sends a signal to nodes at one moment.
    pub fn signal(&self, nodes: &[usize], signal: &str) -> eyre::Result<()> {
        let numbers = nodes.iter().map(|node| {
            let number = self.processes.process_id(*node);
            number.map(|number| number.to_string()).ok_or_eyre("the node does not run")
        });
        let numbers: Vec<String> = numbers.collect::<eyre::Result<_>>()?;
        let status = Command::new("kill").arg("-s").arg(signal).args(numbers).status()?;
        ensure!(status.success(), "signal {signal} was not sent: {status}");
        Ok(())
    }

    /// Number of the process of a node that runs.
    pub fn process_id(&self, node: usize) -> Option<u32> {
        self.processes.process_id(node)
    }

    /// Whether a node was started and not killed or stopped since.
    pub fn runs(&self, node: usize) -> bool {
        self.processes.process_id(node).is_some()
    }

    /// Asks a node to end and waits for it.
    pub fn stop(&mut self, node: usize) -> eyre::Result<()> {
        Ok(self.processes.stop_node(node)?)
    }

    /// Waits until nodes answer; returns after how long each did since a moment.
    pub fn answer(&mut self, nodes: &[usize], since: Instant) -> eyre::Result<Vec<Duration>> {
        let mut tasks = JoinSet::new();
        for node in nodes {
            let address = self.files(*node).address();
            tasks.spawn_on(
                async move {
                    while ask(&address).await.is_none() {
                        tokio::time::sleep(LOOK_PAUSE).await;
                    }
                    since.elapsed()
                },
                self.runtime.handle(),
            );
        }
        let (mut answered, deadline) = (Vec::new(), Instant::now() + PATIENCE);
        while !tasks.is_empty() {
            let next = self.runtime.block_on(async {
                tokio::time::timeout(STATUS_WAIT, tasks.join_next()).await.ok().flatten()
            });
            match next {
                Some(after) => answered.push(after?),
                None => self.still_wait(nodes, deadline, "answer")?,
            }
        }
        Ok(answered)
    }

    /// What a node says about itself; nothing when it does not answer.
    pub fn status(&self, node: usize) -> Option<NodeStatus> {
        self.runtime.block_on(ask(&self.files(node).address()))
    }

    /// The greatest height among nodes.
    pub fn height(&self, nodes: &[usize]) -> u64 {
        let heights =
            nodes.iter().filter_map(|node| self.status(*node)).map(|status| status.height);
        heights.max().unwrap_or(0)
    }

    /// Waits until a node has a height.
    pub fn reach(&mut self, node: usize, height: u64) -> eyre::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.status(node).is_none_or(|status| status.height < height) {
            self.still_wait(&[node], deadline, &format!("reach block {height}"))?;
            std::thread::sleep(LOOK_PAUSE);
        }
        Ok(())
    }

    /// Waits until a node has caught up with the others, which go on; returns when it did.
    pub fn catch_up(&mut self, node: usize) -> eyre::Result<Instant> {
        let others: Vec<usize> = self.all().into_iter().filter(|other| *other != node).collect();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let height = self.height(&others);
            // A block may be on its way to the node while it is asked.
            if self.status(node).is_some_and(|status| status.height + 1 >= height) {
                return Ok(Instant::now());
            }
            self.still_wait(&[node], deadline, &format!("catch up with block {height}"))?;
            std::thread::sleep(LOOK_PAUSE);
        }
    }

    /// Fails when a node ended by itself, or the wait is over.
    pub fn still_wait(
        &mut self,
        nodes: &[usize],
        deadline: Instant,
        what: &str,
    ) -> eyre::Result<()> {
        for node in nodes {
            self.processes.check_runs(*node).wrap_err_with(|| format!("it does not {what}"))?;
        }
        let names: Vec<&str> = nodes.iter().map(|node| self.files(*node).name.as_str()).collect();
        ensure!(Instant::now() < deadline, "not in time: {names:?} to {what}");
        Ok(())
    }
}

/// A program within a command, tied to this process where that is possible.
fn command(can_tie: bool, within: &[OsString], program: PathBuf) -> (PathBuf, Vec<OsString>) {
    let tied = TIED_TO_PARENT.into_iter().filter(|_| can_tie).map(OsString::from);
    let mut words = within.iter().cloned().chain(tied).chain([program.into_os_string()]);
    let first = words.next().unwrap_or_default();
    (first.into(), words.collect())
}

async fn ask(address: &str) -> Option<NodeStatus> {
    let asked = async {
        let channel = Endpoint::from_shared(address.to_owned()).ok()?.connect().await.ok()?;
        let answer = OperationsClient::new(channel).get_status(GetStatusRequest {}).await;
        answer.ok().map(tonic::Response::into_inner)
    };
    tokio::time::timeout(STATUS_WAIT, asked).await.ok().flatten()
}
