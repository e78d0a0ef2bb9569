//! What a right answer holds: as the scenario says, or as the reference server promises of its own tools.
//!
//! Pure.

use serde_json::{Map, Value, json};
use serde_json_path::JsonPath;

use super::{Context, templates};
use crate::diag::codes;
use crate::plan::{DataPlan, Expectation, Method};
use crate::scenario::written::{Expect, Operation};

/// What is expected of a JSON path.
pub(super) const PATH_EXPECTED: &str = "expected a path such as \"$.items[0].id\" (RFC 9535)";

/// The expectations of an operation; `None` if the scenario says nothing of them.
pub(super) fn compile(
    context: &mut Context<'_>,
    one: &Operation,
    method: Method,
    path: &str,
    data: &[DataPlan],
) -> Option<Vec<Expectation>> {
    let expect = one.expect.as_ref()?;
    let path = format!("{path}.expect");
    for (key, text) in [("equals", &expect.equals), ("contains", &expect.contains)] {
        templates::check(context, &json!(text), &format!("{path}.{key}"), data);
    }
    for (json_path, value) in &expect.json {
        let path = format!("{path}.json.{json_path}");
        if let Some(message) = no_json_path(json_path) {
            context.report_key(&codes::BAD_VALUE, &path, message, PATH_EXPECTED, None);
        }
        templates::check(context, value, &path, data);
    }
    check_method(context, expect, method, &path);
    let json = expect.json.iter().map(|(path, equals)| Expectation::Json {
        path: path.clone(),
        equals: equals.clone(),
    });
    let single = [
        expect.status.map(Expectation::Status),
        expect.equals.clone().map(Expectation::TextEquals),
        expect.contains.clone().map(Expectation::TextContains),
        expect.length.map(Expectation::TextLength),
        expect.schema.then_some(Expectation::Schema),
    ];
    let all: Vec<Expectation> = single.into_iter().flatten().chain(json).collect();
    if all.is_empty() {
        context.report(
            &codes::CONFLICT,
            &path,
            "the expectation expects nothing",
            "expected `equals`, `contains`, `length`, `status`, `json` or `schema`",
            None,
        );
    }
    let refused = expect.status.is_some_and(|status| status >= 300);
    if refused && all.len() > 1 {
        context.report(
            &codes::CONFLICT,
            &format!("{path}.status"),
            "a call that is refused has no result",
            "expected nothing beside a status from 300 on",
            None,
        );
    }
    Some(all)
}

/// Reports what answers of this method never hold.
fn check_method(context: &mut Context<'_>, expect: &Expect, method: Method, path: &str) {
    let texts = [
        ("equals", expect.equals.is_some()),
        ("contains", expect.contains.is_some()),
        ("length", expect.length.is_some()),
    ];
    for (key, _) in texts
        .iter()
        .filter(|(_, given)| *given && !method.has_text())
    {
        context.report(
            &codes::CONFLICT,
            &format!("{path}.{key}"),
            format!("answers to `{}` hold no text", method.name()),
            "expected it with a tool, a resource or a prompt",
            "look into the result with `json = { \"$.PATH\" = VALUE }`".to_owned(),
        );
    }
    if expect.schema && method != Method::ToolsCall {
        context.report(
            &codes::CONFLICT,
            &format!("{path}.schema"),
            format!("answers to `{}` have no output schema", method.name()),
            "expected it with a tool",
            None,
        );
    }
}

/// What is wrong with a JSON path, if it is none.
pub(super) fn no_json_path(json_path: &str) -> Option<String> {
    let error = JsonPath::parse(json_path).err()?;
    Some(format!(
        "`{}` is no JSON path: {error}",
        json_path.escape_debug()
    ))
}

/// What the reference server promises of its own tools.
pub(super) fn contract(tool: Option<&str>, arguments: &Value) -> Option<Expectation> {
    let arguments: &Map<String, Value> = arguments.as_object()?;
    match tool? {
        "echo" => Some(Expectation::TextEquals(
            arguments.get("text")?.as_str()?.to_owned(),
        )),
        "add" => {
            let number = |key| arguments.get(key).and_then(Value::as_i64);
            let sum = number("a")?.checked_add(number("b")?)?;
            Some(Expectation::TextEquals(sum.to_string()))
        }
        "payload" => Some(Expectation::TextLength(arguments.get("bytes")?.as_u64()?)),
        _ => None,
    }
}
