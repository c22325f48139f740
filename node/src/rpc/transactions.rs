//! The service `Transactions`: into the mempool, and what became of them.

use std::pin::Pin;
use std::time::Duration;

use cets_api::transactions_server::Transactions;
use cets_api::{
    FinalTransaction as WireFinal, GetTransactionRequest, ListTransactionsRequest,
    ListTransactionsResponse, SimulateRequest, SimulateResponse, SubmitAndWaitRequest,
    SubmitRequest, SubmitResponse,
};
use cets_contracts::block::{EventRecord, LogEntry, Receipt, touched_accounts};
use cets_contracts::codec;
use cets_contracts::rules::Language;
use cets_contracts::tx::{EnvelopeError, SignedTransaction, TxBody};
use cets_contracts::types::TxId;
use futures::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

use super::access::{Caller, Subject};
use super::answers::{Budget, Held, Reserved};
use super::config::PAGE_BYTES_MAX;
use super::desk::{Desk, held_answer, language_of_request, read_failed};
use super::report::reported;
use super::shares::Share;
use super::visible::{View, view};
use super::{RpcError, argument};
use crate::mempool::SubmitError;
use crate::read::{FinalTransaction, Simulation, SimulationError};

/// Batches of one submission stream that are checked at a time.
const SUBMISSION_BATCHES_IN_FLIGHT: usize = 2;
/// Bytes of an answer beside the transaction: its receipt and events.
const ANSWER_BYTES_BESIDE: usize = 1024;

/// Answers of the service `Transactions`.
#[derive(Clone, Debug)]
pub struct TransactionsService(pub Desk);

#[tonic::async_trait]
impl Transactions for TransactionsService {
    type SubmitStreamStream =
        Pin<Box<dyn Stream<Item = Result<SubmitResponse, Status>> + Send + 'static>>;

    async fn submit(
        &self,
        request: Request<SubmitRequest>,
    ) -> Result<Response<SubmitResponse>, Status> {
        let language = language_of_request(request.metadata());
        let held = self.0.reserve(request.extensions(), ANSWER_BYTES_BESIDE);
        let held = held.map_err(|error| error.into_status(language))?;
        let share = Share::of(request.extensions());
        let bytes = request.get_ref().transaction.len();
        let checked = self.0.submissions().take(share.as_ref(), &Reserved(bytes));
        let checked = checked.map_err(|error| error.into_status(language))?;
        let outcome = self.0.node().submit(request.into_inner().transaction).await;
        drop(checked);
        outcome
            .map(|id| held_answer(taken(&id), held))
            .map_err(|error| refused(error).into_status(language))
    }

    async fn submit_and_wait(
        &self,
        request: Request<SubmitAndWaitRequest>,
    ) -> Result<Response<WireFinal>, Status> {
        let language = language_of_request(request.metadata());
        // Its answer is the transaction with its receipt and events. The room for it is taken
        // before, because nobody should hear of a full budget about what has become final.
        let bytes = request.get_ref().transaction.len().saturating_add(ANSWER_BYTES_BESIDE);
        let held = self.0.reserve(request.extensions(), bytes);
        let held = held.map_err(|error| error.into_status(language))?;
        let SubmitAndWaitRequest { transaction, timeout_millis } = request.into_inner();
        let limits = self.0.limits();
        let millis = match u64::from(timeout_millis) {
            0 => limits.wait_millis_default,
            asked => asked.min(limits.wait_millis_max),
        };
        // Whoever holds the signed bytes sees the answer to them.
        let answer = self.0.node().submit_and_wait(transaction, Duration::from_millis(millis));
        let outcome = tokio::select! {
            outcome = answer => outcome,
            // No block is decided here any more; another node takes the same bytes.
            () = self.0.stop().cancelled() => Err(SubmitError::Stopping),
        };
        outcome.map(|answer| held_answer(whole(answer), held)).map_err(|error| {
            let error = match error {
                SubmitError::TimedOut { .. } => RpcError::TimedOut { millis },
                other => refused(other),
            };
            error.into_status(language)
        })
    }

