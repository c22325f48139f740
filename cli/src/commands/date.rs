//! `cets date`: the business date.

use cets_contracts::rules::governance::advance_business_date::AdvanceBusinessDate;
use cets_contracts::types::BusinessDate;
use clap::Subcommand;
use serde_json::json;

use crate::clock::time_text;
use crate::error::CliError;
use crate::orders::{OrderArgs, carry_out};
use crate::output::{Cell, Report};
use crate::session::Session;
use crate::text;
use cets_contracts::types::BlockTime;

/// What to do with the business date.
#[derive(Debug, Subcommand)]
pub enum DateCommand {
    /// Shows the business date and the time of the newest block
    Show,
    /// Moves the business date forward
    Advance {
        /// The new business date
        date: BusinessDate,
        /// Who acts, and how far to go.
        #[command(flatten)]
        order: OrderArgs,
    },
}

/// Runs `cets date`.
pub fn run(command: DateCommand, session: &mut Session<'_>) -> Result<Report, CliError> {
    match command {
        DateCommand::Advance { date, order } => {
            carry_out(session, AdvanceBusinessDate { date }.into(), &order)
        }
        DateCommand::Show => {
            let status = session.node()?.status().clone();
            let time = time_text(BlockTime::from_millis(status.block_time_millis));
            Ok(Report::new(json!({
                "business_date": status.business_date,
                "block_time_millis": status.block_time_millis,
                "height": status.height,
            }))
            .facts(vec![
                (text!("business date", "业务日期"), Cell::same(&status.business_date)),
                (text!("block time", "区块时间"), Cell::same(time)),
                (text!("as of block", "截至区块"), Cell::number(status.height)),
            ]))
        }
    }
}
