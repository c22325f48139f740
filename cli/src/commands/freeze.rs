//! `cets freeze` and `cets unfreeze`: orders of courts and authorities.

use cets_contracts::rules::enforcement::freeze::Freeze;
use cets_contracts::rules::enforcement::unfreeze::Unfreeze;
use clap::Args;

use crate::error::CliError;
use crate::orders::{DocumentDigest, OrderArgs, UnitsArgs, carry_out};
use crate::output::Report;
use crate::session::Session;

/// Arguments of `cets freeze`.
#[derive(Debug, Args)]
pub struct FreezeArgs {
    /// Account to freeze, or whose units: number or name
    holder: String,
    /// The order: a file or its digest
    #[arg(long, value_name = "FILE|HEX")]
    document: DocumentDigest,
    /// Which units; without any, the whole account.
    #[command(flatten)]
    units: UnitsArgs,
    /// Who acts, and how far to go.
    #[command(flatten)]
    order: OrderArgs,
}

/// Runs `cets freeze`.
pub fn freeze(args: &FreezeArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let whole = args.units.instrument.is_none() && args.units.range.is_empty();
    let units = if whole { None } else { Some(args.units.selection()?) };
    let account = session.account_named(&args.holder)?;
    let order = Freeze { account, units, order: args.document.0 };
    carry_out(session, order.into(), &args.order)
}

/// Arguments of `cets unfreeze`.
#[derive(Debug, Args)]
pub struct UnfreezeArgs {
    /// Account that is frozen, or whose units are: number or name
    holder: String,
    /// The order that froze: a file or its digest
    #[arg(long, value_name = "FILE|HEX")]
    document: DocumentDigest,
    /// The document that lifts it: a file or its digest
    #[arg(long, value_name = "FILE|HEX")]
    lifted_by: DocumentDigest,
    /// Who acts, and how far to go.
    #[command(flatten)]
    order: OrderArgs,
}

/// Runs `cets unfreeze`.
pub fn unfreeze(args: &UnfreezeArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let account = session.account_named(&args.holder)?;
    let order = Unfreeze { account, order: args.document.0, lifted_by: args.lifted_by.0 };
    carry_out(session, order.into(), &args.order)
}
