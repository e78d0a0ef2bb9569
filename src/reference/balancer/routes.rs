//! What the balancer answers itself: `/health`, `/stats`, and the members API under `/_mcpload/members`.
//!
//! Reads request bodies; everything else is a look into the fleet.
//!
//! | Request | Answer |
//! |---|---|
//! | `/health` | 200 if a member is fit and passed its last checks, else 503; how many of how many |
//! | `/stats` | every member with its state and counts, sessions, totals |
//! | `GET /_mcpload/members` | the members, as in `/stats` |
//! | `POST /_mcpload/members` with `{"name", "address", "weight"}` | 201 joined, 200 replaced or already there, 400, 409 full |
//! | `DELETE /_mcpload/members/NAME` | 204, or 404; requests in flight go on |
//!
//! All answers are JSON, errors as `{"error": "…"}`. `weight` may be left out and is 1 then.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::Balancer;
use super::args::Switch;
use super::fleet::Added;
use super::member::MemberSpec;
use super::proxy;
use super::relay::ResponseBody;

/// Where the members API stands.
const MEMBERS: &str = "/_mcpload/members";
/// Longest request body of the API, in bytes.
const BODY_LIMIT: usize = 64 * 1024;

/// Answers one request: itself, or by a member.
pub(super) async fn respond(
    balancer: &Balancer,
    request: Request<Incoming>,
    client: &str,
) -> Response<ResponseBody> {
    match request.uri().path() {
        "/health" => health(balancer),
        "/stats" => stats(balancer),
        path if path == MEMBERS || path.starts_with("/_mcpload/") => {
            members(balancer, request).await
        }
        _ => proxy::forward(balancer, request, client).await,
    }
}

fn health(balancer: &Balancer) -> Response<ResponseBody> {
    let is_ready = balancer.fleet.is_ready(balancer.now());
    let (status, word) = if is_ready {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "no member is ready")
    };
    json_response(
        status,
        &json!({ "status": word, "members": balancer.fleet.members().len() }),
    )
}

fn stats(balancer: &Balancer) -> Response<ResponseBody> {
    let settings = balancer.fleet.settings();
    let (members, sessions) = balancer.fleet.report(balancer.now());
    let totals = &balancer.totals;
    json_response(
        StatusCode::OK,
        &json!({
            "uptime_seconds": balancer.now().as_secs_f64(),
            "policy": settings.policy.name,
            "sticky": settings.sticky,
            "failover": settings.failover,
            "members": members,
            "sessions": sessions,
            "totals": {
                "connections": totals.connections.load(Ordering::Relaxed),
                "requests": totals.requests.load(Ordering::Relaxed),
                "retries": totals.retries.load(Ordering::Relaxed),
                "bad_gateway": totals.bad_gateway.load(Ordering::Relaxed),
                "unavailable": totals.unavailable.load(Ordering::Relaxed),
            },
        }),
    )
}

async fn members(balancer: &Balancer, request: Request<Incoming>) -> Response<ResponseBody> {
    if balancer.admin == Switch::Off {
        return error(StatusCode::NOT_FOUND, "the members API is switched off");
    }
    let path = request.uri().path().to_owned();
    let rest = path.strip_prefix(MEMBERS).unwrap_or("/");
    match (request.method(), rest, rest.strip_prefix('/')) {
        (&Method::GET, "", _) => {
            let (members, _) = balancer.fleet.report(balancer.now());
            json_response(StatusCode::OK, &json!(members))
        }
        (&Method::POST, "", _) => add(balancer, request).await,
        (&Method::DELETE, _, Some(name)) if !name.is_empty() => {
            if balancer.fleet.remove(name) {
                let mut response = Response::new(Either::Left(Full::default()));
                *response.status_mut() = StatusCode::NO_CONTENT;
                return response;
            }
            error(StatusCode::NOT_FOUND, "there is no member of this name")
        }
        (_, "", _) => error(StatusCode::METHOD_NOT_ALLOWED, "expected GET or POST"),
        (_, _, Some(name)) if path.starts_with(MEMBERS) && !name.is_empty() => {
            error(StatusCode::METHOD_NOT_ALLOWED, "expected DELETE")
        }
        _ => error(
            StatusCode::NOT_FOUND,
            "expected /_mcpload/members or /_mcpload/members/NAME",
        ),
    }
}

async fn add(balancer: &Balancer, request: Request<Incoming>) -> Response<ResponseBody> {
    let Ok(body) = Limited::new(request.into_body(), BODY_LIMIT)
        .collect()
        .await
    else {
        return error(
            StatusCode::BAD_REQUEST,
            "the body could not be read, or is above 64 KiB",
        );
    };
    let spec: MemberSpec = match serde_json::from_slice(&body.to_bytes()) {
        Ok(spec) => spec,
        Err(cause) => return error(StatusCode::BAD_REQUEST, &cause.to_string()),
    };
    let shown = json!(spec);
    match balancer.fleet.add(spec) {
        Ok(Added::Joined) => json_response(StatusCode::CREATED, &shown),
        Ok(Added::Replaced | Added::Unchanged) => json_response(StatusCode::OK, &shown),
        Err(full) => error(StatusCode::CONFLICT, &full.to_string()),
    }
}

fn error(status: StatusCode, text: &str) -> Response<ResponseBody> {
    json_response(status, &json!({ "error": text }))
}

fn json_response(status: StatusCode, value: &Value) -> Response<ResponseBody> {
    let mut response = Response::new(Either::Left(Full::new(Bytes::from(value.to_string()))));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
