//! Operations: methods, arguments, journeys, and what a right answer holds.
//!
//! Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Context, command, templates};
use crate::diag::{codes, suggest};
use crate::plan::{Expectation, FleetPlan, Method, OperationPlan, StepPlan};
use crate::scenario::written::{Operation, Workload};

/// The longest journey, in steps.
const LONGEST_JOURNEY: usize = 1000;

pub(super) fn compile(
    context: &mut Context<'_>,
    workload: &Workload,
    path: &str,
    fleet: &FleetPlan,
) -> Vec<OperationPlan> {
    let ours = command::is_reference_fleet(fleet);
    let Some(written) = workload.operation.as_ref().filter(|list| !list.is_empty()) else {
        return by_default(context, path, ours);
    };
    let names: Vec<(String, String)> = written
        .iter()
        .enumerate()
        .map(|(number, one)| (name_of(one), format!("{path}.operation[{number}].name")))
        .collect();
    context.unique("operation", &names);
    // Plain operations first: journeys are made of them.
    let mut steps: BTreeMap<&str, StepPlan> = BTreeMap::new();
    for (number, (one, (name, _))) in written.iter().zip(&names).enumerate() {
        if one.steps.is_none() {
            let path = format!("{path}.operation[{number}]");
            if let Some(step) = step(context, one, name, &path, ours) {
                steps.insert(name, step);
            }
        }
    }
    let mut plans = Vec::new();
    for (number, (one, (name, _))) in written.iter().zip(&names).enumerate() {
        let path = format!("{path}.operation[{number}]");
        let own = match &one.steps {
            Some(list) => journey(context, one, list, &steps, &names, &path),
            None => steps.get(name.as_str()).cloned().into_iter().collect(),
        };
        plans.push(OperationPlan {
            name: name.clone(),
            weight: one.weight,
            timeout: one.timeout,
            steps: own,
            cancel: None,
        });
    }
    if plans.iter().all(|plan| plan.weight == 0) {
        context.report(
            &codes::NO_LOAD,
            &format!("{path}.operation"),
            "no operation has a weight",
            "expected at least one weight above 0",
            None,
        );
    }
    plans
}

fn by_default(context: &mut Context<'_>, path: &str, ours: bool) -> Vec<OperationPlan> {
    if !ours {
        let place = ["workload", "fleet", "phase"]
            .into_iter()
            .find(|key| context.spans.given(key))
            .map_or("", |key| if key == "workload" { path } else { key });
        context.report_key(
            &codes::MISSING_KEY,
            place,
            "the workload does not say what its clients do",
            "expected `[[workload.operation]]`",
            format!(
                "only the reference fleet has a default; `mcpload init --url URL` writes an operation for each tool of a server (driver: {})",
                context.scenario.fleet.driver.kind
            ),
        );
    }
    context.defaulted(&format!("{path}.operation"));
    let text = "{{ random.hex(64) }}";
    vec![OperationPlan {
        name: "echo".to_owned(),
        weight: 1,
        timeout: Duration::from_secs(5),
        steps: vec![StepPlan {
            target: "echo".to_owned(),
            arguments: json!({ "text": text }),
            expect: vec![Expectation::TextEquals(text.to_owned())],
            ..StepPlan::new("echo", Method::ToolsCall)
        }],
        cancel: None,
    }]
}

fn name_of(one: &Operation) -> String {
    let method = one.call.as_deref().unwrap_or("tools/call");
    let fallback = match (&one.tool, &one.steps) {
        (_, Some(_)) => "journey".to_owned(),
        (Some(tool), None) => tool.clone(),
        (None, None) => method.replace('/', "-"),
    };
    one.name.clone().unwrap_or(fallback)
}

fn journey(
    context: &mut Context<'_>,
    one: &Operation,
    list: &[String],
    steps: &BTreeMap<&str, StepPlan>,
    names: &[(String, String)],
    path: &str,
) -> Vec<StepPlan> {
    let extra = [
        ("tool", one.tool.is_some()),
        ("call", one.call.is_some()),
        ("uri", one.uri.is_some()),
        ("prompt", one.prompt.is_some()),
        ("arguments", one.arguments.is_some()),
        ("expect", one.expect.is_some()),
    ];
    for (key, _) in extra.iter().filter(|(_, given)| *given) {
        context.report(
            &codes::CONFLICT,
            &format!("{path}.{key}"),
            format!("a journey has no `{key}` of its own"),
            "expected it at the operations that are its steps",
            None,
        );
    }
    if list.is_empty() || list.len() > LONGEST_JOURNEY {
        context.report(
            &codes::BAD_VALUE,
            &format!("{path}.steps"),
            format!("the journey has {} steps", list.len()),
            format!("expected from 1 to {LONGEST_JOURNEY}"),
            None,
        );
        return Vec::new();
    }
    let mut found = Vec::new();
    for (number, name) in list.iter().enumerate() {
        let path = format!("{path}.steps[{number}]");
        if let Some(step) = steps.get(name.as_str()) {
            found.push(step.clone());
        } else if names.iter().any(|(known, _)| known == name) {
            if !context.scenario.workload.is_empty() && is_journey(context, name) {
                context.report(
                    &codes::CONFLICT,
                    &path,
                    format!("`{name}` is a journey itself"),
                    "expected a plain operation",
                    None,
                );
            }
        } else {
            context.report(
                &codes::UNKNOWN_OPERATION,
                &path,
                format!("there is no operation `{name}`"),
                "expected the name of an operation of this workload",
                suggest(name, "operation", steps.keys().copied()),
            );
        }
    }
    // The think time of the journey stands before its first step.
    if let (Some(first), Some(think)) = (found.first_mut(), one.think) {
        first.think = Some(first.think.unwrap_or_default() + think);
    }
    found
}

