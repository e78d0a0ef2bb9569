//! Answers of HTTP/1.1 as bytes: where their head ends, and how their body is delimited (RFC 9112, sections 6 and 7).
//!
//! Pure. hyper's client does this too, with two tasks and a channel for each connection; the measured path has no room for them.
//! Invariants: nothing is taken for granted of the length of anything; what could be read in two ways is refused, so that no byte of
//! one answer is ever taken for a part of the next. Next: [`super::one`] reads and writes them.

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use thiserror::Error;

use super::connection::{MAX_HEAD, MAX_HEADERS};

mod chunks;

pub(super) use chunks::Chunks;

/// Why bytes are no answer.
#[derive(Debug, Error)]
pub(super) enum AnswerError {
    /// The head is not HTTP.
    #[error("the head of the answer is no HTTP/1.1")]
    Head(#[from] httparse::Error),
    /// The head is too long.
    #[error("the head of the answer has more than {MAX_HEAD} bytes")]
    TooLong,
    /// The length cannot be told.
    #[error("the length of the answer cannot be told")]
    Length,
    /// A chunk is none.
    #[error("a chunk of the answer has no proper form")]
    Chunk,
}

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// How its body ends.
    pub(super) framing: Framing,
    /// Whether the connection can carry another request afterwards.
    pub(super) keeps: bool,
}

/// How a body ends, and how much of it is still to come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes more.
    Length(u64),
    /// With the last chunk.
    Chunked(Chunks),
    /// With the connection.
    UntilClose,
}

/// A part of what is in a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Bytes before the data that belong to the framing.
    pub(super) skip: usize,
    /// Bytes of the body that follow.
    pub(super) take: usize,
}

impl Framing {
    /// Whether the body is complete. One that ends with the connection never says so.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.is_over(),
            Self::UntilClose => false,
        }
    }

    /// The next part of the body in the buffer, which counts as taken; nothing taken means that more must come, unless it is over.
    pub(super) fn next(&mut self, buffer: &[u8]) -> Result<Part, AnswerError> {
        match self {
            Self::Length(left) => {
                let take = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(buffer.len());
                *left -= take as u64;
                Ok(Part { skip: 0, take })
            }
            Self::Chunked(chunks) => chunks.next(buffer),
            Self::UntilClose => Ok(Part {
                skip: 0,
                take: buffer.len(),
            }),
        }
    }
}

/// The first head in the buffer and how long it is; `None` if more must come. Heads of 1xx are heads like others.
///
/// # Errors
/// If it is none, or is too long.
pub(super) fn head(buffer: &[u8]) -> Result<Option<(Head, usize)>, AnswerError> {
    // One more than may be, so that who asks can tell too many from no HTTP.
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS + 1];
    let mut response = httparse::Response::new(&mut fields);
    let length = match response.parse(buffer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if buffer.len() > MAX_HEAD as usize => {
            return Err(AnswerError::TooLong);
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if length > MAX_HEAD as usize {
        return Err(AnswerError::TooLong);
    }
    let status = response
        .code
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or(AnswerError::Head(httparse::Error::Status))?;
    let mut headers = HeaderMap::with_capacity(response.headers.len());
    for field in response.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let name = name.map_err(|_no_name| AnswerError::Head(httparse::Error::HeaderName))?;
        let value = HeaderValue::from_bytes(field.value);
        let value = value.map_err(|_no_value| AnswerError::Head(httparse::Error::HeaderValue))?;
        headers.append(name, value);
    }
    let is_new = response.version == Some(1);
    // Who says both can be understood in two ways, and might be by whoever stands between.
    let is_ambiguous =
        headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH);
    let framing = framing(status, &headers)?;
    let keeps = framing != Framing::UntilClose
        && !is_ambiguous
        && !says(&headers, &CONNECTION, "close")
        && (is_new || says(&headers, &CONNECTION, "keep-alive"))
        && status != StatusCode::SWITCHING_PROTOCOLS;
    let head = Head {
        status,
        headers,
        framing,
        keeps,
    };
    Ok(Some((head, length)))
}

/// Section 6.3, for requests that are neither HEAD nor CONNECT.
fn framing(status: StatusCode, headers: &HeaderMap) -> Result<Framing, AnswerError> {
    if status.is_informational() || matches!(status.as_u16(), 204 | 304) {
        return Ok(Framing::Length(0));
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(last) = codings.next_back() {
        let last = last.as_bytes().rsplit(|byte| *byte == b',').next();
        let is_chunked =
            last.is_some_and(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"chunked"));
        return Ok(if is_chunked {
            Framing::Chunked(Chunks::default())
        } else {
            Framing::UntilClose
        });
    }
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for one in value.as_bytes().split(|byte| *byte == b',') {
            let number = decimal(one.trim_ascii()).ok_or(AnswerError::Length)?;
            if length.is_some_and(|other| other != number) {
                return Err(AnswerError::Length);
            }
            length = Some(number);
        }
    }
    Ok(length.map_or(Framing::UntilClose, Framing::Length))
}

/// A number of nothing but digits: no sign, no space.
fn decimal(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| is_number)?;
    text.parse().ok()
}

fn says(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let mut values = headers.get_all(name).iter();
    values.any(|value| {
        let mut words = value.as_bytes().split(|byte| *byte == b',');
        words.any(|one| one.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    })
}

#[cfg(test)]
mod tests;
