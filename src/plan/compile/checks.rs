//! Checks: their faults, their names, and the one that every run has.
//!
//! Pure.

use serde_json::{Map, Value};

use super::Context;
use super::faults::once;
use crate::catalog::Named;
use crate::diag::{codes, suggest};
use crate::plan::{CheckPlan, FaultPlan};
use crate::registry::{Family, Spec};
use crate::scenario::canonical_defaults;

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
        let from_fault = check.spec.kind == "recovery-time"
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
        let name = check.name.clone().unwrap_or_else(|| match &check.fault {
            Some(fault) => format!("{} {fault}", check.spec.kind),
            None => check.spec.kind.clone(),
        });
        names.push((name.clone(), format!("{path}.name")));
        plans.push(CheckPlan {
            name,
            spec: check.spec.clone(),
            fault: check.fault.clone(),
            line: context.spans.line(&path),
        });
    }
    context.unique("check", &names);
    if plans.iter().all(|plan| plan.spec.kind != OWN)
        && let Some(Named::Kind(info)) = context.catalog.find(Family::Check, OWN)
    {
        let with: Map<String, Value> = canonical_defaults(info.fields);
        plans.push(CheckPlan {
            name: OWN.to_owned(),
            spec: Spec {
                kind: OWN.to_owned(),
                with: Value::Object(with),
            },
            fault: None,
            line: 0,
        });
    }
    plans
}
