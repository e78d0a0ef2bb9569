//! [`Catalogue`]: what `tools/list` said, as far as a client must know it: parameters that go into headers, and output schemas.
//!
//! Pure. A tool whose annotations break the rules of 2026-07-28 ("Streamable HTTP", custom headers) is excluded: a conformant client
//! must not call it. The rules: a header's name is a token; the property is a string, an integer or a boolean; it is reached
//! through `properties` alone; no two properties of a tool name the same header.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::header;

/// The prefix of the headers that parameters go into.
const PREFIX: &str = "mcp-param-";
/// How deep schemas are looked through.
const MAX_DEPTH: usize = 32;
/// The most tools that are remembered.
const MAX_TOOLS: usize = 10_000;

/// What is known of the tools of a server.
#[derive(Debug, Default)]
pub struct Catalogue {
    tools: BTreeMap<String, Tool>,
}

/// What is known of a tool.
#[derive(Debug, Default)]
struct Tool {
    /// Where a parameter is in the arguments, and the header that it goes into.
    mirrored: Vec<(Vec<String>, HeaderName)>,
    is_excluded: bool,
    output: Option<Arc<jsonschema::Validator>>,
}

impl Catalogue {
    /// Learns from the result of a `tools/list`, or of a page of it.
    pub fn learn(&mut self, result: &Value) {
        let tools = result.get("tools").and_then(Value::as_array);
        for tool in tools.into_iter().flatten() {
            let Some(name) = tool.get("name").and_then(Value::as_str) else {
                continue;
            };
            if self.tools.len() < MAX_TOOLS || self.tools.contains_key(name) {
                self.tools.insert(name.to_owned(), Tool::new(tool));
            }
        }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    /// Whether the tool's annotations forbid calling it.
    pub fn excludes(&self, tool: &str) -> bool {
        self.tools.get(tool).is_some_and(|tool| tool.is_excluded)
    }

    /// The schema of the tool's structured content.
    pub fn output(&self, tool: &str) -> Option<Arc<jsonschema::Validator>> {
        self.tools.get(tool)?.output.clone()
    }

    /// Whether some parameter of the tool goes into a header.
    pub fn mirrors(&self, tool: &str) -> bool {
        self.tools
            .get(tool)
            .is_some_and(|tool| !tool.mirrored.is_empty())
    }

    /// Puts the parameters of a call that go into headers there. One that is absent or null has no header.
    pub fn mirror(&self, tool: &str, arguments: &Value, headers: &mut HeaderMap) {
        let Some(tool) = self.tools.get(tool) else {
            return;
        };
        for (path, name) in &tool.mirrored {
            let value = path.iter().try_fold(arguments, |at, key| at.get(key));
            let text = match value {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Bool(flag)) => flag.to_string(),
                Some(Value::Number(number)) => number.to_string(),
                _ => continue,
            };
            let value: HeaderValue = header::mirrored(&text);
            headers.insert(name.clone(), value);
        }
    }
}

impl Tool {
    fn new(tool: &Value) -> Self {
        let mut known = Self {
            output: tool
                .get("outputSchema")
                .and_then(|schema| jsonschema::validator_for(schema).ok())
                .map(Arc::new),
            ..Self::default()
        };
        if let Some(schema) = tool.get("inputSchema") {
            known.is_excluded = !known.look(schema, &mut Vec::new(), true, 0);
        }
        known
    }

    /// Collects the annotations of a schema; whether all of them keep the rules. `reachable` is whether only `properties` lead here.
    fn look(
        &mut self,
        schema: &Value,
        path: &mut Vec<String>,
        reachable: bool,
        depth: usize,
    ) -> bool {
        if depth > MAX_DEPTH {
            return true;
        }
        match schema {
            Value::Object(members) => {
                let annotated = match members.get("x-mcp-header") {
                    // Below `properties` this may be the name of a property, which the caller has taken apart.
                    Some(name) => reachable && self.annotate(name, members, path),
                    None => true,
                };
                annotated
                    && members
                        .iter()
                        .all(|(key, value)| match (key.as_str(), value) {
                            ("properties", Value::Object(properties)) => {
                                properties.iter().all(|(name, property)| {
                                    path.push(name.clone());
                                    let right = self.look(property, path, reachable, depth + 1);
                                    path.pop();
                                    right
                                })
                            }
                            // Values are data, not schemas.
                            ("default" | "const" | "enum" | "examples", _) => true,
                            (_, value) => self.look(value, path, false, depth + 1),
                        })
            }
            Value::Array(items) => items
                .iter()
                .all(|item| self.look(item, path, false, depth + 1)),
            _ => true,
        }
    }

    fn annotate(&mut self, name: &Value, members: &Map<String, Value>, path: &[String]) -> bool {
        let kind = members.get("type").and_then(Value::as_str);
        let is_simple = matches!(kind, Some("string" | "integer" | "boolean"));
        let name = name
            .as_str()
            .filter(|name| !name.is_empty() && is_simple && !path.is_empty())
            .and_then(|name| HeaderName::try_from(format!("{PREFIX}{name}")).ok());
        let Some(name) = name else {
            return false;
        };
        if self.mirrored.iter().any(|(_, known)| *known == name) {
            return false;
        }
        self.mirrored.push((path.to_vec(), name));
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn learnt(properties: &Value) -> Catalogue {
        let mut catalogue = Catalogue::default();
        catalogue.learn(&json!({"tools": [{"name": "t", "inputSchema":
            {"type": "object", "properties": properties}}]}));
        catalogue
    }

    #[test]
    fn annotated_parameters_go_into_headers() {
        let catalogue = learnt(&json!({
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
            "off": {"type": "boolean", "x-mcp-header": "Off"},
            "plain": {"type": "string"},
        }));
        let mut headers = HeaderMap::new();
        let arguments = json!({"region": "né", "deep": {"n": 5}, "off": null, "plain": "x"});
        catalogue.mirror("t", &arguments, &mut headers);
        assert!(!catalogue.excludes("t") && catalogue.mirrors("t"));
        assert_eq!(headers.len(), 2);
        assert_eq!(headers["mcp-param-region"], "=?base64?bsOp?=");
        assert_eq!(headers["mcp-param-n"], "5");
    }

    #[test]
    fn a_tool_that_breaks_the_rules_is_excluded() {
        for properties in [
            json!({"a": {"type": "string", "x-mcp-header": ""}}),
            json!({"a": {"type": "string", "x-mcp-header": "two words"}}),
            json!({"a": {"type": "string", "x-mcp-header": 5}}),
            json!({"a": {"type": "number", "x-mcp-header": "A"}}),
            json!({"a": {"type": "array", "items": {"type": "string", "x-mcp-header": "A"}}}),
            json!({"a": {"type": "string", "x-mcp-header": "A"}, "b": {"type": "string", "x-mcp-header": "a"}}),
            json!({"a": {"anyOf": [{"type": "string", "x-mcp-header": "A"}]}}),
        ] {
            assert!(learnt(&properties).excludes("t"), "{properties}");
        }
        assert!(!learnt(&json!({"x-mcp-header": {"type": "string"}})).excludes("t"));
    }
}
