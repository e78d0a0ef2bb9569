//! The MCP client that measures: request bytes, answers, event streams, and one HTTP connection.
//!
//! [`message`], [`sse`], [`header`] and [`exchange`] are pure: bytes and stamped items go in, an answer and facts come
//! out. Only [`http`] does I/O. Invariant: nothing here retries, pools or hides an attempt; every request that is sent is one
//! exchange with its own facts. Who sends what, and when, is decided in `load::client`.

use std::future::Future;
use std::pin::Pin;

use ::http::HeaderMap;
use bytes::Bytes;

pub mod auth;
pub mod exchange;
pub mod header;
pub mod http;
pub mod message;
pub mod sse;

use exchange::Exchange;

/// The HTTP methods that a client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// A JSON-RPC message.
    Post,
    /// The end of a session.
    Delete,
}

/// A request as it goes out.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The HTTP method.
    pub verb: Verb,
    /// Every header but `host` and `content-length`, which the link adds.
    pub headers: HeaderMap,
    /// The body; empty for DELETE.
    pub body: Bytes,
}

/// A future that stays on its thread.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A way to a server: sends a request and feeds what comes back, stamped, to an [`Exchange`].
pub trait Link {
    /// Connects if there is no connection, sends, and feeds items until the exchange is complete or nothing more can come.
    /// Dropping the future gives the request up and closes the connection.
    fn exchange<'a>(
        &'a mut self,
        outgoing: Outgoing,
        exchange: &'a mut Exchange,
    ) -> LocalFuture<'a, ()>;

    /// Reads what is left of the last answer, for a bounded time, so that the connection can be used again; closes it otherwise.
    fn settle(&mut self) -> LocalFuture<'_, ()>;

    /// Closes the connection, if there is one.
    fn close(&mut self);
}
