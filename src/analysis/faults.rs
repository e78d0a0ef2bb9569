//! Faults: what each of them did to the users, in bins of operations around its begin.
//!
//! Pure. One fold over the Calls, in any order. A fault is observed from up to 60 s before its begin to the next fault, the end
//! of the load, or 30 minutes later, whichever is first; beyond that its numbers are censored. What the bins mean is decided
//! in [`super::recovery`].

use std::collections::BTreeMap;
use std::time::Duration;

use super::bins::Bins;
use super::names::{SlotNames, SlotNumber};
use super::recovery::{self, Question, RoleSlot};
use super::sessions::SessionFold;
use super::timeline::{FaultTimes, Timeline};
use super::{AfterHeal, FaultStats, FirstBad, Reached, Recovery, counts, windows};
use crate::check::kinds::recovery_hold;
use crate::model::{Call, InstanceId, Offset, Outcome, SlotId, Window};
use crate::plan::{Counted, FaultPlan, Plan, Promise};

/// The longest baseline.
const BASELINE: Duration = Duration::from_mins(1);
/// The longest that recovery is observed.
const OBSERVED: Duration = Duration::from_mins(30);
/// The tolerated share of bad operations if no objective says one.
const DEFAULT_TOLERANCE: f64 = 0.01;

/// The faults of a run.
#[derive(Clone, Debug)]
pub struct FaultFold {
    faults: Vec<Observed>,
    latency_limits: BTreeMap<String, Option<Duration>>,
}

/// A fault that began.
#[derive(Clone, Debug)]
struct Observed {
    name: String,
    of: String,
    began: Offset,
    effect: Offset,
    undone: Offset,
    until: Offset,
    targets: Vec<SlotNumber>,
    role: Vec<SlotNumber>,
    bins: Bins,
    in_flight_lost: u64,
    first_bad: Option<FirstBad>,
}

impl FaultFold {
    /// Prepares to observe the faults that began.
    pub fn of(plan: &Plan, timeline: &Timeline, names: &mut SlotNames) -> Self {
        let faults = plan
            .faults
            .iter()
            .filter_map(|fault| Observed::of(plan, timeline, names, fault))
            .collect();
        Self {
            faults,
            latency_limits: BTreeMap::new(),
        }
    }

    /// Counts a Call.
    pub fn observe(&mut self, plan: &Plan, call: &Call, slot: SlotNumber) {
        if self.faults.is_empty() {
            return;
        }
        if !self.latency_limits.contains_key(&call.operation) {
            let limit = latency_limit(plan, &call.operation);
            self.latency_limits.insert(call.operation.clone(), limit);
        }
        let limit = self.latency_limits.get(&call.operation).copied().flatten();
        for fault in &mut self.faults {
            fault.call(call, slot);
            if call.ends_operation() {
                fault.operation(call, limit);
            }
        }
    }

    /// Counts arrivals that were shed in `second`; they are bad operations.
    pub fn shed(&mut self, second: i64, count: u64) {
        for fault in &mut self.faults {
            if let Some(bin) = fault.bins.at(Offset(counts::middle(second))) {
                bin.bad += count;
            }
        }
    }

    /// What the faults did, in the order of their begin. `seen` is up to when operations are surely recorded.
    pub fn finish(
        self,
        plan: &Plan,
        timeline: &Timeline,
        names: &SlotNames,
        sessions: &SessionFold,
        seen: Offset,
    ) -> Vec<FaultStats> {
        let mut observed: BTreeMap<String, Observed> = self
            .faults
            .into_iter()
            .map(|fault| (fault.name.clone(), fault))
            .collect();
        let nothing = FaultTimes::default();
        let mut stats: Vec<FaultStats> = plan
            .faults
            .iter()
            .map(|fault| {
                let times = timeline.faults.get(&fault.name).unwrap_or(&nothing);
                let mut stats = empty(plan, fault, times);
                if let Some(observed) = observed.remove(&fault.name) {
                    observed.fill(&mut stats, plan, timeline, names, sessions, seen);
                }
                stats
            })
            .collect();
        stats.sort_by_key(|fault| fault.began.unwrap_or(fault.planned));
        stats
    }
}

