//! `cets prove`: files that prove something to anybody, offline.

use std::path::{Path, PathBuf};

use cets_contracts::genesis::Genesis;
use cets_contracts::proof::ProofFile;
use cets_contracts::state::{Key, keys};
use cets_contracts::types::{Height, TxId, Vintage};
use clap::{Args, Subcommand};

use super::network::read_genesis;
use super::parameter::parameter_named;
use super::task::task_named;
use super::trace::{UnitArgs, range_named, unit_named};
use crate::client::Node;
use crate::error::CliError;
use crate::files::write_new;
use crate::output::{Cell, Report};
use crate::proofs::{claim_report, damaged, tlog_report};
use crate::session::Session;
use crate::text;

/// What to prove.
#[derive(Debug, Subcommand)]
pub enum ProveCommand {
    /// Proves that a transaction and its answer are in the log, as a tlog-proof@v1
    Tx {
        /// Identifier
        id: TxId,
        /// Where to write it.
        #[command(flatten)]
        out: OutArgs,
        /// New file for the policy that verifies it, when nobody has it yet
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },
    /// Proves with the genesis file what a transaction ordered, its answer, and what it moved
    Receipt {
        /// Identifier
        id: TxId,
        /// Where to write it.
        #[command(flatten)]
        out: OutArgs,
    },
    /// Proves an account's record with its totals
    Account {
        /// Number or name [default: the context's account]
        account: Option<String>,
        /// Also every range of units; the totals show that none is missing
        #[arg(long)]
        units: bool,
        /// Which state.
        #[command(flatten)]
        state: StateArgs,
        /// Where to write it.
        #[command(flatten)]
        out: OutArgs,
    },
    /// Proves whose a range of units is
    Units {
        /// Which units.
        #[command(flatten)]
        units: UnitArgs,
        /// Which state.
        #[command(flatten)]
        state: StateArgs,
        /// Where to write it.
        #[command(flatten)]
        out: OutArgs,
    },
    /// Proves what an account owed for a compliance year and what it surrendered
    Obligation {
        /// Number or name [default: the context's account]
        account: Option<String>,
        /// Compliance year; 1920 for 2019-2020
        #[arg(long, value_name = "YEAR")]
        year: Vintage,
        /// Which state.
        #[command(flatten)]
        state: StateArgs,
        /// Where to write it.
        #[command(flatten)]
        out: OutArgs,
    },
    /// Proves the versions of a parameter
    Parameter {
        /// Name, as `cets parameter names` shows it
        name: String,
        /// Only those of this compliance year
        #[arg(long, value_name = "YEAR")]
        year: Option<Vintage>,
        /// Which state.
        #[command(flatten)]
        state: StateArgs,
        /// Where to write it.
        #[command(flatten)]
        out: OutArgs,
    },
    /// Proves a task that waits for approval
    Task {
        /// Identifier, or its first digits; with a height the whole identifier
        task: String,
        /// Account of the task: number or name [default: the context's account]
        #[arg(long, value_name = "ACCOUNT")]
        account: Option<String>,
        /// Which state.
        #[command(flatten)]
        state: StateArgs,
        /// Where to write it.
        #[command(flatten)]
        out: OutArgs,
    },
    /// Proves a tonne's whole life, and that its last hop is the newest
    Serial {
        /// Serial code of a unit, or an instrument
        unit: String,
        /// Number of the unit, when an instrument was given
        number: Option<u64>,
        /// Where to write it.
        #[command(flatten)]
        out: OutArgs,
    },
}

/// Where a proof is written.
#[derive(Debug, Args)]
pub struct OutArgs {
    /// New file for the proof
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
}

/// Which state a proof speaks of.
#[derive(Clone, Copy, Debug, Args)]
pub struct StateArgs {
    /// Height of the state; the node must keep it [default: the newest]
    #[arg(long, value_name = "HEIGHT")]
    height: Option<u64>,
}

impl StateArgs {
    fn height(self) -> Option<Height> {
        self.height.map(Height::new)
    }
}

