//! One tonne through its life, with a proof that is checked without any node.

use std::path::{Path, PathBuf};

use cets_contracts::codec;
use cets_contracts::proof::{
    Anchor, BlockInclusion, Claim, Proof, ProofFile, ProvenanceHop, ProvenanceProof,
    ReceiptInclusion, RecordInclusion, ValidatorChain, VerifiedHop,
};
use cets_contracts::state::keys;
use cets_contracts::types::{Serial, SerialRange};

use crate::client::{Hop, Node};
use crate::commands::network::read_genesis;
use crate::error::CliError;
use crate::files::read_text;
use crate::keys::{key_error, write_new_file};
use crate::text;

/// The life of a tonne as a proof showed it.
#[derive(Clone, Debug)]
pub struct Traced {
    /// The unit.
    pub unit: Serial,
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
    let proof = collect(node, unit)?;
    let range = SerialRange::inclusive(unit.instrument, unit.number, unit.number);
    let code = range.map_err(|_| node.nonsense("serial"))?.to_string();
    let file = folder.join(format!("{code}.proof"));
    let document = ProofFile { validators: ValidatorChain::default(), proof };
    write_new_file(&file, document.to_text().as_bytes())
        .map_err(|error| key_error(&file.display().to_string(), error))?;

    let document = ProofFile::from_text(&read_text(&file)?).map_err(|error| wrong(&error))?;
    let verified = document.verify(&read_genesis(genesis)?).map_err(|error| wrong(&error))?;
    let Claim::Provenance(provenance) = verified.claim else {
        return Err(node.nonsense("proof"));
    };
    Ok(Traced { unit, code, file, hops: provenance.hops, height: verified.height.get() })
}

fn wrong(error: &dyn std::fmt::Display) -> CliError {
    CliError::user(text!("the proof does not hold: {error}", "证明不成立：{error}"))
}

fn collect(node: &Node, unit: Serial) -> Result<Proof, CliError> {
    let (holding, hops, _) = node.serial(unit.instrument, unit.number)?;
    let key = keys::unit_range(&unit.instrument, holding.range.start());
    let record = node.prove(&key)?;
    let log_size = record.header.log_size;
    let last =
        RecordInclusion { key: key.as_bytes().to_vec(), value: record.value, state: record.proof };
    let anchor = Anchor { header: record.header, certificate: record.certificate };
    let hops = hops.iter().map(|hop| proven_hop(node, hop, &anchor, log_size));
    let hops = hops.collect::<Result<_, _>>()?;
    Ok(Proof::Provenance(ProvenanceProof { serial: unit, hops, last, anchor }))
}

fn proven_hop(
    node: &Node,
    hop: &Hop,
    anchor: &Anchor,
    log_size: u64,
) -> Result<ProvenanceHop, CliError> {
    let (entry, log) = node.log_entry(hop.log_index, log_size)?;
    let events = node.transaction(hop.tx_id)?.events.map(|record| codec::encode(&record));
    let block = match hop.height == anchor.height() {
        true => None,
        false => {
            let block = node.block(Some(hop.height))?;
            // The header's entry follows those of its transactions.
            let index = block.first_log_index.saturating_add(block.receipts.len() as u64);
            let (entry, log) = node.log_entry(index, log_size)?;
            Some(BlockInclusion { entry, log })
        }
    };
    Ok(ProvenanceHop { receipt: ReceiptInclusion { entry, log, events }, block })
}
