//! What the events say: how the run ended, when each fault began and was healed, when each slot was ready.
//!
//! Pure. Events may be missing (a run can be cut anywhere); whatever is missing is `None` here, never invented.

use std::collections::{BTreeMap, BTreeSet};

use super::{SteadyStats, StopSignal};
use crate::model::event::{Effect, Ending};
use crate::model::{Event, EventKind, InstanceId, Offset, SlotId, Window};
use crate::plan::Plan;

/// The facts of a run.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// How it ended; `None` if it was cut.
    pub ending: Option<Ending>,
    /// When somebody or the run itself stopped the load early.
    pub stopped: Option<Offset>,
    /// The latest event.
    pub last: Offset,
    /// Why the run was aborted or the fleet did not come up, in the order in which it was said.
    pub troubles: Vec<String>,
    /// Answers that set a cookie.
    pub cookies: u64,
    /// Phases whose end was recorded.
    pub ended_phases: BTreeSet<String>,
    /// By the name of the fault.
    pub faults: BTreeMap<String, FaultTimes>,
    /// By slot.
    pub slots: BTreeMap<SlotId, SlotLife>,
    /// Workers that were lost: when, number, reason.
    pub lost_workers: Vec<(Offset, u32, String)>,
    /// Proxies that were lost: when, the slot behind, reason.
    pub lost_links: Vec<(Offset, SlotId, String)>,
    /// The steady-state gate.
    pub steady: Option<SteadyStats>,
    /// When more operations failed than the scenario lets happen: bad ones and all.
    pub exceeded: Option<(Offset, u64, u64)>,
}

/// The stamps of a fault.
#[derive(Clone, Debug, Default)]
pub struct FaultTimes {
    /// Before the act, and the instances that it aimed at.
    pub began: Option<(Offset, Vec<InstanceId>)>,
    /// After the act.
    pub applied: Option<Offset>,
    /// When it was proven, and how.
    pub effective: Option<(Offset, String)>,
    /// What was asked for and what was measured.
    pub effects: Vec<Effect>,
    /// Before the undo.
    pub healing: Option<Offset>,
    /// After the undo.
    pub heal_returned: Option<Offset>,
    /// When it was proven healed, and how.
    pub healed: Option<(Offset, String)>,
    /// Why it could not be done or proven.
    pub failed: Option<String>,
    /// What a person must do.
    pub not_healed: Option<String>,
    /// Whom it asked to end, in the order of time.
    pub signals: Vec<StopSignal>,
}

impl FaultTimes {
    /// From when its effect counts: proven, else applied, else begun. Who is asked to end may drain for long, and users feel it from
    /// the first signal on.
    pub fn effect(&self) -> Option<Offset> {
        let effective = self.effective.as_ref().map(|(at, _)| *at);
        let began = self.began.as_ref().map(|(at, _)| *at);
        let asked = self.signals.iter().map(|signal| signal.at).min();
        let effect = effective.or(self.applied).or(began)?;
        Some(asked.map_or(effect, |asked| asked.min(effect)))
    }
}

impl FaultTimes {
    /// Takes in what happened on a slot that came into being later: what went wrong counts as the fault's.
    fn observe_newcomer(&mut self, kind: &EventKind) {
        match kind {
            EventKind::FaultBegan { targets, .. } => {
                if let Some((_, all)) = &mut self.began {
                    all.extend(targets.iter().cloned());
                }
            }
            EventKind::FaultEffective { effects, .. }
            | EventKind::FaultHealProven { effects, .. } => {
                self.effects.extend(effects.iter().cloned());
            }
            EventKind::FaultFailed { reason, .. } => self.failed = Some(reason.clone()),
            EventKind::GuardActed { because, .. } => {
                self.failed = Some(format!("{because}: the guard undid it"));
            }
            EventKind::FaultNotHealed { by_hand, .. } => {
                self.not_healed = Some(by_hand.clone());
            }
            _ => {}
        }
    }
}

/// The life of a slot.
#[derive(Clone, Debug, Default)]
pub struct SlotLife {
    /// How often it was started.
    pub starts: u32,
    /// From the first start to the first time that it was ready, nanoseconds.
    pub start_ns: Option<u64>,
    /// Spans in which it was ready; the last may be open, then it ends with the run.
    pub ready: Vec<Window>,
    /// When its restart policy gave it up, and why.
    pub abandoned: Option<(Offset, String)>,
    /// Why an instance of it did not become ready.
    pub not_ready: Option<String>,
    /// When instances of it were ended by mcpload.
    pub ended: Vec<Offset>,
    /// When it was put on standby (true), and when it was started again (false), in order.
    pub standby: Vec<(Offset, bool)>,
    first_start: Option<Offset>,
    ready_since: Option<Offset>,
}

impl SlotLife {
    /// Whether it was ready at `at`.
    pub fn ready_at(&self, at: Offset) -> bool {
        self.ready.iter().any(|window| window.contains(at))
    }

