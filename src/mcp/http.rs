//! [`HttpLink`]: one HTTP/1.1 connection to an endpoint, over hyper's `client::conn`, with the clock's stamps.
//!
//! Impure: sockets and the clock. The connection is the link's own; nothing is pooled. Invariant: a request is written to a
//! connection at most once. A connection that hyper knows to be closed is replaced *before* the request is sent; one that fails
//! afterwards is a broken exchange.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use ::http::header::HOST;
use ::http::{HeaderValue, Method, Request, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::IpBindAddressNoPort;
use thiserror::Error;
use tokio::net::{TcpSocket, TcpStream};

use super::exchange::{Exchange, Item, Progress};
use super::{Link, LocalFuture, Outgoing, Verb};
use crate::clock;

/// How long the rest of an answer may take before its connection is given up.
const SETTLE: Duration = Duration::from_millis(50);
/// The most header fields of an answer.
const MAX_HEADERS: usize = 100;

/// Where a link goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
    path: Uri,
    authority: HeaderValue,
}

/// Why a URL is no endpoint.
#[derive(Debug, Error)]
pub enum EndpointError {
    /// It cannot be read.
    #[error("{url:?} is no URL")]
    Form {
        /// The text.
        url: String,
        /// What is wrong.
        source: ::http::uri::InvalidUri,
    },
    /// It has no host, or another scheme.
    #[error(
        "{0:?} is no URL that mcpload can drive: expected http://HOST[:PORT]/PATH (TLS is not supported yet)"
    )]
    Scheme(String),
}

impl Endpoint {
    /// Reads `http://host[:port]/path`.
    ///
    /// # Errors
    /// If it is of another form; https is not supported yet.
    pub fn parse(url: &str) -> Result<Self, EndpointError> {
        let uri: Uri = url.parse().map_err(|source| EndpointError::Form {
            url: url.to_owned(),
            source,
        })?;
        let refused = || EndpointError::Scheme(url.to_owned());
        let authority = uri.authority().ok_or_else(refused)?;
        if uri.scheme_str() != Some("http") || authority.as_str().contains('@') {
            return Err(refused());
        }
        let host = authority.host();
        let path = uri
            .path_and_query()
            .cloned()
            .map_or_else(|| Uri::from_static("/"), Uri::from);
        Ok(Self {
            host: host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port: authority.port_u16().unwrap_or(80),
            path,
            authority: HeaderValue::from_str(authority.as_str()).map_err(|_| refused())?,
        })
    }

    /// Connects to the first address that accepts: a name such as `localhost` may have one that nobody listens on.
    async fn connect(&self, source: Option<IpAddr>) -> std::io::Result<TcpStream> {
        let addresses: Vec<SocketAddr> = match self.host.parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, self.port)],
            Err(_) => tokio::net::lookup_host((self.host.as_str(), self.port))
                .await?
                .collect(),
        };
        let mut last = std::io::Error::other("the name has no address");
        for address in addresses {
            match connect_to(address, source).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

async fn connect_to(address: SocketAddr, source: Option<IpAddr>) -> std::io::Result<TcpStream> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(source) = source.filter(|source| source.is_ipv4() == address.is_ipv4()) {
        // The port is chosen when the connection is made, where one may serve several destinations; chosen here it would be
        // taken from those in TIME-WAIT, of which cold clients leave many, and the search would hold up the hot thread.
        setsockopt(&socket, IpBindAddressNoPort, &true)?;
        socket.bind(SocketAddr::new(source, 0))?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

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
        let began = clock::now();
        let stream = self
            .endpoint
            .connect(self.source)
            .await
            .map_err(|_| OpenError)?;
        let took_ns = u64::try_from(clock::now() - began).unwrap_or(0);
        let _ = exchange.take(&Item::Connected { took_ns });
        let (mut sender, connection) = Builder::new()
            .max_headers(MAX_HEADERS)
            .handshake(TokioIo::new(stream))
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
        let (head, mut body) = response.into_parts();
        let mut progress = exchange.take(&Item::Head {
            at: clock::now(),
            status: head.status,
            headers: &head.headers,
        });
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
                    return;
                }
                None => {
                    let _ = exchange.take(&Item::End { at: clock::now() });
                    self.sender = Some(sender);
                    return;
                }
            }
            // A reply that the server waits for must go out while its stream is open.
            self.send_replies(exchange);
        }
        self.sender = Some(sender);
        self.rest = Some(body);
    }

    fn request(&self, outgoing: Outgoing) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(outgoing.body));
        *request.method_mut() = match outgoing.verb {
            Verb::Post => Method::POST,
            Verb::Delete => Method::DELETE,
        };
        *request.uri_mut() = self.endpoint.path.clone();
        *request.headers_mut() = outgoing.headers;
        request
            .headers_mut()
            .insert(HOST, self.endpoint.authority.clone());
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_cut_into_its_parts() {
        let endpoint = Endpoint::parse("http://127.0.0.1:8080/mcp?x=1").unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.port), ("127.0.0.1", 8080));
        assert_eq!(endpoint.path, "/mcp?x=1");
        assert_eq!(endpoint.authority, "127.0.0.1:8080");
        let bare = Endpoint::parse("http://[::1]").unwrap();
        assert_eq!(
            (bare.host.as_str(), bare.port, bare.path.path()),
            ("::1", 80, "/")
        );
    }

    #[test]
    fn what_cannot_be_driven_is_refused() {
        for url in [
            "https://a/mcp",
            "ftp://a/",
            "/mcp",
            "http://user@a/",
            "http://",
            "a b",
        ] {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }
}
