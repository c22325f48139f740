//! `cets audit blame`: accusations of validators that signed conflicting statements.

use std::path::{Path, PathBuf};

use cets_contracts::audit::{AccusationFile, Act, Charge};
use cets_contracts::block::Certificate;
use cets_contracts::genesis::Genesis;
use cets_contracts::proof::ValidatorChain;
use cets_contracts::transparency::Note;
use cets_contracts::types::BlockId;
use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::compare::is_history;
use super::own_genesis;
use crate::audit::{
    Accused, HistorySource, StoredHistory, conflict_of_certificates, conflict_of_notes,
    evidence_of_node, fork_of_files, fork_of_nodes, light_audit_node,
};
use crate::client::Node;
use crate::error::{CliError, ErrorKind};
use crate::files::read_text;
use crate::output::{Cell, Report, left};
use crate::session::Session;
use crate::text;
use crate::text::Text;

/// Arguments of `cets audit blame`.
#[derive(Debug, Args)]
pub struct BlameArgs {
    /// Two exported histories, checkpoints or certificates (JSON, as `cets block`) that contradict
    /// each other; without, the nodes of the context are asked for evidence and compared
    #[arg(value_name = "FILE", num_args = 2, conflicts_with = "check")]
    files: Vec<PathBuf>,
    /// Checks an accusation file; needs the genesis file and nothing else
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// Folder in which accusation files are written
    #[arg(long, value_name = "DIR", conflicts_with = "check")]
    out: Option<PathBuf>,
    /// Own copy of the genesis file [default: the context's, else that of the history]
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
}

/// Whether a file is an accusation; false for what cannot be read as text.
pub fn is_accusation(path: &Path) -> bool {
    path.is_file() && read_text(path).is_ok_and(|text| AccusationFile::is_text(&text))
}

/// Checks an accusation file against a genesis file, or that of the context.
pub fn verify_accusation(
    path: &Path,
    genesis: Option<&PathBuf>,
    session: &Session<'_>,
) -> Result<Report, CliError> {
    check(path, own_genesis(genesis, session)?.as_ref())
}

/// Runs `cets audit blame`.
pub fn run(args: &BlameArgs, session: &Session<'_>) -> Result<Report, CliError> {
    let genesis = own_genesis(args.genesis.as_ref(), session)?;
    if let Some(path) = &args.check {
        return check(path, genesis.as_ref());
    }
    let (accused, notes) = match args.files.as_slice() {
        [first, second] => of_files(first, second, genesis, session)?,
        _ => of_nodes(genesis, session)?,
    };
    let mut written = Vec::new();
    for one in &accused {
        written.push(args.out.as_deref().map(|folder| write(folder, one)).transpose()?);
    }
    Ok(report(&accused, &written, notes))
}

fn check(path: &Path, genesis: Option<&Genesis>) -> Result<Report, CliError> {
    let Some(genesis) = genesis else {
        return Err(CliError::usage(text!(
            "an accusation is checked against the genesis file: --genesis FILE",
            "核验指控需要创世文件：--genesis 文件"
        )));
    };
    let shown = path.display();
    let failed = |error: &dyn std::fmt::Display| {
        CliError::user(text!("{shown} proves nothing: {error}", "{shown} 不能证明任何事：{error}"))
            .fact("accusation", "unproven")
    };
    let file = AccusationFile::from_text(&read_text(path)?).map_err(|error| failed(&error))?;
    let charge = file.verify(genesis).map_err(|error| failed(&error))?;
    let report = Report::new(json!({ "proven": true, "charge": charge }));
    Ok(report.facts(charge_facts(&charge)).line(text!(
        "Proven: this validator signed two statements that contradict each other.",
        "已证实：该验证者签署了两份相互矛盾的声明。"
    )))
}

type Findings = (Vec<Accused>, Vec<Text>);

