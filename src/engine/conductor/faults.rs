//! How faults are begun: those of the time line, and on slots that come into being while they last.
//!
//! Not pure: each is played by a task. A fault that follows new slots is played on each of them as one of its own, called
//! `FAULT+SLOT`, until the moment at which the fault ends.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tokio::task::JoinSet;

use super::Conductor;
use crate::clock::{self, Clock};
use crate::engine::player::Player;
use crate::fault::journal::Journal;
use crate::fault::kinds::FAULTS;
use crate::fault::{Fault, FleetHands};
use crate::fleet::process::ProcessFleet;
use crate::model::event::Ending;
use crate::model::{EventKind, SlotId};
use crate::plan::FaultPlan;
use crate::registry::{Family, build};

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
    /// Begins a fault whose targets are known.
    pub(super) fn begin(
        &mut self,
        plan: &FaultPlan,
        clock: Clock,
        journal: &Arc<Mutex<Journal>>,
        faults: &mut JoinSet<()>,
    ) {
        let fault: Result<Box<dyn Fault>, _> = build(FAULTS, Family::Fault, &plan.spec);
        let reason = match (fault, &self.fleet) {
            (Ok(fault), Some(fleet)) => {
                let hands: Arc<dyn FleetHands> = Arc::<ProcessFleet>::clone(fleet);
                let player = Player {
                    plan: plan.clone(),
                    fault,
                    hands,
                    seed: self.job.plan.seed,
                    journal: Arc::clone(journal),
                    clock,
                    facts: self.facts.clone(),
                    haste: self.haste.subscribe(),
                };
                faults.spawn(player.play());
                return;
            }
            (Err(error), _) => error.to_string(),
            (Ok(_), None) => "the fleet is not mcpload's to act on".to_owned(),
        };
        let fault = plan.name.clone();
        self.fact((clock::now(), EventKind::FaultFailed { fault, reason }));
    }

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
