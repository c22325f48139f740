//! `cets certificate`: certificates for people, each with the proof of everything it says.

use std::path::{Path, PathBuf};

use cets_contracts::block::EventRecord;
use cets_contracts::proof::ProofFile;
use cets_contracts::state::{Key, ParameterName, StatusKind, UnitStatus, keys};
use cets_contracts::types::{AccountId, TxId, Vintage};
use clap::{Args, Subcommand};

use super::prove::genesis_for;
use crate::certificates::{Certificate, certificate_report, to_pdf};
use crate::client::Node;
use crate::client::proofs::range_key;
use crate::error::CliError;
use crate::files::write_new;
use crate::output::{Cell, Report};
use crate::proofs::damaged;
use crate::session::Session;
use crate::text;

/// What to certify.
#[derive(Debug, Subcommand)]
pub enum CertificateCommand {
    /// Certifies that an entity met its obligation of a compliance year
    Compliance {
        /// The entity: number or name [default: the context's account]
        #[arg(long, value_name = "ACCOUNT")]
        entity: Option<String>,
        /// Compliance year; 1920 for 2019-2020
        #[arg(long, value_name = "YEAR")]
        year: Vintage,
        /// Where to write it.
        #[command(flatten)]
        out: CertificateOutArgs,
    },
    /// Certifies that a holder cancelled units
    Cancellation {
        /// The transaction that cancelled them
        #[arg(long, value_name = "ID")]
        tx: TxId,
        /// Where to write it.
        #[command(flatten)]
        out: CertificateOutArgs,
    },
}

/// Where a certificate is written.
#[derive(Debug, Args)]
pub struct CertificateOutArgs {
    /// New file for the certificate: .json, or .pdf with a page for people around the same JSON
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
}

/// Runs `cets certificate`.
pub fn run(command: CertificateCommand, session: &mut Session<'_>) -> Result<Report, CliError> {
    match command {
        CertificateCommand::Compliance { entity, year, out } => {
            let account = session.acting_account(entity.as_deref())?;
            let node = session.node()?;
            let proof = node.dossier_proof(&[], || compliance_keys(&node, account, year))?;
            write(&proof, &out.out, session)
        }
        CertificateCommand::Cancellation { tx, out } => {
            let node = session.node()?;
            let proof = node.dossier_proof(&[tx], || cancellation_keys(&node, tx))?;
            write(&proof, &out.out, session)
        }
    }
}

/// The obligation, the account, the deadline, and the units that met the obligation.
fn compliance_keys(node: &Node, account: AccountId, year: Vintage) -> Result<Vec<Key>, CliError> {
    let mut keys = vec![keys::obligation(account, year), keys::account(account)];
    let deadline = ParameterName::SurrenderDeadline.tag();
    let versions = node.parameters()?.into_iter();
    keys.extend(
        versions
            .filter(|line| line.tag == deadline && line.year == Some(year))
            .map(|line| keys::parameter(deadline, year.get(), line.valid_from)),
    );
    let (holdings, _) = node.holdings(account, None, true)?;
    let ended = [UnitStatus::Surrendered { year }, UnitStatus::Offset { year }];
    let met = holdings.iter().filter(|held| ended.contains(&held.place.status));
    keys.extend(met.map(|held| range_key(&held.range)));
    Ok(keys)
}

/// The account, and the records that hold the units now.
fn cancellation_keys(node: &Node, tx: TxId) -> Result<Vec<Key>, CliError> {
    let found = node.transaction(tx)?;
    let units = match &found.events {
        Some(EventRecord { effects, .. }) => &effects.units[..],
        None => &[],
    };
    let mut ended =
        units.iter().filter(|moved| moved.to.status.kind() == StatusKind::Cancelled).peekable();
    let Some(first) = ended.peek() else {
        return Err(CliError::user(text!(
            "transaction {tx} cancelled no units",
            "交易 {tx} 未注销任何单位"
        )));
    };
    let mut keys = vec![keys::account(first.to.holder)];
    for moved in ended {
        // Neighbours that were cancelled at another time are in the same record.
        let mut at = moved.range.start();
        while at < moved.range.end() {
            let (stored, _, _) = node.serial(moved.range.instrument(), at)?;
            let key = range_key(&stored.range);
            if !keys.contains(&key) {
                keys.push(key);
            }
            at = stored.range.end();
        }
    }
    Ok(keys)
}

/// Writes a certificate whose every field follows from its proof.
fn write(proof: &ProofFile, path: &Path, session: &Session<'_>) -> Result<Report, CliError> {
    let genesis = genesis_for(session)?;
    let certificate = Certificate::of(proof, &genesis).map_err(|error| damaged(path, &error))?;
    let bytes = match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => certificate.to_json().into_bytes(),
        Some("pdf") => to_pdf(&certificate).map_err(|error| damaged(path, &error))?,
        _ => {
            return Err(CliError::usage(text!(
                "the name of a certificate ends in .json or .pdf",
                "证书的文件名须以 .json 或 .pdf 结尾"
            )));
        }
    };
    write_new(path, &bytes)?;
    let file = path.display();
    let report = certificate_report(&certificate);
    Ok(report.fact("file", Cell::same(&file), text!("file", "文件")).line(text!(
        "Anybody verifies it offline: cets verify {file} --genesis GENESIS",
        "任何人均可离线核验：cets verify {file} --genesis 创世文件"
    )))
}
