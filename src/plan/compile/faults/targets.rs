//! What faults act on.
//!
//! Pure. Named slots are taken as they are, those of a role or with a label are drawn by `plan::target`, so that they are free of
//! other faults if possible; the rest follows another fault, or is found when the fault acts.

use super::{Around, Trial, kind_of, looks_on, overlaps, owners};
use crate::diag::{codes, suggest};
use crate::model::{Seed, SlotId};
use crate::plan::compile::Context;
use crate::plan::{FleetPlan, target};
use crate::scenario::written::{Fault, OneOrMany, Target, TargetSlots};

/// What a fault of the scenario aims at.
enum Aim {
    /// No slot, or something wrong, which is reported.
    Nothing,
    /// These slots.
    Named(Vec<SlotId>),
    /// So many of these slots.
    Drawn { slots: Vec<SlotId>, count: usize },
    /// The targets of another fault, by its place in the scenario.
    Like(usize),
    /// Whoever owns a session when it acts.
    Owner,
}

/// Gives every trial its targets; `trials` are in the order of their begin.
pub(super) fn aim(
    context: &mut Context<'_>,
    around: &Around<'_>,
    names: &[(String, String)],
    trials: &mut [Trial],
) {
    let scenario = context.scenario;
    let Around {
        fleet,
        workloads,
        seed,
        ..
    } = *around;
    let aims: Vec<Aim> = scenario
        .fault
        .iter()
        .enumerate()
        .map(|(number, fault)| one(context, fault, number, around, names))
        .collect();
    for trial in trials.iter_mut() {
        match aims.get(trial.number) {
            // What is named is taken first, so that draws avoid it whichever begins first.
            Some(Aim::Named(slots)) => trial.plan.targets.clone_from(slots),
            Some(Aim::Owner) => {
                trial.plan.owner = owners::draw(seed, workloads, trial.number, trial.plan.trial);
            }
            Some(Aim::Nothing | Aim::Drawn { .. } | Aim::Like(_)) | None => {}
        }
    }
    for place in 0..trials.len() {
        if let Some(trial) = trials.get(place)
            && let Some(Aim::Drawn { slots, count }) = aims.get(trial.number)
        {
            let targets = drawn(trial, trials, slots, *count, seed);
            if let Some(trial) = trials.get_mut(place) {
                trial.plan.targets = targets;
            }
        }
    }
    owners::check(context, fleet, trials, |number| {
        matches!(aims.get(number), Some(Aim::Owner))
    });
    follow(context, &aims, trials);
}

/// The draw of a trial: out of all slots, or, if it hits what another fault acts on at that time, out of those that are left.
fn drawn(
    trial: &Trial,
    trials: &[Trial],
    slots: &[SlotId],
    count: usize,
    seed: Seed,
) -> Vec<SlotId> {
    let group = trial.plan.trial.saturating_sub(1);
    let targets = target::draw(seed, group, trial.place, slots, count);
    let busy: Vec<&SlotId> = trials
        .iter()
        .filter(|other| other.plan.name != trial.plan.name && overlaps::exclude(trial, other))
        .flat_map(|other| &other.plan.targets)
        .collect();
    if !targets.iter().any(|slot| busy.contains(&slot)) {
        return targets;
    }
    let free: Vec<SlotId> = slots
        .iter()
        .filter(|slot| !busy.contains(slot))
        .cloned()
        .collect();
    if free.len() < count {
        // There is no way out; the overlap is reported.
        return targets;
    }
    target::draw(seed, group, trial.place, &free, count)
}

