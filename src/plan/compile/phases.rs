//! Phases: their offsets and the load of each workload in them.
//!
//! Pure.

use std::collections::BTreeMap;

use serde_json::json;

use super::Context;
use crate::diag::{codes, suggest};
use crate::load::profiles::{PROFILES, replay};
use crate::model::{Offset, Window};
use crate::plan::PhasePlan;
use crate::registry::{Family, Problem, Spec, build};
use crate::scenario::written::Phase;

/// The most phases that are planned.
const MOST: usize = 1000;

/// The name of workload number `number`.
pub(super) fn workload_name(context: &Context<'_>, number: usize) -> String {
    let workloads = &context.scenario.workload;
    match workloads.get(number).and_then(|one| one.name.clone()) {
        Some(name) => name,
        None if workloads.len() == 1 => "main".to_owned(),
        None => format!("main-{}", number + 1),
    }
}

pub(super) fn compile(context: &mut Context<'_>) -> Vec<PhasePlan> {
    let scenario = context.scenario;
    let workloads: Vec<String> = (0..scenario.workload.len())
        .map(|number| workload_name(context, number))
        .collect();
    if scenario.phase.is_empty() || scenario.phase.len() > MOST {
        context.report(
            &codes::NO_LOAD,
            "phase",
            format!("the scenario has {} phases", scenario.phase.len()),
            format!("expected from 1 to {MOST}"),
            None,
        );
        return Vec::new();
    }
    let mut phases = Vec::new();
    let mut names = Vec::new();
    let mut start = Offset::ZERO;
    for (number, phase) in scenario.phase.iter().enumerate() {
        let path = format!("phase[{number}]");
        names.push((phase.name.clone(), format!("{path}.name")));
        if matches!(
            phase.name.as_str(),
            "measured" | "before" | "during" | "after"
        ) {
            context.report(
                &codes::BAD_VALUE,
                &format!("{path}.name"),
                format!("a phase cannot be called `{}`", phase.name),
                "the word means something in windows",
                None,
            );
        }
        let end = start + phase.duration;
        phases.push(PhasePlan {
            name: phase.name.clone(),
            window: Window::new(start, end),
            measure: phase.measure,
            loads: loads(context, phase, &path, &workloads),
        });
        start = end;
    }
    context.unique("phase", &names);
    phases
}

fn loads(
    context: &mut Context<'_>,
    phase: &Phase,
    path: &str,
    workloads: &[String],
) -> BTreeMap<String, Spec> {
    let given = [
        ("rate", phase.rate.is_some()),
        ("load", phase.load.is_some()),
        ("loads", phase.loads.is_some()),
    ];
    let keys: Vec<&str> = given
        .iter()
        .filter(|(_, given)| *given)
        .map(|(key, _)| *key)
        .collect();
    let mut loads = BTreeMap::new();
    match keys.as_slice() {
        [] => context.report(
            &codes::NO_LOAD,
            path,
            format!("the phase `{}` says nothing about the load", phase.name),
            "expected `rate`, `load` or `loads`",
            "for a phase without load write `loads = {}`".to_owned(),
        ),
        ["loads"] => {
            for (name, spec) in phase.loads.iter().flatten() {
                if !workloads.contains(name) {
                    context.report_key(
                        &codes::UNKNOWN_WORKLOAD,
                        &format!("{path}.loads.{name}"),
                        format!("there is no workload `{name}`"),
                        "expected the name of a workload",
                        suggest(name, "workload", workloads.iter().map(String::as_str)),
                    );
                }
                let path = format!("{path}.loads.{name}");
                loads.insert(name.clone(), resolved(context, phase, spec, &path));
            }
        }
        [key] => {
            let [only] = workloads else {
                context.report(
                    &codes::CONFLICT,
                    &format!("{path}.{key}"),
                    format!(
                        "`{key}` does not say which of {} workloads it is for",
                        workloads.len()
                    ),
                    "expected `loads`, with a profile for each workload",
                    format!("write `loads = {{ {} = ... }}`", workloads.join(" = ..., ")),
                );
                return loads;
            };
            let short = phase.rate.map(|rate| Spec {
                kind: "constant".to_owned(),
                with: json!({ "rate": rate }),
            });
            if let Some(spec) = short.or_else(|| phase.load.clone()) {
                let path = format!("{path}.{key}");
                loads.insert(only.clone(), resolved(context, phase, &spec, &path));
            }
        }
        [.., last] => context.report(
            &codes::CONFLICT,
            &format!("{path}.{last}"),
            format!("the phase `{}` has {}", phase.name, keys.join(" and ")),
            "expected only one of them",
            None,
        ),
    }
    loads
}

/// A profile of which nothing is left open: it fits its phase, and what it takes from a file is part of it. `path` is where it
/// stands.
fn resolved(context: &mut Context<'_>, phase: &Phase, spec: &Spec, path: &str) -> Spec {
    let length = phase.duration;
    let file = context.inputs.get(&format!("{path}.{}", replay::FILE));
    let resolved = match file {
        Some(file) => replay::resolve(spec, &file.arrivals, length),
        None => Ok(spec.clone()),
    };
    let fitting = resolved.and_then(|spec| match build(PROFILES, Family::Profile, &spec) {
        Ok(profile) => profile.fits(length).map(|()| spec),
        // A kind that does not act yet is reported already.
        Err(_) => Ok(spec),
    });
    fitting.unwrap_or_else(|Problem { key, message, hint }| {
        let own = format!("{path}.{key}");
        let place = if context.spans.given(&own) {
            &own
        } else {
            path
        };
        let what = format!("`{own}` does not fit the phase `{}`", phase.name);
        context.report(&codes::BAD_VALUE, place, what, message, hint);
        spec.clone()
    })
}
