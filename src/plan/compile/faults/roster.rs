//! How many slots each role has when: `scale` changes it on the way.
//!
//! Pure. It follows the planned changes in the order of time; the slots with the highest numbers come and go.

use std::collections::BTreeMap;

use super::{Trial, build_kind};
use crate::diag::codes;
use crate::fault::change::Change;
use crate::model::{Offset, SlotId};
use crate::plan::compile::Context;
use crate::plan::{FleetPlan, RolePlan, SlotPlan};
use crate::scenario::written::{Fault, Target};

/// How many slots each role has when.
pub(super) struct Roster {
    /// By role: from when on how many.
    steps: BTreeMap<String, Vec<(Offset, u32)>>,
    /// By the name of a trial: the slots that it starts or takes away.
    changed: BTreeMap<String, Vec<SlotId>>,
}

/// The role that a fault gives another number of slots, and that number.
fn scaled<'a>(context: &Context<'_>, fault: &'a Fault) -> Option<(&'a str, u32)> {
    let Some(Change::Scale { to }) = build_kind(context, &fault.spec)?.change() else {
        return None;
    };
    match &fault.target {
        Some(Target::Slots(target)) => Some((target.role.as_deref()?, to)),
        _ => None,
    }
}

/// The greatest number of slots that each role gets on the way.
pub(in crate::plan::compile) fn greatest(context: &Context<'_>) -> BTreeMap<String, u32> {
    let mut greatest = BTreeMap::new();
    for fault in &context.scenario.fault {
        if let Some((role, to)) = scaled(context, fault) {
            let most: &mut u32 = greatest.entry(role.to_owned()).or_default();
            *most = to.max(*most);
        }
    }
    greatest
}

/// The slots of a role that are there at the begin.
fn at_begin(role: &RolePlan) -> u32 {
    let there = role.slots.iter().filter(|slot| !slot.standby);
    u32::try_from(there.count()).unwrap_or(u32::MAX)
}

impl Roster {
    /// Follows the trials, which are in the order of their begin.
    pub(super) fn of(context: &mut Context<'_>, fleet: &FleetPlan, trials: &[Trial]) -> Self {
        let mut roster = Self {
            steps: BTreeMap::new(),
            changed: BTreeMap::new(),
        };
        let scenario = context.scenario;
        for trial in trials.iter().filter(|trial| trial.is_known) {
            let fault = scenario.fault.get(trial.number);
            let Some((name, to)) = fault.and_then(|fault| scaled(context, fault)) else {
                continue;
            };
            // An unknown one is reported with the targets.
            let Some(role) = fleet.role(name) else {
                continue;
            };
            let steps = roster.steps.entry(name.to_owned()).or_default();
            let now = steps.last().map_or(at_begin(role), |(_, count)| *count);
            if now == to {
                context.report(
                    &codes::CONFLICT,
                    &format!("fault[{}].to", trial.number),
                    format!("`{name}` has {to} slots at {} already", trial.plan.at),
                    "expected another number",
                    None,
                );
                continue;
            }
            steps.push((trial.plan.at, to));
            let between = now.min(to)..now.max(to);
            let slots = (0..).zip(&role.slots);
            let changed = slots.filter(|(number, _)| between.contains(number));
            let changed = changed.map(|(_, slot)| slot.id.clone()).collect();
            roster.changed.insert(trial.plan.name.clone(), changed);
        }
        roster
    }

    /// The slots that a trial starts or takes away.
    pub(super) fn changed(&self, trial: &Trial) -> Vec<SlotId> {
        let changed = self.changed.get(&trial.plan.name);
        changed.cloned().unwrap_or_default()
    }

    /// Whether a slot is in the fleet at `at`, as far as the plan knows.
    pub(super) fn has(&self, fleet: &FleetPlan, slot: &SlotId, at: Offset) -> bool {
        let place = |role: &RolePlan| {
            let is_it = |known: &SlotPlan| known.id == *slot;
            role.slots.iter().position(is_it)
        };
        let mut roles = fleet.roles.iter();
        let Some((role, place)) = roles.find_map(|role| Some((role, place(role)?))) else {
            return false;
        };
        let steps = self.steps.get(&role.name).map_or(&[][..], Vec::as_slice);
        let before = steps.iter().rev().find(|(from, _)| *from < at);
        let before = before.map_or(at_begin(role), |(_, count)| *count);
        // What happens at the same moment may or may not have begun.
        let same = steps.iter().filter(|(from, _)| *from == at);
        let least = same.map(|(_, count)| *count).fold(before, u32::min);
        u32::try_from(place).is_ok_and(|place| place < least)
    }
}
