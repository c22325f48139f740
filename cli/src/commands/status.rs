//! `cets status`: how the nodes of the context are.

use std::time::{Duration, Instant};

use cets_api::NodeStatus;
use clap::Args;
use serde_json::{Value, json};

use crate::client::{Node, none_answers};
use crate::clock::duration_millis;
use crate::error::{CliError, ErrorKind};
use crate::output::{Cell, Report, left, right};
use crate::session::Session;
use crate::text;
use crate::text::Text;

/// Time between two looks while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Arguments of `cets status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Waits until every node answers and has caught up, at most this long
    #[arg(long, value_name = "DURATION", value_parser = duration_millis)]
    wait: Option<u64>,
}

/// What every node of the context answers.
struct Answers {
    rows: Vec<Vec<Cell>>,
    lines: Vec<Value>,
    failures: Vec<CliError>,
    synced: usize,
}

/// Runs `cets status`: asks every node of the context; succeeds when one answers, or, if it waits,
/// when all have caught up.
pub fn run(args: &StatusArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let nodes = session.context().nodes.clone();
    if nodes.is_empty() {
        // Gives the error that says what to do.
        session.node()?;
    }
    let start = Instant::now();
    let answers = loop {
        let answers = ask(&nodes, session)?;
        match args.wait.map(Duration::from_millis) {
            None => break answers,
            Some(_) if answers.synced == nodes.len() => break answers,
            Some(longest) if start.elapsed() >= longest => return Err(not_ready(&answers, &nodes)),
            Some(_) => std::thread::sleep(LOOK_EVERY),
        }
    };
    if answers.failures.len() == nodes.len() {
        return Err(none_answers(answers.failures, &nodes, session.lang()));
    }
    let columns = vec![
        left(text!("node", "节点")),
        left(text!("name", "名称")),
        right(text!("height", "高度")),
        left(text!("business date", "业务日期")),
        left(text!("state root", "状态根")),
        right(text!("peers", "对等节点")),
        right(text!("waiting", "待处理")),
        left(text!("condition", "状况")),
    ];
    Ok(Report::new(json!({ "nodes": answers.lines })).rows(columns, answers.rows))
}

fn ask(nodes: &[String], session: &Session<'_>) -> Result<Answers, CliError> {
    let certificates = Node::certificates(session)?;
    let mut answers =
        Answers { rows: Vec::new(), lines: Vec::new(), failures: Vec::new(), synced: 0 };
    for address in nodes {
        match Node::connect_to(address, certificates.as_deref(), session.lang()) {
            Ok(node) => {
                let status = node.status();
                answers.rows.push(row(address, status));
                answers.lines.push(line(address, status));
                let ready = status.is_synced && status.problem.is_empty();
                answers.synced = answers.synced.saturating_add(usize::from(ready));
            }
            Err(error) => {
                answers.rows.push(vec![Cell::same(address), text!("no answer", "无应答").into()]);
                let reason = error.sentence().get(session.lang()).to_owned();
                answers.lines.push(json!({ "node": address, "error": reason }));
                answers.failures.push(error);
            }
        }
    }
    Ok(answers)
}

fn not_ready(answers: &Answers, nodes: &[String]) -> CliError {
    let (synced, all) = (answers.synced, nodes.len());
    CliError::new(
        ErrorKind::Unreachable,
        text!("{synced} of {all} nodes are ready", "{all} 个节点中有 {synced} 个就绪"),
    )
    .hint(text!(
        "`cets status` says how each is; the log of a node says why",
        "`cets status` 显示各节点状况；原因见节点日志"
    ))
}

fn condition(status: &NodeStatus) -> Text {
    if !status.problem.is_empty() {
        return Text::same(&status.problem);
    }
    match (status.is_synced, status.is_validator) {
        (true, true) => text!("validates", "参与共识"),
        (true, false) => text!("follows", "跟随"),
        (false, _) => text!("catching up", "同步中"),
    }
}

fn row(address: &str, status: &NodeStatus) -> Vec<Cell> {
    // Sixteen digits tell roots apart; JSON has all.
    let root: String = status.state_root.chars().take(16).collect();
    vec![
        Cell::same(address),
        Cell::same(&status.node_name),
        Cell::number(status.height),
        Cell::same(&status.business_date),
        Cell::same(root),
        Cell::number(status.peers),
        Cell::number(status.mempool_transactions),
        condition(status).into(),
    ]
}

fn line(address: &str, status: &NodeStatus) -> Value {
    json!({
        "node": address,
        "name": status.node_name,
        "network": status.network,
        "chain": status.chain_id,
        "version": status.version,
        "height": status.height,
        "block_id": status.block_id,
        "block_time_millis": status.block_time_millis,
        "business_date": status.business_date,
        "log_size": status.log_size,
        "state_root": status.state_root,
        "peers": status.peers,
        "mempool_transactions": status.mempool_transactions,
        "mempool_bytes": status.mempool_bytes,
        "is_validator": status.is_validator,
        "is_synced": status.is_synced,
        "problem": status.problem,
    })
}
