//! Certificates for people, each with the proof of everything it says.
//!
//! A certificate is JSON: what it says in fields, and the proof as an armoured proof file. It is
//! nobody's word: whoever has the genesis file computes every field anew from the proof and
//! compares the file, byte by byte.

mod cancellation;
mod compliance;
mod document;
mod error;
mod pdf;
mod shown;

pub use cancellation::Cancellation;
pub use compliance::Compliance;
pub use document::{Certificate, CertificateFile, FORMAT, Subject};
pub use error::CertificateError;
pub use pdf::{PDF_START, to_pdf};
pub use shown::certificate_report;
