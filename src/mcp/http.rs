//! [`HttpLink`]: HTTP/1.1 or HTTP/2 to an endpoint, with the clock's stamps.
//!
//! Impure: sockets and the clock. A link has a connection of its own, or borrows one of a [`Pool`]. Invariants: a request is written
//! to a connection at most once. A connection that is known to be closed is replaced *before* the request is sent; one that fails
//! afterwards is a broken exchange. Redirects are not followed. An exchange may be dropped at any moment: over HTTP/1.1 its connection
//! is closed, over HTTP/2 its stream is reset, and the link can go on. HTTP/1.1 is our own (`one`: two
//! system calls a request and no task), HTTP/2 is hyper's. Next: `shelf` keeps connections, `connection` opens them.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ::http::header::COOKIE;
use ::http::uri::PathAndQuery;
use ::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use bytes::Bytes;
use http_body_util::Full;
use rustls::ClientConfig;
use thiserror::Error;

use super::endpoint::Endpoint;
use super::exchange::{Exchange, Item, Progress};
use super::{Link, LocalFuture, Outgoing, Verb};
use crate::clock;
use crate::plan::{HttpVersion, VanishHow};

mod answer;
mod connection;
mod graveyard;
mod hold;
mod jar;
mod one;
mod request;
mod shelf;

pub use shelf::Pool;

use connection::{MAX_HEADERS, Origin};
use hold::{Flight, Hold};
use jar::Jar;
use shelf::{Lease, SendError, Sendable, Shelf};

/// How long the rest of an answer may take before its connection is given up.
const SETTLE: Duration = Duration::from_millis(50);
/// How long a reply to a request of the server may take.
const REPLY: Duration = Duration::from_secs(5);

/// How the clients of a workload connect over HTTP; one per worker and workload.
#[derive(Clone, Debug, Default)]
pub struct HttpOptions {
    /// The version of HTTP.
    pub version: HttpVersion,
    /// Whom to trust; required for https ([`super::tls::client_config`], of the same version).
    pub tls: Option<Arc<ClientConfig>>,
    /// The age at which a connection is replaced before the next request.
    pub max_age: Option<Duration>,
    /// The connections that links share; `None`: each link has its own. Waiting for one is client wait, not service time.
    pub pool: Option<Rc<Pool>>,
    /// Whether cookies that the server sets are sent back.
    pub cookies: bool,
    /// Whether [`Link::vanish`] may be asked for; costs a second descriptor for each connection.
    pub can_vanish: bool,
}

/// A way to an endpoint; connects when that is needed.
#[derive(Debug)]
pub struct HttpLink {
    origin: Origin,
    shelf: Rc<Shelf>,
    /// Whether the shelf is this link's alone.
    is_own: bool,
    /// Shared with the links beside this one: they are the same client.
    jar: Option<Rc<RefCell<Jar>>>,
    /// The connection of the last answer, if that has not been read to its end.
    unread: Option<Lease>,
    /// The grip on the connection that was used last, while it is this link's.
    hold: Option<Rc<Hold>>,
}

/// The answer has more header fields than are taken.
#[derive(Debug, Error)]
#[error("the answer has more than {MAX_HEADERS} header fields")]
struct TooManyHeaders;

/// How an exchange left its connection.
#[derive(Clone, Copy)]
enum End {
    /// The answer was read to its end.
    Read,
    /// It was not.
    Unread,
    /// The connection is of no more use.
    Broken,
}

impl HttpLink {
    /// A link without a connection; `source` is the local address that it will connect from. A connection of a pool comes from the
    /// address of the link that opened it.
    pub fn new(endpoint: Rc<Endpoint>, options: Rc<HttpOptions>, source: Option<IpAddr>) -> Self {
        let jar = options.cookies.then(Rc::default);
        let origin = Origin {
            endpoint,
            options,
            source,
        };
        let pooled = origin.options.pool.as_ref().map(|pool| pool.shelf(&origin));
        Self::of(origin, pooled, jar)
    }

    fn of(origin: Origin, pooled: Option<Rc<Shelf>>, jar: Option<Rc<RefCell<Jar>>>) -> Self {
        let is_own = pooled.is_none();
        let shelf = pooled.unwrap_or_else(|| Rc::new(Shelf::own(origin.options.version)));
        Self {
            origin,
            shelf,
            is_own,
            jar,
            unread: None,
            hold: None,
        }
    }

