//! Faults: their moments and their targets.
//!
//! Pure.

use super::Context;
use crate::diag::{codes, suggest};
use crate::fleet::Capability;
use crate::model::{Offset, Seed, SlotId};
use crate::plan::timeline::{Anchor, Moment};
use crate::plan::{FaultPlan, FleetPlan, PhasePlan, target};
use crate::registry::{Family, build};
use crate::scenario::written::{Fault, OneOrMany, Target, TargetSlots};

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
    let moments = moments(context, phases, &names);
    for (number, fault) in scenario.fault.iter().enumerate() {
        capable(context, fault, number, fleet);
    }
    // The place in the plan, which the draw depends on, is the order of their begin.
    let mut order: Vec<usize> = (0..scenario.fault.len()).collect();
    order.sort_by_key(|number| moments.get(*number).copied().flatten());
    let mut plans: Vec<FaultPlan> = Vec::new();
    for (place, number) in (0_u64..).zip(order) {
        let (Some(fault), Some((name, _))) = (scenario.fault.get(number), names.get(number)) else {
            continue;
        };
        let path = format!("fault[{number}]");
        let targets = targets(context, fault, &path, fleet, seed, place);
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
            heal_within: fault.heal_within,
        });
    }
    plans
}

/// The moment of each fault, in the order of the scenario; `None` where it is wrong and reported.
fn moments(
    context: &mut Context<'_>,
    phases: &[PhasePlan],
    names: &[(String, String)],
) -> Vec<Option<Offset>> {
    let parsed: Vec<Option<Moment>> = context
        .scenario
        .fault
        .iter()
        .enumerate()
        .map(|(number, fault)| match Moment::parse(&fault.at) {
            Ok(moment) => Some(moment),
            Err(expected) => {
                let path = format!("fault[{number}].at");
                context.report(
                    &codes::BAD_MOMENT,
                    &path,
                    "this is no moment",
                    expected,
                    None,
                );
                None
            }
        })
        .collect();
    let mut offsets: Vec<Option<Offset>> = vec![None; parsed.len()];
    let mut done = vec![false; parsed.len()];
    for (number, moment) in parsed.iter().enumerate() {
        if let (Some(moment), Some(offset), Some(done)) =
            (moment, offsets.get_mut(number), done.get_mut(number))
        {
            let (finished, value) = from_phase(context, moment, number, phases, names);
            *done = finished;
            *offset = value;
        } else if let Some(done) = done.get_mut(number) {
            *done = true;
        }
    }
    // What counts from another fault, as often as one more becomes known.
    let anchors: Vec<Option<usize>> = parsed
        .iter()
        .map(
            |moment| match moment.as_ref().map(|moment| &moment.anchor) {
                Some(Anchor::Name(other) | Anchor::Begins(other)) => {
                    names.iter().position(|(name, _)| name == other)
                }
                Some(Anchor::Healed(_)) | None => None,
            },
        )
        .collect();
    loop {
        let mut changed = false;
        for (number, moment) in parsed.iter().enumerate() {
            let Some(from) = anchors.get(number).copied().flatten() else {
                continue;
            };
            let known = done.get(from).copied().unwrap_or(false);
            if let (Some(false), true, Some(moment)) = (done.get(number).copied(), known, moment) {
                let begin = offsets.get(from).copied().flatten();
                if let (Some(slot), Some(flag)) = (offsets.get_mut(number), done.get_mut(number)) {
                    *slot = begin.map(|begin| begin + moment.after);
                    *flag = true;
                    changed = true;
                }
            }
        }
        if !changed {
            break;
        }
    }
    let end = phases.last().map_or(Offset::ZERO, |phase| phase.window.end);
    for number in 0..parsed.len() {
        let path = format!("fault[{number}].at");
        if done.get(number) == Some(&false) {
            context.report(
                &codes::CYCLE,
                &path,
                "faults wait for each other in a circle",
                "expected a moment that counts from a phase in the end",
                None,
            );
        } else if let Some(at) = offsets.get(number).copied().flatten()
            && at >= end
            && !phases.is_empty()
        {
            context.report(
                &codes::BAD_MOMENT,
                &path,
                format!("the fault would begin at {at}, when the load has ended"),
                format!("expected a moment before {end}"),
                None,
            );
        } else if offsets.get(number).copied().flatten() == Some(Offset::ZERO) {
            context.report(
                &codes::BAD_MOMENT,
                &path,
                "the fault would begin with the load, before anything can be seen to be steady",
                "expected a later moment",
                "begin with a phase without faults".to_owned(),
            );
        }
    }
    offsets
}

/// The moment, if it counts from a phase; whether it is finished (it is not, if it counts from a fault).
fn from_phase(
    context: &mut Context<'_>,
    moment: &Moment,
    number: usize,
    phases: &[PhasePlan],
    faults: &[(String, String)],
) -> (bool, Option<Offset>) {
    let path = format!("fault[{number}].at");
    let is_fault = |name: &String| faults.iter().any(|(fault, _)| fault == name);
    match &moment.anchor {
        Anchor::Healed(_) => {
            context.report(
                &codes::NOT_YET,
                &path,
                "a moment that counts from a heal does not act yet",
                "not yet: expected `PHASE + DURATION` or `FAULT begins + DURATION`",
                "the time line is fixed before the run, and when a fault is healed is not known then".to_owned(),
            );
            (true, None)
        }
        Anchor::Begins(name) if is_fault(name) => (false, None),
        Anchor::Begins(name) => {
            context.report(
                &codes::UNKNOWN_FAULT,
                &path,
                format!("there is no fault `{name}`"),
                "expected the name of a fault before `begins`",
                suggest(name, "fault", faults.iter().map(|(name, _)| name.as_str())),
            );
            (true, None)
        }
        Anchor::Name(name) => {
            let Some(phase) = phases.iter().find(|phase| phase.name == *name) else {
                if is_fault(name) {
                    return (false, None);
                }
                let names = phases.iter().map(|phase| phase.name.as_str());
                context.report(
                    &codes::UNKNOWN_PHASE,
                    &path,
                    format!("there is no phase `{name}`"),
                    "expected a phase, and the time after its begin",
                    suggest(name, "phase", names),
                );
                return (true, None);
            };
            if moment.after >= phase.window.length() {
                let at = phase.window.start + moment.after;
                let other = phases.iter().find(|phase| phase.window.contains(at));
                context.report(
                    &codes::BAD_MOMENT,
                    &path,
                    format!(
                        "the phase `{name}` lasts only {}",
                        humantime::format_duration(phase.window.length())
                    ),
                    "expected a moment inside the phase",
                    other.map(|other| {
                        let after = humantime::format_duration(at.since(other.window.start));
                        format!("that moment is `{} + {after}`", other.name)
                    }),
                );
                return (true, None);
            }
            (true, Some(phase.window.start + moment.after))
        }
    }
}