fn of_files(
    first: &Path,
    second: &Path,
    genesis: Option<Genesis>,
    session: &Session<'_>,
) -> Result<Findings, CliError> {
    if is_history(first) && is_history(second) {
        let (mut a, mut b) = (StoredHistory::open(first)?, StoredHistory::open(second)?);
        if let Some(genesis) = &genesis {
            super::same_chain(genesis, a.genesis())?;
        }
        let fork = fork_of_files(&mut a, &mut b)?;
        return Ok((fork.accused, vec![fork_text(fork.height)]));
    }
    let (a, b) = (read_signed(first)?, read_signed(second)?);
    let Some(genesis) = genesis else {
        return Err(CliError::usage(text!(
            "what validators signed is checked against the genesis file: --genesis FILE",
            "核验验证者的签名需要创世文件：--genesis 文件"
        )));
    };
    // Validators that came after genesis are known from the changes that a node shows.
    let chain = if session.context().nodes.is_empty() {
        ValidatorChain::default()
    } else {
        let node = Node::connect(session)?;
        light_audit_node(&node, &genesis, None, &|_| {})?.into_chain()
    };
    match (a, b) {
        (Signed::Checkpoint(a), Signed::Checkpoint(b)) => {
            Ok((conflict_of_notes(&genesis, &chain, &a, &b)?, Vec::new()))
        }
        (Signed::Certificate(a), Signed::Certificate(b)) => {
            let notes = vec![certificates_text(&a, &b)];
            Ok((conflict_of_certificates(&genesis, &chain, &a, &b), notes))
        }
        _ => Err(CliError::usage(text!(
            "a checkpoint and a certificate cannot contradict each other: give two of one kind",
            "检查点与区块证书无法相互矛盾：请给出两份同类文件"
        ))),
    }
}

/// What validators signed, in a file.
enum Signed {
    Checkpoint(Note),
    Certificate(Certificate),
}

/// A certificate alone, or what `cets block --output json` shows, which holds one.
#[derive(Deserialize)]
#[serde(untagged)]
enum CertificateForm {
    Alone(Certificate),
    OfBlock { certificate: Certificate },
}

fn read_signed(path: &Path) -> Result<Signed, CliError> {
    let (text, shown) = (read_text(path)?, path.display());
    if text.trim_start().starts_with('{') {
        let form: CertificateForm = serde_json::from_str(&text).map_err(|_| {
            CliError::user(text!(
                "{shown} is JSON, but no certificate of a block",
                "{shown} 是 JSON，但不是区块证书"
            ))
            .hint(text!(
                "write one with: cets block HEIGHT --output json",
                "可用以下命令导出：cets block 高度 --output json"
            ))
        })?;
        let (CertificateForm::Alone(certificate) | CertificateForm::OfBlock { certificate }) = form;
        return Ok(Signed::Certificate(certificate));
    }
    text.parse().map(Signed::Checkpoint).map_err(|error| {
        CliError::user(text!(
            "{shown} is no exported history, no certificate, and no checkpoint: {error}",
            "{shown} 既不是导出的历史或区块证书，也不是检查点：{error}"
        ))
    })
}

/// How two certificates stand to each other.
fn certificates_text(a: &Certificate, b: &Certificate) -> Text {
    let (height, other, first, second) = (a.height, b.height, a.round, b.round);
    if height != other {
        return text!(
            "The certificates are of heights {height} and {other}: they contradict nothing.",
            "两份证书分别属于高度 {height} 与 {other}：并不矛盾。"
        );
    }
    if a.block_id == b.block_id {
        return text!(
            "Both certificates decide the same block {height}.",
            "两份证书确认的是同一区块 {height}。"
        );
    }
    if first != second {
        return text!(
            "The certificates decide two blocks {height}, in rounds {first} and {second}: if both \
             have a quorum the ledger is forked, but a validator may change its vote between \
             rounds, so that these signatures accuse nobody.",
            "两份证书在第 {first} 轮与第 {second} 轮确认了两个不同的区块 {height}：若均达到法定多数，\
             则账本已分叉；但验证者可在轮次之间改变投票，因此这些签名不能指控任何人。"
        );
    }
    text!(
        "The certificates decide two blocks {height} in round {first}.",
        "两份证书在第 {first} 轮确认了两个不同的区块 {height}。"
    )
}

