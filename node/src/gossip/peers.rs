//! What is known of each peer: what it still has to take, and how it behaved.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use libp2p::{Multiaddr, PeerId};

/// Pushes under way to one peer at a time.
const PUSHES_IN_FLIGHT_MAX: usize = 4;
/// Bytes that wait for one peer; the oldest are dropped beyond it. What is dropped is sent again
/// once the peer has taken the rest: see [`Peers::take_lost_and_idle`].
const BACKLOG_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Worthless transactions in a row of [`GARBAGE_WINDOW`] after which a peer is cut off.
const GARBAGE_MAX: u32 = 100;
/// Time after which worthless transactions are forgiven.
const GARBAGE_WINDOW: Duration = Duration::from_secs(10);
/// Cosignatures that a peer may send in a row of [`VOTES_WINDOW`]; further ones are passed over.
/// A node sends one a second of its own, passes on one a second of each other validator, and sends
/// what it knows to whoever connects.
const VOTES_MAX: usize = 2_048;
/// Time after which a peer may send as many cosignatures again.
const VOTES_WINDOW: Duration = Duration::from_secs(10);
/// How long a peer that sent too much garbage is not listened to.
const BAN: Duration = Duration::from_secs(60);
/// How often it is said of a peer that it cannot be called.
const CALL_FAILURE_SAID_EVERY: Duration = Duration::from_secs(60);
/// First and longest wait before a peer is called again.
const REDIAL_FIRST: Duration = Duration::from_millis(250);
const REDIAL_MAX: Duration = Duration::from_secs(5);

/// One configured peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: Multiaddr,
    pub(super) connections: usize,
    in_flight: usize,
    backlog: VecDeque<Bytes>,
    backlog_bytes: usize,
    /// Whether pushes were dropped or failed since the mempool was last sent whole.
    lost: bool,
    garbage: u32,
    garbage_since: Option<Instant>,
    votes: usize,
    votes_since: Option<Instant>,
    /// Whether cosignatures did not arrive since those gathered were last sent whole.
    votes_lost: bool,
    banned_until: Option<Instant>,
    redial_at: Option<Instant>,
    redial_wait: Duration,
    /// When it was last said that it cannot be called.
    call_failure_said: Option<Instant>,
}

/// All configured peers.
#[derive(Debug)]
pub(super) struct Peers(BTreeMap<PeerId, Peer>);

impl Peers {
    pub(super) fn new(configured: &[(PeerId, Multiaddr)]) -> Self {
        let peer = |address: &Multiaddr| Peer {
            address: address.clone(),
            connections: 0,
            in_flight: 0,
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            lost: false,
            garbage: 0,
            garbage_since: None,
            votes: 0,
            votes_since: None,
            votes_lost: false,
            banned_until: None,
            redial_at: None,
            redial_wait: REDIAL_FIRST,
            call_failure_said: None,
        };
        Self(configured.iter().map(|(id, address)| (*id, peer(address))).collect())
    }

    pub(super) fn get_mut(&mut self, id: &PeerId) -> Option<&mut Peer> {
        self.0.get_mut(id)
    }

    /// The peers with a connection.
    pub(super) fn connected_ids(&self) -> Vec<PeerId> {
        let connected = self.0.iter().filter(|(_, peer)| peer.connections > 0);
        connected.map(|(id, _)| *id).collect()
    }

    /// Number of peers with a connection.
    pub(super) fn connected(&self) -> usize {
        self.0.values().filter(|peer| peer.connections > 0).count()
    }

    /// Adds a push to the backlog of every connected peer.
    pub(super) fn enqueue(&mut self, push: &Bytes) {
        for peer in self.0.values_mut().filter(|peer| peer.connections > 0) {
            peer.enqueue(push.clone());
        }
    }

    /// The next pushes that may leave now.
    pub(super) fn ready(&mut self) -> Vec<(PeerId, Bytes)> {
        let mut ready = Vec::new();
        for (id, peer) in &mut self.0 {
            while peer.in_flight < PUSHES_IN_FLIGHT_MAX {
                let Some(push) = peer.backlog.pop_front() else { break };
                peer.backlog_bytes = peer.backlog_bytes.saturating_sub(push.len());
                peer.in_flight = peer.in_flight.saturating_add(1);
                ready.push((*id, push));
            }
        }
        ready
    }

