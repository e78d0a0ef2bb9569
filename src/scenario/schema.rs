//! `mcpload schema`: the tables of a scenario as a JSON Schema (draft 2020-12), for editors.
//!
//! Pure. Made from the same tables that the reader uses. What does not act yet is left out, so that an editor marks what
//! mcpload would refuse. Every value may also be one template, `"{{ env.X }}"`, which takes the type that its key wants.

use serde_json::{Map, Value, json};

use super::tables::{STAND_ALONE, TOP, common, default_kind};
use crate::catalog::Catalog;
use crate::registry::{Acts, Family, Field, KindInfo, Need, Ty};

/// The schema of a scenario.
pub fn json_schema(catalog: &Catalog) -> Value {
    let mut schema = table(catalog, &[TOP], None);
    if let Some(map) = schema.as_object_mut() {
        if let Some(properties) = map.get_mut("properties").and_then(Value::as_object_mut) {
            for key in STAND_ALONE {
                stand_alone(properties, key);
            }
        }
        let head = [
            (
                "$schema",
                json!("https://json-schema.org/draft/2020-12/schema"),
            ),
            ("title", json!("mcpload scenario")),
            ("$defs", definitions()),
        ];
        for (at, (key, value)) in head.into_iter().enumerate() {
            map.shift_insert(at, key.to_owned(), value);
        }
    }
    schema
}

/// Lets `[workload]` stand where `[[workload]]` may.
fn stand_alone(properties: &mut Map<String, Value>, key: &str) {
    let Some(list) = properties.get_mut(key).and_then(Value::as_object_mut) else {
        return;
    };
    let mut array = Map::new();
    for part in ["type", "items"] {
        if let Some(value) = list.shift_remove(part) {
            array.insert(part.to_owned(), value);
        }
    }
    let item = array.get("items").cloned().unwrap_or_default();
    list.insert("anyOf".to_owned(), json!([item, array]));
}

fn definitions() -> Value {
    json!({
        "template": { "type": "string", "pattern": r"^\s*\{\{.*\}\}\s*$" },
        "name": { "type": "string", "pattern": "^[A-Za-z][A-Za-z0-9._-]{0,63}$" },
        "duration": {
            "type": "string",
            "pattern": r"^\s*([0-9]+(\.[0-9]+)?\s*[A-Za-zµ]+\s*)+$",
            "description": "a number with a unit: ns, us, ms, s, m, h or d",
        },
        "rate": { "type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]{1,3})?\s*/\s*(s|m|min|h)\s*$" },
        "share": { "type": "string", "pattern": r"^\s*[0-9]{1,3}(\.[0-9]{1,7})?\s*%\s*$" },
        "bytes": { "anyOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*[A-Za-z]*\s*$" },
        ] },
        "secret": { "oneOf": [
            { "type": "object", "properties": { "env": { "type": "string", "minLength": 1 } }, "required": ["env"], "additionalProperties": false },
            { "type": "object", "properties": { "file": { "type": "string", "minLength": 1 } }, "required": ["file"], "additionalProperties": false },
        ] },
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// A value that may also be one template.
fn or_template(value: &Value) -> Value {
    json!({ "anyOf": [value, reference("template")] })
}

fn of_type(catalog: &Catalog, ty: &Ty) -> Value {
    match ty {
        Ty::Text => json!({ "type": "string" }),
        Ty::Name => or_template(&reference("name")),
        Ty::Bool => or_template(&json!({ "type": "boolean" })),
        Ty::Integer { min, max } => {
            or_template(&json!({ "type": "integer", "minimum": min, "maximum": max }))
        }
        Ty::Number { min, max } => {
            or_template(&json!({ "type": "number", "minimum": min, "maximum": max }))
        }
        Ty::Duration { .. } => or_template(&reference("duration")),
        Ty::Rate => or_template(&reference("rate")),
        Ty::Share => or_template(&reference("share")),
        Ty::Bytes => or_template(&reference("bytes")),
        Ty::OneOf(words) | Ty::Words { now: words, .. } => or_template(&json!({ "enum": words })),
        Ty::List(inner) => json!({ "type": "array", "items": of_type(catalog, inner) }),
        Ty::Map(inner) => {
            json!({ "type": "object", "additionalProperties": of_type(catalog, inner) })
        }
        Ty::Table(fields) => table(catalog, &[fields], None),
        Ty::Either(forms) => {
            let forms: Vec<Value> = forms.iter().map(|form| of_type(catalog, form)).collect();
            json!({ "anyOf": forms })
        }
        Ty::Secret => reference("secret"),
        Ty::Any => json!({}),
        Ty::Kind(family) => kinds(catalog, *family),
    }
}

fn kinds(catalog: &Catalog, family: Family) -> Value {
    let mut forms: Vec<Value> = catalog
        .kinds(family)
        .into_iter()
        .filter(|info| info.acts == Acts::Now)
        .map(|info| {
            let mut form = table(
                catalog,
                &[common(family), info.fields],
                Some((family, info)),
            );
            if let Some(map) = form.as_object_mut() {
                map.insert("description".to_owned(), json!(info.summary));
            }
            form
        })
        .collect();
    if family == Family::Profile {
        // The short form of the constant profile.
        forms.push(or_template(&reference("rate")));
    }
    json!({ "anyOf": forms })
}

fn table(
    catalog: &Catalog,
    groups: &[&[Field]],
    tag: Option<(Family, &'static KindInfo)>,
) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    if let Some((family, info)) = tag {
        properties.insert(family.tag().to_owned(), json!({ "const": info.name }));
        if default_kind(family) != Some(info.name) {
            required.push(family.tag());
        }
    }
    let fields = groups.iter().copied().flatten();
    for field in fields.filter(|field| field.acts == Acts::Now) {
        properties.insert(field.key.to_owned(), property(catalog, field));
        if field.need == Need::Required {
            required.push(field.key);
        }
    }
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema.insert("additionalProperties".to_owned(), json!(false));
    Value::Object(schema)
}

fn property(catalog: &Catalog, field: &Field) -> Value {
    let mut schema = of_type(catalog, &field.ty);
    if let Some(map) = schema.as_object_mut() {
        map.insert("description".to_owned(), json!(field.summary));
        if let Need::Default(text) = field.need
            && let Some(value) = as_json(text)
        {
            map.insert("default".to_owned(), value);
        }
        if let Some(value) = as_json(field.example) {
            map.insert("examples".to_owned(), json!([value]));
        }
    }
    schema
}

/// A TOML value of the tables as JSON.
fn as_json(text: &str) -> Option<Value> {
    let document: toml::Table = format!("value = {text}").parse().ok()?;
    serde_json::to_value(document.get("value")?).ok()
}
