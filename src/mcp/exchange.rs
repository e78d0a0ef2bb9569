//! One request and what came of it: stamped items in, facts and a [`Verdict`] out.
//!
//! Pure. An [`Exchange`] is told what happened (connected, sent, head, body, end, failure) in the order in which it happened, and
//! decides what the answer is worth; it never asks for the time. Classification: `model::outcome`. A status of 400 or above
//! decides before any body does; after a head of 2xx only a whole, valid answer is one. Next: `mcp::http` feeds it.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};

use super::header;
use super::message::{self, Expected, Incoming, Judged, RequestKind};
use super::sse;
use super::{Outgoing, Verb};
use crate::model::protocol::Era;
use crate::model::{Class, ProtocolVersion};

/// The longest body that is read, bytes.
pub const MAX_BODY: usize = 64 << 20;
/// Requests of the server that are answered within one exchange.
const MAX_REPLIES: usize = 16;

/// What answers the request.
#[derive(Clone, Debug)]
pub enum Awaited {
    /// A JSON-RPC response.
    Response {
        /// Its id.
        id: u64,
        /// What was asked.
        kind: RequestKind,
        /// What a right answer holds.
        expected: Option<Expected>,
    },
    /// A status alone: the answer to a notification, a reply, or DELETE.
    Status,
}

/// Something that happened. Stamps are raw readings of the clock, nanoseconds.
#[derive(Debug)]
pub enum Item<'a> {
    /// A connection was opened for this request.
    Connected {
        /// How long that took, nanoseconds.
        took_ns: u64,
    },
    /// The request begins to be written.
    Sent {
        /// When.
        at: i64,
    },
    /// The head of the answer is there.
    Head {
        /// When.
        at: i64,
        /// Its status.
        status: StatusCode,
        /// Its headers.
        headers: &'a HeaderMap,
    },
    /// A part of the body is there.
    Body {
        /// When.
        at: i64,
        /// The bytes.
        bytes: &'a Bytes,
    },
    /// The body is complete.
    End {
        /// When.
        at: i64,
    },
    /// No connection could be made.
    Refused {
        /// When that was known.
        at: i64,
    },
    /// The connection broke.
    Broken {
        /// When.
        at: i64,
    },
    /// The time was over.
    TimedOut {
        /// When.
        at: i64,
    },
}

/// Whether more is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// The verdict is still open.
    More,
    /// The verdict stands.
    Complete,
}

/// What the request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The class of its error.
    pub class: Class,
    /// HTTP status or JSON-RPC code, where the class has one.
    pub code: Option<i64>,
    /// When it stood, raw.
    pub done: i64,
}

/// What is known besides the verdict. Stamps are raw.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// How long connecting took, if this request opened a connection, nanoseconds.
    pub connect_ns: Option<u64>,
    /// When the request began to be written.
    pub sent: Option<i64>,
    /// When the head of the answer was there.
    pub first_byte: Option<i64>,
    /// When the first event or the first byte of a JSON body was there.
    pub first_event: Option<i64>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// The instance that answered; empty if unknown.
    pub instance: String,
    /// The session id that the answer gave.
    pub session: Option<HeaderValue>,
    /// The version that the answer to `initialize` chose.
    pub version: Option<ProtocolVersion>,
    /// Bytes of the body so far.
    pub bytes_in: u64,
}

/// How the body of the answer is read.
#[derive(Debug)]
enum Reading {
    /// There is no head yet.
    Nothing,
    /// A JSON body.
    Json(BytesMut),
    /// Events.
    Events(Box<sse::Parser>),
    /// The status decided; the body is read over, and this stands at its end.
    Over(Class, Option<i64>),
}

/// One request and what came of it.
#[derive(Debug)]
pub struct Exchange {
    awaited: Awaited,
    era: Era,
    /// Whether the request carried a session header.
    in_session: bool,
    /// The lower-case name of the header that names the instance.
    served_by: Option<http::HeaderName>,
    reading: Reading,
    facts: Facts,
    verdict: Option<Verdict>,
    replies: Vec<String>,
    /// How many requests of the server were taken up.
    replied: usize,
    /// The headers of the request, which its replies carry too.
    headers: HeaderMap,
}

impl Exchange {
    /// An exchange of which nothing has happened yet.
    pub fn new(
        awaited: Awaited,
        era: Era,
        in_session: bool,
        served_by: Option<http::HeaderName>,
    ) -> Self {
        Self {
            awaited,
            era,
            in_session,
            served_by,
            reading: Reading::Nothing,
            facts: Facts::default(),
            verdict: None,
            replies: Vec::new(),
            replied: 0,
            headers: HeaderMap::new(),
        }
    }

    /// An exchange for a message that a status alone answers, outside the measured ones.
    pub fn status_only() -> Self {
        Self::new(Awaited::Status, Era::Legacy, false, None)
    }

    /// Keeps the headers of the request for the replies to what the server asks meanwhile; a modern server asks nothing.
    #[must_use]
    pub fn replying_with(mut self, headers: &HeaderMap) -> Self {
        if self.era == Era::Legacy {
            self.headers = headers.clone();
        }
        self
    }

