//! Connections, counted: so many in all and from one address; ended when nobody speaks or reads.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep};
use tonic::transport::server::Connected;

use super::config::RpcLimits;
use super::shares::{AddressShare, Share};
use super::unread::Unread;

/// Pause after the system refused a connection, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Open connections by address.
#[derive(Debug)]
struct Counts {
    all: usize,
    by_address: BTreeMap<IpAddr, Address>,
}

/// What the connections of an address have in common.
#[derive(Clone, Debug)]
struct Address {
    connections: usize,
    share: Arc<AddressShare>,
}

/// Ends a connection that sends nothing for too long.
///
/// Whoever speaks HTTP/2 answers probes, so only those are silent that never began to speak, went
/// away without a word, or keep a connection of HTTP/1 for later.
#[derive(Debug)]
struct Silence {
    longest: Duration,
    heard: Instant,
    over: Pin<Box<Sleep>>,
}

impl Silence {
    fn new(longest: Duration) -> Self {
        let now = Instant::now();
        Self { longest, heard: now, over: Box::pin(tokio::time::sleep(longest)) }
    }

    /// Whether it is over, or an answer has waited too long for its reader; wakes the task to look
    /// again, at least as often as a connection may be silent.
    fn poll_over(&mut self, unread: &Unread, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.over.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if unread.is_over(Instant::now()) {
                return Poll::Ready(());
            }
            // Hearing something only notes the moment, so that it costs nothing.
            let Some(end) =
                self.heard.checked_add(self.longest).filter(|end| *end > Instant::now())
            else {
                return Poll::Ready(());
            };
            self.over.as_mut().reset(end);
        }
    }
}

/// Counts connections and refuses those beyond the limits.
#[derive(Clone, Debug)]
pub struct Gate {
    counts: Arc<Mutex<Counts>>,
    limits: Arc<RpcLimits>,
}

/// A counted connection's place; given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    counts: Arc<Mutex<Counts>>,
    address: IpAddr,
    share: Share,
}

impl Gate {
    /// A gate with these limits.
    pub fn new(limits: &RpcLimits) -> Self {
        Self {
            counts: Arc::new(Mutex::new(Counts { all: 0, by_address: BTreeMap::new() })),
            limits: Arc::new(limits.clone()),
        }
    }

    /// A place for a connection from an address; none when a limit is reached.
    pub fn enter(&self, address: IpAddr) -> Option<Place> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.all >= self.limits.connections_max {
            return None;
        }
        let of_address = counts.by_address.entry(address).or_insert_with(|| Address {
            connections: 0,
            share: Arc::new(AddressShare::new(&self.limits)),
        });
        // An address has an entry only while it has a connection, so this leaves none behind.
        if of_address.connections >= self.limits.connections_per_address_max {
            return None;
        }
        of_address.connections = of_address.connections.saturating_add(1);
        let share = Share::new(Arc::clone(&of_address.share), &self.limits);
        counts.all = counts.all.saturating_add(1);
        Some(Place { counts: Arc::clone(&self.counts), address, share })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all = counts.all.saturating_sub(1);
        let Some(of_address) = counts.by_address.get_mut(&self.address) else { return };
        of_address.connections = of_address.connections.saturating_sub(1);
        if of_address.connections == 0 {
            counts.by_address.remove(&self.address);
        }
    }
}

/// A connection that holds its place.
#[derive(Debug)]
pub struct Connection<S = TcpStream> {
    stream: S,
    silence: Silence,
    place: Place,
}

/// Connections of a listener, as many as the gate lets in; the others are closed at once.
pub fn accepted(
    listener: TcpListener,
    gate: Gate,
) -> impl Stream<Item = io::Result<Connection>> + Send {
    futures::stream::unfold((listener, gate), |(listener, gate)| async move {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    if let Some(connection) = admit(&gate, stream, peer) {
                        return Some((Ok(connection), (listener, gate)));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    })
}

fn admit(gate: &Gate, stream: TcpStream, peer: SocketAddr) -> Option<Connection> {
    let Some(place) = gate.enter(peer.ip()) else {
        metrics::counter!("cets_rpc_connections_refused_total").increment(1);
        tracing::debug!(%peer, "connection refused: too many are open");
        return None;
    };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "the connection was gone at once");
        return None;
    }
    Some(Connection { stream, silence: Silence::new(gate.limits.silence_max()), place })
}

