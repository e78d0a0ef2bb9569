//! Requests, read from a connection: head and whole body.
//!
//! It reads the socket. Invariant: no more than [`MOST_HEAD`] and [`MOST_BODY`] bytes are held for a request, whatever it says
//! of itself, and no more than [`MOST_AHEAD`] of what a client sends while it waits for an answer.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use httparse::Status;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};

/// The longest head, bytes.
const MOST_HEAD: usize = 64 << 10;
/// The most headers.
const MOST_HEADERS: usize = 128;
/// The longest body, bytes; the SDK takes half of it.
const MOST_BODY: usize = 8 << 20;
/// The most that is read ahead of its turn, bytes.
const MOST_AHEAD: usize = 64 << 10;

/// A request, and what it says of its connection.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) request: http::Request<Bytes>,
    /// Whether it is HTTP/1.0.
    pub(super) old: bool,
    /// Whether the connection can serve another.
    pub(super) keep_alive: bool,
}

/// Why there is no request.
#[derive(Debug)]
pub(super) enum Refused {
    /// The client left.
    Gone,
    /// It is no request, or too long; this is the answer.
    Bad(StatusCode),
}

const BAD: Refused = Refused::Bad(StatusCode::BAD_REQUEST);

/// The reading side of a connection.
#[derive(Debug)]
pub(super) struct Input<'a> {
    reader: ReadHalf<'a>,
    buffer: BytesMut,
}

impl<'a> Input<'a> {
    pub(super) fn new(reader: ReadHalf<'a>) -> Self {
        Self {
            reader,
            buffer: BytesMut::new(),
        }
    }

    /// Waits for the first byte of a request; false if the client left.
    ///
    /// # Cancel safety
    /// What was read stays.
    pub(super) async fn begun(&mut self) -> bool {
        !self.buffer.is_empty() || self.more().await.is_ok()
    }

    /// Waits until the client leaves, and keeps what it sends meanwhile.
    ///
    /// # Cancel safety
    /// What was read stays.
    pub(super) async fn gone(&mut self) {
        while self.buffer.len() < MOST_AHEAD {
            if self.more().await.is_err() {
                return;
            }
        }
        // It sends ahead of its turn and beyond measure: it is not read until its turn comes.
        std::future::pending::<()>().await;
    }

    async fn more(&mut self) -> Result<(), Refused> {
        self.buffer.reserve(4096);
        match self.reader.read_buf(&mut self.buffer).await {
            Ok(0) | Err(_) => Err(Refused::Gone),
            Ok(_) => Ok(()),
        }
    }

    /// Reads a request. `writer` is for saying that the body may come, to a client that asks.
    pub(super) async fn request(
        &mut self,
        writer: &mut WriteHalf<'_>,
    ) -> Result<Received, Refused> {
        let (mut received, length) = loop {
            if let Some((received, length)) = head(&self.buffer)? {
                break (received, length);
            }
            if self.buffer.len() > MOST_HEAD {
                return Err(Refused::Bad(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
            }
            self.more().await?;
        };
        self.buffer.advance(length);
        let kind = body_kind(received.request.headers())?;
        let waits = received.request.headers().get(header::EXPECT);
        if kind != BodyKind::Length(0)
            && waits.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
        {
            let go_on = writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
            go_on.map_err(|_| Refused::Gone)?;
        }
        *received.request.body_mut() = match kind {
            BodyKind::Length(length) => self.take(length).await?,
            BodyKind::Chunked => self.chunks().await?,
        };
        Ok(received)
    }

    async fn take(&mut self, length: usize) -> Result<Bytes, Refused> {
        while self.buffer.len() < length {
            self.more().await?;
        }
        Ok(self.buffer.split_to(length).freeze())
    }

    async fn chunks(&mut self) -> Result<Bytes, Refused> {
        let mut body = BytesMut::new();
        loop {
            let (line, size) = loop {
                match httparse::parse_chunk_size(&self.buffer) {
                    Ok(Status::Complete(found)) => break found,
                    Ok(Status::Partial) if self.buffer.len() < MOST_AHEAD => self.more().await?,
                    _ => return Err(BAD),
                }
            };
            self.buffer.advance(line);
            if size == 0 {
                self.trailer().await?;
                return Ok(body.freeze());
            }
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if size > MOST_BODY - body.len() {
                return Err(Refused::Bad(StatusCode::PAYLOAD_TOO_LARGE));
            }
            body.extend_from_slice(&self.take(size).await?);
            if &self.take(2).await?[..] != b"\r\n" {
                return Err(BAD);
            }
        }
    }

    /// Reads over the trailer, up to its empty line.
    async fn trailer(&mut self) -> Result<(), Refused> {
        let mut left = MOST_HEAD;
        loop {
            let line = loop {
                if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                    break self.buffer.split_to(end + 1);
                }
                if self.buffer.len() > left {
                    return Err(BAD);
                }
                self.more().await?;
            };
            if line.trim_ascii().is_empty() {
                return Ok(());
            }
            left = left.checked_sub(line.len()).ok_or(BAD)?;
        }
    }
}

/// The head at the begin of `buffer` and its length, if it is there as a whole.
fn head(buffer: &[u8]) -> Result<Option<(Received, usize)>, Refused> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = httparse::Request::new(&mut fields);
    let length = match parsed.parse(buffer) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Refused::Bad(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        }
        Err(_) => return Err(BAD),
    };
    let mut request = http::Request::new(Bytes::new());
    *request.method_mut() = parsed
        .method
        .and_then(|method| Method::try_from(method).ok())
        .ok_or(BAD)?;
    *request.uri_mut() = parsed
        .path
        .and_then(|path| Uri::try_from(path).ok())
        .ok_or(BAD)?;
    for field in parsed.headers.iter() {
        let name = HeaderName::try_from(field.name).map_err(|_| BAD)?;
        let value = HeaderValue::try_from(field.value).map_err(|_| BAD)?;
        request.headers_mut().append(name, value);
    }
    let old = parsed.version == Some(0);
    let keep_alive = !old && !says_close(request.headers());
    let received = Received {
        request,
        old,
        keep_alive,
    };
    Ok(Some((received, length)))
}

fn says_close(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|word| word.trim().eq_ignore_ascii_case("close"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyKind {
    Length(usize),
    Chunked,
}

/// How the body of a request ends (RFC 9112, section 6.3); two answers to that are none.
fn body_kind(headers: &HeaderMap) -> Result<BodyKind, Refused> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let coding = headers.get(header::TRANSFER_ENCODING);
    match (coding, lengths.next(), lengths.next()) {
        (None, None, _) => Ok(BodyKind::Length(0)),
        (Some(coding), None, _) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            Ok(BodyKind::Chunked)
        }
        (None, Some(length), None) => {
            let length = length.to_str().ok().and_then(|text| text.parse().ok());
            match length.ok_or(BAD)? {
                length if length <= MOST_BODY => Ok(BodyKind::Length(length)),
                _ => Err(Refused::Bad(StatusCode::PAYLOAD_TOO_LARGE)),
            }
        }
        _ => Err(BAD),
    }
}
