//! Telling the kinds of proof files apart.

use std::path::Path;

use cets_contracts::block::LogEntry;
use cets_contracts::proof::ProofFile;
use cets_contracts::transparency::{Policy, TlogProof, VerifiedEntry};
use cets_contracts::tx::{Transaction, VerifiedTransaction};
use serde_json::json;

use crate::certificates::{CertificateFile, FORMAT, PDF_START};
use crate::client::outcome_text;
use crate::clock::time_text;
use crate::error::CliError;
use crate::files::read_bytes;
use crate::orders::outcome_json;
use crate::output::{Cell, Report, left};
use crate::text;
use crate::text::{Lang, Text};

/// First line of a `tlog-proof@v1`.
const TLOG_START: &[u8] = b"c2sp.org/tlog-proof@v1\n";
/// Stands in every proof file of ours.
const PROOF_MARK: &str = "-----BEGIN CETS PROOF-----";

/// A file that claims to prove something; nothing is verified yet.
#[derive(Debug)]
pub enum Document {
    /// An entry of the log under a cosigned checkpoint.
    Tlog(Box<TlogProof>),
    /// What rests on the genesis document.
    Evidence(Box<Evidence>),
}

/// A proof of ours, with the certificate that it came in.
#[derive(Debug)]
pub struct Evidence {
    /// The proof.
    pub proof: ProofFile,
    /// The certificate; none for a proof file.
    pub certificate: Option<CertificateFile>,
}

/// Reads a file of any kind.
pub fn read_document(path: &Path) -> Result<Document, CliError> {
    parse_document(read_bytes(path)?, path)
}

/// Reads the content of a file of any kind.
pub fn parse_document(bytes: Vec<u8>, path: &Path) -> Result<Document, CliError> {
    if bytes.starts_with(PDF_START) {
        return certificate(CertificateFile::from_pdf(bytes), path);
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        damaged(path, &format!("byte {} is no text", error.utf8_error().valid_up_to()))
    })?;
    if text.as_bytes().starts_with(TLOG_START) {
        let proof = text.parse().map_err(|error| damaged(path, &error))?;
        return Ok(Document::Tlog(Box::new(proof)));
    }
    if text.starts_with('{') {
        return certificate(CertificateFile::from_json(&text), path);
    }
    if text.lines().any(|line| line == PROOF_MARK) {
        let proof = ProofFile::from_text(&text).map_err(|error| damaged(path, &error))?;
        return Ok(Document::Evidence(Box::new(Evidence { proof, certificate: None })));
    }
    let shown = path.display();
    Err(CliError::user(text!(
        "{shown} is no proof file: it begins like none, and no line says {PROOF_MARK}",
        "{shown} 不是证明文件：开头不符合任何一种格式，也没有 {PROOF_MARK} 行"
    ))
    .hint(text!(
        "a proof is a tlog-proof@v1, a file with {PROOF_MARK}, or a certificate ({FORMAT}) as \
         JSON or PDF",
        "证明文件为 tlog-proof@v1、含 {PROOF_MARK} 的文件，或 JSON、PDF 形式的证书（{FORMAT}）"
    ))
    .fact("proof", "broken"))
}

fn certificate(
    read: Result<CertificateFile, crate::certificates::CertificateError>,
    path: &Path,
) -> Result<Document, CliError> {
    let certificate = read.map_err(|error| damaged(path, &error))?;
    let proof = certificate.proof().map_err(|error| damaged(path, &error))?;
    Ok(Document::Evidence(Box::new(Evidence { proof, certificate: Some(certificate) })))
}

/// The failure of a file that proves nothing.
pub fn damaged(path: &Path, error: &dyn std::fmt::Display) -> CliError {
    let path = path.display();
    CliError::user(text!("{path} proves nothing: {error}", "{path} 不能证明任何事项：{error}"))
        .fact("proof", "broken")
}

/// Verifies a `tlog-proof@v1` with the policy alone and shows what it proves.
pub fn tlog_report(
    proof: &TlogProof,
    policy: &Policy,
    path: &Path,
    lang: Lang,
) -> Result<(Report, VerifiedEntry), CliError> {
    let found = proof.verify(policy).map_err(|error| damaged(path, &error))?;
    let checkpoint = &found.cosigned.checkpoint;
    let mut facts = vec![
        (text!("proof", "证明"), text!("an entry of the log", "日志条目").into()),
        (text!("log", "日志"), Cell::same(&checkpoint.origin)),
        (text!("size of the log", "日志条目数"), Cell::number(checkpoint.size)),
        (text!("log index", "日志序号"), Cell::number(found.index)),
    ];
    let mut json = json!({
        "verified": true,
        "kind": "tlog-proof",
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": hex::encode(checkpoint.root.as_bytes()),
        "log_index": found.index,
        "witnesses": found.cosigned.witnesses,
    });
    let entry = match &found.entry {
        LogEntry::Transaction { transaction, receipt } => {
            let transaction = Transaction::decode(transaction.clone())
                .and_then(VerifiedTransaction::verify)
                .map_err(|error| damaged(path, &format!("the transaction: {error}")))?;
            if transaction.id() != receipt.tx_id {
                let what = "the receipt in the entry is of another transaction";
                return Err(damaged(path, &what));
            }
            facts.extend(entry_facts(&transaction, receipt));
            json!({
                "tx_id": receipt.tx_id,
                "height": receipt.height,
                "outcome": outcome_json(&receipt.outcome, lang),
                "body": transaction.body(),
            })
        }
        LogEntry::Header(header) => {
            facts.push((text!("header of block", "区块头"), Cell::number(header.height)));
            facts.push((text!("its time", "区块时间"), Cell::same(time_text(header.time))));
            json!({ "header": header })
        }
    };
    json["entry"] = entry;
    let rows = found.cosigned.witnesses.iter().map(|(name, seconds)| {
        let time = cets_contracts::types::BlockTime::from_millis(seconds.saturating_mul(1_000));
        vec![Cell::same(name), Cell::same(time_text(time))]
    });
    let columns = vec![left(text!("cosigned by", "联署者")), left(text!("at", "时间"))];
    Ok((Report::new(json).facts(facts).rows(columns, rows.collect()), found))
}

fn entry_facts(
    transaction: &VerifiedTransaction,
    receipt: &cets_contracts::block::Receipt,
) -> Vec<(Text, Cell)> {
    vec![
        (text!("transaction", "交易"), Cell::same(receipt.tx_id)),
        (text!("order", "业务"), Cell::same(transaction.body().payload.rule().name)),
        (text!("by", "经办账户"), Cell::same(transaction.body().account)),
        (text!("outcome", "结果"), outcome_text(&receipt.outcome).into()),
        (text!("block", "区块"), Cell::number(receipt.height)),
    ]
}
