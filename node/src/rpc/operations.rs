//! The service `Operations`: how the node is, and what happens.

use cets_api::operations_server::Operations;
use cets_api::{
    EventResponse, GetStatusRequest, ListEvidenceRequest, ListEvidenceResponse, NodeStatus,
    StreamEventsRequest,
};
use cets_contracts::block::Receipt;
use cets_contracts::codec;
use cets_contracts::types::{AccountId, LogIndex};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::access::{Caller, Sight, Subject};
use super::config::{STREAM_ANSWERS_BUFFERED_MAX, STREAM_ENTRIES_PER_READ};
use super::desk::{Asker, Desk, read_failed};
use super::evidence::list_evidence;
use super::shares::Taken;
use super::streams::{Follower, Found, Then, follow};
use super::transactions::view_of;
use super::visible::View;
use super::{RpcError, argument};
use crate::read::LoggedOutcome;

/// Answers of the service `Operations`.
#[derive(Clone, Debug)]
pub struct OperationsService(pub Desk);

#[tonic::async_trait]
impl Operations for OperationsService {
    type StreamEventsStream = ReceiverStream<Result<EventResponse, Status>>;

    async fn get_status(
        &self,
        request: Request<GetStatusRequest>,
    ) -> Result<Response<NodeStatus>, Status> {
        self.0.answer(request, |desk, _, _| status(desk)).await
    }

    async fn list_evidence(
        &self,
        request: Request<ListEvidenceRequest>,
    ) -> Result<Response<ListEvidenceResponse>, Status> {
        self.0.answer(request, |desk, _, _| list_evidence(desk)).await
    }

    async fn stream_events(
        &self,
        request: Request<StreamEventsRequest>,
    ) -> Result<Response<Self::StreamEventsStream>, Status> {
        let asker = self.0.asker(&request)?;
        let opened = open_events(&self.0, &asker, request.get_ref());
        let (place, follower) = opened.map_err(|error| error.into_status(asker.language))?;
        let stream = follow(self.0.clone(), asker, place, STREAM_ANSWERS_BUFFERED_MAX, follower);
        Ok(Response::new(stream))
    }
}

fn status(desk: &Desk) -> Result<NodeStatus, RpcError> {
    let status = desk.node().status().map_err(read_failed)?;
    Ok(NodeStatus {
        chain_id: status.chain_id.to_string(),
        network: status.network,
        node_name: status.node_name,
        version: status.version.to_owned(),
        height: status.tip.height.get(),
        block_time_millis: status.tip.time.as_millis(),
        business_date: status.tip.business_date.to_string(),
        log_size: status.tip.log_size,
        state_root: status.tip.state_root.to_string(),
        peers: u32::try_from(status.peers).unwrap_or(u32::MAX),
        mempool_transactions: u64::try_from(status.mempool.transactions).unwrap_or(u64::MAX),
        mempool_bytes: u64::try_from(status.mempool.bytes).unwrap_or(u64::MAX),
        is_validator: status.is_validator,
        is_synced: status.is_synced,
        problem: status.problem.unwrap_or_default(),
        block_id: status.tip.block_id.to_string(),
    })
}

fn open_events(
    desk: &Desk,
    asker: &Asker,
    query: &StreamEventsRequest,
) -> Result<(Taken, EventFollower), RpcError> {
    let caller = &asker.caller;
    caller.require_some(Subject::Transactions)?;
    let asked = argument::optional_account("account", &query.account)?;
    if let Some(account) = asked {
        desk.require(caller, Subject::Transactions, account)?;
    }
    let account = match (asked, caller, caller.sight(Subject::Transactions)) {
        (None, Caller::Known { account, .. }, Sight::Own) => Some(*account),
        (asked, ..) => asked,
    };
    let place = desk.open_stream(asker.share.as_ref())?;
    Ok((place, EventFollower { next: query.from_log_index, account, follow: query.follow }))
}

struct EventFollower {
    next: LogIndex,
    account: Option<AccountId>,
    follow: bool,
}

impl Follower for EventFollower {
    type Item = EventResponse;

    fn read(&mut self, desk: &Desk, caller: &Caller) -> Result<Found<EventResponse>, RpcError> {
        let page = desk
            .reader()
            .outcomes(self.next, self.account, STREAM_ENTRIES_PER_READ)
            .map_err(read_failed)?;
        let then = match (page.next > self.next, self.follow) {
            (true, _) => Then::More,
            (false, true) => Then::Wait,
            (false, false) => Then::End,
        };
        self.next = page.next;
        let mut items = Vec::with_capacity(page.outcomes.len());
        for outcome in page.outcomes {
            items.extend(visible(desk, caller, outcome)?);
        }
        Ok(Found { items, then })
    }
}

/// The part of an outcome that a caller sees; none when it sees nothing.
fn visible(
    desk: &Desk,
    caller: &Caller,
    outcome: LoggedOutcome,
) -> Result<Option<EventResponse>, RpcError> {
    let view = if caller.sight(Subject::Transactions) == Sight::All {
        View::Whole
    } else {
        let receipt: Receipt = codec::decode(&outcome.receipt).map_err(RpcError::failed)?;
        let found = desk.reader().transaction(&receipt.tx_id).map_err(read_failed)?;
        let lost = || RpcError::failed("an ordered transaction has lost its entry");
        view_of(desk, caller, &found.ok_or_else(lost)?.entry, &outcome.events)?.0
    };
    let (events, own_effects) = match view {
        View::Nothing => return Ok(None),
        View::Whole => (outcome.events, Vec::new()),
        View::Part(effects) => (Vec::new(), codec::encode(&effects)),
    };
    Ok(Some(EventResponse {
        log_index: outcome.log_index,
        height: outcome.height.get(),
        block_time_millis: outcome.block_time.as_millis(),
        receipt: outcome.receipt,
        events,
        own_effects,
    }))
}
