//! The MCP client that measures: request bytes, answers, event streams, and the links that carry them.
//!
//! [`message`], [`sse`], [`header`] and [`exchange`] are pure: bytes and stamped items go in, an answer and facts come
//! out. The links do I/O: [`http`] (Streamable HTTP), [`http_sse`], [`websocket`], [`stdio`], over [`dial`] and [`tls`]; [`auth`] gets tokens.
//! Invariant: nothing here retries or hides an attempt; every request that is sent is one exchange with its own facts. Who sends
//! what, and when, is decided in `load::client`.

use std::future::Future;
use std::pin::Pin;

use ::http::HeaderMap;
use bytes::Bytes;

pub mod auth;
pub mod capabilities;
pub mod catalogue;
pub mod dial;
pub mod endpoint;
pub mod exchange;
pub mod header;
pub mod http;
pub mod http_sse;
pub mod message;
pub mod sse;
pub mod stdio;
mod stream;
pub mod tls;
pub mod websocket;

use crate::plan::VanishHow;
use exchange::Exchange;

/// The HTTP methods that a client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// A JSON-RPC message.
    Post,
    /// A stream of the server's messages.
    Get,
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
    /// The body; empty for GET and DELETE.
    pub body: Bytes,
}

/// A future that stays on its thread.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A way to a server: sends a request and feeds what comes back, stamped, to an [`Exchange`].
pub trait Link {
    /// Connects if there is no connection, sends, and feeds items until the exchange is complete or nothing more can come.
    /// Dropping the future gives the request up: over HTTP/1.1 its connection is closed, over HTTP/2 its stream is reset; on a
    /// stream of messages the stream stays, and a late answer is ignored.
    fn exchange<'a>(
        &'a mut self,
        outgoing: Outgoing,
        exchange: &'a mut Exchange,
    ) -> LocalFuture<'a, ()>;

    /// After an exchange that opened a stream: feeds what comes on it until the exchange is complete again or the stream ends.
    fn follow<'a>(&'a mut self, exchange: &'a mut Exchange) -> LocalFuture<'a, ()>;

    /// Whether there may be something left of the last answer.
    fn is_unsettled(&self) -> bool {
        true
    }

    /// Reads what is left of the last answer, for a bounded time, so that the connection can be used again; closes it otherwise.
    fn settle(&mut self) -> LocalFuture<'_, ()>;

    /// Closes the connection, if there is one.
    fn close(&mut self);

    /// Another link to the same server, for a stream beside the calls; `None` where one stream carries everything.
    fn beside(&self) -> Option<Box<dyn Link>>;

    /// Leaves the connection as a client does that vanishes; closes it where that cannot be done.
    fn vanish(&mut self, _how: VanishHow) {
        self.close();
    }
}
