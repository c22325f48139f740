//! `cets audit`: the whole history again from genesis, trusting nobody.

mod blame;
mod compare;
mod light;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use cets_contracts::audit::InvariantSchedule;
use cets_contracts::genesis::{ClockRule, Genesis};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::network::read_genesis;
use crate::audit::{AuditPlan, Audited, HistorySource, NodeHistory, StoredHistory, audit};
use crate::client::Node;
use crate::error::CliError;
use crate::output::{Cell, Report, left};
use crate::progress::bar;
use crate::session::Session;
use crate::text;
use crate::text::{Text, grouped};

pub use blame::{is_accusation, verify_accusation};

/// What to audit.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Verifies every signature, certificate, rule, root and invariant from genesis
    Verify(VerifyArgs),
    /// Verifies headers, certificates and changes of the validators alone; open to everyone
    Light(light::LightArgs),
    /// Compares holdings between nodes, exported histories and lists of one's own
    Compare(compare::CompareArgs),
    /// Finds who signed two conflicting statements, and checks such accusations offline
    Blame(blame::BlameArgs),
}

/// Arguments of `cets audit verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Exported history: a file, or a folder with one; needs no node
    #[arg(long, value_name = "FILE|DIR")]
    export: Option<PathBuf>,
    /// Audits every node of the context, not only the first that answers
    #[arg(long, conflicts_with = "export")]
    all_nodes: bool,
    /// Own copy of the genesis file [default: the context's, else that of the history]
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Checks all invariants every so many blocks, besides the end; 0 for only there
    #[arg(long, value_name = "BLOCKS", default_value_t = 0)]
    invariants_every: u64,
    /// Goes on from this file when it exists; saves the state there, also at Ctrl-C
    #[arg(long, value_name = "FILE", conflicts_with = "all_nodes")]
    resume: Option<PathBuf>,
    /// Saves the state every so many blocks
    #[arg(long, value_name = "BLOCKS", default_value_t = 20_000, requires = "resume")]
    save_every: u64,
}

/// Runs `cets audit`.
pub fn run(command: AuditCommand, session: &mut Session<'_>) -> Result<Report, CliError> {
    match command {
        AuditCommand::Verify(args) => verify(&args, session),
        AuditCommand::Light(args) => light::run(&args, session),
        AuditCommand::Compare(args) => compare::run(&args, session),
        AuditCommand::Blame(args) => blame::run(&args, session),
    }
}

/// Set by Ctrl-C.
static STOP: AtomicBool = AtomicBool::new(false);

/// Lets Ctrl-C ask for a saved state; a second one ends the program at once.
fn watch_interrupt() -> Result<(), CliError> {
    let failed = |error: std::io::Error| {
        CliError::bug(text!("Ctrl-C cannot be watched: {error}", "无法监听 Ctrl-C：{error}"))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(failed)?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            if tokio::signal::ctrl_c().await.is_ok() {
                STOP.store(true, Ordering::Relaxed);
            }
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(130);
            }
        });
    });
    Ok(())
}

fn verify(args: &VerifyArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let genesis = own_genesis(args.genesis.as_ref(), session)?;
    let plan = AuditPlan {
        schedule: InvariantSchedule { every_blocks: args.invariants_every },
        resume: args.resume.as_deref(),
        save_every: args.save_every.max(1),
        stop: args.resume.as_ref().map(|_| &STOP),
    };
    if args.resume.is_some() {
        watch_interrupt()?;
    }
    let mut audits: Vec<(String, Audited)> = Vec::new();
    if let Some(path) = &args.export {
        let mut history = StoredHistory::open(path)?;
        if let Some(genesis) = &genesis {
            same_chain(genesis, history.genesis())?;
        }
        audits.push((path.display().to_string(), run_one(&mut history, &plan, session)?));
    } else {
        for node in nodes(args.all_nodes, session)? {
            let address = node.address().to_owned();
            let mut history = NodeHistory::open(node, genesis.clone())?;
            audits.push((address, run_one(&mut history, &plan, session)?));
        }
    }
    Ok(report(&audits, genesis.is_some() || session.context().chain.is_some()))
}

/// The genesis that the auditor has from elsewhere than the history.
fn own_genesis(
    given: Option<&PathBuf>,
    session: &Session<'_>,
) -> Result<Option<Genesis>, CliError> {
    let of_context = || session.context().genesis.as_ref().map(|path| session.home().resolve(path));
    let genesis = given.cloned().or_else(of_context).map(|path| read_genesis(&path)).transpose()?;
    if let (Some(genesis), Some(expected)) = (&genesis, session.context().chain) {
        let found = genesis.chain_id();
        if found != expected {
            return Err(CliError::user(text!(
                "the genesis is of chain {found}, the context names {expected}",
                "创世文件属于链 {found}，而上下文指定的是 {expected}"
            )));
        }
    }
    Ok(genesis)
}

fn same_chain(own: &Genesis, found: &Genesis) -> Result<(), CliError> {
    let (own, found) = (own.chain_id(), found.chain_id());
    if own == found {
        return Ok(());
    }
    Err(CliError::user(text!(
        "the history is of chain {found}, the genesis of chain {own}",
        "历史属于链 {found}，创世文件属于链 {own}"
    ))
    .fact("audit", "broken"))
}

