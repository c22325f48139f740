//! The exact bytes validators sign.
//!
//! Votes are those of `cets_contracts`, so that a certificate is checked without this crate.

use cets_contracts::block::{VoteStep, vote_sign_bytes};
use cets_contracts::domains;
use cets_contracts::types::{BlockId, ChainId, Height};

use crate::evidence::SignedStep;

/// First bytes of every statement of a step, height and round: domain ‖ chain id (16) ‖ height
/// (u64 BE) ‖ round (u32 BE).
pub fn statement_prefix(
    chain_id: ChainId,
    step: SignedStep,
    height: Height,
    round: u32,
) -> Vec<u8> {
    let domain = match step {
        SignedStep::Proposal => domains::PROPOSAL,
        SignedStep::Prevote => domains::PREVOTE,
        SignedStep::Precommit => domains::PRECOMMIT,
    };
    [domain, chain_id.as_bytes(), &height.get().to_be_bytes(), &round.to_be_bytes()].concat()
}

/// Bytes a validator signs for a vote; `None` is nil.
pub(crate) fn vote_statement(
    chain_id: ChainId,
    step: VoteStep,
    height: Height,
    round: u32,
    block_id: Option<BlockId>,
) -> Vec<u8> {
    vote_sign_bytes(chain_id, step, height, round, block_id)
}

/// Bytes a proposer signs: the prefix, then 0x00 for a fresh block or 0x01 ‖ round of the polka
/// (u32 BE) for one that is proposed again, then the block id (32).
pub(crate) fn proposal_statement(
    chain_id: ChainId,
    height: Height,
    round: u32,
    polka_round: Option<u32>,
    block_id: BlockId,
) -> Vec<u8> {
    let mut bytes = statement_prefix(chain_id, SignedStep::Proposal, height, round);
    match polka_round {
        None => bytes.push(0),
        Some(polka_round) => {
            bytes.push(1);
            bytes.extend_from_slice(&polka_round.to_be_bytes());
        }
    }
    bytes.extend_from_slice(block_id.as_bytes());
    bytes
}

/// Bytes a proposer signs for the stream that carries its block: domain ‖ chain id ‖ height ‖
/// round ‖ polka round as in the proposal ‖ block id ‖ bytes of the block (u64 BE).
///
/// It lets receivers drop the streams of everyone but the proposer before they execute anything.
pub(crate) fn stream_statement(
    chain_id: ChainId,
    height: Height,
    round: u32,
    polka_round: Option<u32>,
    block_id: BlockId,
    block_bytes: u64,
) -> Vec<u8> {
    let proposal = proposal_statement(chain_id, height, round, polka_round, block_id);
    let said = proposal.get(domains::PROPOSAL.len()..).unwrap_or_default();
    [domains::BLOCK_STREAM, said, &block_bytes.to_be_bytes()].concat()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_starts_with_the_prefix_of_its_step() {
        let chain_id = ChainId::new([7; 16]);
        let (height, round, id) = (Height::new(9), 3, BlockId::new([5; 32]));
        let starts = |step, bytes: &[u8]| {
            bytes.starts_with(&statement_prefix(chain_id, step, height, round))
        };
        let vote = |step| vote_statement(chain_id, step, height, round, Some(id));
        assert!(starts(SignedStep::Prevote, &vote(VoteStep::Prevote)));
        assert!(starts(SignedStep::Precommit, &vote(VoteStep::Precommit)));
        let proposal = proposal_statement(chain_id, height, round, Some(1), id);
        assert!(starts(SignedStep::Proposal, &proposal));
    }
}
