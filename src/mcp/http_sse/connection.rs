//! [`Connection`]: one HTTP/1.1 connection of an HTTP+SSE link, and [`Post`], the one on which messages go out.
//!
//! Impure: sockets and the clock. Invariant: a message is written to a connection at most once.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::header::HOST;
use ::http::{HeaderMap, Method, Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::spawn_local;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::mcp::dial::{DialError, dial};
use crate::mcp::endpoint::Endpoint;
use crate::mcp::exchange::{Exchange, Item};
use crate::mcp::{LocalFuture, Outgoing, tls};

/// How long the rest of an answer may take before its connection is given up.
const SETTLE: Duration = Duration::from_millis(50);
/// How long the rest of an answer may be before its connection is given up, bytes.
const MAX_REST: usize = 64 << 10;
/// The most header fields of an answer.
const MAX_HEADERS: usize = 100;

/// An open connection.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Ends with the connection.
    _driver: AbortOnDropHandle<()>,
}

/// A connection, and how long it took, if it is new.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) took: Option<Took>,
}

/// How long connections took, nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Took {
    connect_ns: u64,
    /// The TLS handshakes, if there were any.
    tls_ns: Option<u64>,
}

impl Took {
    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        let tls_ns = match (self.tls_ns, other.tls_ns) {
            (Some(first), Some(second)) => Some(first.saturating_add(second)),
            (first, second) => first.or(second),
        };
        Self {
            connect_ns: self.connect_ns.saturating_add(other.connect_ns),
            tls_ns,
        }
    }

    pub(super) fn tell(self, exchange: &mut Exchange) {
        let _ = exchange.take(&Item::Connected {
            took_ns: self.connect_ns,
        });
        if let Some(took_ns) = self.tls_ns {
            let _ = exchange.take(&Item::Secured { took_ns });
        }
    }
}

/// How to get to a place.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) endpoint: Endpoint,
    pub(super) source: Option<IpAddr>,
    /// Whom to trust; `https` needs it.
    pub(super) tls: Option<Arc<ClientConfig>>,
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub(super) enum OpenError {
    /// It could not be dialled or secured.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// It does not speak HTTP.
    #[error("the connection cannot be used")]
    Http(#[source] hyper::Error),
}

impl Connection {
    /// Connects to the endpoint.
    ///
    /// # Errors
    /// If there is no connection.
    pub(super) async fn open(way: &Way) -> Result<Opened, OpenError> {
        let dialled = dial(&way.endpoint, way.source)
            .await
            .map_err(|source| DialError::connect(&way.endpoint, source))?;
        let secured = tls::secure(&way.endpoint, dialled.stream, way.tls.as_ref())
            .await
            .map_err(DialError::from)?;
        let took = Took {
            connect_ns: dialled.connect_ns,
            tls_ns: secured.tls_ns,
        };
        Ok(Opened {
            connection: Self::over(secured.stream).await.map_err(OpenError::Http)?,
            took: Some(took),
        })
    }

    async fn over<S>(stream: S) -> hyper::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let (mut sender, connection) = Builder::new()
            .max_headers(MAX_HEADERS)
            .handshake(TokioIo::new(stream))
            .await?;
        // What goes wrong on it shows in the answer.
        let driver = spawn_local(async move {
            let _ = connection.await;
        });
        sender.ready().await?;
        Ok(Self {
            sender,
            _driver: AbortOnDropHandle::new(driver),
        })
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// # Errors
    /// If the connection breaks before that.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        self.sender.send_request(request).await
    }
}

/// The request for `endpoint`, with these headers.
pub(super) fn request(
    endpoint: &Endpoint,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = endpoint.path().clone();
    *request.headers_mut() = headers;
    request
        .headers_mut()
        .insert(HOST, endpoint.authority().clone());
    request
}

/// What came of a POST, and its connection.
pub(super) struct Posted {
    pub(super) answer: hyper::Result<Response<Incoming>>,
    pub(super) connection: Connection,
}

/// Where messages are posted: one connection that is kept alive.
pub(super) struct Post {
    way: Way,
    idle: Option<Connection>,
    /// A POST whose answer came on the stream before its status.
    posting: Option<LocalFuture<'static, Posted>>,
    /// The rest of the last answer.
    rest: Option<(Connection, Incoming)>,
}

impl Post {
    /// Posts to the end of this way; there is no connection yet.
    pub(super) fn new(way: Way) -> Self {
        Self {
            way,
            idle: None,
            posting: None,
            rest: None,
        }
    }

    /// The connection, which is opened if there is none; it is used up by [`Self::start`].
    ///
    /// # Errors
    /// If there is no connection.
    pub(super) async fn open(&mut self) -> Result<Opened, OpenError> {
        self.settle().await;
        if let Some(mut connection) = self.idle.take()
            && connection.sender.ready().await.is_ok()
        {
            return Ok(Opened {
                connection,
                took: None,
            });
        }
        Connection::open(&self.way).await
    }

    /// Posts a message; the future ends with the head of the answer.
    pub(super) fn start(
        &self,
        mut connection: Connection,
        outgoing: Outgoing,
    ) -> LocalFuture<'static, Posted> {
        let request = request(
            &self.way.endpoint,
            Method::POST,
            outgoing.headers,
            outgoing.body,
        );
        Box::pin(async move {
            Posted {
                answer: connection.send(request).await,
                connection,
            }
        })
    }

    /// Keeps a POST whose answer came before its status. The status decides nothing any more, but may yet say who answered.
    pub(super) async fn keep_posting(
        &mut self,
        mut posting: LocalFuture<'static, Posted>,
        exchange: &mut Exchange,
    ) {
        match timeout(SETTLE, &mut posting).await {
            Ok(posted) => {
                if let Ok(answer) = posted.answer {
                    let _ = exchange.take(&Item::Answered {
                        headers: answer.headers(),
                    });
                    self.keep_rest(posted.connection, answer.into_body());
                }
            }
            Err(_) => self.posting = Some(posting),
        }
    }

    /// Keeps a connection until the rest of its answer has been read.
    pub(super) fn keep_rest(&mut self, connection: Connection, body: Incoming) {
        self.rest = Some((connection, body));
    }

    /// Reads what is left of the last answer, for a bounded time and size; the connection is given up otherwise.
    pub(super) async fn settle(&mut self) {
        let (posting, rest) = (self.posting.take(), self.rest.take());
        if posting.is_none() && rest.is_none() {
            return;
        }
        let read_out = async {
            let (connection, mut body) = match (posting, rest) {
                (Some(posting), _) => {
                    let posted = posting.await;
                    (posted.connection, posted.answer.ok()?.into_body())
                }
                (None, rest) => rest?,
            };
            let mut size = 0;
            while let Some(frame) = body.frame().await {
                size += frame.ok()?.data_ref().map_or(0, Bytes::len);
                if size > MAX_REST {
                    return None;
                }
            }
            Some(connection)
        };
        self.idle = timeout(SETTLE, read_out).await.ok().flatten();
    }

    /// Posts a message that is not measured.
    pub(super) async fn send_aside(&mut self, outgoing: Outgoing) {
        let Ok(opened) = self.open().await else {
            return;
        };
        let posted = self.start(opened.connection, outgoing).await;
        if let Ok(answer) = posted.answer {
            self.keep_rest(posted.connection, answer.into_body());
        }
    }
}
