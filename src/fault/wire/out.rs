//! The writer: heads and bytes in, acts out, framed as HTTP/1.1 says, or not, where a rule wants it wrong.
//!
//! Pure. Acts are made when they are asked for, so that an endless body or a slow one costs no memory. Invariant: after close,
//! reset or the end of the answer nothing more is taken.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{StatusCode, header};

use super::part::{Act, Body, Connection, Framing, Head, Terms};

/// What acts are made of.
#[derive(Debug)]
enum Step {
    Act(Act),
    /// Writes `bytes` in pieces, and waits after each.
    Paced {
        bytes: Bytes,
        pace: Pace,
        waits: bool,
    },
    /// Writes `bytes` so often.
    Repeat {
        bytes: Bytes,
        times: u64,
    },
}

/// So many bytes at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Bytes written at once, at least one.
    pub(super) bytes: usize,
    /// The wait after them.
    pub(super) every: Duration,
}

/// Collects what is to be written for one answer.
#[derive(Debug)]
pub(super) struct Out {
    terms: Terms,
    steps: VecDeque<Step>,
    framing: Framing,
    /// Whether a body may follow the head.
    body: Body,
    /// Whether the connection is closed at the end.
    closes: bool,
    /// Bytes of the body so far, framing not counted.
    written: u64,
    pace: Option<Pace>,
    over: bool,
}

impl Out {
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            terms,
            steps: VecDeque::new(),
            framing: Framing::Chunked,
            body: terms.body,
            closes: false,
            written: 0,
            pace: None,
            over: false,
        }
    }

    /// Whether nothing more is taken.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The next act, if there is one without another part.
    pub(super) fn next_act(&mut self) -> Option<Act> {
        match self.steps.front_mut()? {
            Step::Act(_) => match self.steps.pop_front() {
                Some(Step::Act(act)) => Some(act),
                _ => None,
            },
            Step::Paced { pace, waits, bytes } if *waits => {
                let wait = pace.every;
                *waits = false;
                if bytes.is_empty() {
                    self.steps.pop_front();
                }
                Some(Act::Wait(wait))
            }
            Step::Paced { bytes, pace, waits } => {
                *waits = true;
                Some(Act::Write(bytes.split_to(
                    pace.bytes.clamp(1, bytes.len().max(1)).min(bytes.len()),
                )))
            }
            Step::Repeat { bytes, times } => {
                let bytes = bytes.clone();
                *times = times.saturating_sub(1);
                if *times == 0 {
                    self.steps.pop_front();
                }
                Some(Act::Write(bytes))
            }
        }
    }

    /// Writes all that comes from now on at this pace.
    pub(super) fn pace(&mut self, pace: Pace) {
        self.pace = Some(pace);
    }

    /// Writes the head, with the headers that frame the body.
    pub(super) fn head(&mut self, head: &Head) {
        self.framing = match (head.framing, self.terms.connection) {
            (Framing::Chunked, Connection::CloseUnchunked) => Framing::UntilClose,
            (framing, _) => framing,
        };
        if bodiless(head.status) {
            self.body = Body::HeadOnly;
        }
        let asks_to_close = head
            .headers
            .get(header::CONNECTION)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
        let open_end = self.framing == Framing::UntilClose && self.body == Body::Wanted;
        self.closes = asks_to_close || open_end || self.terms.connection != Connection::KeepAlive;

        let mut bytes = BytesMut::with_capacity(512);
        bytes.put_slice(b"HTTP/1.1 ");
        bytes.put_slice(head.status.as_str().as_bytes());
        bytes.put_u8(b' ');
        bytes.put_slice(head.status.canonical_reason().unwrap_or("").as_bytes());
        bytes.put_slice(b"\r\n");
        for (name, value) in &head.headers {
            field(&mut bytes, name.as_str(), value.as_bytes());
        }
        match self.framing {
            _ if matches!(head.status.as_u16(), 204 | 304) => {}
            Framing::Length(length) => {
                field(&mut bytes, "content-length", length.to_string().as_bytes());
            }
            Framing::Chunked => field(&mut bytes, "transfer-encoding", b"chunked"),
            Framing::UntilClose => {}
        }
        if self.closes && !asks_to_close {
            field(&mut bytes, "connection", b"close");
        }
        bytes.put_slice(b"\r\n");
        self.raw(bytes.freeze());
    }

    /// Writes bytes of the body, framed.
    pub(super) fn data(&mut self, bytes: &Bytes) {
        if bytes.is_empty() || self.body == Body::HeadOnly {
            return;
        }
        self.written += bytes.len() as u64;
        let framed = self.framed(bytes);
        self.raw(framed);
    }

    /// Writes `bytes` of the body, framed, as often as it takes to write at least `total` bytes.
    pub(super) fn endless(&mut self, bytes: &Bytes, total: u64) {
        let times = total.div_ceil(bytes.len().max(1) as u64);
        if times > 0 && !bytes.is_empty() && !self.over && self.body == Body::Wanted {
            let bytes = self.framed(bytes);
            self.steps.push_back(Step::Repeat { bytes, times });
        }
    }

    fn framed(&self, bytes: &Bytes) -> Bytes {
        if self.framing != Framing::Chunked {
            return bytes.clone();
        }
        let mut framed = BytesMut::with_capacity(bytes.len() + 20);
        framed.put_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
        framed.put_slice(bytes);
        framed.put_slice(b"\r\n");
        framed.freeze()
    }

    /// Writes bytes as they are.
    pub(super) fn raw(&mut self, bytes: Bytes) {
        if bytes.is_empty() || self.over {
            return;
        }
        if let Some(pace) = self.pace {
            self.steps.push_back(Step::Paced {
                bytes,
                pace,
                waits: false,
            });
        } else {
            self.act(Act::Write(bytes));
            self.act(Act::Flush);
        }
    }

    /// Whether the body is framed by chunks and may be written.
    pub(super) fn is_chunked(&self) -> bool {
        self.framing == Framing::Chunked && self.body == Body::Wanted
    }

    /// Waits.
    pub(super) fn wait(&mut self, time: Duration) {
        self.act(Act::Wait(time));
    }

    /// Bounds the time of all that comes.
    pub(super) fn within(&mut self, time: Duration) {
        self.act(Act::Within(time));
    }

    /// Ends the answer as its framing wants it.
    pub(super) fn end(&mut self) {
        if self.is_chunked() {
            self.raw(Bytes::from_static(b"0\r\n\r\n"));
        }
        self.end_unframed();
    }

    /// Ends the answer without the last chunk. The connection is closed if the client could not tell where the answer ends.
    pub(super) fn end_unframed(&mut self) {
        let short = match self.framing {
            Framing::Length(length) => self.body == Body::Wanted && self.written != length,
            Framing::Chunked | Framing::UntilClose => false,
        };
        if self.closes || short {
            self.close();
        } else {
            self.last(Act::Done);
        }
    }

    /// Closes the connection, wherever the answer is.
    pub(super) fn close(&mut self) {
        self.last(Act::Close);
    }

    /// Resets the connection, wherever the answer is.
    pub(super) fn reset(&mut self) {
        self.last(Act::Reset);
    }

    fn last(&mut self, act: Act) {
        self.act(act);
        self.over = true;
    }

    fn act(&mut self, act: Act) {
        if !self.over {
            self.steps.push_back(Step::Act(act));
        }
    }
}

