//! `cets verify`: checks a proof or a certificate offline, whoever made it.

use std::path::{Path, PathBuf};

use cets_contracts::genesis::Genesis;
use cets_contracts::transparency::{Note, Policy, TlogProof};
use clap::Args;

use super::audit::{is_accusation, verify_accusation};
use super::network::read_genesis;
use crate::certificates::certificate_report;
use crate::clock::duration_millis;
use crate::error::CliError;
use crate::files::read_text;
use crate::output::{Cell, Report};
use crate::proofs::{
    Document, Evidence, checkpoint_to_compare, claim_report, damaged, read_document,
    require_newest, require_newest_log, require_one_log, tlog_report,
};
use crate::session::Session;
use crate::text;

/// Arguments of `cets verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A tlog-proof@v1, a proof file, a certificate as JSON or PDF, or an accusation
    file: PathBuf,
    /// Genesis file, for everything but a tlog-proof [default: the context's]
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Policy of the log, for a tlog-proof and for --checkpoint
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Refuses a proof that is not of the newest block, as the nodes of the context show it
    #[arg(long)]
    newest: bool,
    /// With --newest: how much older than the newest block a proof may be [default: not at all]
    #[arg(long, value_name = "DURATION", requires = "newest", value_parser = duration_millis)]
    max_age: Option<u64>,
    /// Refuses a proof that knows less of the log than this cosigned checkpoint; needs no node
    #[arg(long, value_name = "FILE", requires = "policy")]
    checkpoint: Option<PathBuf>,
}

/// Runs `cets verify`.
pub fn run(args: &VerifyArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    if is_accusation(&args.file) {
        return verify_accusation(&args.file, args.genesis.as_ref(), session);
    }
    let report = match read_document(&args.file)? {
        Document::Tlog(proof) => verify_tlog(args, &proof, session)?,
        Document::Evidence(evidence) => verify_evidence(args, &evidence, session)?,
    };
    Ok(report.fact("file", Cell::same(args.file.display()), text!("file", "文件")))
}

fn verify_tlog(
    args: &VerifyArgs,
    proof: &TlogProof,
    session: &Session<'_>,
) -> Result<Report, CliError> {
    let policy = policy_of(args)?.ok_or_else(|| {
        CliError::usage(text!(
            "a tlog-proof is verified with the policy of the log; nothing names it",
            "核验 tlog-proof 需要日志的策略文件，但未指明"
        ))
        .hint(text!("give --policy FILE", "请使用 --policy 文件"))
    })?;
    let (report, found) = tlog_report(proof, &policy, &args.file, session.lang())?;
    let known = &found.cosigned.checkpoint;
    let cosigned_at = found.cosigned.witnesses.iter().map(|(_, seconds)| *seconds).max();
    if let Some(path) = &args.checkpoint {
        let newest = checkpoint_to_compare(&read_note(path)?, &policy)?;
        require_newest_log(known.size, cosigned_at, &newest, args.max_age.unwrap_or(0))?;
    }
    let report = match args.newest {
        false => report,
        true => {
            let node = session.node()?;
            let newest = checkpoint_to_compare(&node.checkpoint_note()?.0, &policy)?;
            require_one_log(&node, known, &newest.checkpoint)?;
            require_newest_log(known.size, cosigned_at, &newest, args.max_age.unwrap_or(0))?;
            let size = newest.checkpoint.size;
            report.fact("newest_size", Cell::number(size), text!("newest size", "最新条目数"))
        }
    };
    Ok(report.line(text!("Verified with the policy alone.", "仅凭策略文件已核验。")))
}

fn verify_evidence(
    args: &VerifyArgs,
    evidence: &Evidence,
    session: &Session<'_>,
) -> Result<Report, CliError> {
    let genesis = genesis_of(args.genesis.as_deref(), session)?;
    let Evidence { proof, certificate } = evidence;
    let report = match certificate {
        None => {
            let verified = proof.verify(&genesis).map_err(|error| damaged(&args.file, &error))?;
            claim_report(proof.proof.kind(), &verified, &genesis, session.lang())
        }
        Some(file) => {
            let shown = file.verify(&genesis).map_err(|error| damaged(&args.file, &error))?;
            match file.is_drawn_by_another() {
                false => certificate_report(&shown),
                true => certificate_report(&shown).line(text!(
                    "The JSON in the PDF is verified; its pages, drawn by another version of this \
                     program, are not compared with it.",
                    "已核验 PDF 内的 JSON；页面由其他版本生成，未与之比对。"
                )),
            }
        }
    };
    let anchor = proof.proof.anchor();
    let report = match args.newest {
        false => report,
        true => {
            let node = session.node()?;
            let newest = require_newest(&node, anchor, &genesis, args.max_age.unwrap_or(0))?;
            report.fact("newest_height", Cell::number(newest), text!("newest block", "最新区块"))
        }
    };
    if let (Some(path), Some(policy)) = (&args.checkpoint, policy_of(args)?) {
        // The header entry itself stands after what the header covers.
        let size = anchor.header.log_size.saturating_add(1);
        let newest = checkpoint_to_compare(&read_note(path)?, &policy)?;
        require_newest_log(size, None, &newest, 0)?;
    }
    Ok(report.line(text!("Verified with the genesis file alone.", "仅凭创世文件已核验。")))
}

fn genesis_of(given: Option<&Path>, session: &Session<'_>) -> Result<Genesis, CliError> {
    let of_context = || session.context().genesis.as_ref().map(|path| session.home().resolve(path));
    let path = given.map(Path::to_owned).or_else(of_context).ok_or_else(|| {
        CliError::usage(text!("which genesis? nothing names it", "未指明创世文件"))
            .hint(text!("give --genesis FILE", "请使用 --genesis 文件"))
    })?;
    read_genesis(&path)
}

fn policy_of(args: &VerifyArgs) -> Result<Option<Policy>, CliError> {
    let Some(path) = &args.policy else { return Ok(None) };
    let policy = read_text(path)?.parse().map_err(|error| {
        let path = path.display();
        CliError::user(text!("{path}: {error}", "{path}：{error}"))
    })?;
    Ok(Some(policy))
}

fn read_note(path: &Path) -> Result<Note, CliError> {
    read_text(path)?.parse().map_err(|error| {
        let path = path.display();
        CliError::user(text!("{path}: {error}", "{path}：{error}"))
    })
}
