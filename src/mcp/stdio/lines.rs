//! [`Lines`]: cuts a byte stream into lines of UTF-8, one message each.
//!
//! Pure. Lines end in LF or CRLF. Invariant: the lines do not depend on how the stream was cut, and no line is longer than
//! [`MAX_BODY`].

use bytes::{Bytes, BytesMut};
use thiserror::Error;

use crate::mcp::exchange::MAX_BODY;

/// Why a stream cannot be read as lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum LineError {
    /// The line is too long.
    #[error("a line is longer than {MAX_BODY} bytes")]
    TooLong,
    /// It is no text.
    #[error("a line is not UTF-8")]
    NoText,
}

/// Cuts a byte stream into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    buffer: BytesMut,
    /// How far the buffer holds no line feed.
    searched: usize,
}

impl Lines {
    /// Where the next bytes are appended.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next whole line that is not blank, without its end.
    ///
    /// # Errors
    /// If the line is too long or no text; the stream cannot be read on then.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, LineError> {
        loop {
            let fresh = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(place) = fresh.iter().position(|byte| *byte == b'\n') else {
                self.searched = self.buffer.len();
                return if self.searched > MAX_BODY {
                    Err(LineError::TooLong)
                } else {
                    Ok(None)
                };
            };
            let mut line = self.buffer.split_to(self.searched + place + 1);
            self.searched = 0;
            let text = line.trim_ascii_end().len();
            line.truncate(text);
            if line.len() > MAX_BODY {
                return Err(LineError::TooLong);
            }
            if std::str::from_utf8(&line).is_err() {
                return Err(LineError::NoText);
            }
            if !line.is_empty() {
                return Ok(Some(line.freeze()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(chunks: &[&[u8]]) -> Result<Vec<Bytes>, LineError> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for chunk in chunks {
            lines.buffer().extend_from_slice(chunk);
            while let Some(line) = lines.next()? {
                found.push(line);
            }
        }
        Ok(found)
    }

    #[test]
    fn a_line_is_whole_when_its_end_is_there() {
        let lines = cut(&[b"one\r\n\n  \ntw", b"o\nthr"]).unwrap();
        assert_eq!(lines, ["one", "two"]);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let chunk = vec![b'x'; 1 << 20];
        let chunks = vec![chunk.as_slice(); 65];
        assert_eq!(cut(&chunks), Err(LineError::TooLong));
    }

    #[test]
    fn what_is_no_text_is_refused() {
        assert_eq!(cut(&[b"\xff\xfe\n"]), Err(LineError::NoText));
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_the_stream_was_cut(
            pieces in proptest::collection::vec(prop::sample::select(vec!["a", "é", "\n", "\r\n", " "]), 0..60),
            cuts in proptest::collection::vec(1_usize..9, 1..20),
        ) {
            let stream = pieces.concat().into_bytes();
            let whole = cut(&[&stream]).unwrap();
            let mut rest = stream.as_slice();
            let mut chunks = Vec::new();
            for size in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (chunk, tail) = rest.split_at((*size).min(rest.len()));
                chunks.push(chunk);
                rest = tail;
            }
            prop_assert_eq!(cut(&chunks).unwrap(), whole);
        }
    }
}