    /// The same client on a connection of its own.
    fn apart(&self) -> Self {
        Self::of(self.origin.clone(), None, self.jar.clone())
    }

    async fn run(&mut self, outgoing: Outgoing, exchange: &mut Exchange) {
        self.let_go();
        let mut request = self.sendable(&outgoing);
        let mut is_first = true;
        loop {
            let mut lease = match self.shelf.lend(&self.origin, exchange).await {
                Ok(lease) => lease,
                Err(error) => {
                    exchange.failed(&error);
                    let _ = exchange.take(&Item::Refused { at: clock::now() });
                    return;
                }
            };
            self.hold = lease.hold();
            // Over HTTP/2 a dropped exchange ends its stream and not the connection.
            let flight = Flight::begin(self.hold.clone().filter(|_| !lease.is_multiplexed()));
            let _ = exchange.take(&Item::Sent { at: clock::now() });
            let end = match lease.send(request).await {
                Ok((status, headers)) => self.read(status, &headers, &mut lease, exchange).await,
                // The connection was found closed, and nothing of the request was written: as if that had been known before.
                Err(SendError {
                    unsent: Some(unsent),
                    ..
                }) if is_first && !lease.is_new => {
                    flight.land();
                    drop(lease);
                    let _ = exchange.take(&Item::Unsent);
                    request = unsent;
                    is_first = false;
                    continue;
                }
                Err(SendError { error, .. }) => {
                    exchange.failed(&error);
                    let _ = exchange.take(&Item::Broken { at: clock::now() });
                    End::Broken
                }
            };
            flight.land();
            return self.keep(end, lease);
        }
    }

    fn keep(&mut self, end: End, lease: Lease) {
        match end {
            End::Read => self.give_back(lease),
            End::Unread => self.unread = Some(lease),
            End::Broken => {}
        }
    }

    /// Feeds an answer until the exchange is complete or the answer ends.
    async fn read(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        lease: &mut Lease,
        exchange: &mut Exchange,
    ) -> End {
        let at = clock::now();
        if headers.len() > MAX_HEADERS {
            exchange.failed(&TooManyHeaders);
            let _ = exchange.take(&Item::Broken { at });
            return End::Broken;
        }
        if let Some(jar) = &self.jar {
            jar.borrow_mut().take(headers);
        }
        let progress = exchange.take(&Item::Head {
            at,
            status,
            headers,
        });
        self.read_body(progress, lease, exchange).await
    }

    async fn read_body(
        &self,
        mut progress: Progress,
        lease: &mut Lease,
        exchange: &mut Exchange,
    ) -> End {
        while progress == Progress::More {
            let mut take = |bytes: &[u8]| {
                let at = clock::now();
                progress = exchange.take(&Item::Body { at, bytes });
            };
            match lease.body(&mut take).await {
                Ok(true) => {}
                Ok(false) => {
                    let _ = exchange.take(&Item::End { at: clock::now() });
                    return End::Read;
                }
                Err(error) => {
                    exchange.failed(&error);
                    let _ = exchange.take(&Item::Broken { at: clock::now() });
                    return End::Broken;
                }
            }
            // A reply that the server waits for must go out while its stream is open.
            self.send_replies(lease, exchange);
        }
        End::Unread
    }

    /// The request as the connection takes it.
    fn sendable(&self, outgoing: &Outgoing) -> Sendable {
        match self.origin.options.version {
            HttpVersion::Http1 => {
                let cookie = self.cookie(outgoing);
                let endpoint = &self.origin.endpoint;
                Sendable::One(request::bytes(endpoint, outgoing, cookie.as_ref()))
            }
            HttpVersion::Http2 => Sendable::Two(Box::new(self.request(outgoing.clone()))),
        }
    }

    /// What the jar has for the request, with the cookies that it brings itself.
    fn cookie(&self, outgoing: &Outgoing) -> Option<HeaderValue> {
        let jar = self.jar.as_ref()?.borrow();
        jar.header(outgoing.headers.get(COOKIE))
    }

