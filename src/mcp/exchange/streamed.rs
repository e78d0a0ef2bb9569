//! What an exchange makes of a stream of messages that carries more than its answer.
//!
//! Pure.

use super::{Awaited, Exchange, Item, MAX_BODY};
use crate::model::Class;

impl Exchange {
    /// An exchange that answers what the server asks on a stream of messages while nothing is in flight, as this one does.
    #[must_use]
    pub fn listener(&self) -> Self {
        let mut listener = Self::new(Awaited::Stream { id: None }, self.era, false, None);
        listener.capabilities = self.capabilities;
        listener.headers = self.headers.clone();
        listener.follows = true;
        let _ = listener.take(&Item::Streamed);
        listener
    }

    pub(super) fn written(&mut self, at: i64) {
        match self.awaited {
            Awaited::Status => self.settle(at, Class::None, None),
            // The messages that were asked for come on the stream that is open.
            Awaited::Stream { id: None } if !self.follows => self.settle(at, Class::None, None),
            Awaited::Response { .. } | Awaited::Stream { .. } => {}
        }
    }

    pub(super) fn streamed(&mut self, at: i64, bytes: &[u8]) {
        self.facts.bytes_in = self.facts.bytes_in.saturating_add(bytes.len() as u64);
        // It may have come before the head that was noticed first.
        let first = self.facts.first_byte.get_or_insert(at);
        *first = at.min(*first);
        self.facts.first_event.get_or_insert(at);
        self.facts.events += 1;
        let is_one_answer = matches!(self.awaited, Awaited::Response { .. });
        if is_one_answer && self.facts.bytes_in > MAX_BODY as u64 {
            return self.settle(at, Class::Malformed, None);
        }
        self.messages(at, bytes);
    }
}
