//! Results that are hostile to whoever reads or prints them: very deep, or full of control characters.
//!
//! Pure. The id and the envelope stay right.

use bytes::Bytes;
use serde_json::Value;

use super::super::messages::{EditMessage, Message, PerMessage};
use super::{Action, Need, Takes, parameter, plain};

struct Deep(usize);

impl EditMessage for Deep {
    fn message(&mut self, mut message: Message) -> Option<Bytes> {
        if !message.is_answer() {
            return Some(message.raw());
        }
        // Not through `set`: reading so deep a value is what this is about.
        message.remove("error");
        message.remove("result");
        let mut json = message.json();
        json.pop();
        json.push_str(",\"result\":{\"content\":[],\"structuredContent\":");
        json.push_str(&"[".repeat(self.0));
        json.push_str(&"]".repeat(self.0));
        json.push_str("}}");
        Some(message.carry(json.as_bytes()))
    }
}

/// `deep-json`.
pub(super) const DEEP_JSON: Action = Action {
    name: "deep-json",
    summary: "gives a result that is nested very deep",
    example: "deep-json=100000,method=tools/call",
    argument: Some(parameter(
        "DEPTH",
        Takes::Count {
            min: 1,
            max: 4_000_000,
        },
        Need::Default("100000"),
        "how deep",
    )),
    options: &[],
    build: |params, _| Box::new(PerMessage::new(Deep(params.length("DEPTH")))),
    watch: None,
};

/// What is put before every string: colours, a window title, a cleared screen, a link, NUL, a bell, a backspace, CSI as one
/// character (C1), an override of the writing direction, and what HTML, CSV and Markdown take for theirs.
const HOSTILE: &str = "\u{1b}[31m\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}]8;;http://example.invalid\u{1b}\\\0\u{8}\r\n\u{9b}31m\u{202e}<script>\",=cmd|'|`*";

/// Members whose value a protocol reads as a word; the answer would be another kind of wrong without them.
const WORDS: &[&str] = &[
    "type",
    "role",
    "mimeType",
    "resultType",
    "protocolVersion",
    "nextCursor",
    "requestState",
    "taskId",
    "jsonrpc",
];

struct Escapes;

impl EditMessage for Escapes {
    fn message(&mut self, mut message: Message) -> Option<Bytes> {
        if !message.is_answer() {
            return Some(message.raw());
        }
        for member in ["result", "error"] {
            let value = message
                .member(member)
                .and_then(|raw| serde_json::from_str::<Value>(raw).ok());
            if let Some(mut value) = value {
                poison(&mut value);
                message.set(member, value.to_string());
            }
        }
        Some(message.bytes())
    }
}

/// Goes no deeper than the reader went, which has a bound of its own.
fn poison(value: &mut Value) {
    match value {
        Value::String(text) => text.insert_str(0, HOSTILE),
        Value::Array(values) => values.iter_mut().for_each(poison),
        Value::Object(members) => members
            .iter_mut()
            .filter(|(name, _)| !WORDS.contains(&name.as_str()))
            .for_each(|(_, value)| poison(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `escapes`.
pub(super) const ESCAPES: Action = plain(
    "escapes",
    "puts terminal escapes and control characters before every string of the response",
    |_, _| Box::new(PerMessage::new(Escapes)),
);
