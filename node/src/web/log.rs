//! The files of the log over HTTP.

use axum::Router;
use axum::extract::{Request as HttpRequest, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, VARY, WWW_AUTHENTICATE,
};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use cets_contracts::transparency::LogPath;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Status};

use crate::rpc::{Desk, Held, LogFile, log_file};

/// The checkpoint may be a second old wherever it is kept.
const NEWEST: &str = "public, max-age=1";
/// A full tile never changes.
const FULL_TILE: &str = "public, max-age=31536000, immutable";
/// A partial tile never changes either, but a fuller one takes its place.
const PARTIAL_TILE: &str = "public, max-age=3600";
/// Entries are for the one who asked.
const FULL_ENTRIES: &str = "private, max-age=31536000, immutable";
const PARTIAL_ENTRIES: &str = "private, max-age=3600";
/// A refusal is of this moment.
const REFUSAL: &str = "no-store";

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

/// Routes the files of the log.
pub(crate) fn log_router(desk: Desk) -> Router {
    Router::new()
        .route("/checkpoint", get(file))
        .route("/tlog-policy", get(file))
        .route("/tile/{*path}", get(file))
        .with_state(desk)
}

async fn file(State(desk): State<Desk>, request: HttpRequest) -> Response {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let (parts, _) = request.into_parts();
    let metadata = MetadataMap::from_headers(parts.headers);
    let request = Request::from_parts(metadata, parts.extensions, path);
    let answer = desk.answer(request, |desk, caller, path| log_file(desk, caller, &path)).await;
    match answer {
        Ok(found) => {
            let (_, LogFile { path, content }, extensions) = found.into_parts();
            let mut response = (headers_of(&path), content).into_response();
            // The answer keeps its place in the budget until it was read.
            if let Some(held) = extensions.get::<Held>() {
                response.extensions_mut().insert(held.clone());
            }
            response
        }
        Err(status) => refusal(&status),
    }
}

fn headers_of(path: &LogPath) -> [(HeaderName, &'static str); 3] {
    let (kind, cache) = match path {
        LogPath::Checkpoint | LogPath::Policy => (TEXT, NEWEST),
        LogPath::Tile(tile) if tile.is_full() => (BYTES, FULL_TILE),
        LogPath::Tile(_) => (BYTES, PARTIAL_TILE),
        LogPath::Entries(tile) if tile.is_full() => (BYTES, FULL_ENTRIES),
        LogPath::Entries(_) => (BYTES, PARTIAL_ENTRIES),
    };
    let about_access = match path {
        // Verifiers that run in web pages read what is public.
        LogPath::Checkpoint | LogPath::Policy | LogPath::Tile(_) => {
            (ACCESS_CONTROL_ALLOW_ORIGIN, "*")
        }
        LogPath::Entries(_) => (VARY, "authorization"),
    };
    [(CONTENT_TYPE, kind), (CACHE_CONTROL, cache), about_access]
}

/// The sentence of a refusal, under the status that HTTP has for it.
fn refusal(status: &Status) -> Response {
    let code = match status.code() {
        Code::InvalidArgument => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let headers = [(CONTENT_TYPE, TEXT), (CACHE_CONTROL, REFUSAL)];
    let mut response = (code, headers, format!("{}\n", status.message())).into_response();
    if code == StatusCode::UNAUTHORIZED {
        let scheme = axum::http::HeaderValue::from_static("Bearer");
        response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    }
    response
}
