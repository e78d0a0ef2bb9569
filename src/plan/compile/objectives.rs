//! Objectives: exactly one promise each, windows and operations that exist.
//!
//! Pure.

use super::Context;
use super::faults::once;
use crate::diag::{codes, suggest};
use crate::model::Share;
use crate::plan::timeline::{parse_window, widest};
use crate::plan::{FaultPlan, ObjectivePlan, PhasePlan, Promise, WindowRef, WorkloadPlan};
use crate::scenario::written::Slo;

pub(super) fn compile(
    context: &mut Context<'_>,
    phases: &[PhasePlan],
    faults: &[FaultPlan],
    workloads: &[WorkloadPlan],
) -> Vec<ObjectivePlan> {
    let scenario = context.scenario;
    let mut plans = Vec::new();
    let mut names = Vec::new();
    for (number, slo) in scenario.slo.iter().enumerate() {
        let path = format!("slo[{number}]");
        let Some((promise, word)) = promise(context, slo, &path) else {
            continue;
        };
        let name = slo.name.clone().unwrap_or_else(|| word.to_owned());
        names.push((name.clone(), format!("{path}.name")));
        let windows = windows(context, slo, &path, phases, faults);
        for (place, operation) in slo.operations.iter().enumerate() {
            let known: Vec<&str> = workloads
                .iter()
                .flat_map(|workload| &workload.operations)
                .filter(|operation| operation.weight > 0)
                .map(|operation| operation.name.as_str())
                .collect();
            if !known.contains(&operation.as_str()) {
                context.report(
                    &codes::UNKNOWN_OPERATION,
                    &format!("{path}.operations[{place}]"),
                    format!("no workload has an operation `{operation}` with a weight"),
                    "expected the name of an operation",
                    suggest(operation, "operation", known),
                );
            }
        }
        plans.push(ObjectivePlan {
            name,
            promise,
            of: slo.of,
            windows,
            operations: slo.operations.clone(),
            line: context.spans.line(&path),
        });
    }
    context.unique("objective", &names);
    plans
}

fn promise(context: &mut Context<'_>, slo: &Slo, path: &str) -> Option<(Promise, &'static str)> {
    let all = [
        slo.latency.map(|latency| {
            let promise = Promise::Latency {
                share: latency.share,
                under: latency.under,
            };
            (promise, "latency")
        }),
        slo.errors.map(|errors| {
            let promise = Promise::Errors {
                under: errors.under,
            };
            (promise, "errors")
        }),
        slo.throughput.map(|throughput| {
            let promise = Promise::Throughput {
                share: throughput.share,
            };
            (promise, "throughput")
        }),
    ];
    let given: Vec<_> = all.into_iter().flatten().collect();
    let [(promise, word)] = given.as_slice() else {
        let at = given
            .last()
            .map_or(path.to_owned(), |(_, word)| format!("{path}.{word}"));
        context.report(
            &codes::CONFLICT,
            &at,
            format!("the objective has {} promises", given.len()),
            "expected exactly one of `latency`, `errors` and `throughput`",
            (given.len() > 1).then(|| "write an `[[slo]]` for each".to_owned()),
        );
        return None;
    };
    let never = match promise {
        // Every run keeps the first two, and none the others.
        Promise::Latency { share, .. } | Promise::Throughput { share } if *share == Share::ZERO => {
            Some((
                format!("{path}.{word}.share"),
                "a share of 0% is always reached",
            ))
        }
        Promise::Latency { share, .. } if *share == Share::ONE => Some((
            format!("{path}.latency.share"),
            "no number of samples shows that all of them are in time",
        )),
        Promise::Errors { under } if *under == Share::ZERO => Some((
            format!("{path}.errors.under"),
            "no share of errors is under 0%",
        )),
        _ => None,
    };
    if let Some((path, message)) = never {
        context.report(
            &codes::UNDECIDABLE,
            &path,
            message,
            "expected a share between 0% and 100%",
            None,
        );
    }
    Some((*promise, word))
}

fn windows(
    context: &mut Context<'_>,
    slo: &Slo,
    path: &str,
    phases: &[PhasePlan],
    faults: &[FaultPlan],
) -> Vec<WindowRef> {
    let mut windows = Vec::new();
    if slo.windows.is_empty() {
        context.report(
            &codes::BAD_WINDOW,
            &format!("{path}.windows"),
            "the objective is judged nowhere",
            "expected at least one window",
            None,
        );
    }
    for (number, text) in slo.windows.iter().enumerate() {
        let path = format!("{path}.windows[{number}]");
        let window = match parse_window(text) {
            Ok(window) => window,
            Err(expected) => {
                context.report(
                    &codes::BAD_WINDOW,
                    &path,
                    "this is no window",
                    expected,
                    None,
                );
                continue;
            }
        };
        let before = context.wrong.len();
        match &window {
            WindowRef::Measured => {}
            WindowRef::Phase(name) => {
                if phases.iter().all(|phase| phase.name != *name) {
                    context.report(
                        &codes::UNKNOWN_PHASE,
                        &path,
                        format!("there is no phase `{}`", name.escape_debug()),
                        "expected a phase, or `before`, `during` or `after` and a fault",
                        suggest(
                            name,
                            "phase",
                            phases.iter().map(|phase| phase.name.as_str()),
                        ),
                    );
                }
            }
            WindowRef::Before(name) | WindowRef::During(name) | WindowRef::After(name) => {
                if faults.iter().all(|fault| fault.of != *name) {
                    context.report(
                        &codes::UNKNOWN_FAULT,
                        &path,
                        format!("there is no fault `{}`", name.escape_debug()),
                        "expected the name of a fault",
                        suggest(name, "fault", once(faults)),
                    );
                }
            }
        }
        if context.wrong.is_empty() && widest(&window, phases, faults).is_empty() {
            context.report(
                &codes::BAD_WINDOW,
                &path,
                format!("the window `{window}` is empty"),
                "nothing is measured in it",
                None,
            );
        }
        if windows.contains(&window) {
            context.report(
                &codes::DUPLICATE_NAME,
                &path,
                format!("the window `{window}` stands twice"),
                "expected each window once",
                None,
            );
        }
        if context.wrong.len() == before {
            windows.push(window);
        }
    }
    windows
}
