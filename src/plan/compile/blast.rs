//! The blast radius: what `[blast_radius]` says, for the slots that there are.
//!
//! Pure. Whether the faults of the scenario stay within it is asked where they are compiled.

use std::collections::{BTreeMap, BTreeSet};

use super::Context;
use crate::diag::{codes, suggest};
use crate::model::SlotId;
use crate::plan::{BlastRadius, FleetPlan, target};

pub(super) fn compile(context: &mut Context<'_>, fleet: &FleetPlan) -> Option<BlastRadius> {
    let written = context.scenario.blast_radius.as_ref()?;
    let says_nothing = written.max_slots.is_empty()
        && written.max_share.is_none()
        && written.spare.is_empty()
        && written.spare_label.is_empty();
    if says_nothing {
        context.report(
            &codes::MISSING_KEY,
            "blast_radius",
            "nothing is said that would bound what faults hold",
            "expected `max_slots`, `max_share`, `spare` or `spare_label`",
            None,
        );
    }
    let mut most = BTreeMap::new();
    for role in &fleet.roles {
        let by_share = (written.max_share).map(|share| target::share_of(share, role.slots.len()));
        let by_count = written.max_slots.get(&role.name).map(|most| *most as usize);
        if let Some(number) = by_count.or(by_share) {
            most.insert(role.name.clone(), number);
        }
    }
    let roles = || fleet.roles.iter().map(|role| role.name.as_str());
    for name in written.max_slots.keys() {
        if fleet.role(name).is_none() {
            context.report_key(
                &codes::UNKNOWN_ROLE,
                &format!("blast_radius.max_slots.{name}"),
                format!("the fleet has no role `{}`", name.escape_debug()),
                "expected the name of a role",
                suggest(name, "role", roles()),
            );
        }
    }
    let mut spared = named(context, &written.spare, fleet);
    if !written.spare_label.is_empty() {
        let found = fleet.slots().filter(|(_, slot)| {
            let mut wanted = written.spare_label.iter();
            wanted.all(|(key, value)| slot.labels.get(key) == Some(value))
        });
        let found: Vec<SlotId> = found.map(|(_, slot)| slot.id.clone()).collect();
        if found.is_empty() {
            context.report(
                &codes::BAD_VALUE,
                "blast_radius.spare_label",
                "no slot carries these labels",
                "expected labels of a role or a slot",
                None,
            );
        }
        spared.extend(found);
    }
    Some(BlastRadius { most, spared })
}

/// The slots of roles and slots that are named.
fn named(context: &mut Context<'_>, names: &[String], fleet: &FleetPlan) -> BTreeSet<SlotId> {
    let mut spared = BTreeSet::new();
    for (number, name) in names.iter().enumerate() {
        let slots = fleet.slots();
        let found: Vec<&SlotId> = slots
            .filter(|(role, slot)| role.name == *name || slot.id.as_str() == name)
            .map(|(_, slot)| &slot.id)
            .collect();
        if found.is_empty() {
            let known = fleet.roles.iter().map(|role| role.name.as_str());
            let known = known.chain(fleet.slots().map(|(_, slot)| slot.id.as_str()));
            context.report(
                &codes::UNKNOWN_SLOT,
                &format!("blast_radius.spare[{number}]"),
                format!(
                    "the fleet has no role and no slot `{}`",
                    name.escape_debug()
                ),
                "expected the name of a role or a slot",
                suggest(name, "slot", known),
            );
        }
        spared.extend(found.into_iter().cloned());
    }
    spared
}
