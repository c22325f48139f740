//! Signs through the guard, and verifies as the ledger does.

use std::sync::Arc;

use async_trait::async_trait;
use cets_contracts::block::VoteStep;
use cets_contracts::crypto::SignedMessage as Signed;
use cets_contracts::types::{ChainId, Height, PublicKey, Signature};
use malachitebft_app_channel::app::types::core::{
    NilOrVal, SignedExtension, SignedMessage, SignedProposal, SignedVote, ValidatorProof,
    VoteExtensionScope, VoteType,
};
use malachitebft_signing::{Error, Signer, VerificationResult, Verifier};
use tracing::error;

use crate::blocking::off_thread;
use crate::context::{BlockProposal, BlockVote, EngineContext, NoExtension};
use crate::evidence::SignedStep;
use crate::guard::Guard;
use crate::keys::EngineSigner;
use crate::statements::{proposal_statement, vote_statement};

/// Sign bytes of a vote.
pub fn vote_bytes(chain_id: ChainId, vote: &BlockVote) -> Vec<u8> {
    let step = match vote.step {
        VoteType::Prevote => VoteStep::Prevote,
        VoteType::Precommit => VoteStep::Precommit,
    };
    let block_id = match vote.value {
        NilOrVal::Nil => None,
        NilOrVal::Val(value) => Some(value.0),
    };
    let round = vote.round.as_u32().unwrap_or(0);
    vote_statement(chain_id, step, vote.height.0, round, block_id)
}

/// Sign bytes of a proposal.
pub fn proposal_bytes(chain_id: ChainId, proposal: &BlockProposal) -> Vec<u8> {
    proposal_statement(
        chain_id,
        proposal.height.0,
        proposal.round.as_u32().unwrap_or(0),
        proposal.polka_round.as_u32(),
        proposal.value.0,
    )
}

/// Step of a vote.
pub const fn vote_step(vote: &BlockVote) -> SignedStep {
    match vote.step {
        VoteType::Prevote => SignedStep::Prevote,
        VoteType::Precommit => SignedStep::Precommit,
    }
}

/// Signs what the guard admits.
#[derive(Clone)]
pub struct GuardedSigner {
    chain_id: ChainId,
    signer: Arc<dyn EngineSigner>,
    /// `None` only for a node that is to misbehave in a fault test.
    guard: Option<Arc<Guard>>,
}

impl GuardedSigner {
    /// A signer whose every vote and proposal passes the guard.
    pub fn new(chain_id: ChainId, signer: Arc<dyn EngineSigner>, guard: Arc<Guard>) -> Self {
        Self { chain_id, signer, guard: Some(guard) }
    }

    /// A signer that contradicts itself, for fault tests.
    #[cfg(any(feature = "byzantine", feature = "simulation"))]
    pub fn unguarded(chain_id: ChainId, signer: Arc<dyn EngineSigner>) -> Self {
        Self { chain_id, signer, guard: None }
    }

    /// Signs a statement; off the async threads, because guard and signer may block.
    ///
    /// Does not return when the guard refuses: an error would make the engine kill its actors,
    /// while its alarm makes us stop them in good order.
    async fn sign(
        &self,
        height: Height,
        round: u32,
        step: SignedStep,
        message: Vec<u8>,
    ) -> Result<Signature, Error> {
        let (guard, signer) = (self.guard.clone(), Arc::clone(&self.signer));
        let signed = off_thread(move || {
            let admitted = guard.map_or(Ok(()), |it| it.admit(height, round, step, &message));
            admitted.map(|()| signer.sign(&message))
        });
        match signed.await.map_err(Error::from_source)? {
            Ok(signature) => signature.map_err(Error::from_source),
            Err(refused) => {
                error!(%refused, "not signed");
                std::future::pending().await
            }
        }
    }
}

#[async_trait]
impl Signer<EngineContext> for GuardedSigner {
    async fn sign_vote(&self, vote: BlockVote) -> Result<SignedVote<EngineContext>, Error> {
        let message = vote_bytes(self.chain_id, &vote);
        let round = vote.round.as_u32().unwrap_or(0);
        let signature = self.sign(vote.height.0, round, vote_step(&vote), message).await?;
        Ok(SignedMessage::new(vote, signature))
    }

    async fn sign_proposal(
        &self,
        proposal: BlockProposal,
    ) -> Result<SignedProposal<EngineContext>, Error> {
        let message = proposal_bytes(self.chain_id, &proposal);
        let round = proposal.round.as_u32().unwrap_or(0);
        let step = SignedStep::Proposal;
        let signature = self.sign(proposal.height.0, round, step, message).await?;
        Ok(SignedMessage::new(proposal, signature))
    }

    async fn sign_vote_extension(
        &self,
        _scope: VoteExtensionScope<EngineContext>,
        extension: NoExtension,
    ) -> Result<SignedExtension<EngineContext>, Error> {
        match extension {}
    }

    async fn sign_validator_proof(
        &self,
        public_key: Vec<u8>,
        peer_id: Vec<u8>,
    ) -> Result<ValidatorProof<EngineContext>, Error> {
        let message = ValidatorProof::<EngineContext>::signing_bytes(&public_key, &peer_id);
        let signer = Arc::clone(&self.signer);
        let signed = off_thread(move || signer.sign(&message));
        let signature = signed.await.map_err(Error::from_source)?.map_err(Error::from_source)?;
        Ok(ValidatorProof::new(public_key, peer_id, signature))
    }
}

/// Verifies with ZIP-215 semantics, as certificates are verified without the engine.
#[derive(Clone, Copy, Debug)]
pub struct EngineVerifier {
    chain_id: ChainId,
}

impl EngineVerifier {
    /// A verifier of statements made for a chain.
    pub const fn new(chain_id: ChainId) -> Self {
        Self { chain_id }
    }
}

fn verdict(message: &[u8], signature: &Signature, key: &PublicKey) -> VerificationResult {
    VerificationResult::from_bool(holds(&Signed { key, signature, message }))
}

/// Whether a signature is good, with ZIP-215 semantics.
pub fn holds(signed: &Signed<'_>) -> bool {
    #[cfg(all(feature = "simulation", not(test)))]
    return crate::simulation::remembered(signed);
    #[cfg(not(all(feature = "simulation", not(test))))]
    cets_contracts::crypto::verify(signed)
}

#[async_trait]
impl Verifier<EngineContext> for EngineVerifier {
    async fn verify_signed_vote(
        &self,
        vote: &BlockVote,
        signature: &Signature,
        key: &PublicKey,
    ) -> Result<VerificationResult, Error> {
        Ok(verdict(&vote_bytes(self.chain_id, vote), signature, key))
    }

    async fn verify_signed_proposal(
        &self,
        proposal: &BlockProposal,
        signature: &Signature,
        key: &PublicKey,
    ) -> Result<VerificationResult, Error> {
        Ok(verdict(&proposal_bytes(self.chain_id, proposal), signature, key))
    }

    async fn verify_signed_vote_extension(
        &self,
        _scope: &VoteExtensionScope<EngineContext>,
        extension: &NoExtension,
        _signature: &Signature,
        _key: &PublicKey,
    ) -> Result<VerificationResult, Error> {
        match *extension {}
    }

    async fn verify_validator_proof(
        &self,
        proof: &ValidatorProof<EngineContext>,
    ) -> Result<VerificationResult, Error> {
        let key = proof.decoded_public_key().map_err(Error::from_source)?;
        Ok(verdict(&proof.preimage(), &proof.signature, &key))
    }
}
