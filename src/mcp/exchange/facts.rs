//! What is known of an exchange besides its verdict.
//!
//! Pure.

use std::error::Error;

use http::HeaderValue;
use nix::errno::Errno;

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
    /// Why no connection could be made, or why it broke: fit for a terminal, at most [`MAX_FAILURE`] characters.
    pub failure: Option<String>,
    /// Whether that was for want of files, ports or memory on this machine, and not the server's doing.
    pub is_local_failure: bool,
}

/// The longest text of a failure, characters.
pub const MAX_FAILURE: usize = 400;

/// The text of an error and its causes. It may hold what a server said (the names in its certificate), so it is cut, and
/// everything that could act on a terminal is escaped.
pub(super) fn failure(error: &dyn Error) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next.filter(|_| text.len() <= MAX_FAILURE) {
        let part = error.to_string();
        // Some errors repeat their cause in their own words.
        if !text.contains(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.extend(part.chars().take(MAX_FAILURE));
        }
        next = error.source();
    }
    let mut shown = String::new();
    for character in text.chars() {
        if character == ' ' || character.is_ascii_graphic() || character.is_alphanumeric() {
            shown.push(character);
        } else {
            shown.extend(character.escape_unicode());
        }
    }
    if shown.chars().count() > MAX_FAILURE {
        shown = shown.chars().take(MAX_FAILURE - 1).chain(['…']).collect();
    }
    shown
}

/// Whether an error, or what caused it, is that this machine has no file, port, address or memory left for a connection.
pub(super) fn is_local(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let code = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::raw_os_error);
        if let Some(code) = code {
            return matches!(
                Errno::from_raw(code),
                Errno::EMFILE
                    | Errno::ENFILE
                    | Errno::ENOBUFS
                    | Errno::ENOMEM
                    | Errno::EADDRNOTAVAIL
                    | Errno::EADDRINUSE
            );
        }
        next = error.source();
    }
    false
}

/// A JSON-RPC error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcError {
    /// Its code.
    pub code: i64,
    /// The protocol versions that its data names (`supported`), known ones only.
    pub supported: Vec<ProtocolVersion>,
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no connection")]
    struct Outer(#[source] io::Error);

    #[test]
    fn a_failure_names_its_causes_once() {
        let refused = Outer(io::Error::other("connection refused"));
        assert_eq!(failure(&refused), "no connection: connection refused");
        let again = Outer(io::Error::other("no connection"));
        assert_eq!(failure(&again), "no connection");
    }

    #[test]
    fn want_of_files_ports_or_memory_is_ours_and_a_refusal_is_not() {
        let caused = |code: Errno| Outer(io::Error::from_raw_os_error(code as i32));
        for ours in [Errno::EMFILE, Errno::EADDRNOTAVAIL, Errno::ENOBUFS] {
            assert!(is_local(&caused(ours)), "{ours}");
        }
        for theirs in [Errno::ECONNREFUSED, Errno::ECONNRESET, Errno::ENETUNREACH] {
            assert!(!is_local(&caused(theirs)), "{theirs}");
        }
        assert!(!is_local(&Outer(io::Error::other("no certificate"))));
    }

    #[test]
    fn a_failure_does_nothing_to_a_terminal() {
        let hostile = io::Error::other("\u{1b}[2J\u{202e}é\n");
        assert_eq!(failure(&hostile), "\\u{1b}[2J\\u{202e}é\\u{a}");
        let long = io::Error::other("\u{7}".repeat(10_000));
        assert_eq!(failure(&long).chars().count(), MAX_FAILURE);
    }
}
