//! What may not happen at the same time.
//!
//! Pure. Two faults may not act on the same slot at the same time, its first and last moment included: what one does could be
//! taken for what the other does, and the heal of one would end the other. There are two exceptions. Faults on links stack: the
//! proxy applies all of them. And one act on an instance (a kill) may come while a fault acts on its link, which it does not touch.
//! What others do, and mcpload only looks on, comes when it comes.

use super::Trial;
use crate::diag::codes;
use crate::fault::change::Change;
use crate::model::SlotId;
use crate::plan::FleetPlan;
use crate::plan::compile::Context;

/// Whether the two may not share a slot.
pub(super) fn exclude(one: &Trial, other: &Trial) -> bool {
    let (a, b) = (&one.plan, &other.plan);
    if one.looks_on() || other.looks_on() || !one.is_known || !other.is_known {
        return false;
    }
    if a.at > other.over() || b.at > one.over() {
        return false;
    }
    match (one.on_link(), other.on_link()) {
        (true, true) => false,
        (false, false) => true,
        (true, false) => b.duration.is_some(),
        (false, true) => a.duration.is_some(),
    }
}

/// Refuses what may not be. `trials` are in the order of their begin.
pub(super) fn check(context: &mut Context<'_>, fleet: &FleetPlan, trials: &[Trial]) {
    let mut reported = Vec::new();
    for (place, later) in trials.iter().enumerate() {
        if reported.contains(&later.number) {
            continue;
        }
        let mut earlier = trials.iter().take(place);
        if let Some((other, slot)) = earlier.find_map(|other| {
            let slot = shared(later, other, fleet)?;
            exclude(later, other).then_some((other, slot))
        }) {
            reported.push(later.number);
            report(context, later, other, &slot);
        }
    }
}

/// The slot that both act on, in words.
fn shared(one: &Trial, other: &Trial, fleet: &FleetPlan) -> Option<String> {
    // A fault may act on nothing of the fleet.
    let is_aimed = |trial: &Trial| trial.plan.owner.is_some() || !trial.plan.targets.is_empty();
    if !is_aimed(one) || !is_aimed(other) {
        return None;
    }
    if one.plan.owner.is_some() || other.plan.owner.is_some() {
        return Some("the owner of a session, which may be any slot,".to_owned());
    }
    let new = followed(one, other, fleet).or_else(|| followed(other, one, fleet));
    if let Some(slot) = new {
        return Some(format!("{slot}, once it is in the fleet,"));
    }
    let mut slots = one.plan.targets.iter();
    let slot = slots.find(|slot| other.plan.targets.contains(slot))?;
    Some(slot.to_string())
}

/// A slot that the other acts on and that comes into being while this one may follow; `scale` is what brings it.
fn followed<'a>(one: &Trial, other: &'a Trial, fleet: &FleetPlan) -> Option<&'a SlotId> {
    let role = fleet.role(one.plan.follows.as_ref()?)?;
    if matches!(other.change(), Some(Change::Scale { .. })) {
        return None;
    }
    let is_new = |slot: &&SlotId| {
        let mut slots = role.slots.iter();
        slots.any(|known| known.standby && known.id == **slot)
    };
    other.plan.targets.iter().find(is_new)
}

fn report(context: &mut Context<'_>, later: &Trial, earlier: &Trial, slot: &str) {
    let (name, other) = (&later.plan.name, &earlier.plan.name);
    let message = if later.plan.at == earlier.plan.at {
        format!("`{name}` and `{other}` act on {slot} at the same moment")
    } else {
        format!(
            "`{name}` would act on {slot} at {}, and `{other}` acts on it until {}",
            later.plan.at,
            earlier.over()
        )
    };
    context.report(
        &codes::CONFLICT,
        &format!("fault[{}].at", later.number),
        message,
        "expected another moment or target",
        (later.on_link() != earlier.on_link())
            .then(|| "only faults on links may act on a slot together".to_owned()),
    );
}
