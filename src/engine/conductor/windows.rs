//! Windows of observed faults: who opens and closes them, and what is recorded of it.
//!
//! mcpload does nothing to anything here. A mark from outside opens a window, or the end by itself of a target; the other mark
//! closes it, or that target's readiness. Each fault has one window; before the moment that its scenario names, it has none. One whose
//! window was never opened has failed: it was not seen.

use super::Conductor;
use crate::clock;
use crate::engine::control::{Answer, Edge, Marked};
use crate::fault::FleetHands;
use crate::fault::kinds::observed;
use crate::fleet::slot::Fact;
use crate::model::{EventKind, InstanceId, SlotId};
use crate::plan::{FaultPlan, Plan};

/// The window of an observed fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// It is open; the slot whose death opened it, if it was one.
    Open(Option<SlotId>),
    /// It was.
    Closed,
}

fn all(plan: &Plan) -> impl Iterator<Item = &FaultPlan> {
    plan.faults.iter().filter(|fault| fault.is_observed())
}

impl Conductor<'_> {
    /// Opens or closes the window of an observed fault, and answers.
    pub(super) fn mark(&mut self, marked: Marked) {
        let answer = match self.try_mark(&marked.fault, marked.edge) {
            Ok(words) => Answer::Accepted { words },
            Err(reason) => Answer::Refused { reason },
        };
        // Who asked may have gone: the mark stands all the same.
        let _ = marked.answer.send(answer);
    }

    fn try_mark(&mut self, fault: &str, edge: Edge) -> Result<String, String> {
        let plan = &self.job.plan;
        let Some(plan) = all(plan).find(|plan| plan.name == fault) else {
            let names: Vec<&str> = all(plan).map(|plan| plan.name.as_str()).collect();
            let others = if names.is_empty() {
                "it has none".to_owned()
            } else {
                format!("it has {}", names.join(", "))
            };
            return Err(format!(
                "the scenario has no observed fault `{fault}`; {others}"
            ));
        };
        let now = self.clock.map(|clock| clock.now());
        if now.is_none_or(|now| now < plan.at) {
            return Err(format!("`{fault}` is awaited from {} on", plan.at));
        }
        let verb = match (edge, self.windows.get(fault)) {
            (Edge::Begin, Some(_)) => return Err(format!("`{fault}` has begun before")),
            (Edge::End, None) => return Err(format!("`{fault}` has not begun")),
            (Edge::End, Some(Window::Closed)) => {
                return Err(format!("`{fault}` has ended before"));
            }
            (Edge::Begin, None) => {
                let fleet = self.fleet.as_ref();
                let instance = |slot: &SlotId| InstanceId {
                    slot: slot.clone(),
                    incarnation: None,
                };
                let hands = |slot: &SlotId| fleet.and_then(|fleet| fleet.instance(slot));
                let targets = plan.targets.iter();
                let targets = targets.map(|slot| hands(slot).unwrap_or_else(|| instance(slot)));
                let targets = targets.collect();
                self.open(fault, clock::now(), targets, "marked by hand", None);
                "begins"
            }
            (Edge::End, Some(Window::Open(_))) => {
                self.close(fault, clock::now(), "marked by hand");
                "ends"
            }
        };
        let at = now.map(|now| now.to_string()).unwrap_or_default();
        Ok(format!("{fault} {verb} at {at}"))
    }

    /// Looks whether a fact opens or closes a window.
    pub(super) fn observe(&mut self, (at, kind): &Fact) {
        match kind {
            EventKind::SlotExited {
                instance,
                status,
                expected: false,
            } => {
                let now = self.clock.map(|clock| clock.offset(*at));
                let awaited = |plan: &&FaultPlan| {
                    plan.targets.contains(&instance.slot)
                        && now.is_some_and(|now| now >= plan.at)
                        && !self.windows.contains_key(&plan.name)
                };
                let opened: Vec<String> = all(&self.job.plan)
                    .filter(awaited)
                    .map(|plan| plan.name.clone())
                    .collect();
                let proof = format!("{instance} ended by itself: {status}");
                for fault in opened {
                    let slot = Some(instance.slot.clone());
                    self.open(&fault, *at, vec![instance.clone()], &proof, slot);
                }
            }
            EventKind::SlotReady { instance } => {
                let by_it = Window::Open(Some(instance.slot.clone()));
                let closed: Vec<String> = self
                    .windows
                    .iter()
                    .filter(|(_, window)| **window == by_it)
                    .map(|(fault, _)| fault.clone())
                    .collect();
                for fault in closed {
                    self.close(&fault, *at, &format!("{instance} is ready"));
                }
            }
            _ => {}
        }
    }

    /// Tells of the faults that were awaited in vain; the load is over.
    pub(super) fn miss(&mut self) {
        let missed: Vec<String> = all(&self.job.plan)
            .filter(|plan| !self.windows.contains_key(&plan.name))
            .map(|plan| plan.name.clone())
            .collect();
        for fault in missed {
            let reason =
                "it was not seen: nobody marked its begin, and no target of it ended by itself";
            let reason = reason.to_owned();
            self.fact((clock::now(), EventKind::FaultFailed { fault, reason }));
        }
    }

    fn open(
        &mut self,
        fault: &str,
        at: i64,
        targets: Vec<InstanceId>,
        proof: &str,
        slot: Option<SlotId>,
    ) {
        let name = || fault.to_owned();
        self.windows.insert(name(), Window::Open(slot));
        let kinds = [
            EventKind::FaultBegan {
                fault: name(),
                kind: observed::NAME.to_owned(),
                targets,
            },
            EventKind::FaultApplied { fault: name() },
            EventKind::FaultEffective {
                fault: name(),
                proof: proof.to_owned(),
                effects: Vec::new(),
            },
        ];
        for kind in kinds {
            self.fact((at, kind));
        }
    }

    fn close(&mut self, fault: &str, at: i64, proof: &str) {
        let name = || fault.to_owned();
        self.windows.insert(name(), Window::Closed);
        let kinds = [
            EventKind::FaultHealing { fault: name() },
            EventKind::FaultHealed { fault: name() },
            EventKind::FaultHealProven {
                fault: name(),
                proof: proof.to_owned(),
                effects: Vec::new(),
            },
        ];
        for kind in kinds {
            self.fact((at, kind));
        }
    }
}
