//! Cosignatures on the gossip network: sent as they are made, verified as they arrive.

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
    /// Sends an own cosignature to every connected peer. A peer that does not answer loses it: the
    /// next one follows within a second or two.
    pub(super) fn send_cosignature(&mut self, vote: &CheckpointVote) {
        let message = encode_votes(std::slice::from_ref(vote));
        for peer in self.peers.connected_ids() {
            self.swarm.behaviour_mut().cosignatures.send_request(&peer, message.clone());
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
