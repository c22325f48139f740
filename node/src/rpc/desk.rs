//! Where requests are taken in: who asks, in which language, how many at a time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cets_api::token::TOKEN_METADATA;
use cets_contracts::rules::Language;
use cets_contracts::types::{AccountId, ProvinceCode};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Response, Status};

use super::access::{Caller, Subject, check_bearer};
use super::answers::{Budget, Held, Reserved, Weigh};
use super::config::RpcLimits;
use super::error::language_of;
use super::shares::{Places, Share, Taken};
use super::{RpcError, listing};
use crate::NodeHandle;
use crate::read::{ReadError, Reader};

/// The node and the limits of its interface; cheap to clone.
#[derive(Clone, Debug)]
pub struct Desk {
    node: NodeHandle,
    limits: Arc<RpcLimits>,
    requests: Arc<Semaphore>,
    streams: Places,
    submission_streams: Places,
    answers: Budget,
    submissions: Budget,
    stop: CancellationToken,
}

/// What is known of a request beside its message.
#[derive(Clone, Debug)]
pub struct Asker {
    /// Who asks.
    pub caller: Caller,
    /// The language of sentences.
    pub language: Language,
    /// What its connection may take.
    pub share: Option<Share>,
}

impl Desk {
    /// A desk for a node.
    pub fn new(node: NodeHandle, limits: RpcLimits, stop: CancellationToken) -> Self {
        Self {
            node,
            requests: Arc::new(Semaphore::new(limits.requests_parallel_max)),
            streams: Places::new(limits.streams_max, "streams in all"),
            submission_streams: Places::new(
                limits.submission_streams_max,
                "submission streams in all",
            ),
            answers: Budget::of_answers(limits.answers_bytes_max),
            submissions: Budget::of_submissions(limits.submissions_bytes_max),
            limits: Arc::new(limits),
            stop,
        }
    }

    /// The node.
    pub const fn node(&self) -> &NodeHandle {
        &self.node
    }

    /// Reads of the node.
    pub fn reader(&self) -> &Reader {
        self.node.reader()
    }

    /// The limits.
    pub fn limits(&self) -> &RpcLimits {
        &self.limits
    }

    /// The budget of answers.
    pub const fn answers(&self) -> &Budget {
        &self.answers
    }

    /// The budget of submissions that are not checked yet.
    pub const fn submissions(&self) -> &Budget {
        &self.submissions
    }

    /// Ends when the node stops.
    pub const fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Records on a page of which so many were asked for.
    pub fn page_size(&self, asked: u32) -> usize {
        listing::page_size(asked, self.limits.page_size_max)
    }

    /// Answers a request by work that may block.
    pub async fn answer<Q, A>(
        &self,
        request: Request<Q>,
        work: impl FnOnce(&Self, &Caller, Q) -> Result<A, RpcError> + Send + 'static,
    ) -> Result<Response<A>, Status>
    where
        Q: Send + 'static,
        A: Weigh + Send + 'static,
    {
        let language = language_of_request(request.metadata());
        let share = Share::of(request.extensions());
        let blocking = async {
            self.run_blocking(share.as_ref(), move |desk| {
                let caller = desk.caller(request.metadata())?;
                work(desk, &caller, request.into_inner())
            })
            .await?
        };
        let millis = self.limits.request_millis_max;
        tokio::time::timeout(Duration::from_millis(millis), blocking)
            .await
            .unwrap_or(Err(RpcError::TimedOut { millis }))
            .and_then(|answer| {
                self.answers.take(share.as_ref(), &answer).map(|held| (answer, held))
            })
            .map(|(answer, held)| held_answer(answer, held))
            .map_err(|error| error.into_status(language))
    }

    /// Takes the bytes of an answer before it is made.
    pub fn reserve(&self, extensions: &Extensions, bytes: usize) -> Result<Held, RpcError> {
        self.answers.take(Share::of(extensions).as_ref(), &Reserved(bytes))
    }

