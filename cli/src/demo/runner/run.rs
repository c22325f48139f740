//! The whole job: plan, network, replay, comparison, trace, a lost node, audit.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use cets_contracts::audit::InvariantSchedule;
use cets_contracts::rules::Payload;
use cets_contracts::rules::governance::advance_business_date::AdvanceBusinessDate;
use cets_contracts::types::{BusinessDate, Height, Role};

use super::driver::Driver;
use super::history::{compare_nodes, read_back};
use super::holder::open_desk;
use super::institutions::{Desk, Desks, NODE_NAMES, network_plan};
use super::orders::Order;
use super::phases::{Phase, phases};
use super::processes::Processes;
use super::report::{Findings, report};
use super::trace::trace;
use crate::audit::{AuditPlan, Audited, NodeHistory, audit};
use crate::client::Node;
use crate::clock::now;
use crate::demo::comparison::{all_hold, compare};
use crate::demo::error::PlanError;
use crate::demo::monthly;
use crate::demo::plan::{LAST_DAY, Plan};
use crate::demo::quotes::{Market, read};
use crate::error::CliError;
use crate::files::read_text;
use crate::network::{Network, write_network};
use crate::output::Report;
use crate::progress::bar;
use crate::session::Session;
use crate::text;

/// What to replay, and how to end.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Daily quotes; the published monthly figures without.
    pub market_data: Option<PathBuf>,
    /// Folder of the network; a new one beside other temporary files without.
    pub folder: Option<PathBuf>,
    /// Seed of the generated market.
    pub seed: u64,
    /// Whether the network ends with the program.
    pub exit: bool,
}

impl DemoOptions {
    /// Whether the folder of the network stays.
    pub const fn is_kept(&self) -> bool {
        !self.exit || self.folder.is_some()
    }
}

/// How the replay went.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Transactions that became final.
    pub transactions: u64,
    /// Trades settled by them.
    pub trades: u64,
    /// Time from the first to the last.
    pub elapsed: Duration,
}

/// How a killed node came back.
#[derive(Clone, Debug)]
pub struct Rejoined {
    /// Name of the node.
    pub name: &'static str,
    /// Blocks that the others decided without it.
    pub missed: u64,
    /// Time from its start until it answered.
    pub answered: Duration,
    /// Time from its start until it held every block.
    pub caught_up: Duration,
}

/// Business days on which the others go on while a node is down.
const DAYS_WITHOUT_NODE: u32 = 20;
/// Node that is killed: that of the province.
const KILLED_NODE: usize = 3;
/// Longest wait for a node to hold every block.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause between two looks at a node.
const POLL_PAUSE: Duration = Duration::from_millis(20);

/// Runs the whole job.
pub fn run(options: &DemoOptions, session: &mut Session<'_>) -> Result<Report, CliError> {
    let started = Instant::now();
    let market = market(options)?;
    let plan = Plan::new(options.seed, &market).map_err(|error| unplanned(&error))?;
    let folder = folder(options)?;
    session.notice(&text!(
        "{} trades planned; the network is made in {}",
        "已规划 {} 笔成交；网络生成于 {}",
        plan.trades(),
        folder.display()
    ));
    let network_plan = network_plan(folder.clone(), now()?).map_err(|error| unplanned(&error))?;
    let network = write_network(&network_plan)?;
    let desks = Desks::new(options.seed, &network, &plan).map_err(|error| unplanned(&error))?;
    let mut processes = Processes::start(&network)?;
    let outcome = carry_out(session, &market, &plan, &network, &desks, &mut processes);
    let findings = match outcome {
        Ok(mut findings) => {
            findings.elapsed = started.elapsed();
            findings
        }
        Err(error) => {
            // The nodes end with `processes`; their folder stays for whoever looks for the cause.
            return Err(error.fact("folder", folder.display().to_string()));
        }
    };
    let report = report(&findings, &network, options);
    if !options.exit {
        processes.let_go();
    } else {
        processes.stop();
        if !options.is_kept() {
            std::fs::remove_dir_all(&folder).map_err(|error| CliError::file(&folder, &error))?;
        }
    }
    Ok(report)
}

fn unplanned(error: &PlanError) -> CliError {
    CliError::user(text!("nothing to replay: {error}", "无法回放：{error}"))
}