    /// Peers that lost pushes and have taken all others: they want the mempool again.
    pub(super) fn take_lost_and_idle(&mut self) -> Vec<PeerId> {
        let idle = |peer: &Peer| peer.backlog.is_empty() && peer.in_flight == 0;
        let waiting = self.0.iter_mut().filter(|(_, peer)| peer.lost && idle(peer));
        waiting
            .map(|(id, peer)| {
                peer.lost = false;
                *id
            })
            .collect()
    }

    /// Connected peers that lost cosignatures: they want those gathered again.
    pub(super) fn take_votes_lost(&mut self) -> Vec<PeerId> {
        let lost = self.0.iter_mut().filter(|(_, peer)| peer.votes_lost && peer.connections > 0);
        lost.map(|(id, peer)| {
            peer.votes_lost = false;
            *id
        })
        .collect()
    }

    /// Peers to call now; each is called again later unless it connects.
    pub(super) fn due_calls(&mut self, now: Instant) -> Vec<(PeerId, Multiaddr)> {
        let mut due = Vec::new();
        for (id, peer) in &mut self.0 {
            let banned = peer.banned_until.is_some_and(|until| until > now);
            let waits = peer.redial_at.is_some_and(|at| at > now);
            if peer.connections > 0 || banned || waits {
                continue;
            }
            peer.redial_at = now.checked_add(peer.redial_wait);
            peer.redial_wait = peer.redial_wait.saturating_mul(2).min(REDIAL_MAX);
            due.push((*id, peer.address.clone()));
        }
        due
    }
}

impl Peer {
    pub(super) fn enqueue(&mut self, push: Bytes) {
        self.backlog_bytes = self.backlog_bytes.saturating_add(push.len());
        self.backlog.push_back(push);
        while self.backlog_bytes > BACKLOG_BYTES_MAX {
            let Some(dropped) = self.backlog.pop_front() else { break };
            self.backlog_bytes = self.backlog_bytes.saturating_sub(dropped.len());
            self.lost = true;
            metrics::counter!("cets_gossip_pushes_dropped_total").increment(1);
        }
    }

    pub(super) fn connection_opened(&mut self) -> bool {
        self.connections = self.connections.saturating_add(1);
        self.redial_wait = REDIAL_FIRST;
        self.connections == 1
    }

    pub(super) fn connection_closed(&mut self) {
        self.connections = self.connections.saturating_sub(1);
        if self.connections == 0 {
            self.backlog.clear();
            self.backlog_bytes = 0;
            self.in_flight = 0;
            self.lost = false;
            self.votes_lost = false;
            self.redial_at = None;
        }
    }

