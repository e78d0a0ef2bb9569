//! [`One`]: a connection of HTTP/1.1 that carries one request after the other, with one write and one read for most of them.
//!
//! Impure: a socket. No task and no channel stands between a client and its connection, and one that waits holds no buffer. Invariants:
//! a request is written at most once; while it is written, an early answer is read; a connection whose answer was not read to its end,
//! or on which something came unasked, is never used again. Next: [`super::answer`] for what the bytes mean.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use http::{HeaderMap, StatusCode};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

use super::answer::{self, AnswerError, Framing};
use super::connection::MAX_HEAD;
use super::hold::Wire;
use crate::mcp::tls::Stream;

/// How much is read at a time at least, bytes.
const LEAST: usize = 4 << 10;
/// How much is read at a time once an answer is longer, bytes.
const MOST: usize = 64 << 10;
/// The most heads of 1xx before the answer itself.
const MAX_INTERIM: u32 = 32;

/// Why an exchange on a connection came to no good end.
#[derive(Debug, Error)]
pub(super) enum OneError {
    /// The connection ended before the answer did.
    #[error("the connection was closed before the answer was complete")]
    Closed,
    /// The system says so.
    #[error("the connection broke")]
    Broken(#[source] io::Error),
    /// What came is no answer.
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// Why there is no head of an answer.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) error: OneError,
    /// Whether surely not one byte of the request was written.
    pub(super) is_unsent: bool,
}

/// A connection.
#[derive(Debug)]
pub(super) struct One {
    stream: Stream<Wire>,
    /// What was read and not looked at; without memory while the connection waits.
    buffer: BytesMut,
    /// What is left of a request that was answered before it was written.
    unwritten: Vec<u8>,
    /// How the rest of the answer comes.
    framing: Framing,
    /// Whether the connection may be used again after this answer.
    keeps: bool,
}

impl One {
    pub(super) fn new(stream: Stream<Wire>) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
            unwritten: Vec::new(),
            framing: Framing::Length(0),
            keeps: true,
        }
    }

    /// Whether it waits and can take a request, as far as is known: nothing was heard on it, and above all not its end.
    pub(super) fn can_take(&mut self) -> bool {
        // Nobody waits: what comes later is seen at the next look.
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut anything = [0_u8; 1];
        let mut anything = ReadBuf::new(&mut anything);
        self.is_done()
            && Pin::new(&mut self.stream)
                .poll_read(&mut context, &mut anything)
                .is_pending()
    }

    /// Whether the last answer was read to its end, and nothing came after it.
    pub(super) fn is_done(&self) -> bool {
        self.keeps && self.framing.is_over() && self.buffer.is_empty()
    }

    /// Writes a request, already put together, and reads the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: &[u8],
    ) -> Result<(StatusCode, HeaderMap), Unanswered> {
        // Whatever happens from here on, the connection is of no use until the answer has been read.
        self.keeps = false;
        let mut written = 0;
        let mut failed = None;
        let mut interim = 0;
        // Up to where the buffer is known to hold no whole head.
        let mut seen = 0;
        let result = poll_fn(|context| {
            if failed.is_none()
                && let Err(error) = self.poll_write(context, request, &mut written)
            {
                failed = Some(error);
            }
            loop {
                // A head ends with a line: to look at each byte anew would take a square of time.
                let fresh = self.buffer.get(seen..).unwrap_or_default();
                let found = if seen == 0 || fresh.contains(&b'\n') || seen > MAX_HEAD as usize {
                    answer::head(&self.buffer)
                } else {
                    Ok(None)
                };
                seen = self.buffer.len();
                match found {
                    Ok(Some((head, length))) => {
                        let _ = self.buffer.split_to(length);
                        seen = 0;
                        if head.status.is_informational()
                            && head.status != StatusCode::SWITCHING_PROTOCOLS
                        {
                            interim += 1;
                            if interim > MAX_INTERIM {
                                return Poll::Ready(Err(AnswerError::TooLong.into()));
                            }
                            continue;
                        }
                        self.framing = head.framing;
                        // An answer to half a request is the last one.
                        self.keeps = head.keeps && written == request.len();
                        return Poll::Ready(Ok((head.status, head.headers)));
                    }
                    Ok(None) => {}
                    Err(error) => return Poll::Ready(Err(error.into())),
                }
                match self.poll_read(context) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(OneError::Closed)),
                    Poll::Ready(Ok(_)) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(OneError::Broken(error))),
                    Poll::Pending => {
                        // What could not be written is the cause, unless the server has said something before.
                        return failed.take().map_or(Poll::Pending, |error| {
                            Poll::Ready(Err(OneError::Broken(error)))
                        });
                    }
                }
            }
        });
        let result = result.await;
        // Some servers read on while they answer.
        self.unwritten = request.get(written..).unwrap_or_default().to_vec();
        // TLS takes more than it could write, so that nobody knows what of it went out.
        let is_unsent = written == 0 && !matches!(self.stream, Stream::Tls(_));
        result.map_err(|error| Unanswered { error, is_unsent })
    }

    /// The next part of the answer's body, handed to `take`; false at its end.
    pub(super) async fn body(&mut self, take: &mut dyn FnMut(&[u8])) -> Result<bool, OneError> {
        poll_fn(|context| {
            self.write_on(context);
            loop {
                if self.framing.is_over() {
                    self.rest();
                    return Poll::Ready(Ok(false));
                }
                let part = self.framing.next(&self.buffer)?;
                let _ = self.buffer.split_to(part.skip);
                if part.take > 0 {
                    let bytes = self.buffer.split_to(part.take);
                    take(&bytes);
                    return Poll::Ready(Ok(true));
                }
                if part.skip > 0 {
                    continue;
                }
                match self.poll_read(context) {
                    Poll::Ready(Ok(0)) if self.framing == Framing::UntilClose => {
                        self.framing = Framing::Length(0);
                    }
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(OneError::Closed)),
                    Poll::Ready(Ok(_)) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(OneError::Broken(error))),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// Lets go of the memory of a connection that waits.
    fn rest(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// Writes what is left of the request, as far as that goes; whether it can be written is for the answer to show.
    fn write_on(&mut self, context: &mut Context<'_>) {
        if self.unwritten.is_empty() {
            return;
        }
        let rest = std::mem::take(&mut self.unwritten);
        let mut written = 0;
        if self.poll_write(context, &rest, &mut written).is_ok() {
            self.unwritten = rest.get(written..).unwrap_or_default().to_vec();
        }
    }

    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        request: &[u8],
        written: &mut usize,
    ) -> io::Result<()> {
        let mut wrote = false;
        while let Some(rest) = request.get(*written..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut self.stream).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => *written += count,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
            wrote = true;
        }
        // TLS may hold back what it was given, and must be asked again until it is gone.
        if wrote || matches!(self.stream, Stream::Tls(_)) {
            match Pin::new(&mut self.stream).poll_flush(context) {
                Poll::Ready(result) => result?,
                Poll::Pending => {}
            }
        }
        Ok(())
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let room = if self.buffer.len() < LEAST {
            LEAST
        } else {
            MOST
        };
        self.buffer.reserve(room);
        poll_read_buf(Pin::new(&mut self.stream), context, &mut self.buffer)
    }
}