fn is_journey(context: &Context<'_>, name: &str) -> bool {
    context
        .scenario
        .workload
        .iter()
        .flat_map(|workload| workload.operation.iter().flatten())
        .any(|one| one.steps.is_some() && name_of(one) == name)
}

fn step(
    context: &mut Context<'_>,
    one: &Operation,
    name: &str,
    path: &str,
    ours: bool,
) -> Option<StepPlan> {
    let before = context.wrong.len();
    let call = one.call.as_deref().unwrap_or("tools/call");
    let Some(method) = Method::ALL.into_iter().find(|method| method.name() == call) else {
        context.report(
            &codes::NOT_YET,
            &format!("{path}.call"),
            format!("`{call}` does not act yet"),
            "not yet",
            format!(
                "this version calls: {}",
                Method::ALL.map(Method::name).join(", ")
            ),
        );
        return None;
    };
    let target = target(context, one, method, path);
    if one.arguments.is_some() && !matches!(method, Method::ToolsCall | Method::PromptsGet) {
        context.report(
            &codes::CONFLICT,
            &format!("{path}.arguments"),
            format!("`{call}` takes no arguments"),
            "expected it with a tool or a prompt",
            None,
        );
    }
    let arguments = Value::Object(one.arguments.clone().unwrap_or_default());
    check_templates(context, &arguments, &format!("{path}.arguments"));
    let expect = expectation(context, one, path)
        .or_else(|| contract(one.tool.as_deref().filter(|_| ours), &arguments));
    (context.wrong.len() == before).then(|| StepPlan {
        target,
        arguments,
        expect: expect.into_iter().collect(),
        think: one.think,
        ..StepPlan::new(name, method)
    })
}

/// The tool, resource or prompt; reports those that are missing or belong to another method.
fn target(context: &mut Context<'_>, one: &Operation, method: Method, path: &str) -> String {
    let wanted = match method {
        Method::ToolsCall => Some("tool"),
        Method::ResourcesRead | Method::ResourcesSubscribe | Method::ResourcesUnsubscribe => {
            Some("uri")
        }
        Method::PromptsGet | Method::Complete => Some("prompt"),
        Method::ToolsList
        | Method::ResourcesList
        | Method::ResourceTemplatesList
        | Method::PromptsList
        | Method::Ping
        | Method::Discover => None,
    };
    let mut target = None;
    for (key, value) in [
        ("tool", &one.tool),
        ("uri", &one.uri),
        ("prompt", &one.prompt),
    ] {
        let Some(value) = value else { continue };
        if wanted == Some(key) {
            target = Some(value.clone());
        } else {
            context.report(
                &codes::CONFLICT,
                &format!("{path}.{key}"),
                format!("`{}` takes no `{key}`", method.name()),
                wanted.map_or("expected nothing of the sort".to_owned(), |wanted| {
                    format!("expected `{wanted}`")
                }),
                match key {
                    "uri" => Some("write `call = \"resources/read\"`".to_owned()),
                    "prompt" => Some("write `call = \"prompts/get\"`".to_owned()),
                    _ => None,
                },
            );
        }
    }
    if let (Some(wanted), None) = (wanted, &target) {
        context.report(
            &codes::MISSING_KEY,
            path,
            format!(
                "an operation that calls `{}` has no `{wanted}`",
                method.name()
            ),
            format!("expected `{wanted}`"),
            None,
        );
    }
    target.unwrap_or_default()
}

fn check_templates(context: &mut Context<'_>, value: &Value, path: &str) {
    match value {
        Value::String(text) => {
            for template in templates::templates(text) {
                if let Err(expected) = templates::argument(template) {
                    context.report(
                        &codes::BAD_TEMPLATE,
                        path,
                        format!("`{{{{ {} }}}}` means nothing here", template.escape_debug()),
                        expected,
                        None,
                    );
                }
            }
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                check_templates(context, item, &format!("{path}[{number}]"));
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                check_templates(context, item, &format!("{path}.{key}"));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn expectation(context: &mut Context<'_>, one: &Operation, path: &str) -> Option<Expectation> {
    let expect = one.expect.as_ref()?;
    let path = format!("{path}.expect");
    let all = [
        expect.equals.clone().map(Expectation::TextEquals),
        expect.contains.clone().map(Expectation::TextContains),
        expect.length.map(Expectation::TextLength),
    ];
    for text in [&expect.equals, &expect.contains].into_iter().flatten() {
        check_templates(context, &json!(text), &path);
    }
    let mut given: Vec<Expectation> = all.into_iter().flatten().collect();
    if given.len() != 1 {
        context.report(
            &codes::CONFLICT,
            &path,
            format!(
                "the expectation has {} of `equals`, `contains` and `length`",
                given.len()
            ),
            "expected exactly one of them",
            None,
        );
    }
    given.pop()
}

/// What the reference server promises of its own tools.
fn contract(tool: Option<&str>, arguments: &Value) -> Option<Expectation> {
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
