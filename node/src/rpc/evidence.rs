//! Evidence of conflicting signatures, as callers get it.

use cets_api::{Evidence, ListEvidenceResponse, SignedStatement};

use super::RpcError;
use super::desk::{Desk, read_failed};

/// Most pieces of evidence in one answer.
const EVIDENCE_PER_ANSWER_MAX: usize = 1_000;

/// The newest evidence that the node keeps.
pub fn list_evidence(desk: &Desk) -> Result<ListEvidenceResponse, RpcError> {
    let mut kept = desk.reader().evidence().map_err(read_failed)?;
    kept.drain(..kept.len().saturating_sub(EVIDENCE_PER_ANSWER_MAX));
    let statement = |said: cets_consensus::SignedStatement| SignedStatement {
        message: said.message,
        signature: said.signature.as_bytes().to_vec(),
    };
    let evidence = kept.into_iter().map(|piece| Evidence {
        validator: piece.validator.as_bytes().to_vec(),
        height: piece.height.get(),
        round: piece.round,
        step: piece.step.to_string(),
        first: Some(statement(piece.first)),
        second: Some(statement(piece.second)),
    });
    Ok(ListEvidenceResponse { evidence: evidence.collect() })
}