fn nodes(all: bool, session: &Session<'_>) -> Result<Vec<Node>, CliError> {
    if !all {
        return Ok(vec![session.node()?]);
    }
    let addresses = session.context().nodes.clone();
    addresses.iter().map(|address| session.node_at(address)).collect()
}

fn run_one(
    history: &mut dyn HistorySource,
    plan: &AuditPlan<'_>,
    session: &Session<'_>,
) -> Result<Audited, CliError> {
    let work = text!("auditing blocks", "审计区块");
    let bar = bar(session, &work, history.height_expected().map(|height| height.get()));
    let (started, lang) = (Instant::now(), session.lang());
    let audited = audit(history, plan, &|at| {
        bar.set_position(at.blocks);
        let millis = started.elapsed().as_millis().max(1);
        let speed = u128::from(at.transactions).saturating_mul(1_000).checked_div(millis);
        let speed = grouped(speed.unwrap_or(0));
        let shown = text!("{speed} transactions/s, blocks", "每秒 {speed} 笔交易，区块");
        bar.set_message(shown.get(lang).to_owned());
    });
    bar.finish_and_clear();
    audited
}

/// Per second, in whole numbers; a run too short to measure counts as a millisecond.
fn per_second(count: u64, audited: &Audited) -> u128 {
    let millis = audited.elapsed.as_millis().max(1);
    u128::from(count).saturating_mul(1_000).checked_div(millis).unwrap_or(0)
}

fn report(audits: &[(String, Audited)], anchored: bool) -> Report {
    let json: Vec<Value> = audits
        .iter()
        .map(|(source, audited)| {
            json!({
                "source": source,
                "report": audited.report,
                "executed": audited.executed,
                "records_compared": audited.records_compared,
                "seconds": format!("{:.3?}", audited.elapsed),
                "milliseconds": u64::try_from(audited.elapsed.as_millis()).unwrap_or(u64::MAX),
            })
        })
        .collect();
    let mut report = Report::new(json!({ "holds": true, "anchored": anchored, "audits": json }));
    for (source, audited) in audits {
        report = report.facts(facts(source, audited));
    }
    let verdict = text!("The history holds.", "账本历史成立。");
    report = report.line(verdict);
    if anchored {
        return report;
    }
    report.line(text!(
        "The genesis came with the history: compare the chain id with the one you were given.",
        "创世文件随历史一并取得：请将链标识与您所知的核对。"
    ))
}

fn facts(source: &str, audited: &Audited) -> Vec<(Text, Cell)> {
    let checked = &audited.report;
    let clock = match checked.clock {
        ClockRule::CivilDate => text!("civil date of block time", "区块时间的自然日"),
        ClockRule::ByOrder => {
            text!("set by order: a replay, training or test", "按指令设定：重放、培训或测试")
        }
    };
    let records = match audited.records_compared {
        Some(records) => Cell::number(records),
        None => text!("none in this history", "该历史未附带").into(),
    };
    vec![
        (text!("source", "来源"), Cell::same(source)),
        (text!("network", "网络"), Cell::same(&checked.network)),
        (text!("chain", "链"), Cell::same(checked.chain_id)),
        (text!("business dates", "业务日期"), clock.into()),
        (
            text!("blocks, each with its certificate", "区块（各有证书）"),
            Cell::number(checked.certificates),
        ),
        (
            text!("transactions executed again", "重新执行的交易"),
            Cell::number(checked.transactions),
        ),
        (text!("of them in this run", "其中本次执行"), Cell::number(audited.executed)),
        (text!("accepted", "被接受"), Cell::number(checked.accepted)),
        (text!("signatures verified", "已验证签名"), Cell::number(checked.signatures)),
        (text!("log entries", "日志条目"), Cell::number(checked.log_size)),
        (text!("log root", "日志根"), Cell::same(checked.log_root)),
        (text!("records of the state", "状态记录"), Cell::number(checked.records)),
        (text!("stored records compared", "已比对的存储记录"), records),
        (text!("state root", "状态根"), Cell::same(checked.state_root)),
        (text!("last block", "最新区块"), Cell::same(checked.block_id)),
        (text!("time", "用时"), Cell::same(format!("{:.2?}", audited.elapsed))),
        (
            text!("transactions per second", "每秒交易"),
            Cell::number(per_second(audited.executed, audited)),
        ),
    ]
}

/// Arguments of `cets export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// New file for the history
    file: PathBuf,
}

/// Runs `cets export`: the history of a node into a file that can be audited offline.
pub fn run_export(args: &ExportArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let genesis = own_genesis(None, session)?;
    let mut history = NodeHistory::open(session.node()?, genesis)?;
    let work = text!("exporting blocks", "导出区块");
    let bar = bar(session, &work, history.height_expected().map(|height| height.get()));
    let height = crate::audit::export(&mut history, &args.file, &|block| bar.set_position(block));
    bar.finish_and_clear();
    let (height, path) = (height?, args.file.display());
    let columns = vec![left(text!("file", "文件")), left(text!("blocks", "区块"))];
    let row = vec![Cell::same(path), Cell::number(height)];
    Ok(Report::new(json!({ "file": args.file, "height": height })).rows(columns, vec![row]))
}
