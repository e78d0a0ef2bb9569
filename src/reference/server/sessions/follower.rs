//! A connection's view of a stream: the events as they come, with their ids, until the stream or the hold ends.
//!
//! It does no I/O and waits for the session's messages. Invariant: an event id names session, stream and event, so that it
//! is refused by every other session. Dropping it tells the session that the connection is gone.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use rmcp::transport::streamable_http_server::session::ServerSseMessage;

use super::log::{Event, Hold, Next};
use super::session::Session;

/// A stream of a session as one connection gets it.
#[derive(Debug)]
pub(super) struct Follower {
    session: Arc<Session>,
    stream: u64,
    hold: Hold,
}

impl Follower {
    pub(super) fn new(session: Arc<Session>, stream: u64, hold: Hold) -> Self {
        Self {
            session,
            stream,
            hold,
        }
    }
}

impl Stream for Follower {
    type Item = ServerSseMessage;

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<ServerSseMessage>> {
        let next = self.session.poll_next(self.stream, self.hold, context);
        next.map(|next| match next {
            Next::End => None,
            Next::Event(number, event) => {
                let mut message = match event {
                    Event::Priming { retry } => ServerSseMessage::retry(retry),
                    Event::Message(message) => {
                        let mut event = ServerSseMessage::default();
                        event.message = Some(message);
                        event
                    }
                };
                message.event_id = self.session.event_id(self.stream, number);
                Some(message)
            }
        })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.session.release(self.stream, self.hold);
    }
}

/// What an event id says: the stream and the event's number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventId {
    pub(super) stream: u64,
    pub(super) number: u64,
}

impl EventId {
    /// How it is written for the session with this tag.
    pub(super) fn write(self, tag: &str) -> String {
        format!("{tag}-{}-{}", self.stream, self.number)
    }

    /// Reads what [`EventId::write`] wrote for the same session.
    pub(super) fn read(text: &str, tag: &str) -> Option<Self> {
        let (stream, number) = text.strip_prefix(tag)?.strip_prefix('-')?.split_once('-')?;
        let id = Self {
            stream: stream.parse().ok()?,
            number: number.parse().ok()?,
        };
        (id.write(tag) == text).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_is_read_by_its_own_session_only() {
        let id = EventId {
            stream: 7,
            number: 12,
        };
        let text = id.write("a1b2");
        assert_eq!(EventId::read(&text, "a1b2"), Some(id));
        assert_eq!(EventId::read(&text, "a1b3"), None);
        for wrong in [
            "",
            "a1b2",
            "a1b2-7",
            "a1b2-+7-1",
            "a1b2-07-1",
            "a1b2-7-1-1",
            "a1b2--1-1",
        ] {
            assert_eq!(EventId::read(wrong, "a1b2"), None, "{wrong}");
        }
    }
}
