//! What a server sends, told apart into answers; each passes as it came, or goes through what changes it.
//!
//! Pure. Bytes are asked for one piece at a time, so that an answer without end, or one that waits, holds nothing but what was
//! read last. Invariant: answers leave in the order of their requests, those that the server was never asked for among them.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::body::{Body, Strange};
use super::head::{Answered, Found, INSTANCE, answered, named};
use super::{Change, Kind, Pending, cut};
use crate::fault::link::item::{What, nanos};
use crate::fault::wire::{Act, Head, Part};

/// The reading of answers.
#[derive(Debug)]
pub(super) struct Answers {
    buffer: BytesMut,
    state: State,
    /// Whether nothing is left to do with what came.
    hungry: bool,
    /// How the server ended.
    ended: Option<What>,
}

#[derive(Debug, Default)]
enum State {
    /// A head comes.
    #[default]
    Head,
    /// A body comes.
    Body(Body),
    /// The answer was read to its end, but is not written yet.
    Over,
    /// It is no HTTP that we understand.
    Raw,
}

/// What a step came to.
enum Step {
    /// This goes to the client.
    Give(What),
    /// There may be more to do.
    Again,
    /// The server must say more first.
    Waits,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            buffer: BytesMut::new(),
            state: State::Head,
            hungry: true,
            ended: None,
        }
    }
}

impl Answers {
    /// Whether nothing is left to do with what came, so that more may come.
    pub(super) fn is_hungry(&self) -> bool {
        self.hungry
    }

    /// Whether nothing is followed any more.
    pub(super) fn is_raw(&self) -> bool {
        matches!(self.state, State::Raw)
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.hungry = false;
    }

    pub(super) fn ends(&mut self, how: What) {
        self.ended = Some(how);
    }

    /// What goes to the client next.
    pub(super) fn next(
        &mut self,
        now: i64,
        pending: &mut VecDeque<Pending>,
        instance: Option<&Bytes>,
    ) -> Option<What> {
        self.hungry = false;
        loop {
            let front = pending.front_mut().filter(|_| !self.is_raw());
            if let Some(change) = front.and_then(|front| front.change.as_mut()) {
                let asks = change.transformer.asks();
                match act(change, now) {
                    Acted::Give(what) => return Some(what),
                    Acted::Waits => return None,
                    Acted::Done if !asks => {
                        pending.pop_front();
                        continue;
                    }
                    Acted::Done if matches!(self.state, State::Over) => {
                        self.state = State::Head;
                        pending.pop_front();
                        continue;
                    }
                    // It has heard the end, and wants nothing more.
                    Acted::Asks if matches!(self.state, State::Over) => {
                        change.done = true;
                        continue;
                    }
                    // What the server still says of an answer that is done is read over.
                    Acted::Done | Acted::Asks => {}
                }
            }
            match self.read(pending, instance) {
                Step::Give(what) => return Some(what),
                Step::Again => {}
                Step::Waits => {
                    self.hungry = true;
                    return self.ended.take();
                }
            }
        }
    }

    /// Reads on.
    fn read(&mut self, pending: &mut VecDeque<Pending>, instance: Option<&Bytes>) -> Step {
        match self.state {
            State::Raw if self.buffer.is_empty() => Step::Waits,
            State::Raw => Step::Give(What::Bytes(self.buffer.split().freeze())),
            State::Head if self.buffer.is_empty() && !self.breaks(pending) => Step::Waits,
            State::Head => {
                let Some(front) = pending.front_mut() else {
                    // It speaks unasked.
                    self.state = State::Raw;
                    return Step::Again;
                };
                match answered(&self.buffer) {
                    Found::Whole(head, length) => self.head(&head, length, front, instance),
                    Found::Partial if self.ended.is_none() => Step::Waits,
                    Found::Partial | Found::Strange => self.stop(front),
                }
            }
            State::Body(_) => self.body(pending),
            // Asked for no more once it is over.
            State::Over => Step::Again,
        }
    }

    /// Whether the server has ended without the answer that a rule waits for.
    fn breaks(&self, pending: &VecDeque<Pending>) -> bool {
        let waits = |front: &Pending| front.change.as_ref().is_some_and(|change| !change.done);
        self.ended.is_some() && pending.front().is_some_and(waits)
    }

    /// What comes is not understood. An answer that is being changed has broken off; else it passes.
    fn stop(&mut self, front: &mut Pending) -> Step {
        match &mut front.change {
            Some(change) if !change.done => {
                change.transformer.take(Part::Broken);
                self.buffer.clear();
                self.state = State::Over;
            }
            _ => self.state = State::Raw,
        }
        Step::Again
    }

