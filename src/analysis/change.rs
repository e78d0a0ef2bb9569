//! Planned changes: what became of the Calls around the stop signals of a fault.
//!
//! Pure. One fold over the Calls, in any order, in memory that does not grow with them. Every attempt counts, whatever its client
//! made of it afterwards. Two kinds of failures are told apart. *Broken* Calls got no answer (`connect`, `transport`, `truncated`,
//! `timeout`, `http`, `session-lost`, `malformed`, `unsent`): a change may cause none. *Answered* ones (`json-rpc`, `tool`) are an
//! application's own errors: they count only where they are significantly more frequent than before. Wrong answers have a check of
//! their own, and what this machine had no socket for (`local`) is no fault of the fleet.
//!
//! What the fleet had before does not blame the change: of a class that the baseline has, only what is significantly more (Fisher,
//! one-sided, p < 0.001) counts, less what the baseline's share would give. A lost session shows with its client's next Call, so
//! for `session-lost` the window lasts to the next fault or the end of the load.

use std::collections::BTreeMap;
use std::time::Duration;

use self::failures::{Failures, Key, failure};
use super::names::{SlotNames, SlotNumber};
use super::timeline::Timeline;
use super::{ChangeExample, ChangeFailures, ChangeStats, StopSignal, faults};
use crate::check::kinds::wants_clean_change;
use crate::model::{Call, Class, Offset, Window};
use crate::plan::{FaultPlan, Plan};

mod failures;

/// The changes of a run.
#[derive(Clone, Debug)]
pub struct ChangeFold {
    changes: Vec<Change>,
}

/// A stop signal, and who serves under the name of the instance.
#[derive(Clone, Debug)]
struct Signal {
    told: StopSignal,
    slot: SlotNumber,
}

impl Signal {
    /// When the grace period is over.
    fn end(&self) -> Offset {
        self.told.at + Duration::from_nanos(self.told.grace_ns)
    }
}

/// A fault whose change must be clean.
#[derive(Clone, Debug)]
struct Change {
    fault: String,
    began: Offset,
    /// From where to where Calls show what was usual.
    baseline: Window,
    window: Window,
    /// Up to when a session that it cost may show.
    latest: Offset,
    finished: bool,
    unasked: u64,
    signals: Vec<Signal>,
    baseline_calls: u64,
    calls: u64,
    /// Calls that were sent after the window, up to `latest`.
    later: u64,
    in_flight: u64,
    in_flight_unknown: u64,
    overlong: u64,
    failures: BTreeMap<Key, Failures>,
}

/// What a Call is to a change.
enum Part<'a> {
    /// Neither before nor around it.
    None,
    /// It shows what was usual.
    Baseline,
    /// It was sent in the window.
    After,
    /// It was sent later, and can only show that a session is lost.
    Later,
    /// It was in flight at this signal.
    InFlight { at: &'a Signal, overlong: bool },
}

/// When a Call began: when it was sent, or when it should have been.
fn begun(call: &Call) -> Offset {
    call.sent
        .unwrap_or_else(|| call.taken.map_or(call.due, |taken| taken.max(call.due)))
}

impl ChangeFold {
    /// Prepares to observe the faults whose change must be clean, and that began.
    pub fn of(plan: &Plan, timeline: &Timeline, names: &mut SlotNames) -> Self {
        let wanted = plan
            .faults
            .iter()
            .filter(|fault| wants_clean_change(plan, &fault.of));
        Self {
            changes: wanted
                .filter_map(|fault| Change::of(plan, timeline, names, fault))
                .collect(),
        }
    }

    /// Counts a Call.
    pub fn observe(&mut self, call: &Call, slot: SlotNumber) {
        if self.changes.is_empty() {
            return;
        }
        let (begun, failure) = (begun(call), failure(call));
        for change in &mut self.changes {
            change.observe(call, slot, begun, failure);
        }
    }

    /// What each change did, by the name of its fault. `seen` is up to when Calls are surely recorded.
    pub fn finish(self, names: &SlotNames, seen: Offset) -> BTreeMap<String, ChangeStats> {
        let changes = self.changes.into_iter();
        changes
            .map(|change| (change.fault.clone(), change.finish(names, seen)))
            .collect()
    }
}

impl Change {
    fn of(
        plan: &Plan,
        timeline: &Timeline,
        names: &mut SlotNames,
        fault: &FaultPlan,
    ) -> Option<Self> {
        let times = timeline.faults.get(&fault.name)?;
        let (began, _) = times.began.as_ref()?;
        let mut signals: Vec<Signal> = times
            .signals
            .iter()
            .map(|told| Signal {
                slot: names.intern(told.instance.slot.as_str()),
                told: told.clone(),
            })
            .collect();
        signals.sort_by_key(|signal| signal.told.at);
        let from = signals.first().map_or(*began, |first| first.told.at);
        // What another fault does from its begin on cannot be told from what this one does.
        let next = plan
            .faults
            .iter()
            .filter(|other| other.name != fault.name)
            .filter_map(|other| timeline.began(&other.name))
            .filter(|at| at > began)
            .min();
        let healed = times.healed.as_ref().map(|(at, _)| *at);
        let load = timeline.load_end(plan);
        let latest = next.unwrap_or(load).min(load);
        let until = healed.unwrap_or(latest).min(latest);
        let window = Window::new(from, until);
        let ended = timeline.slots.values().flat_map(|life| &life.ended);
        let unasked = if signals.is_empty() {
            ended.filter(|at| window.contains(**at)).count() as u64
        } else {
            0
        };
        Some(Self {
            fault: fault.name.clone(),
            began: *began,
            baseline: Window::new(
                faults::baseline_start(plan, timeline, &fault.name, *began),
                *began,
            ),
            window,
            latest,
            finished: healed.is_some_and(|at| at <= latest),
            unasked,
            signals,
            baseline_calls: 0,
            calls: 0,
            later: 0,
            in_flight: 0,
            in_flight_unknown: 0,
            overlong: 0,
            failures: BTreeMap::new(),
        })
    }

