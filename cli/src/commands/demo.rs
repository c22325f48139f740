//! `cets demo`: the main job, from an empty folder to an audited ledger of the real market.

use std::path::PathBuf;

use clap::Args;

use crate::demo::plan::SEED;
use crate::demo::runner::run::{DemoOptions, run as run_demo};
use crate::error::CliError;
use crate::output::Report;
use crate::session::Session;

/// Arguments of `cets demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Stops the network at the end
    #[arg(long)]
    exit: bool,
    /// Daily quotes of the exchange [default: the published monthly figures]
    #[arg(long, value_name = "FILE")]
    market_data: Option<PathBuf>,
    /// Folder of the network; must not exist or be empty [default: a new temporary one]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Seed of the generated entities and trades
    #[arg(long, value_name = "NUMBER", default_value_t = SEED)]
    seed: u64,
}

/// Runs `cets demo`.
pub fn run(args: DemoArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let DemoArgs { exit, market_data, folder, seed } = args;
    run_demo(&DemoOptions { market_data, folder, seed, exit }, session)
}