    fn head(
        &mut self,
        head: &Answered,
        length: usize,
        front: &mut Pending,
        instance: Option<&Bytes>,
    ) -> Step {
        let (status, kind) = (head.status, front.kind);
        let upgrades = status == StatusCode::SWITCHING_PROTOCOLS
            || (kind == Kind::Connect && status.is_success());
        if upgrades {
            self.state = State::Raw;
            return Step::Again;
        }
        if status.is_informational() {
            return Step::Give(What::Bytes(cut(&mut self.buffer, length)));
        }
        let bodiless = kind == Kind::Head || matches!(status.as_u16(), 204 | 304);
        let Ok(body) = body(&head.headers, bodiless) else {
            return self.stop(front);
        };
        self.state = State::Body(body);
        let bytes = cut(&mut self.buffer, length);
        match &mut front.change {
            Some(change) => {
                if !change.done {
                    let headers = with_instance(head.headers.clone(), instance);
                    let head = Head::new(status, headers, length_of(&head.headers));
                    change.transformer.take(Part::Head(head));
                }
                Step::Again
            }
            None => Step::Give(What::Bytes(match instance {
                Some(name) => named(&bytes, name),
                None => bytes,
            })),
        }
    }

    fn body(&mut self, pending: &mut VecDeque<Pending>) -> Step {
        let (State::Body(body), Some(front)) = (&mut self.state, pending.front_mut()) else {
            self.state = State::Raw;
            return Step::Again;
        };
        let mut change = front.change.as_mut().filter(|change| !change.done);
        let read = body.read(&self.buffer, &mut |data| {
            if let Some(change) = &mut change
                && !data.is_empty()
            {
                let data = Bytes::copy_from_slice(data);
                change.transformer.take(Part::Body(data));
            }
        });
        let Ok(read) = read else {
            return self.stop(front);
        };
        let bytes = cut(&mut self.buffer, read.used);
        let until_end = matches!(body, Body::UntilEnd);
        let over = read.over || (self.ended.is_some() && self.buffer.is_empty());
        if let (Some(change), true) = (change, over) {
            let whole = read.over || (until_end && self.ended == Some(What::End));
            let last = if whole { Part::End } else { Part::Broken };
            change.transformer.take(last);
        }
        let changed = front.change.is_some();
        if over && changed {
            self.state = State::Over;
        } else if over {
            self.state = State::Head;
            pending.pop_front();
        } else if bytes.is_empty() {
            return Step::Waits;
        }
        if changed || bytes.is_empty() {
            // What is changed leaves as acts.
            return Step::Again;
        }
        Step::Give(What::Bytes(bytes))
    }
}

/// What an act came to.
enum Acted {
    /// This goes to the client.
    Give(What),
    /// It waits.
    Waits,
    /// It wants another part of the server's answer.
    Asks,
    /// It has written all.
    Done,
}

/// Does the next act of what changes an answer.
fn act(change: &mut Change, now: i64) -> Acted {
    loop {
        if change.done {
            return Acted::Done;
        }
        if change.deadline.is_some_and(|deadline| deadline <= now) {
            return Acted::Give(What::Reset);
        }
        if let Some(at) = change.resumes
            && at > now
            && !change.hurries
        {
            return Acted::Waits;
        }
        change.resumes = None;
        match change.transformer.next_act() {
            None if change.transformer.asks() => return Acted::Asks,
            None | Some(Act::Done) => change.done = true,
            Some(Act::Write(bytes)) if bytes.is_empty() => {}
            Some(Act::Write(bytes)) => return Acted::Give(What::Bytes(bytes)),
            Some(Act::Flush) => {}
            Some(Act::Wait(time)) => change.resumes = Some(now.saturating_add(nanos(time))),
            Some(Act::Within(time)) => change.deadline = Some(now.saturating_add(nanos(time))),
            Some(Act::Close) => return Acted::Give(What::Close),
            Some(Act::Reset) => return Acted::Give(What::Reset),
        }
    }
}

fn body(headers: &HeaderMap, bodiless: bool) -> Result<Body, Strange> {
    if bodiless {
        return Ok(Body::Length(0));
    }
    Ok(Body::of(headers)?.unwrap_or(Body::UntilEnd))
}

/// The length that a head declares, whether a body follows or not.
fn length_of(headers: &HeaderMap) -> Option<u64> {
    match Body::of(headers) {
        Ok(Some(Body::Length(length))) => Some(length),
        _ => None,
    }
}

fn with_instance(mut headers: HeaderMap, instance: Option<&Bytes>) -> HeaderMap {
    let value = instance.and_then(|name| HeaderValue::from_bytes(name).ok());
    if let Some(value) = value {
        headers.insert(INSTANCE, value);
    }
    headers
}
