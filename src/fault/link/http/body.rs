//! Where a body ends, and what of its bytes is data (RFC 9112, sections 6 and 7.1).
//!
//! Pure. Bytes are judged one run at a time, so that each can pass as soon as it is there. Invariant: the bytes that are used are
//! the bytes of the body, framing and all.

use http::{HeaderMap, header};

/// The most bytes of an extension, or of all trailers.
const MOST_LINE: usize = 64 << 10;

/// A body under way.
#[derive(Debug)]
pub(super) enum Body {
    /// So many bytes are left.
    Length(u64),
    /// In chunks.
    Chunked(Chunks),
    /// Up to the end of the connection.
    UntilEnd,
}

/// It is no body that could be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Strange;

/// What was read of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// How many bytes belong to it.
    pub(super) used: usize,
    /// Whether it ends with them.
    pub(super) over: bool,
}

impl Body {
    /// What the headers say; None if they say nothing. Two answers are none that could be trusted.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, Strange> {
        let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
        let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
        let length = lengths.next();
        let coding = codings.next();
        if lengths.next().is_some() || codings.next().is_some() {
            return Err(Strange);
        }
        match (length, coding) {
            (None, None) => Ok(None),
            (Some(length), None) => {
                let text = length.to_str().map_err(|_| Strange)?;
                // A sign would parse.
                if !text.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(Strange);
                }
                let length = text.parse().map_err(|_| Strange)?;
                Ok(Some(Self::Length(length)))
            }
            (None, Some(coding)) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
                Ok(Some(Self::Chunked(Chunks::default())))
            }
            _ => Err(Strange),
        }
    }

    /// Whether there is nothing of it.
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Length(0))
    }

    /// Reads on; `data` is given what is not framing.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        data: &mut dyn FnMut(&[u8]),
    ) -> Result<Read, Strange> {
        match self {
            Self::Length(left) => {
                let used = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                *left -= used as u64;
                data(bytes.get(..used).unwrap_or_default());
                let over = *left == 0;
                Ok(Read { used, over })
            }
            Self::Chunked(chunks) => chunks.read(bytes, data),
            Self::UntilEnd => {
                data(bytes);
                let used = bytes.len();
                Ok(Read { used, over: false })
            }
        }
    }
}

/// How far a chunked body was read.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    state: State,
    /// Bytes of the line, or of the trailers, so far.
    line: usize,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// In the number of a size, if it has a digit yet.
    #[default]
    Begin,
    Size(u64),
    /// Behind it, up to the end of the line.
    Extension(u64),
    /// LF comes.
    SizeEnd(u64),
    Data(u64),
    DataCr,
    DataLf,
    /// At the begin of a line after the last chunk.
    Trailer,
    InTrailer,
    TrailerEnd,
    LastEnd,
}

impl Chunks {
    fn read(&mut self, bytes: &[u8], data: &mut dyn FnMut(&[u8])) -> Result<Read, Strange> {
        let mut used = 0;
        while let Some(byte) = bytes.get(used).copied() {
            if let State::Data(left) = self.state {
                let rest = bytes.get(used..).unwrap_or_default();
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                data(rest.get(..length).unwrap_or_default());
                used += length;
                self.state = match left - length as u64 {
                    0 => State::DataCr,
                    left => State::Data(left),
                };
                continue;
            }
            used += 1;
            self.line += 1;
            if self.line > MOST_LINE {
                return Err(Strange);
            }
            if matches!(self.state, State::LastEnd) {
                return match byte {
                    b'\n' => Ok(Read { used, over: true }),
                    _ => Err(Strange),
                };
            }
            self.state = self.after(byte)?;
        }
        Ok(Read { used, over: false })
    }

    /// The state after a byte that is framing.
    fn after(&mut self, byte: u8) -> Result<State, Strange> {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        Ok(match (self.state, byte) {
            (State::Begin, _) => State::Size(digit.ok_or(Strange)?),
            (State::Size(size) | State::Extension(size), b'\r') => State::SizeEnd(size),
            (State::Size(size), b';' | b' ' | b'\t') => State::Extension(size),
            (State::Size(size), _) => {
                let size = size.checked_mul(16).ok_or(Strange)?;
                State::Size(size + digit.ok_or(Strange)?)
            }
            (State::Extension(_) | State::Trailer | State::InTrailer, b'\n') => {
                return Err(Strange);
            }
            (State::Extension(size), _) => State::Extension(size),
            (State::SizeEnd(size), b'\n') => {
                self.line = 0;
                if size == 0 {
                    State::Trailer
                } else {
                    State::Data(size)
                }
            }
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => {
                self.line = 0;
                State::Begin
            }
            (State::Trailer, b'\r') => State::LastEnd,
            (State::InTrailer, b'\r') => State::TrailerEnd,
            (State::Trailer | State::InTrailer, _) => State::InTrailer,
            (State::TrailerEnd, b'\n') => State::Trailer,
            _ => return Err(Strange),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunked() -> Body {
        Body::Chunked(Chunks::default())
    }

    #[test]
    fn chunks_end_where_they_end_however_they_are_cut() {
        let text = b"5\r\nhello\r\n6;x=\"y\"\r\n world\r\n0\r\nx-trailer: y\r\n\r\nHTTP/1.1";
        for size in 1..text.len() {
            let (mut body, mut data, mut used) = (chunked(), Vec::new(), 0);
            for piece in text.chunks(size) {
                let read = body
                    .read(piece, &mut |bytes| data.extend_from_slice(bytes))
                    .unwrap();
                used += read.used;
                if read.over {
                    break;
                }
                assert_eq!(read.used, piece.len());
            }
            assert_eq!(data, b"hello world", "pieces of {size}");
            assert_eq!(&text[used..], b"HTTP/1.1", "pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_chunk_is_strange() {
        for text in [
            "x\r\n",
            "\r\n",
            "5\n",
            "5\r\nhelloworld",
            "11111111111111111\r\n",
            "0\r\n\n",
        ] {
            let read = chunked().read(text.as_bytes(), &mut |_| {});
            assert_eq!(read, Err(Strange), "{text:?}");
        }
    }

    #[test]
    fn headers_that_contradict_each_other_are_strange() {
        let of = |fields: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, value.parse().unwrap());
            }
            Body::of(&headers)
        };
        assert!(matches!(of(&[]), Ok(None)));
        assert!(matches!(
            of(&[("content-length", "7")]),
            Ok(Some(Body::Length(7)))
        ));
        assert!(matches!(
            of(&[("transfer-encoding", "Chunked")]),
            Ok(Some(Body::Chunked(_)))
        ));
        for fields in [
            &[("content-length", "7"), ("content-length", "8")][..],
            &[("content-length", "+7")],
            &[("content-length", "7"), ("transfer-encoding", "chunked")],
            &[("transfer-encoding", "gzip, chunked")],
        ] {
            assert!(of(fields).is_err(), "{fields:?}");
        }
    }
}
