//! Heads of requests and answers, and the header that names the instance.
//!
//! Pure. A head that is only named keeps its bytes: spelling, order and all.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use httparse::Status;

use super::MOST_HEAD;

/// The most header fields that are understood.
const MOST_FIELDS: usize = 128;

/// The header that names who answered.
pub(super) const INSTANCE: HeaderName = HeaderName::from_static("mcpload-instance");

/// A head, or why there is none.
#[derive(Debug)]
pub(super) enum Found<T> {
    /// It has so many bytes.
    Whole(T, usize),
    /// More must come.
    Partial,
    /// It is not understood.
    Strange,
}

/// The head of a request.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    /// Whether it is HTTP/1.0.
    pub(super) old: bool,
    pub(super) headers: HeaderMap,
}

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
}

fn headers(fields: &[httparse::Header<'_>]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::try_from(field.name).ok()?;
        headers.append(name, HeaderValue::try_from(field.value).ok()?);
    }
    Some(headers)
}

fn found<T>(
    parsed: httparse::Result<usize>,
    buffer: &[u8],
    read: impl FnOnce() -> Option<T>,
) -> Found<T> {
    match parsed {
        Ok(Status::Complete(length)) if length <= MOST_HEAD => {
            read().map_or(Found::Strange, |head| Found::Whole(head, length))
        }
        Ok(Status::Partial) if buffer.len() <= MOST_HEAD => Found::Partial,
        _ => Found::Strange,
    }
}

/// The head of a request at the begin of `buffer`.
pub(super) fn asked(buffer: &[u8]) -> Found<Asked> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let parsed = request.parse(buffer);
    found(parsed, buffer, || {
        Some(Asked {
            method: Method::try_from(request.method?).ok()?,
            old: request.version? == 0,
            headers: headers(request.headers)?,
        })
    })
}

/// The head of an answer at the begin of `buffer`.
pub(super) fn answered(buffer: &[u8]) -> Found<Answered> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let parsed = response.parse(buffer);
    found(parsed, buffer, || {
        Some(Answered {
            status: StatusCode::from_u16(response.code?).ok()?,
            headers: headers(response.headers)?,
        })
    })
}

/// The head with this name of the instance, in place of the one that it has.
pub(super) fn named(head: &Bytes, name: &[u8]) -> Bytes {
    let mut named = BytesMut::with_capacity(head.len() + name.len() + 24);
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        let field = line.split(|byte| *byte == b':').next().unwrap_or_default();
        if line == b"\r\n" || line == b"\n" {
            // The end of the head; an empty line before the status line stays where it is.
            if !named.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
                named.put_slice(INSTANCE.as_str().as_bytes());
                named.put_slice(b": ");
                named.put_slice(name);
                named.put_slice(b"\r\n");
            }
        } else if field.eq_ignore_ascii_case(INSTANCE.as_str().as_bytes()) {
            continue;
        }
        named.put_slice(line);
    }
    named.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_added_or_replaced_and_nothing_else_changes() {
        for (head, expected) in [
            (
                "HTTP/1.1 200 OK\r\nX-Odd:  Spelling \r\n\r\n",
                "HTTP/1.1 200 OK\r\nX-Odd:  Spelling \r\nmcpload-instance: a#1\r\n\r\n",
            ),
            (
                "HTTP/1.1 200\r\nMcpload-Instance: b\r\na: b\r\n\r\n",
                "HTTP/1.1 200\r\na: b\r\nmcpload-instance: a#1\r\n\r\n",
            ),
        ] {
            let head = Bytes::from(head);
            assert_eq!(named(&head, b"a#1"), expected);
        }
    }
}
