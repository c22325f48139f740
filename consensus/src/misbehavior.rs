//! Turns the engine's evidence into the portable form.

use cets_contracts::types::{ChainId, Signature};
use malachitebft_app_channel::app::types::MisbehaviorEvidence;

use crate::context::{BlockProposal, BlockVote, EngineContext};
use crate::evidence::{Evidence, SignedStatement, SignedStep};
use crate::signing::{proposal_bytes, vote_bytes, vote_step};

fn statement(message: Vec<u8>, signature: Signature) -> SignedStatement {
    SignedStatement { message, signature }
}

fn double_vote(
    chain_id: ChainId,
    first: (&BlockVote, Signature),
    second: (&BlockVote, Signature),
) -> Evidence {
    let vote = first.0;
    Evidence {
        validator: vote.voter.0,
        height: vote.height.0,
        round: vote.round.as_u32().unwrap_or(0),
        step: vote_step(vote),
        first: statement(vote_bytes(chain_id, first.0), first.1),
        second: statement(vote_bytes(chain_id, second.0), second.1),
    }
}

fn double_proposal(
    chain_id: ChainId,
    first: (&BlockProposal, Signature),
    second: (&BlockProposal, Signature),
) -> Evidence {
    let proposal = first.0;
    Evidence {
        validator: proposal.proposer.0,
        height: proposal.height.0,
        round: proposal.round.as_u32().unwrap_or(0),
        step: SignedStep::Proposal,
        first: statement(proposal_bytes(chain_id, first.0), first.1),
        second: statement(proposal_bytes(chain_id, second.0), second.1),
    }
}

/// All evidence of a height.
pub fn portable(chain_id: ChainId, evidence: &MisbehaviorEvidence<EngineContext>) -> Vec<Evidence> {
    let votes = evidence.votes.iter().flat_map(|(_, pairs)| pairs).map(|(first, second)| {
        let (a, b) = (first.signature, second.signature);
        double_vote(chain_id, (&first.message, a), (&second.message, b))
    });
    let proposals =
        evidence.proposals.iter().flat_map(|(_, pairs)| pairs).map(|(first, second)| {
            let (a, b) = (first.signature, second.signature);
            double_proposal(chain_id, (&first.message, a), (&second.message, b))
        });
    votes.chain(proposals).collect()
}
