//! `cets log`: the history as a standard transparency log (C2SP), exported and verified.

use std::path::PathBuf;

use cets_contracts::genesis::Genesis;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::network::read_genesis;
use crate::client::Node;
use crate::clock::time_text;
use crate::error::{CliError, ErrorKind};
use crate::log::{
    Exported, GENESIS_FILE, Judged, LogFolder, Trust, Verified, export, verify_folder,
};
use crate::output::{Cell, Report};
use crate::progress::bar;
use crate::session::Session;
use crate::text;
use crate::text::Text;

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Shows the newest checkpoint and who cosigned it
    Checkpoint(CheckpointArgs),
    /// Writes the log to a folder of files that any web server serves, verified on the way
    Export(ExportLogArgs),
    /// Verifies such a folder offline and names the first wrong file
    Verify(VerifyLogArgs),
}

/// Arguments of `cets log checkpoint`.
#[derive(Debug, Args)]
pub struct CheckpointArgs {
    /// Prints the signed note as it is
    #[arg(long)]
    raw: bool,
    /// Own copy of the genesis file [default: the context's, else the node's]
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
}

/// Arguments of `cets log export`.
#[derive(Debug, Args)]
pub struct ExportLogArgs {
    /// Folder of the log; one of an earlier export is brought up to date
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
    /// Leaves out the entries, which only authorities may read
    #[arg(long)]
    hashes_only: bool,
    /// Own copy of the genesis file [default: the context's, else the node's]
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
}

/// Arguments of `cets log verify`.
#[derive(Debug, Args)]
pub struct VerifyLogArgs {
    /// Folder of the log
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
    /// Own copy of the genesis file [default: the context's, else the folder's]
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Least number of entries that the log must have: what was seen before
    #[arg(long, value_name = "ENTRIES", default_value_t = 0)]
    entries_min: u64,
}

/// Runs `cets log`.
pub fn run(command: LogCommand, session: &mut Session<'_>) -> Result<Report, CliError> {
    match command {
        LogCommand::Checkpoint(args) => run_checkpoint(&args, session),
        LogCommand::Export(args) => run_export(&args, session),
        LogCommand::Verify(args) => run_verify(&args, session),
    }
}

/// The genesis from elsewhere than node and folder, and whether there is one.
fn own_genesis(
    given: Option<&PathBuf>,
    session: &Session<'_>,
) -> Result<Option<Genesis>, CliError> {
    let of_context = || session.context().genesis.as_ref().map(|path| session.home().resolve(path));
    given.cloned().or_else(of_context).map(|path| read_genesis(&path)).transpose()
}

fn genesis_for(
    node: &Node,
    given: Option<&PathBuf>,
    session: &Session<'_>,
) -> Result<(Genesis, bool), CliError> {
    let own = own_genesis(given, session)?;
    let anchored = own.is_some() || session.context().chain.is_some();
    let genesis = own.map_or_else(|| node.genesis(), Ok)?;
    same_chain(&genesis, session)?;
    Ok((genesis, anchored))
}

fn same_chain(genesis: &Genesis, session: &Session<'_>) -> Result<(), CliError> {
    let found = genesis.chain_id();
    match session.context().chain {
        Some(expected) if expected != found => Err(CliError::user(text!(
            "the genesis is of chain {found}, the context names {expected}",
            "创世文件属于链 {found}，而上下文指定的是 {expected}"
        ))),
        _ => Ok(()),
    }
}

fn run_checkpoint(args: &CheckpointArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let node = session.node()?;
    let (genesis, anchored) = genesis_for(&node, args.genesis.as_ref(), session)?;
    let served = node.checkpoint()?;
    let changes = cets_contracts::codec::encode(&node.validator_chain()?);
    let trust = Trust::new(&genesis, &changes)?;
    let judged = trust.judge(&served.checkpoint, Some(served.height))?;
    if args.raw {
        return Ok(Report::raw(served.checkpoint));
    }
    let mut json = judged_json(&judged, anchored);
    json["height"] = served.height.get().into();
    json["checkpoint"] = served.checkpoint.clone().into();
    let mut facts = judged_facts(&judged);
    facts.push((text!("height", "高度"), Cell::number(served.height)));
    Ok(anchor_note(Report::new(json).facts(facts), anchored))
}

fn run_export(args: &ExportLogArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let node = session.node()?;
    let (genesis, anchored) = genesis_for(&node, args.genesis.as_ref(), session)?;
    let folder = LogFolder::new(args.folder.clone());
    let work = text!("exporting entries", "导出日志条目");
    let bar = bar(session, &work, Some(0));
    let exported = export(
        &node,
        &genesis,
        &folder,
        !args.hashes_only,
        &mut |size| bar.set_length(size),
        &mut |entries| bar.set_position(entries),
    );
    bar.finish_and_clear();
    let exported = exported.map_err(|error| hint_hashes_only(error, args.hashes_only))?;
    Ok(anchor_note(export_report(&exported, args, anchored), anchored))
}

/// Readers who may not see entries can still export the hashes.
fn hint_hashes_only(error: CliError, hashes_only: bool) -> CliError {
    /// Numbers of the node's refusals for want of a token and of a right.
    const ACCESS: [u64; 2] = [103, 105];
    let refused = error.kind() == ErrorKind::Rejected
        && error.number().is_some_and(|number| ACCESS.contains(&number));
    if !refused || hashes_only {
        return error;
    }
    error.hint(text!(
        "read as a registry, the ministry or an auditor (--as ACCOUNT), or export --hashes-only",
        "请以注册登记机构、主管部门或审计机构身份读取（--as 账户），或使用 --hashes-only"
    ))
}

