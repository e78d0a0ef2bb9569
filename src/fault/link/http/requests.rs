//! What a client sends, told apart into requests.
//!
//! Pure. Without rules of `answers` a request passes as it comes, once its head is whole; with them it is held until its body is,
//! for they look into it. A request that wants `100 Continue`, or has too long a body, is judged by its head.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, header};

use super::body::Body;
use super::head::{Asked, Found, asked};
use super::{Change, Kind, MOST_BODY, Pending, cut};
use crate::fault::link::rules::Armed;
use crate::fault::wire::part::{Body as WantsBody, Connection, Terms};
use crate::fault::wire::{Request, Transformer};

/// The reading of requests.
#[derive(Debug, Default)]
pub(super) struct Requests {
    buffer: BytesMut,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// A head comes.
    #[default]
    Head,
    /// The whole request is awaited; `asked` is its head of so many bytes.
    Held { asked: Box<Asked>, length: usize },
    /// A body passes, or is dropped with its request.
    Body { body: Body, dropped: bool },
    /// It is no HTTP that we understand.
    Raw,
}

/// What a request is asked against.
pub(super) struct Ask<'a> {
    pub(super) rules: &'a [Arc<Armed>],
    pub(super) pending: &'a mut VecDeque<Pending>,
    pub(super) now: i64,
}

impl Requests {
    /// Follows no further: everything passes.
    pub(super) fn stop(&mut self) {
        self.state = State::Raw;
    }

    /// What is held, when nothing more comes.
    pub(super) fn rest(&mut self) -> Bytes {
        self.buffer.split().freeze()
    }

    /// Takes bytes, and passes on those that go to the server.
    pub(super) fn take(&mut self, bytes: &[u8], ask: &mut Ask<'_>, pass: &mut dyn FnMut(Bytes)) {
        self.buffer.extend_from_slice(bytes);
        while !self.buffer.is_empty() {
            let state = std::mem::take(&mut self.state);
            let (next, waits) = self.step(state, ask, pass);
            self.state = next;
            if waits {
                return;
            }
        }
    }

    /// One step: the next state, and whether more must come first.
    fn step(
        &mut self,
        state: State,
        ask: &mut Ask<'_>,
        pass: &mut dyn FnMut(Bytes),
    ) -> (State, bool) {
        match state {
            State::Head => match asked(&self.buffer) {
                Found::Whole(head, length) => self.head(head, length, ask, pass),
                Found::Partial => (State::Head, true),
                Found::Strange => (State::Raw, false),
            },
            State::Held { asked, length } => self.whole(asked, length, ask, pass),
            State::Body { mut body, dropped } => {
                let Ok(read) = body.read(&self.buffer, &mut |_| {}) else {
                    return (State::Raw, false);
                };
                let bytes = cut(&mut self.buffer, read.used);
                if !dropped {
                    pass(bytes);
                }
                if read.over {
                    (State::Head, false)
                } else {
                    (State::Body { body, dropped }, true)
                }
            }
            State::Raw => {
                pass(self.buffer.split().freeze());
                (State::Raw, true)
            }
        }
    }

    fn head(
        &mut self,
        head: Asked,
        length: usize,
        ask: &mut Ask<'_>,
        pass: &mut dyn FnMut(Bytes),
    ) -> (State, bool) {
        if ask.rules.is_empty() {
            return self.decided(&head, length, None, ask, pass);
        }
        let asked = Box::new(head);
        (State::Held { asked, length }, false)
    }

    /// Decides about a request that is whole, or never will be here.
    fn whole(
        &mut self,
        head: Box<Asked>,
        length: usize,
        ask: &mut Ask<'_>,
        pass: &mut dyn FnMut(Bytes),
    ) -> (State, bool) {
        let Ok(body) = Body::of(&head.headers) else {
            return (State::Raw, false);
        };
        let mut data = BytesMut::new();
        if let Some(mut body) = body
            && !body.is_over()
            && !waits_for_leave(&head.headers)
            && !matches!(body, Body::Length(length) if length > MOST_BODY as u64)
        {
            let rest = self.buffer.get(length..).unwrap_or_default();
            let read = body.read(rest, &mut |bytes| data.extend_from_slice(bytes));
            match read {
                Ok(read) if read.over => {}
                Ok(_) if self.buffer.len() <= length + MOST_BODY => {
                    let asked = head;
                    return (State::Held { asked, length }, true);
                }
                // Judged by its head.
                _ => data.clear(),
            }
        }
        self.decided(&head, length, Some(&data), ask, pass)
    }

    /// Asks the rules, if they are to be asked, and lets the head go or not; its body follows it.
    fn decided(
        &mut self,
        head: &Asked,
        length: usize,
        data: Option<&[u8]>,
        ask: &mut Ask<'_>,
        pass: &mut dyn FnMut(Bytes),
    ) -> (State, bool) {
        let Ok(body) = Body::of(&head.headers) else {
            return (State::Raw, false);
        };
        let change = data.and_then(|data| change(head, data, ask));
        let dropped = change
            .as_ref()
            .is_some_and(|change| !change.transformer.asks());
        let kind = match head.method {
            Method::HEAD => Kind::Head,
            Method::CONNECT => Kind::Connect,
            _ => Kind::Usual,
        };
        ask.pending.push_back(Pending { kind, change });
        let bytes = cut(&mut self.buffer, length);
        if !dropped {
            pass(bytes);
        }
        match body {
            Some(body) if !body.is_over() => (State::Body { body, dropped }, false),
            _ => (State::Head, false),
        }
    }
}

fn waits_for_leave(headers: &HeaderMap) -> bool {
    let expect = headers.get(header::EXPECT);
    expect.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// The first rule that hits the request changes its answer; if none does, the first that wants to see answers watches it.
fn change(head: &Asked, data: &[u8], ask: &Ask<'_>) -> Option<Change> {
    let request = Request::read(&head.method, &head.headers, data);
    let terms = terms(head);
    let mut watch = None;
    for armed in ask.rules {
        let Some(rules) = &armed.answers else {
            continue;
        };
        armed.tally.meets(data.len());
        // Rules are whole after each call, so one that panicked leaves nothing half done.
        let mut rules = rules.lock().unwrap_or_else(PoisonError::into_inner);
        let transformer = rules.transformer(&request, terms);
        if transformer.hit().is_some() {
            armed.tally.hits(ask.now);
            return Some(Change::new(transformer, armed));
        }
        if !transformer.is_idle() {
            watch.get_or_insert_with(|| Change::new(transformer, armed));
        }
    }
    watch
}

impl Change {
    fn new(transformer: Transformer, armed: &Arc<Armed>) -> Self {
        Self {
            transformer,
            armed: Arc::clone(armed),
            resumes: None,
            deadline: None,
            hurries: false,
            done: false,
        }
    }
}

fn terms(head: &Asked) -> Terms {
    let closes = head
        .headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|word| word.trim().eq_ignore_ascii_case("close"));
    Terms {
        body: if head.method == Method::HEAD {
            WantsBody::HeadOnly
        } else {
            WantsBody::Wanted
        },
        connection: match (head.old, closes) {
            (true, _) => Connection::CloseUnchunked,
            (false, true) => Connection::Close,
            (false, false) => Connection::KeepAlive,
        },
    }
}