/// Refuses a fault that the fleet's driver cannot do.
fn capable(context: &mut Context<'_>, fault: &Fault, number: usize, fleet: &FleetPlan) {
    let catalog = context.catalog;
    let Ok(kind) = build(catalog.faults, Family::Fault, &fault.spec) else {
        return;
    };
    let able = |driver: &crate::registry::Spec| {
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
            let spec = crate::registry::Spec {
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

fn targets(
    context: &mut Context<'_>,
    fault: &Fault,
    path: &str,
    fleet: &FleetPlan,
    seed: Seed,
    place: u64,
) -> Vec<SlotId> {
    let path = format!("{path}.target");
    let written = match &fault.target {
        Target::Word(word) => {
            context.report(
                &codes::NOT_YET,
                &path,
                format!("the target `{word}` does not act yet"),
                "not yet: expected a table with `role` or `slot`",
                None,
            );
            return Vec::new();
        }
        Target::Slots(written) => written,
    };
    if fleet.roles.is_empty() {
        // There are no slots; that the driver cannot do it is reported already.
        return Vec::new();
    }
    if let Some(slots) = &written.slot {
        return named_slots(context, written, slots, &path, fleet);
    }
    let Some(name) = &written.role else {
        context.report(
            &codes::NO_TARGET,
            &path,
            "the target names neither a role nor a slot",
            "expected `role` or `slot`",
            None,
        );
        return Vec::new();
    };
    let Some(role) = fleet.role(name) else {
        context.report(
            &codes::UNKNOWN_ROLE,
            &format!("{path}.role"),
            format!("the fleet has no role `{name}`"),
            "expected the name of a role",
            suggest(
                name,
                "role",
                fleet.roles.iter().map(|role| role.name.as_str()),
            ),
        );
        return Vec::new();
    };
    let slots: Vec<SlotId> = role.slots.iter().map(|slot| slot.id.clone()).collect();
    let count = match (written.count, written.share) {
        (Some(_), Some(_)) => {
            context.report(
                &codes::CONFLICT,
                &format!("{path}.share"),
                "the target has `count` and `share`",
                "expected only one of them",
                None,
            );
            return Vec::new();
        }
        (Some(count), None) => count as usize,
        (None, Some(share)) => target::share_of(share, slots.len()),
        (None, None) => 1,
    };
    if count == 0 || count > slots.len() {
        let key = if written.share.is_some() {
            "share"
        } else {
            "count"
        };
        context.report(
            &codes::NO_TARGET,
            &format!("{path}.{key}"),
            format!(
                "the fault would act on {count} of the {} slots of `{name}`",
                slots.len()
            ),
            format!("expected from 1 to {} slots", slots.len()),
            (count == 0).then(|| "a share is rounded down; `count = 1` is one slot".to_owned()),
        );
        return Vec::new();
    }
    target::draw(seed, place, &slots, count)
}

fn named_slots(
    context: &mut Context<'_>,
    written: &TargetSlots,
    slots: &OneOrMany,
    path: &str,
    fleet: &FleetPlan,
) -> Vec<SlotId> {
    for (key, given) in [
        ("role", written.role.is_some()),
        ("count", written.count.is_some()),
        ("share", written.share.is_some()),
    ] {
        if given {
            context.report(
                &codes::CONFLICT,
                &format!("{path}.{key}"),
                format!("the target has `slot` and `{key}`"),
                "expected only `slot`, which says it all",
                None,
            );
        }
    }
    let names: Vec<(String, String)> = match slots {
        OneOrMany::One(name) => vec![(name.clone(), format!("{path}.slot"))],
        OneOrMany::Many(names) => names
            .iter()
            .enumerate()
            .map(|(number, name)| (name.clone(), format!("{path}.slot[{number}]")))
            .collect(),
    };
    if names.is_empty() {
        context.report(
            &codes::NO_TARGET,
            &format!("{path}.slot"),
            "the fault would act on nothing",
            "expected at least one slot",
            None,
        );
    }
    let known: Vec<&SlotId> = fleet.slots().map(|(_, slot)| &slot.id).collect();
    let mut targets: Vec<SlotId> = Vec::new();
    for (name, path) in names {
        match known.iter().find(|slot| slot.as_str() == name) {
            Some(slot) if targets.contains(slot) => {}
            Some(slot) => targets.push((*slot).clone()),
            None => context.report(
                &codes::UNKNOWN_SLOT,
                &path,
                format!("the fleet has no slot `{}`", name.escape_debug()),
                "expected the name of a slot",
                suggest(&name, "slot", known.iter().map(|slot| slot.as_str())),
            ),
        }
    }
    targets
}
