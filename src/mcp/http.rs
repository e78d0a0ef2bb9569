//! [`HttpLink`]: one HTTP/1.1 connection to an endpoint, over hyper's `client::conn`, with the clock's stamps.
//!
//! Impure: sockets and the clock. The connection is the link's own; nothing is pooled. Invariant: a request is written to a
//! connection at most once. A connection that hyper knows to be closed is replaced *before* the request is sent; one that fails
//! afterwards is a broken exchange.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use ::http::header::HOST;
use ::http::{Method, Request};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;

use super::dial::dial;
use super::endpoint::Endpoint;
use super::exchange::{Exchange, Item, Progress};
use super::{Link, LocalFuture, Outgoing, Verb};
use crate::clock;

/// How long the rest of an answer may take before its connection is given up.
const SETTLE: Duration = Duration::from_millis(50);
/// The most header fields of an answer.
const MAX_HEADERS: usize = 100;

/// One connection to an endpoint, opened when it is needed.
#[derive(Debug)]
pub struct HttpLink {
    endpoint: Rc<Endpoint>,
    source: Option<IpAddr>,
    sender: Option<SendRequest<Full<Bytes>>>,
    /// The body of the last answer, if it has not been read to its end.
    rest: Option<Incoming>,
}

impl HttpLink {
    /// A link without a connection; `source` is the local address that it will connect from.
    pub fn new(endpoint: Rc<Endpoint>, source: Option<IpAddr>) -> Self {
        Self {
            endpoint,
            source,
            sender: None,
            rest: None,
        }
    }

    /// The sender of an open connection, which may be an old one.
    async fn open(
        &mut self,
        exchange: &mut Exchange,
    ) -> Result<SendRequest<Full<Bytes>>, OpenError> {
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        let dialled = dial(&self.endpoint, self.source)
            .await
            .map_err(|_| OpenError)?;
        let _ = exchange.take(&Item::Connected {
            took_ns: dialled.connect_ns,
        });
        let (mut sender, connection) = Builder::new()
            .max_headers(MAX_HEADERS)
            .handshake(TokioIo::new(dialled.stream))
            .await
            .map_err(|_| OpenError)?;
        // It ends by itself when the sender and the body are dropped. What goes wrong on it shows in the exchange.
        tokio::task::spawn_local(async move {
            let _ = connection.await;
        });
        sender.ready().await.map_err(|_| OpenError)?;
        Ok(sender)
    }

    async fn run(&mut self, outgoing: Outgoing, exchange: &mut Exchange) {
        self.rest = None;
        let Ok(mut sender) = self.open(exchange).await else {
            let _ = exchange.take(&Item::Refused { at: clock::now() });
            return;
        };
        let request = self.request(outgoing);
        let _ = exchange.take(&Item::Sent { at: clock::now() });
        let Ok(response) = sender.send_request(request).await else {
            let _ = exchange.take(&Item::Broken { at: clock::now() });
            return;
        };
        let (head, body) = response.into_parts();
        let progress = exchange.take(&Item::Head {
            at: clock::now(),
            status: head.status,
            headers: &head.headers,
        });
        // Kept only now: a future that is dropped while it reads closes its connection.
        if self.read(body, progress, exchange).await {
            self.sender = Some(sender);
        }
    }

    /// Feeds the parts of a body until the exchange is complete; whether the connection is still good.
    async fn read(
        &mut self,
        mut body: Incoming,
        mut progress: Progress,
        exchange: &mut Exchange,
    ) -> bool {
        while progress == Progress::More {
            match body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(bytes) = frame.data_ref() {
                        let at = clock::now();
                        progress = exchange.take(&Item::Body { at, bytes });
                    }
                }
                Some(Err(_)) => {
                    let _ = exchange.take(&Item::Broken { at: clock::now() });
                    return false;
                }
                None => {
                    let _ = exchange.take(&Item::End { at: clock::now() });
                    return true;
                }
            }
            // A reply that the server waits for must go out while its stream is open.
            self.send_replies(exchange);
        }
        self.rest = Some(body);
        true
    }

    fn request(&self, outgoing: Outgoing) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(outgoing.body));
        *request.method_mut() = match outgoing.verb {
            Verb::Post => Method::POST,
            Verb::Get => Method::GET,
            Verb::Delete => Method::DELETE,
        };
        *request.uri_mut() = self.endpoint.path().clone();
        *request.headers_mut() = outgoing.headers;
        request
            .headers_mut()
            .insert(HOST, self.endpoint.authority().clone());
        request
    }

    /// Sends each reply on a connection of its own, beside the stream that asked for it; what becomes of it is not measured.
    fn send_replies(&self, exchange: &mut Exchange) {
        for outgoing in exchange.take_replies() {
            let mut link = Self::new(Rc::clone(&self.endpoint), self.source);
            tokio::task::spawn_local(async move {
                let mut answer = Exchange::status_only();
                let _ = tokio::time::timeout(REPLY, link.run_boxed(outgoing, &mut answer)).await;
            });
        }
    }

    fn run_boxed<'a>(
        &'a mut self,
        outgoing: Outgoing,
        exchange: &'a mut Exchange,
    ) -> LocalFuture<'a, ()> {
        Box::pin(self.run(outgoing, exchange))
    }
}

/// How long a reply to a request of the server may take.
const REPLY: Duration = Duration::from_secs(5);

/// No connection.
#[derive(Debug)]
struct OpenError;

impl Link for HttpLink {
    fn exchange<'a>(
        &'a mut self,
        outgoing: Outgoing,
        exchange: &'a mut Exchange,
    ) -> LocalFuture<'a, ()> {
        self.run_boxed(outgoing, exchange)
    }

    fn follow<'a>(&'a mut self, exchange: &'a mut Exchange) -> LocalFuture<'a, ()> {
        Box::pin(async {
            match self.rest.take() {
                Some(body) => {
                    if !self.read(body, Progress::More, exchange).await {
                        self.sender = None;
                    }
                }
                None => {
                    let _ = exchange.take(&Item::End { at: clock::now() });
                }
            }
        })
    }

    fn settle(&mut self) -> LocalFuture<'_, ()> {
        Box::pin(async {
            let Some(mut body) = self.rest.take() else {
                return;
            };
            let read_out = async { while let Some(Ok(_)) = body.frame().await {} };
            if tokio::time::timeout(SETTLE, read_out).await.is_err() {
                self.sender = None;
            }
        })
    }

    fn close(&mut self) {
        self.sender = None;
        self.rest = None;
    }

    fn beside(&self) -> Option<Box<dyn Link>> {
        Some(Box::new(Self::new(Rc::clone(&self.endpoint), self.source)))
    }
}
