//! Metrics and health.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::NodeHandle;

#[derive(Clone)]
struct Web {
    node: NodeHandle,
    figures: Option<PrometheusHandle>,
}

/// Routes `/metrics` (Prometheus text), `/health` (alive) and `/ready` (healthy and synced).
pub fn router(node: NodeHandle, figures: Option<PrometheusHandle>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health", get(health))
        .route("/ready", get(ready))
        .with_state(Web { node, figures })
}

async fn metrics(State(web): State<Web>) -> impl IntoResponse {
    let text = web.figures.map(|figures| figures.render()).unwrap_or_default();
    ([("content-type", "text/plain; version=0.0.4; charset=utf-8")], text)
}

async fn health(State(web): State<Web>) -> impl IntoResponse {
    match web.node.status() {
        Ok(status) => (StatusCode::OK, format!("alive at height {}\n", status.tip.height)),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

async fn ready(State(web): State<Web>) -> impl IntoResponse {
    match web.node.status() {
        Ok(status) => match status.problem {
            Some(problem) => (StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")),
            None if !status.is_synced => {
                let height = status.tip.height;
                (StatusCode::SERVICE_UNAVAILABLE, format!("catching up at height {height}\n"))
            }
            None => (StatusCode::OK, format!("ready at height {}\n", status.tip.height)),
        },
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}
