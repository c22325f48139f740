//! `cets proof`: files that prove something to anybody who has the genesis file, offline.

use std::io::Write;
use std::path::{Path, PathBuf};

use cets_contracts::genesis::Genesis;
use cets_contracts::proof::{Claim, ProofFile, VerifiedHop, VerifiedProof};
use cets_contracts::state::{Account, KeyParts};
use cets_contracts::types::TxId;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::network::read_genesis;
use super::serial::unit_named;
use crate::client::outcome_text;
use crate::clock::time_text;
use crate::error::CliError;
use crate::files::read_text;
use crate::orders::{outcome_json, place_text};
use crate::output::{Cell, Report, left, right};
use crate::session::Session;
use crate::text;

/// What to do with proofs.
#[derive(Debug, Subcommand)]
pub enum ProofCommand {
    /// Writes the proof of a tonne's whole life
    Serial {
        /// Serial code of a unit, or an instrument
        unit: String,
        /// Number of the unit, when an instrument was given
        number: Option<u64>,
        /// Where to write it.
        #[command(flatten)]
        out: OutArgs,
    },
    /// Writes the proof of whose a range of units is
    Holder {
        /// Serial code of a unit, or an instrument
        unit: String,
        /// Number of the unit, when an instrument was given
        number: Option<u64>,
        /// Where to write it.
        #[command(flatten)]
        out: OutArgs,
    },
    /// Writes the proof of an account's record with its totals
    Account {
        /// Number or name [default: the context's account]
        account: Option<String>,
        /// Where to write it.
        #[command(flatten)]
        out: OutArgs,
    },
    /// Writes the proof of a transaction and its receipt
    Tx {
        /// Identifier
        id: TxId,
        /// Where to write it.
        #[command(flatten)]
        out: OutArgs,
    },
    /// Verifies a proof file with the genesis file alone; needs no node
    Verify {
        /// Proof file
        file: PathBuf,
        /// Genesis file [default: the context's]
        #[arg(long, value_name = "FILE")]
        genesis: Option<PathBuf>,
    },
}

/// Where a proof is written.
#[derive(Debug, Args)]
pub struct OutArgs {
    /// New file for the proof
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
}

/// Runs `cets proof`.
pub fn run(command: ProofCommand, session: &mut Session<'_>) -> Result<Report, CliError> {
    match command {
        ProofCommand::Serial { unit, number, out } => {
            let serial = unit_named(&unit, number)?;
            write(&session.node()?.provenance_proof(serial)?, &out.out, session)
        }
        ProofCommand::Holder { unit, number, out } => {
            let serial = unit_named(&unit, number)?;
            write(&session.node()?.unit_proof(serial)?, &out.out, session)
        }
        ProofCommand::Account { account, out } => {
            let account = session.acting_account(account.as_deref())?;
            write(&session.node()?.account_proof(account)?, &out.out, session)
        }
        ProofCommand::Tx { id, out } => {
            write(&session.node()?.receipt_proof(id)?, &out.out, session)
        }
        ProofCommand::Verify { file, genesis } => {
            let genesis = genesis_of(genesis, session)?;
            let proof = ProofFile::from_text(&read_text(&file)?).map_err(|error| {
                let path = file.display();
                CliError::user(text!("{path}: {error}", "{path}：{error}")).fact("proof", "broken")
            })?;
            verified(&proof, &genesis, &file, session)
        }
    }
}

fn genesis_of(given: Option<PathBuf>, session: &Session<'_>) -> Result<Genesis, CliError> {
    let of_context = || session.context().genesis.as_ref().map(|path| session.home().resolve(path));
    let path = given.or_else(of_context).ok_or_else(|| {
        CliError::usage(text!("which genesis? nothing names it", "未指明创世文件"))
            .hint(text!("give --genesis FILE", "请使用 --genesis 文件"))
    })?;
    read_genesis(&path)
}

/// Verifies a new proof before it is kept, so that no proof leaves that proves nothing.
fn write(proof: &ProofFile, path: &Path, session: &Session<'_>) -> Result<Report, CliError> {
    let genesis = match &session.context().genesis {
        Some(genesis) => read_genesis(&session.home().resolve(genesis))?,
        None => session.node()?.genesis()?,
    };
    let report = verified(proof, &genesis, path, session)?;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(proof.to_text().as_bytes()))
        .map_err(|error| CliError::file(path, &error))?;
    Ok(report)
}

