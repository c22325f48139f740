//! Pages with examples, and sample files beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cets_contracts::proof::{
    DossierProof, Proof, ProofFile, ProvenanceProof, ReceiptProof, RecordProof, StatementProof,
    UnitProof,
};
use cets_contracts::state::keys;
use cets_contracts::types::Serial;

use crate::sample_ledger::{SampleLedger, entity, instrument, range};
use crate::workspace;

const BEGIN: &str = "<!-- example ";
const END: &str = "<!-- end -->";

/// A page of the format documentation.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its file.
    pub path: PathBuf,
    /// Its text as it stands.
    pub text: String,
}

fn folder() -> PathBuf {
    workspace::root().join("docs/formats")
}

/// All pages, by path.
pub fn pages() -> Vec<Page> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    paths.sort();
    let page = |path: PathBuf| Page { text: std::fs::read_to_string(&path).unwrap(), path };
    paths.into_iter().map(page).collect()
}

impl Page {
    /// Names of its examples.
    pub fn examples(&self) -> Vec<&str> {
        let name = |line: &'_ str| -> Option<usize> { line.find(" -->") };
        self.text
            .lines()
            .filter_map(|line| line.strip_prefix(BEGIN))
            .map(|line| &line[..name(line).unwrap()])
            .collect()
    }

    /// The text with every example as the code makes it.
    pub fn refreshed(&self, examples: &BTreeMap<&str, String>) -> String {
        let mut text = String::new();
        let mut skipping = false;
        for line in self.text.lines() {
            if line == END {
                assert!(skipping, "{}: an end without a beginning", self.path.display());
                skipping = false;
            }
            if !skipping {
                text.push_str(line);
                text.push('\n');
            }
            if let Some(rest) = line.strip_prefix(BEGIN) {
                let name = rest.strip_suffix(" -->").unwrap();
                let example = examples.get(name);
                let example = example.unwrap_or_else(|| panic!("there is no example {name}"));
                text.push_str("```text\n");
                text.push_str(example);
                text.push_str("```\n");
                skipping = true;
            }
        }
        assert!(!skipping, "{}: an example without an end", self.path.display());
        text
    }
}

/// Sample files for the reader of the pages and for verifiers, by name.
pub fn samples() -> BTreeMap<&'static str, String> {
    let ledger = SampleLedger::story();
    let anchor = || ledger.newest().anchor.clone();
    let file = |proof| {
        let validators = ledger.validators.clone();
        ProofFile { validators, proof }.to_text()
    };
    let record = |first| ledger.record(&keys::unit_range(&instrument(), first));
    let account = |number| ledger.record(&keys::account(entity(number)));
    let units = UnitProof {
        range: range(151, 154),
        holder: entity(2),
        records: vec![record(150)],
        anchor: anchor(),
    };
    let statement =
        StatementProof { records: vec![account(3), record(140), record(156)], anchor: anchor() };
    let receipt = ReceiptProof { receipt: ledger.receipt(FIRST_TRANSFER), anchor: anchor() };
    let refused = ReceiptProof { receipt: ledger.receipt(REFUSED), anchor: anchor() };
    let records = RecordProof { records: vec![account(1), record(1)], anchor: anchor() };
    let provenance = ProvenanceProof {
        serial: Serial { instrument: instrument(), number: 150 },
        hops: HOPS_OF_150.iter().map(|index| ledger.hop(*index)).collect(),
        last: record(150),
        anchor: anchor(),
    };
    let dossier = DossierProof {
        transactions: vec![ledger.hop(FIRST_TRANSFER)],
        records: vec![account(1), record(150)],
        anchor: anchor(),
    };
    BTreeMap::from([
        ("genesis.json", serde_json::to_string_pretty(&ledger.genesis).unwrap() + "\n"),
        ("units.cets-proof", file(Proof::Units(units))),
        ("statement.cets-proof", file(Proof::Statement(statement))),
        ("receipt.cets-proof", file(Proof::Receipt(receipt))),
        ("refused.cets-proof", file(Proof::Receipt(refused))),
        ("records.cets-proof", file(Proof::Records(records))),
        ("provenance.cets-proof", file(Proof::Provenance(provenance))),
        ("dossier.cets-proof", file(Proof::Dossier(dossier))),
        ("policy", ledger.policy(2).to_string()),
        ("receipt.tlog-proof", ledger.tlog_proof(FIRST_TRANSFER, 2, 3).to_string()),
    ])
}

/// Position of the first transfer in the log of the story.
pub const FIRST_TRANSFER: u64 = 2;
/// Position of the refused transfer.
pub const REFUSED: u64 = 3;
/// Positions of the transactions that moved unit 150.
pub const HOPS_OF_150: [u64; 4] = [0, FIRST_TRANSFER, 7, 8];

/// What stands in the folder and is not what the code makes.
pub fn differences() -> Vec<String> {
    let examples = super::all();
    let mut found = Vec::new();
    let mut used = BTreeSet::new();
    let pages = pages();
    for page in &pages {
        used.extend(page.examples());
        if page.refreshed(&examples) != page.text {
            found.push(page.path.display().to_string());
        }
    }
    for name in examples.keys().filter(|name| !used.contains(*name)) {
        found.push(format!("example {name} stands on no page"));
    }
    for (name, text) in samples() {
        let path = folder().join("sample").join(name);
        if std::fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// Writes every example and every sample file anew.
pub fn write() {
    let examples = super::all();
    for page in pages() {
        std::fs::write(&page.path, page.refreshed(&examples)).unwrap();
    }
    let sample = folder().join("sample");
    std::fs::create_dir_all(&sample).unwrap();
    for (name, text) in samples() {
        std::fs::write(sample.join(name), text).unwrap();
    }
}
