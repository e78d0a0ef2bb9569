//! One way of one connection: reads, asks its lane, writes.
//!
//! Impure. Every chunk is written at once; what the receiver does not take waits here, and then nothing more is read than the
//! lane holds. Invariant: an end (FIN) is handed on as an end, and the other way goes on.

use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::clock;
use crate::fault::link::Way;
use crate::fault::link::http::Http;
use crate::fault::link::item::{Ending, What};
use crate::fault::link::lane::Lane;

/// The most that is read at once, bytes; a chunk is what one reading gives.
const CHUNK: usize = 16 << 10;

/// One end of a flow, as it is now.
#[derive(Debug)]
pub(super) enum End<'a> {
    /// It is there.
    Here(&'a mut TcpStream),
    /// It will be.
    Later,
    /// It is gone, and nobody is told.
    Gone,
}

/// One way of a connection.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) lane: Lane,
    way: Way,
    /// What is being written.
    writing: Bytes,
    /// The receiver takes no more for now.
    blocked: bool,
    /// The sender has ended, or broken off.
    source_over: bool,
    /// Why nothing more is written, once it is so.
    over: Option<Over>,
}

/// How the receiver's end of a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    /// It was told that nothing more comes.
    Told,
    /// It takes nothing any more, and was told nothing.
    Broken,
}

impl Flow {
    pub(super) fn new(way: Way, connection: u64) -> Self {
        Self {
            lane: Lane::new(way, connection),
            way,
            writing: Bytes::new(),
            blocked: false,
            source_over: false,
            over: None,
        }
    }

    /// Whether nothing comes any more.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// Whether the sender has ended, or broken off.
    pub(super) fn is_source_over(&self) -> bool {
        self.source_over
    }

    /// Whether the receiver takes nothing any more, without having been told the end.
    pub(super) fn is_broken(&self) -> bool {
        self.over == Some(Over::Broken)
    }

    /// When something that is held is to leave.
    pub(super) fn due(&self, http: Option<&Http>) -> Option<i64> {
        let answer = http.filter(|_| self.way == Way::ToClient);
        let answer = answer.and_then(|http| http.due(self.lane.takes()));
        let held = self.lane.due().filter(|_| !self.blocked);
        let due = answer.into_iter().chain(held).min();
        due.filter(|_| !self.is_over())
    }