    async fn submit_stream(
        &self,
        request: Request<Streaming<SubmitRequest>>,
    ) -> Result<Response<Self::SubmitStreamStream>, Status> {
        let language = language_of_request(request.metadata());
        let share = Share::of(request.extensions());
        let place = self.0.open_submission_stream(share.as_ref());
        let place = place.map_err(|error| error.into_status(language))?;
        let node = self.0.node().clone();
        let stop = self.0.stop().clone();
        // Whatever has arrived is one batch; while one is checked the next one gathers. Nothing
        // more is read until answers are taken, and until the budget has room for what was read, so
        // a client that does not read stops sending.
        let budget = self.0.submissions().clone();
        let answers = request
            .into_inner()
            .take_until(stop.cancelled_owned())
            .then(move |message| {
                let (budget, share) = (budget.clone(), share.clone());
                async move { arrived(&budget, share.as_ref(), message, language).await }
            })
            .ready_chunks(self.0.limits().submissions_in_flight_max.max(1))
            .map(move |chunk| {
                let node = node.clone();
                async move { submit_chunk(&node, chunk, language).await }
            })
            .buffered(SUBMISSION_BATCHES_IN_FLIGHT)
            .flat_map(futures::stream::iter)
            .map(move |answer| {
                let _held = &place;
                answer
            });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn simulate(
        &self,
        request: Request<SimulateRequest>,
    ) -> Result<Response<SimulateResponse>, Status> {
        self.0.answer(request, simulate).await
    }

    async fn get_transaction(
        &self,
        request: Request<GetTransactionRequest>,
    ) -> Result<Response<WireFinal>, Status> {
        self.0.answer(request, get_transaction).await
    }

    async fn list_transactions(
        &self,
        request: Request<ListTransactionsRequest>,
    ) -> Result<Response<ListTransactionsResponse>, Status> {
        self.0.answer(request, list_transactions).await
    }
}

fn taken(id: &TxId) -> SubmitResponse {
    SubmitResponse { tx_id: id.as_bytes().to_vec(), error: String::new() }
}

/// Why the mempool did not take a transaction.
fn refused(error: SubmitError) -> RpcError {
    match error {
        SubmitError::Envelope(error) => RpcError::Envelope(error),
        SubmitError::Stranger(reject) => RpcError::Rule(reject),
        SubmitError::PoolFull { .. }
        | SubmitError::AccountFull { .. }
        | SubmitError::StrangersFull { .. } => RpcError::Overloaded { what: error.to_string() },
        SubmitError::TimedOut { .. } => RpcError::TimedOut { millis: 0 },
        SubmitError::Stopping => RpcError::Stopping,
        SubmitError::Read(error) => read_failed(error),
    }
}

/// A transaction of a stream, with its bytes of the budget until it is checked.
struct Submitted {
    transaction: Vec<u8>,
    held: Held,
}

/// A message of a stream, as soon as the budget has room for it.
async fn arrived(
    budget: &Budget,
    share: Option<&Share>,
    message: Result<SubmitRequest, Status>,
    language: Language,
) -> Result<Submitted, Status> {
    let transaction = message?.transaction;
    let held = budget.take_when_free(share, transaction.len()).await;
    let held = held.map_err(|error| error.into_status(language))?;
    Ok(Submitted { transaction, held })
}

/// Submits what arrived together; one answer each, in order. A broken stream ends with its error.
async fn submit_chunk(
    node: &crate::NodeHandle,
    chunk: Vec<Result<Submitted, Status>>,
    language: Language,
) -> Vec<Result<SubmitResponse, Status>> {
    let mut transactions = Vec::with_capacity(chunk.len());
    let mut held = Vec::with_capacity(chunk.len());
    let mut broken = None;
    for message in chunk {
        match message {
            Ok(submitted) => {
                transactions.push(submitted.transaction);
                held.push(submitted.held);
            }
            Err(status) => {
                broken = Some(Err(reported(status, language)));
                break;
            }
        }
    }
    let outcomes = node.submit_batch(transactions).await;
    drop(held);
    let answers = outcomes.into_iter().map(|outcome| {
        Ok(match outcome {
            Ok(id) => taken(&id),
            Err(error) => {
                SubmitResponse { tx_id: Vec::new(), error: refused(error).report(language) }
            }
        })
    });
    answers.chain(broken).collect()
}

fn simulate(
    desk: &Desk,
    caller: &Caller,
    query: SimulateRequest,
) -> Result<SimulateResponse, RpcError> {
    let simulation = match (query.transaction.is_empty(), query.body.is_empty()) {
        // Its signatures are verified: who holds it signed sees what it would do.
        (false, true) => Simulation::Signed(query.transaction),
        (true, false) => unsigned(desk, caller, query)?,
        _ => {
            return Err(RpcError::Argument {
                field: "transaction",
                reason: "give either a transaction or a body".to_owned(),
            });
        }
    };
    let simulated = desk.node().simulate(simulation).map_err(|error| match error {
        SimulationError::Envelope(error) => RpcError::Envelope(error),
        SimulationError::Fault(fault) => RpcError::failed(fault),
    })?;
    Ok(SimulateResponse {
        receipt: simulated.receipt,
        events: simulated.events,
        height: simulated.height.get(),
    })
}

fn unsigned(desk: &Desk, caller: &Caller, query: SimulateRequest) -> Result<Simulation, RpcError> {
    let body: TxBody = codec::decode(&query.body).map_err(EnvelopeError::Malformed)?;
    desk.require(caller, Subject::Transactions, body.account)?;
    Ok(Simulation::Unsigned(query.body))
}

fn get_transaction(
    desk: &Desk,
    caller: &Caller,
    query: GetTransactionRequest,
) -> Result<WireFinal, RpcError> {
    caller.require_some(Subject::Transactions)?;
    let id = argument::tx_id("tx_id", &query.tx_id)?;
    let found = desk.reader().transaction(&id).map_err(read_failed)?;
    let answer = found.ok_or_else(|| RpcError::NotFound { what: format!("transaction {id}") })?;
    visible(desk, caller, answer)?.ok_or_else(|| caller.refusal(Subject::Transactions))
}

fn list_transactions(
    desk: &Desk,
    caller: &Caller,
    query: ListTransactionsRequest,
) -> Result<ListTransactionsResponse, RpcError> {
    let account = argument::account("account", &query.account)?;
    desk.require(caller, Subject::Transactions, account)?;
    let from = argument::log_page("page", &query.page)?;
    let size = desk.page_size(query.page_size);
    let page = desk.reader().outcomes(from, Some(account), size).map_err(read_failed)?;
    let full = page.outcomes.len() >= size;
    let mut transactions: Vec<WireFinal> = Vec::new();
    let mut bytes = 0usize;
    for outcome in page.outcomes {
        let receipt: Receipt = codec::decode(&outcome.receipt).map_err(RpcError::failed)?;
        let found = desk.reader().transaction(&receipt.tx_id).map_err(read_failed)?;
        let Some(seen) = found.map(|answer| visible(desk, caller, answer)).transpose()?.flatten()
        else {
            continue;
        };
        bytes = bytes.saturating_add(seen.entry.len()).saturating_add(seen.events.len());
        if bytes > PAGE_BYTES_MAX && !transactions.is_empty() {
            let next_page = seen.log_index.to_be_bytes().to_vec();
            return Ok(ListTransactionsResponse { transactions, next_page });
        }
        transactions.push(seen);
    }
    let next_page = if full { page.next.to_be_bytes().to_vec() } else { Vec::new() };
    Ok(ListTransactionsResponse { transactions, next_page })
}

fn whole(answer: FinalTransaction) -> WireFinal {
    WireFinal {
        entry: answer.entry,
        log_index: answer.log_index,
        events: answer.events,
        height: answer.height.get(),
        block_time_millis: answer.block_time.as_millis(),
        receipt: Vec::new(),
        own_effects: Vec::new(),
    }
}

/// The part of a transaction that a caller sees; none when it sees nothing.
fn visible(
    desk: &Desk,
    caller: &Caller,
    answer: FinalTransaction,
) -> Result<Option<WireFinal>, RpcError> {
    let (seen, receipt) = view_of(desk, caller, &answer.entry, &answer.events)?;
    Ok(match seen {
        View::Nothing => None,
        View::Whole => Some(whole(answer)),
        View::Part(effects) => Some(WireFinal {
            receipt: codec::encode(&receipt),
            own_effects: codec::encode(&effects),
            ..whole(FinalTransaction { entry: Vec::new(), events: Vec::new(), ..answer })
        }),
    })
}

/// What a caller sees of the transaction of an entry, and its receipt.
pub fn view_of(
    desk: &Desk,
    caller: &Caller,
    entry: &[u8],
    events: &[u8],
) -> Result<(View, Receipt), RpcError> {
    let LogEntry::Transaction { transaction, receipt } =
        codec::decode(entry).map_err(RpcError::failed)?
    else {
        return Err(RpcError::failed("a header was found where a transaction should be"));
    };
    if caller.sight(Subject::Transactions) == super::access::Sight::All {
        return Ok((View::Whole, receipt));
    }
    let signed: SignedTransaction = codec::decode(&transaction).map_err(RpcError::failed)?;
    let record: Option<EventRecord> = if events.is_empty() {
        None
    } else {
        Some(codec::decode(events).map_err(RpcError::failed)?)
    };
    let parties = touched_accounts(&signed.body, record.as_ref());
    let seen = desk.seen(caller, Subject::Transactions, parties.clone())?;
    let sees = |account| seen.contains(&account);
    Ok((view(signed.body.account, &parties, record.as_ref(), sees), receipt))
}