impl Observed {
    fn of(
        plan: &Plan,
        timeline: &Timeline,
        names: &mut SlotNames,
        fault: &FaultPlan,
    ) -> Option<Self> {
        let times = timeline.faults.get(&fault.name)?;
        let (began, targets) = times.began.as_ref()?;
        let effect = times.effect()?;
        let others = plan.faults.iter().filter(|other| other.name != fault.name);
        let next = others
            .filter_map(|other| timeline.began(&other.name))
            .filter(|at| *at > effect)
            .min();
        let start = baseline_start(plan, timeline, &fault.name, *began);
        let end = timeline.load_end(plan).max(*began);
        let until = next.unwrap_or(end).min(end).min(*began + OBSERVED);
        let slots: Vec<SlotNumber> = targets
            .iter()
            .map(|target| names.intern(target.slot.as_str()))
            .collect();
        // A slot that a planned change took away is not missing.
        let role = role_slots(plan, targets)
            .filter(|slot| {
                let life = timeline.slots.get(*slot);
                !life.is_some_and(|life| life.on_standby(until))
            })
            .map(|slot| names.intern(slot.as_str()))
            .collect();
        let width = recovery::bin_width(rate_at(plan, *began));
        Some(Self {
            name: fault.name.clone(),
            of: fault.of.clone(),
            began: *began,
            effect,
            undone: match (fault.duration, times.heal_returned) {
                (None, _) => effect,
                (Some(_), Some(at)) => at,
                (Some(_), None) => end,
            },
            until,
            targets: slots,
            role,
            bins: Bins::new(*began, Window::new(start, until), width),
            in_flight_lost: 0,
            first_bad: None,
        })
    }

    fn call(&mut self, call: &Call, slot: SlotNumber) {
        let bad = call.outcome != Outcome::Ok;
        let Some(sent) = call.sent else {
            return;
        };
        let targeted = self.targets.contains(&slot);
        let unknown = slot == SlotNumber::UNKNOWN;
        if bad && sent < self.effect && call.done >= self.began && (targeted || unknown) {
            self.in_flight_lost += 1;
        }
        if bad
            && !targeted
            && !unknown
            && call.done >= self.began
            && let Some(bin) = self.bins.at(call.done)
        {
            bin.collateral += 1;
        }
        // A Call within a session goes where its session lives; only the others show who takes new load.
        let free = call.session.is_none() || call.method == "initialize";
        if let Some(place) = self.role.iter().position(|of| *of == slot)
            && !bad
            && let Some(bin) = self.bins.at(sent)
        {
            bin.serve(place, free);
        }
    }

    fn operation(&mut self, call: &Call, limit: Option<Duration>) {
        let Some(outcome) = call.ends else {
            return;
        };
        let due = call.operation_due;
        let took = call.done.since(due);
        let ok = outcome == Outcome::Ok;
        let bad = !ok || limit.is_some_and(|limit| took > limit);
        // What was in flight at the begin belongs to the fault's first bin: the baseline is what had ended by then.
        let at = if due < self.began && call.done >= self.began {
            self.began
        } else {
            due
        };
        if let Some(bin) = self.bins.at(at) {
            bin.end(bad, ok.then_some(took));
        }
        if !ok && call.done >= self.began && call.done < self.until {
            let found = FirstBad {
                at: call.done,
                outcome,
                class: call.class,
                instance: call.instance.clone(),
            };
            let rank = |bad: &FirstBad| (bad.at, bad.class, bad.outcome);
            let first = self.first_bad.as_ref();
            if first.is_none_or(|first| {
                (rank(&found), &found.instance) < (rank(first), &first.instance)
            }) {
                self.first_bad = Some(found);
            }
        }
    }

    fn fill(
        self,
        stats: &mut FaultStats,
        plan: &Plan,
        timeline: &Timeline,
        names: &SlotNames,
        sessions: &SessionFold,
        seen: Offset,
    ) {
        let until = self.until.min(seen).max(self.began);
        let slots: Vec<RoleSlot<'_>> = self
            .role
            .iter()
            .map(|slot| {
                let name = names.name(*slot);
                let role = plan
                    .fleet
                    .slots()
                    .find(|(_, planned)| planned.id == name)
                    .map(|(role, _)| role);
                RoleSlot {
                    life: timeline.slots.get(&name),
                    policy: role.map(|role| role.restart.policy),
                    name,
                }
            })
            .collect();
        stats.recovery = recovery::decide(&Question {
            bins: &self.bins,
            effect: self.effect,
            undone: self.undone.max(self.effect),
            until,
            rate: rate_at(plan, self.began),
            tolerance: tolerated(plan),
            latency_limit: plan
                .latency_objectives()
                .filter_map(|objective| match objective.promise {
                    Promise::Latency { under, .. } => Some(under),
                    _ => None,
                })
                .max(),
            hold: recovery_hold(plan, &self.of),
            slots: &slots,
        });
        if stats.duration_ns.is_some() {
            let heal = stats.heal_returned;
            stats.recovery.after_heal = Some(AfterHeal::of(&stats.recovery, self.effect, heal));
        }
        let recovered = match stats.recovery.service {
            Reached::NoImpact => self.effect,
            Reached::After(nanos) => self.effect + Duration::from_nanos(nanos),
            Reached::NotWithin(_) | Reached::Unknown => until,
        };
        let affected = self.bins.between(self.began, recovered.max(self.began));
        stats.collateral_bad = affected.map(|(_, bin)| bin.collateral).sum();
        stats.in_flight_lost = self.in_flight_lost;
        stats.first_bad = self.first_bad;
        let next = plan
            .faults
            .iter()
            .filter_map(|other| timeline.began(&other.name))
            .filter(|at| *at > self.effect)
            .min();
        let impact = sessions.impact(self.began, next.unwrap_or(Offset(i64::MAX)));
        stats.sessions_active = impact.active;
        stats.sessions_lost = impact.lost;
        stats.sessions_re_established = impact.re_established;
        stats.sessions_settled = impact
            .settled
            .map(|at| Offset::from_duration(at.since(self.began)));
    }
}

