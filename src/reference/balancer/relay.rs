//! The body of an answer on its way to the client: [`Relay`] passes frame by frame and tidies up behind the last one.
//!
//! Does network I/O, by way of hyper's body.
//!
//! Invariant: nothing is collected; the member is asked for a frame when the client's connection asks for one. After the last
//! frame the connection goes back to the pool. A relay that is dropped before (the client has gone) closes it.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::fleet::Lease;
use super::upstream::Connection;

/// The body of every answer of the balancer: a text of its own, or a member's body.
pub(super) type ResponseBody = Either<Full<Bytes>, Relay>;

/// A member's body, with what must live as long as it does.
#[derive(Debug)]
pub(super) struct Relay {
    incoming: Incoming,
    connection: Option<Connection>,
    lease: Lease,
}

impl Relay {
    /// Passes on `incoming`, which comes over `connection`, for the request of `lease`.
    pub(super) fn new(incoming: Incoming, connection: Connection, lease: Lease) -> Self {
        Self {
            incoming,
            connection: Some(connection),
            lease,
        }
    }

    fn keep_connection(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.lease.member.pool.put(connection);
            self.lease.end();
        }
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(context);
        match &polled {
            Poll::Ready(None) => self.keep_connection(),
            Poll::Ready(Some(Err(_))) => {
                // The error ends the client's connection in the middle of the body, so that the client sees the loss too.
                self.connection = None;
                self.lease
                    .member
                    .counters
                    .truncated
                    .fetch_add(1, Ordering::Relaxed);
                self.lease.end();
            }
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // A body of known length is not polled beyond its last byte.
        if self.incoming.is_end_stream() {
            self.keep_connection();
        }
    }
}
