//! `cets audit light`: headers, certificates and changes of the validators.

use std::path::PathBuf;

use cets_contracts::audit::LightReport;
use clap::Args;
use serde_json::json;

use super::{own_genesis, same_chain};
use crate::audit::{HistorySource, StoredHistory, light_audit_file, light_audit_node};
use crate::client::Node;
use crate::error::CliError;
use crate::output::{Cell, Report};
use crate::progress::bar;
use crate::session::Session;
use crate::text;

/// Arguments of `cets audit light`.
#[derive(Debug, Args)]
pub struct LightArgs {
    /// Exported history: a file, or a folder with one; needs no node
    #[arg(long, value_name = "FILE|DIR")]
    export: Option<PathBuf>,
    /// Own copy of the genesis file [default: the context's, else that of the history]
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
}

/// Runs `cets audit light`.
pub fn run(args: &LightArgs, session: &Session<'_>) -> Result<Report, CliError> {
    let genesis = own_genesis(args.genesis.as_ref(), session)?;
    let anchored = genesis.is_some() || session.context().chain.is_some();
    let work = text!("auditing headers", "审计区块头");
    let (source, auditor) = if let Some(path) = &args.export {
        let mut history = StoredHistory::open(path)?;
        if let Some(genesis) = &genesis {
            same_chain(genesis, history.genesis())?;
        }
        let bar = bar(session, &work, None);
        let auditor = light_audit_file(&mut history, &|height| bar.set_position(height));
        bar.finish_and_clear();
        (path.display().to_string(), auditor?)
    } else {
        let node = Node::connect(session)?;
        let genesis = genesis.map_or_else(|| node.genesis(), Ok)?;
        let bar = bar(session, &work, Some(node.status().height));
        let auditor = light_audit_node(&node, &genesis, None, &|height| bar.set_position(height));
        bar.finish_and_clear();
        (node.address().to_owned(), auditor?)
    };
    Ok(report(&source, auditor.report(), anchored))
}

fn report(source: &str, checked: &LightReport, anchored: bool) -> Report {
    let changes: Vec<String> = checked.set_changes.iter().map(ToString::to_string).collect();
    let changes = match changes.is_empty() {
        true => text!("none", "无").into(),
        false => Cell::same(changes.join(", ")),
    };
    let json = json!({
        "holds": true, "anchored": anchored, "source": source, "report": checked,
    });
    let report = Report::new(json).facts(vec![
        (text!("source", "来源"), Cell::same(source)),
        (text!("network", "网络"), Cell::same(&checked.network)),
        (text!("chain", "链"), Cell::same(checked.chain_id)),
        (
            text!("headers, each with its certificate", "区块头（各有证书）"),
            Cell::number(checked.certificates),
        ),
        (text!("signatures of validators", "验证者签名"), Cell::number(checked.signatures)),
        (text!("new validators from heights", "验证者变更起始高度"), changes),
        (
            text!("log entries before the last header", "末区块头之前的日志条目"),
            Cell::number(checked.log_size),
        ),
        (text!("log root", "日志根"), Cell::same(checked.log_root)),
        (text!("state root", "状态根"), Cell::same(checked.state_root)),
        (text!("last block", "最新区块"), Cell::same(checked.block_id)),
    ]);
    let report = report.line(text!(
        "The chain of headers holds. Rules were not executed: `cets audit verify` does that.",
        "区块头链成立。未重新执行规则：请用 `cets audit verify`。"
    ));
    if anchored {
        return report;
    }
    report.line(text!(
        "The genesis came with the history: compare the chain id with the one you were given.",
        "创世文件随历史一并取得：请将链标识与您所知的核对。"
    ))
}
