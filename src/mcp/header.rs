//! Header names and values of MCP over HTTP.
//!
//! Pure. The modern era mirrors the method and the target into headers; a value that a header cannot hold is sent as
//! `=?base64?…?=`, and so is one that looks like such a value.

use http::{HeaderName, HeaderValue};

/// The session of the legacy era.
pub const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// The protocol version, from 2025-06-18 on.
pub const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// The method, modern era.
pub const METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// The tool, prompt or resource, modern era.
pub const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// The trace that a request belongs to (W3C Trace Context).
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The event after which a stream is to go on.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The longest name of an instance that is taken from a header, bytes.
const MAX_INSTANCE: usize = 128;
/// The longest session id that is accepted, bytes; the specification has no bound.
const MAX_SESSION_ID: usize = 1024;

/// The value of a mirrored header.
pub fn mirrored(text: &str) -> HeaderValue {
    let safe = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
        && text.trim() == text
        && !text.is_empty()
        && !(text.starts_with("=?base64?") && text.ends_with("?="));
    if safe && let Ok(value) = HeaderValue::from_str(text) {
        return value;
    }
    let coded = format!("=?base64?{}?=", base64(text.as_bytes()));
    HeaderValue::from_str(&coded).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Standard base64 with padding (RFC 4648, section 4).
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0_u8; 4];
        for (place, byte) in group.iter_mut().skip(1).zip(chunk) {
            *place = *byte;
        }
        let group = u32::from_be_bytes(group);
        for place in 0..4_usize {
            if place > chunk.len() {
                text.push('=');
                continue;
            }
            let digit = (group >> (18 - 6 * place)) & 63;
            let letter = usize::try_from(digit)
                .ok()
                .and_then(|digit| ALPHABET.get(digit));
            text.push(char::from(letter.copied().unwrap_or(b'=')));
        }
    }
    text
}

/// The name of an instance as a header says it: printable ASCII without what would need quoting, and bounded.
pub fn instance(value: &HeaderValue) -> String {
    value
        .as_bytes()
        .iter()
        .take(MAX_INSTANCE)
        .map(|byte| match byte {
            b',' | b'"' | b'\'' | b'\\' => '_',
            0x21..=0x7e => char::from(*byte),
            _ => '_',
        })
        .collect()
}

/// Whether a session id is one that may be sent back: visible ASCII, not empty, and bounded.
pub fn is_session_id(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    !bytes.is_empty()
        && bytes.len() <= MAX_SESSION_ID
        && bytes.iter().all(|byte| matches!(byte, 0x21..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_agrees_with_the_vectors_of_rfc_4648() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded, "{plain}");
        }
    }

    #[test]
    fn a_value_that_a_header_cannot_hold_is_coded() {
        for (name, value) in [
            ("echo", "echo"),
            ("two words", "two words"),
            ("né", "=?base64?bsOp?="),
            (" edge", "=?base64?IGVkZ2U=?="),
            ("=?base64?x?=", "=?base64?PT9iYXNlNjQ/eD89?="),
        ] {
            assert_eq!(mirrored(name).to_str().unwrap(), value);
        }
    }

    #[test]
    fn what_a_server_calls_itself_is_bounded_and_harmless() {
        let long = HeaderValue::from_bytes(&[b'x'; 500]).unwrap();
        assert_eq!(instance(&long).len(), MAX_INSTANCE);
        let odd = HeaderValue::from_bytes(b"a,b\"c\xff d").unwrap();
        assert_eq!(instance(&odd), "a_b_c__d");
    }

    #[test]
    fn only_visible_ascii_is_a_session_id() {
        assert!(is_session_id(&HeaderValue::from_static("abc-123")));
        assert!(!is_session_id(&HeaderValue::from_static("")));
        assert!(!is_session_id(&HeaderValue::from_static("a b")));
        assert!(!is_session_id(
            &HeaderValue::from_bytes(&[b'x'; 2000]).unwrap()
        ));
    }
}
