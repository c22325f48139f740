//! Connections, counted: so many in all and from one address.

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
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::config::RpcLimits;

/// Pause after the system refused a connection, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Open connections by address.
#[derive(Debug)]
struct Counts {
    all: usize,
    by_address: BTreeMap<IpAddr, usize>,
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

    /// Whether it is over; wakes the task when it will be.
    fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.over.as_mut().poll(context).is_pending() {
                return Poll::Pending;
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
    connections_max: usize,
    per_address_max: usize,
    silence_max: Duration,
}

/// A counted connection's place; given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    counts: Arc<Mutex<Counts>>,
    address: IpAddr,
}

impl Gate {
    /// A gate with these limits.
    pub fn new(limits: &RpcLimits) -> Self {
        Self {
            counts: Arc::new(Mutex::new(Counts { all: 0, by_address: BTreeMap::new() })),
            connections_max: limits.connections_max,
            per_address_max: limits.connections_per_address_max,
            silence_max: limits.silence_max(),
        }
    }

    /// A place for a connection from an address; none when a limit is reached.
    pub fn enter(&self, address: IpAddr) -> Option<Place> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let from_address = counts.by_address.get(&address).copied().unwrap_or(0);
        if counts.all >= self.connections_max || from_address >= self.per_address_max {
            return None;
        }
        counts.all = counts.all.saturating_add(1);
        counts.by_address.insert(address, from_address.saturating_add(1));
        Some(Place { counts: Arc::clone(&self.counts), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all = counts.all.saturating_sub(1);
        let left = counts.by_address.get(&self.address).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            counts.by_address.remove(&self.address);
        } else {
            counts.by_address.insert(self.address, left);
        }
    }
}

/// A TCP connection that holds its place.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    silence: Silence,
    _place: Place,
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
    Some(Connection { stream, silence: Silence::new(gate.silence_max), _place: place })
}

impl Connection {
    /// Whoever takes what is sent is not silent.
    fn note(&mut self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(1..)) = written {
            self.silence.heard = Instant::now();
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
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
        if this.silence.poll_over(context).is_ready() {
            metrics::counter!("cets_rpc_connections_silent_total").increment(1);
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(&written);
        written
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
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_silent_connection_ends_and_one_that_speaks_now_and_then_stays() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        let limits = RpcLimits {
            keep_alive_millis: 200,
            keep_alive_timeout_millis: 200,
            ..RpcLimits::default()
        };
        let mut served = admit(&Gate::new(&limits), stream, peer).unwrap();
        let talks = tokio::spawn(async move {
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_millis(150)).await;
                client.write_all(b"x").await.unwrap();
            }
            client
        });
        let mut heard = [0; 4];
        served.read_exact(&mut heard).await.unwrap();
        let _silent = talks.await.unwrap();
        let begun = Instant::now();
        let error = served.read(&mut heard).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
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