/// From when on operations show what was usual before the fault. A baseline does not reach back into an earlier fault that was
/// healed since.
pub(super) fn baseline_start(
    plan: &Plan,
    timeline: &Timeline,
    fault: &str,
    began: Offset,
) -> Offset {
    let others = plan.faults.iter().filter(|other| other.name != fault);
    let clear = others
        .filter(|other| timeline.began(&other.name).is_some_and(|at| at < began))
        .filter_map(|other| timeline.healed(&other.name))
        .filter(|at| *at < began)
        .max();
    (began - BASELINE)
        .max(Offset::ZERO)
        .max(clear.unwrap_or(Offset::ZERO))
        .min(began)
}

/// The slots of the roles that these are instances of.
fn role_slots<'a>(plan: &'a Plan, targets: &'a [InstanceId]) -> impl Iterator<Item = &'a SlotId> {
    plan.fleet
        .roles
        .iter()
        .filter(|role| {
            let mut slots = role.slots.iter();
            slots.any(|slot| targets.iter().any(|target| target.slot == slot.id))
        })
        .flat_map(|role| role.slots.iter().map(|slot| &slot.id))
}

/// Operations a second that the schedule has in the phase of `at`; `None` for a closed model.
fn rate_at(plan: &Plan, at: Offset) -> Option<f64> {
    let phase = plan.phase_at(at)?;
    if windows::load_of(phase).closed {
        return None;
    }
    let intended = windows::intended(plan, &phase.window)?;
    #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
    let rate = intended as f64 / phase.window.length().as_secs_f64();
    (rate > 0.0).then_some(rate)
}

/// The largest latency threshold that applies to an operation.
fn latency_limit(plan: &Plan, operation: &str) -> Option<Duration> {
    plan.latency_objectives()
        .filter(|objective| objective.of == Counted::Operations)
        .filter(|objective| {
            objective.operations.is_empty()
                || objective.operations.iter().any(|name| name == operation)
        })
        .filter_map(|objective| match objective.promise {
            Promise::Latency { under, .. } => Some(under),
            _ => None,
        })
        .max()
}

/// The least share of bad operations that an objective allows.
fn tolerated(plan: &Plan) -> f64 {
    plan.objectives
        .iter()
        .filter_map(|objective| match objective.promise {
            Promise::Errors { under } => Some(under.ratio()),
            _ => None,
        })
        .reduce(f64::min)
        .unwrap_or(DEFAULT_TOLERANCE)
}

/// What is known of a fault without any Call.
fn empty(plan: &Plan, fault: &FaultPlan, times: &FaultTimes) -> FaultStats {
    let planned = fault.targets.iter().map(|slot| InstanceId {
        slot: slot.clone(),
        incarnation: None,
    });
    let (began, targets) = match &times.began {
        Some((at, targets)) => (Some(*at), targets.clone()),
        None => (None, planned.collect()),
    };
    FaultStats {
        name: fault.name.clone(),
        of: fault.of.clone(),
        trial: fault.trial,
        kind: fault.spec.kind.clone(),
        targets,
        planned: fault.at,
        began,
        applied: times.applied,
        effective: times.effective.clone(),
        acted: times.effect(),
        duration_ns: fault
            .duration
            .map(|duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)),
        effects: times.effects.clone(),
        healing: times.healing,
        heal_returned: times.heal_returned,
        healed: times.healed.clone(),
        failed: times.failed.clone(),
        not_healed: times.not_healed.clone(),
        first_bad: None,
        recovery: Recovery {
            baseline_bad_ratio: 0.0,
            baseline_samples: 0,
            baseline_goodput: 0.0,
            tolerance: tolerated(plan),
            resolution_ns: 0,
            hold_ns: 0,
            onset: None,
            service: Reached::Unknown,
            performance: Reached::Unknown,
            redundancy: Reached::Unknown,
            missing: String::new(),
            lost_good: 0.0,
            depth: 0.0,
            after_heal: None,
        },
        in_flight_lost: 0,
        sessions_active: 0,
        sessions_lost: 0,
        sessions_re_established: 0,
        sessions_settled: None,
        collateral_bad: 0,
        change: None,
    }
}
