//! Arguments made from a JSON Schema: the smallest that a strict server is likely to accept.
//!
//! Pure. Schemas come from servers, so depth, width and lengths are bounded, and references are not followed.

use serde_json::{Map, Value, json};

const DEPTH: usize = 6;
const WIDTH: usize = 64;
const LENGTH: usize = 256;

/// Arguments for a tool of this input schema: its required properties.
pub(super) fn arguments(schema: &Value) -> Value {
    match of(schema, 0) {
        Value::Object(map) => Value::Object(map),
        _ => json!({}),
    }
}

fn of(schema: &Value, depth: usize) -> Value {
    if let Some(given) = given(schema) {
        return bounded(given, depth);
    }
    if depth >= DEPTH {
        return Value::Null;
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        let forms = schema.get(key).and_then(Value::as_array);
        let first = forms.and_then(|forms| forms.iter().find(|form| kind(form) != Some("null")));
        if let Some(first) = first {
            return of(first, depth + 1);
        }
    }
    match kind(schema) {
        Some("array") => array(schema, depth),
        Some("integer") => number(schema, true),
        Some("number") => number(schema, false),
        Some("boolean") => json!(false),
        Some("null") => Value::Null,
        Some("string") | None if schema.get("properties").is_none() => json!(text(schema)),
        _ => object(schema, depth),
    }
}

/// A value that the schema itself gives.
fn given(schema: &Value) -> Option<&Value> {
    let first = |key: &str| schema.get(key).and_then(Value::as_array)?.first();
    let value = schema
        .get("const")
        .or_else(|| first("examples"))
        .or_else(|| schema.get("default"))
        .or_else(|| first("enum"))?;
    (!value.is_null()).then_some(value)
}

fn kind(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(kind) => Some(kind),
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null"),
        _ => None,
    }
}

/// A copy that is no deeper, wider or longer than allowed.
fn bounded(value: &Value, depth: usize) -> Value {
    match value {
        _ if depth > DEPTH => Value::Null,
        Value::String(text) => json!(text.chars().take(LENGTH).collect::<String>()),
        Value::Array(items) => items
            .iter()
            .take(WIDTH)
            .map(|item| bounded(item, depth + 1))
            .collect(),
        Value::Object(map) => Value::Object(
            map.iter()
                .take(WIDTH)
                .map(|(key, item)| (key.clone(), bounded(item, depth + 1)))
                .collect(),
        ),
        other => other.clone(),
    }
}

fn object(schema: &Value, depth: usize) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array);
    let names = required.into_iter().flatten().filter_map(Value::as_str);
    let mut map = Map::new();
    for name in names.take(WIDTH).filter(|name| name.len() <= 100) {
        let property = properties.and_then(|properties| properties.get(name));
        map.insert(
            name.to_owned(),
            of(property.unwrap_or(&Value::Null), depth + 1),
        );
    }
    Value::Object(map)
}

fn array(schema: &Value, depth: usize) -> Value {
    let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
    let count = usize::try_from(least).unwrap_or(WIDTH).min(WIDTH);
    let item = schema
        .get("items")
        .map_or(Value::Null, |items| of(items, depth + 1));
    Value::Array(vec![item; count])
}

fn number(schema: &Value, whole: bool) -> Value {
    if whole {
        let bound = |key: &str| schema.get(key).and_then(Value::as_i64);
        let least = bound("minimum").or_else(|| bound("exclusiveMinimum")?.checked_add(1));
        let most = bound("maximum").or_else(|| bound("exclusiveMaximum")?.checked_sub(1));
        let value = 1.max(least.unwrap_or(1)).min(most.unwrap_or(i64::MAX));
        // A step, counted from zero, at or above the least value.
        return match bound("multipleOf").filter(|step| *step > 0) {
            Some(step) => json!(
                value
                    .checked_add(step - 1)
                    .map_or(value, |up| up / step * step)
            ),
            None => json!(value),
        };
    }
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|bound| bound + 0.5));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|bound| bound - 0.5));
    json!(
        1.0_f64
            .max(least.unwrap_or(1.0))
            .min(most.unwrap_or(f64::MAX))
    )
}

fn text(schema: &Value) -> String {
    let plain = match schema.get("format").and_then(Value::as_str) {
        Some("date-time") => "2026-01-01T00:00:00Z",
        Some("date") => "2026-01-01",
        Some("time") => "00:00:00Z",
        Some("email") => "someone@example.com",
        Some("uri" | "url") => "https://example.com/",
        Some("uuid") => "00000000-0000-4000-8000-000000000000",
        Some("ipv4") => "127.0.0.1",
        _ => "text",
    };
    let length = |key: &str| {
        let bound = schema.get(key).and_then(Value::as_u64)?;
        Some(usize::try_from(bound).unwrap_or(LENGTH).min(LENGTH))
    };
    let most = length("maxLength").unwrap_or(LENGTH);
    let mut text: String = plain.chars().take(most).collect();
    while text.chars().count() < length("minLength").unwrap_or(0) {
        text.push('x');
    }
    text
}
