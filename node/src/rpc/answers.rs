//! Answers that wait to be read: all together hold no more than so many bytes.
//!
//! A client may ask on many streams and read none of the answers. Each answer takes its bytes from
//! one budget when it is made, and from that of its client's address, and gives them back when it
//! was read or its stream is gone; beyond a budget requests are refused, which costs nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use prost::Message;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::codegen::Body;
use tonic::codegen::http::Response;

use super::RpcError;
use super::log_files::LogFile;
use super::shares::{Share, Taken};
use super::unread::Waiting;

/// Bytes of one permit of the budget.
const UNIT_BYTES: usize = 1024;

/// What an answer weighs.
pub trait Weigh {
    /// Its bytes.
    fn weight(&self) -> usize;
}

impl<M: Message> Weigh for M {
    fn weight(&self) -> usize {
        self.encoded_len()
    }
}

impl Weigh for LogFile {
    fn weight(&self) -> usize {
        self.content.len()
    }
}

/// An answer that is not made yet, of so many bytes.
#[derive(Clone, Copy, Debug)]
pub struct Reserved(pub usize);

impl Weigh for Reserved {
    fn weight(&self) -> usize {
        self.0
    }
}

/// A budget of answers; cheap to clone.
#[derive(Clone, Debug)]
pub struct Budget {
    units: Arc<Semaphore>,
    bytes_max: usize,
}

/// The bytes of an answer, until it was read.
#[derive(Clone, Debug)]
pub struct Held {
    _units: Arc<[OwnedSemaphorePermit]>,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        let units = bytes_max.div_ceil(UNIT_BYTES).min(Semaphore::MAX_PERMITS);
        Self { units: Arc::new(Semaphore::new(units)), bytes_max }
    }

    /// Takes the bytes of an answer, from this budget and from that of the client's address.
    pub fn take(&self, share: Option<&Share>, answer: &impl Weigh) -> Result<Held, RpcError> {
        let units = answer.weight().div_ceil(UNIT_BYTES).max(1);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let budgets = share.map(Share::answers).into_iter().chain([self]);
        let taken = budgets.map(|budget| budget.take_units(units)).collect::<Result<_, _>>()?;
        Ok(Held { _units: taken })
    }

    fn take_units(&self, units: u32) -> Result<OwnedSemaphorePermit, RpcError> {
        Arc::clone(&self.units).try_acquire_many_owned(units).map_err(|_| {
            metrics::counter!("cets_rpc_answers_refused_total").increment(1);
            let what = format!("answers of {} bytes wait to be read already", self.bytes_max);
            RpcError::Overloaded { what }
        })
    }
}

/// A body with the bytes of its answer and the place of its call, given back when it is gone.
#[derive(Debug)]
pub struct HeldBody<B> {
    body: Pin<Box<B>>,
    waiting: Option<Waiting>,
    _held: Option<Held>,
    _call: Option<Taken>,
}

/// Hands what an answer holds to its body: its bytes, from its extensions, and its call.
pub fn hold_body<B>(
    mut response: Response<B>,
    call: Option<Taken>,
    waiting: Option<Waiting>,
) -> Response<HeldBody<B>> {
    let held = response.extensions_mut().remove::<Held>();
    response.map(|body| HeldBody { body: Box::pin(body), waiting, _held: held, _call: call })
}

impl<B: Body<Data = Bytes>> Body for HeldBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, B::Error>>> {
        let polled = self.body.as_mut().poll_frame(context);
        if let Some(waiting) = &self.waiting {
            match &polled {
                Poll::Ready(Some(Ok(frame))) => {
                    let length = frame.data_ref().map_or(0, Bytes::len);
                    waiting.for_reader(length, tokio::time::Instant::now());
                }
                Poll::Ready(_) | Poll::Pending => waiting.for_node(),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::RpcLimits;
    use super::super::shares::AddressShare;
    use super::*;

    struct Answer(usize);

    impl Weigh for Answer {
        fn weight(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn answers_beyond_the_budget_are_refused_until_others_were_read() {
        let budget = Budget::new(10 * UNIT_BYTES);
        let first = budget.take(None, &Answer(6 * UNIT_BYTES)).unwrap();
        let small = budget.take(None, &Answer(1)).unwrap();
        let refused = budget.take(None, &Answer(4 * UNIT_BYTES)).unwrap_err();
        assert!(matches!(refused, RpcError::Overloaded { .. }));
        let mut response = Response::new(());
        response.extensions_mut().insert(first);
        let response = hold_body(response, None, None);
        assert!(budget.take(None, &Answer(4 * UNIT_BYTES)).is_err(), "it is not read yet");
        drop(response);
        budget.take(None, &Answer(9 * UNIT_BYTES)).unwrap();
        drop(small);
    }

    #[test]
    fn an_address_leaves_room_for_the_answers_to_others() {
        let limits =
            RpcLimits { answers_bytes_per_address_max: 6 * UNIT_BYTES, ..RpcLimits::default() };
        let address = || Share::new(Arc::new(AddressShare::new(&limits)), &limits);
        let (first, second) = (address(), address());
        let budget = Budget::new(10 * UNIT_BYTES);
        let held = budget.take(Some(&first), &Answer(6 * UNIT_BYTES)).unwrap();
        budget.take(Some(&first), &Answer(1)).unwrap_err();
        let _other = budget.take(Some(&second), &Answer(4 * UNIT_BYTES)).unwrap();
        budget.take(Some(&second), &Answer(1)).unwrap_err();
        drop(held);
        budget.take(Some(&first), &Answer(6 * UNIT_BYTES)).unwrap();
    }
}