    /// Whether it was on standby right before `at`: nothing ran, and nothing was missing.
    pub fn on_standby(&self, at: Offset) -> bool {
        let before = self.standby.iter().rev().find(|(from, _)| *from < at);
        before.is_some_and(|(_, standby)| *standby)
    }

    /// Whether it was ready through all of `window`.
    pub fn ready_through(&self, window: &Window) -> bool {
        self.ready
            .iter()
            .any(|ready| ready.start <= window.start && window.end <= ready.end)
    }

    /// How long it was ready within `window`, as a share of it.
    pub fn ready_share(&self, window: &Window) -> f64 {
        let ready: f64 = self
            .ready
            .iter()
            .filter_map(|ready| ready.intersect(window))
            .map(|part| part.length().as_secs_f64())
            .sum();
        ready / window.length().as_secs_f64().max(1e-9)
    }
}

impl Timeline {
    /// Reads the facts out of the events.
    pub fn of(plan: &Plan, events: &[Event]) -> Self {
        let mut timeline = Self::default();
        for event in events {
            timeline.last = timeline.last.max(event.at);
            timeline.observe(event);
        }
        // A slot that was ready until the end was so to the end of the load at least, or to where the record was cut.
        let end = if timeline.ending.is_some() {
            timeline.last.max(plan.end())
        } else {
            timeline.last
        };
        for life in timeline.slots.values_mut() {
            if let Some(since) = life.ready_since.take() {
                life.ready.push(Window::new(since, end));
            }
        }
        timeline
    }

    fn observe(&mut self, event: &Event) {
        let at = event.at;
        match &event.kind {
            EventKind::RunEnded { how } => self.ending = Some(*how),
            EventKind::Interrupted { signal } => {
                self.stopped.get_or_insert(at);
                self.troubles.push(format!("interrupted by {signal}"));
            }
            EventKind::Aborted { reason } => {
                self.stopped.get_or_insert(at);
                self.troubles.push(reason.clone());
            }
            EventKind::ErrorsExceeded { bad, total } => {
                self.exceeded = Some((at, *bad, *total));
            }
            EventKind::PhaseEnded { phase } => {
                self.ended_phases.insert(phase.clone());
            }
            EventKind::SteadyState {
                steady,
                good,
                total,
                ..
            } => {
                self.steady = Some(SteadyStats {
                    at,
                    steady: *steady,
                    good: *good,
                    total: *total,
                });
            }
            EventKind::WorkerLost { worker, reason } => {
                self.lost_workers.push((at, *worker, reason.clone()));
            }
            EventKind::LinkLost { slot, reason } => {
                self.lost_links.push((at, slot.clone(), reason.clone()));
            }
            EventKind::SlotStarted { .. }
            | EventKind::SlotReady { .. }
            | EventKind::SlotNotReady { .. }
            | EventKind::SlotExited { .. }
            | EventKind::SlotOnStandby { .. }
            | EventKind::SlotAbandoned { .. } => self.observe_slot(at, &event.kind),
            EventKind::FaultBegan { .. }
            | EventKind::FaultApplied { .. }
            | EventKind::FaultEffective { .. }
            | EventKind::FaultFailed { .. }
            | EventKind::FaultHealing { .. }
            | EventKind::FaultHealed { .. }
            | EventKind::FaultHealProven { .. }
            | EventKind::GuardActed { .. }
            | EventKind::SlotStopping { .. }
            | EventKind::FaultNotHealed { .. } => self.observe_fault(at, &event.kind),
            // Whether a guard stands by changes nothing of what was measured.
            EventKind::GuardLost { .. }
            // Who serves is told by the Calls, and who is there by the slots.
            | EventKind::MembersTold { .. }
            | EventKind::FleetReady { .. }
            | EventKind::PhaseBegan { .. }
            | EventKind::WorkerReady { .. } => {}
            EventKind::WorkerEnded { cookies, .. } => {
                self.cookies = self.cookies.saturating_add(*cookies);
            }
        }
    }

