//! The third level of recovery: every slot of the role is ready again and takes its part of the load.
//!
//! Pure. A slot's part is judged on Calls that no session binds to a slot (all of the modern era, and `initialize`): after a
//! loss the sessions live elsewhere, and no balancer can move them back.

use std::time::Duration;

use super::{Measured, Reached, RoleSlot, real};
use crate::analysis::bins::Bin;
use crate::model::time::humane;
use crate::plan::RestartPolicy;

/// The shortest window at the end of what was observed that still shows redundancy.
const LEAST_WINDOW: Duration = Duration::from_secs(2);
/// A slot takes its part if it serves at least this part of its fair share.
const LEAST_PART: f64 = 0.5;
/// Fewer free Calls than this for each slot show nothing about shares.
const LEAST_CALLS: u64 = 10;

impl Measured<'_> {
    /// When redundancy was reached, at bin `from` (where users were served as fast as before) or later, and else what is
    /// missing.
    pub(super) fn redundancy(&self, from: Option<usize>, no_impact: bool) -> (Reached, String) {
        let slots = self.question.slots;
        if slots.is_empty() || slots.iter().all(|slot| slot.life.is_none()) {
            return (Reached::Unknown, "no slot of the role is known".to_owned());
        }
        let end = self.question.until;
        let down = slots
            .iter()
            .find(|slot| !is_ready(slot, |life| life.ready_at(before(end))));
        if let Some(slot) = down {
            return (
                Reached::NotWithin(self.since_effect(end)),
                absence(slot, self.since_effect(end)),
            );
        }
        let after = Self::sum(&self.after);
        if (0..slots.len()).all(|place| after.served(place) == 0) {
            let missing = "who served a Call is not known".to_owned();
            return (Reached::Unknown, missing);
        }
        let Some(from) = from else {
            let missing = "users were not served as before".to_owned();
            return (Reached::NotWithin(self.refuted()), missing);
        };
        let width = self.question.bins.width();
        let least = LEAST_WINDOW.as_nanos().div_ceil(width.as_nanos().max(1));
        let least = usize::try_from(least).unwrap_or(1).clamp(1, self.hold);
        let final_start = self.after.len().saturating_sub(least);
        // While a fault lasts, a slot may look ready and take its part, and is not whole.
        let held = self.question.undone.since(self.question.bins.origin());
        let undone = held.as_nanos().div_ceil(width.as_nanos().max(1));
        let from = from.max(usize::try_from(undone).unwrap_or(usize::MAX));
        let mut missing = String::new();
        for start in from..=final_start {
            let bins = self.hold.min(self.after.len() - start);
            match self.lacks(start, bins) {
                None if start == from && no_impact => return (Reached::NoImpact, String::new()),
                None => {
                    let at = self.since_effect(self.start(start));
                    return (Reached::After(at), String::new());
                }
                Some(what) => missing = what,
            }
        }
        if missing.is_empty() {
            "too little was observed after the fault".clone_into(&mut missing);
        }
        let refuted = self.since_effect(self.start(final_start.max(from)));
        (Reached::NotWithin(refuted), missing)
    }

    /// What is missing to redundancy in the window of `bins` bins from `start`.
    fn lacks(&self, start: usize, bins: usize) -> Option<String> {
        let window = self.window(start, bins);
        let slots = self.question.slots;
        if let Some(slot) = slots
            .iter()
            .find(|slot| !is_ready(slot, |life| life.ready_through(&window)))
        {
            return Some(format!("{} was not ready", slot.name));
        }
        let inside = self.after.get(start..start + bins).unwrap_or_default();
        let users = if bins == self.hold {
            self.is_served(inside) && self.is_fast(inside)
        } else {
            // Too short for the bound to be reached: nothing may speak against it.
            let sum = Self::sum(inside);
            !inside.iter().any(|bin| self.violates(bin))
                && real(sum.bad) <= self.tolerance * real(sum.total())
        };
        if !users {
            return Some("users were not served as before".to_owned());
        }
        self.idle(&Self::sum(inside))
    }

    /// The slot that serves less than half of its fair share, in words.
    fn idle(&self, window: &Bin) -> Option<String> {
        let slots = self.question.slots;
        let count = u64::try_from(slots.len()).unwrap_or(u64::MAX);
        let free = |bin: &Bin| {
            (0..slots.len())
                .map(|place| bin.served_free(place))
                .sum::<u64>()
        };
        let (now, before) = (free(window), free(&self.baseline));
        let enough = LEAST_CALLS.saturating_mul(count);
        if now < enough {
            return None;
        }
        slots.iter().enumerate().find_map(|(place, slot)| {
            // A balancer that never gave a slot its even share need not do so now.
            let even = 1.0 / real(count);
            let usual = real(self.baseline.served_free(place)) / real(before).max(1.0);
            let fair = if before < enough { even } else { even.min(usual) };
            let part = real(window.served_free(place)) / real(now);
            (part < LEAST_PART * fair).then(|| {
                format!(
                    "{} served {:.1} % of the Calls that no session binds, and its share is {:.1} %",
                    slot.name,
                    part * 100.0,
                    fair * 100.0
                )
            })
        })
    }
}

fn is_ready(
    slot: &RoleSlot<'_>,
    test: impl Fn(&crate::analysis::timeline::SlotLife) -> bool,
) -> bool {
    slot.life.is_some_and(test)
}

/// The last moment before `end`.
const fn before(end: crate::model::Offset) -> crate::model::Offset {
    crate::model::Offset(end.0.saturating_sub(1))
}

/// Why a slot is not there at the end, with its name first.
fn absence(slot: &RoleSlot<'_>, observed: u64) -> String {
    let name = &slot.name;
    if slot.policy == Some(RestartPolicy::None) {
        return format!("{name} never came back (restart policy none)");
    }
    let life = slot.life;
    if let Some((_, reason)) = life.and_then(|life| life.abandoned.as_ref()) {
        return format!("{name} never came back ({reason})");
    }
    if let Some(reason) = life.and_then(|life| life.not_ready.as_ref()) {
        return format!("{name} never came back ({reason})");
    }
    let observed = humane(Duration::from_nanos(observed));
    format!("{name} was not ready after {observed}")
}
