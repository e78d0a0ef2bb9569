//! What a client says it can do, and how it then answers what a server asks of it.
//!
//! Pure. At load a client declares nothing, so that a server asks nothing but `ping`. `mcpload call` can say that it takes
//! elicitations: it accepts each with the defaults of the schema that came with it, as a user does who presses Enter.

use serde_json::{Map, Value, json};

/// What a client can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether it takes elicitations.
    pub elicitation: bool,
}

impl Capabilities {
    /// The value of `capabilities`, JSON.
    pub const fn json(self) -> &'static str {
        if self.elicitation {
            r#"{"elicitation":{}}"#
        } else {
            "{}"
        }
    }

    /// The result that answers a request of the server, `None` for one that is not supported.
    pub fn answer(self, method: &str, params: Option<&Value>) -> Option<Value> {
        match method {
            "ping" => Some(json!({})),
            "elicitation/create" if self.elicitation => Some(json!({
                "action": "accept",
                "content": defaults(params.and_then(|params| params.get("requestedSchema"))),
            })),
            _ => None,
        }
    }

    /// The answers to the requests that a result asks to be answered (`inputRequests`), under the same keys.
    pub fn answers(self, requests: &Map<String, Value>) -> Option<Map<String, Value>> {
        requests
            .iter()
            .map(|(key, request)| {
                let method = request.get("method").and_then(Value::as_str)?;
                let answer = self.answer(method, request.get("params"))?;
                Some((key.clone(), answer))
            })
            .collect()
    }
}

/// The defaults of the properties of an object schema.
fn defaults(schema: Option<&Value>) -> Value {
    let properties = schema
        .and_then(|schema| schema.get("properties"))
        .and_then(Value::as_object);
    let defaults = properties.into_iter().flatten().filter_map(|(name, of)| {
        let default = of.get("default")?;
        Some((name.clone(), default.clone()))
    });
    Value::Object(defaults.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_declared_is_answered() {
        let none = Capabilities::default();
        assert_eq!(none.answer("ping", None), Some(json!({})));
        assert_eq!(none.answer("elicitation/create", None), None);
        let able = Capabilities { elicitation: true };
        let schema = json!({"requestedSchema": {"properties": {
            "name": {"type": "string", "default": "Ann"}, "age": {"type": "integer"}}}});
        assert_eq!(
            able.answer("elicitation/create", Some(&schema)),
            Some(json!({"action": "accept", "content": {"name": "Ann"}}))
        );
        assert_eq!(able.answer("sampling/createMessage", None), None);
    }
}
