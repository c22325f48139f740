//! Streams that follow the history.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::RpcError;
use super::access::{Caller, Subject};
use super::desk::{Asker, Desk};
use super::shares::Taken;

/// What one read found.
#[derive(Debug)]
pub struct Found<T> {
    /// The answers, in order.
    pub items: Vec<T>,
    /// What comes next.
    pub then: Then,
}

/// What comes after a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// There is more to read at once.
    More,
    /// Nothing more until a block is committed.
    Wait,
    /// The stream ends.
    End,
}

/// Reads the history on from its own position.
pub trait Follower: Send + 'static {
    /// One answer of the stream.
    type Item: Send + 'static;

    /// Reads on; blocks.
    fn read(&mut self, desk: &Desk, caller: &Caller) -> Result<Found<Self::Item>, RpcError>;
}

/// Serves a follower from a task of its own, which ends with the reader, the node or the history.
///
/// The buffer holds `buffered` answers; when it is full nothing is read until the reader takes
/// some. Before each read the caller's key must still represent its account.
pub fn follow<F: Follower>(
    desk: Desk,
    asker: Asker,
    place: Taken,
    buffered: usize,
    follower: F,
) -> ReceiverStream<Result<F::Item, Status>> {
    let (sender, receiver) = mpsc::channel(buffered);
    tokio::spawn(async move {
        let _place = place;
        let end = tokio::select! {
            end = send_all(&desk, &asker, follower, &sender) => end,
            () = desk.stop().cancelled() => Err(RpcError::Stopping),
            () = sender.closed() => Ok(()),
        };
        if let Err(error) = end {
            // The reader may be gone, then nobody needs to know.
            drop(sender.send(Err(error.into_status(asker.language))).await);
        }
    });
    ReceiverStream::new(receiver)
}

async fn send_all<F: Follower>(
    desk: &Desk,
    asker: &Asker,
    mut follower: F,
    sender: &mpsc::Sender<Result<F::Item, Status>>,
) -> Result<(), RpcError> {
    let mut commits = desk.node().commits();
    loop {
        commits.borrow_and_update();
        let caller = asker.caller;
        let (returned, found) = desk
            .run_blocking(asker.share.as_ref(), move |desk| {
                let found = read_on(&mut follower, desk, &caller);
                (follower, found)
            })
            .await?;
        follower = returned;
        let Found { items, then } = found?;
        for item in items {
            if sender.send(Ok(item)).await.is_err() {
                return Ok(());
            }
        }
        match then {
            Then::More => {}
            Then::Wait => commits.changed().await.map_err(|_| RpcError::Stopping)?,
            Then::End => return Ok(()),
        }
    }
}

fn read_on<F: Follower>(
    follower: &mut F,
    desk: &Desk,
    caller: &Caller,
) -> Result<Found<F::Item>, RpcError> {
    if !desk.still_holds(caller)? {
        return Err(RpcError::NotAllowed { what: Subject::Transactions.name() });
    }
    follower.read(desk, caller)
}
