//! Carries the bytes of one direction of a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::Link;
use crate::workload::Chooser;

/// Largest piece that is carried at a time.
const PIECE_BYTES: usize = 16 * 1024;
/// Pieces under way at most; the sender waits beyond them, as at a full window of TCP.
const PIECES_MAX: usize = 256;

struct Piece {
    bytes: Vec<u8>,
    arrives: Instant,
}

/// Carries bytes until either end closes; the end is passed on like the bytes before it.
pub async fn pump(
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    link: watch::Receiver<Link>,
    carried: Arc<AtomicU64>,
    chooser: Chooser,
) {
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    let reader = read(from, sender, link.clone(), chooser);
    let writer = write(to, receiver, link, &carried);
    tokio::join!(reader, writer);
}

async fn read(
    mut from: OwnedReadHalf,
    pieces: mpsc::Sender<Piece>,
    link: watch::Receiver<Link>,
    mut chooser: Chooser,
) {
    // The line is busy until then, and what was sent first arrives first.
    let (mut line_free, mut last) = (Instant::now(), Instant::now());
    loop {
        let mut bytes = vec![0; PIECE_BYTES];
        let read = tokio::select! {
            read = from.read(&mut bytes) => read,
            () = pieces.closed() => return,
        };
        let Ok(length @ 1..) = read else { return };
        bytes.truncate(length);
        let now = Instant::now();
        let state = *link.borrow();
        let travel = match state {
            Link::Bad(weather) => {
                let starts = line_free.max(now);
                line_free = starts + weather.transmission(length);
                starts - now + weather.travel(length, &mut chooser)
            }
            Link::Open | Link::Silent | Link::Refused => Duration::ZERO,
        };
        last = last.max(now + travel);
        if pieces.send(Piece { bytes, arrives: last }).await.is_err() {
            return;
        }
    }
}

async fn write(
    mut to: OwnedWriteHalf,
    mut pieces: mpsc::Receiver<Piece>,
    mut link: watch::Receiver<Link>,
    carried: &AtomicU64,
) {
    while let Some(piece) = pieces.recv().await {
        tokio::time::sleep_until(piece.arrives).await;
        if link.wait_for(|state| !state.is_cut()).await.is_err() {
            return;
        }
        carried.fetch_add(piece.bytes.len() as u64, Ordering::Relaxed);
        if to.write_all(&piece.bytes).await.is_err() {
            return;
        }
    }
    if link.wait_for(|state| !state.is_cut()).await.is_ok() {
        // An error says that the other end is gone already.
        to.shutdown().await.ok();
    }
}
