//! Cosignatures on the gossip network: sent as they are made, verified as they arrive, and passed
//! on once when they count.

use std::time::Instant;

use bytes::Bytes;
use libp2p::PeerId;
use libp2p::request_response::{Event as PushEvent, Message, ResponseChannel};
use tokio::sync::mpsc;

use super::Gossip;
use super::task::{Pushed, Verified};
use crate::checkpoints::{CheckpointVote, Checkpoints, decode_votes, encode_votes};
use crate::metrics;

/// What gossip needs of cosigning.
#[derive(Debug)]
pub struct Cosignatures {
    /// Where arriving cosignatures are gathered.
    pub checkpoints: Checkpoints,
    /// Own cosignatures.
    pub outgoing: mpsc::Receiver<CheckpointVote>,
}

impl Gossip {
    /// Sends cosignatures to every connected peer. A peer that does not answer gets all that were
    /// gathered by [`Self::pass_cosignatures_on`].
    pub(super) fn send_cosignatures(&mut self, votes: &[CheckpointVote]) {
        let message = encode_votes(votes);
        for peer in self.peers.connected_ids() {
            self.swarm.behaviour_mut().cosignatures.send_request(&peer, message.clone());
        }
    }

    /// Sends what came from others since the last time, and again to who lost something. Called at
    /// every tick: many cosignatures share a message, and none is passed on twice.
    pub(super) fn pass_cosignatures_on(&mut self) {
        for peer in self.peers.take_votes_lost() {
            self.welcome_with_cosignatures(&peer);
        }
        let votes = self.cosignatures.checkpoints.take_fresh();
        if !votes.is_empty() {
            self.send_cosignatures(&votes);
        }
    }

    /// Sends what was gathered to a peer that connects.
    pub(super) fn welcome_with_cosignatures(&mut self, peer: &PeerId) {
        let votes = self.cosignatures.checkpoints.for_welcome();
        if !votes.is_empty() {
            let message = encode_votes(&votes);
            self.swarm.behaviour_mut().cosignatures.send_request(peer, message);
        }
    }

    pub(super) fn on_cosignatures(&mut self, event: PushEvent<Bytes, ()>) {
        match event {
            PushEvent::Message {
                peer, message: Message::Request { request, channel, .. }, ..
            } => self.receive_cosignatures(peer, &request, channel),
            PushEvent::OutboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "a cosignature was not taken");
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.votes_not_taken();
                }
            }
            PushEvent::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "a cosignature was not answered");
            }
            PushEvent::Message { .. } | PushEvent::ResponseSent { .. } => {}
        }
    }

    /// Verifies on a thread that may block; the answer follows.
    fn receive_cosignatures(
        &mut self,
        peer: PeerId,
        message: &Bytes,
        channel: ResponseChannel<()>,
    ) {
        let Some(votes) = decode_votes(message) else {
            self.punish(peer, u32::MAX);
            return;
        };
        let now = Instant::now();
        let known = self.peers.get_mut(&peer);
        if !known.is_some_and(|known| known.may_send_votes(votes.len(), now)) {
            metrics::add("cets_cosignatures_dropped_total", votes.len());
            return;
        }
        let (checkpoints, verified) =
            (self.cosignatures.checkpoints.clone(), self.verified.clone());
        tokio::task::spawn_blocking(move || {
            let garbage = checkpoints.receive(&votes).unwrap_or_else(|error| {
                tracing::error!(%error, "cosignatures cannot be gathered");
                0
            });
            let pushed = Pushed::Cosignatures;
            // The network may have stopped meanwhile.
            drop(verified.blocking_send(Verified { pushed, peer, channel, garbage }));
        });
    }
}
