//! Certificates for people: JSON, alone and in a PDF.

use std::sync::LazyLock;

use cets_cli::certificates::{Certificate, CertificateFile, to_pdf};
use cets_contracts::proof::{DossierProof, Proof, ProofFile};
use cets_contracts::rules::Payload;
use cets_contracts::rules::allowances::cancel::{Cancel, CancelReason};
use cets_contracts::state::keys;
use cets_contracts::types::{Digest, Selection};

use super::target::{KIB, MIB, Target, text};
use crate::sample_ledger::{SampleLedger, entity, instrument, range};

/// The targets of this file.
pub const TARGETS: &[Target] = &[Target::of_text("certificate-file", certificate_file)
    .reading("certificates for people, as JSON and in a PDF with a digest that is right")
    .holding("what verifies is, to the last byte of its JSON, what the ledger's proof shows")
    .up_to(64 * KIB)
    .within(16 * MIB)
    .weighing(10)
    .from_seeds(certificate_file_seeds)];

/// Reads a certificate: a letter says how the rest came, `j` as JSON, `p` in a PDF of this version,
/// and else in a PDF of another version.
pub fn certificate_file(bytes: &[u8]) -> bool {
    let Some((kind, rest)) = bytes.split_first() else { return false };
    let file = match kind {
        b'j' => {
            text(rest).ok_or(()).and_then(|json| CertificateFile::from_json(json).map_err(drop))
        }
        b'p' => CertificateFile::from_pdf(sealed(rest, OWN_VERSION)).map_err(drop),
        _ => CertificateFile::from_pdf(sealed(rest, "0.0.1")).map_err(drop),
    };
    let Ok(file) = file else { return false };
    let Ok(shown) = file.verify(&CERTIFIED.genesis) else { return false };
    assert_eq!(file.json(), CERTIFIED.json, "a certificate of nothing that the ledger shows");
    assert_eq!(shown.to_json(), CERTIFIED.json);
    true
}

/// Version in the last line of a PDF that these programs draw.
const OWN_VERSION: &str = env!("CARGO_PKG_VERSION");

/// A PDF with the last line that a program writes.
fn sealed(pages: &[u8], version: &str) -> Vec<u8> {
    let mut pdf =
        [pages, format!("\n%cets-certificate-page {version} blake3 ").as_bytes()].concat();
    let digest = blake3::hash(&pdf);
    pdf.extend_from_slice(format!("{digest}\n").as_bytes());
    pdf
}

/// The story of the sample ledger, then a cancellation, and what certifies it.
struct Certified {
    genesis: cets_contracts::genesis::Genesis,
    json: String,
    pdf: Vec<u8>,
}

static CERTIFIED: LazyLock<Certified> = LazyLock::new(|| {
    let mut ledger = SampleLedger::story();
    let order = Cancel {
        units: Selection::Ranges(vec![range(1, 40)]),
        reason: CancelReason::Event,
        statement: Some(Digest::new([9; 32])),
    };
    let index = ledger.entries.len() as u64;
    let order = ledger.transaction(entity(1), &[31], Payload::Cancel(order));
    ledger.block(&[order]);
    let dossier = DossierProof {
        transactions: vec![ledger.hop(index)],
        records: vec![
            ledger.record(&keys::account(entity(1))),
            ledger.record(&keys::unit_range(&instrument(), 1)),
        ],
        anchor: ledger.newest().anchor.clone(),
    };
    let validators = ledger.validators.clone();
    let proof = ProofFile { validators, proof: Proof::Dossier(dossier) };
    let certificate = Certificate::of(&proof, &ledger.genesis).unwrap();
    let (json, pdf) = (certificate.to_json(), to_pdf(&certificate).unwrap());
    Certified { genesis: ledger.genesis, json, pdf }
});

/// The certificate as JSON and as PDF.
pub fn certificates() -> [Vec<u8>; 2] {
    [CERTIFIED.json.clone().into_bytes(), CERTIFIED.pdf.clone()]
}

fn certificate_file_seeds() -> Vec<Vec<u8>> {
    let Certified { json, pdf, .. } = &*CERTIFIED;
    let line = pdf[..pdf.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    let pages = &pdf[..line];
    assert_eq!(sealed(pages, OWN_VERSION), *pdf);
    let of = |kind: u8, content: &[u8]| [&[kind], content].concat();
    let bare = ["%PDF-1.7\n", json].concat();
    vec![of(b'j', json.as_bytes()), of(b'p', pages), of(b'o', pages), of(b'o', bare.as_bytes())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_of_the_ledger_are_accepted_in_every_form_and_changed_ones_in_none() {
        for seed in certificate_file_seeds() {
            assert!(certificate_file(&seed), "{}", seed.len());
            let json = CERTIFIED.json.trim_end();
            let at = seed.windows(json.len()).position(|window| window == json.as_bytes()).unwrap();
            for place in (at..at + json.len()).step_by(97) {
                let mut changed = seed.clone();
                changed[place] ^= 1;
                assert!(!certificate_file(&changed), "{place}");
            }
        }
    }
}
