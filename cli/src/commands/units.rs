//! Orders about an account's own units: `cets transfer`, `surrender`, `offset`, `cancel`.

use cets_contracts::rules::allowances::cancel::{Cancel, CancelReason};
use cets_contracts::rules::allowances::transfer::Transfer;
use cets_contracts::rules::compliance::offset::Offset;
use cets_contracts::rules::compliance::surrender::Surrender;
use cets_contracts::types::Vintage;
use clap::{Args, ValueEnum};

use crate::error::CliError;
use crate::orders::{DocumentDigest, OrderArgs, UnitsArgs, carry_out};
use crate::output::Report;
use crate::session::Session;

/// Arguments of `cets transfer`.
#[derive(Debug, Args)]
pub struct TransferArgs {
    /// Account that receives: number or name
    to: String,
    /// Which units.
    #[command(flatten)]
    units: UnitsArgs,
    /// Who acts, and how far to go.
    #[command(flatten)]
    order: OrderArgs,
}

/// Runs `cets transfer`.
pub fn transfer(args: &TransferArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let order = Transfer { to: session.account_named(&args.to)?, units: args.units.selection()? };
    carry_out(session, order.into(), &args.order)
}

/// Arguments of `cets surrender` and `cets offset`.
#[derive(Debug, Args)]
pub struct ComplianceArgs {
    /// Compliance year; 1920 for 2019-2020
    #[arg(long, value_name = "YEAR")]
    year: Vintage,
    /// Which units.
    #[command(flatten)]
    units: UnitsArgs,
    /// Who acts, and how far to go.
    #[command(flatten)]
    order: OrderArgs,
}

/// Runs `cets surrender`.
pub fn surrender(args: &ComplianceArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let order = Surrender { year: args.year, units: args.units.selection()? };
    carry_out(session, order.into(), &args.order)
}

/// Runs `cets offset`.
pub fn offset(args: &ComplianceArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let order = Offset { year: args.year, units: args.units.selection()? };
    carry_out(session, order.into(), &args.order)
}

/// Why units are cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Reason {
    /// For the climate, without another purpose
    PublicWelfare,
    /// To compensate the emissions of an event
    Event,
    /// To compensate the emissions of an organisation
    Organisation,
    /// To compensate the emissions of a product or a service
    Product,
    /// Another purpose, named in the statement
    Other,
}

impl From<Reason> for CancelReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::PublicWelfare => Self::PublicWelfare,
            Reason::Event => Self::Event,
            Reason::Organisation => Self::Organisation,
            Reason::Product => Self::Product,
            Reason::Other => Self::Other,
        }
    }
}

/// Arguments of `cets cancel`.
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// Why
    #[arg(long, value_name = "REASON", default_value = "public-welfare")]
    reason: Reason,
    /// The holder's statement: a file or its digest
    #[arg(long, value_name = "FILE|HEX")]
    statement: Option<DocumentDigest>,
    /// Which units.
    #[command(flatten)]
    units: UnitsArgs,
    /// Who acts, and how far to go.
    #[command(flatten)]
    order: OrderArgs,
}

/// Runs `cets cancel`.
pub fn cancel(args: &CancelArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let order = Cancel {
        units: args.units.selection()?,
        reason: args.reason.into(),
        statement: args.statement.map(|document| document.0),
    };
    carry_out(session, order.into(), &args.order)
}
