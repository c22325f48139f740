//! What one client may take of the interface, so that something is left for the others.
//!
//! The limits over all connections say how much a node holds; those of an address leave room when
//! one client asks for all of it. Every request carries the [`Share`] of its connection in its
//! extensions.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Extensions;

use super::RpcError;
use super::answers::Budget;
use super::config::RpcLimits;
use super::unread::Unread;

/// Requests of one connection that wait in the line of its address, or run.
const TURNS_PER_CONNECTION: usize = 2;

/// What the connections of an address may take together.
#[derive(Debug)]
pub struct AddressShare {
    calls: Places,
    streams: Places,
    submission_streams: Places,
    turns: Arc<Semaphore>,
    answers: Budget,
    submissions: Budget,
}

impl AddressShare {
    /// The share that the limits give to an address.
    ///
    /// Of its requests as many wait in the common line, or run, as are executed at a time.
    pub fn new(limits: &RpcLimits) -> Self {
        Self {
            calls: Places::new(limits.calls_per_address_max, "calls of one address"),
            streams: Places::new(limits.streams_per_address_max, "streams of one address"),
            submission_streams: Places::new(
                limits.submission_streams_per_address_max,
                "submission streams of one address",
            ),
            turns: Arc::new(Semaphore::new(limits.requests_parallel_max)),
            answers: Budget::of_answers(limits.answers_bytes_per_address_max),
            submissions: Budget::of_submissions(limits.submissions_bytes_per_address_max),
        }
    }
}

/// What a connection may take, and its answers that wait to be read; cheap to clone.
#[derive(Clone, Debug)]
pub struct Share {
    address: Arc<AddressShare>,
    turns: Arc<Semaphore>,
    unread: Unread,
}

/// A request's turn, until it is executed.
#[derive(Debug)]
pub struct Turn {
    _of_connection: OwnedSemaphorePermit,
    _of_address: OwnedSemaphorePermit,
}

impl Share {
    /// The share of a new connection from an address.
    pub fn new(address: Arc<AddressShare>, limits: &RpcLimits) -> Self {
        let turns = Arc::new(Semaphore::new(TURNS_PER_CONNECTION));
        Self { address, turns, unread: Unread::new(limits) }
    }

    /// That of the connection which a request came over; none of one that came over no connection.
    pub fn of(extensions: &Extensions) -> Option<Self> {
        extensions.get().cloned()
    }

    /// Places of open calls of the address.
    pub fn calls(&self) -> &Places {
        &self.address.calls
    }

    /// Places of streams that clients of the address read.
    pub fn streams(&self) -> &Places {
        &self.address.streams
    }

    /// Places of streams on which clients of the address submit.
    pub fn submission_streams(&self) -> &Places {
        &self.address.submission_streams
    }

    /// The budget of answers of the address.
    pub fn answers(&self) -> &Budget {
        &self.address.answers
    }

    /// The budget of submissions of the address.
    pub fn submissions(&self) -> &Budget {
        &self.address.submissions
    }

    /// Answers of the connection that wait for their reader.
    pub const fn unread(&self) -> &Unread {
        &self.unread
    }

    /// Waits in the line of the connection, then in that of its address.
    pub async fn turn(&self) -> Result<Turn, RpcError> {
        let of = |line: &Arc<Semaphore>| Arc::clone(line).acquire_owned();
        let of_connection = of(&self.turns).await.map_err(RpcError::failed)?;
        let of_address = of(&self.address.turns).await.map_err(RpcError::failed)?;
        Ok(Turn { _of_connection: of_connection, _of_address: of_address })
    }
}

/// Places of open calls or streams; cheap to clone.
#[derive(Clone, Debug)]
pub struct Places {
    free: Arc<Semaphore>,
    max: usize,
    what: &'static str,
}

/// The place of an open call or stream, given back when it is dropped.
#[derive(Debug)]
pub struct Taken {
    _of_all: OwnedSemaphorePermit,
    _of_address: Option<OwnedSemaphorePermit>,
}

impl Places {
    /// So many places; `what` says in a refusal what is open, and of whom.
    pub fn new(max: usize, what: &'static str) -> Self {
        Self { free: Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS))), max, what }
    }

    /// Takes a place here and one of the client's address; refused when all are taken.
    pub fn take(&self, of_address: Option<&Self>) -> Result<Taken, RpcError> {
        let of_address = of_address.map(Self::take_one).transpose()?;
        Ok(Taken { _of_all: self.take_one()?, _of_address: of_address })
    }

    fn take_one(&self) -> Result<OwnedSemaphorePermit, RpcError> {
        Arc::clone(&self.free).try_acquire_owned().map_err(|_| {
            metrics::counter!("cets_rpc_calls_refused_total").increment(1);
            let what = format!("{} {} are open already", self.max, self.what);
            RpcError::Overloaded { what }
        })
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn limits() -> RpcLimits {
        RpcLimits {
            calls_max: 3,
            calls_per_address_max: 2,
            requests_parallel_max: 3,
            ..RpcLimits::default()
        }
    }

    #[test]
    fn an_address_leaves_calls_for_another_one() {
        let places = Places::new(limits().calls_max, "calls in all");
        let address = || Share::new(Arc::new(AddressShare::new(&limits())), &limits());
        let (first, second) = (address(), address());
        let open = places.take(Some(first.calls())).unwrap();
        let _other = places.take(Some(first.calls())).unwrap();
        let refused = places.take(Some(first.calls())).unwrap_err();
        assert!(matches!(refused, RpcError::Overloaded { .. }));
        let _third = places.take(Some(second.calls())).unwrap();
        assert!(places.take(Some(second.calls())).is_err(), "three in all");
        drop(open);
        places.take(Some(second.calls())).unwrap();
    }

    #[test]
    fn a_connection_has_two_turns_and_its_address_as_many_as_are_executed() {
        let address = Arc::new(AddressShare::new(&limits()));
        let (first, second) =
            (Share::new(Arc::clone(&address), &limits()), Share::new(address, &limits()));
        let turn = |share: &Share| share.turn().now_or_never().map(Result::unwrap);
        let one = turn(&first).unwrap();
        let _two = turn(&first).unwrap();
        assert!(turn(&first).is_none(), "two of one connection");
        let _three = turn(&second).unwrap();
        assert!(turn(&second).is_none(), "three of one address");
        drop(one);
        assert!(turn(&second).is_some(), "who gave up its wait holds nothing");
        assert!(turn(&first).is_some());
    }
}
