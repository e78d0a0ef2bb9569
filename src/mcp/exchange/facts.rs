//! What is known of an exchange besides its verdict.
//!
//! Pure.

use http::HeaderValue;

use crate::model::ProtocolVersion;

/// What is known besides the verdict. Stamps are raw readings of the clock.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// How long connecting took, if this request opened a connection, nanoseconds.
    pub connect_ns: Option<u64>,
    /// How long the TLS handshake took, if there was one, nanoseconds.
    pub tls_ns: Option<u64>,
    /// When the request began to be written.
    pub sent: Option<i64>,
    /// When the head of the answer was there.
    pub first_byte: Option<i64>,
    /// When the first event, the first message or the first byte of a JSON body was there.
    pub first_event: Option<i64>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// The instance that answered; empty if unknown.
    pub instance: String,
    /// The session id that the answer gave.
    pub session: Option<HeaderValue>,
    /// The version that the answer to `initialize` chose.
    pub version: Option<ProtocolVersion>,
    /// Whether the answer to `initialize` chose a version that we do not speak.
    pub offers_unknown_version: bool,
    /// Bytes of the body so far.
    pub bytes_in: u64,
    /// How long the server asks to wait before the request is sent again (`Retry-After` in seconds).
    pub retry_after_s: Option<u64>,
    /// The first `WWW-Authenticate` of a refusal, cut to [`super::MAX_CHALLENGE`] bytes.
    pub challenge: Option<String>,
    /// The cookies that the answer sets, at most [`super::MAX_COOKIES`].
    pub cookies: Vec<HeaderValue>,
    /// Events with data, or messages of a stream.
    pub events: u64,
    /// The id of the last event; what comes after it can be asked for again.
    pub last_event_id: Option<String>,
    /// How long the server asks to wait before its stream is resumed, milliseconds.
    pub retry_ms: Option<u64>,
    /// Progress notifications that did not come although later ones did.
    pub missed: u64,
    /// Events or progress notifications that came twice.
    pub doubled: u64,
    /// The value of the last progress notification.
    pub progress: Option<f64>,
    /// The JSON-RPC error of the answer, also where a status refused the request.
    pub error: Option<RpcError>,
    /// The result as it came, raw JSON; only where the exchange was told to keep it.
    pub result: Option<Box<str>>,
    /// Whether the result asks for input: the same request is to be sent again, with what it asks for.
    pub asks_input: bool,
    /// The cursor of the next page; the empty string is one.
    pub next_cursor: Option<String>,
}

/// A JSON-RPC error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcError {
    /// Its code.
    pub code: i64,
    /// The protocol versions that its data names (`supported`), known ones only.
    pub supported: Vec<ProtocolVersion>,
}
