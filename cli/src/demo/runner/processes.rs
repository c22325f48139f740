//! The nodes: one process each, on loopback.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::client::Node;
use crate::error::{CliError, ErrorKind};
use crate::network::{Network, NodeFiles};
use crate::text;
use crate::text::Lang;

/// Name of the node's program.
const PROGRAM: &str = "cetsd";
/// Longest wait for a node to answer after its start.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest wait for all nodes to end when asked to.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause between two looks at a node.
const POLL_PAUSE: Duration = Duration::from_millis(50);

/// One node, how it is started, and its process.
struct NodeProcess {
    files: NodeFiles,
    program: PathBuf,
    arguments: Vec<OsString>,
    child: Option<Child>,
}

/// The nodes of a network. They end with this value unless they are let go.
pub struct Processes {
    nodes: Vec<NodeProcess>,
}

impl Processes {
    /// The nodes of a network, none of which runs yet. Each is started by a program with these
    /// arguments and then `run --config FILE`.
    pub fn new(network: &Network, program: &Path, arguments: &[OsString]) -> Self {
        let node = |files: &NodeFiles| NodeProcess {
            files: files.clone(),
            program: program.to_owned(),
            arguments: arguments.to_vec(),
            child: None,
        };
        Self { nodes: network.nodes.iter().map(node).collect() }
    }

    /// Starts a node by another program from its next start on.
    pub fn start_by(&mut self, node: usize, program: &Path, arguments: &[OsString]) {
        if let Some(process) = self.nodes.get_mut(node) {
            process.program = program.to_owned();
            process.arguments = arguments.to_vec();
        }
    }

    /// Starts every node of a network.
    pub fn start(network: &Network) -> Result<Self, CliError> {
        let mut processes = Self::new(network, &find_program()?, &[]);
        for node in 0..processes.nodes.len() {
            processes.start_node(node)?;
        }
        Ok(processes)
    }

    /// Starts one node that does not run.
    pub fn start_node(&mut self, node: usize) -> Result<(), CliError> {
        let Some(process) = self.nodes.get_mut(node) else { return Ok(()) };
        let log = log_path(&process.files);
        let file = File::options().create(true).append(true).open(&log);
        let file = file.map_err(|error| CliError::file(&log, &error))?;
        let errors = file.try_clone().map_err(|error| CliError::file(&log, &error))?;
        let child = Command::new(&process.program)
            .args(&process.arguments)
            .arg("run")
            .arg("--config")
            .arg(&process.files.config_path)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            // An interrupt at the terminal is for the replay, which then ends its nodes itself.
            .process_group(0)
            .spawn()
            .map_err(|error| CliError::file(&process.program, &error))?;
        let pid = pid_path(&process.files);
        std::fs::write(&pid, format!("{}\n", child.id()))
            .map_err(|error| CliError::file(&pid, &error))?;
        process.child = Some(child);
        Ok(())
    }

    /// Kills a node as a power failure would (SIGKILL).
    pub fn kill_node(&mut self, node: usize) -> Result<(), CliError> {
        let Some(process) = self.nodes.get_mut(node) else { return Ok(()) };
        let Some(mut child) = process.child.take() else { return Ok(()) };
        let ended = child.kill().and_then(|()| child.wait());
        ended.map(drop).map_err(|error| CliError::file(&process.program, &error))
    }

    /// How a node ended by itself; nothing while it runs, and when it was not started.
    pub fn take_ended(&mut self, node: usize) -> Option<ExitStatus> {
        let process = self.nodes.get_mut(node)?;
        let status = process.child.as_mut()?.try_wait().ok().flatten()?;
        process.child = None;
        Some(status)
    }

    /// Number of a node's process; none when it was not started or was seen to end.
    pub fn process_id(&self, node: usize) -> Option<u32> {
        self.nodes.get(node)?.child.as_ref().map(Child::id)
    }

    /// Asks a node to end (SIGTERM) and waits until it did.
    ///
    /// # Errors
    /// When it does not end in time, or ends with a failure.
    pub fn stop_node(&mut self, node: usize) -> Result<(), CliError> {
        let Some(process) = self.nodes.get_mut(node) else { return Ok(()) };
        let Some(child) = &mut process.child else { return Ok(()) };
        ask_to_end(child);
        let status = wait_for_end(child, Instant::now());
        let name = &process.files.name;
        match status {
            Some(status) if status.success() => {
                process.child = None;
                Ok(())
            }
            Some(status) => Err(CliError::new(
                ErrorKind::Unreachable,
                text!("node {name} failed as it ended: {status}", "节点 {name} 退出异常：{status}"),
            )),
            None => Err(CliError::new(
                ErrorKind::Unreachable,
                text!("node {name} does not end", "节点 {name} 未能退出"),
            )),
        }
    }