fn of_nodes(genesis: Option<Genesis>, session: &Session<'_>) -> Result<Findings, CliError> {
    let certificates = Node::certificates(session)?;
    let mut nodes = Vec::new();
    for address in &session.context().nodes {
        nodes.push(Node::connect_to(address, certificates.as_deref(), session.lang())?);
    }
    let Some(first) = nodes.first() else {
        return Err(Node::connect(session).err().unwrap_or_else(|| {
            CliError::usage(text!("no address of a node is known", "没有可用的节点地址"))
        }));
    };
    let genesis = genesis.map_or_else(|| first.genesis(), Ok)?;
    let (mut accused, mut notes): Findings = (Vec::new(), Vec::new());
    for node in &nodes {
        let address = node.address();
        let (found, unproven) = evidence_of_node(&genesis, node)?;
        if unproven > 0 {
            notes.push(text!(
                "{address} keeps {unproven} pieces of evidence that do not verify",
                "{address} 保存的证据中有 {unproven} 件未通过核验"
            ));
        }
        let new: Vec<Accused> = found
            .into_iter()
            .filter(|one| accused.iter().all(|known: &Accused| known.file != one.file))
            .collect();
        accused.extend(new);
    }
    for other in nodes.iter().skip(1) {
        let fork = fork_of_nodes(&genesis, first, other)?;
        if fork.height.is_some() {
            notes.push(fork_text(fork.height));
            accused.extend(fork.accused);
        }
    }
    Ok((accused, notes))
}

fn fork_text(height: Option<cets_contracts::types::Height>) -> Text {
    match height {
        Some(height) => {
            text!("the histories part at block {height}", "两个历史自区块 {height} 起分叉")
        }
        None => text!("the histories do not part", "两个历史没有分叉"),
    }
}

fn write(folder: &Path, accused: &Accused) -> Result<PathBuf, CliError> {
    let place = match &accused.charge.act {
        Act::Statements { step, height, round, .. } => format!("{step}-{height}-{round}"),
        Act::Checkpoints { size, .. } => format!("checkpoint-{size}"),
    };
    let text = accused.file.to_text();
    // The digest keeps apart several accusations of one place.
    let digest = blake3::hash(text.as_bytes()).to_hex();
    let name = format!(
        "{}-{place}-{}.cets-accusation",
        accused.charge.validator,
        digest.get(..8).unwrap_or_default()
    );
    let path = folder.join(name);
    let failed = |error: std::io::Error| CliError::file(&path, &error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    std::fs::write(&path, text).map_err(failed)?;
    Ok(path)
}

fn block_text(block: &Option<BlockId>) -> Text {
    block.map_or_else(|| text!("no block", "无区块"), Text::same)
}

fn act_texts(act: &Act) -> (Text, Text, Text) {
    match act {
        Act::Statements { step, height, round, first, second } => {
            let what = text!(
                "two {step}s for height {height}, round {round}",
                "高度 {height} 第 {round} 轮的两次 {step}"
            );
            (what, block_text(first), block_text(second))
        }
        Act::Checkpoints { size, first, second } => {
            let what = text!("two checkpoints of size {size}", "大小 {size} 的两个检查点");
            (what, Text::same(first), Text::same(second))
        }
    }
}

fn charge_facts(charge: &Charge) -> Vec<(Text, Cell)> {
    let (what, first, second) = act_texts(&charge.act);
    vec![
        (text!("chain", "链"), Cell::same(charge.chain_id)),
        (text!("validator", "验证者"), Cell::same(&charge.name)),
        (text!("address", "地址"), Cell::same(charge.validator)),
        (text!("key", "公钥"), Cell::same(charge.key)),
        (text!("signed", "签署了"), what.into()),
        (text!("the first for", "其一"), first.into()),
        (text!("the second for", "其二"), second.into()),
    ]
}

fn report(accused: &[Accused], written: &[Option<PathBuf>], notes: Vec<Text>) -> Report {
    let charges: Vec<_> = accused
        .iter()
        .zip(written)
        .map(|(one, file)| json!({ "charge": one.charge, "file": file }))
        .collect();
    let mut report = Report::new(json!({ "proven": !accused.is_empty(), "charges": charges }));
    if !accused.is_empty() {
        let columns = vec![
            left(text!("validator", "验证者")),
            left(text!("signed", "签署了")),
            left(text!("the first for", "其一")),
            left(text!("the second for", "其二")),
            left(text!("file", "文件")),
        ];
        let rows = accused.iter().zip(written).map(|(one, file)| {
            let (what, first, second) = act_texts(&one.charge.act);
            let file = match file {
                Some(path) => Cell::same(path.display()),
                None => text!("not written: --out DIR", "未写入：--out 目录").into(),
            };
            vec![Cell::same(&one.charge.name), what.into(), first.into(), second.into(), file]
        });
        report = report.rows(columns, rows.collect());
    }
    for note in notes {
        report = report.line(note);
    }
    if accused.is_empty() {
        return report.line(text!(
            "Nobody is proven to have signed two conflicting statements.",
            "未证实任何验证者签署过相互矛盾的声明。"
        ));
    }
    report.failing(ErrorKind::User)
}