fn market(options: &DemoOptions) -> Result<Market, CliError> {
    let market = match &options.market_data {
        None => monthly::market(),
        Some(path) => {
            let (year, month, day) = LAST_DAY;
            let until = BusinessDate::from_ymd(year, month, day).unwrap_or_default();
            read(&read_text(path)?, until)
        }
    };
    market.map_err(|error| unplanned(&error))
}

fn folder(options: &DemoOptions) -> Result<PathBuf, CliError> {
    let folder = match &options.folder {
        Some(folder) => folder.clone(),
        None => std::env::temp_dir().join(format!("cets-demo-{}", now()?.as_millis())),
    };
    std::path::absolute(&folder).map_err(|error| CliError::file(&folder, &error))
}

fn carry_out(
    session: &mut Session<'_>,
    market: &Market,
    plan: &Plan,
    network: &Network,
    desks: &Desks,
    processes: &mut Processes,
) -> Result<Findings, CliError> {
    let auditor = desks.institution(Role::Auditor).map_err(|error| unplanned(&error))?;
    let auditor = desks.desk(auditor);
    let mut nodes = Vec::new();
    for node in 0..network.nodes.len() {
        nodes.push(processes.connect(node, session.lang())?);
    }
    session.notice(&text!("Four nodes run; the replay starts.", "四个节点已运行，开始回放。"));
    let pace = replay(session, plan, desks, &nodes, &auditor)?;
    session.notice(&text!(
        "{} transactions are final; reading them back.",
        "{} 笔交易已生效，正在读回。",
        pace.transactions
    ));

    // Read from another node than the one that told what became final.
    let height = Height::new(nodes.first().map_or(Ok(0), height_of)?);
    let second = nodes.get(1).ok_or_else(|| no_node(1))?;
    wait_for_height(second, height)?;
    let progress = bar(session, &text!("reading blocks", "读取区块"), Some(height.get()));
    let readback = read_back(&reading(second, &auditor)?, height, &|at| progress.set_position(at))?;
    progress.finish_and_clear();
    let lines = compare(readback.totals(), market);
    let unit = readback
        .travelled_unit()
        .ok_or_else(|| CliError::bug(text!("no unit changed hands", "没有单位易手")))?;
    let folder = network.genesis_path.parent().map(PathBuf::from).unwrap_or_default();
    let traced = trace(&reading(second, &auditor)?, unit, &network.genesis_path, &folder)?;
    let holder = open_desk(&reading(second, &auditor)?, network, desks)?;

    session.notice(&text!("Killing one node (SIGKILL).", "强制终止一个节点（SIGKILL）。"));
    let rejoined = kill_and_rejoin(session, desks, &auditor, &mut nodes, processes)?;
    let end = Height::new(nodes.first().map_or(Ok(0), height_of)?);
    for node in &nodes {
        wait_for_height(node, end)?;
    }
    let compared = compare_nodes(&nodes, end)?;
    let killed = nodes.get(KILLED_NODE).ok_or_else(|| no_node(KILLED_NODE))?;
    let audited = audit_node(session, &reading(killed, &auditor)?, network)?;
    Ok(Findings {
        holds: all_hold(&lines),
        source: market.source,
        lines,
        totals: readback.totals().clone(),
        pace,
        traced,
        holder,
        rejoined,
        heights_compared: compared,
        audited,
        elapsed: Duration::ZERO,
    })
}

fn no_node(node: usize) -> CliError {
    CliError::bug(text!("no node {node}", "没有节点 {node}"))
}

/// The node, read with a fresh token of somebody who may read everything.
fn reading(node: &Node, reader: &Desk) -> Result<Node, CliError> {
    match reader.keys.first() {
        Some(key) => node.clone().read_for(reader.account, key),
        None => Ok(node.clone()),
    }
}

fn height_of(node: &Node) -> Result<u64, CliError> {
    Ok(node.status_now()?.height)
}

fn wait_for_height(node: &Node, wanted: Height) -> Result<(), CliError> {
    let started = Instant::now();
    while height_of(node)? < wanted.get() {
        if started.elapsed() > CATCH_UP_TIMEOUT {
            let address = node.address();
            return Err(CliError::user(text!(
                "node {address} does not reach block {wanted}",
                "节点 {address} 未能到达区块 {wanted}"
            )));
        }
        std::thread::sleep(POLL_PAUSE);
    }
    Ok(())
}

