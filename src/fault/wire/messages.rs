//! Bodies as JSON-RPC messages: what lets an action change one message and leave the rest.
//!
//! Pure. A JSON body is held until its end, for its length changes; of an event stream only the event under way is held.
//! Invariant: what is no message, or is too long to be held, passes as it came.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use serde_json::value::{RawValue, to_raw_value};

use super::actions::Edit;
use super::events::{Block, MOST_HELD, Splitter, with_data};
use super::out::Out;
use super::part::{Framing, Head};

/// A JSON-RPC message of an answer, its members as they were written.
#[derive(Debug)]
pub(super) struct Message {
    members: BTreeMap<String, Box<RawValue>>,
    /// The bytes that stand for it in the body.
    raw: Bytes,
    carrier: Carrier,
}

/// What a message stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// A JSON body.
    Json,
    /// An event.
    Event,
}

impl Message {
    /// Reads a message; None if it is no JSON object.
    fn read(json: &[u8], raw: Bytes, carrier: Carrier) -> Option<Self> {
        let members = serde_json::from_slice(json).ok()?;
        Some(Self {
            members,
            raw,
            carrier,
        })
    }

    /// Whether it answers a request.
    pub(super) fn is_answer(&self) -> bool {
        !self.has("method") && (self.has("result") || self.has("error"))
    }

    /// Whether it is a notification.
    pub(super) fn is_notification(&self) -> bool {
        self.has("method") && !self.has("id")
    }

    fn has(&self, member: &str) -> bool {
        self.members.contains_key(member)
    }

    /// What it stands in.
    pub(super) fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// The bytes that stand for it in the body.
    pub(super) fn raw(&self) -> Bytes {
        self.raw.clone()
    }

    /// A member, as raw JSON.
    pub(super) fn member(&self, name: &str) -> Option<&str> {
        self.members.get(name).map(|raw| raw.get())
    }

    /// Sets a member to raw JSON; what is none leaves it.
    pub(super) fn set(&mut self, name: &str, json: String) {
        if let Ok(raw) = RawValue::from_string(json) {
            self.members.insert(name.to_owned(), raw);
        }
    }

    /// Takes a member out.
    pub(super) fn remove(&mut self, name: &str) {
        self.members.remove(name);
    }

    /// Its members as JSON, as they are now.
    pub(super) fn json(&self) -> String {
        to_raw_value(&self.members).map_or_else(|_| String::new(), |raw| raw.get().to_owned())
    }

    /// The bytes for the body, with its members as they are now.
    pub(super) fn bytes(&self) -> Bytes {
        self.carry(self.json().as_bytes())
    }

    /// The bytes for the body, with this in place of the message.
    pub(super) fn carry(&self, json: &[u8]) -> Bytes {
        match self.carrier {
            Carrier::Json => Bytes::copy_from_slice(json),
            Carrier::Event => with_data(&self.raw, json),
        }
    }
}

/// An action on messages.
pub(super) trait EditMessage: Send {
    /// What stands in the body for this message; None for nothing.
    fn message(&mut self, message: Message) -> Option<Bytes>;
}

/// Makes an action on answers of one on messages.
#[derive(Debug)]
pub(super) struct PerMessage<E> {
    edit: E,
    reading: Reading,
}

#[derive(Debug)]
enum Reading {
    /// The head is still to come, or the body holds no messages.
    Opaque,
    /// A JSON body; the head waits for its length.
    Json(Head, BytesMut),
    /// An event stream.
    Events(Box<Splitter>),
}

impl<E: EditMessage> PerMessage<E> {
    pub(super) fn new(edit: E) -> Self {
        Self {
            edit,
            reading: Reading::Opaque,
        }
    }

    fn json(&mut self, mut head: Head, body: Bytes, out: &mut Out) {
        let written = match Message::read(&body, body.clone(), Carrier::Json) {
            Some(message) => self.edit.message(message).unwrap_or_default(),
            None => body,
        };
        if head.framing != Framing::UntilClose {
            head.framing = Framing::Length(written.len() as u64);
        }
        out.head(&head);
        out.data(&written);
    }
}

impl<E: EditMessage> Edit for PerMessage<E> {
    fn head(&mut self, head: Head, out: &mut Out) {
        match head.media_type().as_str() {
            "application/json" => self.reading = Reading::Json(head, BytesMut::new()),
            "text/event-stream" => {
                self.reading = Reading::Events(Box::default());
                // Its length would change.
                out.head(&unmeasured(head));
            }
            _ => out.head(&head),
        }
    }

    fn body(&mut self, bytes: Bytes, out: &mut Out) {
        match &mut self.reading {
            Reading::Opaque => out.data(&bytes),
            Reading::Json(_, held) => {
                held.extend_from_slice(&bytes);
                if held.len() > MOST_HELD
                    && let Reading::Json(head, held) =
                        std::mem::replace(&mut self.reading, Reading::Opaque)
                {
                    out.head(&head);
                    out.data(&held.freeze());
                }
            }
            Reading::Events(splitter) => {
                for block in splitter.push(&bytes) {
                    let written = match block {
                        Block::Event { raw, data } => {
                            match Message::read(&data, raw.clone(), Carrier::Event) {
                                Some(message) => self.edit.message(message).unwrap_or_default(),
                                None => raw,
                            }
                        }
                        Block::Other(raw) => raw,
                    };
                    out.data(&written);
                }
            }
        }
    }

    fn end(&mut self, out: &mut Out) {
        match std::mem::replace(&mut self.reading, Reading::Opaque) {
            Reading::Opaque => {}
            Reading::Json(head, body) => self.json(head, body.freeze(), out),
            Reading::Events(mut splitter) => out.data(&splitter.rest()),
        }
        out.end();
    }
}

/// The head of a body whose length is not known in advance.
pub(super) fn unmeasured(mut head: Head) -> Head {
    if matches!(head.framing, Framing::Length(_)) {
        head.framing = Framing::Chunked;
    }
    head
}
