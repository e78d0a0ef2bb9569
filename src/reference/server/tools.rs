//! The tools as clients see them: names, schemas and annotations. The table of answers is in the docs of the front page.
//!
//! Pure. Invariant: every bound that an argument has stands in the tool's input schema. What the tools do: `run`.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

pub(super) mod conformance;
mod rounds;
mod run;

pub(super) use rounds::Rounds;
pub(super) use run::{run, session, session_of};

const MOST_MILLISECONDS: u64 = 600_000;
const MOST_BURN_MILLISECONDS: u64 = 60_000;
const MOST_PAYLOAD_BYTES: usize = 16 << 20;
const MOST_PROGRESS: u32 = 100_000;
const MOST_KEY_BYTES: usize = 256;
const MOST_VALUE_BYTES: usize = 64 << 10;
const MOST_NAME_BYTES: usize = 64;
const MOST_ROUNDS: u32 = 100;

/// A tool of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Echo,
    Add,
    Sleep,
    Payload,
    Burn,
    Stream,
    Append,
    Read,
    Effect,
    Fail,
    Whoami,
    Touch,
    Route,
    Confirm,
    Postpone,
}

/// All tools, in the order in which they are listed.
const ALL: [Kind; 15] = [
    Kind::Echo,
    Kind::Add,
    Kind::Sleep,
    Kind::Payload,
    Kind::Burn,
    Kind::Stream,
    Kind::Append,
    Kind::Read,
    Kind::Effect,
    Kind::Fail,
    Kind::Whoami,
    Kind::Touch,
    Kind::Route,
    Kind::Confirm,
    Kind::Postpone,
];

impl Kind {
    /// The tool with this name.
    pub(super) fn find(name: &str) -> Option<Self> {
        ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What clients call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Add => "add",
            Self::Sleep => "sleep",
            Self::Payload => "payload",
            Self::Burn => "burn",
            Self::Stream => "stream",
            Self::Append => "append",
            Self::Read => "read",
            Self::Effect => "effect",
            Self::Fail => "fail",
            Self::Whoami => "whoami",
            Self::Touch => "touch",
            Self::Route => "route",
            Self::Confirm => "confirm",
            Self::Postpone => "postpone",
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::Echo => "Answers the text",
            Self::Add => "Answers the sum of two integers",
            Self::Sleep => "Answers after some milliseconds",
            Self::Payload => "Answers a text of so many bytes",
            Self::Burn => "Answers after it has used some milliseconds of CPU time",
            Self::Stream => "Sends progress notifications, then answers how many",
            Self::Append => "Appends a value to the list of a key and answers its length",
            Self::Read => "Answers the list of a key",
            Self::Effect => "Executes an operation, which leaves a line in the ledger",
            Self::Fail => "Answers an error with the message",
            Self::Whoami => "Answers which instance this is",
            Self::Touch => "Counts up a counter, and notifies who subscribed to its resource",
            Self::Route => "Answers its arguments, which also travel in headers",
            Self::Confirm => {
                "Asks the user a question and answers what was said; from 2026-07-28 on"
            }
            Self::Postpone => "Asks to be called again, some times; from 2026-07-28 on",
        }
    }

    fn input(self) -> Value {
        let milliseconds = |most: u64| json!({"type": "integer", "minimum": 0, "maximum": most});
        let key = json!({"type": "string", "maxLength": MOST_KEY_BYTES});
        match self {
            Self::Echo => json!({"text": {"type": "string"}}),
            Self::Add => json!({"a": {"type": "integer"}, "b": {"type": "integer"}}),
            Self::Sleep => json!({"ms": milliseconds(MOST_MILLISECONDS)}),
            Self::Payload => {
                json!({"bytes": {"type": "integer", "minimum": 0, "maximum": MOST_PAYLOAD_BYTES}})
            }
            Self::Burn => json!({"ms": milliseconds(MOST_BURN_MILLISECONDS)}),
            Self::Stream => json!({
                "n": {"type": "integer", "minimum": 0, "maximum": MOST_PROGRESS},
                "interval_ms": milliseconds(MOST_MILLISECONDS),
                "close_after": {"type": "integer", "minimum": 0, "maximum": MOST_PROGRESS},
            }),
            Self::Append => {
                json!({"key": key, "value": {"type": "string", "maxLength": MOST_VALUE_BYTES}})
            }
            Self::Read => json!({"key": key}),
            Self::Effect => json!({
                "op": {"type": "string", "minLength": 1, "maxLength": MOST_KEY_BYTES},
                "after_ms": milliseconds(MOST_MILLISECONDS),
            }),
            Self::Fail => json!({"message": {"type": "string"}}),
            Self::Whoami => json!({}),
            Self::Touch => json!({"name": {
                "type": "string", "minLength": 1, "maxLength": MOST_NAME_BYTES,
                "pattern": "^[A-Za-z0-9_-]+$",
            }}),
            Self::Route => json!({
                "region": {"type": "string", "maxLength": MOST_KEY_BYTES, "x-mcp-header": "Region"},
                "priority": {"type": "integer", "x-mcp-header": "Priority"},
                "urgent": {"type": "boolean", "x-mcp-header": "Urgent"},
            }),
            Self::Confirm => json!({"question": {"type": "string", "maxLength": MOST_KEY_BYTES}}),
            Self::Postpone => {
                json!({"rounds": {"type": "integer", "minimum": 0, "maximum": MOST_ROUNDS}})
            }
        }
    }

    /// The arguments that may be left out.
    const fn optional(self) -> &'static [&'static str] {
        match self {
            Self::Stream => &["interval_ms", "close_after"],
            Self::Effect => &["after_ms"],
            Self::Route => &["region", "priority", "urgent"],
            _ => &[],
        }
    }

    /// The properties of `structuredContent`, for tools that have one.
    fn output(self) -> Option<Value> {
        match self {
            Self::Add => Some(json!({"sum": {"type": "integer"}})),
            Self::Append => Some(json!({"length": {"type": "integer"}})),
            Self::Read => Some(json!({"values": {"type": "array", "items": {"type": "string"}}})),
            Self::Effect => Some(json!({
                "op": {"type": "string"},
                "executed": {"type": "boolean"},
                "server": {"type": "string"},
                "incarnation": {"type": "integer"},
            })),
            Self::Whoami => Some(json!({
                "name": {"type": "string"},
                "incarnation": {"type": "integer"},
                "pid": {"type": "integer"},
                "session": {"type": ["string", "null"]},
            })),
            Self::Touch => Some(json!({"uri": {"type": "string"}, "number": {"type": "integer"}})),
            Self::Route => Some(json!({
                "region": {"type": ["string", "null"]},
                "priority": {"type": ["integer", "null"]},
                "urgent": {"type": ["boolean", "null"]},
            })),
            Self::Confirm => Some(json!({
                "action": {"type": "string", "enum": ["accept", "decline", "cancel"]},
                "confirmed": {"type": "boolean"},
            })),
            Self::Echo
            | Self::Sleep
            | Self::Payload
            | Self::Burn
            | Self::Stream
            | Self::Fail
            | Self::Postpone => None,
        }
    }

    fn annotations(self, dedup: bool) -> ToolAnnotations {
        let annotations = ToolAnnotations::new().open_world(false);
        match self {
            Self::Append | Self::Touch => annotations
                .read_only(false)
                .destructive(false)
                .idempotent(false),
            Self::Effect => annotations
                .read_only(false)
                .destructive(false)
                .idempotent(dedup),
            // They change nothing, but whoever calls every read-only tool wants answers, not failures or questions.
            Self::Fail | Self::Confirm | Self::Postpone => {
                annotations.read_only(false).destructive(false)
            }
            _ => annotations.read_only(true),
        }
    }
}