fn replay(
    session: &mut Session<'_>,
    plan: &Plan,
    desks: &Desks,
    nodes: &[Node],
    reader: &Desk,
) -> Result<Pace, CliError> {
    let phases = phases(plan, desks).map_err(|error| unplanned(&error))?;
    let transactions = phases.iter().map(|phase| phase.orders.len() as u64);
    let transactions = transactions.fold(0, u64::saturating_add);
    let mut driver = Driver::open(nodes, reader)?;
    let progress = bar(session, &text!("replaying", "回放"), Some(transactions));
    let started = Instant::now();
    let mut done = 0u64;
    let mut month = (0, 0);
    for phase in &phases {
        if let Some(date) = date_of(phase) {
            progress.set_message(date.to_string());
            let (year, number, _) = date.ymd();
            if month != (year, number) && !session.shows_progress() {
                let seconds = started.elapsed().as_secs();
                session.notice(&text!(
                    "{date}: {done} of {transactions} transactions, {seconds} s",
                    "{date}：{done} / {transactions} 笔交易，{seconds} 秒"
                ));
            }
            month = (year, number);
        }
        let sent = driver.run(phase, desks, &|count| progress.inc(count))?;
        done = done.saturating_add(sent);
    }
    progress.finish_and_clear();
    Ok(Pace { transactions: done, trades: plan.trades() as u64, elapsed: started.elapsed() })
}

/// The date that a phase advances to.
fn date_of(phase: &Phase) -> Option<BusinessDate> {
    phase.orders.iter().find_map(|order| match &order.payload {
        Payload::AdvanceBusinessDate(order) => Some(order.date),
        _ => None,
    })
}

/// Kills a node, lets the others go on for some days, starts it again and waits for it.
fn kill_and_rejoin(
    session: &Session<'_>,
    desks: &Desks,
    reader: &Desk,
    nodes: &mut [Node],
    processes: &mut Processes,
) -> Result<Rejoined, CliError> {
    let others = nodes.get(..KILLED_NODE).ok_or_else(|| no_node(KILLED_NODE))?;
    let first = others.first().ok_or_else(|| no_node(0))?;
    let before = height_of(first)?;
    processes.kill_node(KILLED_NODE)?;
    let mut driver = Driver::open(others, reader)?;
    let registry = desks.institution(Role::Registry).map_err(|error| unplanned(&error))?;
    let (year, month, day) = LAST_DAY;
    let last = BusinessDate::from_ymd(year, month, day).unwrap_or_default().as_days();
    for day in 1..=DAYS_WITHOUT_NODE {
        let Ok(date) = BusinessDate::from_days(last.saturating_add(day)) else { continue };
        let payload = AdvanceBusinessDate { date }.into();
        let orders = vec![Order { account: registry, payload }];
        driver.run(&Phase { orders, in_sequence: false }, desks, &|_| ())?;
    }
    let reached = height_of(first)?;
    let started = Instant::now();
    processes.start_node(KILLED_NODE)?;
    let node = processes.connect(KILLED_NODE, session.lang())?;
    let answered = started.elapsed();
    wait_for_height(&node, Height::new(reached))?;
    let caught_up = started.elapsed();
    if let Some(slot) = nodes.get_mut(KILLED_NODE) {
        *slot = node;
    }
    let name = NODE_NAMES.get(KILLED_NODE).copied().unwrap_or_default();
    Ok(Rejoined { name, missed: reached.saturating_sub(before), answered, caught_up })
}

fn audit_node(session: &Session<'_>, node: &Node, network: &Network) -> Result<Audited, CliError> {
    let mut history = NodeHistory::open(node.clone(), Some(network.genesis.clone()))?;
    let end = height_of(node)?;
    let progress = bar(session, &text!("auditing blocks", "审计区块"), Some(end));
    let schedule = InvariantSchedule { every_blocks: 0 };
    let audited =
        audit(&mut history, &AuditPlan::whole(schedule), &|at| progress.set_position(at.blocks));
    progress.finish_and_clear();
    audited
}
