//! Messages that are missing, doubled, or not what the client asked for.
//!
//! Pure. Each looks at the whole messages of a JSON body or an event stream; the other messages pass.

use bytes::Bytes;

use super::super::messages::{Carrier, EditMessage, Message, PerMessage};
use super::{Action, Edit, Need, Takes, parameter, plain};

fn per_message(edit: impl EditMessage + 'static) -> Box<dyn Edit> {
    Box::new(PerMessage::new(edit))
}

struct NoAnswer;

impl EditMessage for NoAnswer {
    fn message(&mut self, message: Message) -> Option<Bytes> {
        (!message.is_answer()).then(|| message.raw())
    }
}

/// `no-answer`.
pub(super) const NO_ANSWER: Action = plain(
    "no-answer",
    "leaves out the response; the stream, or an empty JSON body, ends as it should",
    |_, _| per_message(NoAnswer),
);

struct TwoAnswers;

impl EditMessage for TwoAnswers {
    fn message(&mut self, message: Message) -> Option<Bytes> {
        let raw = message.raw();
        if !message.is_answer() {
            return Some(raw);
        }
        let twice = match message.carrier() {
            Carrier::Event => [&raw[..], &raw[..]].concat(),
            Carrier::Json => [&b"["[..], &raw[..], b",", &raw[..], b"]"].concat(),
        };
        Some(twice.into())
    }
}

/// `two-answers`.
pub(super) const TWO_ANSWERS: Action = plain(
    "two-answers",
    "gives the response twice: two events, or an array of two in a JSON body",
    |_, _| per_message(TwoAnswers),
);

struct DropNotifications;

impl EditMessage for DropNotifications {
    fn message(&mut self, message: Message) -> Option<Bytes> {
        (!message.is_notification()).then(|| message.raw())
    }
}

/// `drop-notifications`.
pub(super) const DROP_NOTIFICATIONS: Action = plain(
    "drop-notifications",
    "leaves out the notifications of a stream, such as progress",
    |_, _| per_message(DropNotifications),
);

enum WrongId {
    Other,
    Type,
    Null,
    Missing,
}

impl EditMessage for WrongId {
    fn message(&mut self, mut message: Message) -> Option<Bytes> {
        if !message.is_answer() {
            return Some(message.raw());
        }
        let id = message.member("id").unwrap_or("null").to_owned();
        let text: Option<String> = serde_json::from_str(&id).ok();
        let wrong = match (self, text) {
            (Self::Missing, _) => {
                message.remove("id");
                return Some(message.bytes());
            }
            (Self::Null, _) => "null".to_owned(),
            // A text that is a number would be taken for the right id by a client that is lenient the other way round.
            (Self::Type, Some(text)) if text.parse::<u64>().is_ok() => text,
            (Self::Type, Some(_)) => "0".to_owned(),
            (Self::Type, None) => format!("\"{id}\""),
            (Self::Other, Some(text)) => serde_json::Value::from(text + "-other").to_string(),
            (Self::Other, None) => {
                let number: u64 = id.parse().unwrap_or(0);
                number.wrapping_add(1_000_001).to_string()
            }
        };
        message.set("id", wrong);
        Some(message.bytes())
    }
}

/// `wrong-id`.
pub(super) const WRONG_ID: Action = Action {
    name: "wrong-id",
    summary: "gives the response an id that the client did not use",
    example: "wrong-id=type,nth=10",
    argument: Some(parameter(
        "HOW",
        Takes::Word(&["other", "type", "null", "missing"]),
        Need::Default("other"),
        "another id, the same as another JSON type, null, or none",
    )),
    options: &[],
    build: |params, _| {
        per_message(match params.text("HOW") {
            "type" => WrongId::Type,
            "null" => WrongId::Null,
            "missing" => WrongId::Missing,
            _ => WrongId::Other,
        })
    },
    watch: None,
};

enum InvalidJson {
    Cut,
    Utf8,
}

impl EditMessage for InvalidJson {
    fn message(&mut self, message: Message) -> Option<Bytes> {
        if !message.is_answer() {
            return Some(message.raw());
        }
        let mut json = message.json().into_bytes();
        json.pop();
        if matches!(self, Self::Utf8) {
            // A byte that UTF-8 never has, in the text of a member of its own.
            json.extend_from_slice(b",\"x\":\"\xff\"}");
        }
        Some(message.carry(&json))
    }
}

/// `invalid-json`.
pub(super) const INVALID_JSON: Action = Action {
    name: "invalid-json",
    summary: "makes the response no JSON; the body around it stays whole",
    example: "invalid-json=utf8",
    argument: Some(parameter(
        "HOW",
        Takes::Word(&["cut", "utf8"]),
        Need::Default("cut"),
        "without its last brace, or with a byte that is no UTF-8",
    )),
    options: &[],
    build: |params, _| {
        per_message(match params.text("HOW") {
            "utf8" => InvalidJson::Utf8,
            _ => InvalidJson::Cut,
        })
    },
    watch: None,
};
