//! What faults act on.
//!
//! Pure. A role's slots are drawn by `plan::target`; named slots are taken as they are.

use crate::diag::{codes, suggest};
use crate::model::{Seed, SlotId};
use crate::plan::compile::Context;
use crate::plan::{FleetPlan, target};
use crate::scenario::written::{Fault, OneOrMany, Target, TargetSlots};

/// What the targets of each trial are drawn from.
pub(super) struct Candidates {
    slots: Vec<SlotId>,
    count: usize,
}

impl Candidates {
    const NONE: Self = Self {
        slots: Vec::new(),
        count: 0,
    };

    /// All of these, without drawing.
    const fn all(slots: Vec<SlotId>) -> Self {
        let count = slots.len();
        Self { slots, count }
    }

    /// The targets of a trial of the fault that is in this place by its begin. Trials have draws of their own.
    pub(super) fn draw(&self, seed: Seed, trial: u32, place: u64) -> Vec<SlotId> {
        let group = trial.saturating_sub(1);
        target::draw(seed, group, place, &self.slots, self.count)
    }
}

/// The slots that a fault may act on, and how many of them it does; none if that is wrong and reported.
pub(super) fn candidates(
    context: &mut Context<'_>,
    fault: &Fault,
    path: &str,
    fleet: &FleetPlan,
) -> Candidates {
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
            return Candidates::NONE;
        }
        Target::Slots(written) => written,
    };
    if fleet.roles.is_empty() {
        // There are no slots; that the driver cannot do it is reported already.
        return Candidates::NONE;
    }
    if let Some(slots) = &written.slot {
        return Candidates::all(named_slots(context, written, slots, &path, fleet));
    }
    let Some(name) = &written.role else {
        context.report(
            &codes::NO_TARGET,
            &path,
            "the target names neither a role nor a slot",
            "expected `role` or `slot`",
            None,
        );
        return Candidates::NONE;
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
        return Candidates::NONE;
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
            return Candidates::NONE;
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
        return Candidates::NONE;
    }
    Candidates { slots, count }
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
