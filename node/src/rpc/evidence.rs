//! Evidence of conflicting signatures, as callers get it.

use cets_api::{CheckpointFork, Evidence, ListEvidenceResponse, SignedStatement};
use cets_contracts::transparency::{Checkpoint, cosignature_message};

use super::RpcError;
use super::desk::{Desk, read_failed};
use crate::store::CosignedRoot;

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
    Ok(ListEvidenceResponse {
        evidence: evidence.collect(),
        checkpoint_forks: checkpoint_forks(desk)?,
    })
}

fn checkpoint_forks(desk: &Desk) -> Result<Vec<CheckpointFork>, RpcError> {
    let kept = desk.reader().checkpoint_forks().map_err(read_failed)?;
    let origin = desk.node().checkpoints().origin();
    let forks = kept.into_iter().take(EVIDENCE_PER_ANSWER_MAX).map(|fork| {
        let statement = |CosignedRoot { root, cosignature }: CosignedRoot| {
            let checkpoint = Checkpoint { origin: origin.to_owned(), size: fork.size, root };
            SignedStatement {
                message: cosignature_message(&checkpoint.to_string(), cosignature.seconds),
                signature: cosignature.signature.as_bytes().to_vec(),
            }
        };
        CheckpointFork {
            cosigner: fork.first.cosignature.cosigner.as_bytes().to_vec(),
            size: fork.size,
            first: Some(statement(fork.first)),
            second: Some(statement(fork.second)),
        }
    });
    Ok(forks.collect())
}