    fn observe_slot(&mut self, at: Offset, kind: &EventKind) {
        match kind {
            EventKind::SlotStarted { instance, .. } => {
                let life = self.slots.entry(instance.slot.clone()).or_default();
                life.starts += 1;
                if life.standby.last().is_some_and(|(_, standby)| *standby) {
                    life.standby.push((at, false));
                }
                life.first_start.get_or_insert(at);
            }
            EventKind::SlotReady { instance } => {
                let life = self.slots.entry(instance.slot.clone()).or_default();
                life.ready_since.get_or_insert(at);
                if let (Some(start), None) = (life.first_start, life.start_ns) {
                    let nanos = at.since(start).as_nanos();
                    life.start_ns = Some(u64::try_from(nanos).unwrap_or(u64::MAX));
                }
            }
            EventKind::SlotExited {
                instance, expected, ..
            } => {
                let life = self.slots.entry(instance.slot.clone()).or_default();
                if *expected {
                    life.ended.push(at);
                }
                if let Some(since) = life.ready_since.take() {
                    life.ready.push(Window::new(since, at));
                }
            }
            EventKind::SlotNotReady { instance, reason } => {
                let life = self.slots.entry(instance.slot.clone()).or_default();
                life.not_ready = Some(reason.clone());
                self.troubles
                    .push(format!("{instance} was not ready: {reason}"));
            }
            EventKind::SlotOnStandby { slot } => {
                let life = self.slots.entry(slot.clone()).or_default();
                life.standby.push((at, true));
            }
            EventKind::SlotAbandoned { slot, reason } => {
                let life = self.slots.entry(slot.clone()).or_default();
                life.abandoned = Some((at, reason.clone()));
            }
            _ => {}
        }
    }

    fn observe_fault(&mut self, at: Offset, kind: &EventKind) {
        let (EventKind::FaultBegan { fault, .. }
        | EventKind::FaultApplied { fault }
        | EventKind::FaultEffective { fault, .. }
        | EventKind::FaultFailed { fault, .. }
        | EventKind::FaultHealing { fault }
        | EventKind::FaultHealed { fault }
        | EventKind::FaultHealProven { fault, .. }
        | EventKind::GuardActed { fault, .. }
        | EventKind::SlotStopping { fault, .. }
        | EventKind::FaultNotHealed { fault, .. }) = kind
        else {
            return;
        };
        // `FAULT+SLOT` is a fault on a slot that came into being while it lasted.
        if let Some((fault, _)) = fault.split_once('+') {
            let times = self.faults.entry(fault.to_owned()).or_default();
            return times.observe_newcomer(kind);
        }
        let times = self.faults.entry(fault.clone()).or_default();
        match kind {
            EventKind::FaultBegan { targets, .. } => times.began = Some((at, targets.clone())),
            EventKind::FaultApplied { .. } => times.applied = Some(at),
            EventKind::SlotStopping {
                instance, grace, ..
            } => times.signals.push(StopSignal {
                at,
                instance: instance.clone(),
                grace_ns: u64::try_from(grace.as_nanos()).unwrap_or(u64::MAX),
            }),
            EventKind::FaultEffective { proof, effects, .. } => {
                times.effective = Some((at, proof.clone()));
                times.effects.clone_from(effects);
            }
            EventKind::FaultFailed { reason, .. } => times.failed = Some(reason.clone()),
            // It did not act for as long as was planned, so what was seen is not its effect.
            EventKind::GuardActed { because, ago, .. }
                if times.healing.is_none_or(|healing| at - *ago < healing) =>
            {
                times.failed = Some(format!("{because}: the guard undid it"));
            }
            EventKind::FaultHealing { .. } => times.healing = Some(at),
            EventKind::FaultHealed { .. } => times.heal_returned = Some(at),
            EventKind::FaultHealProven { proof, effects, .. } => {
                times.healed = Some((at, proof.clone()));
                // What only the whole fault shows: deaths of a crash loop, the time that a hog took.
                times.effects.extend(effects.iter().cloned());
            }
            EventKind::FaultNotHealed { by_hand, .. } => {
                times.not_healed = Some(by_hand.clone());
            }
            _ => {}
        }
    }

    /// When the fault of this name began, if it did.
    pub fn began(&self, fault: &str) -> Option<Offset> {
        let (at, _) = self.faults.get(fault)?.began.as_ref()?;
        Some(*at)
    }

    /// When the fault of this name was proven healed, if it was.
    pub fn healed(&self, fault: &str) -> Option<Offset> {
        let (at, _) = self.faults.get(fault)?.healed.as_ref()?;
        Some(*at)
    }

    /// Up to when load was given, as far as is known: the end of the plan, or where the load was stopped.
    pub fn load_end(&self, plan: &Plan) -> Offset {
        self.stopped.unwrap_or(Offset(i64::MAX)).min(plan.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_on_standby_until_it_is_started() {
        let instance: InstanceId = "server-3#1".parse().unwrap();
        let mut timeline = Timeline::default();
        let mut tell = |at, kind| {
            timeline.observe(&Event {
                at: Offset(at),
                kind,
            });
        };
        let slot = instance.slot.clone();
        tell(-5, EventKind::SlotOnStandby { slot: slot.clone() });
        let address = String::new();
        tell(
            10,
            EventKind::SlotStarted {
                instance,
                pid: 1,
                address,
            },
        );
        tell(20, EventKind::SlotOnStandby { slot: slot.clone() });
        let life = &timeline.slots[&slot];
        let standby = [-5, 0, 10, 11, 20, 21].map(|at| life.on_standby(Offset(at)));
        assert_eq!(standby, [false, true, true, false, false, true]);
    }
}
