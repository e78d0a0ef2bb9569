//! Connections to members: [`Connection`], one HTTP/1.1 connection and its task, and [`Pool`], the idle ones of a member.
//!
//! Does network I/O.
//!
//! Invariants: dropping a [`Connection`] closes its socket at once, whatever is in flight on it (that is how a client's
//! cancellation reaches the member); a request is on a connection of its own, so that nothing waits behind another answer.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Either, Empty};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

/// The body of a request to a member: a client's, as it comes in, or none.
pub(super) type RequestBody = Either<Incoming, Empty<Bytes>>;

/// Why there is no connection to a member. Surely nothing of a request was sent.
#[derive(Debug, Error)]
pub(super) enum ConnectError {
    /// It was refused, or its name could not be resolved.
    #[error("could not be reached")]
    Refused(#[source] io::Error),
    /// The connection was up and then failed before its first use.
    #[error("closed the connection at once")]
    Closed(#[source] hyper::Error),
    /// It took longer than the limit.
    #[error("did not accept a connection in time")]
    TimedOut,
}

/// One connection to a member.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<RequestBody>,
    /// Moves the bytes; its end closes the socket.
    task: AbortOnDropHandle<()>,
}

impl Connection {
    /// Connects to `address` within `limit`.
    pub(super) async fn open(address: &str, limit: Duration) -> Result<Self, ConnectError> {
        let stream = match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(cause)) => return Err(ConnectError::Refused(cause)),
            Err(_) => return Err(ConnectError::TimedOut),
        };
        stream.set_nodelay(true).map_err(ConnectError::Refused)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(ConnectError::Closed)?;
        let task = tokio::spawn(async move {
            // Whoever waits for an answer on this connection hears of the error there.
            let _ = connection.await;
        });
        Ok(Self {
            sender,
            task: AbortOnDropHandle::new(task),
        })
    }

    /// Sends a request and waits for the head of the answer. An error that holds the request proves that it was not sent.
    pub(super) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, Box<TrySendError<Request<RequestBody>>>> {
        self.sender
            .try_send_request(request)
            .await
            .map_err(Box::new)
    }

    fn is_closed(&self) -> bool {
        self.sender.is_closed() || self.task.is_finished()
    }
}

/// The limits of a pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolLimits {
    /// Most idle connections to a member.
    pub(super) idle: usize,
    /// Longest time that a connection is idle and still used again.
    pub(super) idle_timeout: Duration,
}

/// The idle connections to a member, the most recently used last.
#[derive(Debug)]
pub(super) struct Pool {
    limits: PoolLimits,
    idle: Mutex<Vec<(Instant, Connection)>>,
}

impl Pool {
    /// An empty pool.
    pub(super) fn new(limits: PoolLimits) -> Self {
        Self {
            limits,
            idle: Mutex::new(Vec::new()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Instant, Connection)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The most recently used connection that can take a request now.
    pub(super) fn take(&self) -> Option<Connection> {
        let now = Instant::now();
        let mut idle = self.lock();
        idle.retain(|(since, connection)| {
            !connection.is_closed()
                && now.saturating_duration_since(*since) < self.limits.idle_timeout
        });
        // One whose answer has ended may need a moment (its task still cleans up), or may never be ready again (the member
        // answered without reading the request). Waiting is worse than the next one.
        let ready = idle
            .iter()
            .rposition(|(_, connection)| connection.sender.is_ready())?;
        Some(idle.swap_remove(ready).1)
    }

    /// Keeps a connection whose answer has ended; the oldest one makes room.
    pub(super) fn put(&self, connection: Connection) {
        if connection.is_closed() || self.limits.idle == 0 {
            return;
        }
        let mut idle = self.lock();
        if idle.len() >= self.limits.idle {
            idle.remove(0);
        }
        idle.push((Instant::now(), connection));
    }

    /// Closes all idle connections.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }
}