    /// Carries on as far as it goes; the context is woken when it goes further, but for what is due later.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        mut source: End<'_>,
        mut sink: End<'_>,
        mut http: Option<&mut Http>,
        written: &AtomicU64,
    ) -> Option<Ending> {
        loop {
            if self.answer(http.as_deref_mut()).is_break() {
                return Some(Ending::Reset);
            }
            if let Some(ending) = self.write(context, &mut sink, written) {
                return Some(ending);
            }
            let reads = !self.source_over
                && !self.is_over()
                && self.lane.takes()
                && http.as_ref().is_none_or(|http| self.is_taken_by(http))
                && (!matches!(sink, End::Later) || self.lane.swallows());
            let End::Here(stream) = &mut source else {
                return None;
            };
            if !reads {
                return None;
            }
            let mut space = [MaybeUninit::<u8>::uninit(); CHUNK];
            let mut space = ReadBuf::uninit(&mut space);
            match Pin::new(&mut **stream).poll_read(context, &mut space) {
                Poll::Pending => return None,
                Poll::Ready(Ok(())) if space.filled().is_empty() => {
                    self.ended(What::End, http.as_deref_mut());
                }
                Poll::Ready(Ok(())) => match &mut http {
                    Some(http) => self.followed(space.filled(), http),
                    None => self.came(context, &mut sink, space.filled(), written),
                },
                Poll::Ready(Err(_)) => self.ended(What::Reset, http.as_deref_mut()),
            }
        }
    }

    /// Whether what is read would be taken.
    fn is_taken_by(&self, http: &Http) -> bool {
        match self.way {
            Way::ToServer => http.takes_requests(),
            Way::ToClient => http.takes_answers(),
        }
    }

    /// Takes what answers have become, as far as the lane does. Breaks if one is overdue.
    fn answer(&mut self, http: Option<&mut Http>) -> ControlFlow<()> {
        let Some(http) = http.filter(|_| self.way == Way::ToClient && !self.is_over()) else {
            return ControlFlow::Continue(());
        };
        if http.is_overdue(clock::now()) {
            return ControlFlow::Break(());
        }
        while self.lane.takes() {
            let now = clock::now();
            match http.next(now) {
                Some(what) => self.lane.push(now, what),
                None => break,
            }
        }
        ControlFlow::Continue(())
    }

    /// The sender has ended, or broken off.
    fn ended(&mut self, how: What, http: Option<&mut Http>) {
        self.source_over = true;
        let now = clock::now();
        match (http, self.way) {
            (Some(http), Way::ToClient) => return http.server_ended(how),
            (Some(http), Way::ToServer) => {
                let rest = http.client_ended();
                if !rest.is_empty() {
                    self.lane.push(now, What::Bytes(rest));
                }
            }
            (None, _) => {}
        }
        self.lane.push(now, how);
    }

    /// Takes what was read of HTTP.
    fn followed(&mut self, bytes: &[u8], http: &mut Http) {
        let (now, lane) = (clock::now(), &mut self.lane);
        match self.way {
            Way::ToServer => http.client_said(now, bytes, &mut |bytes| {
                lane.push(now, What::Bytes(bytes));
            }),
            Way::ToClient => http.server_said(bytes),
        }
    }

    /// Takes what was read. Without rules it is written before anything is copied.
    fn came(
        &mut self,
        context: &mut Context<'_>,
        sink: &mut End<'_>,
        mut bytes: &[u8],
        written: &AtomicU64,
    ) {
        if self.lane.is_plain()
            && self.writing.is_empty()
            && let End::Here(stream) = sink
            && let Poll::Ready(Ok(count)) = Pin::new(&mut **stream).poll_write(context, bytes)
        {
            written.fetch_add(count as u64, Ordering::Relaxed);
            bytes = bytes.get(count..).unwrap_or_default();
        }
        if !bytes.is_empty() {
            let bytes = Bytes::copy_from_slice(bytes);
            self.lane.push(clock::now(), What::Bytes(bytes));
        }
    }

    /// Writes what is due, as far as the receiver takes it.
    fn write(
        &mut self,
        context: &mut Context<'_>,
        sink: &mut End<'_>,
        written: &AtomicU64,
    ) -> Option<Ending> {
        // Nothing was read for one who is not there yet, but for what is dropped.
        self.blocked = matches!(sink, End::Later);
        while !self.is_over() && !self.blocked {
            if self.writing.is_empty() {
                match self.lane.next(clock::now()) {
                    None => return None,
                    Some(What::Bytes(bytes)) => self.writing = bytes,
                    Some(What::Close) => return Some(Ending::Close),
                    Some(What::Reset) => return Some(Ending::Reset),
                    Some(What::End) => {
                        if let End::Here(stream) = sink {
                            // A socket has nothing to flush, so this never waits; if it fails, the receiver is gone.
                            let _ = Pin::new(&mut **stream).poll_shutdown(context);
                        }
                        self.over = Some(Over::Told);
                    }
                }
                continue;
            }
            let End::Here(stream) = sink else {
                self.writing.clear();
                continue;
            };
            match Pin::new(&mut **stream).poll_write(context, &self.writing) {
                Poll::Pending => self.blocked = true,
                Poll::Ready(Ok(count)) => {
                    self.writing.advance(count);
                    written.fetch_add(count as u64, Ordering::Relaxed);
                }
                // The receiver is gone. What it has sent before may still be on its other way, and its end comes there.
                Poll::Ready(Err(_)) => self.over = Some(Over::Broken),
            }
        }
        None
    }
}
