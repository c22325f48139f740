//! What the core wants done.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use malachitebft_app_channel::AppMsg;
use malachitebft_app_channel::app::consensus::{
    ConsensusMsg, Effect, LivenessMsg, Resumable as _, Resume,
};
use malachitebft_app_channel::app::types::core::{
    CertificateError, SignedMessage, Timeout, TimeoutKind, Timeouts as _, ValueResponse,
};
use malachitebft_signing::{Signer as _, Verifier as _, VerifierExt as _};
use tokio::sync::oneshot;

use super::Channel;
use super::application::{Asked, Expected};
use super::engine::{Output, SimulatedEngine};
use crate::context::{EngineAddress, EngineContext};
use crate::signing::GuardedSigner;

type Effects = Effect<EngineContext>;
type Resumes = Resume<EngineContext>;

/// Verifying never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("verifying does not wait for anything")
}

impl SimulatedEngine {
    /// Does what the core wants, or nothing when the node is stopped.
    pub(super) fn effect(&mut self, effect: Effects) -> Result<Resumes, Infallible> {
        if !self.is_alive() {
            return Ok(Resume::Continue);
        }
        Ok(match effect {
            Effect::CancelAllTimeouts(resume) => {
                self.timers.clear();
                resume.resume_with(())
            }
            Effect::CancelTimeout(timeout, resume) => {
                self.timers.retain(|(_, running)| *running != timeout);
                resume.resume_with(())
            }
            Effect::ScheduleTimeout(timeout, resume) => {
                self.schedule(timeout);
                resume.resume_with(())
            }
            Effect::WalAppend(_, entry, resume) => {
                if !self.is_recovering
                    && self.is_validator
                    && let Err(error) = self.log.append(entry)
                {
                    self.hold(&format!("the log: {error}"));
                }
                resume.resume_with(())
            }
            Effect::SignVote(vote, resume) => {
                match self.sign(|signer| signer.sign_vote(vote).now_or_never()) {
                    Some(signed) => resume.resume_with(signed),
                    None => Resume::Continue,
                }
            }
            Effect::SignProposal(proposal, resume) => {
                match self.sign(|signer| signer.sign_proposal(proposal).now_or_never()) {
                    Some(signed) => resume.resume_with(signed),
                    None => Resume::Continue,
                }
            }
            Effect::PublishConsensusMsg(message, resume) => {
                if self.flush() {
                    self.publish(Channel::Votes, &message);
                }
                resume.resume_with(())
            }
            Effect::PublishLivenessMsg(message, resume) => {
                self.publish(Channel::Liveness, &message);
                resume.resume_with(())
            }
            Effect::RepublishVote(vote, resume) => {
                self.publish(Channel::Liveness, &LivenessMsg::Vote(vote));
                resume.resume_with(())
            }
            Effect::RepublishRoundCertificate(certificate, resume) => {
                let message = LivenessMsg::SkipRoundCertificate(certificate);
                self.publish(Channel::Liveness, &message);
                resume.resume_with(())
            }
            other => return Ok(self.verify_or_ask(other)),
        })
    }

    /// Signs, or ends: a refusing guard never answers.
    fn sign<T>(
        &mut self,
        sign: impl FnOnce(&GuardedSigner) -> Option<Result<T, malachitebft_signing::Error>>,
    ) -> Option<T> {
        let signed = sign(self.signer.as_ref()?);
        match signed {
            Some(Ok(signed)) => Some(signed),
            Some(Err(error)) => {
                self.stop(&format!("not signed: {error}"));
                None
            }
            None => {
                self.is_refused = true;
                None
            }
        }
    }

    /// Syncs log and guard before something leaves; false when that failed.
    fn flush(&mut self) -> bool {
        if self.is_recovering || !self.is_validator {
            return true;
        }
        match self.log.flush() {
            Ok(()) => true,
            Err(error) => {
                self.hold(&format!("the log: {error}"));
                false
            }
        }
    }

    fn schedule(&mut self, timeout: Timeout) {
        let after = match timeout.kind {
            TimeoutKind::FinalizeHeight(_) => {
                let target = self.height_began.saturating_add(self.target_time.unwrap_or_default());
                target.saturating_sub(self.now)
            }
            _ => self.timeouts.duration_for(timeout),
        };
        self.timers.retain(|(_, running)| *running != timeout);
        self.tickets = self.tickets.saturating_add(1);
        self.timers.push((self.tickets, timeout));
        self.outputs.push(Output::Wake { after, ticket: self.tickets });
    }

