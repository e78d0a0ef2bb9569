//! [`Chunks`]: the chunked coding, taken apart as it comes (RFC 9112, section 7.1).
//!
//! Pure. Extensions and trailers are read over, and bounded.

use super::{AnswerError, Part};

/// The longest line of a size or a trailer, bytes.
const MAX_LINE: usize = 8 << 10;
/// The most bytes of all trailers of an answer.
const MAX_TRAILERS: usize = 64 << 10;

/// How far a chunked body was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::mcp::http) struct Chunks {
    state: State,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    /// A line with a size comes.
    #[default]
    Size,
    /// So many bytes of data come, at least one.
    Data(u64),
    /// The end of the line after the data comes.
    DataEnd,
    /// Trailers come; so many bytes of them came.
    Trailers(usize),
    /// The body is complete.
    Over,
}

impl Chunks {
    /// Whether the last chunk and the trailers have been read.
    pub(in crate::mcp::http) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// The next piece of data in the buffer, and what comes before it.
    pub(in crate::mcp::http) fn next(&mut self, buffer: &[u8]) -> Result<Part, AnswerError> {
        let mut skip = 0;
        loop {
            let rest = buffer.get(skip..).unwrap_or_default();
            match &mut self.state {
                State::Size => {
                    let Some((text, length)) = line(rest)? else {
                        return Ok(Part { skip, take: 0 });
                    };
                    skip += length;
                    self.state = match size(text)? {
                        0 => State::Trailers(0),
                        size => State::Data(size),
                    };
                }
                State::Data(left) => {
                    let take = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= take as u64;
                    if *left == 0 {
                        self.state = State::DataEnd;
                    }
                    return Ok(Part { skip, take });
                }
                State::DataEnd => match rest {
                    [] | [b'\r'] => return Ok(Part { skip, take: 0 }),
                    [b'\r', b'\n', ..] => {
                        skip += 2;
                        self.state = State::Size;
                    }
                    _ => return Err(AnswerError::Chunk),
                },
                State::Trailers(seen) => {
                    let Some((text, length)) = line(rest)? else {
                        return Ok(Part { skip, take: 0 });
                    };
                    skip += length;
                    *seen += length;
                    if *seen > MAX_TRAILERS {
                        return Err(AnswerError::Chunk);
                    }
                    if text.is_empty() {
                        self.state = State::Over;
                    }
                }
                State::Over => return Ok(Part { skip, take: 0 }),
            }
        }
    }
}

/// The first line without its end, and its length with it.
fn line(buffer: &[u8]) -> Result<Option<(&[u8], usize)>, AnswerError> {
    match buffer.iter().position(|byte| *byte == b'\n') {
        Some(end) if end <= MAX_LINE => {
            let text = buffer.get(..end).unwrap_or_default();
            // A line that ends otherwise could be read in two ways.
            let text = text.strip_suffix(b"\r").ok_or(AnswerError::Chunk)?;
            Ok(Some((text, end + 1)))
        }
        None if buffer.len() <= MAX_LINE => Ok(None),
        _ => Err(AnswerError::Chunk),
    }
}

/// The number at the begin of a line with a size; an extension may follow.
fn size(line: &[u8]) -> Result<u64, AnswerError> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
    // Spaces before an extension are bad, and known from servers.
    let digits = digits.trim_ascii_end();
    if digits.is_empty() || digits.len() > 16 {
        return Err(AnswerError::Chunk);
    }
    digits.iter().try_fold(0_u64, |size, digit| {
        let digit = char::from(*digit).to_digit(16).ok_or(AnswerError::Chunk)?;
        Ok(size << 4 | u64::from(digit))
    })
}
