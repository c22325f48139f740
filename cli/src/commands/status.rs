//! `cets status`: how the nodes of the context are.

use cets_api::NodeStatus;
use clap::Args;
use serde_json::{Value, json};

use crate::client::Node;
use crate::error::{CliError, ErrorKind};
use crate::output::{Cell, Report, left, right};
use crate::session::Session;
use crate::text;
use crate::text::Text;

/// Arguments of `cets status`.
#[derive(Debug, Args)]
pub struct StatusArgs {}

/// Runs `cets status`: asks every node of the context; succeeds when one answers.
pub fn run(_args: &StatusArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let nodes = session.context().nodes.clone();
    if nodes.is_empty() {
        // Gives the error that says what to do.
        session.node()?;
    }
    let certificates = Node::certificates(session)?;
    let mut rows = Vec::new();
    let mut lines = Vec::new();
    let mut failure = None;
    for address in &nodes {
        let answer = Node::connect_to(address, certificates.as_deref(), session.lang());
        match answer {
            Ok(node) => {
                rows.push(row(address, node.status()));
                lines.push(line(address, node.status()));
            }
            Err(error) => {
                rows.push(vec![Cell::same(address), text!("no answer", "无应答").into()]);
                let reason = error.sentence().get(session.lang()).to_owned();
                lines.push(json!({ "node": address, "error": reason }));
                failure = Some(error);
            }
        }
    }
    if let (Some(error), true) = (failure, lines.iter().all(|line| line.get("error").is_some())) {
        let addresses = nodes.join(", ");
        return Err(match nodes.len() {
            1 => error,
            _ => CliError::new(
                ErrorKind::Unreachable,
                text!("none of the nodes answers: {addresses}", "所有节点均无应答：{addresses}"),
            ),
        });
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
    Ok(Report::new(json!({ "nodes": lines })).rows(columns, rows))
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