    /// Runs work that may block, so many at a time; each connection and each address waits in a
    /// line of its own, so that many requests of one do not stand before the few of another.
    pub async fn run_blocking<T: Send + 'static>(
        &self,
        share: Option<&Share>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, RpcError> {
        let turn = match share {
            Some(share) => Some(share.turn().await?),
            None => None,
        };
        let permit = self.requests.clone().acquire_owned().await.map_err(RpcError::failed)?;
        let desk = self.clone();
        tokio::task::spawn_blocking(move || {
            let done = work(&desk);
            drop((permit, turn));
            done
        })
        .await
        .map_err(RpcError::failed)
    }

    /// Who asks, for requests that are not answered by [`Self::answer`].
    pub fn asker<Q>(&self, request: &Request<Q>) -> Result<Asker, Status> {
        let language = language_of_request(request.metadata());
        let share = Share::of(request.extensions());
        self.caller(request.metadata())
            .map(|caller| Asker { caller, language, share })
            .map_err(|error| error.into_status(language))
    }

    /// A place among the streams that are read; refused when all are taken, or all of the address.
    pub fn open_stream(&self, share: Option<&Share>) -> Result<Taken, RpcError> {
        self.streams.take(share.map(Share::streams))
    }

    /// A place among the streams of submissions, which those that are read leave free.
    pub fn open_submission_stream(&self, share: Option<&Share>) -> Result<Taken, RpcError> {
        self.submission_streams.take(share.map(Share::submission_streams))
    }

    fn caller(&self, metadata: &MetadataMap) -> Result<Caller, RpcError> {
        let Some(value) = metadata.get(TOKEN_METADATA) else { return Ok(Caller::Public) };
        let value = value.to_str().map_err(|_| RpcError::TokenInvalid {
            reason: "it has characters outside of ASCII".to_owned(),
        })?;
        let now = self.node.now().as_millis() / 1_000;
        let token = check_bearer(value, &self.node.chain_id().to_string(), now)?;
        let account = self.reader().account(token.account).map_err(read_failed)?.answer;
        token.caller(account.as_ref())
    }

    /// Whether a caller's key still represents its account.
    pub fn still_holds(&self, caller: &Caller) -> Result<bool, RpcError> {
        let Caller::Known { account, .. } = caller else { return Ok(true) };
        let account = self.reader().account(*account).map_err(read_failed)?.answer;
        Ok(caller.still_holds(account.as_ref()))
    }

    /// The province that supervises a holder.
    pub fn province_of(&self, holder: AccountId) -> Result<Option<ProvinceCode>, RpcError> {
        let found = self.reader().account(holder).map_err(read_failed)?;
        Ok(found.answer.and_then(|account| account.province))
    }

    /// Whether a caller sees a subject of a holder.
    pub fn sees(
        &self,
        caller: &Caller,
        subject: Subject,
        holder: AccountId,
    ) -> Result<bool, RpcError> {
        caller.sees(subject, holder, |holder| self.province_of(holder))
    }

    /// Those of some holders of whom a caller sees a subject.
    pub fn seen(
        &self,
        caller: &Caller,
        subject: Subject,
        holders: BTreeSet<AccountId>,
    ) -> Result<BTreeSet<AccountId>, RpcError> {
        let mut seen = BTreeSet::new();
        for holder in holders {
            if self.sees(caller, subject, holder)? {
                seen.insert(holder);
            }
        }
        Ok(seen)
    }

    /// Refuses a caller that does not see a subject of a holder.
    pub fn require(
        &self,
        caller: &Caller,
        subject: Subject,
        holder: AccountId,
    ) -> Result<(), RpcError> {
        caller.require(subject, holder, |holder| self.province_of(holder))
    }
}

/// An answer that keeps its place in the budget until it was read.
pub fn held_answer<A>(answer: A, held: Held) -> Response<A> {
    let mut response = Response::new(answer);
    response.extensions_mut().insert(held);
    response
}

/// The language that a request asks for.
pub fn language_of_request(metadata: &MetadataMap) -> Language {
    language_of(metadata.get("accept-language").map(|value| value.as_encoded_bytes()))
}

/// A read that this node could not answer.
pub fn read_failed(error: ReadError) -> RpcError {
    RpcError::failed(error)
}
