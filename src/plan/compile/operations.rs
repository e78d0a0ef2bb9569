//! Operations: plain ones and journeys. What one step is stands in `step`, what a right answer holds in `expectations`.
//!
//! Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use super::{Context, command, templates};
use crate::diag::{codes, suggest};
use crate::plan::{DataPlan, Expectation, FleetPlan, Method, OperationPlan, StepPlan};
use crate::scenario::written::{Operation, Workload};

mod step;

/// The longest journey, in steps.
const LONGEST_JOURNEY: usize = 1000;

pub(super) fn compile(
    context: &mut Context<'_>,
    workload: &Workload,
    path: &str,
    fleet: &FleetPlan,
    data: &[DataPlan],
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
            if let Some(step) = step::compile(context, one, name, &path, data, ours) {
                check_alone(context, one, &step, &path);
                steps.insert(name, step);
            }
        }
    }
    let mut plans = Vec::new();
    for (number, (one, (name, _))) in written.iter().zip(&names).enumerate() {
        let path = format!("{path}.operation[{number}]");
        let own = match &one.steps {
            Some(list) => journey(context, one, list, &steps, written, &names, &path),
            None => steps.get(name.as_str()).cloned().into_iter().collect(),
        };
        plans.push(OperationPlan {
            name: name.clone(),
            weight: one.weight,
            timeout: one.timeout,
            steps: own,
            cancel: one.cancel,
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

/// Reports an operation that is done by itself and takes something from an answer to another.
fn check_alone(context: &mut Context<'_>, one: &Operation, step: &StepPlan, path: &str) {
    let kept = templates::kept(step);
    if let (Some(name), true) = (kept.first(), one.weight > 0) {
        let key = if context.spans.given(&format!("{path}.arguments")) {
            "arguments"
        } else {
            "expect"
        };
        context.report_key(
            &codes::BAD_TEMPLATE,
            &format!("{path}.{key}"),
            format!("`kept.{name}` is of an earlier step, and the operation is done by itself"),
            "expected it in a step of a journey only",
            "write `weight = 0` for an operation that is only a step".to_owned(),
        );
    }
}

/// Reports a step that takes what no earlier one has kept.
fn check_kept(context: &mut Context<'_>, steps: &[(StepPlan, String)]) {
    let mut known = BTreeSet::new();
    for (step, path) in steps {
        for name in templates::kept(step) {
            if !known.contains(&name) {
                let hint = suggest(&name, "kept value", known.iter().map(String::as_str))
                    .filter(|_| !known.is_empty());
                context.report(
                    &codes::BAD_TEMPLATE,
                    path,
                    format!(
                        "`{}` takes `kept.{name}`, which no earlier step keeps",
                        step.name
                    ),
                    "expected a step before it with `keep`",
                    hint,
                );
            }
        }
        known.extend(step.keep.keys().cloned());
    }
}

fn journey(
    context: &mut Context<'_>,
    one: &Operation,
    list: &[String],
    steps: &BTreeMap<&str, StepPlan>,
    written: &[Operation],
    names: &[(String, String)],
    path: &str,
) -> Vec<StepPlan> {
    let of_steps = [
        "tool",
        "call",
        "uri",
        "prompt",
        "arguments",
        "pages",
        "progress",
        "keep",
        "expect",
    ];
    for key in of_steps {
        if !context.spans.given(&format!("{path}.{key}")) {
            continue;
        }
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
            let cancels = |other: &Operation| other.cancel.is_some() && name_of(other) == *name;
            if written.iter().any(cancels) {
                context.report(
                    &codes::CONFLICT,
                    &path,
                    format!("`{name}` has `cancel`, which acts where it is done by itself"),
                    "expected `cancel` at the journey",
                    None,
                );
            }
            found.push((step.clone(), path));
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
    check_kept(context, &found);
    let mut found: Vec<StepPlan> = found.into_iter().map(|(step, _)| step).collect();
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
