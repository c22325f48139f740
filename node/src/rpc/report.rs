//! The last layer before the wire: every call takes its place among the open ones or is refused,
//! every refusal has its report, every answer keeps its room in the budget until it was read.
//!
//! The services make their own reports. Refusals that arise before them, such as a message that is
//! too large or no protobuf, get one here.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use cets_contracts::rules::Language;
use tonic::codegen::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use tonic::metadata::AsciiMetadataValue;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::answers::{Budget, Held, HeldBody, Reserved, hold_body};
use super::config::RpcLimits;
use super::error::{ERROR_TRAILER, RpcError, language_of};
use super::shares::{Places, Share};

const STATUS_HEADER: &str = "grpc-status";
const MESSAGE_HEADER: &str = "grpc-message";
/// What requests of gRPC hold, with or without the name of an encoding behind it.
const GRPC_CONTENT: &[u8] = b"application/grpc";
/// Methods begin with this.
const METHOD_PREFIX: &str = "/cets.v1.";
/// The methods of the interface, as figures name them. Whatever else a caller writes shares the
/// label [`METHOD_OTHER`], so that nobody can invent series.
const METHODS: [&str; 33] = [
    "Transactions/Submit",
    "Transactions/SubmitAndWait",
    "Transactions/SubmitStream",
    "Transactions/Simulate",
    "Transactions/GetTransaction",
    "Transactions/ListTransactions",
    "Ledger/GetPublicAccount",
    "Ledger/ListPublicAccounts",
    "Ledger/GetAccount",
    "Ledger/ListAccounts",
    "Ledger/ListHoldings",
    "Ledger/StreamUnits",
    "Ledger/LookupSerial",
    "Ledger/ListObligations",
    "Ledger/ListTasks",
    "Ledger/ListSupplies",
    "Ledger/ListParameters",
    "Ledger/ListProjects",
    "Ledger/ListSettlements",
    "Ledger/TraceRange",
    "Ledger/ProveRecords",
    "Blocks/GetBlock",
    "Blocks/StreamBlocks",
    "Blocks/GetLogProof",
    "Blocks/GetConsistencyProof",
    "Blocks/GetCheckpoint",
    "Blocks/GetLogFile",
    "Blocks/GetGenesis",
    "Blocks/GetValidators",
    "Blocks/GetValidatorChanges",
    "Operations/GetStatus",
    "Operations/StreamEvents",
    "Operations/ListEvidence",
];
/// Label of calls of no known method.
const METHOD_OTHER: &str = "other";

/// Room in the budget for the answer of a call that does not take its own: the descriptions of the
/// interface, figures, health.
const OTHER_ANSWER_BYTES: usize = 256 * 1024;

/// Puts [`Reported`] around a service.
#[derive(Clone, Debug)]
pub struct ReportLayer {
    calls: Places,
    answers: Budget,
}

impl ReportLayer {
    /// A layer with these limits, which takes the room of answers from a budget.
    pub fn new(limits: &RpcLimits, answers: Budget) -> Self {
        Self { calls: Places::new(limits.calls_max, "calls in all"), answers }
    }
}

impl<S> Layer<S> for ReportLayer {
    type Service = Reported<S>;

    fn layer(&self, inner: S) -> Reported<S> {
        Reported { inner, limits: self.clone() }
    }
}

/// Adds reports to refusals and counts calls.
#[derive(Clone, Debug)]
pub struct Reported<S> {
    inner: S,
    limits: ReportLayer,
}

impl<S, A, B> Service<Request<A>> for Reported<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    B: Default + Send + 'static,
{
    type Response = Response<HeldBody<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let method = request.uri().path().strip_prefix(METHOD_PREFIX).map(label);
        let share = Share::of(request.extensions());
        let place = self.limits.calls.take(share.as_ref().map(Share::calls)).and_then(|call| {
            let is_other = method.is_none();
            let room = is_other
                .then(|| self.limits.answers.take(share.as_ref(), &Reserved(OTHER_ANSWER_BYTES)));
            Ok((call, room.transpose()?))
        });
        let (call, room) = match place {
            Ok(place) => place,
            Err(error) => {
                let refusal = refusal(&request, error);
                return Box::pin(async move { Ok(hold_body(refusal, None, None)) });
            }
        };
        let language = request.headers().get("accept-language").cloned();
        let begun = Instant::now();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            if let Some(method) = method {
                let is_grpc = response.status().is_success();
                let code = add_report(response.headers_mut(), language.as_ref());
                count(method, if is_grpc { code } else { Code::Unimplemented }, begun);
            }
            // A file of the log has taken what it weighs.
            if let Some(room) = room.filter(|_| response.extensions().get::<Held>().is_none()) {
                response.extensions_mut().insert(room);
            }
            let waiting = share.map(|share| share.unread().answer(tokio::time::Instant::now()));
            Ok(hold_body(response, Some(call), waiting))
        })
    }
}

/// The refusal of a call that found no place, in the form that its protocol has for it.
fn refusal<A, B: Default>(request: &Request<A>, error: RpcError) -> Response<B> {
    if is_grpc(request.headers()) {
        let language = request.headers().get("accept-language").map(HeaderValue::as_bytes);
        return error.into_status(language_of(language)).into_http();
    }
    let mut response = Response::new(B::default());
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    response
}

/// Whether these are headers of a call of gRPC.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get("content-type").map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(GRPC_CONTENT))
}

