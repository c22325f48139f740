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

/// A budget of bytes, of answers or of submissions; cheap to clone.
#[derive(Clone, Debug)]
pub struct Budget {
    units: Arc<Semaphore>,
    bytes_max: usize,
    of: BudgetOf,
}

/// What takes its bytes from a budget.
#[derive(Clone, Copy, Debug)]
enum BudgetOf {
    Answers,
    Submissions,
}

/// The bytes of an answer until it was read, or of a submission until it was checked.
#[derive(Clone, Debug)]
pub struct Held {
    _units: Arc<[OwnedSemaphorePermit]>,
}

impl Budget {
    /// A budget of answers of so many bytes.
    pub fn of_answers(bytes_max: usize) -> Self {
        Self::new(bytes_max, BudgetOf::Answers)
    }

    /// A budget of submissions of so many bytes.
    pub fn of_submissions(bytes_max: usize) -> Self {
        Self::new(bytes_max, BudgetOf::Submissions)
    }

    fn new(bytes_max: usize, of: BudgetOf) -> Self {
        Self { units: Arc::new(Semaphore::new(units_of(bytes_max))), bytes_max, of }
    }

    /// Takes the bytes of an answer, from this budget and from that of the client's address.
    pub fn take(&self, share: Option<&Share>, answer: &impl Weigh) -> Result<Held, RpcError> {
        let units = u32::try_from(units_of(answer.weight())).unwrap_or(u32::MAX);
        let of_address = share.map(|share| match self.of {
            BudgetOf::Answers => share.answers(),
            BudgetOf::Submissions => share.submissions(),
        });
        let budgets = of_address.into_iter().chain([self]);
        let taken = budgets.map(|budget| budget.take_units(units)).collect::<Result<_, _>>()?;
        Ok(Held { _units: taken })
    }

    /// Takes the bytes of a submission as soon as they are free: of the client's address, then
    /// here. One that is larger than a budget takes all of it.
    pub async fn take_when_free(
        &self,
        share: Option<&Share>,
        bytes: usize,
    ) -> Result<Held, RpcError> {
        let mut taken = Vec::with_capacity(2);
        for budget in share.map(Share::submissions).into_iter().chain([self]) {
            let units = units_of(bytes).min(units_of(budget.bytes_max));
            let units = u32::try_from(units).unwrap_or(u32::MAX);
            // A wait uses up the turn of its task even when it ends at once, and what has arrived
            // would be checked in many small batches: it is tried without one first.
            let permit = match budget.try_units(units) {
                Some(permit) => permit,
                None => {
                    let waiting = Arc::clone(&budget.units).acquire_many_owned(units);
                    waiting.await.map_err(RpcError::failed)?
                }
            };
            taken.push(permit);
        }
        Ok(Held { _units: taken.into() })
    }

    /// The permits when they are free; those who wait for theirs come first.
    fn try_units(&self, units: u32) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.units).try_acquire_many_owned(units).ok()
    }

    fn take_units(&self, units: u32) -> Result<OwnedSemaphorePermit, RpcError> {
        self.try_units(units).ok_or_else(|| {
            let what = match self.of {
                BudgetOf::Answers => {
                    metrics::counter!("cets_rpc_answers_refused_total").increment(1);
                    format!("answers of {} bytes wait to be read already", self.bytes_max)
                }
                BudgetOf::Submissions => {
                    metrics::counter!("cets_rpc_submissions_refused_total").increment(1);
                    format!("submissions of {} bytes are being checked already", self.bytes_max)
                }
            };
            RpcError::Overloaded { what }
        })
    }
}

/// Permits for so many bytes, at least one.
fn units_of(bytes: usize) -> usize {
    bytes.div_ceil(UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS)
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
    use futures::FutureExt as _;

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
        let budget = Budget::of_answers(10 * UNIT_BYTES);
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

    #[tokio::test]
    async fn what_is_free_is_taken_in_one_turn_of_the_task() {
        let limits = RpcLimits::default();
        let share = Share::new(Arc::new(AddressShare::new(&limits)), &limits);
        let budget = Budget::of_submissions(2_000 * UNIT_BYTES);
        // The runtime lets a task make 128 such steps before others have their turn.
        let held = (0..2_000).map(|_| budget.take_when_free(Some(&share), 1).now_or_never());
        let held: Vec<_> = held.collect();
        assert!(held.iter().all(Option::is_some), "it waited although all was free");
    }

    #[test]
    fn a_submission_waits_for_the_bytes_of_others_and_the_largest_for_all_of_them() {
        let limits =
            RpcLimits { submissions_bytes_per_address_max: 4 * UNIT_BYTES, ..RpcLimits::default() };
        let address = || Share::new(Arc::new(AddressShare::new(&limits)), &limits);
        let (first, second) = (address(), address());
        let budget = Budget::of_submissions(6 * UNIT_BYTES);
        let take = |share, bytes| budget.take_when_free(Some(share), bytes).now_or_never();
        let held = take(&first, 4 * UNIT_BYTES).unwrap().unwrap();
        assert!(take(&first, 1).is_none(), "the address has taken its own");
        let other = take(&second, 2 * UNIT_BYTES).unwrap().unwrap();
        assert!(take(&second, 1).is_none(), "the budget is taken");
        drop(held);
        assert!(take(&first, usize::MAX).is_none(), "others hold a part of the budget");
        drop(other);
        take(&first, usize::MAX).unwrap().unwrap();
        take(&second, 1).unwrap().unwrap();
    }

    #[test]
    fn an_address_leaves_room_for_the_answers_to_others() {
        let limits =
            RpcLimits { answers_bytes_per_address_max: 6 * UNIT_BYTES, ..RpcLimits::default() };
        let address = || Share::new(Arc::new(AddressShare::new(&limits)), &limits);
        let (first, second) = (address(), address());
        let budget = Budget::of_answers(10 * UNIT_BYTES);
        let held = budget.take(Some(&first), &Answer(6 * UNIT_BYTES)).unwrap();
        budget.take(Some(&first), &Answer(1)).unwrap_err();
        let _other = budget.take(Some(&second), &Answer(4 * UNIT_BYTES)).unwrap();
        budget.take(Some(&second), &Answer(1)).unwrap_err();
        drop(held);
        budget.take(Some(&first), &Answer(6 * UNIT_BYTES)).unwrap();
    }
}
