//! The routes: `/mcp`, and what a fleet's operators ask over plain HTTP.
//!
//! It does no I/O of its own. Invariant: the plain routes answer without touching a session, so that a probe tells of the
//! process and not of the protocol.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::json;

use super::args::Args;
use super::handler::Handler;
use super::layers;
use super::metrics;
use super::sessions::Shared;
use super::state::Server;

/// Pages that may call it: those of this machine.
const ORIGINS: [&str; 6] = [
    "http://localhost:*",
    "https://localhost:*",
    "http://127.0.0.1:*",
    "https://127.0.0.1:*",
    "http://[::1]:*",
    "https://[::1]:*",
];

/// Everything that `server` answers.
pub(super) fn router(server: &Arc<Server>) -> Router {
    Router::new()
        .route_service("/mcp", mcp(server))
        .route_layer(middleware::from_fn_with_state(
            Arc::clone(server),
            layers::mcp,
        ))
        .route("/health", get(health))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/config", get(config))
        .route("/metrics", get(render_metrics))
        .layer(middleware::from_fn_with_state(
            Arc::clone(server),
            layers::sign,
        ))
        .with_state(Arc::clone(server))
}

fn mcp(server: &Arc<Server>) -> StreamableHttpService<Handler, Shared> {
    let mut config = StreamableHttpServerConfig::default()
        // It is called by whatever address a balancer or a proxy has; the SDK would accept loopback names only. With none
        // given it accepts all.
        .with_allowed_hosts(server.args.sessions.allow_host.clone())
        // A browser that is led here from elsewhere says where it comes from.
        .with_allowed_origins(ORIGINS)
        // Priming is for streams that can be resumed, and the sessions see to it.
        .with_sse_retry(None);
    config.legacy_session_mode = !server.args.stateless;
    config.json_response = server.args.json;
    config.cancellation_token = server.life.cut.clone();
    let handler = Handler(Arc::clone(server));
    let sessions = Arc::new(Shared(Arc::clone(&server.sessions)));
    StreamableHttpService::new(move || Ok(handler.clone()), sessions, config)
}

async fn health(State(server): State<Arc<Server>>) -> Response {
    let status = if server.life.draining.is_cancelled() {
        "draining"
    } else {
        "ok"
    };
    Json(
        json!({"status": status, "name": server.args.name, "incarnation": server.args.incarnation}),
    )
    .into_response()
}

async fn live() -> Response {
    Json(json!({"status": "live"})).into_response()
}

async fn ready(State(server): State<Arc<Server>>) -> Response {
    if server.life.draining.is_cancelled() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(json!({"status": "draining"})),
        )
            .into_response();
    }
    Json(json!({"status": "ready"})).into_response()
}

async fn config(State(server): State<Arc<Server>>) -> Json<Args> {
    Json(server.args.clone())
}

async fn render_metrics(State(server): State<Arc<Server>>) -> Response {
    match server.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