/// Runs `cets prove`.
pub fn run(command: ProveCommand, session: &mut Session<'_>) -> Result<Report, CliError> {
    let (proof, out) = match command {
        ProveCommand::Tx { id, out, policy } => {
            return write_tlog(id, &out.out, policy.as_deref(), session);
        }
        ProveCommand::Receipt { id, out } => (session.node()?.receipt_proof(id)?, out),
        ProveCommand::Account { account, units, state, out } => {
            let account = session.acting_account(account.as_deref())?;
            let node = session.node()?;
            let proof = match units {
                true => node.statement_proof(account, state.height())?,
                false => node.record_proof(&[keys::account(account)], state.height())?,
            };
            (proof, out)
        }
        ProveCommand::Units { units, state, out } => {
            let (node, range) = (session.node()?, range_named(&units)?);
            let proof = match state.height() {
                Some(height) => node.unit_proof_at(range, height)?,
                None => node.unit_proof(range)?,
            };
            (proof, out)
        }
        ProveCommand::Obligation { account, year, state, out } => {
            let account = session.acting_account(account.as_deref())?;
            let asked = [keys::obligation(account, year), keys::account(account)];
            (session.node()?.record_proof(&asked, state.height())?, out)
        }
        ProveCommand::Parameter { name, year, state, out } => {
            let node = session.node()?;
            let asked = parameter_keys(&node, &name, year)?;
            (node.record_proof(&asked, state.height())?, out)
        }
        ProveCommand::Task { task, account, state, out } => {
            let account = session.acting_account(account.as_deref())?;
            let node = session.node()?;
            // A task of an older state may have ended since: it is named whole, not looked up.
            let id = match (state.height(), task.parse()) {
                (Some(_), Ok(id)) => id,
                _ => task_named(&node, account, &task)?.0,
            };
            (node.record_proof(&[keys::task(account, &id)], state.height())?, out)
        }
        ProveCommand::Serial { unit, number, out } => {
            (session.node()?.provenance_proof(unit_named(&unit, number)?)?, out)
        }
    };
    write(&proof, &out.out, session)
}

/// Keys of the versions of a parameter.
fn parameter_keys(node: &Node, name: &str, year: Option<Vintage>) -> Result<Vec<Key>, CliError> {
    let tag = parameter_named(name)?.tag();
    let lines = node.parameters()?.into_iter();
    let wanted = lines.filter(|line| line.tag == tag && (year.is_none() || line.year == year));
    let keys =
        wanted.map(|line| keys::parameter(tag, line.year.map_or(0, Vintage::get), line.valid_from));
    let keys: Vec<Key> = keys.collect();
    if keys.is_empty() {
        return Err(CliError::user(text!(
            "parameter {name} was never set",
            "参数 {name} 从未设定"
        )));
    }
    Ok(keys)
}

/// The genesis document of the context, else the node's own word.
pub fn genesis_for(session: &Session<'_>) -> Result<Genesis, CliError> {
    match &session.context().genesis {
        Some(genesis) => read_genesis(&session.home().resolve(genesis)),
        None => session.node()?.genesis(),
    }
}

/// Writes a tlog-proof, and the policy when it is asked for.
fn write_tlog(
    id: TxId,
    path: &Path,
    policy_path: Option<&Path>,
    session: &Session<'_>,
) -> Result<Report, CliError> {
    let genesis = genesis_for(session)?;
    let (proof, policy) = session.node()?.tlog_proof(id, &genesis)?;
    let (report, _) = tlog_report(&proof, &policy, path, session.lang())?;
    write_new(path, proof.to_string().as_bytes())?;
    if let Some(policy_path) = policy_path {
        write_new(policy_path, policy.to_string().as_bytes())?;
    }
    let file = path.display();
    Ok(report.fact("file", Cell::same(&file), text!("file", "文件")).line(text!(
        "Verified and written; anybody verifies it offline: cets verify {file} --policy POLICY",
        "已核验并写入；任何人均可离线核验：cets verify {file} --policy 策略文件"
    )))
}

/// Verifies a new proof before it is kept, so that no proof leaves that proves nothing.
fn write(proof: &ProofFile, path: &Path, session: &Session<'_>) -> Result<Report, CliError> {
    let genesis = genesis_for(session)?;
    let verified = proof.verify(&genesis).map_err(|error| damaged(path, &error))?;
    write_new(path, proof.to_text().as_bytes())?;
    let report = claim_report(proof.proof.kind(), &verified, &genesis, session.lang());
    let file = path.display();
    Ok(report.fact("file", Cell::same(&file), text!("file", "文件")).line(text!(
        "Verified and written; anybody verifies it offline: cets verify {file} --genesis GENESIS",
        "已核验并写入；任何人均可离线核验：cets verify {file} --genesis 创世文件"
    )))
}
