//! [`Item`]: what a link tells an exchange, in the order in which it happened.
//!
//! Pure.

use http::{HeaderMap, StatusCode};

/// Something that happened. Stamps are raw readings of the clock, nanoseconds.
#[derive(Debug)]
pub enum Item<'a> {
    /// A connection was opened for this request.
    Connected {
        /// How long that took, nanoseconds.
        took_ns: u64,
    },
    /// It was secured.
    Secured {
        /// How long the TLS handshake took, nanoseconds.
        took_ns: u64,
    },
    /// The request begins to be written.
    Sent {
        /// When.
        at: i64,
    },
    /// Nothing of it was written after all.
    Unsent,
    /// The head of the answer is there.
    Head {
        /// When.
        at: i64,
        /// Its status.
        status: StatusCode,
        /// Its headers.
        headers: &'a HeaderMap,
    },
    /// A part of the body is there.
    Body {
        /// When.
        at: i64,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// The body is complete.
    End {
        /// When.
        at: i64,
    },
    /// The answer, if there is one, comes on a stream of messages that is open.
    Streamed,
    /// The headers of an answer whose status decides nothing: they say who gave it.
    Answered {
        /// The headers.
        headers: &'a HeaderMap,
    },
    /// The message was written whole to a stream of messages, which acknowledges nothing.
    Written {
        /// When.
        at: i64,
    },
    /// The message was taken; its answer, if it has one, comes on a stream of messages.
    Accepted {
        /// When.
        at: i64,
    },
    /// A whole message of a stream of messages is there.
    Message {
        /// When.
        at: i64,
        /// The message.
        bytes: &'a [u8],
    },
    /// The stream that carried the session was found ended before the request could be sent.
    Gone {
        /// When that was known.
        at: i64,
    },
    /// What came has not the form of the transport, or is longer than may be, and nothing can be read after it.
    Unreadable {
        /// When.
        at: i64,
    },
    /// No connection could be made.
    Refused {
        /// When that was known.
        at: i64,
    },
    /// The connection broke.
    Broken {
        /// When.
        at: i64,
    },
    /// The time was over.
    TimedOut {
        /// When.
        at: i64,
    },
    /// The client gave the request up on purpose.
    Cancelled {
        /// When.
        at: i64,
    },
}

/// Whether more is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// The verdict is still open.
    More,
    /// The verdict stands.
    Complete,
}