    pub(super) fn push_ended(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    pub(super) fn push_failed(&mut self) {
        self.push_ended();
        self.lost = self.connections > 0;
    }

    pub(super) const fn votes_not_taken(&mut self) {
        self.votes_lost = self.connections > 0;
    }

    /// Notes that a call failed; whether it is to be said, once a minute.
    pub(super) fn says_call_failure(&mut self, now: Instant) -> bool {
        let says = self
            .call_failure_said
            .is_none_or(|said| now.saturating_duration_since(said) >= CALL_FAILURE_SAID_EVERY);
        if says {
            self.call_failure_said = Some(now);
        }
        says
    }

    /// Counts worthless transactions; whether the peer is to be cut off now.
    pub(super) fn sent_garbage(&mut self, count: u32, now: Instant) -> bool {
        let forgiven = self
            .garbage_since
            .is_none_or(|since| now.saturating_duration_since(since) > GARBAGE_WINDOW);
        if forgiven {
            self.garbage = 0;
            self.garbage_since = Some(now);
        }
        self.garbage = self.garbage.saturating_add(count);
        let cut_off = self.garbage > GARBAGE_MAX;
        if cut_off {
            self.banned_until = now.checked_add(BAN);
        }
        cut_off
    }

    /// Counts cosignatures that a peer sends; whether they are listened to.
    pub(super) fn may_send_votes(&mut self, count: usize, now: Instant) -> bool {
        let over = self
            .votes_since
            .is_none_or(|since| now.saturating_duration_since(since) > VOTES_WINDOW);
        if over {
            self.votes = 0;
            self.votes_since = Some(now);
        }
        self.votes = self.votes.saturating_add(count);
        self.votes <= VOTES_MAX
    }

    pub(super) fn is_banned(&self, now: Instant) -> bool {
        self.banned_until.is_some_and(|until| until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_peer() -> (PeerId, Peers) {
        let id = PeerId::random();
        (id, Peers::new(&[(id, "/ip4/127.0.0.1/tcp/1".parse().unwrap())]))
    }

    #[test]
    fn that_a_peer_cannot_be_called_is_said_once_a_minute() {
        let (id, mut peers) = one_peer();
        let (peer, begun) = (peers.get_mut(&id).unwrap(), Instant::now());
        let said: Vec<u64> = (0..180)
            .filter(|second| peer.says_call_failure(begun + Duration::from_secs(*second)))
            .collect();
        assert_eq!(said, [0, 60, 120]);
    }

    #[test]
    fn pushes_wait_while_a_peer_is_slow_and_the_oldest_are_dropped() {
        let (id, mut peers) = one_peer();
        let push = Bytes::from(vec![0u8; 1024 * 1024]);
        peers.enqueue(&push);
        assert!(peers.ready().is_empty(), "nothing is kept for a peer that is away");
        peers.get_mut(&id).unwrap().connection_opened();
        for _ in 0..100 {
            peers.enqueue(&push);
        }
        assert_eq!(peers.ready().len(), PUSHES_IN_FLIGHT_MAX);
        assert!(peers.ready().is_empty());
        peers.get_mut(&id).unwrap().push_ended();
        assert_eq!(peers.ready().len(), 1);
        let left = peers.get_mut(&id).unwrap().backlog.len();
        assert!(left < 32, "{left} pushes wait");
        assert!(peers.take_lost_and_idle().is_empty(), "not while it takes what waits");
        for _ in 0..left + PUSHES_IN_FLIGHT_MAX {
            peers.get_mut(&id).unwrap().push_ended();
            peers.ready();
        }
        assert_eq!(peers.take_lost_and_idle(), [id], "what was dropped is sent again");
        assert!(peers.take_lost_and_idle().is_empty(), "once");
        peers.get_mut(&id).unwrap().push_failed();
        assert_eq!(peers.take_lost_and_idle(), [id], "a failed push, too");
    }

    #[test]
    fn a_peer_that_sends_garbage_is_cut_off_and_forgiven_later() {
        let (id, mut peers) = one_peer();
        let start = Instant::now();
        let peer = peers.get_mut(&id).unwrap();
        assert!(!peer.sent_garbage(GARBAGE_MAX, start));
        assert!(!peer.sent_garbage(1, start + GARBAGE_WINDOW * 2));
        assert!(peer.sent_garbage(GARBAGE_MAX, start + GARBAGE_WINDOW * 2));
        assert!(peer.is_banned(start + GARBAGE_WINDOW * 2));
        assert!(!peer.is_banned(start + GARBAGE_WINDOW * 2 + BAN));
    }

    #[test]
    fn cosignatures_beyond_the_limit_are_passed_over_until_the_window_is_over() {
        let (id, mut peers) = one_peer();
        let start = Instant::now();
        let peer = peers.get_mut(&id).unwrap();
        assert!(peer.may_send_votes(VOTES_MAX, start));
        assert!(!peer.may_send_votes(1, start + VOTES_WINDOW));
        assert!(peer.may_send_votes(1, start + VOTES_WINDOW * 2));
        assert!(!peer.is_banned(start), "it is no offence");
    }

    #[test]
    fn a_connected_peer_that_lost_cosignatures_gets_them_again_once() {
        let (id, mut peers) = one_peer();
        peers.get_mut(&id).unwrap().votes_not_taken();
        assert!(peers.take_votes_lost().is_empty(), "who is away is welcomed when it connects");
        peers.get_mut(&id).unwrap().connection_opened();
        peers.get_mut(&id).unwrap().votes_not_taken();
        assert_eq!(peers.take_votes_lost(), [id]);
        assert!(peers.take_votes_lost().is_empty());
    }

    #[test]
    fn peers_are_called_again_with_growing_pauses() {
        let (_, mut peers) = one_peer();
        let start = Instant::now();
        assert_eq!(peers.due_calls(start).len(), 1);
        assert!(peers.due_calls(start).is_empty());
        assert_eq!(peers.due_calls(start + REDIAL_FIRST).len(), 1);
        assert!(peers.due_calls(start + REDIAL_FIRST * 2).is_empty());
        assert_eq!(peers.due_calls(start + REDIAL_MAX).len(), 1);
    }
}
