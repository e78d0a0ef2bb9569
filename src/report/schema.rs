//! The JSON Schema of `summary.json`.
//!
//! Pure. It describes what readers may rely on: names, types, units and ranges. Objects stay open: a later version of the
//! same layout may add members, never take any away. A test holds a rendered report to it.

use serde_json::{Map, Value, json};

use super::SUMMARY_VERSION;
use crate::model::outcome::Class;
use crate::model::protocol::ProtocolVersion;

mod parts;

/// The schema (draft 2020-12).
pub fn summary_schema() -> Value {
    let mut schema = object(&[
        (
            "version",
            json!({ "const": SUMMARY_VERSION, "description": "the version of this layout" }),
        ),
        ("verdict", reference("verdict")),
        (
            "findings",
            list(
                &reference("finding"),
                "worst first, then in the order of the scenario",
            ),
        ),
        ("analysis", reference("analysis")),
    ]);
    if let Some(members) = schema.as_object_mut() {
        members.insert(
            "$schema".to_owned(),
            json!("https://json-schema.org/draft/2020-12/schema"),
        );
        members.insert("title".to_owned(), json!("mcpload summary.json"));
        members.insert(
            "description".to_owned(),
            json!("What a run of mcpload showed. Moments are nanoseconds since the start of the load (set-up is negative); members that end in _ns are nanoseconds."),
        );
        members.insert("$defs".to_owned(), parts::definitions());
    }
    schema
}

/// An object that has at least these members.
pub(crate) fn object(members: &[(&str, Value)]) -> Value {
    let properties: Map<String, Value> = members
        .iter()
        .map(|(name, schema)| ((*name).to_owned(), schema.clone()))
        .collect();
    let required: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

pub(crate) fn list(of: &Value, description: &str) -> Value {
    json!({ "type": "array", "items": of, "description": description })
}

pub(crate) fn or_null(of: &Value) -> Value {
    json!({ "anyOf": [of, { "type": "null" }] })
}

pub(crate) fn one_of(names: &[&str], description: &str) -> Value {
    json!({ "enum": names, "description": description })
}

pub(crate) fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn flag(description: &str) -> Value {
    json!({ "type": "boolean", "description": description })
}

pub(crate) fn count(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}

pub(crate) fn number(description: &str) -> Value {
    json!({ "type": "number", "description": description })
}

fn moment(description: &str) -> Value {
    json!({ "type": "integer", "description": format!("{description}; nanoseconds since the start of the load") })
}

fn classes() -> Value {
    let names: Vec<&str> = Class::ALL.into_iter().map(Class::name).collect();
    one_of(&names, "the class of an error; none for what ended ok")
}

fn protocols() -> Value {
    let names: Vec<&str> = ProtocolVersion::ALL
        .into_iter()
        .map(ProtocolVersion::name)
        .collect();
    one_of(&names, "the protocol version")
}