/// Gives the trials of faults that follow others the targets of those.
fn follow(context: &mut Context<'_>, aims: &[Aim], trials: &mut [Trial]) {
    for number in 0..aims.len() {
        let mut root = number;
        let mut steps = 0;
        while let Some(Aim::Like(other)) = aims.get(root) {
            root = *other;
            steps += 1;
            if steps > aims.len() {
                break;
            }
        }
        if steps == 0 {
            continue;
        }
        let path = format!("fault[{number}].target.follow");
        if steps > aims.len() {
            context.report(
                &codes::CYCLE,
                &path,
                "faults follow each other in a circle",
                "expected a fault that has targets of its own in the end",
                None,
            );
            continue;
        }
        if matches!(aims.get(root), Some(Aim::Owner)) {
            context.report(
                &codes::NOT_YET,
                &path,
                "what owns a session is known only when that fault acts",
                "not yet: expected a fault whose targets are fixed in the plan",
                None,
            );
            continue;
        }
        let led: Vec<(u32, Vec<SlotId>)> = trials
            .iter()
            .filter(|trial| trial.number == root)
            .map(|trial| (trial.plan.trial, trial.plan.targets.clone()))
            .collect();
        let first = led.iter().find(|(trial, _)| *trial == 1);
        for trial in trials.iter_mut().filter(|trial| trial.number == number) {
            let same = led.iter().find(|(other, _)| *other == trial.plan.trial);
            if let Some((_, targets)) = same.or(first) {
                trial.plan.targets.clone_from(targets);
            }
        }
    }
}

fn one(
    context: &mut Context<'_>,
    fault: &Fault,
    number: usize,
    around: &Around<'_>,
    names: &[(String, String)],
) -> Aim {
    let path = format!("fault[{number}].target");
    let fleet = around.fleet;
    let Some(target) = &fault.target else {
        return Aim::Nothing;
    };
    if fleet.roles.is_empty() {
        // That the driver cannot do what acts on slots is reported already.
        if kind_of(context, fault).is_some_and(|kind| !kind.aims()) {
            context.report_key(
                &codes::NO_TARGET,
                &path,
                format!("the driver `{}` deploys no slots", fleet.driver.kind),
                "expected no `target`",
                None,
            );
        }
        return Aim::Nothing;
    }
    let written = match target {
        // The only word that there is.
        Target::Word(_) => return Aim::Owner,
        Target::Slots(written) => written,
    };
    if let Some(slots) = &written.slot {
        return Aim::Named(named_slots(context, written, slots, &path, fleet));
    }
    if let Some(other) = &written.follow {
        return like(context, written, other, &path, names);
    }
    let aim = selected(context, written, &path, fleet).unwrap_or(Aim::Nothing);
    if looks_on(context, fault) {
        return aim;
    }
    unspared(context, aim, &path, around)
}

/// The same without the slots that the blast radius spares.
fn unspared(context: &mut Context<'_>, aim: Aim, path: &str, around: &Around<'_>) -> Aim {
    let (Aim::Drawn { slots, count }, Some(radius)) = (&aim, around.blast_radius) else {
        return aim;
    };
    let left: Vec<SlotId> = slots
        .iter()
        .filter(|slot| !radius.spared.contains(*slot))
        .cloned()
        .collect();
    if left.len() < *count {
        context.report(
            &codes::BLAST_RADIUS,
            path,
            format!(
                "the fault would act on {count} slots, and {} are left beside those that are spared",
                left.len()
            ),
            format!("expected at most {}", left.len()),
            super::blast::hint(context, "spare"),
        );
        return Aim::Nothing;
    }
    Aim::Drawn {
        slots: left,
        count: *count,
    }
}

/// The aim at the targets of another fault.
fn like(
    context: &mut Context<'_>,
    written: &TargetSlots,
    other: &str,
    path: &str,
    names: &[(String, String)],
) -> Aim {
    alone(context, written, "follow", path);
    let Some(place) = names.iter().position(|(name, _)| name == other) else {
        context.report(
            &codes::UNKNOWN_FAULT,
            &format!("{path}.follow"),
            format!("there is no fault `{other}`"),
            "expected the name of a fault",
            suggest(other, "fault", names.iter().map(|(name, _)| name.as_str())),
        );
        return Aim::Nothing;
    };
    Aim::Like(place)
}

