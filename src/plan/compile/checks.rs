//! Checks: their faults, their names, and those that mcpload adds: of its own punctuality, and of each change that is made on purpose.
//!
//! Pure.

use serde_json::Value;

use super::Context;
use super::faults::once;
use crate::catalog::Named;
use crate::check::kinds::CLEAN_CHANGE;
use crate::diag::{codes, suggest};
use crate::fault::Fault;
use crate::plan::{CheckPlan, FaultPlan};
use crate::registry::{Family, Spec, build};
use crate::scenario::canonical_defaults;
use crate::scenario::written::Check;

/// The check of our own punctuality, which every run has.
const OWN: &str = "generator-lag";

pub(super) fn compile(context: &mut Context<'_>, faults: &[FaultPlan]) -> Vec<CheckPlan> {
    let scenario = context.scenario;
    let mut plans = Vec::new();
    let mut names = Vec::new();
    for (number, check) in scenario.check.iter().enumerate() {
        let path = format!("check[{number}]");
        if let Some(fault) = &check.fault
            && faults.iter().all(|known| known.of != *fault)
        {
            context.report(
                &codes::UNKNOWN_FAULT,
                &format!("{path}.fault"),
                format!("there is no fault `{fault}`"),
                "expected the name of a fault",
                suggest(fault, "fault", once(faults)),
            );
        }
        let from_fault = ["recovery-time", CLEAN_CHANGE].contains(&check.spec.kind.as_str())
            || check.spec.with.get("re_established_within").is_some();
        if check.fault.is_none() && from_fault {
            context.report(
                &codes::MISSING_KEY,
                &path,
                format!(
                    "this `{}` check counts from a fault, and names none",
                    check.spec.kind
                ),
                "expected `fault`",
                suggest("", "fault", once(faults)),
            );
        }
        let of = check.fault.as_deref().unwrap_or_default();
        if let Some(fault) = faults.iter().find(|known| known.of == of) {
            fits(context, check, fault, &path);
        }
        let name = match &check.name {
            Some(name) => name.clone(),
            None => default_name(&check.spec.kind, check.fault.as_deref()),
        };
        names.push((name.clone(), format!("{path}.name")));
        plans.push(CheckPlan {
            name,
            spec: check.spec.clone(),
            fault: check.fault.clone(),
            line: context.spans.line(&path),
        });
    }
    context.unique("check", &names);
    for fault in unjudged(context, faults, &plans) {
        plans.extend(added(context, CLEAN_CHANGE, Some(fault)));
    }
    if plans.iter().all(|plan| plan.spec.kind != OWN) {
        plans.extend(added(context, OWN, None));
    }
    plans
}

fn default_name(kind: &str, fault: Option<&str>) -> String {
    match fault {
        Some(fault) => format!("{kind} {fault}"),
        None => kind.to_owned(),
    }
}

fn fault_of(context: &Context<'_>, fault: &FaultPlan) -> Option<Box<dyn Fault>> {
    build(context.catalog.faults, Family::Fault, &fault.spec).ok()
}

/// Refuses a check that asks of a fault what it has not.
fn fits(context: &mut Context<'_>, check: &Check, fault: &FaultPlan, path: &str) {
    let kind = &fault.spec.kind;
    if check.spec.kind == CLEAN_CHANGE
        && fault_of(context, fault).is_some_and(|fault| !fault.planned() && !fault.asks())
    {
        context.report(
            &codes::CONFLICT,
            &format!("{path}.fault"),
            format!("`{kind}` sends no stop signal, so no change by it can be clean"),
            "expected a fault that asks instances to end, or that an operator does on purpose",
            None,
        );
    }
    let from_heal = check.spec.with.get("from").and_then(Value::as_str) == Some("heal");
    if from_heal && fault.duration.is_none() {
        context.report(
            &codes::CONFLICT,
            &format!("{path}.from"),
            format!("`{kind}` is one act and has no heal to count from"),
            "expected \"effect\", or a fault that lasts",
            None,
        );
    }
}

/// The faults that are changes on purpose, and of which no check asks that they are clean.
fn unjudged(context: &Context<'_>, faults: &[FaultPlan], checks: &[CheckPlan]) -> Vec<String> {
    let is_judged = |of: &str| {
        let mut checks = checks.iter();
        checks.any(|check| check.spec.kind == CLEAN_CHANGE && check.fault.as_deref() == Some(of))
    };
    faults
        .iter()
        .filter(|fault| fault.trial == 1 && !is_judged(&fault.of))
        .filter(|fault| fault_of(context, fault).is_some_and(|fault| fault.planned()))
        .map(|fault| fault.of.clone())
        .collect()
}

/// A check that the scenario does not name, with its defaults; none where the catalogue has no such kind.
fn added(context: &Context<'_>, kind: &str, fault: Option<String>) -> Option<CheckPlan> {
    let Some(Named::Kind(info)) = context.catalog.find(Family::Check, kind) else {
        return None;
    };
    Some(CheckPlan {
        name: default_name(kind, fault.as_deref()),
        spec: Spec {
            kind: kind.to_owned(),
            with: Value::Object(canonical_defaults(info.fields)),
        },
        fault,
        line: 0,
    })
}
