//! [`Connection`]: a connection that speaks HTTP, from dialling to its first request.
//!
//! Impure: sockets and the clock. Over HTTP/1.1 it is closed with its last handle; over HTTP/2 it has tasks. Invariant: when the last
//! handle is dropped, they end within [`GRACE`], also if the server takes nothing any more. Next: [`super::shelf`] keeps connections between exchanges.

use std::future::Future;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::HttpOptions;
use super::hold::{Hold, Wire};
use super::one::One;
use crate::clock;
use crate::mcp::dial::{self, DialError, dial};
use crate::mcp::endpoint::Endpoint;
use crate::mcp::exchange::Exchange;
use crate::mcp::tls::{Stream, protocol};
use crate::plan::HttpVersion;

/// The most header fields of an answer.
pub(super) const MAX_HEADERS: usize = 100;
/// The longest head of an answer, bytes.
pub(super) const MAX_HEAD: u32 = 64 << 10;
/// How much of one answer may be under way, bytes (HTTP/2).
const STREAM_WINDOW: u32 = 1 << 20;
/// How much of all answers of a connection may be under way, bytes (HTTP/2): so many answers may stand unread in full before they
/// hold up the others. It bounds what a server makes us hold.
const CONNECTION_WINDOW: u32 = 16 << 20;
/// How long a connection that nobody uses any more may take to close in good order.
const GRACE: Duration = Duration::from_secs(1);

/// A sender of requests over HTTP/2.
pub(super) type Two = http2::SendRequest<Full<Bytes>>;

/// An open connection.
#[derive(Clone, Debug)]
pub(super) struct Connection<S> {
    /// What sends requests on it.
    pub(super) sender: S,
    /// The grip on it, where the client may vanish.
    pub(super) hold: Option<Rc<Hold>>,
    /// When it was opened, raw.
    opened: i64,
    /// Ends the tasks of a connection that has any.
    _life: Option<Rc<DropGuard>>,
}

impl<S> Connection<S> {
    /// Whether it is younger than this.
    pub(super) fn is_younger(&self, age: Option<Duration>) -> bool {
        age.is_none_or(|age| u128::from(clock::now().abs_diff(self.opened)) < age.as_nanos())
    }
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub(super) enum OpenError {
    /// There is no stream.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The server speaks no HTTP/2.
    #[error("the server does not offer HTTP/2")]
    NotOffered,
    /// HTTP could not begin.
    #[error("HTTP could not begin on the connection")]
    Begin(#[source] hyper::Error),
}

/// Where connections of a link go, and how.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) endpoint: Rc<Endpoint>,
    pub(super) options: Rc<HttpOptions>,
    pub(super) source: Option<IpAddr>,
}

impl Origin {
    /// Opens a connection for HTTP/1.1.
    pub(super) async fn open_one(
        &self,
        exchange: &mut Exchange,
    ) -> Result<Connection<One>, OpenError> {
        let (stream, hold) = self.stream(exchange).await?;
        Ok(Connection::new(One::new(stream), hold, None))
    }

    /// Opens a connection for HTTP/2.
    pub(super) async fn open_two(
        &self,
        exchange: &mut Exchange,
    ) -> Result<Connection<Two>, OpenError> {
        let (stream, hold) = self.stream(exchange).await?;
        if matches!(stream, Stream::Tls(_))
            && stream.agreed_protocol() != Some(protocol(HttpVersion::Http2))
        {
            return Err(OpenError::NotOffered);
        }
        let life = CancellationToken::new();
        let (sender, connection) = http2::Builder::new(WhileItLives(life.clone()))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(OpenError::Begin)?;
        spawn_while(&life, async {
            let _ = connection.await;
        });
        Ok(Connection::new(sender, hold, Some(life)))
    }

    async fn stream(
        &self,
        exchange: &mut Exchange,
    ) -> Result<(Stream<Wire>, Option<Rc<Hold>>), OpenError> {
        let no_connection = |error| DialError::connect(&self.endpoint, error);
        let dialled = dial(&self.endpoint, self.source)
            .await
            .map_err(no_connection)?;
        let hold = self
            .options
            .can_vanish
            .then(|| Hold::of(&dialled.stream))
            .transpose()
            .map_err(no_connection)?;
        let stream = dial::secured(
            &self.endpoint,
            Wire::new(dialled.stream, hold.clone()),
            dialled.connect_ns,
            self.options.tls.as_ref(),
            exchange,
        )
        .await?;
        Ok((stream, hold))
    }
}

impl<S> Connection<S> {
    fn new(sender: S, hold: Option<Rc<Hold>>, life: Option<CancellationToken>) -> Self {
        Self {
            sender,
            hold,
            opened: clock::now(),
            _life: life.map(|life| Rc::new(life.drop_guard())),
        }
    }
}

/// Runs a task of a connection on this thread for as long as the connection lives, and [`GRACE`] longer.
fn spawn_while(life: &CancellationToken, task: impl Future<Output = ()> + 'static) {
    let life = life.clone();
    tokio::task::spawn_local(async move {
        let mut task = std::pin::pin!(task);
        tokio::select! {
            biased;
            () = &mut task => {}
            () = life.cancelled() => {
                let _ = tokio::time::timeout(GRACE, task).await;
            }
        }
    });
}

/// Runs the tasks that HTTP/2 starts.
#[derive(Clone)]
struct WhileItLives(CancellationToken);

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for WhileItLives {
    fn execute(&self, task: F) {
        spawn_while(&self.0, task);
    }
}
