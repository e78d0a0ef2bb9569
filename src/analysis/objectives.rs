//! Objectives: exact counts of what kept and what broke each promise, in each window.
//!
//! Pure. One fold over the Calls, in any order; nothing here depends on the resolution of a histogram. Operations (or Calls)
//! belong to the window that holds their due time.

use std::collections::BTreeMap;

use super::counts::Counts;
use super::names::{SlotNames, SlotNumber};
use super::timeline::Timeline;
use super::{ObjectiveStats, SlotShare, counts, windows};
use crate::model::{Call, Class, Offset, Outcome, Window};
use crate::plan::{Counted, ObjectivePlan, Plan, Promise, WindowRef};

/// The counters of every objective in every of its windows.
#[derive(Clone, Debug)]
pub struct ObjectiveFold {
    counters: Vec<Counter>,
}

#[derive(Clone, Debug)]
struct Counter {
    objective: ObjectivePlan,
    window: WindowRef,
    spans: Vec<Window>,
    samples: u64,
    bad: u64,
    bad_by_load: u64,
    slots: BTreeMap<SlotNumber, (u64, u64)>,
    classes: BTreeMap<Class, u64>,
}

impl Counter {
    fn holds(&self, at: Offset) -> bool {
        self.spans.iter().any(|span| span.contains(at))
    }

    fn wants(&self, operation: &str) -> bool {
        let operations = &self.objective.operations;
        operations.is_empty() || operations.iter().any(|name| name == operation)
    }

    /// Whether the operation (or Call) broke the promise.
    fn broke(&self, at: Offset, done: Offset, outcome: Outcome) -> bool {
        if outcome != Outcome::Ok {
            return true;
        }
        match self.objective.promise {
            Promise::Latency { under, .. } => done.since(at) > under,
            Promise::Errors { .. } => false,
            // What ended after its window was not achieved in it.
            Promise::Throughput { .. } => !self.holds(done),
        }
    }

    fn observe(&mut self, call: &Call, slot: SlotNumber) {
        let (at, outcome) = match (self.objective.of, call.ends) {
            (Counted::Operations, Some(ends)) => (call.operation_due, ends),
            (Counted::Operations, None) => return,
            (Counted::Calls, _) => (call.due, call.outcome),
        };
        if !self.holds(at) || !self.wants(&call.operation) {
            return;
        }
        let broke = self.broke(at, call.done, outcome);
        self.samples += 1;
        let share = self.slots.entry(slot).or_default();
        share.0 += 1;
        if broke {
            self.bad += 1;
            share.1 += 1;
            self.bad_by_load += u64::from(call.class.load_can_cause());
            *self.classes.entry(call.class).or_default() += 1;
        }
    }

    fn shed(&mut self, second: i64, operation: &str, count: u64) {
        if self.holds(Offset(counts::middle(second))) && self.wants(operation) {
            self.samples += count;
            self.bad += count;
            self.bad_by_load += count;
            *self.classes.entry(Class::Unsent).or_default() += count;
            let share = self.slots.entry(SlotNumber::UNKNOWN).or_default();
            share.0 += count;
            share.1 += count;
        }
    }

    fn finish(self, plan: &Plan, names: &SlotNames) -> ObjectiveStats {
        let mut by_slot: Vec<SlotShare> = self
            .slots
            .into_iter()
            .map(|(slot, (samples, bad))| SlotShare {
                slot: names.name(slot),
                samples: (!plan.record.is_sampled()).then_some(samples),
                bad,
            })
            .collect();
        by_slot.sort_by(|a, b| b.bad.cmp(&a.bad).then_with(|| a.slot.cmp(&b.slot)));
        let mut by_class: Vec<(Class, u64)> = self.classes.into_iter().collect();
        by_class.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        // How often a named operation is drawn is chance; the schedule knows only the number of all.
        let intended = if self.objective.operations.is_empty() {
            self.spans
                .iter()
                .map(|span| windows::intended(plan, span))
                .sum()
        } else {
            None
        };
        let start = self.spans.first().map(|span| span.start);
        let end = self.spans.last().map(|span| span.end);
        ObjectiveStats {
            span: start.zip(end).map(|(start, end)| Window { start, end }),
            objective: self.objective,
            window: self.window,
            samples: self.samples,
            bad: self.bad,
            bad_by_load: self.bad_by_load,
            intended,
            by_slot,
            by_class,
        }
    }
}

impl ObjectiveFold {
    /// Counters for the objectives of `plan`, in windows that are resolved by what happened.
    pub fn of(plan: &Plan, timeline: &Timeline) -> Self {
        let counters = plan
            .objectives
            .iter()
            .flat_map(|objective| {
                objective.windows.iter().map(|window| Counter {
                    objective: objective.clone(),
                    window: window.clone(),
                    spans: windows::resolve(plan, timeline, window),
                    samples: 0,
                    bad: 0,
                    bad_by_load: 0,
                    slots: BTreeMap::new(),
                    classes: BTreeMap::new(),
                })
            })
            .collect();
        Self { counters }
    }

    /// Counts a Call of the workload; session upkeep outside operations is none.
    pub fn observe(&mut self, call: &Call, slot: SlotNumber) {
        if call.arrival.is_none() {
            return;
        }
        for counter in &mut self.counters {
            counter.observe(call, slot);
        }
    }

    /// Counts `count` arrivals of `operation` that were shed in `second`.
    pub fn shed(&mut self, second: i64, operation: &str, count: u64) {
        for counter in &mut self.counters {
            counter.shed(second, operation, count);
        }
    }

    /// Takes the number of samples from the counts: rows of good ones were left out. Each window is a phase, or all measured ones,
    /// and what counts is operations: the plan's compiler refuses to sample otherwise.
    pub fn complete(&mut self, plan: &Plan, counts: &Counts) {
        for counter in &mut self.counters {
            let holds = |phase: &str| {
                let phase = plan.phases.iter().find(|known| known.name == phase);
                phase.is_some_and(|phase| counter.spans.contains(&phase.window))
            };
            let tally = counts.sum(|key| holds(&key.phase) && counter.wants(&key.operation));
            counter.samples = tally.ok + tally.fail + tally.info;
        }
    }

    /// The counts, in the order of the plan.
    pub fn finish(self, plan: &Plan, names: &SlotNames) -> Vec<ObjectiveStats> {
        self.counters
            .into_iter()
            .map(|counter| counter.finish(plan, names))
            .collect()
    }
}
