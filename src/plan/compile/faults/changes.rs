//! What planned changes need of the rest of the scenario: an update that can be taken back, a way to reload, somebody to tell.
//!
//! Pure.

use std::collections::BTreeMap;

use super::{Trial, build_kind};
use crate::diag::{codes, suggest};
use crate::fault::change::Change;
use crate::model::{Offset, SlotId};
use crate::plan::compile::{Context, command, roles};
use crate::plan::{EndpointPlan, FaultPlan, FleetPlan, Members, PhasePlan, RolePlan};
use crate::scenario::written::Fault;

/// The place in the scenario of the update that a rollback takes back; `None` if there is none, which is reported.
pub(super) fn update_of(
    context: &mut Context<'_>,
    number: usize,
    of: &str,
    names: &[(String, String)],
) -> Option<usize> {
    let path = format!("fault[{number}].of");
    let place = names.iter().position(|(name, _)| name == of);
    let fault = place.and_then(|place| context.scenario.fault.get(place));
    let is_update = |fault: &Fault| {
        let change = build_kind(context, &fault.spec).and_then(|kind| kind.change());
        matches!(change, Some(Change::Update { .. }))
    };
    match fault {
        None => {
            context.report(
                &codes::UNKNOWN_FAULT,
                &path,
                format!("there is no fault `{}`", of.escape_debug()),
                "expected the name of a `rolling-update`",
                suggest(of, "fault", names.iter().map(|(name, _)| name.as_str())),
            );
            None
        }
        Some(fault) if !is_update(fault) => {
            let kind = fault.spec.kind.clone();
            context.report(
                &codes::CONFLICT,
                &path,
                format!("`{of}` is a `{kind}`, which brings nothing that could be taken back"),
                "expected the name of a `rolling-update`",
                None,
            );
            None
        }
        Some(_) => place,
    }
}

/// Holds the trials of changes to what the plan knows; they have their targets, and are in the order of their begin.
pub(super) fn check(
    context: &mut Context<'_>,
    phases: &[PhasePlan],
    fleet: &FleetPlan,
    trials: &[Trial],
) {
    let end = phases.last().map_or(Offset::ZERO, |phase| phase.window.end);
    for trial in trials.iter().filter(|trial| trial.plan.trial == 1) {
        let over = trial.over();
        if over >= end && over > trial.plan.end() && trial.is_known && trial.plan.at < end {
            let least = over.since(trial.plan.at);
            context.report(
                &codes::BAD_MOMENT,
                &format!("fault[{}].at", trial.number),
                format!(
                    "`{}` would end at {over} at the earliest, when the load has ended",
                    trial.plan.name
                ),
                format!(
                    "its drains and pauses take {} on {} slots",
                    humantime::format_duration(least),
                    trial.plan.targets.len()
                ),
                "make the last phase longer, or `batch` greater".to_owned(),
            );
        }
        match trial.change() {
            Some(Change::RollBack { of }) => earlier(context, trial, trials, &of),
            Some(Change::Reload { says_how: false }) => way(context, trial, fleet),
            _ => {}
        }
    }
}

/// Refuses a rollback of what does not come before it.
fn earlier(context: &mut Context<'_>, trial: &Trial, trials: &[Trial], of: &str) {
    let update = trials.iter().find(|other| other.plan.of == of);
    let Some(update) = update.filter(|update| update.is_known && trial.is_known) else {
        return;
    };
    if update.plan.at >= trial.plan.at {
        context.report(
            &codes::BAD_MOMENT,
            &format!("fault[{}].at", trial.number),
            format!("`{of}` begins only at {}", update.plan.at),
            "expected a moment after the update that is taken back",
            None,
        );
    }
}

/// Refuses a reload that nobody says how to do.
fn way(context: &mut Context<'_>, trial: &Trial, fleet: &FleetPlan) {
    let silent = fleet.roles.iter().find(|role| {
        has_any(role, &trial.plan.targets) && !matches!(role.members, Members::Reload(_))
    });
    if let Some(role) = silent {
        context.report(
            &codes::MISSING_KEY,
            &format!("fault[{}].kind", trial.number),
            format!("nothing says how `{}` reads its configuration", role.name),
            "expected `signal` or `command` here, or `members = { reload = [...] }` in the role",
            None,
        );
    }
}

fn has_any(role: &RolePlan, targets: &[SlotId]) -> bool {
    role.slots.iter().any(|slot| targets.contains(&slot.id))
}

/// Completes the command of an update as that of a role, and holds its templates to the fleet.
pub(super) fn complete(context: &mut Context<'_>, fleet: &FleetPlan, trial: &mut Trial) {
    let Some(Change::Update { command, env }) = trial.change() else {
        return;
    };
    let sizes: BTreeMap<&str, u32> = fleet
        .roles
        .iter()
        .map(|role| {
            let slots = u32::try_from(role.slots.len()).unwrap_or(u32::MAX);
            (role.name.as_str(), slots)
        })
        .collect();
    if trial.plan.trial == 1 {
        let path = format!("fault[{}]", trial.number);
        let words = (0..).zip(&command);
        let words = words.map(|(place, text): (u32, _)| (text, format!("{path}.command[{place}]")));
        let values = env.iter();
        let values = values.map(|(key, text)| (text, format!("{path}.env.{key}")));
        for (text, place) in words.chain(values) {
            roles::check_templates(context, text, &place, &sizes);
        }
    }
    let full = command::complete("", Some(&command), &[]);
    if let (Some(with), Some(full)) = (trial.plan.spec.with.as_object_mut(), full) {
        with.insert("command".to_owned(), serde_json::json!(full));
    }
}

/// Refuses a new address that its users would not hear of. Proxies have their places already.
pub(in crate::plan::compile) fn reachable(
    context: &mut Context<'_>,
    faults: &[FaultPlan],
    fleet: &FleetPlan,
) {
    for fault in faults.iter().filter(|fault| fault.trial == 1) {
        let change = build_kind(context, &fault.spec).and_then(|kind| kind.change());
        if change != Some(Change::Move) {
            continue;
        }
        let written = context.scenario.fault.iter();
        let mut named = written.map(|one| one.name.as_ref().unwrap_or(&one.spec.kind));
        let number = named.position(|name| *name == fault.of).unwrap_or_default();
        let mut refuse = |message: String, expected: &str| {
            let path = format!("fault[{number}].target");
            context.report(&codes::CONFLICT, &path, message, expected, None);
        };
        let mut slots = fleet.slots();
        let proxied = slots.find(|(_, slot)| {
            slot.wire.is_some() && (fault.owner.is_some() || fault.targets.contains(&slot.id))
        });
        if let Some((_, slot)) = proxied {
            refuse(
                format!("a proxy before {} hides which address it has", slot.id),
                "expected a slot without `proxy = true` and without faults on its link",
            );
            continue;
        }
        for role in fleet
            .roles
            .iter()
            .filter(|role| has_any(role, &fault.targets))
        {
            let is_front = matches!(&fleet.endpoint, EndpointPlan::Role { role: front, .. } if *front == role.name);
            if is_front {
                refuse(
                    format!(
                        "clients go straight to `{}`, and nobody tells them",
                        role.name
                    ),
                    "expected a role behind a balancer",
                );
            }
            let deaf = fleet.roles.iter().find(|other| {
                other.needs.contains(&role.name)
                    && other.name != role.name
                    && other.members == Members::None
            });
            if let Some(deaf) = deaf {
                refuse(
                    format!("nobody tells `{}` where `{}` is then", deaf.name, role.name),
                    "expected `members` in that role: how it hears of it",
                );
            }
        }
    }
}
