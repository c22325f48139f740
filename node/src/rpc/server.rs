//! What is listened on: gRPC and HTTP on one port, with the limits of the configuration.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::response::IntoResponse as _;
use cets_api::FILE_DESCRIPTOR_SET;
use cets_api::blocks_server::BlocksServer;
use cets_api::ledger_server::LedgerServer;
use cets_api::operations_server::OperationsServer;
use cets_api::transactions_server::TransactionsServer;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::codegen::http::{HeaderMap, StatusCode};
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::server::Router;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::layer::util::{Identity as NoLayer, Stack};

use super::answers::Budget;
use super::blocks::BlocksService;
use super::config::{
    ANSWER_BYTES_MAX, CALL_WINDOW_BYTES, CONNECTION_WINDOW_BYTES, RpcConfig, RpcLimits, TlsConfig,
};
use super::connections::{Gate, accepted};
use super::desk::Desk;
use super::ledger::LedgerService;
use super::operations::OperationsService;
use super::report::{ReportLayer, is_grpc};
use super::transactions::TransactionsService;
use crate::NodeHandle;
use crate::web::log_router;

/// Interval at which the health service is told how the node is.
const HEALTH_INTERVAL: Duration = Duration::from_secs(1);
/// Longest wait for requests under way when the node stops.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// Most bytes of the headers of a request.
const HEADER_BYTES_MAX: u32 = 16 * 1024;
/// Most streams that a client may reset before they were served.
const RESET_STREAMS_PENDING_MAX: usize = 64;

/// Why the interface is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}; is another node running, or is it the address of \
         another machine?"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file of the TLS identity cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    TlsFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The TLS identity cannot be used.
    #[error(
        "the TLS certificate or key cannot be used: {0}; both are PEM files and belong together"
    )]
    Tls(tonic::transport::Error),
    /// The descriptors of the interface cannot be read.
    #[error("the descriptors of the interface cannot be read: {0}")]
    Descriptors(tonic_reflection::server::Error),
    /// Serving failed.
    #[error("the interface stopped: {0}")]
    Serve(tonic::transport::Error),
}

/// The interface of a node, listening and not yet served.
#[derive(Debug)]
pub struct RpcServer {
    listener: TcpListener,
    address: SocketAddr,
    config: RpcConfig,
}

impl RpcServer {
    /// Listens on the configured address; port 0 takes a free one.
    pub async fn bind(config: RpcConfig) -> Result<Self, ServeError> {
        let wanted = config.listen;
        let failed = |source| ServeError::Listen { address: wanted, source };
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, config })
    }

    /// The address it listens on.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`: gRPC, the files of the log, and what else the port serves over HTTP.
    pub async fn serve(
        self,
        node: NodeHandle,
        web: axum::Router,
        stop: CancellationToken,
    ) -> Result<(), ServeError> {
        let Self { listener, config, .. } = self;
        let desk = Desk::new(node.clone(), config.limits.clone(), stop.clone());
        let (reporter, health) = tonic_health::server::health_reporter();
        let watch = tokio::spawn(watch_health(node, reporter, stop.clone()));
        let web = web.merge(log_router(desk.clone()));
        let routes = services(routes_of(web).add_service(health), &desk)?;
        let layer = ReportLayer::new(&config.limits, desk.answers().clone());
        let server = match &config.tls {
            None => server(&config.limits),
            Some(tls) => {
                server(&config.limits).tls_config(tls_identity(tls)?).map_err(ServeError::Tls)?
            }
        };
        let router = server.layer(layer).add_routes(routes);
        let ended = serve_router(router, listener, &config.limits, stop).await;
        watch.abort();
        ended
    }
}

/// Serves routes over HTTP alone until `stop`, with the limits of the interface.
pub(crate) async fn serve_web(
    listener: TcpListener,
    web: axum::Router,
    limits: &RpcLimits,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let layer = ReportLayer::new(limits, Budget::of_answers(limits.answers_bytes_max));
    let router = server(limits).layer(layer).add_routes(routes_of(web));
    serve_router(router, listener, limits, stop).await
}

