//! What happens to every HTTP answer on its way out.
//!
//! It does no I/O of its own. Invariant: every answer is signed with the instance, whoever made it; a call counts as in
//! flight until the last byte of its answer was handed to the connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::defects::UnknownSession;
use super::json;
use super::metrics::ErrorKind;
use super::state::Server;

const INSTANCE: HeaderName = HeaderName::from_static("mcpload-instance");
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// Signs the answer, and asks the client to leave when the server drains.
pub(super) async fn sign(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    // The name was checked to be fit for a header when it was parsed.
    if let Ok(instance) = HeaderValue::try_from(server.args.instance()) {
        response.headers_mut().insert(INSTANCE, instance);
    }
    if server.life.draining.is_cancelled() {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Keeps a call in flight until its answer has ended, and changes the answer to an unknown session if told to.
pub(super) async fn mcp(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Response {
    // A GET opens a standing stream: nobody waits for its end.
    let call = (request.method() == Method::POST).then(|| server.life.calls.token());
    let session = request.headers().get(SESSION).cloned();
    let has_session = session.is_some();
    let mut response = match refused(&server, &request, session.as_ref()) {
        Some(response) => response,
        None => next.run(request).await,
    };
    if call.is_some() && server.args.json {
        response = json::plain(response).await;
    }
    // Of the SDK's answers with 404 only this one is no JSON: the others tell a modern client of an unknown method.
    let unknown_session = has_session
        && response.status() == StatusCode::NOT_FOUND
        && !response.headers().contains_key(header::CONTENT_TYPE);
    if unknown_session {
        server.metrics.error(ErrorKind::UnknownSession);
        if server.defects.unknown_session == UnknownSession::BadRequest {
            response = not_initialized();
        }
    } else if response.status().is_client_error() || response.status().is_server_error() {
        server.metrics.error(ErrorKind::Http);
    }
    response.map(|body| Body::new(Answer { body, _call: call }))
}

/// What the SDK would answer otherwise: it accepts a DELETE of any session, and calls it a fault of its own if no session
/// fits any more.
fn refused(server: &Server, request: &Request, session: Option<&HeaderValue>) -> Option<Response> {
    // A version of the modern era says that the request has nothing to do with sessions. Versions compare as text.
    let modern = request
        .headers()
        .get("mcp-protocol-version")
        .is_some_and(|version| version.as_bytes() >= b"2026-07-28".as_slice());
    if modern || server.args.stateless {
        return None;
    }
    match (request.method(), session) {
        (&Method::DELETE, Some(session)) => {
            let known = session.to_str().is_ok_and(|id| server.sessions.knows(id));
            (!known).then(|| StatusCode::NOT_FOUND.into_response())
        }
        // Without a session a legacy client can only ask for one.
        (&Method::POST, None) if server.sessions.is_full() => {
            let body = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"too many sessions"}}"#;
            let kind = [(header::CONTENT_TYPE, "application/json")];
            Some((StatusCode::SERVICE_UNAVAILABLE, kind, body).into_response())
        }
        _ => None,
    }
}

/// What servers on the first TypeScript SDK say to a session id that they do not know.
fn not_initialized() -> Response {
    let body = r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: Server not initialized"}}"#;
    (
        StatusCode::BAD_REQUEST,
        [(header::CONTENT_TYPE, "application/json")],
        body,
    )
        .into_response()
}

/// The body of an answer together with the token of its call. The size hint passes through, so that a body of known size
/// keeps its `Content-Length`.
struct Answer {
    body: Body,
    _call: Option<TaskTrackerToken>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
