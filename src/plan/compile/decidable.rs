//! What can never be decided, whatever happens, and what must not be sent: refused before the run.
//!
//! Pure. An objective passes when the one-sided 95 % Clopper-Pearson bound meets it. With no bad one among n samples that bound
//! is `0.05^(1/n)` for the share of good ones, so a share s needs `n >= ln 0.05 / ln s` (Clopper and Pearson, Biometrika 26,
//! 1934). Windows are taken as wide as they can become, so that nothing is refused that could still be decided.

use std::time::Duration;

use serde_json::Value;

use super::Context;
use crate::check::kinds::counts_from_heal;
use crate::diag::codes;
use crate::load::{Model, Span, profiles::PROFILES};
use crate::model::{Offset, Rate, Window};
use crate::plan::timeline::widest;
use crate::plan::{Counted, FaultPlan, ObjectivePlan, OperationPlan, Plan, Promise};
use crate::registry::{Family, build};

/// The hold time of a recovery check that does not say one.
const HOLD: Duration = Duration::from_secs(10);
/// The most load on a fleet that the run did not deploy, unless the scenario allows more: operations a second.
const MAX_RATE: u64 = 100;

pub(super) fn check(context: &mut Context<'_>, plan: &Plan) {
    for (number, objective) in plan.objectives.iter().enumerate() {
        samples(context, plan, objective, number);
    }
    for (number, check) in plan.checks.iter().enumerate() {
        recovery(context, plan, check, number);
    }
    if plan.fleet.driver.kind == "external" {
        max_rate(context, plan);
    }
}

/// How many samples show a share, if not one of them is bad.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the quotient of two negative logarithms; a float is cut to the range when it is cast"
)]
pub(in crate::plan) fn samples_needed(share: f64) -> u64 {
    (0.05_f64.ln() / share.ln()).ceil() as u64
}

/// The share of good ones that the objective promises, if it is judged by samples.
pub(in crate::plan) fn promised_share(promise: &Promise) -> Option<f64> {
    match promise {
        Promise::Latency { share, .. } => Some(share.ratio()),
        Promise::Errors { under } => Some(under.rest().ratio()),
        Promise::Throughput { .. } => None,
    }
}

fn samples(context: &mut Context<'_>, plan: &Plan, objective: &ObjectivePlan, number: usize) {
    let Some(share) = promised_share(&objective.promise) else {
        return;
    };
    let needed = samples_needed(share);
    for (place, window) in objective.windows.iter().enumerate() {
        let spans = widest(window, &plan.phases, &plan.faults);
        let Some(intended) = intended(plan, objective, &spans) else {
            continue;
        };
        if intended < needed {
            let path = format!("slo[{number}].windows[{place}]");
            let path = if context.spans.given(&path) {
                path
            } else {
                format!("slo[{number}]")
            };
            context.report(
                &codes::UNDECIDABLE,
                &path,
                format!(
                    "`{}` can never be shown in `{window}`: it has at most {intended} samples",
                    objective.name
                ),
                format!("{needed} samples are needed, all of them good, for 95 % confidence"),
                "use a longer phase, a higher rate, or a weaker promise".to_owned(),
            );
        }
    }
}

/// How many samples the schedule has in these spans at most; `None` where a closed model leaves it open.
pub(in crate::plan) fn intended(
    plan: &Plan,
    objective: &ObjectivePlan,
    spans: &[Window],
) -> Option<u64> {
    let mut total: f64 = 0.0;
    for (number, phase) in plan.phases.iter().enumerate() {
        for (workload, spec) in &phase.loads {
            let profile = build(PROFILES, Family::Profile, spec).ok()?;
            let span = Span::of(plan, number, workload)?;
            let operations = plan.workload(workload).map(|one| one.operations.as_slice());
            let part = part_of(objective, operations.unwrap_or_default());
            let inside = spans
                .iter()
                .filter_map(|window| window.intersect(&phase.window));
            for window in inside {
                let count = match profile.model() {
                    Model::Open => {
                        let begin = phase.window.start.since(Offset::ZERO);
                        let before = |at: Offset| profile.count_before(&span, at - begin);
                        before(window.end).saturating_sub(before(window.start))
                    }
                    Model::Closed(users) => users.iterations?,
                    Model::Idle { .. } => 0,
                };
                total += counted(count) * part;
            }
        }
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count is positive, and a float is cut to the range when it is cast"
    )]
    Some(total.ceil() as u64)
}

