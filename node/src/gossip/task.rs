//! The task that owns the network.

use std::time::{Duration, Instant};

use bytes::Bytes;
use cets_contracts::tx::EnvelopeError;
use cets_contracts::types::ChainId;
use libp2p::futures::StreamExt;
use libp2p::identity::Keypair;
use libp2p::request_response::{Event as PushEvent, Message, ResponseChannel};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::codec::{PushBuilder, split_push};
use super::cosignatures::Cosignatures;
use super::peers::{Peer, Peers};
use super::swarm::{GossipBehaviour, GossipBehaviourEvent, GossipConfig, GossipError, build};
use crate::mempool::{Fresh, Mempool, Origin, PooledTransaction, SubmitError};

/// Size at which a push leaves without waiting for more.
const FLUSH_BYTES: usize = 256 * 1024;
/// Transactions taken from the mempool at a time.
const TAKE_MAX: usize = 1_024;
/// Transactions sent to a peer that connects.
const WELCOME_TRANSACTIONS_MAX: usize = 20_000;
/// How often missing peers are looked after.
const TICK: Duration = Duration::from_millis(250);

/// What gossip says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GossipView {
    /// Addresses listened on, with the port that was taken.
    pub listening: Vec<Multiaddr>,
    /// Connected peers.
    pub peers: usize,
}

/// What was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    Transactions,
    Cosignatures,
}

/// A push that was verified, to be answered.
pub(super) struct Verified {
    pub(super) pushed: Pushed,
    pub(super) peer: PeerId,
    pub(super) channel: ResponseChannel<()>,
    pub(super) garbage: u32,
}

/// Gossip, ready to run.
pub struct Gossip {
    pub(super) swarm: Swarm<GossipBehaviour>,
    pub(super) cosignatures: Cosignatures,
    mempool: Mempool,
    fresh: Fresh,
    flush: Duration,
    pub(super) peers: Peers,
    collected: PushBuilder,
    pub(super) verified: mpsc::Sender<Verified>,
    verified_receiver: mpsc::Receiver<Verified>,
    view: watch::Sender<GossipView>,
}

impl std::fmt::Debug for Gossip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gossip({})", self.swarm.local_peer_id())
    }
}

impl Gossip {
    /// Prepares gossip of a mempool's client transactions and of cosignatures.
    pub fn new(
        chain_id: ChainId,
        key: Keypair,
        config: &GossipConfig,
        mempool: Mempool,
        fresh: Fresh,
        cosignatures: Cosignatures,
    ) -> Result<Self, GossipError> {
        let (verified, verified_receiver) = mpsc::channel(64);
        Ok(Self {
            swarm: build(chain_id, key, config)?,
            cosignatures,
            mempool,
            fresh,
            flush: config.flush,
            peers: Peers::new(&config.peers),
            collected: PushBuilder::default(),
            verified,
            verified_receiver,
            view: watch::channel(GossipView::default()).0,
        })
    }

    /// What gossip says about itself, renewed as it changes.
    pub fn view(&self) -> watch::Receiver<GossipView> {
        self.view.subscribe()
    }

