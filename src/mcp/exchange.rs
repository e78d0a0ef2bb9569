//! One request and what came of it: stamped items in, facts and a [`Verdict`] out.
//!
//! Pure. An [`Exchange`] is told what happened (connected, sent, head, body, messages, end, failure) in the order in which it
//! happened, and decides what the answer is worth; it never asks for the time. Classification: `model::outcome`. A status of 400
//! or above decides before any body does, except that the modern era says with a JSON-RPC error why it refuses; after a
//! head of 2xx only a whole, valid answer is one. Next: `mcp::http` feeds it; `reading` is the body under way.

use bytes::Bytes;
use http::HeaderMap;

use super::capabilities::Capabilities;
use super::header;
use super::message::{self, Expected, Incoming, Judged, RequestKind};
use super::{Outgoing, Verb};
use crate::model::Class;
use crate::model::protocol::Era;

pub mod facts;
mod head;
mod item;
mod reading;
pub mod sequence;
mod streamed;
mod transcript;

pub use facts::{Facts, RpcError};
pub use item::{Item, Progress};
use reading::Reading;
use sequence::{Numbers, Place, Sequence};
pub use transcript::Transcript;

/// The longest body that is read, bytes.
pub const MAX_BODY: usize = 64 << 20;
/// The longest challenge that is kept, bytes.
pub const MAX_CHALLENGE: usize = 4096;
/// The most cookies of an answer that are kept.
pub const MAX_COOKIES: usize = 8;
/// Requests of the server that are answered within one exchange; a stream has no such bound.
const MAX_REPLIES: usize = 16;
/// The most messages in one batch.
const MAX_BATCH: usize = 1000;

/// What answers the request.
#[derive(Clone, Debug)]
pub enum Awaited {
    /// A JSON-RPC response.
    Response {
        /// Its id.
        id: u64,
        /// What was asked.
        kind: RequestKind,
        /// What a right answer holds; all of it.
        expected: Vec<Expected>,
    },
    /// A status alone: the answer to a notification, a reply, or DELETE.
    Status,
    /// The server's messages, until one side ends them. The exchange is complete when the stream is open; [`Exchange::follow`]
    /// makes it ready for what comes then. With an id, that of the `subscriptions/listen` that opened it: an acknowledgement
    /// must come first, and its response is the orderly end.
    Stream {
        /// The id of the request that opened it, if one did.
        id: Option<u64>,
    },
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

/// One request and what came of it.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says another thing, and all of their combinations occur"
)]
pub struct Exchange {
    awaited: Awaited,
    era: Era,
    /// Whether the request was made within a session.
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
    capabilities: Capabilities,
    keeps_result: bool,
    sequence: Sequence,
    numbers: Numbers,
    /// Whether the stream that was awaited is open.
    follows: bool,
    /// Whether the verdict only says that messages were missed or came twice.
    has_noticed: bool,
    /// What came, for people; only where the exchange was told to keep it.
    transcript: Option<Box<Transcript>>,
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
            capabilities: Capabilities::default(),
            keeps_result: false,
            sequence: Sequence::default(),
            numbers: Numbers::default(),
            follows: false,
            has_noticed: false,
            transcript: None,
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

