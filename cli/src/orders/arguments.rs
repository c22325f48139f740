//! Arguments that every order has, and the units that orders name.

use std::path::PathBuf;

use cets_contracts::types::{Instrument, Selection, SerialRange, Tonnes};
use clap::Args;

use crate::clock::duration_millis;
use crate::error::CliError;
use crate::text;

/// Who acts, and how far to go.
#[derive(Clone, Debug, Args)]
pub struct OrderArgs {
    /// Account that acts: number or name [default: the context's]
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<String>,
    /// Key that signs: name or file, with --out also a public key; several times for several
    /// people [default: the account's]
    #[arg(long, value_name = "KEY")]
    pub key: Vec<String>,
    /// How long the order may wait to be ordered, at most 24h
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration_millis)]
    pub valid_for: u64,
    /// Asks the node what would happen and changes nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Writes the unsigned transaction into a new file instead of sending it
    #[arg(long, short, value_name = "FILE", conflicts_with = "dry_run")]
    pub out: Option<PathBuf>,
    /// Sends the order into the account's task list, where others approve it
    #[arg(long)]
    pub propose: bool,
    /// How long a proposed order waits for approval, at most 720h
    #[arg(long, value_name = "DURATION", default_value = "72h", value_parser = duration_millis)]
    pub task_valid_for: u64,
    /// Signs without asking
    #[arg(long, short)]
    pub yes: bool,
    /// How to wait for the answer.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// How to wait for the answer.
#[derive(Clone, Debug, Args)]
pub struct WaitArgs {
    /// Longest wait for the final answer
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true,
        default_value = "30s", default_missing_value = "30s", value_parser = duration_millis)]
    pub wait: u64,
    /// Does not wait for the final answer
    #[arg(long)]
    pub no_wait: bool,
}

impl WaitArgs {
    /// Longest wait in milliseconds; none when nobody waits.
    pub fn millis(&self) -> Option<u32> {
        (!self.no_wait).then(|| u32::try_from(self.wait).unwrap_or(u32::MAX))
    }
}

/// Which units.
#[derive(Clone, Debug, Args)]
pub struct UnitsArgs {
    /// Instrument, for example CEA-2021; with --tonnes, the lowest serials are taken
    #[arg(long, value_name = "INSTRUMENT", requires = "tonnes")]
    pub instrument: Option<Instrument>,
    /// How many tonnes
    #[arg(long, value_name = "TONNES", requires = "instrument")]
    pub tonnes: Option<Tonnes>,
    /// Exactly these units: a serial code; may be given several times
    #[arg(long, value_name = "SERIALS", conflicts_with_all = ["instrument", "tonnes"])]
    pub range: Vec<SerialRange>,
}

impl UnitsArgs {
    /// The units that the arguments mean.
    pub fn selection(&self) -> Result<Selection, CliError> {
        match (self.instrument, self.tonnes) {
            (Some(instrument), Some(tonnes)) => Ok(Selection::Quantity { instrument, tonnes }),
            _ if self.range.is_empty() => {
                Err(CliError::usage(text!("which units? nothing names them", "未指明单位")).hint(
                    text!(
                        "give --instrument CEA-2021 --tonnes 1,000, or --range SERIALS",
                        "请使用 --instrument CEA-2021 --tonnes 1,000，或 --range 编码区间"
                    ),
                ))
            }
            _ => Ok(Selection::Ranges(self.range.clone())),
        }
    }
}