    /// Runs until it is told to stop.
    ///
    /// # Errors
    /// [`GossipError::Closed`].
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), GossipError> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut flush_at: Option<tokio::time::Instant> = None;
        // What comes after a pause goes out at once; what follows closely is sent together.
        let mut rest_until = tokio::time::Instant::now();
        loop {
            let deadline = flush_at.unwrap_or_else(tokio::time::Instant::now);
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                taken = self.fresh.next(TAKE_MAX) => {
                    self.collect(&taken);
                    flush_at = (self.collected.len() > 0).then_some(rest_until);
                }
                () = tokio::time::sleep_until(deadline), if flush_at.is_some() => {
                    flush_at = None;
                    self.flush();
                    let now = tokio::time::Instant::now();
                    rest_until = now.checked_add(self.flush).unwrap_or(now);
                }
                Some(vote) = self.cosignatures.outgoing.recv() => self.send_cosignatures(&[vote]),
                Some(verified) = self.verified_receiver.recv() => self.answer(verified),
                event = self.swarm.select_next_some() => self.on_event(event)?,
                _ = tick.tick() => {
                    self.dial_missing();
                    for id in self.peers.take_lost_and_idle() {
                        self.send_mempool(id);
                    }
                    self.pass_cosignatures_on();
                }
            }
            self.send_ready();
        }
    }

    fn collect(&mut self, transactions: &[PooledTransaction]) {
        for transaction in transactions {
            if !self.collected.has_room(transaction.bytes()) {
                self.flush();
            }
            self.collected.push(transaction.bytes());
            if self.collected.len() >= FLUSH_BYTES {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        if let Some(push) = self.collected.take() {
            self.peers.enqueue(&push);
        }
    }

    fn send_ready(&mut self) {
        for (peer, push) in self.peers.ready() {
            metrics::counter!("cets_gossip_bytes_sent_total")
                .increment(u64::try_from(push.len()).unwrap_or(u64::MAX));
            self.swarm.behaviour_mut().push.send_request(&peer, push);
        }
    }

    fn dial_missing(&mut self) {
        for (peer, address) in self.peers.due_calls(Instant::now()) {
            let call = DialOpts::peer_id(peer)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(vec![address])
                .build();
            if let Err(error) = self.swarm.dial(call) {
                tracing::debug!(%peer, %error, "gossip peer not called");
            }
        }
    }

    fn on_event(&mut self, event: SwarmEvent<GossipBehaviourEvent>) -> Result<(), GossipError> {
        match event {
            SwarmEvent::NewListenAddr { address, .. } => {
                tracing::info!(%address, "gossip listens");
                self.view.send_modify(|view| view.listening.push(address));
            }
            SwarmEvent::ConnectionEstablished { peer_id, .. } => self.on_connected(peer_id),
            SwarmEvent::ConnectionClosed { peer_id, .. } => {
                if let Some(peer) = self.peers.get_mut(&peer_id) {
                    peer.connection_closed();
                }
                self.show_peers();
            }
            SwarmEvent::Behaviour(GossipBehaviourEvent::Push(event)) => self.on_push(event),
            SwarmEvent::Behaviour(GossipBehaviourEvent::Cosignatures(event)) => {
                self.on_cosignatures(event);
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                self.on_call_failed(peer, &error);
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(from = %send_back_addr, %error, "a gossip connection was refused");
            }
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "a gossip connection could not be accepted");
            }
            SwarmEvent::ListenerClosed { reason, .. } => {
                let reason = reason.err().map(|error| error.to_string());
                return Err(GossipError::Closed(reason.unwrap_or_else(|| "it ended".to_owned())));
            }
            // Others tell nothing that a later event does not tell.
            _ => {}
        }
        Ok(())
    }

    fn on_call_failed(&mut self, id: PeerId, error: &DialError) {
        let now = Instant::now();
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.connections == 0) else {
            return;
        };
        if peer.says_call_failure(now) {
            let address = &peer.address;
            tracing::warn!(
                peer = %id, %address, %error,
                "gossip peer cannot be called; check its address and identity in `gossip.peers`"
            );
        } else {
            tracing::debug!(peer = %id, %error, "gossip peer cannot be called");
        }
    }

    fn on_connected(&mut self, id: PeerId) {
        let banned = self.peers.get_mut(&id).is_some_and(|peer| peer.is_banned(Instant::now()));
        if banned {
            self.disconnect(id);
            return;
        }
        if self.peers.get_mut(&id).is_some_and(Peer::connection_opened) {
            self.send_mempool(id);
            self.welcome_with_cosignatures(&id);
        }
        self.show_peers();
    }

    /// Sends a peer what waits here: it was away, or lost some of it.
    fn send_mempool(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let mut pushes = PushBuilder::default();
        for (_, transaction) in self.mempool.from(0, WELCOME_TRANSACTIONS_MAX) {
            if !pushes.has_room(transaction.bytes()) {
                pushes.take().into_iter().for_each(|push| peer.enqueue(push));
            }
            pushes.push(transaction.bytes());
        }
        pushes.take().into_iter().for_each(|push| peer.enqueue(push));
    }

    fn show_peers(&self) {
        let peers = self.peers.connected();
        self.view.send_modify(|view| view.peers = peers);
    }

    fn on_push(&mut self, event: PushEvent<Bytes, ()>) {
        match event {
            PushEvent::Message {
                peer, message: Message::Request { request, channel, .. }, ..
            } => {
                self.receive(peer, &request, channel);
            }
            PushEvent::Message { peer, message: Message::Response { .. }, .. } => {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.push_ended();
                }
            }
            PushEvent::OutboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "a push failed");
                metrics::counter!("cets_gossip_pushes_failed_total").increment(1);
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.push_failed();
                }
            }
            PushEvent::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "a push was not answered");
            }
            PushEvent::ResponseSent { .. } => {}
        }
    }

    /// Hands a push to the mempool on a task of its own; the answer follows when it is verified.
    fn receive(&mut self, peer: PeerId, push: &Bytes, channel: ResponseChannel<()>) {
        metrics::counter!("cets_gossip_bytes_received_total")
            .increment(u64::try_from(push.len()).unwrap_or(u64::MAX));
        let Some(transactions) = split_push(push) else {
            self.punish(peer, u32::MAX);
            return;
        };
        let (mempool, verified) = (self.mempool.clone(), self.verified.clone());
        tokio::spawn(async move {
            let verdicts = mempool.submit_batch(transactions, Origin::Peer).await;
            let garbage = verdicts.iter().filter(|verdict| is_garbage(verdict)).count();
            let garbage = u32::try_from(garbage).unwrap_or(u32::MAX);
            // The network may have stopped meanwhile.
            let pushed = Pushed::Transactions;
            drop(verified.send(Verified { pushed, peer, channel, garbage }).await);
        });
    }

    fn answer(&mut self, Verified { pushed, peer, channel, garbage }: Verified) {
        if garbage > 0 {
            self.punish(peer, garbage);
        }
        let behaviour = self.swarm.behaviour_mut();
        let answerer = match pushed {
            Pushed::Transactions => &mut behaviour.push,
            Pushed::Cosignatures => &mut behaviour.cosignatures,
        };
        if answerer.send_response(channel, ()).is_err() {
            tracing::debug!(%peer, "gossip peer did not wait for the answer");
        }
    }

    pub(super) fn punish(&mut self, id: PeerId, garbage: u32) {
        metrics::counter!("cets_gossip_garbage_total").increment(garbage.into());
        let cut_off =
            self.peers.get_mut(&id).is_some_and(|peer| peer.sent_garbage(garbage, Instant::now()));
        if cut_off {
            tracing::warn!(peer = %id, "gossip peer sends worthless messages and is cut off");
            self.disconnect(id);
        }
    }

    fn disconnect(&mut self, id: PeerId) {
        if self.swarm.disconnect_peer_id(id).is_err() {
            tracing::debug!(peer = %id, "gossip peer was gone already");
        }
    }
}

/// Whether no correct node would pass the transaction on.
fn is_garbage<T>(verdict: &Result<T, SubmitError>) -> bool {
    let Err(SubmitError::Envelope(error)) = verdict else { return false };
    match error {
        EnvelopeError::Malformed(_)
        | EnvelopeError::TooLarge { .. }
        | EnvelopeError::SignatureCount
        | EnvelopeError::BadSignature { .. }
        | EnvelopeError::WrongChain { .. } => true,
        EnvelopeError::Expired { .. }
        | EnvelopeError::ValidTooLong { .. }
        | EnvelopeError::Replayed { .. } => false,
    }
}