    /// Answers requests of the server as a client with these capabilities does.
    #[must_use]
    pub fn capable(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Keeps the result as it came.
    #[must_use]
    pub fn keeping_result(mut self, keeps: bool) -> Self {
        self.keeps_result = keeps;
        self
    }

    /// Goes on from what an earlier stream of the same request showed.
    #[must_use]
    pub fn after(mut self, sequence: Sequence) -> Self {
        self.sequence = sequence;
        self
    }

    /// Keeps what comes, for people to read.
    #[must_use]
    pub fn transcribed(mut self, kept: bool) -> Self {
        self.transcript = kept.then(Box::default);
        self
    }

    /// What came, where it was kept.
    pub fn take_transcript(&mut self) -> Option<Box<Transcript>> {
        self.transcript.take()
    }

    /// What is known.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What was known in the end.
    pub fn into_facts(self) -> Facts {
        self.facts
    }

    /// The progress so far, for the stream that takes over.
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// What it came to, once it is complete.
    pub fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    /// After a stream was opened, or something was noticed on it: what comes next decides how it ends.
    pub fn follow(&mut self) {
        self.verdict = None;
        self.follows = true;
        self.has_noticed = false;
        (self.facts.missed, self.facts.doubled) = (0, 0);
    }

    /// Whether the stream goes on, and was only interrupted because its messages were missed or came twice.
    pub fn has_noticed(&self) -> bool {
        self.has_noticed
    }

    /// Goes on from the numbers that earlier streams of the same client showed.
    #[must_use]
    pub fn numbered(mut self, numbers: Numbers) -> Self {
        self.numbers = numbers;
        self
    }

    /// The numbers so far, for the stream that takes over.
    pub fn take_numbers(&mut self) -> Numbers {
        std::mem::take(&mut self.numbers)
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

    /// Takes why the connection failed; the item that says that it did comes next. The first reason stands.
    pub fn failed(&mut self, error: &(dyn std::error::Error + 'static)) {
        if self.verdict.is_none() && self.facts.failure.is_none() {
            self.facts.failure = Some(facts::failure(error));
            self.facts.is_local_failure = facts::is_local(error);
        }
    }

    /// Takes what happened next. After the verdict stands, nothing changes it; only who answered may still be learnt.
    pub fn take(&mut self, item: &Item<'_>) -> Progress {
        if self.verdict.is_some() && !matches!(item, Item::Answered { .. }) {
            return Progress::Complete;
        }
        if let Some(transcript) = &mut self.transcript {
            transcript.take(item);
        }
        match *item {
            Item::Connected { took_ns } => self.facts.connect_ns = Some(took_ns),
            Item::Secured { took_ns } => self.facts.tls_ns = Some(took_ns),
            Item::Sent { at } => self.facts.sent = Some(at),
            Item::Unsent => self.facts.sent = None,
            Item::Head {
                at,
                status,
                headers,
            } => self.head(at, status, headers),
            Item::Body { at, bytes } => self.body(at, bytes),
            Item::End { at } => self.end(at),
            Item::Streamed => self.reading = Reading::Messages,
            Item::Answered { headers } => self.answered_by(headers),
            Item::Written { at } => self.written(at),
            Item::Accepted { at } => {
                self.facts.first_byte.get_or_insert(at);
                self.reading = Reading::Messages;
                self.written(at);
            }
            Item::Message { at, bytes } => self.streamed(at, bytes),
            Item::Unreadable { at } => self.settle(at, Class::Malformed, None),
            Item::Gone { at } => self.settle(at, Class::SessionLost, None),
            Item::Refused { at } if self.facts.is_local_failure => {
                self.settle(at, Class::Local, None);
            }
            Item::Refused { at } => self.settle(at, Class::Connect, None),
            Item::Broken { at } => self.broken(at),
            // What could not be connected in time was never sent.
            Item::TimedOut { at } if self.facts.sent.is_none() => {
                self.settle(at, Class::Connect, None);
            }
            Item::TimedOut { at } => match self.reading.refusal() {
                Some((class, code)) => self.settle(at, class, code),
                None => self.settle(at, Class::Timeout, None),
            },
            Item::Cancelled { at } => self.settle(at, Class::Cancelled, None),
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

    fn body(&mut self, at: i64, bytes: &[u8]) {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.facts.bytes_in = self.facts.bytes_in.saturating_add(size);
        let is_stream = matches!(self.awaited, Awaited::Stream { .. });
        if self.facts.bytes_in > MAX_BODY as u64 && !is_stream {
            return self.settle(at, Class::Malformed, None);
        }
        let Some(read) = self.reading.push(bytes) else {
            // A JSON body counts from its first byte on.
            if self.reading.is_json() && !bytes.is_empty() {
                self.facts.first_event.get_or_insert(at);
            }
            return;
        };
        for event in read.events {
            self.facts.first_event.get_or_insert(at);
            if !event.id.is_empty() {
                self.facts.last_event_id = Some(event.id);
            }
            if !event.data.is_empty() {
                self.facts.events += 1;
                self.messages(at, &event.data);
            }
        }
        self.facts.retry_ms = read.retry_ms.or(self.facts.retry_ms);
        let is_uneven = self.facts.missed > 0 || self.facts.doubled > 0;
        if is_stream && self.follows && is_uneven && self.verdict.is_none() {
            // Told only now, so that nothing of these bytes is left out.
            self.has_noticed = true;
            self.settle(at, Class::None, None);
        }
        if read.too_long {
            self.settle(at, Class::Malformed, None);
        }
    }

    fn end(&mut self, at: i64) {
        match std::mem::replace(&mut self.reading, Reading::Nothing) {
            Reading::Over(class, code) => self.settle(at, class, code),
            Reading::Refused { code, body } => self.refused(at, code, &body),
            Reading::Json(buffer) => {
                self.messages(at, &buffer);
                // A JSON body that holds no answer to the request is none.
                self.settle(at, Class::Malformed, None);
            }
            Reading::Events(_) | Reading::Messages => self.settle(at, Class::Truncated, None),
            Reading::Nothing => self.settle(at, Class::Transport, None),
        }
    }

    fn broken(&mut self, at: i64) {
        match (self.reading.refusal(), &self.reading) {
            (Some((class, code)), _) => self.settle(at, class, code),
            (None, Reading::Nothing) => self.settle(at, Class::Transport, None),
            // A stream of messages is open before the request is sent: nothing has come yet that could be cut.
            (None, Reading::Messages) if self.facts.first_byte.is_none() => {
                self.settle(at, Class::Transport, None);
            }
            (None, _) => self.settle(at, Class::Truncated, None),
        }
    }

    /// A status refused the request; a modern server says in the body why.
    fn refused(&mut self, at: i64, code: i64, body: &[u8]) {
        self.facts.error = message::refusal(body);
        match (&self.facts.error, self.era) {
            (Some(error), Era::Modern) => {
                let code = error.code;
                self.settle(at, Class::JsonRpc, Some(code));
            }
            _ => self.settle(at, Class::Http, Some(code)),
        }
    }

    /// Takes a message, or an array of them (2025-03-26 may batch).
    fn messages(&mut self, at: i64, bytes: &[u8]) {
        if bytes.trim_ascii_start().first() != Some(&b'[') {
            return self.message(at, bytes);
        }
        match serde_json::from_slice::<Vec<&serde_json::value::RawValue>>(bytes) {
            Ok(batch) if batch.len() <= MAX_BATCH => {
                for message in batch {
                    self.message(at, message.get().as_bytes());
                }
            }
            _ => self.settle(at, Class::Malformed, None),
        }
    }

    fn message(&mut self, at: i64, bytes: &[u8]) {
        if self.verdict.is_some() {
            return;
        }
        let id = match &self.awaited {
            Awaited::Response { id, .. } => Some(*id),
            Awaited::Stream { id } => *id,
            Awaited::Status => None,
        };
        match message::read(bytes, id) {
            Incoming::Notification { method, params } => self.notification(at, &method, params),
            Incoming::Request { method, id, params } => {
                let is_stream = matches!(self.awaited, Awaited::Stream { .. });
                if is_stream || self.replied < MAX_REPLIES {
                    self.replied += 1;
                    let reply = message::reply(&method, id, params, self.capabilities);
                    self.replies.push(reply);
                }
            }
            // On a stream of messages an answer to an earlier request of ours may come late.
            Incoming::Late if matches!(self.reading, Reading::Messages) => {}
            // Nor does anything that comes meanwhile decide what a status decides.
            Incoming::Late | Incoming::Invalid if matches!(self.awaited, Awaited::Status) => {}
            Incoming::Late | Incoming::Invalid => self.settle(at, Class::Malformed, None),
            Incoming::Error { code, data } => {
                self.facts.error = Some(message::rpc_error(code, data));
                self.settle(at, Class::JsonRpc, Some(code));
            }
            Incoming::Result(raw) => self.result(at, raw),
        }
    }

    fn notification(&mut self, at: i64, method: &str, params: Option<&str>) {
        let id = match self.awaited {
            Awaited::Response { id, .. } if method == "notifications/progress" => id,
            Awaited::Stream { id: Some(_) } if !self.follows => {
                let first = method == "notifications/subscriptions/acknowledged";
                let class = if first { Class::None } else { Class::Malformed };
                return self.settle(at, class, None);
            }
            Awaited::Stream { .. } => {
                if let Some((thing, number)) = message::numbered(params) {
                    let place = self.numbers.take(&thing, number);
                    self.notice(place);
                }
                return;
            }
            _ => return,
        };
        let Some(value) = message::progress(params, id) else {
            return;
        };
        let place = self.sequence.take(value);
        self.notice(place);
        self.facts.progress = self.sequence.last();
    }

    fn notice(&mut self, place: Place) {
        match place {
            Place::Next => {}
            Place::Again => self.facts.doubled += 1,
            Place::After(missing) => self.facts.missed = self.facts.missed.saturating_add(missing),
        }
    }

    fn result(&mut self, at: i64, raw: &str) {
        let (kind, expected) = match &self.awaited {
            Awaited::Response { kind, expected, .. } => (*kind, expected.as_slice()),
            // The response to `subscriptions/listen` is its orderly end, and no beginning.
            Awaited::Stream { .. } if self.follows => return self.settle(at, Class::None, None),
            Awaited::Stream { .. } => return self.settle(at, Class::Malformed, None),
            Awaited::Status => return,
        };
        let judged = message::judge(kind, self.era, raw, expected);
        if self.keeps_result || judged.outcome == Judged::AsksInput {
            self.facts.result = Some(Box::from(raw));
        }
        self.facts.next_cursor = judged.next_cursor;
        match judged.outcome {
            Judged::Right => self.settle(at, Class::None, None),
            Judged::AsksInput => {
                self.facts.asks_input = true;
                self.settle(at, Class::None, None);
            }
            Judged::Version(version) => {
                self.facts.version = Some(version);
                self.settle(at, Class::None, None);
            }
            Judged::UnknownVersion => {
                self.facts.offers_unknown_version = true;
                self.settle(at, Class::Malformed, None);
            }
            Judged::ToolError => self.settle(at, Class::Tool, None),
            Judged::Malformed => self.settle(at, Class::Malformed, None),
            Judged::Wrong => self.settle(at, Class::WrongAnswer, None),
        }
    }
}

#[cfg(test)]
mod tests;
