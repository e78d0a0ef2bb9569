//! Faults: their moments and their targets.
//!
//! Pure.

use super::Context;
use std::time::Duration;

use crate::diag::codes;
use crate::fault::{LinkUse, Span};
use crate::fleet::Capability;
use crate::model::{Offset, Seed};
use crate::plan::{FaultPlan, FleetPlan, PhasePlan};
use crate::registry::{Family, Spec, build};
use crate::scenario::written::Fault;

mod moments;
mod targets;

/// The most faults that are planned.
const MOST: usize = 2000;

pub(super) fn compile(
    context: &mut Context<'_>,
    phases: &[PhasePlan],
    fleet: &FleetPlan,
    seed: Seed,
) -> Vec<FaultPlan> {
    let scenario = context.scenario;
    if scenario.fault.len() > MOST {
        context.report(
            &codes::TOO_LARGE,
            "fault",
            format!("the scenario has {} faults", scenario.fault.len()),
            format!("expected at most {MOST}"),
            None,
        );
        return Vec::new();
    }
    let names: Vec<(String, String)> = scenario
        .fault
        .iter()
        .enumerate()
        .map(|(number, fault)| {
            let name = fault
                .name
                .clone()
                .unwrap_or_else(|| fault.spec.kind.clone());
            (name, format!("fault[{number}].name"))
        })
        .collect();
    context.unique("fault", &names);
    let moments = moments::moments(context, phases, &names);
    for (number, fault) in scenario.fault.iter().enumerate() {
        capable(context, fault, number, fleet);
    }
    let durations: Vec<Option<Duration>> = (0..scenario.fault.len())
        .map(|number| {
            duration(
                context,
                number,
                moments.get(number).copied().flatten(),
                phases,
            )
        })
        .collect();
    // The place in the plan, which the draw depends on, is the order of their begin.
    let mut order: Vec<usize> = (0..scenario.fault.len()).collect();
    order.sort_by_key(|number| moments.get(*number).copied().flatten());
    let mut plans: Vec<FaultPlan> = Vec::new();
    for (place, number) in (0_u64..).zip(order) {
        let (Some(fault), Some((name, _))) = (scenario.fault.get(number), names.get(number)) else {
            continue;
        };
        let path = format!("fault[{number}]");
        let targets = targets::targets(context, fault, &path, fleet, seed, place);
        // A moment that is wrong is reported already, and equals no other.
        let known = moments.get(number).copied().flatten();
        let at = known.unwrap_or(Offset::ZERO);
        for slot in &targets {
            let same = |other: &&FaultPlan| known == Some(other.at) && other.targets.contains(slot);
            if let Some(other) = plans.iter().find(same) {
                context.report(
                    &codes::CONFLICT,
                    &format!("{path}.at"),
                    format!(
                        "`{name}` and `{}` act on {slot} at the same moment",
                        other.name
                    ),
                    "expected another moment or target",
                    None,
                );
                break;
            }
        }
        plans.push(FaultPlan {
            name: name.clone(),
            spec: fault.spec.clone(),
            targets,
            at,
            duration: durations.get(number).copied().flatten(),
            heal_within: fault.heal_within,
        });
    }
    plans
}

/// Puts proxies before the slots on whose links faults act. They stay for the whole run: to put one there resets connections.
pub(super) fn place_proxies(context: &Context<'_>, faults: &[FaultPlan], fleet: &mut FleetPlan) {
    for fault in faults {
        let kind = build(context.catalog.faults, Family::Fault, &fault.spec).ok();
        let Some(LinkUse { http }) = kind.and_then(|kind| kind.links()) else {
            continue;
        };
        let slots = fleet.roles.iter_mut().flat_map(|role| &mut role.slots);
        for slot in slots.filter(|slot| fault.targets.contains(&slot.id)) {
            slot.wire.get_or_insert_default().http |= http;
        }
    }
}

/// How long the fault acts. Its kind says whether it takes a duration; it must be over when the load ends, or nobody sees that
/// it is healed.
fn duration(
    context: &mut Context<'_>,
    number: usize,
    at: Option<Offset>,
    phases: &[PhasePlan],
) -> Option<Duration> {
    let scenario = context.scenario;
    let fault = scenario.fault.get(number)?;
    let kind = build(context.catalog.faults, Family::Fault, &fault.spec).ok()?;
    let path = format!("fault[{number}].duration");
    match (kind.span(), fault.duration) {
        (Span::Once, None) => None,
        (Span::Once, Some(_)) => {
            context.report(
                &codes::CONFLICT,
                &path,
                format!("`{}` is one act and lasts for no time", fault.spec.kind),
                "expected no `duration` here",
                None,
            );
            None
        }
        (Span::Lasting, None) => {
            context.report(
                &codes::MISSING_KEY,
                &format!("fault[{number}].kind"),
                format!("`{}` needs a duration", fault.spec.kind),
                "expected `duration = \"5s\"`: how long it acts before it is undone",
                None,
            );
            None
        }
        (Span::Lasting, Some(duration)) => {
            let end = phases.last().map_or(Offset::ZERO, |phase| phase.window.end);
            if let Some(at) = at
                && at + duration >= end
                && at < end
            {
                context.report(
                    &codes::BAD_MOMENT,
                    &path,
                    format!(
                        "the fault would end at {}, when the load has ended",
                        at + duration
                    ),
                    format!(
                        "expected less than {}",
                        humantime::format_duration(end.since(at))
                    ),
                    "make the last phase longer, so that it is seen whether the fleet recovers"
                        .to_owned(),
                );
            }
            Some(duration)
        }
    }
}

/// Refuses a fault that the fleet's driver cannot do.
fn capable(context: &mut Context<'_>, fault: &Fault, number: usize, fleet: &FleetPlan) {
    let catalog = context.catalog;
    let Ok(kind) = build(catalog.faults, Family::Fault, &fault.spec) else {
        return;
    };
    let able = |driver: &Spec| {
        build(catalog.drivers, Family::Driver, driver)
            .map_or(&[][..], |driver| driver.capabilities())
    };
    let has = able(&fleet.driver);
    let missing: Vec<&str> = kind
        .needs()
        .iter()
        .filter(|need| !has.contains(need))
        .map(|need| Capability::name(*need))
        .collect();
    if missing.is_empty() {
        return;
    }
    let others: Vec<&str> = catalog
        .drivers
        .iter()
        .filter(|driver| {
            let spec = Spec {
                kind: driver.info.name.to_owned(),
                with: serde_json::json!({}),
            };
            kind.needs().iter().all(|need| able(&spec).contains(need))
        })
        .map(|driver| driver.info.name)
        .collect();
    context.report(
        &codes::NOT_CAPABLE,
        &format!("fault[{number}].kind"),
        format!(
            "the driver `{}` cannot do `{}`",
            fleet.driver.kind, fault.spec.kind
        ),
        format!("it needs: {}", missing.join(", ")),
        format!("drivers that can: {}", others.join(", ")),
    );
}