    /// What is known.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What it came to, once it is complete.
    pub fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    /// Replies to requests of the server that came on the stream; each is to be sent by a POST of its own.
    pub fn take_replies(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.replies)
            .into_iter()
            .map(|body| Outgoing {
                verb: Verb::Post,
                headers: self.headers.clone(),
                body: Bytes::from(body),
            })
            .collect()
    }

    /// Takes what happened next. After the verdict stands, nothing changes it.
    pub fn take(&mut self, item: &Item<'_>) -> Progress {
        if self.verdict.is_some() {
            return Progress::Complete;
        }
        match *item {
            Item::Connected { took_ns } => self.facts.connect_ns = Some(took_ns),
            Item::Sent { at } => self.facts.sent = Some(at),
            Item::Head {
                at,
                status,
                headers,
            } => self.head(at, status, headers),
            Item::Body { at, bytes } => self.body(at, bytes),
            Item::End { at } => self.end(at),
            Item::Refused { at } => self.settle(at, Class::Connect, None),
            Item::Broken { at } => self.broken(at),
            // What could not be connected in time was never sent.
            Item::TimedOut { at } if self.facts.sent.is_none() => {
                self.settle(at, Class::Connect, None);
            }
            Item::TimedOut { at } => match self.reading {
                Reading::Over(class, code) => self.settle(at, class, code),
                _ => self.settle(at, Class::Timeout, None),
            },
        }
        if self.verdict.is_some() {
            Progress::Complete
        } else {
            Progress::More
        }
    }

    fn settle(&mut self, done: i64, class: Class, code: Option<i64>) {
        self.verdict.get_or_insert(Verdict { class, code, done });
    }

    fn head(&mut self, at: i64, status: StatusCode, headers: &HeaderMap) {
        self.facts.first_byte = Some(at);
        self.facts.status = Some(status.as_u16());
        if let Some(value) = self.served_by.as_ref().and_then(|name| headers.get(name)) {
            self.facts.instance = header::instance(value);
        }
        self.facts.session = headers
            .get(header::SESSION_ID)
            .filter(|value| header::is_session_id(value))
            .cloned();
        let code = i64::from(status.as_u16());
        self.reading = match (status.as_u16(), &self.awaited) {
            (400 | 404, _) if self.in_session => Reading::Over(Class::SessionLost, Some(code)),
            (200..=299, Awaited::Status) => Reading::Over(Class::None, None),
            (200..=299, Awaited::Response { .. }) => match media_type(headers) {
                Media::Json => Reading::Json(BytesMut::new()),
                Media::Events => Reading::Events(Box::default()),
                Media::Other => Reading::Over(Class::Malformed, None),
            },
            _ => Reading::Over(Class::Http, Some(code)),
        };
    }

    fn body(&mut self, at: i64, bytes: &Bytes) {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.facts.bytes_in = self.facts.bytes_in.saturating_add(size);
        if self.facts.bytes_in > MAX_BODY as u64 {
            return self.settle(at, Class::Malformed, None);
        }
        match &mut self.reading {
            Reading::Nothing | Reading::Over(..) => {}
            Reading::Json(buffer) => {
                if !bytes.is_empty() {
                    self.facts.first_event.get_or_insert(at);
                }
                buffer.extend_from_slice(bytes);
            }
            Reading::Events(parser) => {
                let mut events = Vec::new();
                let read = parser.push(bytes, &mut |event| events.push(event));
                for event in events {
                    self.facts.first_event.get_or_insert(at);
                    if !event.data.is_empty() {
                        self.messages(at, &event.data);
                    }
                }
                if read.is_err() {
                    self.settle(at, Class::Malformed, None);
                }
            }
        }
    }

    fn end(&mut self, at: i64) {
        match std::mem::replace(&mut self.reading, Reading::Nothing) {
            Reading::Over(class, code) => self.settle(at, class, code),
            Reading::Json(buffer) => {
                self.messages(at, &buffer);
                // A JSON body that holds no answer to the request is none.
                self.settle(at, Class::Malformed, None);
            }
            Reading::Events(_) => self.settle(at, Class::Truncated, None),
            Reading::Nothing => self.settle(at, Class::Transport, None),
        }
    }

    fn broken(&mut self, at: i64) {
        match self.reading {
            Reading::Over(class, code) if class != Class::None => self.settle(at, class, code),
            Reading::Nothing => self.settle(at, Class::Transport, None),
            _ => self.settle(at, Class::Truncated, None),
        }
    }

    /// Takes a message, or an array of them (2025-03-26 may batch).
    fn messages(&mut self, at: i64, bytes: &[u8]) {
        if bytes.trim_ascii_start().first() != Some(&b'[') {
            return self.message(at, bytes);
        }
        let Ok(batch) = serde_json::from_slice::<Vec<&serde_json::value::RawValue>>(bytes) else {
            return self.settle(at, Class::Malformed, None);
        };
        for message in batch {
            self.message(at, message.get().as_bytes());
        }
    }

    fn message(&mut self, at: i64, bytes: &[u8]) {
        let Awaited::Response { id, kind, expected } = &self.awaited else {
            return;
        };
        match message::read(bytes, *id) {
            Incoming::Notification => {}
            Incoming::Request { method, id } => {
                if self.replied < MAX_REPLIES {
                    self.replied += 1;
                    self.replies.push(message::reply(&method, id));
                }
            }
            Incoming::Invalid => self.settle(at, Class::Malformed, None),
            Incoming::Error(code) => self.settle(at, Class::JsonRpc, Some(code)),
            Incoming::Result(raw) => {
                match message::judge(*kind, self.era, raw, expected.as_ref()) {
                    Judged::Right => self.settle(at, Class::None, None),
                    Judged::Version(version) => {
                        self.facts.version = Some(version);
                        self.settle(at, Class::None, None);
                    }
                    Judged::ToolError => self.settle(at, Class::Tool, None),
                    Judged::Malformed => self.settle(at, Class::Malformed, None),
                    Judged::Wrong => self.settle(at, Class::WrongAnswer, None),
                }
            }
        }
    }
}

enum Media {
    Json,
    Events,
    Other,
}

fn media_type(headers: &HeaderMap) -> Media {
    let text = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Media::Json
    } else if essence.eq_ignore_ascii_case("text/event-stream") {
        Media::Events
    } else {
        Media::Other
    }
}

#[cfg(test)]
mod tests;