/// Serves until `stop`; requests under way then have [`STOP_GRACE`] to end.
async fn serve_router(
    router: Router<Stack<ReportLayer, NoLayer>>,
    listener: TcpListener,
    limits: &RpcLimits,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let incoming = accepted(listener, Gate::new(limits));
    tokio::select! {
        ended = router.serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned()) => {
            ended.map_err(ServeError::Serve)
        }
        () = grace(&stop) => Ok(()),
    }
}

/// Ends when requests under way had their time after `stop`.
async fn grace(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(STOP_GRACE).await;
}

fn server(limits: &RpcLimits) -> Server {
    let streams = usize::try_from(limits.streams_per_connection_max).unwrap_or(usize::MAX);
    Server::builder()
        .accept_http1(true)
        .max_concurrent_streams(limits.streams_per_connection_max)
        .concurrency_limit_per_connection(streams)
        .http2_keepalive_interval(Some(Duration::from_millis(limits.keep_alive_millis)))
        .http2_keepalive_timeout(Some(Duration::from_millis(limits.keep_alive_timeout_millis)))
        .initial_stream_window_size(CALL_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(RESET_STREAMS_PENDING_MAX))
}

fn tls_identity(tls: &TlsConfig) -> Result<ServerTlsConfig, ServeError> {
    let identity = Identity::from_pem(read(&tls.certificate)?, read(&tls.key)?);
    let config = ServerTlsConfig::new().identity(identity);
    Ok(match &tls.client_authority {
        Some(path) => config.client_ca_root(Certificate::from_pem(read(path)?)),
        None => config,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, ServeError> {
    std::fs::read(path).map_err(|source| ServeError::TlsFile { path: path.to_owned(), source })
}

/// What the port serves over HTTP; a call of a service that is not there is unimplemented, any
/// other unknown path not found.
pub(super) fn routes_of(web: axum::Router) -> Routes {
    Routes::from(web.fallback(|headers: HeaderMap| async move {
        if !is_grpc(&headers) {
            return StatusCode::NOT_FOUND.into_response();
        }
        Status::unimplemented("there is no such service").into_http::<axum::body::Body>()
    }))
}

pub(super) fn services(routes: Routes, desk: &Desk) -> Result<Routes, ServeError> {
    let RpcLimits { request_bytes_max, .. } = *desk.limits();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(ServeError::Descriptors)?;
    macro_rules! limited {
        ($server:expr) => {
            $server
                .max_decoding_message_size(request_bytes_max)
                .max_encoding_message_size(ANSWER_BYTES_MAX)
        };
    }
    Ok(routes
        .add_service(reflection)
        .add_service(limited!(TransactionsServer::new(TransactionsService(desk.clone()))))
        .add_service(limited!(LedgerServer::new(LedgerService(desk.clone()))))
        .add_service(limited!(BlocksServer::new(BlocksService(desk.clone()))))
        .add_service(limited!(OperationsServer::new(OperationsService(desk.clone()))))
        .prepare())
}

/// Tells the health service how the node is, under the name of each service and the empty one.
async fn watch_health(node: NodeHandle, reporter: HealthReporter, stop: CancellationToken) {
    let names = [
        "",
        <TransactionsServer<TransactionsService> as NamedService>::NAME,
        <LedgerServer<LedgerService> as NamedService>::NAME,
        <BlocksServer<BlocksService> as NamedService>::NAME,
        <OperationsServer<OperationsService> as NamedService>::NAME,
    ];
    let mut told = None;
    while !stop.is_cancelled() {
        let well = node.status().is_ok_and(|status| status.problem.is_none() && status.is_synced);
        let status = if well { ServingStatus::Serving } else { ServingStatus::NotServing };
        if told != Some(well) {
            for name in names {
                reporter.set_service_status(name, status).await;
            }
            told = Some(well);
        }
        tokio::select! {
            () = tokio::time::sleep(HEALTH_INTERVAL) => {}
            () = stop.cancelled() => {}
        }
    }
    for name in names {
        reporter.set_service_status(name, ServingStatus::NotServing).await;
    }
}
