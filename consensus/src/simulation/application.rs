//! The application's queue: asked in order, answered when it has time.

use std::pin::pin;

use futures::FutureExt as _;
use malachitebft_app_channel::app::consensus::Role as RoundRole;
use malachitebft_app_channel::app::engine::host::{Next, SyncedValueOutcome};
use malachitebft_app_channel::app::streaming::StreamMessage;
use malachitebft_app_channel::app::types::core::{Round, Value as _, ValueOrigin};
use malachitebft_app_channel::app::types::sync::RawDecidedValue;
use malachitebft_app_channel::app::types::{LocallyProposedValue, ProposedValue};
use malachitebft_app_channel::{AppMsg, NetworkMsg};
use tokio::sync::oneshot::{self, Receiver};

use super::Channel;
use super::catch_up::peer_of;
use super::engine::{Inner, Output, SimulatedEngine};
use crate::app::Flow;
use crate::context::{BlockPart, BlockValue, EngineAddress, EngineContext, EngineHeight};

/// What is done with the answer.
pub(super) enum Expected {
    Nothing,
    Value(Receiver<LocallyProposedValue<EngineContext>>),
    Part(Receiver<Option<ProposedValue<EngineContext>>>),
    Next(Receiver<Next<EngineContext>>),
    Served {
        answer: Receiver<SyncedValueOutcome<EngineContext>>,
        id: BlockValue,
        round: Round,
        height: EngineHeight,
    },
    Blocks {
        answer: Receiver<Vec<RawDecidedValue<EngineContext>>>,
        start: EngineHeight,
        to: u16,
    },
}

/// A question to the application.
pub(super) struct Asked {
    pub(super) message: AppMsg<EngineContext>,
    pub(super) expected: Expected,
}

impl SimulatedEngine {
    pub(super) fn ask(&mut self, asked: Asked) {
        let builds = matches!(asked.expected, Expected::Value(_));
        self.queue.push_back(asked);
        self.outputs.push(Output::Work { builds });
    }

    /// Answers the first question in the queue.
    pub(super) fn answer_next(&mut self) {
        let Some(Asked { message, expected }) = self.queue.pop_front() else { return };
        if self.answer(message) {
            self.take_answer(expected);
        }
    }

    /// Whether the application answered and the same life goes on.
    fn answer(&mut self, message: AppMsg<EngineContext>) -> bool {
        let never = pin!(std::future::pending::<()>());
        let outcome = self.app.answer(message, &self.channels, never).now_or_never();
        while let Ok(NetworkMsg::PublishProposalPart(part)) = self.published.try_recv() {
            self.publish(Channel::Parts, &part);
        }
        match outcome {
            Some(Ok(Flow::Continue)) => true,
            Some(Ok(Flow::Leave(exit))) => {
                self.leave(exit);
                false
            }
            Some(Err(error)) => {
                self.stop(&error.to_string());
                false
            }
            None => {
                self.stop("the application waits for something that nobody does");
                false
            }
        }
    }

    fn take_answer(&mut self, expected: Expected) {
        match expected {
            Expected::Nothing => {}
            Expected::Value(mut answer) => {
                self.inbox.extend(answer.try_recv().ok().map(Inner::Propose));
            }
            Expected::Part(mut answer) => {
                let value = answer.try_recv().ok().flatten();
                let heard = value.map(|value| Inner::Proposed(value, ValueOrigin::Consensus));
                self.inbox.extend(heard);
            }
            Expected::Next(mut answer) => match answer.try_recv() {
                Ok(Next::Start(height, params)) => {
                    self.inbox.push_back(Inner::Start(height, params, false));
                }
                Ok(Next::Restart(height, params)) => {
                    self.inbox.push_back(Inner::Start(height, params, true));
                }
                Err(_) => {}
            },
            Expected::Served { mut answer, id, round, height } => {
                let outcome = answer.try_recv();
                self.served(outcome.ok(), id, round, height);
            }
            Expected::Blocks { mut answer, start, to } => {
                if let Ok(values) = answer.try_recv() {
                    self.send_blocks(to, start, values);
                }
            }
        }
    }

    fn served(
        &mut self,
        outcome: Option<SyncedValueOutcome<EngineContext>>,
        id: BlockValue,
        round: Round,
        height: EngineHeight,
    ) {
        match outcome {
            Some(SyncedValueOutcome::Verdict(mut value)) if value.value.id() == id => {
                value.round = round;
                self.inbox.push_back(Inner::Proposed(value, ValueOrigin::Sync));
            }
            Some(SyncedValueOutcome::Verdict(_) | SyncedValueOutcome::PeerFault) => {
                self.catch_up.refuse(height.0);
            }
            Some(SyncedValueOutcome::LocalTransientError) | None => self.catch_up.again(height.0),
        }
    }

    /// A round starts: consensus waits until the application has answered everything.
    pub(super) fn start_round(
        &mut self,
        height: EngineHeight,
        round: Round,
        proposer: EngineAddress,
        role: RoundRole,
    ) {
        while self.is_alive() && !self.queue.is_empty() {
            self.answer_next();
        }
        let (reply_value, mut answer) = oneshot::channel();
        let message = AppMsg::StartedRound { height, round, proposer, role, reply_value };
        if !self.is_alive() || !self.answer(message) {
            return;
        }
        let values = answer.try_recv().unwrap_or_default();
        let heard = values.into_iter().map(|value| Inner::Proposed(value, ValueOrigin::Consensus));
        self.inbox.extend(heard);
    }

    /// A part of a proposed block arrives.
    pub(super) fn take_part(&mut self, from: u16, part: StreamMessage<BlockPart>) {
        let (reply, answer) = oneshot::channel();
        let from = peer_of(from);
        let message = AppMsg::ReceivedProposalPart { from, published_by: Some(from), part, reply };
        self.ask(Asked { message, expected: Expected::Part(answer) });
    }
}