    fn request(&self, outgoing: Outgoing) -> Request<Full<Bytes>> {
        let cookie = self.cookie(&outgoing);
        let mut request = Request::new(Full::new(outgoing.body));
        *request.method_mut() = match outgoing.verb {
            Verb::Post => Method::POST,
            Verb::Get => Method::GET,
            Verb::Delete => Method::DELETE,
        };
        *request.headers_mut() = outgoing.headers;
        if let Some(value) = cookie {
            request.headers_mut().insert(COOKIE, value);
        }
        *request.uri_mut() = absolute(&self.origin.endpoint);
        request
    }

    /// Sends each reply beside the stream that asked for it: as a stream of its own over HTTP/2, else on a connection of its own.
    /// What becomes of it is not measured.
    fn send_replies(&self, lease: &Lease, exchange: &mut Exchange) {
        for outgoing in exchange.take_replies() {
            if let Some(mut connection) = lease.multiplexed() {
                let request = self.request(outgoing);
                tokio::task::spawn_local(async move {
                    let sent = connection.sender.send_request(request);
                    let _ = tokio::time::timeout(REPLY, sent).await;
                });
            } else {
                let mut link = self.apart();
                tokio::task::spawn_local(async move {
                    let mut answer = Exchange::status_only();
                    let sent = link.exchange(outgoing, &mut answer);
                    let _ = tokio::time::timeout(REPLY, sent).await;
                });
            }
        }
    }

    /// Lets go of what the last exchange left behind: an answer that was not read, a connection that was severed.
    fn let_go(&mut self) {
        self.unread = None;
        if let Some(hold) = self.hold.take()
            && hold.is_severed()
        {
            drop(hold.take());
        }
    }

    fn give_back(&mut self, lease: Lease) {
        lease.give_back();
        if !self.is_own {
            // From here on it may be somebody else's.
            self.hold = None;
        }
    }
}

/// The address of an endpoint as HTTP/2 asks for it.
fn absolute(endpoint: &Endpoint) -> Uri {
    let scheme = if endpoint.scheme().is_secure() {
        "https"
    } else {
        "http"
    };
    let path = endpoint
        .path()
        .path_and_query()
        .cloned()
        .unwrap_or_else(|| PathAndQuery::from_static("/"));
    // The parts come from an address that was read as a whole, so they fit together.
    Uri::builder()
        .scheme(scheme)
        .authority(endpoint.authority().as_bytes())
        .path_and_query(path)
        .build()
        .unwrap_or_else(|_| endpoint.path().clone())
}

impl Link for HttpLink {
    fn exchange<'a>(
        &'a mut self,
        outgoing: Outgoing,
        exchange: &'a mut Exchange,
    ) -> LocalFuture<'a, ()> {
        Box::pin(self.run(outgoing, exchange))
    }

    fn follow<'a>(&'a mut self, exchange: &'a mut Exchange) -> LocalFuture<'a, ()> {
        Box::pin(async {
            let Some(mut lease) = self.unread.take() else {
                let _ = exchange.take(&Item::End { at: clock::now() });
                return;
            };
            let end = self.read_body(Progress::More, &mut lease, exchange).await;
            self.keep(end, lease);
        })
    }

    fn is_unsettled(&self) -> bool {
        self.unread.is_some()
    }

    fn settle(&mut self) -> LocalFuture<'_, ()> {
        Box::pin(async {
            let Some(mut lease) = self.unread.take() else {
                return;
            };
            let read_out = async { while let Ok(true) = lease.body(&mut |_| {}).await {} };
            if tokio::time::timeout(SETTLE, read_out).await.is_ok() {
                self.give_back(lease);
            }
        })
    }

    fn close(&mut self) {
        self.let_go();
        if self.is_own {
            self.shelf.clear();
        }
    }

    fn beside(&self) -> Option<Box<dyn Link>> {
        Some(Box::new(self.apart()))
    }

    /// A connection of a pool over HTTP/2 carries others' exchanges too: there only this link's stream is reset.
    fn vanish(&mut self, how: VanishHow) {
        let is_shared = !self.is_own && self.origin.options.version == HttpVersion::Http2;
        if how != VanishHow::Close
            && !is_shared
            && let Some(hold) = self.hold.take()
        {
            hold.sever();
            if let Some(socket) = hold.take() {
                graveyard::leave(socket, how);
            }
        }
        self.close();
    }
}
