//! Listens for nodes, connects them, and holds the state of all links.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::Link;
use super::pump::pump;
use crate::workload::Chooser;

/// The ports that belong to the relay: of its listeners, and of its own calls.
#[derive(Debug, Default)]
struct Ports(Mutex<BTreeSet<u16>>);

impl Ports {
    fn hold(self: &Arc<Self>, port: u16) -> HeldPort {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(port);
        HeldPort { port, ports: Arc::clone(self) }
    }

    fn all(&self) -> BTreeSet<u16> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A port that is the relay's until this is dropped.
#[derive(Debug)]
struct HeldPort {
    port: u16,
    ports: Arc<Ports>,
}

impl Drop for HeldPort {
    fn drop(&mut self) {
        self.ports.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.port);
    }
}

/// Every direction between two nodes, and the connections that take it.
#[derive(Debug)]
pub struct Relay {
    runtime: Runtime,
    nodes: usize,
    links: BTreeMap<(usize, usize), watch::Sender<Link>>,
    ports: Arc<Ports>,
    listeners: Vec<HeldPort>,
    carried: Arc<AtomicU64>,
    seed: u64,
}

impl Relay {
    /// A relay between so many nodes, all links open, with no port yet.
    pub fn new(nodes: usize, seed: u64) -> eyre::Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let pairs = (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to)));
        let links = pairs.filter(|(from, to)| from != to);
        let links = links.map(|pair| (pair, watch::Sender::new(Link::Open))).collect();
        let (ports, carried) = (Arc::default(), Arc::default());
        Ok(Self { runtime, nodes, links, ports, listeners: Vec::new(), carried, seed })
    }

    /// Opens a port through which a node calls another one's port.
    pub fn open(&mut self, caller: usize, called: usize, port: u16) -> eyre::Result<u16> {
        let listener = self.runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let own = listener.local_addr()?.port();
        self.listeners.push(self.ports.hold(own));
        let line = Line {
            target: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            there: self.links[&(caller, called)].subscribe(),
            back: self.links[&(called, caller)].subscribe(),
            ports: Arc::clone(&self.ports),
            carried: Arc::clone(&self.carried),
        };
        let chooser = Chooser::new(self.seed.wrapping_mul(65_537).wrapping_add(own.into()));
        self.runtime.spawn(line.accept(listener, chooser));
        Ok(own)
    }

    /// Sets the state of the direction from a node to another.
    pub fn set(&self, from: usize, to: usize, state: Link) {
        if let Some(link) = self.links.get(&(from, to)) {
            link.send_replace(state);
        }
    }

    /// Sets the state of all directions.
    pub fn set_all(&self, state: Link) {
        self.links.values().for_each(|link| {
            link.send_replace(state);
        });
    }

    /// Cuts some nodes off from all others, in both directions.
    pub fn part(&self, side: &[usize], state: Link) {
        for one in side {
            for other in (0..self.nodes).filter(|other| !side.contains(other)) {
                self.set(*one, other, state);
                self.set(other, *one, state);
            }
        }
    }

    /// Ports that are the relay's now.
    pub fn ports(&self) -> BTreeSet<u16> {
        self.ports.all()
    }

    /// Bytes carried until now.
    pub fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }
}

/// The way of one node to a port of another.
struct Line {
    target: SocketAddr,
    there: watch::Receiver<Link>,
    back: watch::Receiver<Link>,
    ports: Arc<Ports>,
    carried: Arc<AtomicU64>,
}

impl Line {
    async fn accept(self, listener: TcpListener, mut chooser: Chooser) {
        loop {
            // Of a connection that was gone before it was taken there is nothing to do.
            let Ok((caller, _)) = listener.accept().await else { continue };
            let choosers = [chooser.below(u64::MAX), chooser.below(u64::MAX)].map(Chooser::new);
            let line = Self {
                target: self.target,
                there: self.there.clone(),
                back: self.back.clone(),
                ports: Arc::clone(&self.ports),
                carried: Arc::clone(&self.carried),
            };
            tokio::spawn(line.connect(caller, choosers));
        }
    }