/// Adds a report to a refusal that has none; returns the code of the answer.
fn add_report(headers: &mut HeaderMap, accept_language: Option<&HeaderValue>) -> Code {
    let Some(status) = headers.get(STATUS_HEADER) else { return Code::Ok };
    let code = Code::from_bytes(status.as_bytes());
    if code == Code::Ok || headers.contains_key(ERROR_TRAILER) {
        return code;
    }
    let language = language_of(accept_language.map(HeaderValue::as_bytes));
    let message = headers.get(MESSAGE_HEADER).and_then(|message| message.to_str().ok());
    let reason = message.map_or_else(|| code.description().to_owned(), percent_decoded);
    let report = missing_report(code, reason).report(language);
    if let Ok(value) = HeaderValue::try_from(report) {
        headers.insert(ERROR_TRAILER, value);
    }
    code
}

/// Adds a report to a refusal that ends a stream, where it has none.
pub(super) fn reported(mut status: Status, language: Language) -> Status {
    if !status.metadata().contains_key(ERROR_TRAILER) {
        let error = missing_report(status.code(), status.message().to_owned());
        if let Ok(value) = AsciiMetadataValue::try_from(error.report(language)) {
            status.metadata_mut().insert(ERROR_TRAILER, value);
        }
    }
    status
}

fn missing_report(code: Code, reason: String) -> RpcError {
    match code {
        Code::Unimplemented => RpcError::NotFound { what: "such method at this node".to_owned() },
        Code::Internal | Code::Unknown | Code::DataLoss => {
            RpcError::Request { reason: format!("it broke off ({reason})") }
        }
        Code::Unavailable => RpcError::Stopping,
        _ => RpcError::Request { reason },
    }
}

/// A gRPC message as it was before its bytes were written as `%XX`.
fn percent_decoded(message: &str) -> String {
    let mut bytes = Vec::with_capacity(message.len());
    let mut rest = message.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = tail.get(..2).filter(|_| *first == b'%');
        let decoded = escaped
            .and_then(|digits| core::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The label of a method in figures.
fn label(method: &str) -> &'static str {
    METHODS.into_iter().find(|known| *known == method).unwrap_or(METHOD_OTHER)
}

fn count(method: &'static str, code: Code, begun: Instant) {
    metrics::histogram!("cets_rpc_seconds", "method" => method)
        .record(begun.elapsed().as_secs_f64());
    metrics::counter!("cets_rpc_requests_total", "method" => method, "code" => code_name(code))
        .increment(1);
}

const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Cancelled => "cancelled",
        Code::Unknown => "unknown",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(code: &'static str, message: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(STATUS_HEADER, HeaderValue::from_static(code));
        headers.insert(MESSAGE_HEADER, HeaderValue::from_static(message));
        headers
    }

    #[test]
    fn the_labels_of_figures_are_the_methods_of_the_interface_and_one_for_all_others() {
        let (mut service, mut methods) = ("", Vec::new());
        for line in include_str!("../../api/proto/cets.proto").lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("service ") {
                service = rest.split(' ').next().unwrap();
            } else if let Some(rest) = line.strip_prefix("rpc ") {
                methods.push(format!("{service}/{}", rest.split('(').next().unwrap()));
            }
        }
        assert_eq!(methods, METHODS);
        assert!(methods.iter().all(|method| label(method) == method));
        for invented in ["Nope/x", "Ledger/Nothing", "", "Ledger/GetAccount/", "other"] {
            assert_eq!(label(invented), METHOD_OTHER);
        }
    }

    #[test]
    fn a_refusal_without_a_report_gets_one_with_the_decoded_reason() {
        let mut headers = headers("11", "message%20too%20large");
        assert_eq!(add_report(&mut headers, None), Code::OutOfRange);
        let report: serde_json::Value =
            serde_json::from_slice(headers[ERROR_TRAILER].as_bytes()).unwrap();
        assert_eq!(report["name"], "REQUEST_INVALID");
        assert_eq!(report["sentence"], "The request cannot be read: message too large.");
    }

    #[test]
    fn a_report_that_is_there_stays_and_success_needs_none() {
        let mut with_report = headers("5", "x");
        with_report.insert(ERROR_TRAILER, HeaderValue::from_static("{}"));
        assert_eq!(add_report(&mut with_report, None), Code::NotFound);
        assert_eq!(with_report[ERROR_TRAILER], "{}");
        let mut success = headers("0", "");
        assert_eq!(add_report(&mut success, None), Code::Ok);
        assert!(!success.contains_key(ERROR_TRAILER));
    }

    #[test]
    fn a_refusal_that_ends_a_stream_has_a_report() {
        let status = reported(Status::internal("no protobuf"), Language::English);
        assert_eq!(status.code(), Code::Internal);
        let report: serde_json::Value =
            serde_json::from_slice(status.metadata().get(ERROR_TRAILER).unwrap().as_bytes())
                .unwrap();
        assert_eq!(report["name"], "REQUEST_INVALID");
        let sentence = "The request cannot be read: it broke off (no protobuf).";
        assert_eq!(report["sentence"], sentence);
        let own = RpcError::Stopping.into_status(Language::Chinese);
        let trailer = own.metadata().get(ERROR_TRAILER).cloned();
        let kept = reported(own, Language::English);
        assert_eq!(kept.metadata().get(ERROR_TRAILER).cloned(), trailer);
    }

    #[test]
    fn broken_escapes_stay_as_they_are() {
        assert_eq!(percent_decoded("a%2"), "a%2");
        assert_eq!(percent_decoded("%zz%41"), "%zzA");
        assert_eq!(percent_decoded("%E4%B8%AD"), "中");
    }
}
