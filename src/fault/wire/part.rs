//! What goes into a transformer, and what comes out of it: the parts of an answer, and acts on a connection.
//!
//! Pure. Parts come in the order head, bodies, end; acts are done in the order in which they are given. Next: `out` for how
//! parts become bytes.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

/// The next part of an answer, as whoever was asked gives it.
#[derive(Clone, Debug)]
pub enum Part {
    /// Its head; once, and first.
    Head(Head),
    /// Bytes of its body, without any framing.
    Body(Bytes),
    /// It is complete.
    End,
    /// It broke off.
    Broken,
}

/// The head of an answer. What frames the body is [`Framing`] and stands in no header.
#[derive(Clone, Debug)]
pub struct Head {
    /// The status.
    pub status: StatusCode,
    /// The headers, without `content-length` and `transfer-encoding`; names repeat where the answer repeats them.
    pub headers: HeaderMap,
    /// How the end of the body shows.
    pub framing: Framing,
}

impl Head {
    /// A head whose body has this length, or is chunked where the length is not known. Drops what framed it before.
    pub fn new(status: StatusCode, mut headers: HeaderMap, length: Option<u64>) -> Self {
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::TRANSFER_ENCODING);
        Self {
            status,
            headers,
            framing: length.map_or(Framing::Chunked, Framing::Length),
        }
    }

    /// The media type, without parameters, in lower case; empty if there is none.
    pub(super) fn media_type(&self) -> String {
        self.headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .map(|value| value.trim().to_ascii_lowercase())
            .unwrap_or_default()
    }
}

/// How the end of a body shows (RFC 9112, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By `content-length`, bytes.
    Length(u64),
    /// By a chunk of size zero.
    Chunked,
    /// By the end of the connection; no header of ours frames it.
    UntilClose,
}

/// What to do on the connection next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Write these bytes as they are.
    Write(Bytes),
    /// Hand on what is buffered below.
    Flush,
    /// Do nothing for so long.
    Wait(Duration),
    /// From now on, reset the connection if the last act is not done within this time: a peer that does not read ends it too.
    Within(Duration),
    /// Close in order; nothing comes after it.
    Close,
    /// Reset (RST); nothing comes after it.
    Reset,
    /// The answer is complete, and the connection can serve the next request; nothing comes after it.
    Done,
}

/// What the request allows its answer to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Whether there is a body at all: not for HEAD.
    pub body: Body,
    /// Whether the connection stays open after the answer, and whether the answer may be chunked.
    pub connection: Connection,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            body: Body::Wanted,
            connection: Connection::KeepAlive,
        }
    }
}

/// Whether the client wants a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// It does.
    Wanted,
    /// The request was HEAD.
    HeadOnly,
}

/// What becomes of the connection after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// It stays open.
    KeepAlive,
    /// It is closed, and the head says so.
    Close,
    /// It is closed, and the answer must not be chunked: HTTP/1.0.
    CloseUnchunked,
}