/// Whether an answer of this status never has a body.
fn bodiless(status: StatusCode) -> bool {
    status.is_informational() || matches!(status.as_u16(), 204 | 304)
}

fn field(bytes: &mut BytesMut, name: &str, value: &[u8]) {
    bytes.put_slice(name.as_bytes());
    bytes.put_slice(b": ");
    bytes.put_slice(value);
    bytes.put_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn text(out: &mut Out) -> (String, Vec<Act>) {
        let mut bytes = Vec::new();
        let mut others = Vec::new();
        while let Some(act) = out.next_act() {
            match act {
                Act::Write(written) => bytes.extend_from_slice(&written),
                Act::Flush => {}
                other => others.push(other),
            }
        }
        (String::from_utf8(bytes).unwrap(), others)
    }

    fn head(status: StatusCode, length: Option<u64>) -> Head {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        Head::new(status, headers, length)
    }

    #[test]
    fn a_body_of_known_length_is_not_chunked() {
        let mut out = Out::new(Terms::default());
        out.head(&head(StatusCode::OK, Some(3)));
        out.data(&Bytes::from_static(b"abc"));
        out.end();
        let (text, others) = text(&mut out);
        assert_eq!(
            text,
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\nabc"
        );
        assert_eq!(others, [Act::Done]);
    }

    #[test]
    fn a_body_of_unknown_length_is_chunked_and_ends() {
        let mut out = Out::new(Terms::default());
        out.head(&head(StatusCode::OK, None));
        out.data(&Bytes::from_static(b"0123456789"));
        out.data(&Bytes::new());
        out.end();
        let (text, others) = text(&mut out);
        assert!(text.ends_with("transfer-encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n"));
        assert_eq!(others, [Act::Done]);
    }

    #[test]
    fn an_old_client_gets_no_chunks_and_a_close() {
        let mut out = Out::new(Terms {
            connection: Connection::CloseUnchunked,
            ..Terms::default()
        });
        out.head(&head(StatusCode::OK, None));
        out.data(&Bytes::from_static(b"abc"));
        out.end();
        let (text, others) = text(&mut out);
        assert!(
            text.ends_with("text/plain\r\nconnection: close\r\n\r\nabc"),
            "{text}"
        );
        assert_eq!(others, [Act::Close]);
    }

    #[test]
    fn what_has_no_body_gets_none() {
        for (status, body) in [(204, Body::Wanted), (200, Body::HeadOnly)] {
            let mut out = Out::new(Terms {
                body,
                ..Terms::default()
            });
            out.head(&head(StatusCode::from_u16(status).unwrap(), Some(3)));
            out.data(&Bytes::from_static(b"abc"));
            out.end();
            let (text, others) = text(&mut out);
            assert!(text.ends_with("\r\n\r\n"), "{text}");
            assert_eq!(text.contains("content-length"), status == 200);
            assert_eq!(others, [Act::Done]);
        }
    }

    #[test]
    fn a_body_shorter_than_its_length_ends_the_connection() {
        let mut out = Out::new(Terms::default());
        out.head(&head(StatusCode::OK, Some(9)));
        out.data(&Bytes::from_static(b"abc"));
        out.end();
        out.data(&Bytes::from_static(b"more"));
        let (text, others) = text(&mut out);
        assert!(text.ends_with("\r\n\r\nabc"));
        assert_eq!(others, [Act::Close]);
        assert!(out.is_over());
    }

    #[test]
    fn a_pace_cuts_what_is_written_into_pieces_and_waits() {
        let mut out = Out::new(Terms::default());
        let every = Duration::from_millis(5);
        out.pace(Pace { bytes: 2, every });
        out.raw(Bytes::from_static(b"abc"));
        let acts: Vec<Act> = std::iter::from_fn(|| out.next_act()).collect();
        assert_eq!(
            acts,
            [
                Act::Write(Bytes::from_static(b"ab")),
                Act::Wait(every),
                Act::Write(Bytes::from_static(b"c")),
                Act::Wait(every),
            ]
        );
    }
}
