//! Answers that wait to be read: all together hold no more than so many bytes.
//!
//! A client may ask on many streams and read none of the answers. Each answer takes its bytes from
//! one budget when it is made and gives them back when it was read or its stream is gone; beyond
//! the budget requests are refused, which costs nothing.

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

/// The budget of all answers; cheap to clone.
#[derive(Clone, Debug)]
pub struct Budget {
    units: Arc<Semaphore>,
    bytes_max: usize,
}

/// The bytes of an answer, until it was read.
#[derive(Clone, Debug)]
pub struct Held {
    _units: Arc<OwnedSemaphorePermit>,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        let units = bytes_max.div_ceil(UNIT_BYTES).min(Semaphore::MAX_PERMITS);
        Self { units: Arc::new(Semaphore::new(units)), bytes_max }
    }

    /// Takes the bytes of an answer.
    pub fn take(&self, answer: &impl Weigh) -> Result<Held, RpcError> {
        let units = answer.weight().div_ceil(UNIT_BYTES).max(1);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let taken = Arc::clone(&self.units).try_acquire_many_owned(units);
        taken.map(|units| Held { _units: Arc::new(units) }).map_err(|_| {
            metrics::counter!("cets_rpc_answers_refused_total").increment(1);
            let what = format!("answers of {} bytes wait to be read already", self.bytes_max);
            RpcError::Overloaded { what }
        })
    }
}

/// A body with the bytes of its answer, given back when it is gone.
#[derive(Debug)]
pub struct HeldBody<B> {
    body: Pin<Box<B>>,
    _held: Option<Held>,
}

/// Hands what an answer holds from its extensions to its body.
pub fn hold_body<B>(mut response: Response<B>) -> Response<HeldBody<B>> {
    let held = response.extensions_mut().remove::<Held>();
    response.map(|body| HeldBody { body: Box::pin(body), _held: held })
}

impl<B: Body<Data = Bytes>> Body for HeldBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, B::Error>>> {
        self.body.as_mut().poll_frame(context)
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
        let first = budget.take(&Answer(6 * UNIT_BYTES)).unwrap();
        let small = budget.take(&Answer(1)).unwrap();
        let refused = budget.take(&Answer(4 * UNIT_BYTES)).unwrap_err();
        assert!(matches!(refused, RpcError::Overloaded { .. }));
        let mut response = Response::new(());
        response.extensions_mut().insert(first);
        let response = hold_body(response);
        assert!(budget.take(&Answer(4 * UNIT_BYTES)).is_err(), "it is not read yet");
        drop(response);
        budget.take(&Answer(9 * UNIT_BYTES)).unwrap();
        drop(small);
    }
}