impl<S> Connection<S> {
    /// Whoever takes what is sent is not silent; for who takes nothing the wait is bounded, too.
    fn note(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(1..)) => self.silence.heard = Instant::now(),
            Poll::Ready(_) => {}
            Poll::Pending => {
                if let Err(error) = self.check_silence(context) {
                    return Poll::Ready(Err(error));
                }
            }
        }
        written
    }

    /// Fails when the connection was silent, or one of its answers unread, for too long.
    fn check_silence(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.silence.poll_over(self.place.share.unread(), context).is_pending() {
            return Ok(());
        }
        metrics::counter!("cets_rpc_connections_silent_total").increment(1);
        Err(io::ErrorKind::TimedOut.into())
    }
}

impl<S> Connected for Connection<S> {
    type ConnectInfo = Share;

    fn connect_info(&self) -> Share {
        self.place.share.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(context, buffer) {
            this.silence.heard = Instant::now();
            return Poll::Ready(read);
        }
        match this.check_silence(context) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(written, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    use super::*;

    /// A connection whose probes have been due for so long, and of which nothing was heard for so
    /// long; and its client.
    fn connected(silent: Duration) -> (Connection<DuplexStream>, DuplexStream) {
        let (stream, client) = tokio::io::duplex(64);
        let limits = RpcLimits::default();
        let place = Gate::new(&limits).enter(IpAddr::from([10, 0, 0, 1])).unwrap();
        let heard = Instant::now().checked_sub(silent).unwrap();
        let over = Box::pin(tokio::time::sleep_until(heard));
        let silence = Silence { longest: Duration::from_secs(1_000), heard, over };
        (Connection { stream, silence, place }, client)
    }

    #[tokio::test]
    async fn a_connection_that_was_silent_for_too_long_ends_and_a_younger_silence_goes_on() {
        let mut heard = [0; 1];
        let (mut served, _client) = connected(Duration::from_secs(1_001));
        let error = served.read(&mut heard).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let (mut served, _client) = connected(Duration::from_secs(10));
        assert!(futures::poll!(Box::pin(served.read(&mut heard))).is_pending());
        assert!(served.silence.over.deadline() > Instant::now(), "it looks again later");
    }

    #[tokio::test]
    async fn who_speaks_or_takes_something_is_not_silent() {
        let mut heard = [0; 1];
        let (mut served, mut client) = connected(Duration::from_secs(1_001));
        client.write_all(b"x").await.unwrap();
        served.read_exact(&mut heard).await.unwrap();
        assert!(futures::poll!(Box::pin(served.read(&mut heard))).is_pending());
        let (mut served, _client) = connected(Duration::from_secs(1_001));
        served.write_all(b"x").await.unwrap();
        assert!(futures::poll!(Box::pin(served.read(&mut heard))).is_pending());
    }

    #[test]
    fn the_gate_counts_all_connections_and_those_of_one_address() {
        let limits = RpcLimits {
            connections_max: 3,
            connections_per_address_max: 2,
            ..RpcLimits::default()
        };
        let gate = Gate::new(&limits);
        let address = |last| IpAddr::from([10, 0, 0, last]);
        let first = gate.enter(address(1)).unwrap();
        let _second = gate.enter(address(1)).unwrap();
        assert!(gate.enter(address(1)).is_none(), "two from one address");
        let _third = gate.enter(address(2)).unwrap();
        assert!(gate.enter(address(3)).is_none(), "three in all");
        drop(first);
        assert!(gate.enter(address(1)).is_some());
    }
}