    /// Fails with the end of its log when a node ended by itself.
    pub fn check_runs(&mut self, node: usize) -> Result<(), CliError> {
        self.nodes.get_mut(node).map_or(Ok(()), NodeProcess::check_runs)
    }

    /// Connects to a node as soon as it answers.
    pub fn connect(&mut self, node: usize, lang: Lang) -> Result<Node, CliError> {
        let started = Instant::now();
        loop {
            let Some(process) = self.nodes.get_mut(node) else {
                return Err(CliError::bug(text!("no node {node}", "没有节点 {node}")));
            };
            process.check_runs()?;
            match Node::connect_to(&process.files.address(), None, lang) {
                Err(error)
                    if error.kind() == ErrorKind::Unreachable
                        && started.elapsed() < START_TIMEOUT =>
                {
                    std::thread::sleep(POLL_PAUSE);
                }
                answer => return answer,
            }
        }
    }

    /// Asks every node to end (SIGTERM) and waits for it; one that does not is killed.
    pub fn stop(mut self) {
        let asked = self.nodes.iter().filter_map(|process| process.child.as_ref());
        asked.for_each(ask_to_end);
        let started = Instant::now();
        for child in self.nodes.iter_mut().filter_map(|process| process.child.as_mut()) {
            // One that does not end is killed as this value is dropped.
            wait_for_end(child, started);
        }
    }

    /// Lets the nodes run on after this program.
    pub fn let_go(mut self) {
        for process in &mut self.nodes {
            process.child = None;
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for process in &mut self.nodes {
            if let Some(child) = &mut process.child {
                // A process that is gone already needs no killing.
                child.kill().and_then(|()| child.wait()).ok();
            }
        }
    }
}

impl NodeProcess {
    fn check_runs(&mut self) -> Result<(), CliError> {
        let ended = match &mut self.child {
            Some(child) => child.try_wait().ok().flatten(),
            None => return Ok(()),
        };
        let Some(status) = ended else { return Ok(()) };
        let (name, log) = (&self.files.name, log_path(&self.files));
        let last = last_lines(&log);
        let log = log.display();
        Err(CliError::new(
            ErrorKind::Unreachable,
            text!(
                "node {name} ended ({status}); its log ends with:\n{last}",
                "节点 {name} 已退出（{status}）；其日志末尾为：\n{last}"
            ),
        )
        .hint(text!("read {log}", "请查看 {log}")))
    }
}

fn ask_to_end(child: &Child) {
    // Without the program `kill` the node does not end, and is killed by whoever waits for it.
    Command::new("kill").arg(child.id().to_string()).status().ok();
}

/// How a process ended; nothing when it still runs at the end of the wait.
fn wait_for_end(child: &mut Child, since: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(None) if since.elapsed() < STOP_TIMEOUT => std::thread::sleep(POLL_PAUSE),
            ended => return ended.ok().flatten(),
        }
    }
}

/// File that a node's process writes its log to.
pub fn log_path(files: &NodeFiles) -> PathBuf {
    files.config_path.with_file_name("node.log")
}

/// File with the process id of a node.
pub fn pid_path(files: &NodeFiles) -> PathBuf {
    files.config_path.with_file_name("pid")
}

fn last_lines(path: &Path) -> String {
    const LINES: usize = 5;
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LINES);
    lines.get(from..).unwrap_or_default().join("\n")
}

/// The node's program: beside this one, else on the search path.
pub(crate) fn find_program() -> Result<PathBuf, CliError> {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(PROGRAM));
    if let Some(beside) = beside.filter(|path| path.is_file()) {
        return Ok(beside);
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(PROGRAM));
    found.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        CliError::user(text!("`{PROGRAM}` was not found", "未找到 `{PROGRAM}`")).hint(text!(
            "build it: cargo build --release --bin {PROGRAM}",
            "请先构建：cargo build --release --bin {PROGRAM}"
        ))
    })
}
