//! The bytes of a request of HTTP/1.1.
//!
//! Pure. Invariant: names and values come from types that hold no line break, so that nothing of a message becomes a header.

use http::HeaderValue;
use http::header::{COOKIE, HOST};

use crate::mcp::endpoint::Endpoint;
use crate::mcp::{Outgoing, Verb};

/// A request to this endpoint, whole; `cookie` replaces the one that it has. Headers keep their order; `host` comes first and the
/// length last.
pub(super) fn bytes(
    endpoint: &Endpoint,
    outgoing: &Outgoing,
    cookie: Option<&HeaderValue>,
) -> Vec<u8> {
    let fields = outgoing.headers.iter();
    let fields: usize = fields
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    let cookies = cookie.map_or(0, HeaderValue::len);
    let mut out = Vec::with_capacity(fields + cookies + outgoing.body.len() + 256);
    let (verb, has_body): (&[u8], bool) = match outgoing.verb {
        Verb::Post => (b"POST ", true),
        Verb::Get => (b"GET ", false),
        Verb::Delete => (b"DELETE ", false),
    };
    out.extend_from_slice(verb);
    let path = endpoint.path().path_and_query();
    out.extend_from_slice(path.map_or("/", |path| path.as_str()).as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    field(&mut out, HOST.as_str(), endpoint.authority());
    for (name, value) in &outgoing.headers {
        if *name != HOST && (cookie.is_none() || *name != COOKIE) {
            field(&mut out, name.as_str(), value);
        }
    }
    if let Some(cookie) = cookie {
        field(&mut out, COOKIE.as_str(), cookie);
    }
    if has_body {
        out.extend_from_slice(b"content-length: ");
        out.extend_from_slice(outgoing.body.len().to_string().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&outgoing.body);
    out
}

fn field(out: &mut Vec<u8>, name: &str, value: &HeaderValue) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;

    #[test]
    fn a_request_is_written_as_it_is_meant() {
        let endpoint = Endpoint::parse("http://127.0.0.1:8000/a/b?c=d").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("accept", HeaderValue::from_static("text/plain"));
        headers.insert(COOKIE, HeaderValue::from_static("a=1"));
        headers.insert(HOST, HeaderValue::from_static("elsewhere"));
        let mut outgoing = Outgoing {
            verb: Verb::Post,
            headers,
            body: Bytes::from_static(b"xyz"),
        };
        let jar = HeaderValue::from_static("a=1; b=2");
        let text = String::from_utf8(bytes(&endpoint, &outgoing, Some(&jar))).unwrap();
        assert_eq!(
            text,
            "POST /a/b?c=d HTTP/1.1\r\nhost: 127.0.0.1:8000\r\naccept: text/plain\r\ncookie: a=1; b=2\r\ncontent-length: 3\r\n\r\nxyz"
        );
        outgoing.verb = Verb::Get;
        outgoing.body = Bytes::new();
        let text = String::from_utf8(bytes(&endpoint, &outgoing, None)).unwrap();
        assert!(text.ends_with("cookie: a=1\r\n\r\n"), "{text}");
    }
}