    async fn connect(mut self, caller: TcpStream, choosers: [Chooser; 2]) {
        // Closing it is then a reset, as of a host that refuses.
        caller.set_zero_linger().ok();
        if self.is_refused() || self.carries().await.is_err() || self.is_refused() {
            return;
        }
        let Ok(called) = TcpStream::connect(self.target).await else { return };
        let Ok(port) = called.local_addr().map(|address| address.port()) else { return };
        let _held = self.ports.hold(port);
        if caller.set_nodelay(true).and_then(|()| called.set_nodelay(true)).is_err() {
            return;
        }
        called.set_zero_linger().ok();
        let ((from_caller, to_caller), (from_called, to_called)) =
            (caller.into_split(), called.into_split());
        let [first, second] = choosers;
        let carried = || Arc::clone(&self.carried);
        let there = pump(from_caller, to_called, self.there.clone(), carried(), first);
        let back = pump(from_called, to_caller, self.back.clone(), carried(), second);
        let (mut to_refuse, mut back_refuse) = (self.there.clone(), self.back.clone());
        tokio::select! {
            _ = async { tokio::join!(there, back) } => {}
            _ = to_refuse.wait_for(|state| *state == Link::Refused) => {}
            _ = back_refuse.wait_for(|state| *state == Link::Refused) => {}
        }
    }

    fn is_refused(&self) -> bool {
        [&self.there, &self.back].into_iter().any(|link| *link.borrow() == Link::Refused)
    }

    /// Waits until a connection can be made: both directions carry, or refuse.
    async fn carries(&mut self) -> Result<(), watch::error::RecvError> {
        while *self.there.borrow() == Link::Silent || *self.back.borrow() == Link::Silent {
            self.there.wait_for(|state| *state != Link::Silent).await?;
            self.back.wait_for(|state| *state != Link::Silent).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream as Socket;
    use std::time::Duration;

    use super::*;

    const SHORT: Duration = Duration::from_millis(150);
    const LONG: Duration = Duration::from_secs(60);

    /// Nodes 0 and 1, and a connection of 0 to 1.
    fn connected() -> (Relay, u16, Socket, Socket) {
        let target = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut relay = Relay::new(2, 1).unwrap();
        let port = relay.open(0, 1, target.local_addr().unwrap().port()).unwrap();
        let mut caller = Socket::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let mut called = target.accept().unwrap().0;
        for socket in [&caller, &called] {
            socket.set_read_timeout(Some(LONG)).unwrap();
        }
        let mut read = [0; 4];
        caller.write_all(b"ping").unwrap();
        called.read_exact(&mut read).unwrap();
        called.write_all(b"pong").unwrap();
        caller.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"pong");
        (relay, port, caller, called)
    }

    #[test]
    fn a_silent_direction_holds_what_is_sent_and_the_other_goes_on() {
        let (relay, _, mut caller, mut called) = connected();
        relay.set(0, 1, Link::Silent);
        caller.write_all(b"held").unwrap();
        called.write_all(b"back").unwrap();
        let mut read = [0; 4];
        caller.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"back");
        called.set_read_timeout(Some(SHORT)).unwrap();
        assert!(called.read(&mut read).is_err(), "nothing arrives");
        called.set_read_timeout(Some(LONG)).unwrap();
        relay.set(0, 1, Link::Open);
        called.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"held");
    }

    #[test]
    fn a_refused_link_resets_its_connections_and_new_ones_until_it_is_healed() {
        let (relay, port, mut caller, mut called) = connected();
        relay.part(&[0], Link::Refused);
        let mut read = [0; 4];
        assert!(!matches!(caller.read(&mut read), Ok(1..)), "closed");
        assert!(!matches!(called.read(&mut read), Ok(1..)), "closed");
        let mut again = Socket::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        again.set_read_timeout(Some(LONG)).unwrap();
        assert!(!matches!(again.read(&mut read), Ok(1..)), "closed");
    }

    #[test]
    fn the_end_of_a_connection_is_passed_on() {
        let (_relay, _, caller, mut called) = connected();
        drop(caller);
        assert!(!matches!(called.read(&mut [0; 4]), Ok(1..)), "closed");
    }

    #[test]
    fn delayed_bytes_arrive_complete_and_in_order() {
        let (relay, _, mut caller, mut called) = connected();
        let weather = super::super::Weather {
            delay: Duration::from_millis(5),
            jitter: Duration::from_millis(20),
            loss_percent: 5,
            bytes_per_second: 4_000_000,
        };
        relay.set_all(Link::Bad(weather));
        let sent: Vec<u8> = (0..200_000u32).map(|number| (number % 251) as u8).collect();
        let writer = std::thread::spawn({
            let sent = sent.clone();
            move || {
                sent.chunks(5_000).for_each(|piece| caller.write_all(piece).unwrap());
                caller
            }
        });
        let mut received = vec![0; sent.len()];
        called.read_exact(&mut received).unwrap();
        assert_eq!(received, sent);
        writer.join().unwrap();
    }
}