    fn verify_or_ask(&mut self, effect: Effects) -> Resumes {
        let verifier = self.verifier;
        match effect {
            Effect::VerifySignature(signed, key, resume) => {
                let SignedMessage { message, signature, .. } = signed;
                let verdict = match &message {
                    ConsensusMsg::Vote(vote) => {
                        now(verifier.verify_signed_vote(vote, &signature, &key))
                    }
                    ConsensusMsg::Proposal(proposal) => {
                        now(verifier.verify_signed_proposal(proposal, &signature, &key))
                    }
                };
                resume.resume_with(verdict.is_ok_and(|verdict| verdict.is_valid()))
            }
            Effect::VerifyCommitCertificate(certificate, members, thresholds, resume) => resume
                .resume_with(now(verifier.verify_commit_certificate(
                    &EngineContext,
                    &certificate,
                    &members,
                    thresholds,
                ))),
            Effect::VerifyExtendedCommitCertificate(it, members, thresholds, policy, resume) => {
                let verdict: Result<(), CertificateError<EngineContext>> = now(verifier
                    .verify_extended_commit_certificate(
                        &EngineContext,
                        &it,
                        &members,
                        thresholds,
                        policy,
                    ));
                resume.resume_with(verdict)
            }
            Effect::VerifyPolkaCertificate(certificate, members, thresholds, resume) => resume
                .resume_with(now(verifier.verify_polka_certificate(
                    &EngineContext,
                    &certificate,
                    &members,
                    thresholds,
                ))),
            Effect::VerifyRoundCertificate(certificate, members, thresholds, resume) => resume
                .resume_with(now(verifier.verify_round_certificate(
                    &EngineContext,
                    &certificate,
                    &members,
                    thresholds,
                ))),
            Effect::ExtendVote(.., resume) => resume.resume_with(None),
            Effect::VerifyVoteExtension(.., resume) => resume.resume_with(Ok(())),
            other => self.ask_application(other),
        }
    }

    fn ask_application(&mut self, effect: Effects) -> Resumes {
        match effect {
            Effect::StartRound(height, round, proposer, role, resume) => {
                if self.flush() {
                    self.start_round(height, round, proposer, role);
                }
                resume.resume_with(())
            }
            Effect::GetValue(height, round, timeout, resume) => {
                let (reply, answer) = oneshot::channel();
                let timeout = self.timeouts.duration_for(timeout);
                let message = AppMsg::GetValue { height, round, timeout, reply };
                self.ask(Asked { message, expected: Expected::Value(answer) });
                resume.resume_with(())
            }
            Effect::RestreamProposal(height, round, valid_round, address, value_id, resume) => {
                let message =
                    AppMsg::RestreamProposal { height, round, valid_round, address, value_id };
                self.ask(Asked { message, expected: Expected::Nothing });
                resume.resume_with(())
            }
            Effect::Decide(certificate, extensions, resume) => {
                if self.flush() {
                    let (reply, _) = oneshot::channel();
                    let message = AppMsg::Decided { certificate, extensions, reply };
                    self.ask(Asked { message, expected: Expected::Nothing });
                }
                resume.resume_with(())
            }
            Effect::Finalize(certificate, extensions, evidence, resume) => {
                let (reply, answer) = oneshot::channel();
                let message = AppMsg::Finalized { certificate, extensions, evidence, reply };
                self.ask(Asked { message, expected: Expected::Next(answer) });
                resume.resume_with(())
            }
            Effect::CertVerifiedSyncValue(value, proposer, resume) => {
                self.judge_served(value, proposer);
                resume.resume_with(())
            }
            Effect::CertRejectedSyncValue(_, height, _, resume) => {
                self.catch_up.refuse(height.0);
                self.next_block();
                resume.resume_with(())
            }
            _ => Resume::Continue,
        }
    }

    fn judge_served(&mut self, value: ValueResponse<EngineContext>, proposer: EngineAddress) {
        let (reply, answer) = oneshot::channel();
        let certificate = value.certificate;
        let (height, round) = (certificate.height, certificate.round);
        let value_bytes: Bytes = value.value_bytes;
        let message = AppMsg::ProcessSyncedValue { height, round, proposer, value_bytes, reply };
        let expected = Expected::Served { answer, id: certificate.value_id, round, height };
        self.ask(Asked { message, expected });
    }

    /// How often the others are told how far this node is.
    pub(super) const fn status_interval(&self) -> Duration {
        self.setup.config.catch_up.status_interval
    }
}