    fn observe(&mut self, call: &Call, slot: SlotNumber, begun: Offset, failure: Option<Key>) {
        let part = self.part(call, slot, begun);
        let example = failure.map(|_| {
            let at = match &part {
                Part::InFlight { at, .. } => Some(*at),
                _ => self.signal_before(begun),
            };
            let zero = at.map_or(self.window.start, |signal| signal.told.at);
            ChangeExample {
                at: begun,
                done: call.done,
                after_signal_ns: begun.0.saturating_sub(zero.0),
                signal: at.map_or_else(String::new, |signal| signal.told.instance.to_string()),
                operation: call.operation.clone(),
                class: call.class,
                code: call.code,
                instance: call.instance.clone(),
            }
        });
        let (sent_after, later, in_flight) = match part {
            Part::None => return,
            Part::Baseline => {
                self.baseline_calls += 1;
                if let Some(key) = failure {
                    self.failures.entry(key).or_default().baseline += 1;
                }
                return;
            }
            Part::After => {
                self.calls += 1;
                (1, 0, 0)
            }
            Part::Later => {
                self.later += 1;
                if call.class != Class::SessionLost {
                    return;
                }
                (0, 1, 0)
            }
            Part::InFlight { overlong, .. } => {
                if slot == SlotNumber::UNKNOWN {
                    self.in_flight_unknown += 1;
                } else {
                    self.in_flight += 1;
                }
                if overlong && failure.is_some() {
                    self.overlong += 1;
                    return;
                }
                (0, 0, 1)
            }
        };
        if let (Some(key), Some(example)) = (failure, example) {
            let failures = self.failures.entry(key).or_default();
            failures.sent_after += sent_after;
            failures.later += later;
            failures.in_flight += in_flight;
            *failures.by_slot.entry(slot).or_default() += 1;
            failures.keep(example);
        }
    }

    fn part(&self, call: &Call, slot: SlotNumber, begun: Offset) -> Part<'_> {
        if self.baseline.contains(begun) && call.done < self.began {
            return Part::Baseline;
        }
        if call.done < self.window.start || begun >= self.latest {
            return Part::None;
        }
        if let Some(sent) = call.sent {
            // What was in flight on another instance than the one that was asked to end has nothing to do with it.
            let mut held = self.signals.iter().filter(|signal| {
                (slot == signal.slot || slot == SlotNumber::UNKNOWN)
                    && sent < signal.told.at
                    && call.done >= signal.told.at
                    && signal.told.at <= self.latest
            });
            let over = |signal: &Signal| call.done >= signal.end();
            if let Some(at) = held.next() {
                let overlong = over(at) || held.any(over);
                return Part::InFlight { at, overlong };
            }
        }
        // A connection that was asked for before and refused after it was refused by the change.
        let refused = call.sent.is_none()
            && call.class == Class::Connect
            && begun < self.window.end
            && call.done >= self.window.start;
        if refused || self.window.contains(begun) {
            Part::After
        } else if (self.window.end..self.latest).contains(&begun) {
            Part::Later
        } else {
            Part::None
        }
    }

    /// The last signal at `at` or before.
    fn signal_before(&self, at: Offset) -> Option<&Signal> {
        let before = self.signals.iter().rev();
        let mut before = before.filter(|signal| signal.told.at <= at);
        before.next().or(self.signals.first())
    }

    fn finish(self, names: &SlotNames, seen: Offset) -> ChangeStats {
        let around = self.calls + self.in_flight + self.in_flight_unknown;
        let later = self.later;
        let among = |class: Class| match class {
            Class::SessionLost => around + later,
            _ => around,
        };
        let mut failures: Vec<ChangeFailures> = self
            .failures
            .into_iter()
            .filter(|(_, failures)| failures.total() > 0)
            .map(|(key, failures)| failures.finish(key, among(key.0), self.baseline_calls, names))
            .collect();
        failures.sort_by_key(|failures| {
            let total = failures.sent_after + failures.later + failures.in_flight;
            std::cmp::Reverse((failures.blamed, total))
        });
        ChangeStats {
            signals: self.signals.into_iter().map(|signal| signal.told).collect(),
            unasked: self.unasked,
            window: self.window,
            finished: self.finished && self.window.end <= seen,
            baseline_calls: self.baseline_calls,
            calls: self.calls,
            in_flight: self.in_flight,
            in_flight_unknown: self.in_flight_unknown,
            overlong: self.overlong,
            failed: failures.iter().map(|failures| failures.blamed).sum(),
            failures,
        }
    }
}

#[cfg(test)]
mod tests;