/// The tools as `tools/list` shows them; `dedup` makes `effect` idempotent.
pub(super) fn list(dedup: bool) -> Vec<Tool> {
    let tool = |kind: Kind| {
        let tool = Tool::new(
            kind.name(),
            kind.description(),
            schema(kind.input(), kind.optional()),
        )
        .with_annotations(kind.annotations(dedup));
        match kind.output() {
            Some(output) => tool.with_raw_output_schema(schema(output, &[])),
            None => tool,
        }
    };
    ALL.into_iter().map(tool).collect()
}

/// The schema of an object with these properties, all required but the `optional` ones.
fn schema(properties: Value, optional: &[&str]) -> Arc<JsonObject> {
    let required: Vec<String> = properties
        .as_object()
        .into_iter()
        .flat_map(JsonObject::keys)
        .filter(|name| !optional.contains(&name.as_str()))
        .cloned()
        .collect();
    let mut schema = JsonObject::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), properties);
    schema.insert("required".to_owned(), required.into());
    Arc::new(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_found_by_the_name_it_is_listed_under() {
        for (kind, tool) in ALL.into_iter().zip(list(false)) {
            assert_eq!(Kind::find(&tool.name), Some(kind));
        }
        assert_eq!(Kind::find("nothing"), None);
    }

    #[test]
    fn what_acts_fails_or_asks_is_not_read_only() {
        let acts: Vec<String> = list(false)
            .iter()
            .filter(|tool| tool.annotations.as_ref().unwrap().read_only_hint != Some(true))
            .map(|tool| tool.name.to_string())
            .collect();
        assert_eq!(
            acts,
            ["append", "effect", "fail", "touch", "confirm", "postpone"]
        );
    }

    #[test]
    fn effect_is_idempotent_only_with_deduplication() {
        for dedup in [false, true] {
            let tools = list(dedup);
            let effect = tools.iter().find(|tool| tool.name == "effect").unwrap();
            assert_eq!(
                effect.annotations.as_ref().unwrap().idempotent_hint,
                Some(dedup)
            );
        }
    }

    #[test]
    fn schemas_require_what_has_no_default() {
        let required = |name: &str| {
            let tool = list(false)
                .into_iter()
                .find(|tool| tool.name == name)
                .unwrap();
            tool.input_schema["required"].clone()
        };
        assert_eq!(required("add"), json!(["a", "b"]));
        assert_eq!(required("stream"), json!(["n"]));
        assert_eq!(required("effect"), json!(["op"]));
        assert_eq!(required("whoami"), json!([]));
    }
}