/// The slots of a role or with labels, and how many of them; `None` if that is wrong and reported.
fn selected(
    context: &mut Context<'_>,
    written: &TargetSlots,
    path: &str,
    fleet: &FleetPlan,
) -> Option<Aim> {
    if written.role.is_none() && written.label.is_none() {
        context.report(
            &codes::NO_TARGET,
            path,
            "the target names neither a role nor a slot",
            "expected `role`, `label`, `slot` or `follow`",
            None,
        );
        return None;
    }
    if let Some(name) = &written.role
        && fleet.role(name).is_none()
    {
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
        return None;
    }
    let slots = labelled(context, written, path, fleet)?;
    let count = match (written.count, written.share) {
        (Some(_), Some(_)) => {
            context.report(
                &codes::CONFLICT,
                &format!("{path}.share"),
                "the target has `count` and `share`",
                "expected only one of them",
                None,
            );
            return None;
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
        let of = match (&written.role, &written.label) {
            (Some(role), None) => format!("slots of `{role}`"),
            (Some(role), Some(_)) => format!("slots of `{role}` with these labels"),
            (None, _) => "slots with these labels".to_owned(),
        };
        context.report(
            &codes::NO_TARGET,
            &format!("{path}.{key}"),
            format!("the fault would act on {count} of the {} {of}", slots.len()),
            format!("expected from 1 to {} slots", slots.len()),
            (count == 0).then(|| "a share is rounded down; `count = 1` is one slot".to_owned()),
        );
        return None;
    }
    Some(Aim::Drawn { slots, count })
}

/// The slots of the role, if one is named, that carry the labels, if some are.
fn labelled(
    context: &mut Context<'_>,
    written: &TargetSlots,
    path: &str,
    fleet: &FleetPlan,
) -> Option<Vec<SlotId>> {
    let of_role = || {
        let role = written.role.as_ref();
        fleet
            .slots()
            .filter(move |(known, _)| role.is_none_or(|role| known.name == *role))
    };
    let wanted = written.label.clone().unwrap_or_default();
    let slots: Vec<SlotId> = of_role()
        .filter(|(_, slot)| {
            wanted
                .iter()
                .all(|(key, value)| slot.labels.get(key) == Some(value))
        })
        .map(|(_, slot)| slot.id.clone())
        .collect();
    if slots.is_empty() || (written.label.is_some() && wanted.is_empty()) {
        let mut known: Vec<String> = of_role()
            .flat_map(|(_, slot)| &slot.labels)
            .map(|(key, value)| format!("{key} = {value:?}"))
            .collect();
        known.sort();
        known.dedup();
        let hint = if known.is_empty() {
            "no slot has a label; write `labels = { … }` in its role".to_owned()
        } else {
            format!("there are: {}", known.join(", "))
        };
        context.report(
            &codes::NO_TARGET,
            &format!("{path}.label"),
            "no slot carries these labels",
            "expected labels of a role or a slot",
            hint,
        );
        return None;
    }
    Some(slots)
}

/// Refuses every key beside one that says it all.
fn alone(context: &mut Context<'_>, written: &TargetSlots, all: &str, path: &str) {
    for (key, given) in [
        ("role", written.role.is_some()),
        ("label", written.label.is_some()),
        ("follow", written.follow.is_some()),
        ("count", written.count.is_some()),
        ("share", written.share.is_some()),
    ] {
        if given && key != all {
            context.report(
                &codes::CONFLICT,
                &format!("{path}.{key}"),
                format!("the target has `{all}` and `{key}`"),
                format!("expected only `{all}`, which says it all"),
                None,
            );
        }
    }
}

fn named_slots(
    context: &mut Context<'_>,
    written: &TargetSlots,
    slots: &OneOrMany,
    path: &str,
    fleet: &FleetPlan,
) -> Vec<SlotId> {
    alone(context, written, "slot", path);
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
