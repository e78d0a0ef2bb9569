//! One request through the balancer: choose a member, send, and answer; try another member only if nothing was sent.
//!
//! Does network I/O.
//!
//! Invariants: a request reaches at most one member, because it is tried again only while hyper still holds it unwritten;
//! bodies stream in both directions; dropping the future of [`forward`] drops the request at the member.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{Either, Full};
use hyper::body::Incoming;

use super::Balancer;
use super::args::Switch;
use super::fleet::{Lease, Member};
use super::headers;
use super::policy::Facts;
use super::relay::{Relay, ResponseBody};
use super::sessions::{ID_LIMIT, lesson};
use super::upstream::{ConnectError, Connection, RequestBody};

/// A request that a member did not answer.
enum Unanswered {
    /// Nothing was sent; here is the request.
    Unsent(Box<Request<RequestBody>>, ConnectError),
    /// It may have been executed.
    Lost(hyper::Error),
}

/// Answers the request of the client at `client` (an address without port).
pub(super) async fn forward(
    balancer: &Balancer,
    request: Request<Incoming>,
    client: &str,
) -> Response<ResponseBody> {
    if request.method() == Method::CONNECT {
        return refusal(
            StatusCode::NOT_IMPLEMENTED,
            "the balancer makes no tunnels",
            None,
        );
    }
    let method = request.method().clone();
    let session = headers::session_id(request.headers())
        .filter(|id| id.len() <= ID_LIMIT)
        .map(str::to_owned);
    let facts = Facts {
        session: session.as_deref(),
        client,
    };
    let mut request = Box::new(outgoing(request, client));
    let mut tried = Vec::new();
    let mut failure = None;
    while let Some(mut lease) = balancer.fleet.choose(balancer.now(), &facts, &tried) {
        if !tried.is_empty() {
            balancer.totals.retries.fetch_add(1, Ordering::Relaxed);
        }
        tried.push(lease.member.ordinal);
        match exchange(balancer, &lease.member, request).await {
            Ok((response, connection)) => {
                let given = headers::session_id(response.headers());
                let lesson = lesson(&method, facts.session, response.status(), given);
                balancer
                    .fleet
                    .answered(balancer.now(), &lease.member, lesson);
                return answer(response, connection, lease);
            }
            Err(Unanswered::Lost(cause)) => {
                lease.end();
                // A client that broke off its own request says nothing about the member.
                if !(cause.is_user() || cause.is_body_write_aborted()) {
                    balancer.fleet.failed(balancer.now(), &lease.member);
                }
                return broken(
                    balancer,
                    &lease,
                    StatusCode::BAD_GATEWAY,
                    "lost the connection before it answered",
                );
            }
            Err(Unanswered::Unsent(unsent, cause)) => {
                lease.end();
                balancer.fleet.failed(balancer.now(), &lease.member);
                request = unsent;
                failure = Some((lease, cause));
                if balancer.fleet.settings().failover == Switch::Off {
                    break;
                }
            }
        }
    }
    match failure {
        Some((lease, cause @ ConnectError::TimedOut)) => broken(
            balancer,
            &lease,
            StatusCode::GATEWAY_TIMEOUT,
            &cause.to_string(),
        ),
        Some((lease, cause)) => broken(
            balancer,
            &lease,
            StatusCode::BAD_GATEWAY,
            &cause.to_string(),
        ),
        None => {
            balancer.totals.unavailable.fetch_add(1, Ordering::Relaxed);
            refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "no member is fit for traffic",
                None,
            )
        }
    }
}

/// The request as members get it, but for `Host`, which names the member.
fn outgoing(request: Request<Incoming>, client: &str) -> Request<RequestBody> {
    let (mut parts, body) = request.into_parts();
    headers::drop_hop_by_hop(&mut parts.headers);
    headers::add_forwarded_for(&mut parts.headers, client);
    // A client that takes the balancer for a forward proxy sends a whole URI; members expect the path.
    if parts.uri.authority().is_some() {
        parts.uri = parts
            .uri
            .path_and_query()
            .cloned()
            .map_or_else(Uri::default, Uri::from);
    }
    parts.version = Version::HTTP_11;
    Request::from_parts(parts, Either::Left(body))
}

/// Sends the request to `member`, over a pooled connection if there is one, else over a new one.
///
/// A pooled connection that turns out to be closed is no failure of the member: it may close idle ones as it likes.
async fn exchange(
    balancer: &Balancer,
    member: &Member,
    mut request: Box<Request<RequestBody>>,
) -> Result<(Response<Incoming>, Connection), Unanswered> {
    // Servers check the name by which they are called (against DNS rebinding), and know their own address.
    if let Ok(host) = HeaderValue::from_str(member.spec.address()) {
        request.headers_mut().insert(header::HOST, host);
    }
    if let Some(mut connection) = member.pool.take() {
        match connection.send(*request).await {
            Ok(response) => return Ok((response, connection)),
            Err(mut error) => match error.take_message() {
                Some(unsent) => request = Box::new(unsent),
                None => return Err(Unanswered::Lost(error.into_error())),
            },
        }
    }
    let mut connection = match Connection::open(member.spec.address(), balancer.connect_limit).await
    {
        Ok(connection) => connection,
        Err(cause) => return Err(Unanswered::Unsent(request, cause)),
    };
    match connection.send(*request).await {
        Ok(response) => Ok((response, connection)),
        Err(mut error) => match error.take_message() {
            Some(unsent) => {
                let cause = ConnectError::Closed(error.into_error());
                Err(Unanswered::Unsent(Box::new(unsent), cause))
            }
            None => Err(Unanswered::Lost(error.into_error())),
        },
    }
}

/// A member's answer as the client gets it.
fn answer(
    response: Response<Incoming>,
    connection: Connection,
    lease: Lease,
) -> Response<ResponseBody> {
    let (mut parts, body) = response.into_parts();
    headers::drop_hop_by_hop(&mut parts.headers);
    headers::name_instance(&mut parts.headers, lease.member.spec.name());
    parts.version = Version::HTTP_11;
    Response::from_parts(parts, Either::Right(Relay::new(body, connection, lease)))
}

/// The balancer's own answer where the member of `lease` gave none.
fn broken(
    balancer: &Balancer,
    lease: &Lease,
    status: StatusCode,
    what: &str,
) -> Response<ResponseBody> {
    balancer.totals.bad_gateway.fetch_add(1, Ordering::Relaxed);
    let name = lease.member.spec.name();
    refusal(status, &format!("{name} {what}"), Some(name))
}

/// An answer of the balancer itself; `tried` is the member that was tried last.
fn refusal(status: StatusCode, error: &str, tried: Option<&str>) -> Response<ResponseBody> {
    let mut fields = HeaderMap::new();
    fields.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    if let Some(tried) = tried {
        headers::name_instance(&mut fields, tried);
    }
    let text = serde_json::json!({ "error": error }).to_string();
    let mut response = Response::new(Either::Left(Full::new(Bytes::from(text))));
    *response.status_mut() = status;
    *response.headers_mut() = fields;
    response
}