#[expect(clippy::cast_precision_loss, reason = "an expectation, not a count")]
const fn counted(count: u64) -> f64 {
    count as f64
}

/// The expected samples of the objective for each arrival of a workload.
fn part_of(objective: &ObjectivePlan, operations: &[OperationPlan]) -> f64 {
    let selected = |operation: &OperationPlan| {
        objective.operations.is_empty() || objective.operations.contains(&operation.name)
    };
    let samples = |operation: &OperationPlan| match objective.of {
        Counted::Operations => 1.0,
        Counted::Calls => counted(operation.steps.len() as u64),
    };
    let all: f64 = operations.iter().map(|one| f64::from(one.weight)).sum();
    let chosen: f64 = operations
        .iter()
        .filter(|one| selected(one))
        .map(|one| f64::from(one.weight) * samples(one))
        .sum();
    if all > 0.0 { chosen / all } else { 0.0 }
}

fn duration_of(with: &Value, key: &str) -> Option<Duration> {
    humantime::parse_duration(with.get(key)?.as_str()?).ok()
}

/// A recovery that is promised for later than the load lasts cannot be seen.
fn recovery(context: &mut Context<'_>, plan: &Plan, check: &crate::plan::CheckPlan, number: usize) {
    if check.spec.kind != "recovery-time" {
        return;
    }
    let Some(name) = check.fault.as_deref() else {
        return;
    };
    let Some(max) = duration_of(&check.spec.with, "max") else {
        return;
    };
    let hold = duration_of(&check.spec.with, "hold").unwrap_or(HOLD);
    let text = |duration| humantime::format_duration(duration).to_string();
    let trials: Vec<&FaultPlan> = plan.trials(name).collect();
    for (place, fault) in trials.iter().enumerate() {
        // A trial is observed until the next one begins.
        let next = trials.get(place + 1).map(|next| next.at);
        let (from, begins) = if counts_from_heal(check) {
            (fault.end(), "is healed")
        } else {
            (fault.at, "begins")
        };
        let left = next.unwrap_or(plan.end()).since(from);
        if max + hold <= left {
            continue;
        }
        let (message, hint) = match next {
            None => (
                format!(
                    "the load ends {} after `{}` {begins}",
                    text(left),
                    fault.name
                ),
                "make the last phase longer, or let the fault begin earlier",
            ),
            Some(_) => (
                format!(
                    "the next trial begins {} after `{}` {begins}",
                    text(left),
                    fault.name
                ),
                "make `every` of the fault longer",
            ),
        };
        return context.report(
            &codes::UNDECIDABLE,
            &format!("check[{number}].max"),
            format!("{message}, too early to see this recovery"),
            format!(
                "{} to recover and {} to hold are {} together",
                text(max),
                text(hold),
                text(max + hold)
            ),
            hint.to_owned(),
        );
    }
}

fn max_rate(context: &mut Context<'_>, plan: &Plan) {
    let allowed = plan
        .fleet
        .driver
        .with
        .get("max_rate")
        .and_then(Value::as_str)
        .and_then(|text| text.parse::<Rate>().ok())
        .map_or_else(|| counted(MAX_RATE), |rate| rate.as_per_second());
    for (number, phase) in plan.phases.iter().enumerate() {
        let peak: f64 = phase
            .loads
            .values()
            .filter_map(|spec| build(PROFILES, Family::Profile, spec).ok())
            .map(|profile| match profile.model() {
                // At best they are answered at once, and only think; without a think time nothing bounds them.
                Model::Closed(users) => users.fastest(),
                Model::Open | Model::Idle { .. } => profile.peak(),
            })
            .sum();
        if peak > allowed {
            let path = ["rate", "load", "loads"]
                .map(|key| format!("phase[{number}].{key}"))
                .into_iter()
                .find(|path| context.spans.given(path));
            context.report(
                &codes::MAX_RATE,
                &path.unwrap_or_else(|| format!("phase[{number}]")),
                format!("the load of `{}` rises to {peak}/s", phase.name),
                format!("expected at most {allowed}/s on a fleet that the run did not deploy"),
                format!("if the fleet may take it, write `max_rate = \"{peak}/s\"` in [fleet]"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_needed_are_those_of_the_zero_failure_rule() {
        // Known answers of the rule of 59, 299 and 2995.
        assert_eq!(samples_needed(0.95), 59);
        assert_eq!(samples_needed(0.99), 299);
        assert_eq!(samples_needed(0.999), 2995);
    }
}