fn export_report(exported: &Exported, args: &ExportLogArgs, anchored: bool) -> Report {
    let mut json = judged_json(&exported.judged, anchored);
    json["folder"] = json!(args.folder);
    json["files_fetched"] = exported.fetched.into();
    json["tiles"] = exported.walked.tiles.into();
    json["bundles"] = exported.walked.bundles.into();
    json["bytes"] = exported.walked.bytes.into();
    let mut facts = vec![(text!("folder", "目录"), Cell::same(args.folder.display()))];
    facts.extend(judged_facts(&exported.judged));
    facts.extend([
        (text!("files fetched", "新取得的文件"), Cell::number(exported.fetched)),
        (text!("tiles of hashes", "哈希瓦片"), Cell::number(exported.walked.tiles)),
        (text!("bundles of entries", "条目包"), Cell::number(exported.walked.bundles)),
        (text!("bytes", "字节"), Cell::number(exported.walked.bytes)),
    ]);
    Report::new(json).facts(facts)
}

fn run_verify(args: &VerifyLogArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let mut folder = LogFolder::new(args.folder.clone());
    let own = own_genesis(args.genesis.as_ref(), session)?;
    let anchored = own.is_some() || session.context().chain.is_some();
    let genesis = own.map_or_else(|| read_genesis(&args.folder.join(GENESIS_FILE)), Ok)?;
    same_chain(&genesis, session)?;
    let bar = bar(session, &text!("verifying entries", "核验日志条目"), None);
    let verified = verify_folder(&mut folder, &genesis, &mut |entries| bar.set_position(entries));
    bar.finish_and_clear();
    let verified = verified?;
    let size = verified.judged.cosigned.checkpoint.size;
    if size < args.entries_min {
        return Err(CliError::user(text!(
            "the log ends at {size} entries, {} were seen before: it was cut off, or is not the \
             newest",
            "日志只有 {size} 条，而此前已有 {} 条：可能被截断或不是最新",
            args.entries_min
        ))
        .fact("log", "broken"));
    }
    Ok(anchor_note(verify_report(&verified, anchored), anchored))
}

fn verify_report(verified: &Verified, anchored: bool) -> Report {
    let walked = &verified.walked;
    let mut json = judged_json(&verified.judged, anchored);
    json["holds"] = true.into();
    json["tiles"] = walked.tiles.into();
    json["bundles"] = walked.bundles.into();
    json["bytes"] = walked.bytes.into();
    json["height"] = verified.header.as_ref().map(|header| header.height.get()).into();
    let mut facts = judged_facts(&verified.judged);
    facts.push((text!("tiles of hashes", "哈希瓦片"), Cell::number(walked.tiles)));
    facts.push((text!("bundles of entries", "条目包"), Cell::number(walked.bundles)));
    if let Some(header) = &verified.header {
        facts.push((text!("last block", "最新区块"), Cell::number(header.height)));
        facts.push((text!("time", "时间"), Cell::same(time_text(header.time))));
    }
    let verdict = match verified.header {
        Some(_) => text!(
            "The log holds: every entry is in it, and a quorum of validators cosigned it.",
            "日志成立：全部条目均在其中，并经法定多数验证者联署。"
        ),
        None => text!(
            "The hashes hold and a quorum of validators cosigned them; the folder has no entries.",
            "哈希成立，并经法定多数验证者联署；目录中没有条目。"
        ),
    };
    let report = Report::new(json).facts(facts).line(verdict);
    match verified.judged.unknown_lines {
        0 => report,
        count => report.line(text!(
            "{count} signature lines of the checkpoint are by keys of no validator: they count for \
             nothing, and a line that was changed looks like that.",
            "检查点中有 {count} 行签名不属于任何验证者的密钥：不计入联署；被改动的签名行也会如此显示。"
        )),
    }
}

fn judged_json(judged: &Judged, anchored: bool) -> Value {
    let checkpoint = &judged.cosigned.checkpoint;
    let cosigned: Vec<Value> = judged
        .cosigned
        .witnesses
        .iter()
        .map(|(name, seconds)| json!({ "validator": name, "seconds": seconds }))
        .collect();
    json!({
        "origin": checkpoint.origin,
        "entries": checkpoint.size,
        "root": checkpoint.root,
        "cosigned": cosigned,
        "validators": judged.validators,
        "unknown_signature_lines": judged.unknown_lines,
        "anchored": anchored,
    })
}

fn judged_facts(judged: &Judged) -> Vec<(Text, Cell)> {
    let checkpoint = &judged.cosigned.checkpoint;
    let names: Vec<&str> =
        judged.cosigned.witnesses.iter().map(|(name, _)| name.as_str()).collect();
    let (count, all) = (names.len(), judged.validators);
    vec![
        (text!("log", "日志"), Cell::same(&checkpoint.origin)),
        (text!("entries", "条目"), Cell::number(checkpoint.size)),
        (text!("root", "根"), Cell::same(checkpoint.root)),
        (
            text!("cosigned", "联署"),
            text!("{count} of {all}: {}", "{all} 个中的 {count} 个：{}", names.join(", ")).into(),
        ),
    ]
}

fn anchor_note(report: Report, anchored: bool) -> Report {
    if anchored {
        return report;
    }
    report.line(text!(
        "The genesis came with the log: compare the chain id with the one you were given.",
        "创世文件随日志一并取得：请将链标识与您所知的核对。"
    ))
}
