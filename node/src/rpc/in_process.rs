//! The interface without a network, for tests that feed it bytes.

use std::future::poll_fn;
use std::pin::Pin;

use axum::Router;
use axum::body::Body;
use tokio_util::sync::CancellationToken;
use tonic::codegen::Body as _;
use tonic::codegen::http::{HeaderMap, Request};
use tower::{Layer, ServiceExt};

use super::config::RpcLimits;
use super::desk::Desk;
use super::report::ReportLayer;
use super::server::{ServeError, routes_of, services};
use crate::NodeHandle;
use crate::web::{log_router, router};

/// Everything that the port serves: gRPC, the files of the log, metrics and health.
#[derive(Clone, Debug)]
pub struct InProcess {
    routes: Router,
    layer: ReportLayer,
    stop: CancellationToken,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Status of HTTP.
    pub status: u16,
    /// Headers, and the trailers after the body.
    pub headers: HeaderMap,
    /// Bytes of the body.
    pub body: Vec<u8>,
}

impl InProcess {
    /// The interface of a node.
    ///
    /// # Errors
    /// [`ServeError::Descriptors`].
    pub(crate) fn new(
        node: NodeHandle,
        limits: RpcLimits,
        stop: CancellationToken,
    ) -> Result<Self, ServeError> {
        let desk = Desk::new(node.clone(), limits, stop.clone());
        let web = router(node, None).merge(log_router(desk.clone()));
        let routes = services(routes_of(web), &desk)?.into_axum_router();
        let layer = ReportLayer::new(desk.limits(), desk.answers().clone());
        Ok(Self { routes, layer, stop })
    }

    /// Answers a request; of a stream at most so many pieces are read.
    ///
    /// # Errors
    /// What broke the answer off.
    pub async fn answer(&self, request: Request<Body>, pieces: usize) -> Result<Answered, String> {
        let service = self.layer.layer(self.routes.clone());
        let Ok(response) = service.oneshot(request).await;
        let (parts, mut body) = response.into_parts();
        let (mut headers, mut bytes) = (parts.headers, Vec::new());
        for _ in 0..pieces {
            let Some(piece) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
            else {
                break;
            };
            match piece.map_err(|error| error.to_string())?.into_data() {
                Ok(content) => bytes.extend_from_slice(&content),
                Err(piece) => headers.extend(piece.into_trailers().unwrap_or_default()),
            }
        }
        Ok(Answered { status: parts.status.as_u16(), headers, body: bytes })
    }

    /// Ends all streams that follow the history.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}
