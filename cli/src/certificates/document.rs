//! The file of a certificate: JSON, and how it is compared with what its proof shows.

use cets_contracts::genesis::Genesis;
use cets_contracts::proof::{Claim, ProofFile, VerifiedProof};
use cets_contracts::types::{BlockId, ChainId, Digest, Height};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pdf::{Found, draws, read_pdf, to_pdf};
use super::{Cancellation, CertificateError, Compliance};
use crate::clock::time_text;

/// Name of the form, first field of every certificate.
pub const FORMAT: &str = "cets-certificate v1";

/// What a certificate is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// An entity met its obligation of a year.
    Compliance(Compliance),
    /// A holder cancelled units.
    Cancellation(Cancellation),
}

/// A certificate: what it says, and the proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// [`FORMAT`].
    pub format: String,
    /// Name of the network.
    pub network: String,
    /// The ledger.
    pub chain_id: ChainId,
    /// Block whose state shows it.
    pub height: Height,
    /// Identifier of that block.
    pub block_id: BlockId,
    /// Time of that block, in the market's time zone.
    pub block_time: String,
    /// What it certifies.
    pub certifies: Subject,
    /// The proof, an armoured proof file.
    pub proof: String,
}

impl Certificate {
    /// The certificate that a dossier gives: of the transaction in it, else of the obligation.
    ///
    /// # Errors
    /// [`CertificateError`] of the proof, or because it shows nothing to certify.
    pub fn of(proof: &ProofFile, genesis: &Genesis) -> Result<Self, CertificateError> {
        let VerifiedProof { height, time, block_id, claim } = proof.verify(genesis)?;
        let Claim::Dossier(dossier) = claim else {
            return Err(CertificateError::Lacks { what: "the dossier: it is of another kind" });
        };
        let certifies = match dossier.transactions.is_empty() {
            true => Subject::Compliance(Compliance::of(&dossier)?),
            false => Subject::Cancellation(Cancellation::of(&dossier)?),
        };
        Ok(Self {
            format: FORMAT.to_owned(),
            network: genesis.network.clone(),
            chain_id: genesis.chain_id(),
            height,
            block_id,
            block_time: time_text(time),
            certifies,
            proof: proof.to_text(),
        })
    }

    /// Digest of the file, as the code on its page names it: BLAKE3 of the JSON.
    pub fn digest(&self) -> Digest {
        Digest::new(*blake3::hash(self.to_json().as_bytes()).as_bytes())
    }

    /// The file.
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("a certificate has text keys only");
        json + "\n"
    }
}

/// A certificate as it was found; nothing is verified yet.
#[derive(Clone, Debug)]
pub struct CertificateFile {
    json: String,
    fields: Value,
    page: Option<Page>,
}

/// The PDF that a certificate came in.
#[derive(Clone, Debug)]
struct Page {
    bytes: Vec<u8>,
    version: String,
}

impl CertificateFile {
    /// Reads the JSON.
    ///
    /// # Errors
    /// [`CertificateError::Form`].
    pub fn from_json(json: &str) -> Result<Self, CertificateError> {
        let fields: Value = serde_json::from_str(json)
            .map_err(|error| CertificateError::Form { reason: error.to_string() })?;
        let format = fields.get("format").and_then(Value::as_str).unwrap_or_default();
        if format != FORMAT {
            let reason = format!("its field \"format\" says `{format}`, not `{FORMAT}`");
            return Err(CertificateError::Form { reason });
        }
        Ok(Self { json: json.to_owned(), fields, page: None })
    }

    /// Finds the JSON in a PDF that nothing has changed since it was written.
    ///
    /// # Errors
    /// [`CertificateError::Page`] or [`CertificateError::Form`].
    pub fn from_pdf(bytes: Vec<u8>) -> Result<Self, CertificateError> {
        let Found { json, version } = read_pdf(&bytes)?;
        Ok(Self { page: Some(Page { bytes, version }), ..Self::from_json(&json)? })
    }

    /// Whether it came in a PDF that another version of the program drew, so that only the JSON in
    /// it is verified and the pages are not compared.
    pub fn is_drawn_by_another(&self) -> bool {
        self.page.as_ref().is_some_and(|page| !draws(&page.version))
    }

    /// The JSON.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The proof in it.
    ///
    /// # Errors
    /// [`CertificateError::Lacks`] or [`CertificateError::Armour`].
    pub fn proof(&self) -> Result<ProofFile, CertificateError> {
        let text = self.fields.get("proof").and_then(Value::as_str);
        let text = text.ok_or(CertificateError::Lacks { what: "itself: the field \"proof\"" })?;
        Ok(ProofFile::from_text(text)?)
    }

    /// Computes the certificate anew from its proof and compares the file with it.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn verify(&self, genesis: &Genesis) -> Result<Certificate, CertificateError> {
        let shown = Certificate::of(&self.proof()?, genesis)?;
        let fields = serde_json::to_value(&shown)
            .map_err(|error| CertificateError::Form { reason: error.to_string() })?;
        if let Some(difference) = difference("", &self.fields, &fields) {
            return Err(difference);
        }
        let json = shown.to_json();
        if json == self.json {
            self.compare_pages(&shown)?;
            return Ok(shown);
        }
        let differs = |(found, expected): (&str, &str)| found != expected;
        let lines = self.json.lines().zip(json.lines());
        let line = lines.take_while(|pair| !differs(*pair)).count().saturating_add(1);
        Err(CertificateError::Line { line })
    }
}

impl CertificateFile {
    /// Draws the pages once more, if this version drew them.
    fn compare_pages(&self, shown: &Certificate) -> Result<(), CertificateError> {
        let Some(page) = self.page.as_ref().filter(|page| draws(&page.version)) else {
            return Ok(());
        };
        if to_pdf(shown)? == page.bytes {
            return Ok(());
        }
        let reason = "the pages of the PDF file are not those of the certificate in it".to_owned();
        Err(CertificateError::Page { reason })
    }
}

/// The first field that says something else.
fn difference(path: &str, found: &Value, shown: &Value) -> Option<CertificateError> {
    let below = |key: &str| match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    };
    match (found, shown) {
        (Value::Object(found), Value::Object(shown)) => {
            let keys = found.keys().chain(shown.keys().filter(|key| !found.contains_key(*key)));
            let mut pairs = keys.map(|key| {
                let none = &Value::Null;
                let pair = (found.get(key), shown.get(key));
                match pair {
                    (Some(found), Some(shown)) => difference(&below(key), found, shown),
                    (found, shown) => Some(CertificateError::Field {
                        field: below(key),
                        found: text_of(found.unwrap_or(none)),
                        shown: text_of(shown.unwrap_or(none)),
                    }),
                }
            });
            pairs.find_map(|difference| difference)
        }
        (Value::Array(found), Value::Array(shown)) if found.len() == shown.len() => {
            let mut pairs = found.iter().zip(shown).enumerate();
            pairs.find_map(|(index, (found, shown))| {
                difference(&below(&index.to_string()), found, shown)
            })
        }
        _ if found == shown => None,
        _ => {
            let (found, shown) = (text_of(found), text_of(shown));
            Some(CertificateError::Field { field: path.to_owned(), found, shown })
        }
    }
}

/// A value in a message; long ones are cut.
fn text_of(value: &Value) -> String {
    const CHARACTERS_MAX: usize = 80;
    let text = match value {
        Value::Null => "nothing".to_owned(),
        value => value.to_string(),
    };
    match text.chars().count() > CHARACTERS_MAX {
        true => text.chars().take(CHARACTERS_MAX).chain("…".chars()).collect(),
        false => text,
    }
}
