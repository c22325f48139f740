//! Examples of proof files and of the formats of transparency logs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cets_contracts::proof::{Proof, ProofFile};
use cets_contracts::transparency::{cosignature_message, log_key, witness_key};

use super::layout::{Layout, line};
use super::pages::{FIRST_TRANSFER, samples};
use crate::sample_ledger::SampleLedger;

/// Every example of these by its name.
pub fn all(ledger: &SampleLedger) -> Vec<(&'static str, String)> {
    let samples = samples();
    vec![
        ("unit-proof", unit_proof(&samples["units.cets-proof"])),
        ("unit-proof-text", shortened(&samples["units.cets-proof"])),
        ("checkpoint", ledger.cosigned(2, 3).to_string()),
        ("cosignature", cosignature(ledger)),
        ("policy", samples["policy"].clone()),
        ("tlog-proof", shortened(&ledger.tlog_proof(FIRST_TRANSFER, 2, 3).to_string())),
    ]
}

/// Text with long lines cut and long runs of lines left out.
fn shortened(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let cut = |line: &&str| {
        let mut short: String = line.chars().take(76).collect();
        if short.len() < line.len() {
            short.push_str("...");
        }
        short.push('\n');
        short
    };
    if lines.len() <= 16 {
        return lines.iter().map(cut).collect();
    }
    let (first, last) = (&lines[..5], &lines[lines.len() - 2..]);
    let first: String = first.iter().map(cut).collect();
    let last: String = last.iter().map(cut).collect();
    format!("{first}...\n{last}")
}

fn unit_proof(text: &str) -> String {
    let file = ProofFile::from_text(text).unwrap();
    let bytes = file.encode();
    let Proof::Units(proof) = &file.proof else { panic!("a proof of units") };
    let [change] = &file.validators.changes[..] else { panic!("one change of validators") };
    let certificate = |count: usize| 8 + 4 + 32 + 1 + 84 * count;
    let members = change.validators.members();
    let set = 1 + members.iter().map(|member| 1 + member.name.len() + 72).sum::<usize>();
    let [record] = &proof.records[..] else { panic!("one record") };
    Layout::of(&bytes)
        .take(1, "validator changes")
        .note("change 0: anchor of height 3 and the set from height 4 on")
        .take(252, "header")
        .take(certificate(change.anchor.certificate.signatures.len()), "certificate")
        .take(set, "validators")
        .note("the proof")
        .take(1, "kind: units")
        .take(1 + 2 + 8 + 8, "range")
        .take(8, "holder")
        .take(1, "number of records")
        .take(1 + record.key.len(), "key")
        .take(1 + record.value.len(), "value")
        .take(8, "slot")
        .take(1, "depth")
        .take(1, "nodes of the path")
        .take(32 * record.state.path.len(), "path, leaf first")
        .note("anchor of height 4")
        .take(252, "header")
        .take_all_but(0, "certificate")
        .done()
}

fn cosignature(ledger: &SampleLedger) -> String {
    let validator = &ledger.at(2).validators.members()[0];
    let note = ledger.cosigned(2, 3);
    let witness = witness_key(&ledger.origin(), validator).unwrap();
    let log = log_key(&ledger.origin(), validator).unwrap();
    let signature = note.signatures().iter().find(|line| line.is_by(&witness)).unwrap();
    let seconds = u64::from_be_bytes(*signature.bytes.first_chunk().unwrap());
    let message = String::from_utf8(cosignature_message(note.text(), seconds)).unwrap();
    let full = [&witness.id().to_be_bytes(), signature.bytes.as_slice()].concat();
    let layout =
        Layout::of(&full).take(4, "key id").take(8, "time in seconds").take(64, "signature").done();
    format!(
        "-- verifier keys of the first validator: cosigner (type 4), log (type 1)\n{witness}\n\
         {log}\n-- the signed message\n{message}-- the line after its name, in hexadecimal\n\
         {layout}{}",
        line("base64", STANDARD.encode(&full)),
    )
}
