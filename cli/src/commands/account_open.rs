//! `cets account open`: one account for one subject, by a registration institution.

use std::str::FromStr;

use cets_contracts::rules::accounts::open_account::{NewAccount, OpenAccount};
use cets_contracts::state::CreditCode;
use cets_contracts::types::{ProvinceCode, Representative, Right, Role, Thresholds};
use clap::Args;

use crate::error::CliError;
use crate::network::{province_named, role_named};
use crate::orders::{DocumentDigest, OrderArgs, carry_out, named_public_key};
use crate::output::Report;
use crate::session::Session;

/// Arguments of `cets account open`.
#[derive(Debug, Args)]
pub struct OpenArgs {
    /// Registered name of the holder
    #[arg(long, value_name = "NAME")]
    name: String,
    /// What the holder is: entity, trader, project-owner, province, government, auditor
    #[arg(long, value_name = "ROLE", value_parser = role, default_value = "entity")]
    role: Role,
    /// Unified social credit code, 18 characters
    #[arg(long, value_name = "CODE", value_parser = credit_code)]
    credit_code: CreditCode,
    /// Province that supervises the holder: English name or code
    #[arg(long, value_name = "PROVINCE", value_parser = province)]
    province: ProvinceCode,
    /// Who acts: KEY, or KEY=RIGHT (read, initiate, approve, both); may be given several times
    #[arg(long = "representative", value_name = "KEY[=RIGHT]", required = true)]
    representatives: Vec<RepresentativeArg>,
    /// People needed for every operation of the holder
    #[arg(long, value_name = "PEOPLE", default_value_t = 1)]
    threshold: u8,
    /// Material that was checked: a file or its digest
    #[arg(long, value_name = "FILE|HEX")]
    material: DocumentDigest,
    /// Who acts, and how far to go.
    #[command(flatten)]
    order: OrderArgs,
}

/// A key and what it may do.
#[derive(Clone, Debug)]
struct RepresentativeArg {
    /// Name of a key of the store, path of a key file, or 64 hexadecimal digits of a public key.
    key: String,
    right: Right,
}

impl FromStr for RepresentativeArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, right) = text.split_once('=').unwrap_or((text, "both"));
        let right = match right {
            "read" => Right::Read,
            "initiate" => Right::Initiate,
            "approve" => Right::Approve,
            "both" => Right::InitiateAndApprove,
            _ => return Err(format!("`{right}` is no right: read, initiate, approve, both")),
        };
        Ok(Self { key: key.to_owned(), right })
    }
}

fn role(text: &str) -> Result<Role, String> {
    role_named(text).ok_or_else(|| "no such role".to_owned())
}

fn province(text: &str) -> Result<ProvinceCode, String> {
    province_named(text).ok_or_else(|| "no such province; `hubei` or `42`, for example".to_owned())
}

fn credit_code(text: &str) -> Result<CreditCode, String> {
    CreditCode::try_from(text.to_owned()).map_err(|error| error.to_string())
}

/// Runs `cets account open`.
pub fn run(args: &OpenArgs, session: &mut Session<'_>) -> Result<Report, CliError> {
    let representatives = args.representatives.iter().map(|one| {
        Ok(Representative { key: named_public_key(session, &one.key)?, right: one.right })
    });
    let account = NewAccount {
        role: args.role,
        name: args.name.clone(),
        credit_code: args.credit_code,
        province: args.province,
        representatives: representatives.collect::<Result<_, CliError>>()?,
        thresholds: Thresholds::uniform(args.threshold),
        material: args.material.0,
    };
    carry_out(session, OpenAccount { accounts: vec![account] }.into(), &args.order)
}
