//! Slots that come into being while a fault lasts that follows them.
//!
//! Not pure: it begins faults. One that follows new slots is played on each of them as one of its own, called `FAULT+SLOT`, until the
//! moment at which the fault ends.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tokio::task::JoinSet;

use super::Conductor;
use crate::clock::Clock;
use crate::fault::journal::Journal;
use crate::model::event::Ending;
use crate::model::{EventKind, SlotId};
use crate::plan::FaultPlan;

/// Slots that come into being.
#[derive(Default)]
pub(super) struct Newcomers {
    standby: BTreeSet<SlotId>,
    /// Ready for the first time since they were on standby.
    ready: Vec<SlotId>,
}

impl Newcomers {
    /// Learns from a fact.
    pub(super) fn observe(&mut self, kind: &EventKind) {
        match kind {
            EventKind::SlotOnStandby { slot } => {
                self.standby.insert(slot.clone());
            }
            EventKind::SlotReady { instance } if self.standby.remove(&instance.slot) => {
                self.ready.push(instance.slot.clone());
            }
            _ => {}
        }
    }
}

impl Conductor<'_> {
    /// Lets the faults that follow act on slots that came into being.
    pub(super) fn follow(
        &mut self,
        clock: Clock,
        journal: &Arc<Mutex<Journal>>,
        faults: &mut JoinSet<()>,
    ) {
        let newcomers = std::mem::take(&mut self.newcomers.ready);
        if newcomers.is_empty() || self.how != Ending::Completed {
            return;
        }
        let now = clock.now();
        let plan = &self.job.plan;
        for slot in newcomers {
            let lasting = plan.faults.iter().filter(|fault| {
                fault.at <= now && now < fault.end() && !fault.targets.contains(&slot)
            });
            let following = lasting.filter(|fault| {
                let role = fault
                    .follows
                    .as_ref()
                    .and_then(|role| plan.fleet.role(role));
                role.is_some_and(|role| role.slots.iter().any(|known| known.id == slot))
            });
            for fault in following {
                let on_it = FaultPlan {
                    name: format!("{}+{slot}", fault.name),
                    targets: vec![slot.clone()],
                    at: now,
                    duration: Some(fault.end().since(now)),
                    ..fault.clone()
                };
                self.begin(&on_it, clock, journal, faults);
            }
        }
    }
}
