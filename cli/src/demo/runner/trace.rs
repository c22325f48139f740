//! One tonne through its life, with a proof that is checked without any node.

use std::path::{Path, PathBuf};

use cets_contracts::proof::{Claim, ProofFile, VerifiedHop};
use cets_contracts::types::{Serial, SerialRange};

use crate::client::Node;
use crate::commands::network::read_genesis;
use crate::error::CliError;
use crate::files::read_text;
use crate::keys::{key_error, write_new_file};
use crate::text;

/// The life of a tonne as a proof showed it.
#[derive(Clone, Debug)]
pub struct Traced {
    /// Its serial code.
    pub code: String,
    /// File with the proof.
    pub file: PathBuf,
    /// Its hops, verified.
    pub hops: Vec<VerifiedHop>,
    /// Height of the block that the proof speaks of.
    pub height: u64,
}

/// Asks a node for the life of a unit, writes the proof into a file, and verifies that file with
/// the genesis file and nothing else.
pub fn trace(node: &Node, unit: Serial, genesis: &Path, folder: &Path) -> Result<Traced, CliError> {
    let range = SerialRange::inclusive(unit.instrument, unit.number, unit.number);
    let code = range.map_err(|_| node.nonsense("serial"))?.to_string();
    let file = folder.join(format!("{code}.proof"));
    let text = node.provenance_proof(unit)?.to_text();
    write_new_file(&file, text.as_bytes())
        .map_err(|error| key_error(&file.display().to_string(), error))?;

    let document = ProofFile::from_text(&read_text(&file)?).map_err(|error| wrong(&error))?;
    let verified = document.verify(&read_genesis(genesis)?).map_err(|error| wrong(&error))?;
    let Claim::Provenance(life) = verified.claim else {
        return Err(node.nonsense("proof"));
    };
    Ok(Traced { code, file, hops: life.hops, height: verified.height.get() })
}

fn wrong(error: &dyn std::fmt::Display) -> CliError {
    CliError::user(text!("the proof does not hold: {error}", "证明不成立：{error}"))
}