fn verified(
    proof: &ProofFile,
    genesis: &Genesis,
    path: &Path,
    session: &Session<'_>,
) -> Result<Report, CliError> {
    let verified = proof.verify(genesis).map_err(|error| {
        let path = path.display();
        CliError::user(text!("{path} proves nothing: {error}", "{path} 不能证明任何事项：{error}"))
            .fact("proof", "broken")
    })?;
    let VerifiedProof { height, time, block_id, claim } = &verified;
    let facts = vec![
        (text!("file", "文件"), Cell::same(path.display())),
        (text!("proof", "证明"), Cell::same(proof.proof.kind())),
        (text!("chain", "链"), Cell::same(genesis.chain_id())),
        (text!("as of block", "截至区块"), Cell::number(height)),
        (text!("its time", "区块时间"), Cell::same(time_text(*time))),
        (text!("its number", "区块号"), Cell::same(block_id)),
    ];
    let json = json!({
        "verified": true,
        "file": path,
        "kind": proof.proof.kind(),
        "chain": genesis.chain_id(),
        "height": height,
        "block_id": block_id,
        "block_time_millis": time,
        "claim": claim_json(claim, session),
    });
    let report = Report::new(json).facts(facts);
    Ok(with_claim(report, claim)
        .line(text!("Verified with the genesis file alone.", "仅凭创世文件已验证。")))
}

fn claim_json(claim: &Claim, session: &Session<'_>) -> Value {
    match claim {
        Claim::Receipt(found) => json!({
            "tx_id": found.transaction.id(),
            "log_index": found.index,
            "outcome": outcome_json(&found.receipt.outcome, session.lang()),
            "body": found.transaction.body(),
            "event": found.events.as_ref().map(|record| &record.event),
        }),
        Claim::Records(records) => records
            .iter()
            .map(|record| match (&record.parts, record.read::<Account>()) {
                (KeyParts::Account(id), Ok(account)) => super::account::account_json(*id, &account),
                _ => json!({
                    "key": hex::encode(record.key()),
                    "value": hex::encode(record.value()),
                }),
            })
            .collect(),
        Claim::Units(units) => units
            .parts
            .iter()
            .map(|(range, place)| json!({ "range": range, "place": place }))
            .collect(),
        Claim::Statement(statement) => json!({
            "account": super::account::account_json(statement.id, &statement.account),
            "ranges": statement.ranges,
        }),
        Claim::Provenance(life) => json!({
            "range": life.range,
            "place": life.place,
            "hops": life.hops.iter().map(hop_json).collect::<Vec<_>>(),
        }),
    }
}

fn hop_json(hop: &VerifiedHop) -> Value {
    json!({
        "tx_id": hop.receipt.transaction.id(),
        "log_index": hop.receipt.index,
        "height": hop.receipt.receipt.height,
        "block_time_millis": hop.time,
        "movements": hop.movements,
    })
}

fn with_claim(report: Report, claim: &Claim) -> Report {
    match claim {
        Claim::Receipt(found) => report.facts(vec![
            (text!("transaction", "交易"), Cell::same(found.transaction.id())),
            (text!("outcome", "结果"), outcome_text(&found.receipt.outcome).into()),
            (text!("log index", "日志序号"), Cell::number(found.index)),
        ]),
        Claim::Records(records) => records.iter().fold(report, |report, record| {
            match (&record.parts, record.read::<Account>()) {
                (KeyParts::Account(id), Ok(account)) => {
                    super::account::with_account(report, *id, &account)
                }
                _ => report
                    .facts(vec![(text!("record", "记录"), Cell::same(hex::encode(record.key())))]),
            }
        }),
        Claim::Units(units) => with_places(report, &units.parts),
        Claim::Statement(statement) => with_places(
            super::account::with_account(report, statement.id, &statement.account),
            &statement.ranges,
        ),
        Claim::Provenance(life) => with_life(report, &life.hops),
    }
}

fn with_places(
    report: Report,
    parts: &[(cets_contracts::types::SerialRange, cets_contracts::state::UnitPlace)],
) -> Report {
    let columns = vec![left(text!("units", "单位")), left(text!("place", "所在"))];
    let rows = parts.iter().map(|(range, place)| vec![Cell::same(range), place_text(place).into()]);
    report.rows(columns, rows.collect())
}

fn with_life(report: Report, hops: &[VerifiedHop]) -> Report {
    let columns = vec![
        left(text!("block time", "区块时间")),
        right(text!("block", "区块")),
        right(text!("log index", "日志序号")),
        left(text!("from", "自")),
        left(text!("to", "至")),
    ];
    let rows = hops.iter().flat_map(|hop| {
        hop.movements.iter().map(|moved| {
            let from = moved.from.as_ref();
            vec![
                Cell::same(time_text(hop.time)),
                Cell::number(hop.receipt.receipt.height),
                Cell::number(hop.receipt.index),
                from.map_or_else(|| text!("issued", "新发放"), place_text).into(),
                place_text(&moved.to).into(),
            ]
        })
    });
    report.rows(columns, rows.collect())
}
